//! The shard's stub resolver: `sallyport_dns` decides, the sockets are here.
//!
//! Each query has a UDP socket of its own with a port that the kernel chose at random, or a TCP
//! connection; one task per query and one timer task while lookups are in flight.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use monoio::io::{AsyncReadRentExt, AsyncWriteRentExt};
use monoio::net::TcpStream;
use monoio::net::udp::UdpSocket;
use monoio::utils::is_legacy;
use sallyport_dns::{
    Addresses, DnsError, Held, Lookup, LookupId, MessageOutcome, QueryId, Resolver as StubResolver,
    ResolverConfig, Transmit, Transport,
};
use thiserror::Error;

use crate::clock;
use crate::fair_share::FairShare;
use crate::hashing::MapHasher;
use crate::io::task;
use crate::io::timer;
use crate::shard::clients::{Account, Limited, Resource, Shared};

/// A UDP answer fits: more than any EDNS payload that is announced.
const UDP_MESSAGE_BYTES: usize = 4096;

/// How often is looked whether a server refused a query, where nobody tells.
const REFUSAL_POLL: Duration = Duration::from_millis(20);

/// The resolver of one shard.
#[derive(Debug)]
pub(crate) struct Resolver {
    lookups_max: usize,
    stub: RefCell<StubResolver>,
    waiting: RefCell<HashMap<LookupId, Waiting, MapHasher>>,
    timer_runs: Cell<bool>,
    /// Every query panics.
    #[cfg(test)]
    panics: Cell<bool>,
}

/// Why a name could not be resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum ResolveError {
    #[error("{0}")]
    Dns(#[from] DnsError),
    /// It was not asked for.
    #[error("{}", .0.detail())]
    Limited(Limited),
}

impl From<Limited> for ResolveError {
    fn from(limited: Limited) -> Self {
        Self::Limited(limited)
    }
}

/// Those who wait for one lookup.
#[derive(Debug, Default)]
struct Waiting {
    wakers: Vec<Waker>,
    waiters: usize,
    result: Option<Result<Addresses, DnsError>>,
}

impl Resolver {
    pub(crate) fn new(config: ResolverConfig, seed: [u8; 32]) -> Rc<Self> {
        Rc::new(Self {
            lookups_max: config.lookups_in_flight_max,
            stub: RefCell::new(StubResolver::new(config, seed)),
            waiting: RefCell::default(),
            timer_runs: Cell::new(false),
            #[cfg(test)]
            panics: Cell::new(false),
        })
    }

    /// What it has counted since it was made.
    pub(crate) fn counters(&self) -> sallyport_dns::Counters {
        self.stub.borrow().counters()
    }

    /// The addresses of `name` (in normal form), at once if they are known. A lookup that has to begin
    /// counts for the client who asks until it is over.
    pub(crate) async fn resolve(
        self: &Rc<Self>,
        name: &str,
        account: &Rc<Account>,
        share: FairShare,
        now: Instant,
    ) -> Result<Addresses, ResolveError> {
        let shared = Shared {
            key: "dns.lookups_in_flight",
            capacity: self.lookups_max,
            share,
        };
        let mut limited = Limited::Shard(shared.key);
        let leave = || {
            let slot = account.open_shared(Resource::Lookup, shared);
            let slot = slot.map_err(|why| limited = why).ok()?;
            Some(Box::new(slot) as Held)
        };
        let lookup = self.stub.borrow_mut().lookup_if(name, now, leave);
        match lookup {
            Lookup::Answer(addresses) => Ok(addresses),
            Lookup::Failed(DnsError::TooManyLookups) => Err(limited.into()),
            Lookup::Failed(error) => Err(error.into()),
            Lookup::Pending(id) => {
                self.waiting.borrow_mut().entry(id).or_default().waiters += 1;
                let ticket = Ticket { resolver: self, id };
                self.turn();
                Ok(ticket.result().await?)
            }
        }
    }

