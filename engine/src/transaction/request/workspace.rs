//! What one transaction works with, rented from the shard so that idle connections hold none of it.

use sallyport_wire::http1::{RequestHead, ResponseHead};

use crate::transaction::request::record_builder::RecordBuilder;

/// Reused storage of one transaction: after warm-up nothing in it allocates.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    pub(crate) request: RequestHead,
    pub(crate) response: ResponseHead,
    /// The response head, where its spans must outlive what it was received in.
    pub(crate) response_text: Vec<u8>,
    /// The request head, which its spans refer to.
    pub(crate) bytes: Vec<u8>,
    /// Path and query as they are sent, when that differs from what was written.
    pub(crate) path: Vec<u8>,
    /// Normal form of the URI.
    pub(crate) uri: Vec<u8>,
    /// Normal form of the destination domain, when it differs from what was written.
    pub(crate) domain: String,
    pub(crate) draft: RecordBuilder,
}

/// Storage beyond this is freed rather than kept.
const KEPT_BYTES_MAX: usize = 4 * 1024;

impl Workspace {
    /// Ready for the next transaction.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES_MAX);
        self.response_text.clear();
        self.response_text.shrink_to(KEPT_BYTES_MAX);
        self.path.clear();
        self.path.shrink_to(KEPT_BYTES_MAX);
        self.uri.clear();
        self.uri.shrink_to(KEPT_BYTES_MAX);
        self.domain.clear();
        self.draft.clear();
    }
}
