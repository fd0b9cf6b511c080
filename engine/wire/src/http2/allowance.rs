//! How many frames of one kind a side may send: a bucket that time fills. `frame_guard` draws on it.

use std::time::Instant;

/// What the other side of one connection may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloodLimits {
    /// Control frames a second. Ten times as many may come at once.
    pub control_frames_per_second: u32,
    /// Resets a second of requests that nobody has answered. Ten times as many may come at once.
    pub resets_per_second: u32,
    /// Size of the fields of a message (RFC 9113 section 6.5.2), as the codec holds it to.
    pub head_bytes_max: u32,
}

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

    #[cfg(test)]
    pub(super) fn left(&self) -> u32 {
        self.left
    }
}
