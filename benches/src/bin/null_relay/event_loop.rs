//! What the forms on raw epoll share: one loop, each socket registered once, edge-triggered, and both
//! sockets of a relayed connection in one place. What an event does is the form's own.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::{AsFd, OwnedFd};
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, sockopt};

use super::announce;

/// Most events taken in one wait.
const BATCH: usize = 256;
/// Most connections accepted before the others get their turn.
const ACCEPT_BATCH: usize = 64;
/// Event data of the listener; a connection's is its place times two, plus its side.
const LISTENER: u64 = u64::MAX;

/// A form of the relay.
pub(super) trait Form {
    /// One socket of a relayed connection and what belongs to it.
    type Side: AsFd;

    /// Both sides of a new connection, the client's first.
    fn open(&mut self, client: TcpStream, origin: TcpStream) -> io::Result<[Self::Side; 2]>;

    /// `ready` had an event; `ending` if its end is on its way. `Ok(false)` or an error when the
    /// connection is over.
    fn exchange(
        &mut self,
        ready: &mut Self::Side,
        other: &mut Self::Side,
        ending: bool,
    ) -> io::Result<bool>;
}

/// Relays until the process is killed.
pub(super) fn run<F: Form>(listener: &TcpListener, target: SocketAddr, form: F) -> io::Result<()> {
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    let data = EventData::new_u64(LISTENER);
    epoll::add(&epoll, listener, data, EventFlags::IN)?;
    announce(listener)?;
    let mut relay = Relay {
        epoll,
        target,
        form,
        pairs: Vec::new(),
        free: Vec::new(),
        gone: Vec::new(),
    };
    let mut events: Vec<Event> = Vec::with_capacity(BATCH);
    loop {
        events.clear();
        match epoll::wait(&relay.epoll, spare_capacity(&mut events), None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            match event.data.u64() {
                LISTENER => relay.accept(listener)?,
                data => relay.on_event(data, event.flags),
            }
        }
        // Only now, so that an event of this batch never meets a successor of its connection.
        relay.free.append(&mut relay.gone);
    }
}

/// The state of all connections.
struct Relay<F: Form> {
    epoll: OwnedFd,
    target: SocketAddr,
    form: F,
    pairs: Vec<Option<[F::Side; 2]>>,
    free: Vec<usize>,
    gone: Vec<usize>,
}

impl<F: Form> Relay<F> {
    /// Accepts what waits, within bounds.
    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        for _ in 0..ACCEPT_BATCH {
            match rustix::net::accept_with(listener, flags) {
                Ok(client) => self.open(client.into())?,
                Err(rustix::io::Errno::MFILE) => return Err(rustix::io::Errno::MFILE.into()),
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    fn open(&mut self, client: TcpStream) -> io::Result<()> {
        let Ok(origin) = dial(self.target) else {
            return Ok(());
        };
        let sides = self.form.open(client, origin)?;
        let place = self.free.pop().unwrap_or_else(|| {
            self.pairs.push(None);
            self.pairs.len() - 1
        });
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        for (side, number) in sides.iter().zip(0..) {
            let data = EventData::new_u64(place as u64 * 2 + number);
            epoll::add(&self.epoll, side, data, flags)?;
        }
        if let Some(pair) = self.pairs.get_mut(place) {
            *pair = Some(sides);
        }
        Ok(())
    }

    fn on_event(&mut self, data: u64, flags: EventFlags) {
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
        let ending = flags.intersects(EventFlags::RDHUP | EventFlags::HUP);
        if !matches!(self.form.exchange(ready, other, ending), Ok(true)) {
            *pair = None;
            self.gone.push(place);
        }
    }
}

/// A non-blocking socket on its way to `address`.
fn dial(address: SocketAddr) -> io::Result<TcpStream> {
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
