//! One timing wheel per shard instead of a timer per operation.
//!
//! Arming and disarming a deadline is a store into a cell. A connection that overstays is cut by
//! shutting its socket down: the pending read or write then finishes by itself, so no I/O future
//! is ever dropped while data may be in flight (a dropped read loses what had just arrived).
//! The owner learns from [`Deadline::expired`] why its read ended. While nothing is to be cut, the
//! same deadline can wake its owner instead ([`Deadline::rest`]).
//!
//! The wheel is coarse ([`TICK`]) and lazy: an entry sits in the slot where it is next looked at,
//! at most [`SLOTS`] ticks ahead, and is put back when its deadline has moved.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::Shutdown;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use super::line::shut_down;

/// Resolution: a deadline is enforced at most this much late.
pub(crate) const TICK: Duration = Duration::from_millis(100);
const SLOTS: u64 = 32;
const NEVER: u64 = u64::MAX;

/// The wheel of one shard. The shard calls [`Wheel::advance`] every [`TICK`].
#[derive(Debug)]
pub(crate) struct Wheel {
    started: Instant,
    /// The last tick that was processed.
    now: Cell<u64>,
    slots: RefCell<Vec<Vec<Rc<Entry>>>>,
    /// Kept between calls so that a tick does not allocate.
    due: RefCell<Vec<Rc<Entry>>>,
    is_cut: Cell<bool>,
}

/// What can be cut like a socket and is none.
pub(crate) trait Cut: std::fmt::Debug {
    /// Ends one or both directions at once, also under a pending operation.
    fn cut(&self, how: Shutdown);
}

/// What a deadline cuts.
#[derive(Debug, Clone)]
enum Target {
    Descriptor(RawFd),
    Other(Rc<dyn Cut>),
}

impl Target {
    fn cut(&self, how: Shutdown) {
        match self {
            Self::Descriptor(descriptor) => shut_down(*descriptor, how),
            Self::Other(other) => other.cut(how),
        }
    }
}

#[derive(Debug)]
struct Entry {
    /// What to cut; `None` once it is gone.
    target: RefCell<Option<Target>>,
    /// Tick at which to fire, or [`NEVER`].
    at: Cell<u64>,
    /// Tick at which the wheel next looks at this entry, or [`NEVER`].
    looked_at: Cell<u64>,
    expired: Cell<bool>,
    /// What is done when it fires.
    firing: Cell<Firing>,
    /// Who rests.
    waker: RefCell<Option<Waker>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Firing {
    Cut(Shutdown),
    Wake,
}

/// A socket's deadline. Dropping it (before the socket closes) takes it off the wheel.
#[derive(Debug)]
pub(crate) struct Deadline {
    wheel: Rc<Wheel>,
    entry: Rc<Entry>,
}

impl Wheel {
    pub(crate) fn new(now: Instant) -> Rc<Self> {
        Rc::new(Self {
            started: now,
            now: Cell::new(0),
            slots: RefCell::new((0..SLOTS).map(|_| Vec::new()).collect()),
            due: RefCell::new(Vec::new()),
            is_cut: Cell::new(false),
        })
    }

    /// A deadline, not yet armed, for the socket behind `descriptor`.
    pub(crate) fn deadline(self: &Rc<Self>, descriptor: RawFd) -> Deadline {
        self.deadline_for(Target::Descriptor(descriptor))
    }

    /// The same for something that is no socket.
    pub(crate) fn deadline_of(self: &Rc<Self>, other: Rc<dyn Cut>) -> Deadline {
        self.deadline_for(Target::Other(other))
    }

    fn deadline_for(self: &Rc<Self>, target: Target) -> Deadline {
        let entry = Rc::new(Entry {
            target: RefCell::new(Some(target)),
            at: Cell::new(NEVER),
            looked_at: Cell::new(NEVER),
            expired: Cell::new(false),
            firing: Cell::new(Firing::Cut(Shutdown::Both)),
            waker: RefCell::new(None),
        });
        Deadline {
            wheel: Rc::clone(self),
            entry,
        }
    }

    /// Fires what is due at `now`.
    pub(crate) fn advance(&self, now: Instant) {
        let target = self.tick_of(now);
        // Tick by tick, however late the shard comes: what lies in a slot that was passed over would wait for
        // another round.
        while self.now.get() < target {
            let tick = self.now.get() + 1;
            self.now.set(tick);
            let mut due = self.due.take();
            if let Some(slot) = self.slots.borrow_mut().get_mut(slot_of(tick)) {
                std::mem::swap(slot, &mut due);
            }
            for entry in due.drain(..) {
                self.look_at(entry, tick);
            }
            self.due.replace(due);
        }
    }

