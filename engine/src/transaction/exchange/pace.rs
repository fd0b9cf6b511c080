//! How slowly the content of a request may come.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// How slowly content may come whose length was declared: a transfer, in which nothing is waited for.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Longest silence; the time before the rate counts as well.
    idle: Duration,
    /// 0: as slowly as the silences allow.
    bytes_per_second_min: u64,
    bytes: Cell<u64>,
    waited: Cell<Duration>,
}

impl Pace {
    pub(crate) fn new(idle: Duration, bytes_per_second_min: u64) -> Self {
        Self {
            idle,
            bytes_per_second_min,
            bytes: Cell::new(0),
            waited: Cell::new(Duration::ZERO),
        }
    }

    /// How long the next bytes may take.
    pub(crate) fn patience(&self, idle: Duration) -> Duration {
        let idle = self.idle.min(idle);
        let Some(earned) = self.bytes.get().checked_div(self.bytes_per_second_min) else {
            return idle;
        };
        let allowed = self.idle.saturating_add(Duration::from_secs(earned));
        allowed.saturating_sub(self.waited.get()).min(idle)
    }

    pub(crate) fn count(&self, bytes: usize, since: Instant) {
        self.bytes.set(self.bytes.get() + bytes as u64);
        self.waited.set(self.waited.get() + since.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_keeps_up_its_rate_or_ends() {
        let idle = Duration::from_secs(10);
        let pace = Pace::new(idle, 100);
        assert_eq!(pace.patience(Duration::from_secs(900)), idle);
        assert_eq!(
            pace.patience(Duration::from_secs(3)),
            Duration::from_secs(3)
        );
        // 10 s and 2 s for 200 bytes were granted, 9 s are gone.
        pace.bytes.set(299);
        pace.waited.set(Duration::from_secs(9));
        assert_eq!(pace.patience(idle), Duration::from_secs(3));
        pace.waited.set(Duration::from_secs(13));
        assert_eq!(pace.patience(idle), Duration::ZERO);
        pace.bytes.set(1_000_000);
        assert_eq!(pace.patience(idle), idle);
        let any = Pace::new(idle, 0);
        any.waited.set(Duration::from_secs(1_000));
        assert_eq!(any.patience(idle), idle);
    }
}
