//! Connections in memory: what is sent is under way until a chance has some of it arrive.
//!
//! The two ends behave as those of TCP: each direction ends by itself, what is sent to who has closed is
//! answered with a reset, and so is a close before everything was read.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::os::fd::RawFd;
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};

use super::World;
use super::end::{End, Receiving, Sending, State};

/// Numbers from here on are no descriptors of the kernel.
const NUMBERS_BEGIN: RawFd = 1 << 30;

/// What is done with the other end of a connection.
pub(crate) type Accept = Rc<dyn Fn(&World, End)>;

/// What becomes of an attempt to connect.
#[derive(Clone)]
pub(crate) enum Answer {
    /// Whoever accepts it is given the other end.
    Accept(Accept),
    Refuse,
    /// Nobody answers, ever.
    Silence,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accept(_) => "Accept",
            Self::Refuse => "Refuse",
            Self::Silence => "Silence",
        })
    }
}

/// Something that can happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Event {
    /// Some of what is under way arrives; the number of the end that it leaves.
    Arrival(RawFd),
    /// The word that nothing more comes arrives.
    Finish(RawFd),
    /// The word that the connection is no more arrives.
    Reset(RawFd),
    /// An attempt to connect is answered.
    Connect(u64),
}

/// All connections of a world.
#[derive(Debug, Default)]
pub(super) struct Network {
    pub(super) ends: RefCell<BTreeMap<RawFd, Rc<State>>>,
    next_number: Cell<RawFd>,
    listening: RefCell<BTreeMap<IpAddr, Answer>>,
    attempts: RefCell<BTreeMap<u64, Weak<Attempt>>>,
    next_attempt: Cell<u64>,
}

#[derive(Debug)]
struct Attempt {
    to: SocketAddr,
    outcome: RefCell<Option<io::Result<End>>>,
    waker: RefCell<Option<Waker>>,
}

impl Network {
    pub(super) fn listen(&self, address: IpAddr, answer: Answer) {
        self.listening.borrow_mut().insert(address, answer);
    }

    pub(super) fn connection(&self) -> (End, End) {
        let first = NUMBERS_BEGIN + self.next_number.get();
        self.next_number.set(self.next_number.get() + 2);
        let [a, b] = [(first, first + 1), (first + 1, first)].map(|(number, peer)| {
            let state = Rc::new(State {
                number,
                peer,
                under_way: RefCell::default(),
                arrived: RefCell::default(),
                sends: Cell::new(Sending::Open),
                resets: Cell::new(false),
                receives: Cell::new(Receiving::Open),
                error: Cell::new(None),
                resets_when_dropped: Cell::new(false),
                is_closed: Cell::new(false),
                acknowledged: Cell::new(0),
                wakers: RefCell::default(),
            });
            self.ends.borrow_mut().insert(number, Rc::clone(&state));
            End(state)
        });
        (a, b)
    }

    /// Each end, and how it stands.
    pub(super) fn ends(&self) -> Vec<String> {
        let tell = |end: &Rc<State>| {
            format!(
                "{}: {} bytes under way, {} arrived, {:?}, {:?}{}",
                end.number - NUMBERS_BEGIN,
                end.under_way.borrow().len(),
                end.arrived.borrow().len(),
                end.sends.get(),
                end.receives.get(),
                if end.is_closed.get() { ", closed" } else { "" }
            )
        };
        self.ends.borrow().values().map(tell).collect()
    }

