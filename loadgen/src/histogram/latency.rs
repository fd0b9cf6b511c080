//! One thread's histogram of durations: nanoseconds, three significant digits, up to ten minutes.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Longest duration told apart; longer ones count as this long.
const LONGEST_NS: u64 = 600_000_000_000;

/// A histogram of durations.
#[derive(Debug, Clone)]
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    /// An empty one; allocates all it will ever need (about 500 KB).
    pub(crate) fn new() -> Self {
        #[expect(
            clippy::expect_used,
            reason = "the bounds are constants that hdrhistogram accepts"
        )]
        Self(Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("constant bounds"))
    }

    /// Forgets all counts.
    pub(crate) fn clear(&mut self) {
        self.0.reset();
    }

    /// Counts one duration.
    pub(crate) fn record(&mut self, duration: Duration) {
        self.record_many(duration, 1);
    }

    /// Counts the same duration `count` times.
    pub(crate) fn record_many(&mut self, duration: Duration, count: u64) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(LONGEST_NS);
        self.0.saturating_record_n(ns.clamp(1, LONGEST_NS), count);
    }

    /// The duration that this part of all does not exceed; zero if nothing was counted.
    pub(crate) fn at_quantile(&self, quantile: f64) -> Duration {
        Duration::from_nanos(self.0.value_at_quantile(quantile))
    }

    /// The counts behind.
    pub(crate) fn inner(&self) -> &Histogram<u64> {
        &self.0
    }

    /// Adds the counts of another.
    pub(crate) fn add(&mut self, other: &Self) {
        // Both have the same bounds: nothing is out of range.
        let _ = self.0.add(&other.0);
    }
}
