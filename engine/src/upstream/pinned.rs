//! Connections to origins that belong to one client connection.
//!
//! NTLM and its like authenticate a connection, so what was spoken on it serves nobody else: it is kept
//! here instead of in the pool, takes one exchange after the other, and is closed with its client's
//! connection (RFC 4559 section 6). Streams of an HTTP/2 client wait for each other, and while the
//! origin waits for the next message of a handshake, for that one. Does no I/O.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use super::pool::UpstreamConnection;
use crate::clock;
use crate::fair_share::FairShare;
use crate::io::timer;
use crate::limits::{PINNED_PER_CLIENT_MAX, PINNED_PER_SHARD_MAX, SESSION_AUTH_PAUSE_MAX};
use crate::shard::clients::{Account, Resource, Shared, Slot};

/// The origin that a connection leads to, as TLS speaks to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PinKey<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    /// The parameters of TLS (`OriginParameters::id`), if it is spoken.
    pub(crate) tls: Option<u64>,
}

/// What a request asks of the connection that it goes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    /// It authenticates the connection, which is then nobody else's.
    pub(crate) authenticates: bool,
    /// Should a handshake be under way, this is what comes next in it.
    pub(crate) is_next: bool,
}

/// How the origin left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// It asks for nothing of that kind.
    None,
    /// It would take such a handshake.
    Offered,
    /// It waits for the next message of one.
    Open,
}

/// Whose pinned connections they are, and what of all of a shard they may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner<'a> {
    pub(crate) account: &'a Rc<Account>,
    pub(crate) share: FairShare,
}

impl Owner<'_> {
    fn slot(&self) -> Option<Slot> {
        let shared = Shared {
            key: "pinned connections",
            capacity: PINNED_PER_SHARD_MAX,
            share: self.share,
        };
        self.account.open_shared(Resource::Pinned, shared).ok()
    }
}

/// The pinned connections of one client connection, the one that was used last at the end.
#[derive(Debug, Default)]
pub(crate) struct Pins(RefCell<Vec<Rc<Pin>>>);

#[derive(Debug)]
struct Pin {
    host: Box<str>,
    port: u16,
    tls: Option<u64>,
    state: RefCell<State>,
    waiting: RefCell<Vec<Waker>>,
    /// None: it is for one exchange only.
    _slot: Option<Slot>,
}

#[derive(Debug)]
enum State {
    /// An exchange goes on.
    Busy,
    Idle(Box<UpstreamConnection>),
    /// The origin waits for the next message of a handshake, since then.
    Challenged(Box<UpstreamConnection>, Instant),
}

/// The right to the pinned connection of one origin, for one exchange.
#[derive(Debug)]
pub(crate) struct Held {
    pins: Rc<Pins>,
    pin: Rc<Pin>,
    connection: Option<Box<UpstreamConnection>>,
}

impl Pin {
    fn new(key: PinKey<'_>, state: State, slot: Option<Slot>) -> Rc<Self> {
        Rc::new(Self {
            host: key.host.into(),
            port: key.port,
            tls: key.tls,
            state: RefCell::new(state),
            waiting: RefCell::default(),
            _slot: slot,
        })
    }

