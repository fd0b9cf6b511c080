//! The epoll form: each socket registered once, edge-triggered, one buffer for all, and per
//! exchange one wait, two receives, two sends.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, sockopt};

use super::{BUFFER_BYTES, announce};

/// Most events taken in one wait.
const BATCH: usize = 256;
/// Most connections accepted before the others get their turn.
const ACCEPT_BATCH: usize = 64;
/// Event data of the listener; a connection's is its place times two, plus its side.
pub(super) const LISTENER: u64 = u64::MAX;

/// Relays until the process is killed.
pub(super) fn run(listener: &TcpListener, target: SocketAddr) -> io::Result<()> {
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
                data => {
                    let flags = event.flags;
                    let ending = flags.intersects(EventFlags::RDHUP | EventFlags::HUP);
                    relay.on_event(data, ending, &mut buffer);
                }
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
    pairs: Vec<Option<[Side; 2]>>,
    free: Vec<usize>,
    gone: Vec<usize>,
}

/// One socket of a relayed connection.
struct Side {
    socket: TcpStream,
    /// Read from the other side and not yet taken by this one.
    unsent: Vec<u8>,
    /// The other side has ended.
    ends: bool,
    /// The end of this side's bytes is on its way: what is there must be read to that end.
    ending: bool,
    /// Nothing more comes from this side.
    ended: bool,
}

impl Side {
    fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            unsent: Vec::new(),
            ends: false,
            ending: false,
            ended: false,
        }
    }

    /// Sends what waited; `Ok(true)` once nothing waits any more.
    fn flush(&mut self) -> io::Result<bool> {
        while !self.unsent.is_empty() {
            match self.socket.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        if self.ends {
            self.ends = false;
            self.socket.shutdown(Shutdown::Write)?;
        }
        Ok(true)
    }
}

impl Relay {
    fn open(&mut self, client: TcpStream) -> io::Result<()> {
        let Ok(origin) = dial(self.target) else {
            return Ok(());
        };
        let place = self.free.pop().unwrap_or_else(|| {
            self.pairs.push(None);
            self.pairs.len() - 1
        });
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        let data = |side: u64| EventData::new_u64(place as u64 * 2 + side);
        epoll::add(&self.epoll, &client, data(0), flags)?;
        epoll::add(&self.epoll, &origin, data(1), flags)?;
        if let Some(pair) = self.pairs.get_mut(place) {
            *pair = Some([Side::new(client), Side::new(origin)]);
        }
        Ok(())
    }

    fn on_event(&mut self, data: u64, ending: bool, buffer: &mut [u8]) {
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
        ready.ending |= ending;
        let over = match exchange(ready, other, buffer) {
            Ok(()) => ready.ended && other.ended && ready.is_sent() && other.is_sent(),
            Err(_) => true,
        };
        if over {
            *pair = None;
            self.gone.push(place);
        }
    }
}

impl Side {
    fn is_sent(&self) -> bool {
        self.unsent.is_empty() && !self.ends
    }
}

/// `ready` had an event: it may take what waited, and may have something for `other`.
fn exchange(ready: &mut Side, other: &mut Side, buffer: &mut [u8]) -> io::Result<()> {
    if !ready.is_sent() && ready.flush()? {
        // There is room again: what `other` had to hold back may come now.
        pump(other, ready, buffer)?;
    }
    pump(ready, other, buffer)
}

/// Moves what `from` has to `to`, as far as `to` takes it.
fn pump(from: &mut Side, to: &mut Side, buffer: &mut [u8]) -> io::Result<()> {
    while !from.ended && to.unsent.is_empty() {
        match from.socket.read(buffer) {
            Ok(0) => {
                from.ended = true;
                to.ends = true;
                to.flush()?;
            }
            Ok(count) => {
                let bytes = buffer.get(..count).unwrap_or_default();
                let sent = match to.socket.write(bytes) {
                    Ok(sent) => sent,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                    Err(error) => return Err(error),
                };
                to.unsent
                    .extend_from_slice(bytes.get(sent..).unwrap_or_default());
                // A short read has emptied the socket (epoll(7)), except of an end.
                if count < buffer.len() && !from.ending {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Accepts what waits, within bounds, and hands each connection to `open`.
pub(super) fn accept_some(
    listener: &TcpListener,
    mut open: impl FnMut(TcpStream) -> io::Result<()>,
) -> io::Result<()> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    for _ in 0..ACCEPT_BATCH {
        match rustix::net::accept_with(listener, flags) {
            Ok(client) => open(client.into())?,
            Err(rustix::io::Errno::MFILE) => return Err(rustix::io::Errno::MFILE.into()),
            Err(_) => return Ok(()),
        }
    }
    Ok(())
}

/// A non-blocking socket on its way to `address`.
pub(super) fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(socket.into()),
        Err(error) => Err(error.into()),
    }
}
