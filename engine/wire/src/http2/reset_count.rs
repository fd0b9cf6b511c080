//! Which resets are an attack: those that make a server work for nothing (CVE-2023-44487, and
//! CVE-2025-8671, where the client has the server do the resetting).
//!
//! A request that was reset before its response began has cost what a request costs and was never
//! there to be counted among the open ones. A client may do so now and then, and as often as it has
//! requests answered. What is reset after that was a request like any other. Called by `frame_guard`.

use std::time::Instant;

use super::allowance::Allowance;
use super::stream_set::StreamSet;

/// Counts the resets of one connection.
#[derive(Clone, Debug)]
pub(super) struct ResetCount {
    allowance: Allowance,
    /// Streams whose response has begun.
    answered: StreamSet,
}

impl ResetCount {
    pub(super) fn new(per_second: u32) -> Self {
        Self {
            allowance: Allowance::new(per_second),
            answered: StreamSet::default(),
        }
    }

    pub(super) fn fill(&mut self, now: Instant) {
        self.allowance.fill(now);
    }

    /// A head was sent in this stream.
    pub(super) fn answer(&mut self, stream: u32) {
        if !self.answered.contains(stream) {
            self.answered.insert(stream);
            self.allowance.earn(1);
        }
    }

    /// Whether what was done for a stream was done for nothing if it is reset now.
    pub(super) fn is_wasted(&self, stream: u32) -> bool {
        !self.answered.contains(stream) && !self.answered.is_forgotten(stream)
    }

    /// Pays for work that was wasted, if that is still allowed.
    pub(super) fn draw(&mut self) -> bool {
        self.allowance.draw()
    }

    #[cfg(test)]
    pub(super) fn left(&self) -> u32 {
        self.allowance.left()
    }
}

/// Whether a RST_STREAM with this code is one that the recipient has asked for by a fault.
pub(super) fn is_for_a_fault(code: u32) -> bool {
    // PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR, COMPRESSION_ERROR.
    matches!(code, 0x1 | 0x3 | 0x5 | 0x6 | 0x9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_answered_pays_for_what_was_not() {
        let mut resets = ResetCount::new(1);
        let drawn = (0..100).take_while(|_| resets.draw()).count();
        assert_eq!(drawn, 10);
        assert!(resets.is_wasted(1));
        resets.answer(1);
        assert!(!resets.is_wasted(1));
        // Each answer once, whatever else is sent in the stream.
        resets.answer(1);
        assert!(resets.draw());
        assert!(!resets.draw());
    }
}
