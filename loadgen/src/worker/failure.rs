//! What can go wrong with one exchange, and the stable name each kind has in reports.

use std::io;

use crate::http::framing::Malformed;

/// Why an exchange counts as an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("connection refused")]
    ConnectRefused,
    #[error("cannot connect: {0}")]
    ConnectFailed(String),
    #[error("no complete response in time")]
    Timeout,
    #[error("connection reset")]
    Reset,
    #[error("connection closed before the response was complete")]
    EarlyClose,
    /// A connection that had served before ended before a byte of the next response: the server
    /// may have closed it at the moment the request was sent.
    #[error("reused connection ended before a byte of the response")]
    StaleConnection,
    #[error("status {0}")]
    BadStatus(u16),
    #[error("CONNECT answered {0}")]
    TunnelStatus(u16),
    #[error("malformed response: {0}")]
    Malformed(#[from] Malformed),
    #[error("body of {actual} bytes, not {expected}")]
    BodyLength { expected: u64, actual: u64 },
    #[error("body differs from what the origin sends")]
    BodyMismatch,
    #[error("body has CRC-32C {actual:08x}, not {expected:08x}")]
    Checksum { expected: u32, actual: u32 },
    #[error("the origin received {0}, which is not what was sent")]
    Upload(String),
    /// A connection that was only to be held was closed by the other end.
    #[error("held connection was closed by the other end")]
    Dropped,
    #[error("http/2: {0}")]
    Http2(String),
    #[error("stream was reset, code {0}")]
    StreamReset(u32),
    #[error("tls: {0}")]
    Tls(String),
    /// The run ended before a connection was free to send it.
    #[error("never sent: all connections were busy to the end")]
    Unsent,
}

impl Failure {
    /// The name of its kind in reports.
    pub(crate) fn kind(&self) -> String {
        let name = match self {
            Self::ConnectRefused => "connect_refused",
            Self::ConnectFailed(_) => "connect_failed",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::EarlyClose => "early_close",
            Self::StaleConnection => "stale_connection",
            Self::BadStatus(code) => return format!("bad_status_{code}"),
            Self::TunnelStatus(code) => return format!("tunnel_status_{code}"),
            Self::Malformed(_) => "malformed",
            Self::BodyLength { .. } => "body_length",
            Self::BodyMismatch => "body_mismatch",
            Self::Checksum { .. } => "checksum",
            Self::Upload(_) => "upload_mismatch",
            Self::Dropped => "dropped",
            Self::Http2(_) => "http2",
            Self::StreamReset(_) => "stream_reset",
            Self::Tls(_) => "tls",
            Self::Unsent => "unsent",
        };
        name.to_owned()
    }

    /// Whether trying again at once would meet the same: the connection could not be set up.
    pub(crate) fn is_connecting(&self) -> bool {
        matches!(
            self,
            Self::ConnectRefused | Self::ConnectFailed(_) | Self::TunnelStatus(_) | Self::Tls(_)
        )
    }

    /// What an operating-system error means on an established connection.
    pub(crate) fn from_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::ConnectRefused,
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Self::Reset,
            io::ErrorKind::UnexpectedEof => Self::EarlyClose,
            io::ErrorKind::InvalidData => Self::Tls(error.to_string()),
            _ => Self::ConnectFailed(error.to_string()),
        }
    }
}
