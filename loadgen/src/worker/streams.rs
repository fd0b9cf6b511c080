//! The client's side of HTTP/2 (RFC 9113) without I/O: requests become frames in an outbox, frames
//! from the inbox become outcomes. Strict, since a meter that guesses hides the fault it was built
//! to find.

use super::check::Check;
use super::failure::Failure;
use super::job::Traffic;
use crate::http2::frame::{
    self, Frame, PAYLOAD_BYTES_MAX, PREFACE, Violation, WINDOW_DEFAULT, WINDOW_MAX, code, flag,
    kind, setting,
};
use crate::http2::hpack::Decoder;
use crate::plan::body::Body;
use crate::plan::client::Client;
use crate::plan::mix::Exchange;

/// What each stream may receive before it is granted more, octets.
const STREAM_WINDOW: u32 = 1 << 20;
/// What the connection may receive before it is granted more, octets.
const CONNECTION_WINDOW: u32 = 8 << 20;
/// Longest header block, octets.
const BLOCK_BYTES_MAX: usize = 64 * 1024;
/// No more body is rendered while this much waits to be sent, octets.
const OUTBOX_BYTES_MAX: usize = 128 * 1024;
/// Stream identifiers are used up to here; then a new connection is due.
const STREAM_LAST: u32 = (1 << 31) - 3;

/// One lane's exchange.
#[derive(Debug)]
struct Stream {
    id: u32,
    check: Check,
    /// What may be sent of the body.
    window: i64,
    body_sent: u64,
    body: Body,
    /// Received and not granted again.
    unacknowledged: u32,
}

/// What came of a lane.
pub(super) type Ended = (usize, Result<Result<(), Failure>, Failure>);

/// A connection's HTTP/2 state.
#[derive(Debug)]
pub(super) struct Streams {
    lanes: Vec<Option<Stream>>,
    decoder: Decoder,
    next_id: u32,
    window: i64,
    peer_window: i64,
    peer_payload_max: usize,
    peer_streams_max: usize,
    unacknowledged: u32,
    /// A header block whose end is still to come: its stream, whether the stream ends with it.
    open_block: Option<(u32, bool)>,
    block: Vec<u8>,
    /// The other end starts no more streams.
    is_going: bool,
    pub(super) traffic: Traffic,
    has_settings: bool,
}

