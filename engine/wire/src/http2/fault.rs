//! What a side can have done wrong, and the error code that tells it so.

use thiserror::Error;

pub(super) const PROTOCOL_ERROR: u32 = 0x1;
pub(super) const FLOW_CONTROL_ERROR: u32 = 0x3;

/// What a side has sent too much of, or not as it must: the end of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameFault {
    /// PING, SETTINGS, PRIORITY, WINDOW_UPDATE, GOAWAY, unknown and empty frames.
    #[error("control frame flood")]
    ControlFlood,
    /// Requests that were reset before they were answered, by that side or for a fault of it.
    #[error("stream reset flood")]
    ResetFlood,
    /// More content than there is memory for, which nobody takes.
    #[error("over limits.buffer_bytes")]
    Memory,
    /// More malformed messages than anybody has looked at.
    #[error("malformed message flood")]
    MalformedFlood,
    /// The first frame is not SETTINGS (RFC 9113 section 3.4).
    #[error("the first frame is not SETTINGS")]
    Preface,
    /// A length that frames of this type cannot have (RFC 9113 section 4.2).
    #[error("a frame of a wrong size")]
    Size,
    /// Fields that cannot be decoded (RFC 9113 section 4.3).
    #[error("a field block that cannot be decoded")]
    Compression,
    /// A frame inside a field block, or a part of one outside (RFC 9113 section 6.10).
    #[error("a field block that is not in one piece")]
    Block,
    /// More padding than the frame is long (RFC 9113 section 6.2).
    #[error("more padding than payload")]
    Padding,
    /// PUSH_PROMISE, which nobody may send here (RFC 9113 section 8.4).
    #[error("a push promise")]
    Push,
    /// ENABLE_PUSH of a server (RFC 9113 section 6.5.2).
    #[error("a setting of a value that it cannot have")]
    Setting,
    /// DATA or HEADERS behind the end of a stream (RFC 9113 section 5.1).
    #[error("a frame on a stream that has ended")]
    StreamClosed,
    /// A window above 2^31-1 (RFC 9113 sections 6.5.2 and 6.9.1).
    #[error("a window that is too large")]
    Window,
    /// More content than the windows allow (RFC 9113 section 6.9).
    #[error("more content than the window allows")]
    WindowExceeded,
    /// A WINDOW_UPDATE that opens nothing (RFC 9113 section 6.9).
    #[error("a window update of nothing")]
    WindowUpdate,
    /// A frame of streams on stream 0, or the reverse (RFC 9113 section 6).
    #[error("a frame on a stream that it cannot be on")]
    StreamNumber,
    /// A frame on a stream that nobody has opened (RFC 9113 section 5.1).
    #[error("a frame on a stream that was not opened")]
    StreamIdle,
    /// A new stream whose number is not above all before, or of the other side (RFC 9113 section 5.1.1).
    #[error("a stream number out of order")]
    StreamOrder,
    /// More of a field block than any head can be (RFC 9113 section 10.5.1).
    #[error("a field block without an end")]
    BlockFlood,
    /// More answers to control frames wait to be sent than are kept.
    #[error("answers to control frames that nobody reads")]
    UnreadAnswers,
}

impl FrameFault {
    /// The error code that says so to the other side (RFC 9113 section 7).
    #[must_use]
    pub fn code(self) -> u32 {
        match self {
            Self::Preface | Self::Block | Self::Padding | Self::Push | Self::Setting => {
                PROTOCOL_ERROR
            }
            Self::WindowUpdate | Self::StreamNumber | Self::StreamIdle | Self::StreamOrder => {
                PROTOCOL_ERROR
            }
            Self::Window | Self::WindowExceeded => FLOW_CONTROL_ERROR,
            Self::StreamClosed => 0x5,
            Self::Size => 0x6,
            Self::Compression => 0x9,
            Self::ControlFlood
            | Self::ResetFlood
            | Self::MalformedFlood
            | Self::Memory
            | Self::BlockFlood
            | Self::UnreadAnswers => 0xb,
        }
    }
}

/// Whether a RST_STREAM with this code is one that the recipient has asked for by a fault.
pub(super) fn is_for_a_fault(code: u32) -> bool {
    // PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR, COMPRESSION_ERROR.
    matches!(code, 0x1 | 0x3 | 0x5 | 0x6 | 0x9)
}