    /// Sends what is to be sent, wakes who has an answer, keeps the timer running.
    fn turn(self: &Rc<Self>) {
        while let Some(transmit) = {
            let mut stub = self.stub.borrow_mut();
            stub.next_transmit(clock::now())
        } {
            let (resolver, afterwards) = (Rc::clone(self), Rc::clone(self));
            let query = transmit.query;
            let asking = async move { resolver.ask(transmit).await };
            task::spawn("a DNS query", asking, move || {
                afterwards.after_panic(Some(query));
            });
        }
        while let Some((id, result)) = {
            let mut stub = self.stub.borrow_mut();
            stub.finished()
        } {
            if let Some(waiting) = self.waiting.borrow_mut().get_mut(&id) {
                waiting.result = Some(result);
                waiting.wakers.drain(..).for_each(Waker::wake);
            }
        }
        if !self.timer_runs.get() && self.stub.borrow().next_deadline().is_some() {
            self.timer_runs.set(true);
            let (resolver, afterwards) = (Rc::clone(self), Rc::clone(self));
            let running = async move { resolver.run_timer().await };
            task::spawn("the timer of DNS queries", running, move || {
                afterwards.timer_runs.set(false);
                afterwards.after_panic(None);
            });
        }
    }

    /// A task has panicked: what it asked is as if nobody had answered. Where that cannot be said any more,
    /// all who wait are told that there is nothing to wait for.
    fn after_panic(self: &Rc<Self>, query: Option<QueryId>) {
        let went_on = catch_unwind(AssertUnwindSafe(|| {
            if let Some(query) = query {
                self.stub
                    .borrow_mut()
                    .on_transport_error(query, clock::now());
                self.turn();
            }
        }));
        if query.is_some() && went_on.is_ok() {
            return;
        }
        for waiting in self.waiting.borrow_mut().values_mut() {
            waiting.result.get_or_insert(Err(DnsError::ServerFailure));
            waiting.wakers.drain(..).for_each(Waker::wake);
        }
    }

    /// Runs as long as anything is in flight.
    async fn run_timer(self: Rc<Self>) {
        /// A lookup that begins later may have an earlier deadline: look again at least this often.
        const LOOK_AGAIN: Duration = Duration::from_millis(20);
        loop {
            let Some(deadline) = self.stub.borrow().next_deadline() else {
                break;
            };
            let wait = deadline.saturating_duration_since(clock::now());
            if !wait.is_zero() {
                timer::sleep(wait.min(LOOK_AGAIN)).await;
                continue;
            }
            self.stub.borrow_mut().on_deadline(clock::now());
            self.turn();
        }
        self.timer_runs.set(false);
    }

    /// One query from its socket to its answer.
    async fn ask(self: Rc<Self>, transmit: Transmit) {
        #[cfg(test)]
        assert!(!self.panics.get(), "as the test wants it");
        let query = transmit.query;
        let time = transmit.deadline.saturating_duration_since(clock::now());
        let exchange = async {
            match transmit.transport {
                Transport::Udp => self.ask_udp(transmit).await,
                Transport::Tcp => self.ask_tcp(transmit).await,
            }
        };
        // A read that is dropped may lose a datagram: one that came too late to matter.
        let outcome = timer::timeout(time, exchange).await;
        if matches!(outcome, Ok(Err(_))) {
            self.stub
                .borrow_mut()
                .on_transport_error(query, clock::now());
        } else {
            self.stub.borrow_mut().on_deadline(clock::now());
        }
        self.turn();
    }

    async fn ask_udp(&self, transmit: Transmit) -> io::Result<()> {
        let socket = std::net::UdpSocket::bind(any_port(transmit.server))?;
        socket.set_nonblocking(is_legacy())?;
        let refusals = is_legacy().then(|| socket.try_clone()).transpose()?;
        let socket = UdpSocket::from_std(socket)?;
        socket.connect(transmit.server).await?;
        socket.send(transmit.message).await.0?;
        let mut buffer = Vec::with_capacity(UDP_MESSAGE_BYTES);
        loop {
            let receiving = pin!(socket.recv(buffer));
            let (result, message) = match &refusals {
                None => receiving.await,
                Some(refusals) => unless_refused(receiving, refusals).await?,
            };
            let bytes = result?;
            if self.is_settled(transmit.query, message.get(..bytes).unwrap_or_default()) {
                return Ok(());
            }
            buffer = message;
            buffer.clear();
        }
    }

