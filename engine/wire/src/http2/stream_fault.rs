//! What can be wrong with one stream, and with one message in it.

use thiserror::Error;

use super::fault::{FLOW_CONTROL_ERROR, PROTOCOL_ERROR};
use crate::http1::{HeadError, TargetError};

/// The end of a stream, by a RST_STREAM that the connection has sent (RFC 9113 sections 5.4.2 and 8.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StreamFault {
    /// A field name that is no token in lower case (RFC 9113 section 8.2.1).
    #[error("an invalid field name")]
    FieldName,
    /// A control character in a field value (RFC 9113 section 8.2.1).
    #[error("an invalid field value")]
    FieldValue,
    /// A field that concerns a connection of HTTP/1.1 (RFC 9113 section 8.2.2).
    #[error("a connection-specific field")]
    ConnectionField,
    /// `te` with something else than `trailers` (RFC 9113 section 8.2.2).
    #[error("a te field other than trailers")]
    Te,
    /// A pseudo-header field behind others, twice, or one that is not defined for such a message
    /// (RFC 9113 section 8.3).
    #[error("a misplaced, repeated or undefined pseudo-header field")]
    Pseudo,
    /// A pseudo-header field in trailers (RFC 9113 section 8.1).
    #[error("a pseudo-header field in trailers")]
    PseudoInTrailers,
    /// A request without `:method`, `:scheme` or `:path` (RFC 9113 section 8.3.1).
    #[error("a pseudo-header field is missing")]
    PseudoMissing,
    /// An empty `:path` (RFC 9113 section 8.3.1).
    #[error(":path is empty")]
    PathEmpty,
    /// A method that is no token.
    #[error("an invalid method")]
    Method,
    /// A CONNECT with `:scheme` or `:path`, or `:protocol` without CONNECT (RFC 9113 section 8.5,
    /// RFC 8441 section 4).
    #[error("a CONNECT of a wrong form")]
    Connect,
    /// A response without a status of three digits (RFC 9113 section 8.3.2).
    #[error("a missing or invalid status")]
    Status,
    /// 101, which HTTP/2 does not have (RFC 9113 section 8.6), or an interim response that ends the stream
    /// (RFC 9113 section 8.1).
    #[error("an interim response that cannot be")]
    Interim,
    /// A `content-length` that is no number, or differs from another one.
    #[error("an invalid content-length")]
    ContentLength,
    /// Content of another length than declared (RFC 9113 section 8.1.1).
    #[error("content of another length than declared")]
    Length,
    /// Trailers that do not end the stream (RFC 9113 section 8.1).
    #[error("trailers that do not end the stream")]
    TrailersWithoutEnd,
    /// Content before the head (RFC 9113 section 8.1).
    #[error("content before the head")]
    ContentBeforeHead,
    /// The head of a response, or trailers, beyond the limits.
    #[error("head too large")]
    HeadTooLarge,
    /// A stream that depends on itself (RFC 7540 section 5.3.1).
    #[error("a stream that depends on itself")]
    Dependency,
    /// A WINDOW_UPDATE that opens nothing (RFC 9113 section 6.9).
    #[error("a window update of nothing")]
    WindowUpdate,
    /// A window above 2^31-1 (RFC 9113 section 6.9.1).
    #[error("a window that is too large")]
    Window,
    /// More content than the window of the stream allows (RFC 9113 section 6.9).
    #[error("more content than the window allows")]
    WindowExceeded,
    /// More streams at once than allowed (RFC 9113 section 5.1.2).
    #[error("too many streams")]
    TooManyStreams,
}

impl StreamFault {
    /// The error code that says so to the other side (RFC 9113 section 7).
    #[must_use]
    pub fn code(self) -> u32 {
        match self {
            Self::Window | Self::WindowExceeded => FLOW_CONTROL_ERROR,
            // RFC 9113 section 8.7: it may be sent again.
            Self::TooManyStreams => 0x7,
            _ => PROTOCOL_ERROR,
        }
    }
}

/// Why a request that HTTP/2 permits is not served: it is answered with [`status`](Self::status).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RequestFault {
    /// What is wrong with it would be wrong in HTTP/1.1 too.
    #[error("{0}")]
    Head(HeadError),
    /// So is its `:path` or `:authority`.
    #[error("{0}")]
    Target(TargetError),
    /// Blanks around a value.
    #[error("a field value begins or ends with whitespace")]
    Whitespace,
    /// `content-length` more than once: whoever else looks at it could take another one.
    #[error("content-length is repeated")]
    LengthRepeated,
    /// Neither `:authority` nor `host`.
    #[error(":authority is missing")]
    AuthorityMissing,
    /// `host` says something else, or there are several.
    #[error("host differs from :authority")]
    HostDiffers,
    /// `user@` in the authority.
    #[error(":authority holds user information")]
    UserInformation,
    /// Not the scheme that is spoken on this connection.
    #[error(":scheme is not the one of the connection")]
    Scheme,
    /// Neither an absolute path nor the asterisk of OPTIONS (RFC 9113 section 8.3.1).
    #[error(":path is neither an absolute path nor the asterisk of OPTIONS")]
    Path,
    /// A fragment, which is no part of `:path` (RFC 9113 section 8.3.1).
    #[error(":path has a fragment")]
    Fragment,
    /// An extended CONNECT that is not for WebSocket (RFC 8441 section 4).
    #[error("an extended CONNECT for another protocol than websocket")]
    Protocol,
}

impl RequestFault {
    /// The status to answer with.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Head(error) => error.status(),
            Self::Target(error) => error.status(),
            _ => 400,
        }
    }
}
