//! Listening sockets: one per shard and address, bound before any shard starts.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;

/// Connections that the kernel holds until a shard accepts them, per socket.
const BACKLOG: i32 = 4096;

/// How long a start waits for an address that is in use. The kernel takes the rings of a killed
/// process apart after the process is gone, and until then its sockets still listen: a service
/// manager that restarts it at once must not fail on that.
const IN_USE_PATIENCE: Duration = Duration::from_secs(2);
const IN_USE_PAUSE: Duration = Duration::from_millis(20);

/// Why a listener could not be set up.
#[derive(Debug, Error)]
pub(crate) enum BindError {
    /// Somebody else listens there: with `SO_REUSEPORT` alone two processes would share silently.
    #[error("{address} is in use by another process; stop it, or choose another listener.address")]
    InUse { address: SocketAddr },
    #[error("cannot listen on {address}: {source}")]
    Failed {
        address: SocketAddr,
        source: io::Error,
    },
}

/// Binds `shards` sockets to `address` and returns them with the address, port filled in.
///
/// # Errors
/// [`BindError::InUse`] if another process still listens there after two seconds.
pub(crate) fn bind(
    address: SocketAddr,
    shards: usize,
) -> Result<(SocketAddr, Vec<TcpListener>), BindError> {
    let end = Instant::now() + IN_USE_PATIENCE;
    loop {
        match bind_now(address, shards) {
            Err(BindError::InUse { .. }) if Instant::now() < end => thread::sleep(IN_USE_PAUSE),
            outcome => return outcome,
        }
    }
}

/// Whether `address` can be had, without listening there. That somebody listens there already is no fault:
/// it may well be the process that this configuration is for.
pub(crate) fn check(address: SocketAddr) -> Result<(), BindError> {
    let bound = socket(address).and_then(|socket| socket.bind(&address.into()));
    match bound {
        Err(source) if source.kind() != io::ErrorKind::AddrInUse => {
            Err(BindError::Failed { address, source })
        }
        _ => Ok(()),
    }
}

fn bind_now(
    address: SocketAddr,
    shards: usize,
) -> Result<(SocketAddr, Vec<TcpListener>), BindError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse { address },
        _ => BindError::Failed { address, source },
    };
    // Without SO_REUSEPORT first: it fails if anyone listens there, whoever that is.
    let probe = socket(address).map_err(failed)?;
    probe.bind(&address.into()).map_err(failed)?;
    let bound = probe
        .local_addr()
        .map_err(failed)?
        .as_socket()
        .unwrap_or(address);
    drop(probe);
    let sockets = (0..shards).map(|_| {
        let socket = socket(bound)?;
        socket.set_reuse_port(true)?;
        socket.bind(&bound.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    });
    let sockets = sockets.collect::<io::Result<Vec<_>>>().map_err(failed)?;
    Ok((bound, sockets))
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_share_a_port_and_strangers_do_not() {
        let (address, sockets) = bind("127.0.0.1:0".parse().unwrap(), 3).unwrap();
        assert_eq!(sockets.len(), 3);
        assert_ne!(address.port(), 0);
        assert!(matches!(bind(address, 1), Err(BindError::InUse { .. })));
    }

    #[test]
    fn an_address_that_is_about_to_be_free_is_waited_for() {
        let (address, sockets) = bind("127.0.0.1:0".parse().unwrap(), 1).unwrap();
        let closer = thread::spawn(move || {
            thread::sleep(IN_USE_PAUSE * 3);
            drop(sockets);
        });
        assert!(bind(address, 1).is_ok());
        closer.join().unwrap();
    }
}
