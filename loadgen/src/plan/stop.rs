//! The measured window and what ends it.
//!
//! A latency belongs to the window in which its request started (or should have); a completion, and
//! so the rate, to the window in which it happened; a failure to every window it touched.

use std::time::{Duration, Instant};

/// Lengths, before it is known when the run starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stop {
    pub(crate) warmup: Duration,
    /// Length of the window, if time ends it.
    pub(crate) duration: Option<Duration>,
    /// Requests of the window, if their number ends it.
    pub(crate) requests: Option<u64>,
    /// How long a request may take, and how long after the window the last ones are waited for.
    pub(crate) timeout: Duration,
}

/// Shortest and longest interval of the report's course over time.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
const INTERVAL_MAX: Duration = Duration::from_secs(1);

impl Stop {
    /// Length of the intervals that the window is divided into: a hundred of them, if that makes
    /// them neither short nor long.
    pub(crate) fn interval(&self) -> Duration {
        let hundredth = self
            .duration
            .map_or(INTERVAL_MAX, |duration| duration / 100);
        hundredth.clamp(INTERVAL_MIN, INTERVAL_MAX)
    }

    /// The window of a run that starts now, and thread `thread`'s share of the requests.
    pub(crate) fn window(&self, start: Instant, thread: usize, threads: usize) -> Window {
        let from = start + self.warmup;
        let share = |total: u64| {
            let (thread, threads) = (thread as u64, threads as u64);
            total / threads + u64::from(thread < total % threads)
        };
        Window {
            from,
            until: self.duration.map(|duration| from + duration),
            budget: self.requests.map(share),
            timeout: self.timeout,
        }
    }
}

/// One thread's window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) from: Instant,
    pub(crate) until: Option<Instant>,
    /// Requests this thread may still start in the window.
    pub(crate) budget: Option<u64>,
    pub(crate) timeout: Duration,
}

impl Window {
    /// Whether a moment lies in the window.
    pub(crate) fn contains(&self, moment: Instant) -> bool {
        moment >= self.from && self.until.is_none_or(|until| moment < until)
    }

    /// Whether any part of a span of time lies in the window.
    pub(crate) fn overlaps(&self, start: Instant, end: Instant) -> bool {
        end >= self.from && self.until.is_none_or(|until| start < until)
    }

    /// Whether no request may start any more.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now >= until) || self.budget == Some(0)
    }

    /// A request starts, or should have, at this moment.
    pub(crate) fn spend(&mut self, start: Instant) {
        if start >= self.from
            && let Some(budget) = self.budget.as_mut()
        {
            *budget = budget.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_make_the_whole_and_warm_up_is_free() {
        let stop = Stop {
            warmup: Duration::from_secs(1),
            duration: None,
            requests: Some(11),
            timeout: Duration::from_secs(1),
        };
        let start = Instant::now();
        let shares: Vec<_> = (0..3)
            .map(|thread| stop.window(start, thread, 3).budget)
            .collect();
        assert_eq!(shares, [Some(4), Some(4), Some(3)]);
        let mut window = stop.window(start, 2, 3);
        window.spend(start);
        assert_eq!(window.budget, Some(3));
        for _ in 0..3 {
            assert!(!window.is_over(start));
            window.spend(window.from);
        }
        assert!(window.is_over(start));
    }
}
