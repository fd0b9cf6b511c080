//! TLS for those who speak bytes: a plain connection on one side, TLS on the other, and a thread
//! between them. So the clients and origins of the harness need not know of TLS.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    ALL_VERSIONS, ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection,
    SupportedProtocolVersion,
};

use super::connection::Connection;
use super::pki::{Identity, Pki};
use super::proxy::Proxy;

/// A client inside TLS in a tunnel to `authority`, which trusts the proxy's authority.
///
/// # Panics
/// If the tunnel is refused or the handshake fails.
pub(crate) fn tls_tunnel(proxy: &Proxy, pki: &Pki, authority: &str, sni: &str) -> Connection {
    tls_tunnel_trusting(proxy, &pki.authority(), authority, sni)
}

/// The same for one that trusts the certificates of a file.
///
/// # Panics
/// If the tunnel is refused or the handshake fails.
pub(crate) fn tls_tunnel_trusting(
    proxy: &Proxy,
    trusted: &str,
    authority: &str,
    sni: &str,
) -> Connection {
    tls_tunnel_over(proxy.connection(), trusted, authority, sni)
}

/// The same over a connection to the proxy that is there.
///
/// # Panics
/// If the tunnel is refused or the handshake fails.
pub(crate) fn tls_tunnel_over(
    mut tunnel: Connection,
    trusted: &str,
    authority: &str,
    sni: &str,
) -> Connection {
    tunnel.connect(authority).unwrap();
    client_over(tunnel.stream, trusted, sni, None)
}

/// TLS over a connection on which it comes next.
///
/// # Panics
/// If the handshake fails.
pub(crate) fn tls_over(carrier: Connection, trusted: &str, sni: &str) -> Connection {
    client_over(carrier.stream, trusted, sni, None)
}

/// A client of an https listener that shows its certificate.
///
/// # Panics
/// If the handshake fails.
pub(crate) fn client_of_listener(
    port: u16,
    trusted: &str,
    sni: &str,
    identity: &Identity,
) -> Connection {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client_over(stream, trusted, sni, Some(identity))
}

fn client_over(
    mut stream: TcpStream,
    trusted: &str,
    sni: &str,
    identity: Option<&Identity>,
) -> Connection {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(trusted).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let builder = ClientConfig::builder().with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain = CertificateDer::pem_file_iter(&identity.certificate).unwrap();
            let key = PrivateKeyDer::from_pem_file(&identity.key).unwrap();
            builder
                .with_client_auth_cert(chain.map(Result::unwrap).collect(), key)
                .unwrap()
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = ServerName::try_from(sni.to_owned()).unwrap();
    let mut tls = ClientConnection::new(Arc::new(config), name).unwrap();
    while tls.is_handshaking() {
        tls.complete_io(&mut stream).unwrap();
    }
    let (ours, theirs) = pair();
    thread::spawn(move || bridge(tls.into(), stream, theirs));
    Connection::over(ours)
}

/// Whom an origin asks for a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientAuth {
    Nobody,
    /// Everybody, by the authority of origins; who has none is served all the same.
    Anybody,
    /// Everybody, by the authority of origins.
    Everybody,
}

/// An address where TLS is spoken in front of the origin at `plain`.
pub(crate) fn tls_before(
    plain: SocketAddr,
    identity: &Identity,
    pki: &Pki,
    clients: ClientAuth,
) -> SocketAddr {
    tls_before_in(ALL_VERSIONS, plain, identity, pki, clients)
}

