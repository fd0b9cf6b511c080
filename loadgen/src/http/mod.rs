//! HTTP/1.1 bytes, for both ends: chunked framing. Heads are tokenized by httparse where they are
//! used, since a request and a response ask different questions of them.

pub(crate) mod chunked;
pub(crate) mod digest;
pub(crate) mod framing;
