//! What is known of a connection and of the exchanges on it.

use crate::http2::frame::{
    self, PAYLOAD_BYTES_MAX, PREFACE, Violation, WINDOW_DEFAULT, kind, setting,
};
use crate::http2::hpack::Decoder;
use crate::plan::body::Body;
use crate::worker::check::Check;
use crate::worker::failure::Failure;
use crate::worker::job::Traffic;

/// What each stream may receive before it is granted more, octets.
pub(super) const STREAM_WINDOW: u32 = 1 << 20;
/// What the connection may receive before it is granted more, octets.
pub(super) const CONNECTION_WINDOW: u32 = 8 << 20;
/// Stream identifiers are used up to here; then a new connection is due.
const STREAM_LAST: u32 = (1 << 31) - 3;

/// One lane's exchange.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: u32,
    pub(super) check: Check,
    /// What may be sent of the body.
    pub(super) window: i64,
    pub(super) body_sent: u64,
    pub(super) body: Body,
    /// Received and not granted again.
    pub(super) unacknowledged: u32,
}

/// What came of a lane.
pub(in crate::worker) type Ended = (usize, Result<Result<(), Failure>, Failure>);

/// A connection's HTTP/2 state.
#[derive(Debug)]
pub(in crate::worker) struct Streams {
    pub(super) lanes: Vec<Option<Stream>>,
    pub(super) decoder: Decoder,
    pub(super) next_id: u32,
    pub(super) window: i64,
    pub(super) peer_window: i64,
    pub(super) peer_payload_max: usize,
    pub(super) peer_streams_max: usize,
    pub(super) unacknowledged: u32,
    /// A header block whose end is still to come: its stream, whether the stream ends with it.
    pub(super) open_block: Option<(u32, bool)>,
    pub(super) block: Vec<u8>,
    /// The other end starts no more streams.
    pub(super) is_going: bool,
    pub(in crate::worker) traffic: Traffic,
    pub(super) has_settings: bool,
}

/// How a lane's exchange ended.
pub(super) type Ended1 = Result<Result<(), Failure>, Failure>;

impl Streams {
    /// A new connection; what is sent first goes into `outbox`.
    pub(in crate::worker) fn start(lanes: usize, outbox: &mut Vec<u8>) -> Self {
        outbox.extend_from_slice(PREFACE);
        let settings = [
            (setting::ENABLE_PUSH, 0),
            (setting::INITIAL_WINDOW_SIZE, STREAM_WINDOW),
        ];
        frame::put_settings(&settings, outbox);
        let more = CONNECTION_WINDOW - u32::try_from(WINDOW_DEFAULT).unwrap_or(0);
        frame::put_number(kind::WINDOW_UPDATE, 0, more, outbox);
        Self {
            lanes: (0..lanes).map(|_| None).collect(),
            decoder: Decoder::new(),
            next_id: 1,
            window: WINDOW_DEFAULT,
            peer_window: WINDOW_DEFAULT,
            peer_payload_max: PAYLOAD_BYTES_MAX,
            peer_streams_max: usize::MAX,
            unacknowledged: 0,
            open_block: None,
            block: Vec::new(),
            is_going: false,
            traffic: Traffic::default(),
            has_settings: false,
        }
    }

    /// Whether one more exchange can start.
    pub(in crate::worker) fn is_open(&self) -> bool {
        !self.is_going && self.next_id < STREAM_LAST
    }

    /// Exchanges under way.
    pub(in crate::worker) fn active(&self) -> usize {
        self.lanes.iter().flatten().count()
    }

    /// Whether the other end allows one more stream now.
    pub(in crate::worker) fn has_room(&self) -> bool {
        self.active() < self.peer_streams_max
    }

    /// A stream that was opened once.
    pub(super) fn known(&self, id: u32) -> Result<(), Violation> {
        if id % 2 == 1 && id < self.next_id {
            Ok(())
        } else {
            Err(Violation("frame on a stream that was never opened"))
        }
    }

    pub(super) fn lane_of(&self, id: u32) -> Option<usize> {
        let is = |stream: &Option<Stream>| stream.as_ref().is_some_and(|stream| stream.id == id);
        self.lanes.iter().position(is)
    }

    pub(super) fn end(&mut self, lane: usize, verdict: Ended1, ended: &mut Vec<Ended>) {
        if let Some(entry) = self.lanes.get_mut(lane) {
            *entry = None;
        }
        ended.push((lane, verdict));
    }
}
