//! The form that ends TLS on one side and starts it on the other: rustls on raw epoll, edge-triggered.
//! The floor of an intercepting proxy whose connections stay open.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection,
};

use super::epoll::{LISTENER, accept_some, dial};
use super::{BUFFER_BYTES, announce};

/// Most events taken in one wait.
const BATCH: usize = 256;

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

/// Relays until the process is killed.
pub(super) fn run(
    listener: &TcpListener,
    target: SocketAddr,
    identity: Identity,
) -> io::Result<()> {
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(
        &epoll,
        listener,
        EventData::new_u64(LISTENER),
        EventFlags::IN,
    )?;
    announce(listener)?;
    let mut relay = Relay {
        epoll,
        target,
        identity,
        pairs: Vec::new(),
        free: Vec::new(),
        gone: Vec::new(),
    };
    let mut events: Vec<Event> = Vec::with_capacity(BATCH);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        events.clear();
        match epoll::wait(&relay.epoll, spare_capacity(&mut events), None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            match event.data.u64() {
                LISTENER => accept_some(listener, |client| relay.open(client))?,
                data => relay.on_event(data, &mut buffer),
            }
        }
        // Only now, so that an event of this batch never meets a successor of its connection.
        relay.free.append(&mut relay.gone);
    }
}

/// The state of all connections.
struct Relay {
    epoll: OwnedFd,
    target: SocketAddr,
    identity: Identity,
    pairs: Vec<Option<[Leg; 2]>>,
    free: Vec<usize>,
    gone: Vec<usize>,
}

impl Relay {
    fn open(&mut self, client: TcpStream) -> io::Result<()> {
        let Ok(origin) = dial(self.target) else {
            return Ok(());
        };
        let server_side =
            ServerConnection::new(Arc::clone(&self.identity.server)).map_err(io::Error::other)?;
        let client_side = ClientConnection::new(
            Arc::clone(&self.identity.client),
            self.identity.origin.clone(),
        )
        .map_err(io::Error::other)?;
        let place = self.free.pop().unwrap_or_else(|| {
            self.pairs.push(None);
            self.pairs.len() - 1
        });
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        let data = |side: u64| EventData::new_u64(place as u64 * 2 + side);
        epoll::add(&self.epoll, &client, data(0), flags)?;
        epoll::add(&self.epoll, &origin, data(1), flags)?;
        if let Some(pair) = self.pairs.get_mut(place) {
            *pair = Some([
                Leg::new(client, server_side.into()),
                Leg::new(origin, client_side.into()),
            ]);
        }
        Ok(())
    }

    fn on_event(&mut self, data: u64, buffer: &mut [u8]) {
        let Ok(place) = usize::try_from(data / 2) else {
            return;
        };
        let Some(pair) = self.pairs.get_mut(place) else {
            return;
        };
        let Some([client, origin]) = pair.as_mut() else {
            return;
        };
        let (ready, other) = if data.is_multiple_of(2) {
            (client, origin)
        } else {
            (origin, client)
        };
        if !matches!(exchange(ready, other, buffer), Ok(true)) {
            *pair = None;
            self.gone.push(place);
        }
    }
}

/// One socket of a relayed connection and its TLS.
struct Leg {
    socket: TcpStream,
    tls: Connection,
    /// Not read on because the other leg has not sent what it was given.
    held: bool,
    /// Nothing more comes from it.
    ended: bool,
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

/// `ready` had an event; `Ok(false)` when the connection is over.
fn exchange(ready: &mut Leg, other: &mut Leg, buffer: &mut [u8]) -> io::Result<bool> {
    ready.flush()?;
    if other.ended {
        return Ok(ready.tls.wants_write());
    }
    if !ready.tls.wants_write() && other.held {
        other.held = false;
        if !pump(other, ready, buffer)? {
            return Ok(false);
        }
    }
    pump(ready, other, buffer)
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
