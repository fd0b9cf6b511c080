//! `[admin]`, checked.

use std::net::SocketAddr;
use std::path::PathBuf;

/// `[admin]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// Where operators and their tools are answered.
    pub listen: AdminListen,
    /// Names by which it may be asked, beside `localhost` and addresses; lower-case.
    pub hosts: Vec<String>,
}

/// `admin.listen`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminListen {
    /// Nowhere.
    Off,
    /// At an address. Port 0 takes a free one, for tests and trials.
    Tcp(SocketAddr),
    /// At a Unix socket (`unix:/path`), for its owner only.
    Unix(PathBuf),
}
