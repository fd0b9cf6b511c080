//! Out of descriptors: what is idle is given up, new work is refused, and one message says so.

use std::cell::Cell;
use std::io;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use nix::libc::{EMFILE, ENFILE};

use crate::clock;
use crate::io::timer;

/// How often it is said while it lasts.
const TELL_INTERVAL: Duration = Duration::from_secs(10);
/// Idle connections that are closed at once, of each kind: an eighth of the clients', within these bounds.
const SHED_AT_ONCE: RangeInclusive<usize> = 4..=64;
/// What is closed is gone when its task has had its turn: that long it is waited for, in such steps.
const CLOSING: Duration = Duration::from_millis(500);
const CLOSING_LOOK: Duration = Duration::from_millis(5);

/// What one shard knows of its want of descriptors.
#[derive(Debug, Default)]
pub(crate) struct Exhaustion {
    told: Cell<Option<Instant>>,
    /// When something was last closed.
    closed_at: Cell<Option<Instant>>,
    shed: Cell<u64>,
    /// Connections that were answered with 503, or left waiting.
    refused: Cell<u64>,
}

/// Whether `error` says that there are no descriptors left, in the process or in the system.
pub(crate) fn is_want_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE))
}

/// Whether the process has none left now; for errors that do not say why.
pub(crate) fn has_no_descriptor() -> bool {
    std::fs::File::open("/dev/null").is_err_and(|error| is_want_of_descriptors(&error))
}

impl Exhaustion {
    /// How many idle connections of each kind are closed at once while there are `connections` of clients.
    pub(crate) fn shed_at_once(connections: usize) -> usize {
        let (low, high) = (*SHED_AT_ONCE.start(), *SHED_AT_ONCE.end());
        (connections / 8).clamp(low, high)
    }

    /// Notes that the shard of this index closed `shed` connections at `now`, where it has `connections` of
    /// clients. Returns once there is a descriptor; `false`: there was nothing to close.
    pub(crate) async fn closed(
        &self,
        (shard, connections): (usize, usize),
        shed: usize,
        now: Instant,
    ) -> bool {
        self.shed.set(self.shed.get() + shed as u64);
        self.tell(shard, connections);
        if shed > 0 {
            self.closed_at.set(Some(now));
        }
        // What somebody else has had closed a moment ago may be on its way still.
        while self
            .closed_at
            .get()
            .is_some_and(|at| clock::since(at) < CLOSING)
        {
            timer::sleep(CLOSING_LOOK).await;
            if !has_no_descriptor() {
                return true;
            }
        }
        false
    }

    /// Notes that there was nothing left to close for somebody.
    pub(crate) fn refused(&self) {
        self.refused.set(self.refused.get() + 1);
    }

    fn tell(&self, shard: usize, connections: usize) {
        let is_told = |told: Instant| clock::since(told) < TELL_INTERVAL;
        if self.told.get().is_some_and(is_told) {
            return;
        }
        self.told.set(Some(clock::now()));
        tracing::warn!(
            shard,
            connections,
            closed = self.shed.take(),
            refused = self.refused.take(),
            "cannot accept connections or make new ones for want of descriptors: idle ones are closed, \
             the rest of new work gets 503; raise the descriptor limit (ulimit -n) or lower \
             limits.connections"
        );
    }
}
