//! HTTP/1.0 and HTTP/1.1 (RFC 9110, RFC 9112), strict on what is read and
//! plain in what is written.

mod body;
mod chunked;
mod encode;
mod error;
mod field;
mod framing;
mod headers;
mod hop_by_hop;
mod leniency;
mod method;
mod request_head;
mod response_head;
mod session_auth;
mod target;
mod version;

pub use crate::Span;
pub use body::{BodyError, BodyEvent, BodyReader, Recoded};
pub use chunked::{
    ChunkError, ChunkEvent, ChunkLimits, ChunkedDecoder, write_chunk_header, write_last_chunk,
};
pub use encode::{HeaderEdits, RequestForward, ResponseForward, encode_request, encode_response};
pub(crate) use encode::{write_decimal, write_via_value};
pub use error::HeadError;
pub use field::{HeaderField, HeaderName};
pub use framing::BodyFraming;
pub(crate) use framing::parse_content_length;
pub use headers::{HEADERS_CAPACITY, HeadLimits, Parse, end_to_end};
pub use hop_by_hop::{connection_options, is_forbidden_trailer, is_hop_by_hop};
pub use leniency::{Leniency, Tolerated};
pub use method::MethodKind;
pub use request_head::RequestHead;
pub(crate) use request_head::{METHOD_BYTES_MAX, is_token_byte};
pub use response_head::ResponseHead;
pub(crate) use response_head::never_has_body;
pub use session_auth::SessionAuth;
pub use target::{
    Authority, Host, RequestTarget, Scheme, TargetError, connect_host_matches, host_matches,
};
pub use version::Version;