    /// RFC 7766: the message is preceded by its length.
    async fn ask_tcp(&self, transmit: Transmit) -> io::Result<()> {
        let mut stream = TcpStream::connect_addr(transmit.server).await?;
        let length = u16::try_from(transmit.message.len()).map_err(io::Error::other)?;
        let mut framed = length.to_be_bytes().to_vec();
        framed.extend_from_slice(&transmit.message);
        stream.write_all(framed).await.0?;
        loop {
            let (result, length) = stream.read_exact(Box::new([0; 2])).await;
            result?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (result, message) = stream.read_exact(vec![0; length]).await;
            result?;
            if self.is_settled(transmit.query, &message) {
                return Ok(());
            }
        }
    }

    fn is_settled(&self, query: QueryId, message: &[u8]) -> bool {
        let outcome = self
            .stub
            .borrow_mut()
            .on_message(query, message, clock::now());
        outcome != MessageOutcome::Ignored
    }
}

/// Awaits `receiving`. With epoll it never learns that the server's machine refused what was sent (ICMP), as
/// nothing can be read then: so that is asked for.
async fn unless_refused<T>(
    mut receiving: Pin<&mut impl Future<Output = T>>,
    socket: &std::net::UdpSocket,
) -> io::Result<T> {
    loop {
        if let Ok(received) = timer::timeout(REFUSAL_POLL, receiving.as_mut()).await {
            return Ok(received);
        }
        if let Some(refusal) = socket.take_error()? {
            return Err(refusal);
        }
    }
}

fn any_port(server: SocketAddr) -> SocketAddr {
    let any = match server.ip() {
        IpAddr::V4(_) => IpAddr::from([0; 4]),
        IpAddr::V6(_) => IpAddr::from([0; 16]),
    };
    SocketAddr::new(any, 0)
}

/// One who waits; leaves the queue also when dropped.
struct Ticket<'a> {
    resolver: &'a Resolver,
    id: LookupId,
}

impl Ticket<'_> {
    fn result(&self) -> impl Future<Output = Result<Addresses, DnsError>> {
        poll_fn(|context| {
            let mut table = self.resolver.waiting.borrow_mut();
            let Some(waiting) = table.get_mut(&self.id) else {
                return Poll::Ready(Err(DnsError::ServerFailure));
            };
            match &waiting.result {
                Some(result) => Poll::Ready(result.clone()),
                None => {
                    waiting.wakers.push(context.waker().clone());
                    Poll::Pending
                }
            }
        })
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut table = self.resolver.waiting.borrow_mut();
        if let Some(waiting) = table.get_mut(&self.id) {
            waiting.waiters -= 1;
            if waiting.waiters == 0 {
                table.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use monoio::{LegacyDriver, RuntimeBuilder};

    use super::*;

    /// Whatever panics, a lookup comes to an end.
    #[test]
    fn a_panic_tells_those_who_wait() {
        let mut runtime = RuntimeBuilder::<LegacyDriver>::new()
            .enable_timer()
            .build()
            .unwrap();
        runtime.block_on(async {
            for is_timer in [false, true] {
                let config = ResolverConfig {
                    servers: vec![SocketAddr::from(([127, 0, 0, 1], 9))],
                    ..ResolverConfig::default()
                };
                let resolver = Resolver::new(config, [1; 32]);
                resolver.panics.set(!is_timer);
                let lookup = resolver.stub.borrow_mut().lookup("a.test", Instant::now());
                let Lookup::Pending(id) = lookup else {
                    panic!("nobody has answered yet");
                };
                resolver.waiting.borrow_mut().entry(id).or_default().waiters += 1;
                let ticket = Ticket {
                    resolver: &resolver,
                    id,
                };
                match is_timer {
                    false => resolver.turn(),
                    true => resolver.after_panic(None),
                }
                let told = monoio::time::timeout(Duration::from_secs(20), ticket.result()).await;
                assert!(told.expect("told").is_err());
            }
        });
    }
}
