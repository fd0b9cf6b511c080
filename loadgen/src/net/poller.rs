//! Readiness by epoll. Connections are registered once, edge-triggered, for both directions: no
//! further system call per request. Time-outs have nanosecond resolution (`epoll_pwait2`).
//!
//! Knows nothing of what a token means. Used by the event loops of `worker` and `origin`.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

/// Most events taken in one wait.
const BATCH: usize = 256;

/// Names one registration: a slot and how often that slot was reused, so that an event of a socket
/// that was closed earlier in the same batch is not taken for one of its successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    /// Index of the slot.
    pub(crate) slot: u32,
    /// How often the slot was reused.
    pub(crate) generation: u32,
}

impl Token {
    fn pack(self) -> EventData {
        EventData::new_u64(u64::from(self.generation) << 32 | u64::from(self.slot))
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "each half is taken on purpose"
    )]
    fn unpack(data: EventData) -> Self {
        let raw = data.u64();
        Self {
            slot: raw as u32,
            generation: (raw >> 32) as u32,
        }
    }
}

/// What one event says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Readiness {
    /// Whose event it is.
    pub(crate) token: Token,
    /// Nothing more will come from the other end after what is buffered.
    pub(crate) closed: bool,
}

/// An epoll instance and room for a batch of its events.
pub(crate) struct Poller {
    epoll: OwnedFd,
    events: Vec<Event>,
}

impl std::fmt::Debug for Poller {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Poller")
            .field("epoll", &self.epoll)
            .finish_non_exhaustive()
    }
}

impl Poller {
    /// A new epoll instance.
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self {
            epoll,
            events: Vec::with_capacity(BATCH),
        })
    }

    /// Registers a connection for both directions, edge-triggered. Closing it takes it out again.
    pub(crate) fn add_connection(&self, socket: impl AsFd, token: Token) -> io::Result<()> {
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        Ok(epoll::add(&self.epoll, socket, token.pack(), flags)?)
    }

    /// Registers a listener or a signal descriptor: readable, level-triggered.
    pub(crate) fn add_readable(&self, source: impl AsFd, token: Token) -> io::Result<()> {
        Ok(epoll::add(
            &self.epoll,
            source,
            token.pack(),
            EventFlags::IN,
        )?)
    }

    /// Takes a source out again without closing it.
    pub(crate) fn remove(&self, source: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, source)?)
    }

    /// Waits for events, at most for `timeout`; returns how many there are.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        let timeout = timeout.map(|duration| Timespec {
            tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(duration.subsec_nanos()),
        });
        self.events.clear();
        match epoll::wait(
            &self.epoll,
            spare_capacity(&mut self.events),
            timeout.as_ref(),
        ) {
            Ok(_) => Ok(self.events.len()),
            Err(rustix::io::Errno::INTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Event `index` of the last wait.
    pub(crate) fn event(&self, index: usize) -> Option<Readiness> {
        let event = self.events.get(index)?;
        let flags = event.flags;
        Some(Readiness {
            token: Token::unpack(event.data),
            closed: flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR),
        })
    }
}
