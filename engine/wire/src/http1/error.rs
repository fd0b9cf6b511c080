//! Why a head was refused, and what status that is.
//!
//! Everything here is the sender's fault. For a request the engine answers
//! [`HeadError::status`] and closes; for a response it answers 502.

use thiserror::Error;

/// Why a request or response head was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{}", self.reason())]
pub enum HeadError {
    /// The head is longer than `HeadLimits::head_bytes_max`.
    HeadTooLarge,
    /// More field lines than `HeadLimits::headers_max`.
    TooManyHeaders,
    /// The target is longer than `HeadLimits::uri_bytes_max`.
    UriTooLong,
    /// More than one empty line, or anything else, before the start line.
    LeadingBytes,
    /// The method is not a token.
    Method,
    /// The method is longer than any that there is.
    MethodTooLong,
    /// The request line is not `method SP target SP version CRLF`.
    RequestLine,
    /// The status line is not `version SP code [SP reason] CRLF`.
    StatusLine,
    /// Another major version than 1.
    VersionUnsupported,
    /// HTTP/0.9.
    VersionTooOld,
    /// Not `HTTP/`, a digit, a dot and a digit.
    VersionMalformed,
    /// A line ends in something other than CR LF.
    LineEnding,
    /// A field name is no token: whitespace before the colon, a folded line
    /// (obs-fold), a line without a colon, a control character.
    HeaderName,
    /// A field value holds NUL, a bare CR or another control character.
    HeaderValue,
    /// `Content-Length` is not one decimal number that fits.
    ContentLengthInvalid,
    /// `Content-Length` occurs more than once.
    ContentLengthRepeated,
    /// `Transfer-Encoding` is not exactly `chunked`, and no list of known codings.
    TransferEncodingInvalid,
    /// `Transfer-Encoding` names a known coding other than `chunked`.
    TransferEncodingUnsupported,
    /// `Transfer-Encoding` occurs more than once.
    TransferEncodingRepeated,
    /// `Transfer-Encoding` together with `Content-Length`.
    TransferEncodingWithLength,
    /// `Transfer-Encoding` in an HTTP/1.0 message.
    TransferEncodingHttp10,
    /// An HTTP/1.1 request without `Host`.
    HostMissing,
    /// `Host` occurs more than once.
    HostRepeated,
    /// `Host` is not a host with an optional port.
    HostInvalid,
    /// `Connection` lists more options than anybody needs.
    ConnectionOptions,
    /// A CONNECT that declares a body: tunnel bytes or content, nobody can tell.
    ConnectWithBody,
}

impl HeadError {
    /// The status to answer a request with.
    pub fn status(self) -> u16 {
        match self {
            Self::UriTooLong => 414,
            Self::HeadTooLarge | Self::TooManyHeaders => 431,
            // RFC 9112 sections 3 and 6.1.
            Self::MethodTooLong | Self::TransferEncodingUnsupported => 501,
            Self::VersionUnsupported => 505,
            _ => 400,
        }
    }

    /// Whether a response with this fault can be read in one way by who has decided on it; see
    /// [`Leniency`](super::Leniency).
    pub fn is_tolerable(self) -> bool {
        matches!(self, Self::LineEnding | Self::TransferEncodingWithLength)
    }

    /// The cause in a few words, for the log and for the body of the answer.
    pub fn reason(self) -> &'static str {
        match self {
            Self::HeadTooLarge => "head too large",
            Self::TooManyHeaders => "too many header fields",
            Self::UriTooLong => "request target too long",
            Self::LeadingBytes => "bytes before the start line",
            Self::Method => "invalid method",
            Self::MethodTooLong => "method too long",
            Self::RequestLine => "malformed request line",
            Self::StatusLine => "malformed status line",
            Self::VersionUnsupported => "unsupported HTTP version",
            Self::VersionTooOld => "HTTP/0.9 is not spoken",
            Self::VersionMalformed => "malformed HTTP version",
            Self::LineEnding => "bare CR or LF",
            Self::HeaderName => "invalid header name",
            Self::HeaderValue => "invalid header value",
            Self::ContentLengthInvalid => "invalid Content-Length",
            Self::ContentLengthRepeated => "repeated Content-Length",
            Self::TransferEncodingInvalid => "invalid Transfer-Encoding",
            Self::TransferEncodingUnsupported => "unsupported Transfer-Encoding",
            Self::TransferEncodingRepeated => "repeated Transfer-Encoding",
            Self::TransferEncodingWithLength => "Transfer-Encoding with Content-Length",
            Self::TransferEncodingHttp10 => "Transfer-Encoding in HTTP/1.0",
            Self::HostMissing => "missing Host",
            Self::HostRepeated => "repeated Host",
            Self::HostInvalid => "invalid Host",
            Self::ConnectionOptions => "too many connection options",
            Self::ConnectWithBody => "CONNECT with a body",
        }
    }
}
