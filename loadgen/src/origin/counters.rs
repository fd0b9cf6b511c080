//! How many connections and requests the origin has seen. Each thread adds to its own counters;
//! `/count` sums over all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One thread's counters, on a cache line of their own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct ThreadCounters {
    connections: AtomicU64,
    requests: AtomicU64,
}

/// All threads' counters, and which of them is one's own.
#[derive(Debug, Clone)]
pub(super) struct Counters {
    all: Arc<[ThreadCounters]>,
    own: usize,
}

impl Counters {
    /// One handle for each of `threads` threads.
    pub(super) fn for_threads(threads: usize) -> Vec<Self> {
        let all: Arc<[ThreadCounters]> = (0..threads).map(|_| ThreadCounters::default()).collect();
        (0..threads)
            .map(|own| Self {
                all: Arc::clone(&all),
                own,
            })
            .collect()
    }

    /// One more connection was accepted.
    pub(super) fn count_connection(&self) {
        if let Some(own) = self.all.get(self.own) {
            own.connections.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One more request head was read.
    pub(super) fn count_request(&self) {
        if let Some(own) = self.all.get(self.own) {
            own.requests.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The sums as JSON.
    pub(super) fn json(&self) -> String {
        let sum = |pick: fn(&ThreadCounters) -> &AtomicU64| -> u64 {
            self.all
                .iter()
                .map(|thread| pick(thread).load(Ordering::Relaxed))
                .sum()
        };
        let (connections, requests) = (sum(|t| &t.connections), sum(|t| &t.requests));
        format!("{{\"connections\":{connections},\"requests\":{requests}}}\n")
    }
}