impl Streams {
    /// A new connection; what is sent first goes into `outbox`.
    pub(super) fn start(lanes: usize, outbox: &mut Vec<u8>) -> Self {
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
    pub(super) fn is_open(&self) -> bool {
        !self.is_going && self.next_id < STREAM_LAST
    }

    /// Exchanges under way.
    pub(super) fn active(&self) -> usize {
        self.lanes.iter().flatten().count()
    }

    /// Whether the other end allows one more stream now.
    pub(super) fn has_room(&self) -> bool {
        self.active() < self.peer_streams_max
    }

    /// Sends a request.
    pub(super) fn request(
        &mut self,
        lane: usize,
        exchange: &Exchange,
        client: &Client,
        outbox: &mut Vec<u8>,
    ) {
        let id = self.next_id;
        self.next_id += 2;
        self.block.clear();
        self.block.extend_from_slice(&exchange.block);
        self.block.extend_from_slice(&client.block);
        let body = exchange.body.clone();
        frame::put_headers(id, &self.block, body.bytes() == 0, outbox);
        self.block.clear();
        if let Some(entry) = self.lanes.get_mut(lane) {
            *entry = Some(Stream {
                id,
                check: Check::new(exchange.expectation),
                window: self.peer_window,
                body_sent: 0,
                body,
                unacknowledged: 0,
            });
        }
        self.send_bodies(outbox);
    }

    /// Gives up a lane's exchange.
    pub(super) fn cancel(&mut self, lane: usize, outbox: &mut Vec<u8>) {
        if let Some(stream) = self.lanes.get_mut(lane).and_then(Option::take) {
            frame::put_number(kind::RST_STREAM, stream.id, code::CANCEL, outbox);
        }
    }

    /// Renders what flow control allows of request bodies.
    pub(super) fn send_bodies(&mut self, outbox: &mut Vec<u8>) {
        for stream in self.lanes.iter_mut().flatten() {
            while stream.body_sent < stream.body.bytes() && outbox.len() < OUTBOX_BYTES_MAX {
                let allowed = usize::try_from(stream.window.min(self.window)).unwrap_or(0);
                let left = stream.body.bytes() - stream.body_sent;
                let limit = usize::try_from(left).unwrap_or(usize::MAX);
                let limit = limit
                    .min(allowed)
                    .min(self.peer_payload_max)
                    .min(PAYLOAD_BYTES_MAX);
                let piece = stream.body.slice(stream.body_sent, limit);
                if piece.is_empty() {
                    break;
                }
                let is_end = piece.len() as u64 == left;
                let flags = if is_end { flag::END_STREAM } else { 0 };
                frame::put(kind::DATA, flags, stream.id, piece, outbox);
                let bytes = i64::try_from(piece.len()).unwrap_or(i64::MAX);
                stream.window -= bytes;
                self.window -= bytes;
                stream.body_sent += piece.len() as u64;
                self.traffic.sent += piece.len() as u64;
            }
        }
    }

    /// Takes complete frames out of `inbox`; returns how many octets they had.
    pub(super) fn receive(
        &mut self,
        inbox: &[u8],
        outbox: &mut Vec<u8>,
        ended: &mut Vec<Ended>,
    ) -> Result<usize, Violation> {
        let mut rest = inbox;
        while let Some((frame, after)) = Frame::take(rest)? {
            rest = after;
            self.on_frame(&frame, outbox, ended)?;
        }
        self.send_bodies(outbox);
        Ok(inbox.len() - rest.len())
    }

    fn on_frame(
        &mut self,
        frame: &Frame<'_>,
        outbox: &mut Vec<u8>,
        ended: &mut Vec<Ended>,
    ) -> Result<(), Violation> {
        if !self.has_settings && frame.kind != kind::SETTINGS {
            return Err(Violation("the first frame is not SETTINGS"));
        }
        if self.open_block.is_some() != (frame.kind == kind::CONTINUATION) {
            return Err(Violation(
                "header block interrupted, or continued without a start",
            ));
        }
        match frame.kind {
            kind::DATA => self.on_data(frame, outbox, ended),
            kind::HEADERS => {
                self.known(frame.stream)?;
                self.open_block = Some((frame.stream, frame.has(flag::END_STREAM)));
                self.on_block(frame, frame.content()?, ended)
            }
            kind::CONTINUATION => self.on_block(frame, frame.payload, ended),
            kind::RST_STREAM => {
                self.known(frame.stream)?;
                let reason = frame.number()?;
                if let Some(lane) = self.lane_of(frame.stream) {
                    self.end(lane, Err(Failure::StreamReset(reason)), ended);
                }
                Ok(())
            }
            kind::SETTINGS => self.on_settings(frame, outbox),
            kind::PING if frame.payload.len() == 8 && frame.stream == 0 => {
                if !frame.has(flag::ACK) {
                    frame::put(kind::PING, flag::ACK, 0, frame.payload, outbox);
                }
                Ok(())
            }
            kind::PING => Err(Violation("ping frame broken")),
            kind::GOAWAY => self.on_goaway(frame, ended),
            kind::WINDOW_UPDATE => self.on_window_update(frame),
            kind::PUSH_PROMISE => Err(Violation("pushed, though told not to")),
            // PRIORITY is obsolete; unknown frames are to be ignored (RFC 9113 section 5.5).
            _ => Ok(()),
        }
    }

    /// A stream that was opened once.
    fn known(&self, id: u32) -> Result<(), Violation> {
        if id % 2 == 1 && id < self.next_id {
            Ok(())
        } else {
            Err(Violation("frame on a stream that was never opened"))
        }
    }

    fn lane_of(&self, id: u32) -> Option<usize> {
        let is = |stream: &Option<Stream>| stream.as_ref().is_some_and(|stream| stream.id == id);
        self.lanes.iter().position(is)
    }

    fn end(&mut self, lane: usize, verdict: Ended1, ended: &mut Vec<Ended>) {
        if let Some(entry) = self.lanes.get_mut(lane) {
            *entry = None;
        }
        ended.push((lane, verdict));
    }

    fn on_block(
        &mut self,
        frame: &Frame<'_>,
        piece: &[u8],
        ended: &mut Vec<Ended>,
    ) -> Result<(), Violation> {
        let Some((stream, is_end)) = self.open_block.filter(|(id, _)| *id == frame.stream) else {
            return Err(Violation("header block continued on another stream"));
        };
        if self.block.len() + piece.len() > BLOCK_BYTES_MAX {
            return Err(Violation("header block longer than 64 KiB"));
        }
        self.block.extend_from_slice(piece);
        if !frame.has(flag::END_HEADERS) {
            return Ok(());
        }
        self.open_block = None;
        let lane = self.lane_of(stream);
        let entry = lane
            .and_then(|lane| self.lanes.get_mut(lane))
            .and_then(Option::as_mut);
        let outcome = read_head(&mut self.decoder, &self.block, entry.map(|s| &mut s.check));
        self.block.clear();
        let is_interim = outcome?;
        match lane {
            Some(_) if is_end && is_interim => Err(Violation("1xx that ends its stream")),
            Some(lane) if is_end => {
                self.finish(lane, ended);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The stream has ended in order.
    fn finish(&mut self, lane: usize, ended: &mut Vec<Ended>) {
        let verdict = self.lanes.get(lane).and_then(Option::as_ref);
        let verdict = verdict.map_or(Err(Failure::EarlyClose), |stream| {
            Ok(stream.check.verdict())
        });
        self.end(lane, verdict, ended);
    }

    fn on_data(
        &mut self,
        frame: &Frame<'_>,
        outbox: &mut Vec<u8>,
        ended: &mut Vec<Ended>,
    ) -> Result<(), Violation> {
        self.known(frame.stream)?;
        let data = frame.content()?;
        // Padding counts too (RFC 9113 section 6.9.1).
        let bytes = u32::try_from(frame.payload.len()).unwrap_or(u32::MAX);
        self.unacknowledged += bytes;
        if self.unacknowledged > CONNECTION_WINDOW {
            return Err(Violation("more data than the connection's window"));
        }
        if self.unacknowledged >= CONNECTION_WINDOW / 2 {
            frame::put_number(kind::WINDOW_UPDATE, 0, self.unacknowledged, outbox);
            self.unacknowledged = 0;
        }
        let Some(lane) = self.lane_of(frame.stream) else {
            return Ok(());
        };
        let Some(stream) = self.lanes.get_mut(lane).and_then(Option::as_mut) else {
            return Ok(());
        };
        if stream.check.status() == 0 {
            return Err(Violation("data before the head"));
        }
        stream.unacknowledged += bytes;
        if stream.unacknowledged > STREAM_WINDOW {
            return Err(Violation("more data than the stream's window"));
        }
        stream.check.on_body(data);
        self.traffic.received += data.len() as u64;
        if frame.has(flag::END_STREAM) {
            self.finish(lane, ended);
        } else if stream.unacknowledged >= STREAM_WINDOW / 2 {
            frame::put_number(
                kind::WINDOW_UPDATE,
                stream.id,
                stream.unacknowledged,
                outbox,
            );
            stream.unacknowledged = 0;
        }
        Ok(())
    }

    fn on_settings(&mut self, frame: &Frame<'_>, outbox: &mut Vec<u8>) -> Result<(), Violation> {
        self.has_settings = true;
        if frame.has(flag::ACK) {
            return Ok(());
        }
        for (key, value) in frame.settings()? {
            match key {
                setting::MAX_CONCURRENT_STREAMS => {
                    self.peer_streams_max = usize::try_from(value).unwrap_or(usize::MAX);
                }
                setting::INITIAL_WINDOW_SIZE => {
                    let window = i64::from(value);
                    if window > WINDOW_MAX {
                        return Err(Violation("initial window too large"));
                    }
                    for stream in self.lanes.iter_mut().flatten() {
                        stream.window += window - self.peer_window;
                    }
                    self.peer_window = window;
                }
                setting::MAX_FRAME_SIZE => {
                    self.peer_payload_max = usize::try_from(value).unwrap_or(PAYLOAD_BYTES_MAX);
                }
                _ => {}
            }
        }
        frame::put(kind::SETTINGS, flag::ACK, 0, &[], outbox);
        Ok(())
    }

    fn on_goaway(&mut self, frame: &Frame<'_>, ended: &mut Vec<Ended>) -> Result<(), Violation> {
        self.is_going = true;
        let last = frame.number()?;
        for lane in 0..self.lanes.len() {
            let stream = self.lanes.get(lane).and_then(Option::as_ref);
            // It was not processed and may be asked again elsewhere (RFC 9113 section 6.8).
            if stream.is_some_and(|stream| stream.id > last) {
                self.end(lane, Err(Failure::StaleConnection), ended);
            }
        }
        Ok(())
    }

    fn on_window_update(&mut self, frame: &Frame<'_>) -> Result<(), Violation> {
        let more = i64::from(frame.number()?) & WINDOW_MAX;
        if frame.stream == 0 {
            self.window += more;
        } else {
            self.known(frame.stream)?;
            let lane = self.lane_of(frame.stream);
            let stream = lane.and_then(|lane| self.lanes.get_mut(lane));
            if let Some(stream) = stream.and_then(Option::as_mut) {
                stream.window += more;
            }
        }
        if more == 0 || self.window > WINDOW_MAX {
            return Err(Violation("window update of nothing, or over the limit"));
        }
        Ok(())
    }
}

/// How a lane's exchange ended.
type Ended1 = Result<Result<(), Failure>, Failure>;

/// Reads a head, or trailers, into `check`; tells whether it was an interim response.
fn read_head(
    decoder: &mut Decoder,
    block: &[u8],
    check: Option<&mut Check>,
) -> Result<bool, Violation> {
    let mut status = 0_u16;
    let mut is_wrong = false;
    let mut digests: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let is_trailer = check.as_ref().is_some_and(|check| check.status() != 0);
    decoder.decode(block, |name, value| {
        if name == b":status" {
            let text = std::str::from_utf8(value).unwrap_or_default();
            is_wrong |= status != 0 || is_trailer;
            status = text.parse().unwrap_or(0);
        } else {
            is_wrong |= name.first() == Some(&b':') || name.iter().any(u8::is_ascii_uppercase);
            if matches!(name.len(), 10 | 14) {
                digests.push((name.to_vec(), value.to_vec()));
            }
        }
    })?;
    let Some(check) = check else {
        return Ok(false);
    };
    if is_wrong || (!is_trailer && !(100..=599).contains(&status)) {
        return Err(Violation("response head broken"));
    }
    if is_trailer {
        return Ok(false);
    }
    if (100..200).contains(&status) {
        return Ok(true);
    }
    check.on_status(status);
    for (name, value) in digests {
        check.on_field(&name, &value);
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use crate::pattern;
    use proptest::prelude::*;

    use super::*;
    use crate::http2::hpack::encode_field;

    /// Renders what a peer sends.
    type Render = dyn Fn(&mut Vec<u8>);

    const EXPECTATION: crate::plan::mix::Expectation = crate::plan::mix::Expectation {
        status: 200,
        body_bytes: None,
        pattern: true,
        crc32c: None,
        sent: crate::plan::mix::Sent {
            bytes: 0,
            crc32c: 0,
        },
        head_only: false,
    };

    /// A connection with a request on each of `lanes` lanes, and all it sent.
    fn asked(lanes: usize) -> (Streams, Vec<u8>) {
        let mut outbox = Vec::new();
        let mut streams = Streams::start(lanes, &mut outbox);
        for lane in 0..lanes {
            let id = streams.next_id;
            streams.next_id += 2;
            streams.lanes[lane] = Some(Stream {
                id,
                check: Check::new(EXPECTATION),
                window: streams.peer_window,
                body_sent: 0,
                body: Body::default(),
                unacknowledged: 0,
            });
        }
        (streams, outbox)
    }

    fn head(stream: u32, status: &str, is_end: bool, out: &mut Vec<u8>) {
        let mut block = Vec::new();
        encode_field(":status", status, &mut block);
        encode_field("server", "x", &mut block);
        frame::put_headers(stream, &block, is_end, out);
    }

    /// What a peer's frames, after its settings, come to.
    fn verdict(frames: &[u8]) -> Result<Vec<Ended>, Violation> {
        let (mut streams, mut outbox) = asked(1);
        let mut input = Vec::new();
        frame::put_settings(&[], &mut input);
        input.extend_from_slice(frames);
        let mut ended = Vec::new();
        streams.receive(&input, &mut outbox, &mut ended)?;
        Ok(ended)
    }

    #[test]
    fn violations_are_seen() {
        let made = |make: &Render| {
            let mut out = Vec::new();
            make(&mut out);
            verdict(&out)
        };
        // Each breaks one rule of RFC 9113.
        let cases: [&Render; 10] = [
            &|out| frame::put(kind::DATA, 0, 1, b"early", out),
            &|out| head(3, "200", false, out),
            &|out| head(2, "200", false, out),
            &|out| head(1, "99", false, out),
            &|out| head(1, "103", true, out),
            &|out| frame::put(kind::CONTINUATION, flag::END_HEADERS, 1, b"", out),
            &|out| {
                frame::put(kind::HEADERS, 0, 1, b"", out);
                frame::put(kind::PING, 0, 0, &[0; 8], out);
            },
            &|out| frame::put(kind::PUSH_PROMISE, flag::END_HEADERS, 1, &[0; 4], out),
            &|out| frame::put_number(kind::WINDOW_UPDATE, 1, 0, out),
            &|out| {
                frame::put(
                    kind::HEADERS,
                    flag::END_HEADERS,
                    1,
                    b"\xff\xff\xff\xff\xff",
                    out,
                )
            },
        ];
        for (index, case) in cases.iter().enumerate() {
            assert!(made(case).is_err(), "case {index}");
        }
        let (mut streams, mut outbox) = asked(1);
        let mut first = Vec::new();
        head(1, "200", true, &mut first);
        assert!(
            streams
                .receive(&first, &mut outbox, &mut Vec::new())
                .is_err()
        );
    }

    #[test]
    fn ways_to_end() {
        let ended = |make: &Render| {
            let mut out = Vec::new();
            make(&mut out);
            verdict(&out).unwrap().pop().unwrap().1
        };
        assert_eq!(ended(&|out| head(1, "200", true, out)), Ok(Ok(())));
        assert_eq!(
            ended(&|out| head(1, "500", true, out)),
            Ok(Err(Failure::BadStatus(500)))
        );
        assert_eq!(
            ended(&|out| frame::put_number(kind::RST_STREAM, 1, 7, out)),
            Err(Failure::StreamReset(7))
        );
        assert_eq!(
            ended(&|out| frame::put_goaway(0, 0, out)),
            Err(Failure::StaleConnection)
        );
        let trailers = ended(&|out| {
            head(1, "103", false, out);
            head(1, "200", false, out);
            frame::put(kind::DATA, 0, 1, pattern::slice(0, 10), out);
            let mut block = Vec::new();
            encode_field("grpc-status", "0", &mut block);
            frame::put_headers(1, &block, true, out);
        });
        assert_eq!(trailers, Ok(Ok(())));
    }

    proptest! {
        #[test]
        fn any_cut_and_order_gives_the_same_bodies(
            lengths in prop::collection::vec(0_usize..100_000, 1..5),
            piece in 1_usize..16_000,
            cuts in prop::collection::vec(1_usize..30_000, 1..50),
        ) {
            let (mut streams, mut outbox) = asked(lengths.len());
            let mut input = Vec::new();
            frame::put_settings(&[(setting::INITIAL_WINDOW_SIZE, 100)], &mut input);
            let id = |lane: usize| u32::try_from(lane * 2 + 1).unwrap();
            for (lane, length) in lengths.iter().enumerate() {
                head(id(lane), "200", *length == 0, &mut input);
            }
            // Interleaved, as a server with many streams sends them.
            for round in 0..100_000_usize.div_ceil(piece) {
                for (lane, &length) in lengths.iter().enumerate() {
                    let start = round * piece;
                    if start < length {
                        let data = pattern::slice(start as u64, piece.min(length - start));
                        let is_end = start + data.len() == length;
                        frame::put(kind::DATA, u8::from(is_end), id(lane), data, &mut input);
                    }
                }
            }
            let (mut inbox, mut ended, mut rest) = (Vec::new(), Vec::new(), input.as_slice());
            for cut in cuts.iter().cycle() {
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                inbox.extend_from_slice(now);
                rest = later;
                let taken = streams.receive(&inbox, &mut outbox, &mut ended).unwrap();
                inbox.drain(..taken);
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert!(inbox.is_empty() && streams.active() == 0);
            prop_assert_eq!(ended.len(), lengths.len());
            prop_assert!(ended.iter().all(|(_, verdict)| *verdict == Ok(Ok(()))), "{:?}", ended);
            let total: usize = lengths.iter().sum();
            prop_assert_eq!(streams.traffic.received, total as u64);
        }

        #[test]
        fn anything_is_survived(input in prop::collection::vec(any::<u8>(), 0..300)) {
            let (mut streams, mut outbox) = asked(2);
            let mut frames = Vec::new();
            frame::put_settings(&[], &mut frames);
            // Frames of every kind with any payload, then bytes that are none.
            for (index, payload) in input.chunks(20).enumerate() {
                let kind = u8::try_from(index % 11).unwrap();
                frame::put(kind, payload[0], u32::from(payload[0] % 5), payload, &mut frames);
                let _ = streams.receive(&frames, &mut outbox, &mut Vec::new());
                frames.clear();
            }
            let _ = streams.receive(&input, &mut outbox, &mut Vec::new());
        }
    }
}