    fn key(&self) -> PinKey<'_> {
        PinKey {
            host: &self.host,
            port: self.port,
            tls: self.tls,
        }
    }

    fn is_busy(&self) -> bool {
        matches!(*self.state.borrow(), State::Busy)
    }

    /// Takes the connection, if it is this request's turn.
    fn take(&self, claim: Claim, now: Instant) -> Option<Box<UpstreamConnection>> {
        let mut state = self.state.borrow_mut();
        let may = match &*state {
            State::Busy => false,
            State::Idle(_) => true,
            State::Challenged(_, since) => {
                let pause = now.saturating_duration_since(*since);
                claim.is_next || pause >= SESSION_AUTH_PAUSE_MAX
            }
        };
        if !may {
            return None;
        }
        match std::mem::replace(&mut *state, State::Busy) {
            State::Idle(connection) | State::Challenged(connection, _) => Some(connection),
            State::Busy => None,
        }
    }

    fn wake(&self) {
        for waker in self.waiting.take() {
            waker.wake();
        }
    }

    /// Waits until something has happened to it.
    async fn changed(&self) {
        let mut waits = false;
        poll_fn(|context| {
            if std::mem::replace(&mut waits, true) {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// How long a request waits at most before it looks again.
    fn patience(&self) -> Duration {
        match &*self.state.borrow() {
            State::Challenged(_, since) => {
                SESSION_AUTH_PAUSE_MAX.saturating_sub(clock::since(*since))
            }
            _ => Duration::MAX,
        }
    }
}

impl Pins {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// The right to the connection of `key` once it is this request's turn; `None` if the request has
    /// no need of one. May be dropped.
    pub(crate) async fn enter(
        self: &Rc<Self>,
        key: PinKey<'_>,
        claim: Claim,
        owner: Owner<'_>,
    ) -> Option<Held> {
        loop {
            let Some(pin) = self.find(key) else {
                return claim.authenticates.then(|| self.begin(key, owner));
            };
            if let Some(connection) = pin.take(claim, clock::now()) {
                self.move_to_end(&pin);
                return Some(Held {
                    pins: Rc::clone(self),
                    pin,
                    connection: Some(connection),
                });
            }
            match pin.patience() {
                Duration::MAX => pin.changed().await,
                patience => drop(timer::timeout(patience, pin.changed()).await),
            }
        }
    }

    /// Keeps a connection on which an origin has offered such a handshake.
    pub(crate) fn keep(
        &self,
        key: PinKey<'_>,
        connection: Box<UpstreamConnection>,
        owner: Owner<'_>,
    ) {
        if self.find(key).is_some() {
            return;
        }
        if let Some(slot) = self.room(owner) {
            connection.transport.disarm();
            let pin = Pin::new(key, State::Idle(connection), Some(slot));
            self.0.borrow_mut().push(pin);
        }
    }

    fn find(&self, key: PinKey<'_>) -> Option<Rc<Pin>> {
        let pins = self.0.borrow();
        pins.iter().find(|pin| pin.key() == key).map(Rc::clone)
    }

    /// The right to a connection that is still to be made. Without room it is for one exchange only.
    fn begin(self: &Rc<Self>, key: PinKey<'_>, owner: Owner<'_>) -> Held {
        let slot = self.room(owner);
        let has_room = slot.is_some();
        let pin = Pin::new(key, State::Busy, slot);
        if has_room {
            self.0.borrow_mut().push(Rc::clone(&pin));
        }
        Held {
            pins: Rc::clone(self),
            pin,
            connection: None,
        }
    }

    /// Room for one more, if need be in place of the one that was used least recently.
    fn room(&self, owner: Owner<'_>) -> Option<Slot> {
        if self.0.borrow().len() >= PINNED_PER_CLIENT_MAX {
            self.close_oldest()?;
        }
        owner.slot().or_else(|| {
            self.close_oldest()?;
            owner.slot()
        })
    }

    fn close_oldest(&self) -> Option<()> {
        let mut pins = self.0.borrow_mut();
        let oldest = pins.iter().position(|pin| !pin.is_busy())?;
        let oldest = pins.remove(oldest);
        drop(pins);
        oldest.wake();
        Some(())
    }

    fn move_to_end(&self, pin: &Rc<Pin>) {
        let mut pins = self.0.borrow_mut();
        if let Some(at) = pins.iter().position(|other| Rc::ptr_eq(other, pin)) {
            let pin = pins.remove(at);
            pins.push(pin);
        }
    }

    fn remove(&self, pin: &Rc<Pin>) -> bool {
        let mut pins = self.0.borrow_mut();
        let at = pins.iter().position(|other| Rc::ptr_eq(other, pin));
        at.map(|at| pins.remove(at)).is_some()
    }

    fn holds(&self, pin: &Rc<Pin>) -> bool {
        let pins = self.0.borrow();
        pins.iter().any(|other| Rc::ptr_eq(other, pin))
    }
}

impl Held {
    /// The connection, if there is one that `fits`; any other is closed.
    pub(crate) fn take(
        &mut self,
        fits: impl Fn(&UpstreamConnection) -> bool,
    ) -> Option<Box<UpstreamConnection>> {
        self.connection.take().filter(|connection| fits(connection))
    }

    /// Gives the connection back after an exchange.
    pub(crate) fn keep(self, connection: Box<UpstreamConnection>, challenge: Challenge) {
        if !self.pins.holds(&self.pin) {
            return;
        }
        connection.transport.disarm();
        let state = match challenge {
            Challenge::Open => State::Challenged(connection, clock::now()),
            Challenge::None | Challenge::Offered => State::Idle(connection),
        };
        self.pin.state.replace(state);
    }
}

impl Drop for Held {
    /// A connection that was not given back is gone; those who wait for it look again.
    fn drop(&mut self) {
        if self.pin.is_busy() {
            self.pins.remove(&self.pin);
        }
        self.pin.wake();
    }
}
