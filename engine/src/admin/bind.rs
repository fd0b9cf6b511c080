//! From `admin.listen` to a socket that listens.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::config::checked::AdminListen;

/// Where the admin listener is.
#[derive(Debug)]
pub(crate) enum AdminSocket {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener, PathBuf),
}

/// Why it cannot be there.
#[derive(Debug, Error)]
#[error("admin.listen: cannot listen on {place}: {source}; another place or \"off\" would do")]
pub(crate) struct AdminBindError {
    place: String,
    source: io::Error,
}

impl AdminSocket {
    /// Where clients could reach it over the network.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(_, address) => Some(*address),
            Self::Unix(..) => None,
        }
    }

    /// As messages name it.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Tcp(_, address) => address.to_string(),
            Self::Unix(_, path) => format!("unix:{}", path.display()),
        }
    }
}

/// Listens as the configuration says; `None`: nowhere.
pub(crate) fn bind(listen: &AdminListen) -> Result<Option<AdminSocket>, AdminBindError> {
    match listen {
        AdminListen::Off => Ok(None),
        AdminListen::Tcp(address) => {
            let failed = |source| AdminBindError {
                place: address.to_string(),
                source,
            };
            let listener = TcpListener::bind(address).map_err(failed)?;
            listener.set_nonblocking(true).map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            Ok(Some(AdminSocket::Tcp(listener, address)))
        }
        AdminListen::Unix(path) => {
            let failed = |source| AdminBindError {
                place: format!("unix:{}", path.display()),
                source,
            };
            remove_left_behind(path).map_err(failed)?;
            let listener = UnixListener::bind(path).map_err(failed)?;
            // The default would let in whoever may enter the folder.
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
            listener.set_nonblocking(true).map_err(failed)?;
            Ok(Some(AdminSocket::Unix(listener, path.clone())))
        }
    }
}

/// Whether it could listen there, which it does not. That somebody does already is no fault: it may well be the
/// process that this configuration is for.
pub(crate) fn check(listen: &AdminListen) -> Result<(), AdminBindError> {
    let AdminListen::Tcp(_) = listen else {
        return Ok(());
    };
    match bind(listen) {
        Err(error) if error.source.kind() != io::ErrorKind::AddrInUse => Err(error),
        _ => Ok(()),
    }
}

/// Removes the socket of a process that has ended without doing so.
fn remove_left_behind(path: &Path) -> io::Result<()> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    if !is_socket {
        return Ok(());
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        // Whoever answers there is in the way, which the bind tells.
        Ok(_) | Err(_) => Ok(()),
    }
}
