//! The origin's event loops: one thread, one listener and one epoll each; nothing is shared between
//! them but the counters. The loop ends on SIGTERM or SIGINT, after the responses under way.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::SocketFlags;
use rustls::{ServerConfig, ServerConnection};

use super::connection::{Connection, Next};
use super::context::Context;
use super::counters::Counters;
use super::tls;
use crate::cli::OriginArgs;
use crate::error::LoadError;
use crate::net::affinity;
use crate::net::poller::{Poller, Token};
use crate::net::signal::Termination;
use crate::net::transport::Transport;

/// Most connections accepted before the others get their turn.
const ACCEPT_BATCH: usize = 64;
/// Connections waiting to be accepted.
const BACKLOG: i32 = 4_096;
/// Octets read at a time.
const SCRATCH_BYTES: usize = 64 * 1024;
/// How long responses under way may take after the signal.
const DRAIN_TIME: Duration = Duration::from_secs(2);
/// How long to wait when there is no descriptor left to accept with.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(10);

const LISTENER: Token = Token {
    slot: u32::MAX,
    generation: 0,
};
const SIGNAL: Token = Token {
    slot: u32::MAX,
    generation: 1,
};

/// Runs until a signal ends it.
pub(crate) fn run(args: &OriginArgs) -> Result<(), LoadError> {
    let termination = Termination::block()?;
    affinity::raise_descriptor_limit();
    let tls = match args.tls.as_deref() {
        Some([certificate, key]) => Some(tls::server_config(certificate, key)?),
        _ => None,
    };
    let threads = usize::from(args.threads);
    let (listeners, address) = listen(args.listen, threads).map_err(LoadError::io("listen"))?;
    announce(address).map_err(LoadError::io("stdout"))?;
    let start = Instant::now();
    let workers: Vec<_> = listeners
        .into_iter()
        .zip(Counters::for_threads(threads))
        .collect();
    thread::scope(|scope| {
        let handles: Vec<_> = workers
            .into_iter()
            .enumerate()
            .map(|(index, (listener, counters))| {
                let (termination, tls) = (&termination, tls.clone());
                scope.spawn(move || {
                    if let Some(cpus) = &args.pin {
                        cpus.pin(index)?;
                    }
                    affinity::set_exact_timers()?;
                    let freeze = args.freeze.map(|length| Freeze {
                        length,
                        every: args.freeze_every.max(length),
                        next: start + args.freeze_every,
                    });
                    Server::new(listener, counters, tls, freeze, termination)
                        .and_then(|mut server| server.serve())
                        .map_err(LoadError::io("origin"))
                })
            })
            .collect();
        handles
            .into_iter()
            .try_for_each(|handle| handle.join().map_err(|_| LoadError::Thread)?)
    })
}

fn announce(address: SocketAddr) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "listening on {address}")?;
    stdout.flush()
}

/// One listener for each thread, all on the same address.
fn listen(address: SocketAddr, threads: usize) -> io::Result<(Vec<TcpListener>, SocketAddr)> {
    let mut address = address;
    let mut listeners = Vec::with_capacity(threads);
    for _ in 0..threads {
        let socket = socket2::Socket::new(
            socket2::Domain::for_address(address),
            socket2::Type::STREAM.nonblocking(),
            None,
        )?;
        socket.set_reuse_address(true)?;
        // Only where it is needed: it would let a second process take the port unnoticed.
        socket.set_reuse_port(threads > 1)?;
        // Accepted sockets inherit it.
        socket.set_tcp_nodelay(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from(socket);
        address = listener.local_addr()?;
        listeners.push(listener);
    }
    Ok((listeners, address))
}

/// When all stands still on purpose.
#[derive(Debug)]
struct Freeze {
    length: Duration,
    every: Duration,
    next: Instant,
}

/// One thread's loop.
struct Server<'a> {
    poller: Poller,
    listener: Option<TcpListener>,
    tls: Option<Arc<ServerConfig>>,
    counters: Counters,
    connections: Vec<Slot>,
    free: Vec<u32>,
    timers: BinaryHeap<Reverse<(Instant, u32, u32)>>,
    freeze: Option<Freeze>,
    scratch: Vec<u8>,
    date: DateField,
    termination: &'a Termination,
}

#[derive(Default)]
struct Slot {
    generation: u32,
    connection: Option<Connection>,
}

impl<'a> Server<'a> {
    fn new(
        listener: TcpListener,
        counters: Counters,
        tls: Option<Arc<ServerConfig>>,
        freeze: Option<Freeze>,
        termination: &'a Termination,
    ) -> io::Result<Self> {
        let poller = Poller::new()?;
        poller.add_readable(&listener, LISTENER)?;
        poller.add_readable(termination.as_fd(), SIGNAL)?;
        Ok(Self {
            poller,
            listener: Some(listener),
            tls,
            counters,
            connections: Vec::new(),
            free: Vec::new(),
            timers: BinaryHeap::new(),
            freeze,
            scratch: vec![0; SCRATCH_BYTES],
            date: DateField::new(),
            termination,
        })
    }

    fn serve(&mut self) -> io::Result<()> {
        loop {
            let timeout = self.time_to_next(Instant::now());
            let count = self.poller.wait(timeout)?;
            self.freeze_if_due();
            let now = Instant::now();
            self.date.update(now);
            for index in 0..count {
                let Some(event) = self.poller.event(index) else {
                    continue;
                };
                match event.token {
                    SIGNAL => return self.drain(),
                    LISTENER => self.accept(now),
                    token => self.on_event(token, event.closed, now),
                }
            }
            self.fire_timers(now);
        }
    }

