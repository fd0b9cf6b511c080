//! Interim responses (RFC 9110 section 15.2): which are passed on, and how many an origin may send.
//!
//! Their fields reach the client like those of any response, so PostRESPONSE judges them the same way.

use sallyport_wire::http1::{ResponseHead, Version};

use super::answer::{Answer, Failure};
use super::phases;
use super::record::Draft;
use super::reply::Refusal;
use crate::config::checked::InterimLimits;
use crate::transport::read_buffer::ReadBuffer;

/// What an origin has sent before its final response.
#[derive(Debug, Default)]
pub(super) struct Interim {
    count: usize,
    bytes: usize,
}

impl Interim {
    /// Whether there was any.
    pub(super) const fn has_begun(&self) -> bool {
        self.count > 0
    }

    /// Takes one more into account, whether or not it is passed on.
    pub(super) fn note(&mut self, head_bytes: usize, limits: InterimLimits) -> Result<(), Refusal> {
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
pub(super) const fn is_passed_on(status: u16) -> bool {
    matches!(status, 100 | 103)
}

impl Answer<'_> {
    /// Passed on as they come, but not to HTTP/1.0 clients.
    pub(super) async fn forward_interim(
        &self,
        draft: &mut Draft,
        head: &ResponseHead,
        input: &ReadBuffer,
    ) -> Result<(), Failure> {
        if self.request.head.version == Version::Http10 || !is_passed_on(head.status) {
            return Ok(());
        }
        // A list of statuses that may pass often lacks 100, and nothing of a bare one is the
        // origin's own but that it wants the content.
        let answered = self.answered(head, input.unread());
        let released = phases::post_response_of_interim(answered, is_bare_continue(head), draft)?;
        match released {
            Some(released) => self.write_interim(released, head, input).await,
            None => Ok(()),
        }
    }
}

fn is_bare_continue(head: &ResponseHead) -> bool {
    head.status == 100 && head.headers.iter().all(|field| field.hop_by_hop)
}
