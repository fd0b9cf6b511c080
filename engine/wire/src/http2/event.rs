//! What a connection tells whoever drives it.

use super::request::Request;
use super::response::{Response, Trailers};
use super::stream_fault::StreamFault;

/// Something that has come.
#[derive(Debug)]
pub enum Event<'i> {
    /// The head of a request, which opens a stream. Servers only.
    Request {
        /// The stream.
        stream: u32,
        /// The head.
        request: Box<Request>,
        /// No content follows.
        end_stream: bool,
    },
    /// The head of an interim response; another head follows. Clients only.
    Interim {
        /// The stream.
        stream: u32,
        /// The head.
        response: Box<Response>,
    },
    /// The head of a final response. Clients only.
    Response {
        /// The stream.
        stream: u32,
        /// The head.
        response: Box<Response>,
        /// No content follows.
        end_stream: bool,
    },
    /// Content, a part of the input. Every byte of it must come back by
    /// [`Connection::release`](super::Connection::release), passed on or not, or the window of the connection
    /// shrinks for good.
    Data {
        /// The stream.
        stream: u32,
        /// The content; it may be empty at the end of a stream.
        bytes: &'i [u8],
        /// This was the last of it, and no trailers follow.
        end_stream: bool,
    },
    /// The trailer section, which ends the stream.
    Trailers {
        /// The stream.
        stream: u32,
        /// The fields.
        trailers: Box<Trailers>,
    },
    /// The other side has reset a stream, which is gone.
    Reset {
        /// The stream.
        stream: u32,
        /// Why (RFC 9113 section 7).
        code: u32,
    },
    /// A stream is gone because of what came in it; the other side is told.
    StreamFault {
        /// The stream.
        stream: u32,
        /// What was wrong.
        fault: StreamFault,
        /// No other event has named the stream: its request was never one.
        is_new: bool,
    },
    /// More content is taken than before: in one stream, or, without one, in any.
    WindowOpen {
        /// The stream.
        stream: Option<u32>,
    },
    /// Settings of the other side have come: limits may have changed, windows may have opened.
    Settings,
    /// Ours are in force there.
    SettingsAcknowledged,
    /// The answer to a PING of ours.
    Pong {
        /// What was asked with.
        payload: [u8; 8],
    },
    /// The other side takes its leave. Streams of ours above `last_stream` are gone, and nothing in them was
    /// processed (RFC 9113 section 6.8).
    GoAway(GoingAway),
}

/// What the other side has said in its last GOAWAY (RFC 9113 section 6.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoingAway {
    /// The newest stream that it may have processed.
    pub last_stream: u32,
    /// Why.
    pub code: u32,
}
