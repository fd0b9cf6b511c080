//! Noticing that whoever is at the other end of a silent connection is there no more: TCP keepalive.
//!
//! The kernel asks, so that a connection may be silent for as long as its protocol likes. Options of a
//! listening socket are those of the connections that it accepts from then on.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

/// When the kernel asks, and when it gives up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Liveness {
    /// Silence before the first question.
    pub(crate) keepalive_idle: Duration,
    /// Time between two questions.
    pub(crate) keepalive_interval: Duration,
    /// Questions without an answer before the connection is given up.
    pub(crate) keepalive_probes: u32,
    /// How long something that was sent may stay unacknowledged; `None`: as long as the kernel likes.
    pub(crate) user_timeout: Option<Duration>,
}

impl Liveness {
    /// Has the kernel look after `socket`.
    pub(crate) fn apply<'s>(&self, socket: impl Into<SockRef<'s>>) -> io::Result<()> {
        let socket = socket.into();
        let keepalive = TcpKeepalive::new()
            .with_time(self.keepalive_idle)
            .with_interval(self.keepalive_interval)
            .with_retries(self.keepalive_probes);
        socket.set_tcp_keepalive(&keepalive)?;
        // A listener may have had one before.
        socket.set_tcp_user_timeout(self.user_timeout)
    }
}