    /// What can happen now.
    pub(super) fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for (number, end) in &*self.ends.borrow() {
            if end.resets.get() {
                events.push(Event::Reset(*number));
            } else if !end.under_way.borrow().is_empty() {
                events.push(Event::Arrival(*number));
            } else if end.sends.get() == Sending::Finishing {
                events.push(Event::Finish(*number));
            }
        }
        let attempts = self.attempts.borrow();
        let is_answered = |attempt: &Weak<Attempt>| {
            let attempt = attempt.upgrade();
            attempt.is_some_and(|attempt| !matches!(self.answer(attempt.to), Answer::Silence))
        };
        let answered = attempts.iter().filter(|(_, attempt)| is_answered(attempt));
        events.extend(answered.map(|(number, _)| Event::Connect(*number)));
        events
    }

    fn answer(&self, to: SocketAddr) -> Answer {
        let answer = self.listening.borrow().get(&to.ip()).cloned();
        answer.unwrap_or(Answer::Refuse)
    }

    /// Has `event` happen; says how many bytes it moved.
    pub(super) fn happen(&self, event: &Event, world: &World) -> usize {
        let number = match event {
            Event::Connect(number) => {
                self.answer_attempt(*number, world);
                return 0;
            }
            Event::Arrival(number) | Event::Finish(number) | Event::Reset(number) => *number,
        };
        let find = |number: RawFd| self.ends.borrow().get(&number).cloned();
        let Some(sender) = find(number) else {
            return 0;
        };
        let Some(receiver) = find(sender.peer) else {
            // The other side is gone, and forgotten: what comes there is answered with a reset.
            sender.under_way.borrow_mut().clear();
            sender.resets.set(false);
            sender.sends.set(Sending::Finished);
            if matches!(event, Event::Arrival(_)) {
                sender.is_reset_by(world);
            }
            sender.wake();
            self.forget(&sender);
            return 0;
        };
        let bytes = match event {
            Event::Arrival(_) => arrive(&sender, &receiver, world),
            Event::Finish(_) => {
                sender.sends.set(Sending::Finished);
                if receiver.receives.get() == Receiving::Open {
                    receiver.receives.set(Receiving::Finished);
                }
                0
            }
            _ => {
                sender.resets.set(false);
                receiver.is_reset_by(world);
                0
            }
        };
        sender.wake();
        receiver.wake();
        self.forget(&sender);
        self.forget(&receiver);
        bytes
    }

    /// Forgets an end that nobody has and from which nothing is under way.
    pub(super) fn forget(&self, end: &State) {
        let is_silent = end.under_way.borrow().is_empty()
            && end.sends.get() == Sending::Finished
            && !end.resets.get();
        if end.is_closed.get() && is_silent {
            self.ends.borrow_mut().remove(&end.number);
        }
    }

    fn answer_attempt(&self, number: u64, world: &World) {
        let attempt = self.attempts.borrow_mut().remove(&number);
        let Some(attempt) = attempt.and_then(|attempt| attempt.upgrade()) else {
            return;
        };
        let outcome = match self.answer(attempt.to) {
            Answer::Accept(accept) => {
                let (ours, theirs) = self.connection();
                accept(world, theirs);
                Ok(ours)
            }
            Answer::Refuse | Answer::Silence => Err(io::ErrorKind::ConnectionRefused.into()),
        };
        attempt.outcome.replace(Some(outcome));
        if let Some(waker) = attempt.waker.take() {
            waker.wake();
        }
    }

    /// Connects to `to`. May be dropped.
    pub(super) async fn connect(&self, to: SocketAddr) -> io::Result<End> {
        let attempt = Rc::new(Attempt {
            to,
            outcome: RefCell::default(),
            waker: RefCell::default(),
        });
        let number = self.next_attempt.get();
        self.next_attempt.set(number + 1);
        self.attempts
            .borrow_mut()
            .insert(number, Rc::downgrade(&attempt));
        poll_fn(|context| match attempt.outcome.take() {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                attempt.waker.replace(Some(context.waker().clone()));
                Poll::Pending
            }
        })
        .await
    }

    /// Shuts the connection of this number down, should there be one.
    pub(super) fn shut_down(&self, number: RawFd, how: Shutdown) {
        let end = self.ends.borrow().get(&number).cloned();
        if let Some(end) = end {
            end.shut_down(how);
        }
    }
}

/// Some bytes arrive, as many as a chance says.
fn arrive(sender: &State, receiver: &State, world: &World) -> usize {
    let under_way = &mut *sender.under_way.borrow_mut();
    let bytes = match world.below(4) {
        0 => 1,
        1 => 1 + world.below(under_way.len()),
        _ => under_way.len(),
    };
    if receiver.is_closed.get() {
        // Nobody is there to read it.
        under_way.clear();
        receiver.resets.set(true);
        return 0;
    }
    let some = under_way.drain(..bytes);
    match receiver.receives.get() {
        Receiving::Open => receiver.arrived.borrow_mut().extend(some),
        Receiving::Finished | Receiving::Unwanted | Receiving::Reset => drop(some),
    }
    sender
        .acknowledged
        .set(sender.acknowledged.get() + bytes as u64);
    bytes
}
