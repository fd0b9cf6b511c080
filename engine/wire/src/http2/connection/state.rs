//! What a connection knows, and how it begins.

use std::time::Instant;

use super::super::allowance::Allowance;
use super::super::block::{Block, BlockLimits};
use super::super::closed_streams::ClosedStreams;
use super::super::event::{Event, GoingAway};
use super::super::fault::{FrameFault, is_for_a_fault};
use super::super::frames::{
    FrameHeader, HeaderReader, RST_STREAM, SETTINGS, WINDOW_UPDATE, write_header,
};
use super::super::hpack::{Decoder, Encoder};
use super::super::limits::{FRAME_BYTES_MAX, SENT_BYTES_PER_FRAME, WINDOW_DEFAULT};
use super::super::request::{Request, RequestRules};
use super::super::response::Response;
use super::super::settings::{
    ConnectionSettings, ENABLE_CONNECT_PROTOCOL, ENABLE_PUSH, INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS, MAX_HEADER_LIST_SIZE, PeerSettings, Role,
};
use super::super::stream_fault::StreamFault;
use super::super::streams::{Stream, Streams};
use super::super::window::{ReceiveWindow, SendWindow};

/// One HTTP/2 connection.
///
/// What was received goes into [`receive`](Self::receive), which tells what has come; what is to be sent
/// waits until [`transmit`](Self::transmit) takes it. Nothing is read or written here, and time is an
/// argument.
#[derive(Debug)]
pub struct Connection {
    pub(super) role: Role,
    pub(super) settings: ConnectionSettings,
    pub(super) peer: PeerSettings,
    pub(super) decoder: Decoder,
    pub(super) encoder: Encoder,
    pub(super) streams: Streams,
    pub(super) closed: ClosedStreams,
    /// The newest stream that a client has opened, be that us or the other side.
    pub(super) newest_stream: u32,

    // ---- what comes ----
    pub(super) reading: Reading,
    pub(super) header: HeaderReader,
    /// A payload that is not complete.
    pub(super) partial: Vec<u8>,
    /// A field block that is not complete.
    pub(super) block: Option<Box<OpenBlock>>,
    pub(super) receive_window: ReceiveWindow,
    /// The first SETTINGS have come.
    pub(super) has_begun: bool,
    pub(super) fault: Option<FrameFault>,
    pub(super) going_away: Option<GoingAway>,
    pub(super) control: Allowance,
    /// Requests that were reset before their response began have cost what requests cost, and were never
    /// there to be counted among the open ones (CVE-2023-44487, and CVE-2025-8671, where the client has the
    /// server do the resetting). What was answered pays for some.
    pub(super) resets: Allowance,
    pub(super) now: Option<Instant>,
    pub(super) spare_request: Option<Box<Request>>,
    pub(super) spare_response: Option<Box<Response>>,

    // ---- what goes ----
    pub(super) output: Vec<u8>,
    /// Room for values that are made for one head.
    pub(crate) made: Vec<u8>,
    pub(super) send_window: SendWindow,
    /// Content was not taken for want of a window of the connection.
    pub(super) is_blocked: bool,
    /// Bytes sent that have earned nothing yet.
    pub(super) sent_bytes: usize,
    /// The newest stream that we finish, once we have taken our leave.
    pub(super) leaving: Option<u32>,
    /// Leave is taken for good when the answer to a PING has come.
    pub(super) is_draining: bool,
}

/// What is being read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reading {
    /// The client connection preface (RFC 9113 section 3.4), of which so many bytes have come.
    Preface(usize),
    Header,
    /// A frame that is taken as a whole.
    Payload(FrameHeader),
    /// The first byte of padded DATA.
    PadLength(FrameHeader),
    Content(Content),
    /// What nobody looks at.
    Skip(usize),
}

/// A DATA frame whose content is being handed out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content {
    pub(super) stream: u32,
    pub(super) left: usize,
    pub(super) padding: usize,
    pub(super) ends: bool,
}

/// A field block until its last frame.
#[derive(Debug)]
pub(super) struct OpenBlock {
    pub(super) stream: u32,
    /// The stream ends with it.
    pub(super) ends: bool,
    pub(super) block: Block,
    /// A field that is not complete.
    pub(super) undecoded: Vec<u8>,
    pub(super) bytes: usize,
    pub(super) continuations: u32,
    /// What was wrong with the frame that began it.
    pub(super) fault: Option<StreamFault>,
}

