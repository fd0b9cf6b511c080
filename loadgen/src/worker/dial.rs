//! Opens sockets without waiting for them to be connected.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};

use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, sockopt};

/// Receive buffer of a client that reads slowly, octets: what it leaves unread must show.
const SLOW_BUFFER_BYTES: usize = 4 * 1024;

/// A non-blocking socket on its way to `address`, from `source` if given.
pub(super) fn dial(
    address: SocketAddr,
    source: Option<IpAddr>,
    reads_slowly: bool,
) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    if reads_slowly {
        sockopt::set_socket_recv_buffer_size(&socket, SLOW_BUFFER_BYTES)?;
    }
    if let Some(source) = source {
        // The port is chosen on connecting: one port then serves many destinations.
        nix::sys::socket::setsockopt(
            &socket,
            nix::sys::socket::sockopt::IpBindAddressNoPort,
            &true,
        )?;
        rustix::net::bind(&socket, &SocketAddr::new(source, 0))?;
    }
    match rustix::net::connect(&socket, &address) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(TcpStream::from(socket)),
        Err(error) => Err(error.into()),
    }
}