    /// Whether everything was cut.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut.get()
    }

    /// Fires every armed deadline now.
    pub(crate) fn cut_all(&self) {
        self.is_cut.set(true);
        let slots = self.slots.borrow();
        for entry in slots.iter().flatten() {
            if entry.at.get() == NEVER {
                continue;
            }
            if let Some(target) = &*entry.target.borrow() {
                // Its owner takes an end that nobody has explained for the doing of the other side.
                entry.expired.set(true);
                target.cut(Shutdown::Both);
            }
        }
    }

    fn look_at(&self, entry: Rc<Entry>, tick: u64) {
        // An entry that was re-armed for an earlier tick left a stale copy behind.
        if entry.looked_at.get() != tick {
            return;
        }
        entry.looked_at.set(NEVER);
        let target = entry.target.borrow();
        let Some(target) = &*target else {
            return;
        };
        let at = entry.at.get();
        if at == NEVER {
            return;
        }
        if at > tick {
            self.enqueue(Rc::clone(&entry), at);
            return;
        }
        entry.at.set(NEVER);
        match entry.firing.get() {
            Firing::Cut(how) => {
                entry.expired.set(true);
                target.cut(how);
            }
            Firing::Wake => {
                if let Some(waker) = entry.waker.take() {
                    waker.wake();
                }
            }
        }
    }

    fn enqueue(&self, entry: Rc<Entry>, at: u64) {
        // Farther ahead than a round, its slot would be that of a nearer tick. What is due later is looked at on
        // the way.
        let tick = at.clamp(self.now.get() + 1, self.now.get() + SLOTS - 1);
        entry.looked_at.set(tick);
        if let Some(slot) = self.slots.borrow_mut().get_mut(slot_of(tick)) {
            slot.push(entry);
        }
    }

    fn tick_of(&self, at: Instant) -> u64 {
        let elapsed = at.saturating_duration_since(self.started);
        u64::try_from(elapsed.as_millis() / TICK.as_millis()).unwrap_or(NEVER - 1)
    }
}

impl Deadline {
    /// Cuts the socket `after` from the wheel's current tick, unless armed again or disarmed.
    pub(crate) fn arm(&self, after: Duration) {
        self.arm_to(after, Firing::Cut(Shutdown::Both));
    }

    /// The same for receiving only: something can still be said to whom has been too slow.
    pub(crate) fn arm_read(&self, after: Duration) {
        self.arm_to(after, Firing::Cut(Shutdown::Read));
    }