/// RFC 9113 section 3.4.
pub(super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl Connection {
    /// A connection to a server. What is to be sent first waits to be transmitted.
    #[must_use]
    pub fn client(settings: ConnectionSettings) -> Self {
        let mut connection = Self::new(Role::Client, Reading::Header, settings);
        connection.output.extend_from_slice(PREFACE);
        connection.begin(&[(ENABLE_PUSH, 0)]);
        connection
    }

    /// A connection of a client. What is to be sent first waits to be transmitted.
    #[must_use]
    pub fn server(settings: ConnectionSettings) -> Self {
        let mut connection = Self::new(Role::Server, Reading::Preface(0), settings);
        connection.begin(&[
            (MAX_CONCURRENT_STREAMS, settings.streams_max),
            (ENABLE_CONNECT_PROTOCOL, 1),
        ]);
        connection
    }

    fn new(role: Role, reading: Reading, settings: ConnectionSettings) -> Self {
        let window = settings.connection_window_bytes.max(WINDOW_DEFAULT);
        Self {
            role,
            settings,
            peer: PeerSettings::default(),
            decoder: Decoder::default(),
            encoder: Encoder::default(),
            streams: Streams::default(),
            closed: ClosedStreams::default(),
            newest_stream: 0,
            reading,
            header: HeaderReader::default(),
            partial: Vec::new(),
            block: None,
            receive_window: ReceiveWindow::new(window),
            has_begun: false,
            fault: None,
            going_away: None,
            control: Allowance::new(settings.control_frames_per_second),
            resets: Allowance::new(settings.resets_per_second),
            now: None,
            spare_request: None,
            spare_response: None,
            output: Vec::new(),
            made: Vec::new(),
            send_window: SendWindow::new(WINDOW_DEFAULT),
            is_blocked: false,
            sent_bytes: 0,
            leaving: None,
            is_draining: false,
        }
    }

    /// Our SETTINGS, and the window of the connection, which no setting opens (RFC 9113 section 6.9.2).
    fn begin(&mut self, settings: &[(u16, u32)]) {
        let list_bytes = u32::try_from(self.settings.head.head_bytes_max).unwrap_or(u32::MAX);
        let of_both = [
            (INITIAL_WINDOW_SIZE, self.stream_window_bytes()),
            (MAX_HEADER_LIST_SIZE, list_bytes),
        ];
        let all = settings.iter().chain(&of_both);
        write_header(&mut self.output, 6 * (settings.len() + 2), SETTINGS, 0, 0);
        for (key, value) in all {
            self.output.extend_from_slice(&key.to_be_bytes());
            self.output.extend_from_slice(&value.to_be_bytes());
        }
        let window = self.settings.connection_window_bytes;
        if let Some(more @ 1..) = window.checked_sub(WINDOW_DEFAULT) {
            self.write_window_update(0, more);
        }
    }

    pub(super) fn stream_window_bytes(&self) -> u32 {
        self.settings.stream_window_bytes.max(WINDOW_DEFAULT)
    }

    /// What requests are held to.
    pub(super) fn request_rules(&self) -> RequestRules {
        RequestRules {
            form: self.settings.form,
            limits: self.settings.head,
        }
    }

    /// What all heads are held to.
    pub(super) fn block_limits(&self) -> BlockLimits {
        let head = &self.settings.head;
        BlockLimits {
            list_bytes_max: u32::try_from(head.head_bytes_max).unwrap_or(u32::MAX),
            fields_max: head.headers_max,
        }
    }

    /// How many streams are open.
    #[must_use]
    pub fn streams_count(&self) -> usize {
        self.streams.len()
    }

    /// What the connection failed of, if it has.
    #[must_use]
    pub fn fault(&self) -> Option<FrameFault> {
        self.fault
    }

    /// What the last GOAWAY of the other side said, if one has come.
    #[must_use]
    pub fn going_away(&self) -> Option<GoingAway> {
        self.going_away
    }

    /// Whether the other side has sent its SETTINGS.
    #[must_use]
    pub fn has_settings(&self) -> bool {
        self.has_begun
    }

    /// Whether the other side takes extended CONNECT (RFC 8441 section 3), as far as it has said.
    #[must_use]
    pub fn takes_extended_connect(&self) -> bool {
        self.peer.takes_extended_connect
    }

    /// Gives back memory that an idle connection does not need.
    pub fn shrink(&mut self) {
        self.spare_request = None;
        self.spare_response = None;
        self.streams.shrink();
        if self.output.is_empty() {
            self.output = Vec::new();
        }
    }

    // ---- what all of its parts do ----

    pub(super) fn write_window_update(&mut self, stream: u32, bytes: u32) {
        write_header(&mut self.output, 4, WINDOW_UPDATE, 0, stream);
        self.output.extend_from_slice(&bytes.to_be_bytes());
    }

    /// Counts content of the connection that was passed on or discarded.
    pub(super) fn release_connection(&mut self, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        if let Some(opened) = self.receive_window.release(bytes) {
            self.write_window_update(0, opened);
        }
    }

    /// Takes a stream out that both sides have ended.
    pub(super) fn close_if_ended(&mut self, id: u32) {
        let is_over = |stream: &&Stream| stream.peer_ended && stream.we_ended;
        if self.streams.get(id).filter(is_over).is_some()
            && let Some(stream) = self.streams.remove(id)
        {
            self.closed.end(id, stream.send);
        }
    }

    /// Ends a stream with RST_STREAM. Fails where the other side has had us do so too often.
    pub(super) fn write_reset(&mut self, id: u32, code: u32) -> Result<(), FrameFault> {
        let stream = self.streams.remove(id);
        let was_ended = stream.is_some_and(|stream| stream.peer_ended);
        self.closed.reset_by_us(id, was_ended);
        write_header(&mut self.output, 4, RST_STREAM, 0, id);
        self.output.extend_from_slice(&code.to_be_bytes());
        let is_made = self.role == Role::Server && is_for_a_fault(code);
        match !is_made || self.resets.draw() {
            true => Ok(()),
            false => Err(FrameFault::ResetFlood),
        }
    }

    /// Ends a stream for what came in it.
    pub(super) fn fail_stream(
        &mut self,
        stream: u32,
        fault: StreamFault,
        is_new: bool,
    ) -> Result<Option<Event<'static>>, FrameFault> {
        self.write_reset(stream, fault.code())?;
        Ok(Some(Event::StreamFault {
            stream,
            fault,
            is_new,
        }))
    }

    /// Counts what was taken to be sent.
    pub(super) fn earn(&mut self, bytes: usize) {
        self.sent_bytes += bytes;
        let frames = self.sent_bytes / SENT_BYTES_PER_FRAME;
        self.sent_bytes %= SENT_BYTES_PER_FRAME;
        self.control.earn(u32::try_from(frames).unwrap_or(u32::MAX));
    }

    /// The largest frame that the other side takes of us.
    pub(super) fn frame_bytes_max(&self) -> usize {
        self.peer.frame_bytes_max.min(FRAME_BYTES_MAX)
    }
}