    fn time_to_next(&self, now: Instant) -> Option<Duration> {
        let timer = self.timers.peek().map(|Reverse((at, _, _))| *at);
        let freeze = self.freeze.as_ref().map(|freeze| freeze.next);
        timer
            .into_iter()
            .chain(freeze)
            .min()
            .map(|at| at.saturating_duration_since(now))
    }

    fn freeze_if_due(&mut self) {
        if let Some(freeze) = self.freeze.as_mut() {
            let now = Instant::now();
            if now >= freeze.next {
                thread::sleep((freeze.next + freeze.length).saturating_duration_since(now));
                freeze.next += freeze.every;
            }
        }
    }

    fn accept(&mut self, now: Instant) {
        for _ in 0..ACCEPT_BATCH {
            let Some(listener) = &self.listener else {
                return;
            };
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            match rustix::net::accept_with(listener, flags) {
                Ok(socket) => self.admit(TcpStream::from(socket), now),
                Err(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE) => {
                    eprintln!("sallyport-load: no descriptors left, a client waits");
                    return thread::sleep(EXHAUSTED_PAUSE);
                }
                // Nobody there any more, or a client that gave up meanwhile.
                Err(_) => return,
            }
        }
    }

    fn admit(&mut self, socket: TcpStream, now: Instant) {
        self.counters.count_connection();
        let mut transport = Transport::plain(socket);
        if let Some(config) = &self.tls {
            // It fails only for a configuration that `server_config` would not have made.
            let Ok(session) = ServerConnection::new(Arc::clone(config)) else {
                return;
            };
            transport.start_tls(session.into());
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.connections.push(Slot::default());
            u32::try_from(self.connections.len() - 1).unwrap_or(u32::MAX)
        });
        let Some(entry) = self.connections.get_mut(slot as usize) else {
            return;
        };
        let token = Token {
            slot,
            generation: entry.generation,
        };
        if self
            .poller
            .add_connection(transport.socket(), token)
            .is_err()
        {
            return self.free.push(slot);
        }
        entry.connection = Some(Connection::new(transport));
        self.drive(token, now);
    }

    fn on_event(&mut self, token: Token, closed: bool, now: Instant) {
        if let Some(connection) = self.connection(token) {
            connection.on_event(closed);
            self.drive(token, now);
        }
    }

    fn connection(&mut self, token: Token) -> Option<&mut Connection> {
        let entry = self.connections.get_mut(token.slot as usize)?;
        entry
            .connection
            .as_mut()
            .filter(|_| entry.generation == token.generation)
    }

    fn drive(&mut self, token: Token, now: Instant) {
        let Some(entry) = self.connections.get_mut(token.slot as usize) else {
            return;
        };
        let Some(connection) = entry.connection.as_mut() else {
            return;
        };
        let mut context = Context {
            now,
            date: self.date.text(),
            counters: &self.counters,
            scratch: &mut self.scratch,
        };
        match connection.drive(&mut context) {
            Next::Ready => return,
            Next::At(at) => {
                return self
                    .timers
                    .push(Reverse((at, token.slot, token.generation)));
            }
            Next::Close => connection.close_notify(),
            Next::Reset => connection.reset_on_close(),
        }
        entry.connection = None;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(token.slot);
    }

    fn fire_timers(&mut self, now: Instant) {
        while let Some(&Reverse((at, slot, generation))) = self.timers.peek() {
            if at > now {
                return;
            }
            self.timers.pop();
            let token = Token { slot, generation };
            if self.connection(token).is_some() {
                self.drive(token, now);
            }
        }
    }

    /// No new connections; idle ones are closed, the others end what they are doing.
    fn drain(&mut self) -> io::Result<()> {
        self.listener = None;
        self.poller.remove(self.termination.as_fd())?;
        let deadline = Instant::now() + DRAIN_TIME;
        loop {
            for slot in &mut self.connections {
                if slot.connection.as_ref().is_some_and(Connection::is_idle) {
                    slot.connection = None;
                }
            }
            let now = Instant::now();
            if now >= deadline
                || self
                    .connections
                    .iter()
                    .all(|slot| slot.connection.is_none())
            {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(now);
            let timeout = self.time_to_next(now).map_or(left, |time| time.min(left));
            let count = self.poller.wait(Some(timeout))?;
            let now = Instant::now();
            for index in 0..count {
                if let Some(event) = self.poller.event(index) {
                    self.on_event(event.token, event.closed, now);
                }
            }
            self.fire_timers(now);
        }
    }
}

/// The `Date` field, rendered once a second.
struct DateField {
    text: String,
    valid_until: Instant,
}

impl DateField {
    fn new() -> Self {
        let mut field = Self {
            text: String::new(),
            valid_until: Instant::now(),
        };
        field.update(field.valid_until);
        field
    }

    fn update(&mut self, now: Instant) {
        if now >= self.valid_until {
            self.text = jiff::Timestamp::now()
                .strftime("%a, %d %b %Y %H:%M:%S GMT")
                .to_string();
            self.valid_until = now + Duration::from_secs(1);
        }
    }

    fn text(&self) -> &str {
        &self.text
    }
}
