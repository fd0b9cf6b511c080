//! How many frames of one kind a side may send: a bucket that time fills.

use std::time::Instant;

/// A bucket that time fills.
#[derive(Clone, Debug)]
pub(super) struct Allowance {
    left: u32,
    per_second: u32,
    filled: Option<Instant>,
}

/// Seconds of allowance that can be saved up.
const BURST_SECONDS: u32 = 10;

impl Allowance {
    pub(super) fn new(per_second: u32) -> Self {
        Self {
            left: per_second.saturating_mul(BURST_SECONDS),
            per_second,
            filled: None,
        }
    }

    pub(super) fn fill(&mut self, now: Instant) {
        let since = *self.filled.get_or_insert(now);
        let elapsed = now.saturating_duration_since(since).as_millis();
        let earned = u128::from(self.per_second) * elapsed / 1000;
        if earned > 0 {
            self.filled = Some(now);
            self.earn(u32::try_from(earned).unwrap_or(u32::MAX));
        }
    }

    pub(super) fn earn(&mut self, frames: u32) {
        let most = self.per_second.saturating_mul(BURST_SECONDS);
        self.left = self.left.saturating_add(frames).min(most);
    }

    /// Takes one, if there is one.
    pub(super) fn draw(&mut self) -> bool {
        let allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        allowed
    }
}
