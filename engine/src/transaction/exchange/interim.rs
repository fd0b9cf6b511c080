//! Interim responses (RFC 9110 section 15.2): which are passed on, and how many an origin may send.
//!
//! Their fields reach the client like those of any response, so PostRESPONSE judges them the same way.

use sallyport_wire::http1::{ResponseHead, Version};

use crate::transaction::exchange::answer::{Answer, Failure};
use crate::transaction::exchange::interim_count::is_passed_on;
use crate::transaction::phases;
use crate::transaction::request::record_builder::RecordBuilder;
use crate::transport::read_buffer::ReadBuffer;

impl Answer<'_> {
    /// Passed on as they come, but not to HTTP/1.0 clients.
    pub(crate) async fn forward_interim(
        &self,
        draft: &mut RecordBuilder,
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