/// The same, speaking these versions of TLS.
pub(crate) fn tls_before_in(
    versions: &[&'static SupportedProtocolVersion],
    plain: SocketAddr,
    identity: &Identity,
    pki: &Pki,
    clients: ClientAuth,
) -> SocketAddr {
    let chain = CertificateDer::pem_file_iter(&identity.certificate).unwrap();
    let chain: Vec<_> = chain.map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(&identity.key).unwrap();
    let builder = ServerConfig::builder_with_protocol_versions(versions);
    let builder = match clients {
        ClientAuth::Nobody => builder.with_no_client_auth(),
        ClientAuth::Anybody | ClientAuth::Everybody => {
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_file_iter(pki.roots()).unwrap() {
                roots.add(certificate.unwrap()).unwrap();
            }
            let mut verifier = WebPkiClientVerifier::builder(Arc::new(roots));
            if clients == ClientAuth::Anybody {
                verifier = verifier.allow_unauthenticated();
            }
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let config = Arc::new(builder.with_single_cert(chain, key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Ends with the test process: a blocked accept holds nothing but a socket.
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
            thread::spawn(move || {
                let plain = TcpStream::connect(plain).unwrap();
                bridge(tls.into(), stream, plain);
            });
        }
    });
    address
}

/// Two ends of one connection.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (one, listener.accept().unwrap().0)
}

/// Moves bytes until both sides have ended. What ends without close_notify is cut off on the plain
/// side by a reset; a plain side that is reset ends the other without close_notify.
fn bridge(mut tls: rustls::Connection, mut outside: TcpStream, mut inside: TcpStream) {
    outside.set_nodelay(true).unwrap();
    outside.set_nonblocking(true).unwrap();
    inside.set_nonblocking(true).unwrap();
    let (mut to_inside, mut inside_open, mut outside_open) = (Vec::new(), true, true);
    let mut buffer = vec![0; 16 * 1024];
    loop {
        wait(
            &tls,
            &outside,
            &inside,
            inside_open,
            outside_open,
            !to_inside.is_empty(),
        );
        if inside_open && to_inside.len() < 1 << 20 && !tls.is_handshaking() {
            match inside.read(&mut buffer) {
                Ok(0) => {
                    tls.send_close_notify();
                    inside_open = false;
                }
                Ok(bytes) => tls.writer().write_all(&buffer[..bytes]).unwrap(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
        while tls.wants_write() {
            match tls.write_tls(&mut outside) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return reset(&inside),
            }
        }
        if !inside_open && !tls.wants_write() {
            let _ = outside.shutdown(Shutdown::Write);
        }
        if outside_open {
            match tls.read_tls(&mut outside) {
                Ok(0) => return reset(&inside),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return reset(&inside),
            }
            let Ok(state) = tls.process_new_packets() else {
                let _ = tls.write_tls(&mut outside);
                return reset(&inside);
            };
            let begin = to_inside.len();
            to_inside.resize(begin + state.plaintext_bytes_to_read(), 0);
            tls.reader().read_exact(&mut to_inside[begin..]).unwrap();
            outside_open = !state.peer_has_closed();
        }
        match inside.write(&to_inside) {
            Ok(bytes) => drop(to_inside.drain(..bytes)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
        if !outside_open && to_inside.is_empty() {
            let _ = inside.shutdown(Shutdown::Write);
            if !inside_open && !tls.wants_write() {
                return;
            }
        }
    }
}

fn reset(inside: &TcpStream) {
    let _ = socket2::SockRef::from(inside).set_linger(Some(std::time::Duration::ZERO));
}

/// Waits until there is something to do. The plain side is not waited for once it has ended.
fn wait(
    tls: &rustls::Connection,
    outside: &TcpStream,
    inside: &TcpStream,
    inside_open: bool,
    outside_open: bool,
    has_plain: bool,
) {
    let mut of_outside = PollFlags::empty();
    let mut of_inside = PollFlags::empty();
    if outside_open {
        of_outside |= PollFlags::POLLIN;
    }
    if tls.wants_write() {
        of_outside |= PollFlags::POLLOUT;
    }
    if inside_open && !tls.is_handshaking() {
        of_inside |= PollFlags::POLLIN;
    }
    if has_plain {
        of_inside |= PollFlags::POLLOUT;
    }
    let mut polled = vec![PollFd::new(outside.as_fd(), of_outside)];
    if !of_inside.is_empty() {
        polled.push(PollFd::new(inside.as_fd(), of_inside));
    }
    let _ = poll(&mut polled, PollTimeout::from(1000_u16));
}
