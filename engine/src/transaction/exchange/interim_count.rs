//! Interim responses: which are passed on, and how many may come.

use crate::config::checked::InterimLimits;
use crate::transaction::request::reply::Refusal;

/// What an origin has sent before its final response.
#[derive(Debug, Default)]
pub(crate) struct Interim {
    count: usize,
    bytes: usize,
}

impl Interim {
    /// Whether there was any.
    pub(crate) const fn has_begun(&self) -> bool {
        self.count > 0
    }

    /// Takes one more into account, whether or not it is passed on.
    pub(crate) fn note(&mut self, head_bytes: usize, limits: InterimLimits) -> Result<(), Refusal> {
        self.count += 1;
        self.bytes += head_bytes;
        if self.count > limits.responses {
            return Err(Refusal::protocol(
                "too many interim responses (limits.interim_responses)",
            ));
        }
        if self.bytes > limits.bytes {
            return Err(Refusal::protocol(
                "interim responses too large (limits.interim_bytes)",
            ));
        }
        Ok(())
    }
}

/// 100 and 103 mean something to clients, and 101 is no interim response. Others are not known, or
/// given up (102): who does not know them must be able to do without them.
pub(crate) const fn is_passed_on(status: u16) -> bool {
    matches!(status, 100 | 103)
}
