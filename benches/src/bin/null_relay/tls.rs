//! The form that ends TLS on one side and starts it on the other: rustls on raw epoll.
//! The floor of an intercepting proxy whose connections stay open.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection,
};

use super::BUFFER_BYTES;
use super::event_loop::Form;

/// What both handshakes need.
#[derive(Debug)]
pub(super) struct Identity {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    origin: ServerName<'static>,
}

impl Identity {
    /// The relay shows `certificate` to its clients, and takes an origin that shows one signed by it
    /// (or itself) for `origin`.
    pub(super) fn load(certificate: &Path, key: &Path, origin: String) -> io::Result<Self> {
        let chain = CertificateDer::pem_reader_iter(BufReader::new(File::open(certificate)?))
            .collect::<Result<Vec<_>, _>>()
            .map_err(io::Error::other)?;
        let key = PrivateKeyDer::from_pem_reader(BufReader::new(File::open(key)?))
            .map_err(io::Error::other)?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(chain.iter().cloned());
        let server = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(io::Error::other)?;
        let client = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            server: Arc::new(server),
            client: Arc::new(client),
            origin: ServerName::try_from(origin).map_err(io::Error::other)?,
        })
    }
}

/// Ends and starts TLS, with one buffer between.
pub(super) struct Terminating {
    identity: Identity,
    buffer: Vec<u8>,
}

impl Terminating {
    pub(super) fn new(identity: Identity) -> Self {
        Self {
            identity,
            buffer: vec![0; BUFFER_BYTES],
        }
    }
}

impl Form for Terminating {
    type Side = Leg;

    fn open(&mut self, client: TcpStream, origin: TcpStream) -> io::Result<[Leg; 2]> {
        let server_side =
            ServerConnection::new(Arc::clone(&self.identity.server)).map_err(io::Error::other)?;
        let client_side = ClientConnection::new(
            Arc::clone(&self.identity.client),
            self.identity.origin.clone(),
        )
        .map_err(io::Error::other)?;
        Ok([
            Leg::new(client, server_side.into()),
            Leg::new(origin, client_side.into()),
        ])
    }

    fn exchange(&mut self, ready: &mut Leg, other: &mut Leg, _: bool) -> io::Result<bool> {
        ready.flush()?;
        if other.ended {
            return Ok(ready.tls.wants_write());
        }
        if !ready.tls.wants_write() && other.held {
            other.held = false;
            if !pump(other, ready, &mut self.buffer)? {
                return Ok(false);
            }
        }
        pump(ready, other, &mut self.buffer)
    }
}

/// One socket of a relayed connection and its TLS.
pub(super) struct Leg {
    socket: TcpStream,
    tls: Connection,
    /// Not read on because the other leg has not sent what it was given.
    held: bool,
    /// Nothing more comes from it.
    ended: bool,
}

impl AsFd for Leg {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Leg {
    fn new(socket: TcpStream, mut tls: Connection) -> Self {
        tls.set_buffer_limit(None);
        Self {
            socket,
            tls,
            held: false,
            ended: false,
        }
    }

    /// Sends what can be sent.
    fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.socket) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Moves what `from` has to `to`, until there is no more or `to` does not keep up.
fn pump(from: &mut Leg, to: &mut Leg, buffer: &mut [u8]) -> io::Result<bool> {
    loop {
        if to.tls.wants_write() && !to.tls.is_handshaking() {
            from.held = true;
            return Ok(true);
        }
        match from.tls.read_tls(&mut from.socket) {
            Ok(0) => return end(from, to),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) => return Err(error),
        }
        from.tls.process_new_packets().map_err(io::Error::other)?;
        loop {
            match from.tls.reader().read(buffer) {
                Ok(0) => return end(from, to),
                Ok(count) => to
                    .tls
                    .writer()
                    .write_all(buffer.get(..count).unwrap_or_default())?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        from.flush()?;
        to.flush()?;
    }
}

/// `from` has ended: `to` still gets what it was given; `Ok(false)` when it has.
fn end(from: &mut Leg, to: &mut Leg) -> io::Result<bool> {
    from.ended = true;
    to.tls.send_close_notify();
    to.flush()?;
    Ok(to.tls.wants_write())
}
