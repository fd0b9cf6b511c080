//! What one thread counted in the measured window, and what the run cost the meter itself.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use super::failure::Failure;
use super::job::Traffic;
use crate::histogram::latency::Latencies;

/// One kind of error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ErrorCount {
    pub(crate) count: u64,
    /// What the first one said.
    pub(crate) example: String,
}

/// One thread's counts.
#[derive(Debug)]
pub(crate) struct Tally {
    /// From opening a connection to its being ready for the first request.
    pub(crate) setup: Latencies,
    /// How late requests left because of the meter: from when one was due and a connection free.
    pub(crate) schedule_lag: Latencies,
    /// How long events may have lain unread because the loop was busy with others.
    pub(crate) loop_busy: Latencies,
    /// Body octets that came and went in the window.
    pub(crate) traffic: Traffic,
    pub(crate) errors: BTreeMap<String, ErrorCount>,
    /// Connections opened in the window.
    pub(crate) connections_opened: u64,
    /// What slow clients did; it is in no other figure.
    pub(crate) slow: SlowTally,
    /// Connections held open when the run ended.
    pub(crate) held: u64,
    /// When the last of the window's requests was done.
    pub(crate) last_done: Option<Instant>,
    /// The meter's own cost over the window.
    pub(crate) cost: ThreadCost,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            setup: Latencies::new(),
            schedule_lag: Latencies::new(),
            loop_busy: Latencies::new(),
            traffic: Traffic::default(),
            errors: BTreeMap::new(),
            connections_opened: 0,
            slow: SlowTally::default(),
            held: 0,
            last_done: None,
            cost: ThreadCost::default(),
        }
    }

    /// An exchange that failed in the window.
    pub(super) fn count_error(&mut self, failure: &Failure) {
        count(&mut self.errors, failure);
    }
}

/// What slow clients did in the window.
#[derive(Debug, Clone, Default)]
pub(crate) struct SlowTally {
    pub(crate) completed: u64,
    pub(crate) errors: BTreeMap<String, ErrorCount>,
}

impl SlowTally {
    pub(super) fn count_error(&mut self, failure: &Failure) {
        count(&mut self.errors, failure);
    }
}

fn count(errors: &mut BTreeMap<String, ErrorCount>, failure: &Failure) {
    let entry = errors.entry(failure.kind()).or_default();
    if entry.count == 0 {
        entry.example = failure.to_string();
    }
    entry.count += 1;
}

/// What a thread used, or how long it was kept from running.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ThreadCost {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
    /// Ready to run, but another thread had the CPU.
    pub(crate) waiting: Duration,
}

/// A moment in a thread's life, to measure its cost from.
#[derive(Debug, Clone, Copy)]
pub(super) struct CostMark {
    at: Instant,
    cpu: Duration,
    waiting: Duration,
}

impl CostMark {
    /// Now, of the calling thread.
    pub(super) fn now() -> Self {
        let cpu =
            clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from);
        Self {
            at: Instant::now(),
            cpu,
            waiting: run_queue_wait(),
        }
    }

    /// What it cost since.
    pub(super) fn elapsed(&self) -> ThreadCost {
        let now = Self::now();
        ThreadCost {
            wall: now.at.saturating_duration_since(self.at),
            cpu: now.cpu.saturating_sub(self.cpu),
            waiting: now.waiting.saturating_sub(self.waiting),
        }
    }
}

/// Second field of schedstat: nanoseconds spent waiting for a CPU. Zero where the kernel keeps none.
fn run_queue_wait() -> Duration {
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split_ascii_whitespace().nth(1)?.parse().ok())
        .map_or(Duration::ZERO, Duration::from_nanos)
}
