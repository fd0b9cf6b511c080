//! When requests are to leave in an open loop: moments that do not depend on any answer.
//!
//! The sequence is lazy: its next moment is that of the oldest request not sent yet, so a backlog
//! of any length costs no memory and nothing is ever left out.

use std::time::{Duration, Instant};

/// Equal steps in time, of which one thread takes every n-th.
#[derive(Debug, Clone)]
pub(crate) struct Arrivals {
    first: Instant,
    /// Requests a second, of this thread.
    rate: f64,
    taken: u64,
}

impl Arrivals {
    /// Arrivals of thread `thread` of `threads` that together make `rate` requests a second.
    pub(crate) fn constant(start: Instant, rate: f64, thread: usize, threads: usize) -> Self {
        let share = thread as f64 / rate;
        Self {
            first: start + Duration::from_secs_f64(share),
            rate: rate / threads as f64,
            taken: 0,
        }
    }

    /// The intended time of the next request.
    pub(crate) fn next_due(&self) -> Instant {
        // From the start each time, so that rounding never adds up.
        self.first + Duration::from_secs_f64(self.taken as f64 / self.rate)
    }

    /// The next request is on its way.
    pub(crate) fn take(&mut self) {
        self.taken += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_interleave_evenly() {
        let start = Instant::now();
        let mut all = Vec::new();
        for thread in 0..3 {
            let mut arrivals = Arrivals::constant(start, 3_000.0, thread, 3);
            for _ in 0..1_000 {
                all.push(arrivals.next_due() - start);
                arrivals.take();
            }
        }
        all.sort_unstable();
        for (index, at) in all.iter().enumerate() {
            let expected = index as f64 / 3_000.0;
            assert!(
                (at.as_secs_f64() - expected).abs() < 1e-6,
                "{index}: {at:?}"
            );
        }
    }
}
