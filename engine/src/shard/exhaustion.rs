//! Out of descriptors: what is idle is given up, new work is refused, and one message says so.

use std::cell::Cell;
use std::io;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use nix::libc::{EMFILE, ENFILE};

use super::Shard;
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

impl Shard {
    /// Closes some idle connections: those to origins, which can be made again, and those of clients that
    /// wait for nothing. Returns once there is a descriptor; `false`: there is nothing to close.
    pub(crate) async fn make_descriptors(&self) -> bool {
        let now = Instant::now();
        let (low, high) = (*SHED_AT_ONCE.start(), *SHED_AT_ONCE.end());
        let most = (self.connections.count() / 8).clamp(low, high);
        let pooled = self.pool.borrow_mut().shed(most, now);
        let shed = pooled + self.connections.shed_idle(most);
        let Exhaustion {
            closed_at,
            shed: total,
            ..
        } = &self.exhaustion;
        total.set(total.get() + shed as u64);
        self.tell_exhaustion();
        if shed > 0 {
            closed_at.set(Some(now));
        }
        // What somebody else has had closed a moment ago may be on its way still.
        while closed_at.get().is_some_and(|at| at.elapsed() < CLOSING) {
            timer::sleep(CLOSING_LOOK).await;
            if !has_no_descriptor() {
                return true;
            }
        }
        false
    }

    /// Notes that there was nothing left to close for somebody.
    pub(crate) fn refused_for_want_of_descriptors(&self) {
        let refused = &self.exhaustion.refused;
        refused.set(refused.get() + 1);
    }

    fn tell_exhaustion(&self) {
        let Exhaustion {
            told,
            shed,
            refused,
            ..
        } = &self.exhaustion;
        if told
            .get()
            .is_some_and(|told| told.elapsed() < TELL_INTERVAL)
        {
            return;
        }
        told.set(Some(Instant::now()));
        tracing::warn!(
            shard = self.index,
            connections = self.connections.count(),
            closed = shed.take(),
            refused = refused.take(),
            "cannot accept connections or make new ones for want of descriptors: idle ones are closed, \
             the rest of new work gets 503; raise the descriptor limit (ulimit -n) or lower \
             limits.connections"
        );
    }
}