    /// Waits for `after` in place of whatever was armed, and cuts nothing. May be dropped; what is armed
    /// meanwhile takes its place, and the wait never ends.
    pub(crate) async fn rest(&self, after: Duration) {
        let _rest = Rest(&self.entry);
        self.arm_to(after, Firing::Wake);
        poll_fn(|context| {
            if self.entry.at.get() == NEVER {
                return Poll::Ready(());
            }
            let mut waker = self.entry.waker.borrow_mut();
            if !waker
                .as_ref()
                .is_some_and(|known| known.will_wake(context.waker()))
            {
                *waker = Some(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    fn arm_to(&self, after: Duration, firing: Firing) {
        self.entry.firing.set(firing);
        let ticks = u64::try_from(after.as_millis().div_ceil(TICK.as_millis()))
            .unwrap_or(NEVER - 1)
            .max(1);
        // The current tick has begun already: one more keeps "not before `after`".
        let at = self.wheel.now.get().saturating_add(ticks).saturating_add(1);
        let at = at.min(NEVER - 1);
        self.entry.at.set(at);
        // Most deadlines move to a later time again and again, and the wheel finds that out by itself when it looks
        // at the entry. Only one that has moved to an earlier time would be looked at too late.
        if self.entry.looked_at.get() > at {
            self.wheel.enqueue(Rc::clone(&self.entry), at);
        }
    }

    /// Lets the socket live.
    pub(crate) fn disarm(&self) {
        // The entry stays in its slot: taking it out would be a search, for each operation that ends in time.
        self.entry.at.set(NEVER);
    }

    /// Whether the wheel has cut this socket.
    pub(crate) fn expired(&self) -> bool {
        self.entry.expired.get()
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        // The wheel may hold the entry for a while, and the kernel gives the number of the descriptor to the next
        // connection.
        self.entry.target.replace(None);
        self.entry.at.set(NEVER);
    }
}

/// Somebody rests; whoever no longer does is not woken.
struct Rest<'a>(&'a Entry);

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        self.0.waker.replace(None);
        if self.0.firing.get() == Firing::Wake {
            self.0.at.set(NEVER);
        }
    }
}

fn slot_of(tick: u64) -> usize {
    usize::try_from(tick % SLOTS).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::task::{Context, Wake};

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let a = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (a, listener.accept().unwrap().0)
    }

    #[test]
    fn an_armed_deadline_cuts_the_socket_and_not_before() {
        let start = Instant::now();
        let wheel = Wheel::new(start);
        let (mut a, _b) = pair();
        let deadline = wheel.deadline(a.as_raw_fd());
        deadline.arm(Duration::from_secs(10));
        wheel.advance(start + Duration::from_millis(10_000));
        assert!(!deadline.expired());
        wheel.advance(start + Duration::from_millis(10_300));
        assert!(deadline.expired());
        assert_eq!(a.read(&mut [0; 8]).unwrap(), 0);
    }

    #[test]
    fn arming_again_moves_it_either_way() {
        let start = Instant::now();
        let wheel = Wheel::new(start);
        let (a, b) = pair();
        let later = wheel.deadline(a.as_raw_fd());
        later.arm(Duration::from_secs(1));
        later.arm(Duration::from_secs(60));
        let sooner = wheel.deadline(b.as_raw_fd());
        sooner.arm(Duration::from_secs(60));
        sooner.arm(Duration::from_secs(1));
        wheel.advance(start + Duration::from_secs(2));
        assert!(!later.expired());
        assert!(sooner.expired());
        wheel.advance(start + Duration::from_secs(59));
        assert!(!later.expired());
        wheel.advance(start + Duration::from_secs(61));
        assert!(later.expired());
    }

    #[test]
    fn who_rests_is_woken_and_keeps_the_socket() {
        let start = Instant::now();
        let wheel = Wheel::new(start);
        let (a, mut b) = pair();
        let deadline = wheel.deadline(a.as_raw_fd());
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        {
            let mut rest = pin!(deadline.rest(Duration::from_secs(1)));
            assert!(rest.as_mut().poll(&mut context).is_pending());
            wheel.advance(start + Duration::from_millis(1000));
            assert_eq!(woken.0.load(Relaxed), 0);
            assert!(rest.as_mut().poll(&mut context).is_pending());
            wheel.advance(start + Duration::from_millis(1300));
            assert_eq!(woken.0.load(Relaxed), 1);
            assert!(rest.as_mut().poll(&mut context).is_ready());
        }
        {
            let mut dropped = pin!(deadline.rest(Duration::from_secs(1)));
            assert!(dropped.as_mut().poll(&mut context).is_pending());
        }
        wheel.advance(start + Duration::from_secs(9));
        assert_eq!(woken.0.load(Relaxed), 1);
        assert!(!deadline.expired());
        (&a).write_all(b"still open").unwrap();
        assert_eq!(b.read(&mut [0; 16]).unwrap(), 10);
    }

    #[test]
    fn what_is_armed_outlives_a_rest_that_is_given_up() {
        let start = Instant::now();
        let wheel = Wheel::new(start);
        let (a, _b) = pair();
        let deadline = wheel.deadline(a.as_raw_fd());
        let mut context = Context::from_waker(Waker::noop());
        {
            let mut rest = pin!(deadline.rest(Duration::from_secs(1)));
            assert!(rest.as_mut().poll(&mut context).is_pending());
            deadline.arm(Duration::from_secs(5));
        }
        wheel.advance(start + Duration::from_secs(4));
        assert!(!deadline.expired());
        wheel.advance(start + Duration::from_secs(6));
        assert!(deadline.expired());
    }

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn disarmed_and_dropped_deadlines_never_fire() {
        let start = Instant::now();
        let wheel = Wheel::new(start);
        let (a, b) = pair();
        let disarmed = wheel.deadline(a.as_raw_fd());
        disarmed.arm(Duration::from_secs(1));
        disarmed.disarm();
        let dropped = wheel.deadline(b.as_raw_fd());
        dropped.arm(Duration::from_secs(1));
        let entry = Rc::clone(&dropped.entry);
        drop(dropped);
        wheel.advance(start + Duration::from_secs(10));
        assert!(!disarmed.expired());
        assert!(!entry.expired.get());
        assert_eq!(Rc::strong_count(&entry), 1);
    }
}
