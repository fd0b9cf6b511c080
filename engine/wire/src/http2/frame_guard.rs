//! Looks at frames before the codec does: counts those that cost the receiver more than the sender,
//! and finds what the codec answers otherwise than RFC 9113 says, or not at all.
//!
//! RFC 9113 section 10.5: SETTINGS, PING, PRIORITY, WINDOW_UPDATE, RST_STREAM, empty and unknown frames
//! are all legal and all free for whoever sends them. Each draws on an allowance that fills with time
//! and with what was sent to that side, since who receives much has reason to update windows.
//!
//! Header blocks are walked through (`field_reader`), for the code of an error in them and for
//! pseudo-header fields where there may be none; the payload of DATA is skipped. The engine feeds it
//! whatever it receives and sends. What is malformed for the whole connection is a [`FrameFault`];
//! what is for one stream, whoever reads that stream asks for ([`FrameGuard::malformed`]).

use std::time::Instant;

use super::allowance::{Allowance, FloodLimits};
use super::event::GoingAway;
use super::fault::{FLOW_CONTROL_ERROR, FrameFault, Malformed};
use super::field_reader::{BlockFields, FieldReader, NoBlock};
use super::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, FrameHeader, GOAWAY, HEADERS, HeaderReader,
    PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE, reset_frame,
};
use super::payload::Frame;
use super::reset_count::{ResetCount, is_for_a_fault};
use super::send_windows::{SendWindows, WINDOW_MAX};
use super::sent_frames::{Refused, Sent, SentFrames};
use super::stream_set::StreamSet;
use crate::invariant::{part, part_mut};

/// Whose frames are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceivingSide {
    /// A client's: the connection preface comes first.
    Server,
    /// A server's.
    Client,
}

/// Reads frames out of a byte stream, however it is cut.
#[derive(Clone, Debug)]
pub struct FrameGuard {
    limits: FloodLimits,
    side: ReceivingSide,
    control: Allowance,
    resets: ResetCount,
    header: HeaderReader,
    frame: Frame,
    /// SETTINGS have come.
    begun: bool,
    /// What the connection failed of.
    fault: Option<FrameFault>,
    fields: FieldReader,
    /// The stream whose field block has begun and not ended, and whether the stream ends with it.
    block: Option<(u32, bool)>,
    /// Streams whose request, or final response, has come.
    begun_streams: StreamSet,
    /// Streams that the other side has ended or reset.
    ended_streams: StreamSet,
    /// Streams in which a head came that is larger than allowed.
    large_heads: StreamSet,
    windows: SendWindows,
    malformed: Vec<(u32, Malformed)>,
    /// What was received last.
    received: Vec<Received>,
    sent: SentFrames,
    /// Bytes sent that have earned nothing yet.
    sent_bytes: usize,
    /// A stream to be reset for its window.
    overflowed: Option<u32>,
    going_away: Option<GoingAway>,
    /// Bytes of whole frames that were in order, of those received last.
    sound_bytes: usize,
}

/// A frame that was received, if it concerns what a stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// DATA, or a part of it.
    Content {
        /// In which stream.
        stream: u32,
        /// How much, without padding.
        bytes: usize,
    },
    /// RST_STREAM.
    Reset {
        /// Which stream.
        stream: u32,
    },
}

/// Length of the client connection preface (RFC 9113 section 3.4).
const PREFACE_BYTES: usize = 24;
/// Bytes sent that earn the other side one control frame: a DATA frame is worth several
/// WINDOW_UPDATEs, the answer to a PING is worth none.
const SENT_BYTES_PER_FRAME: usize = 64;
/// Malformed messages that wait to be looked at. Requests without `:path` are there until the one who
/// serves them sees whether they are CONNECT.
const MALFORMED_MAX: usize = 4096;

const ENABLE_PUSH: u16 = 0x2;
const INITIAL_WINDOW_SIZE: u16 = 0x4;
/// Length of a WINDOW_UPDATE, and of the RST_STREAM that takes its place.
const WINDOW_UPDATE_BYTES: usize = 13;

impl FrameGuard {
    /// A guard at the first byte of a connection.
    #[must_use]
    pub fn new(side: ReceivingSide, limits: FloodLimits) -> Self {
        let preface = Frame::preface(match side {
            ReceivingSide::Server => PREFACE_BYTES,
            ReceivingSide::Client => 0,
        });
        Self {
            limits,
            side,
            control: Allowance::new(limits.control_frames_per_second),
            resets: ResetCount::new(limits.resets_per_second),
            header: HeaderReader::default(),
            frame: preface,
            begun: false,
            fault: None,
            fields: FieldReader::default(),
            block: None,
            begun_streams: StreamSet::default(),
            ended_streams: StreamSet::default(),
            large_heads: StreamSet::default(),
            windows: SendWindows::default(),
            malformed: Vec::new(),
            received: Vec::new(),
            sent: SentFrames::default(),
            sent_bytes: 0,
            overflowed: None,
            going_away: None,
            sound_bytes: 0,
        }
    }

    /// The allowances.
    #[must_use]
    pub fn limits(&self) -> FloodLimits {
        self.limits
    }

    /// Looks at `bytes`, received at `now`. A WINDOW_UPDATE that would make the window of a stream too
    /// large becomes a RST_STREAM, so that the codec gives the stream up; see [`Self::overflowed`].
    ///
    /// # Errors
    /// The first thing that ends the connection, and the same ever after.
    pub fn received(&mut self, bytes: &mut [u8], now: Instant) -> Result<(), FrameFault> {
        self.control.fill(now);
        self.resets.fill(now);
        self.sound_bytes = 0;
        self.received.clear();
        if self.fault.is_none() {
            self.fault = self.read(bytes).err();
        }
        self.fault.map_or(Ok(()), Err)
    }

    /// How many of the bytes received last come before the frame at fault: they are still to be served,
    /// since what they ask for may come before the end.
    #[must_use]
    pub const fn sound_bytes(&self) -> usize {
        self.sound_bytes
    }

    /// Tells that `bytes` go to the side whose frames are looked at; `tell` gets what is in them.
    pub fn sent(&mut self, bytes: &[u8], mut tell: impl FnMut(Sent)) {
        self.sent_bytes = self.sent_bytes.saturating_add(bytes.len());
        let frames = self.sent_bytes / SENT_BYTES_PER_FRAME;
        self.sent_bytes %= SENT_BYTES_PER_FRAME;
        self.control.earn(u32::try_from(frames).unwrap_or(u32::MAX));
        self.windows.sent(bytes.len());
        let is_server = self.side == ReceivingSide::Server;
        self.sent.read(bytes, |frame| {
            match frame {
                Sent::Head { stream } if is_server => self.resets.answer(stream),
                Sent::Reset { stream, code } => {
                    self.malformed.retain(|(other, _)| *other != stream);
                    if is_server && is_for_a_fault(code) && !self.resets.draw() {
                        self.fault = self.fault.or(Some(FrameFault::ResetFlood));
                    }
                }
                _ => {}
            }
            tell(frame);
        });
    }

    /// What the connection failed of.
    #[must_use]
    pub const fn fault(&self) -> Option<FrameFault> {
        self.fault
    }

    /// What the bytes received last have brought to streams.
    #[must_use]
    pub fn last_received(&self) -> &[Received] {
        &self.received
    }

    /// Whether a head larger than allowed has come in a stream.
    #[must_use]
    pub fn had_large_head(&self, stream: u32) -> bool {
        self.large_heads.contains(stream)
    }

    /// What is wrong with the last message in a stream; the answer is given once.
    pub fn malformed(&mut self, stream: u32) -> Option<Malformed> {
        let mut all = self.malformed.iter();
        let place = all.position(|(other, _)| *other == stream)?;
        Some(self.malformed.swap_remove(place).1)
    }

    /// Tells that the request in a stream is served.
    pub fn take(&mut self, stream: u32) {
        self.sent.take(stream);
    }

    /// A request that the codec has refused before anybody has taken it; each once.
    pub fn refused(&mut self) -> Option<Refused> {
        self.sent.refused()
    }

    /// What the last GOAWAY said, if one has come.
    #[must_use]
    pub const fn going_away(&self) -> Option<GoingAway> {
        self.going_away
    }

    /// The RST_STREAM to be sent for a stream whose window became too large.
    pub fn overflowed(&mut self) -> Option<[u8; 13]> {
        let stream = self.overflowed.take()?;
        Some(reset_frame(stream, FLOW_CONTROL_ERROR))
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<(), FrameFault> {
        let mut at = 0;
        loop {
            let rest = part_mut(bytes, at..);
            if rest.is_empty() {
                return Ok(());
            }
            if self.frame.left == 0 {
                let (taken, header) = self.header.take(rest);
                at += taken;
                let Some(header) = header else { continue };
                self.begin(header)?;
            } else {
                let size = self.frame.left.min(rest.len());
                self.frame.left -= size;
                at += size;
                self.payload(part(rest, ..size))?;
            }
            if self.frame.left > 0 {
                continue;
            }
            if let Some(stream) = self.end()? {
                // Only whole: a part of it has been given to the codec.
                let start = at.checked_sub(WINDOW_UPDATE_BYTES);
                let place = start.and_then(|start| bytes.get_mut(start..at));
                let place = place.ok_or(FrameFault::Window)?;
                place.copy_from_slice(&reset_frame(stream, FLOW_CONTROL_ERROR));
                self.overflowed = Some(stream);
            }
            self.sound_bytes = at;
        }
    }

    /// A header is complete.
    fn begin(&mut self, header: FrameHeader) -> Result<(), FrameFault> {
        let FrameHeader { kind, stream, .. } = header;
        if !self.begun && kind != SETTINGS {
            return Err(FrameFault::Preface);
        }
        self.begun = true;
        if !header.fits() {
            return Err(FrameFault::Size);
        }
        let is_ended = self.ended_streams.contains(stream);
        match (self.block, kind) {
            (Some((open, _)), CONTINUATION) if open == stream => {}
            (None, CONTINUATION) if is_ended => return Err(FrameFault::StreamClosed),
            (Some(_), _) | (None, CONTINUATION) => return Err(FrameFault::Block),
            (None, PUSH_PROMISE) => return Err(FrameFault::Push),
            (None, DATA | HEADERS) if is_ended => return Err(FrameFault::StreamClosed),
            (None, HEADERS) => self.block = Some((stream, header.has(END_STREAM))),
            (None, _) => {}
        }
        self.frame = Frame::begin(header).ok_or(FrameFault::Size)?;
        self.draw(header)
    }

    /// Pays for a frame.
    fn draw(&mut self, header: FrameHeader) -> Result<(), FrameFault> {
        let is_empty = header.length == 0;
        let draws = match header.kind {
            // What carries something, or ends something, is paid for by streams and windows.
            DATA => is_empty && !header.has(END_STREAM),
            HEADERS => false,
            CONTINUATION => is_empty,
            RST_STREAM if self.side == ReceivingSide::Client => {
                // An origin can reset what it was asked for, each once.
                self.ended_streams.contains(header.stream)
            }
            RST_STREAM if self.is_wasted(header.stream) => {
                return match self.resets.draw() {
                    true => Ok(()),
                    false => Err(FrameFault::ResetFlood),
                };
            }
            _ => true,
        };
        match !draws || self.control.draw() {
            true => Ok(()),
            false => Err(FrameFault::ControlFlood),
        }
    }

    /// Whether a client resets a request that nobody has answered.
    fn is_wasted(&self, stream: u32) -> bool {
        self.begun_streams.contains(stream) && self.resets.is_wasted(stream)
    }

    /// Further bytes of the payload.
    fn payload(&mut self, bytes: &[u8]) -> Result<(), FrameFault> {
        let header = self.frame.header;
        match header.kind {
            HEADERS | CONTINUATION => self.fragment(bytes),
            DATA => {
                let (stream, bytes) = (header.stream, self.frame.content(bytes));
                if bytes > 0 {
                    self.received.push(Received::Content { stream, bytes });
                }
                Ok(())
            }
            SETTINGS => bytes.iter().try_for_each(|byte| {
                let Some([a, b, c, d, e, f, ..]) = self.frame.collect(*byte, 6) else {
                    return Ok(());
                };
                self.setting(u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, f]))
            }),
            WINDOW_UPDATE | GOAWAY => {
                for byte in bytes {
                    self.frame.collect(*byte, usize::MAX);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Further bytes of HEADERS or CONTINUATION: padding length and priority, fields, padding.
    fn fragment(&mut self, bytes: &[u8]) -> Result<(), FrameFault> {
        let fields = self.frame.fields(bytes).ok_or(FrameFault::Padding)?;
        let fed = self.fields.feed(fields);
        if self.fields.list_bytes() > self.limits.head_bytes_max {
            self.large_heads.insert(self.frame.header.stream);
        }
        fed.map_err(|NoBlock| FrameFault::Compression)
    }

    fn setting(&mut self, key: u16, value: u32) -> Result<(), FrameFault> {
        match key {
            INITIAL_WINDOW_SIZE if value > WINDOW_MAX => return Err(FrameFault::Window),
            INITIAL_WINDOW_SIZE => self.windows.set_initial(value),
            ENABLE_PUSH if value != 0 && self.side == ReceivingSide::Client => {
                return Err(FrameFault::Setting);
            }
            _ => {}
        }
        Ok(())
    }

    /// The frame is complete. The stream whose window it makes too large, if it does.
    fn end(&mut self) -> Result<Option<u32>, FrameFault> {
        let (header, word) = (self.frame.header, self.frame.word());
        self.frame = Frame::default();
        let stream = header.stream;
        match header.kind {
            _ if header.length == 0 && header.kind != CONTINUATION && header.kind != HEADERS => {}
            RST_STREAM => {
                self.ended_streams.insert(stream);
                self.received.push(Received::Reset { stream });
            }
            HEADERS | CONTINUATION if header.has(END_HEADERS) => {
                let fields = self.fields.end();
                let fields = fields.map_err(|NoBlock| FrameFault::Compression)?;
                self.judge(stream, fields)?;
                if let Some((_, true)) = self.block.take() {
                    self.ended_streams.insert(stream);
                }
            }
            // The codec keeps the windows of streams on which it sends, and that of the connection.
            WINDOW_UPDATE if stream > 0 => {
                let [a, b, c, d, ..] = word;
                let added = u32::from_be_bytes([a, b, c, d]) & WINDOW_MAX;
                return Ok((!self.windows.add(stream, added)).then_some(stream));
            }
            GOAWAY => {
                let [a, b, c, d, code @ ..] = word;
                let code = u32::from_be_bytes(code);
                let before = self.going_away.map(|told| told.code);
                self.going_away = Some(GoingAway {
                    last_stream: u32::from_be_bytes([a, b, c, d]) & WINDOW_MAX,
                    // An error stands, whatever is said behind it.
                    code: before.filter(|before| *before != 0).unwrap_or(code),
                });
            }
            _ => {}
        }
        if header.kind == DATA && header.has(END_STREAM) {
            self.ended_streams.insert(stream);
        }
        Ok(None)
    }

    /// Looks at the fields of a message (RFC 9113 section 8.3).
    fn judge(&mut self, stream: u32, fields: BlockFields) -> Result<(), FrameFault> {
        let BlockFields {
            has_path,
            has_status,
            has_pseudo,
            is_interim,
            has_fragment,
        } = fields;
        let is_any = has_path || has_status || has_pseudo;
        let malformed = match self.side {
            ReceivingSide::Server if self.begun_streams.insert(stream) => {
                let fragment = has_fragment.then_some(Malformed::Fragment);
                (!has_path).then_some(Malformed::NoPath).or(fragment)
            }
            ReceivingSide::Server => is_any.then_some(Malformed::Trailers),
            ReceivingSide::Client if has_path || has_pseudo => Some(Malformed::RequestField),
            ReceivingSide::Client if self.begun_streams.contains(stream) => {
                is_any.then_some(Malformed::Trailers)
            }
            ReceivingSide::Client => {
                if has_status && !is_interim {
                    self.begun_streams.insert(stream);
                }
                None
            }
        };
        if let Some(malformed) = malformed {
            if self.malformed.len() >= MALFORMED_MAX {
                return Err(FrameFault::MalformedFlood);
            }
            self.malformed.push((stream, malformed));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::frames::{ACK, PADDED, PING, PRIORITIZED, PRIORITY};
    use super::*;

    const LIMITS: FloodLimits = FloodLimits {
        control_frames_per_second: 10,
        resets_per_second: 2,
        head_bytes_max: 32 * 1024,
    };

    fn frame_on(stream: u32, kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
        bytes.extend_from_slice(&[kind, flags]);
        bytes.extend_from_slice(&stream.to_be_bytes());
        bytes.extend_from_slice(payload);
        bytes
    }

    fn frame(kind: u8, flags: u8, length: usize) -> Vec<u8> {
        frame_on(1, kind, flags, &vec![0xaa; length])
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "an instant cannot be made otherwise"
    )]
    fn now() -> Instant {
        Instant::now()
    }

    /// Behind the first SETTINGS, which draw on the allowance as well.
    fn guard(side: ReceivingSide) -> FrameGuard {
        let mut guard = FrameGuard::new(side, LIMITS);
        if side == ReceivingSide::Server {
            let mut preface = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
            guard.received(&mut preface, now()).unwrap();
        }
        guard.received(&mut frame(SETTINGS, 0, 0), now()).unwrap();
        guard.control.earn(1);
        guard
    }

    fn client_guard() -> FrameGuard {
        guard(ReceivingSide::Client)
    }

    /// What frames on a new connection of that side come to.
    fn after(side: ReceivingSide, frames: &[Vec<u8>]) -> Result<(), FrameFault> {
        guard(side).received(&mut frames.concat(), now())
    }

    #[test]
    fn settings_come_first_and_lengths_fit_their_type() {
        let mut guard = FrameGuard::new(ReceivingSide::Client, LIMITS);
        assert_eq!(
            guard.received(&mut frame(PING, 0, 8), now()),
            Err(FrameFault::Preface)
        );
        for (kind, flags, length, fits) in [
            (DATA, 0, 16_384, true),
            (DATA, 0, 16_385, false),
            (HEADERS, END_HEADERS, 16_385, false),
            (HEADERS, END_HEADERS | PADDED, 0, false),
            (HEADERS, END_HEADERS | PRIORITIZED, 4, false),
            (PRIORITY, 0, 5, true),
            (PRIORITY, 0, 4, false),
            (RST_STREAM, 0, 4, true),
            (RST_STREAM, 0, 3, false),
            (SETTINGS, 0, 12, true),
            (SETTINGS, 0, 3, false),
            (SETTINGS, ACK, 0, true),
            (SETTINGS, ACK, 6, false),
            (PING, 0, 8, true),
            (PING, 0, 6, false),
            (GOAWAY, 0, 30, true),
            (GOAWAY, 0, 7, false),
            (WINDOW_UPDATE, 0, 4, true),
            (WINDOW_UPDATE, 0, 5, false),
            (0x16, 0, 1, true),
        ] {
            let found = after(ReceivingSide::Client, &[frame(kind, flags, length)]);
            let expected = if fits { Ok(()) } else { Err(FrameFault::Size) };
            assert_eq!(found, expected, "{kind} {length}");
        }
    }

    #[test]
    fn each_kind_has_its_allowance_and_time_fills_it() {
        let start = now();
        for (kind, length, burst, flood) in [
            (PING, 8, 100, FrameFault::ControlFlood),
            (WINDOW_UPDATE, 4, 100, FrameFault::ControlFlood),
            (SETTINGS, 0, 100, FrameFault::ControlFlood),
            (PRIORITY, 5, 100, FrameFault::ControlFlood),
            (0xfe, 3, 100, FrameFault::ControlFlood),
            (DATA, 0, 100, FrameFault::ControlFlood),
            (CONTINUATION, 0, 100, FrameFault::ControlFlood),
            // Of streams that were never opened.
            (RST_STREAM, 4, 100, FrameFault::ControlFlood),
        ] {
            let mut guard = guard(ReceivingSide::Server);
            if kind == CONTINUATION {
                guard.received(&mut frame(HEADERS, 0, 1), start).unwrap();
            }
            let frame = frame(kind, 0, length);
            for _ in 0..burst {
                assert_eq!(guard.received(&mut frame.clone(), start), Ok(()), "{kind}");
            }
            let mut later = guard.clone();
            assert_eq!(
                guard.received(&mut frame.clone(), start),
                Err(flood),
                "{kind}"
            );
            let time = start + Duration::from_secs(1);
            assert_eq!(later.received(&mut frame.clone(), time), Ok(()), "{kind}");
            // What has ended is not taken up again.
            assert_eq!(
                guard.received(&mut frame.clone(), time),
                Err(flood),
                "{kind}"
            );
        }
    }

    /// A request, and what resets it.
    fn reset_request(stream: u32) -> Vec<u8> {
        let request = frame_on(stream, HEADERS, END_HEADERS | END_STREAM, b"\x82\x86\x84");
        [request, frame_on(stream, RST_STREAM, 0, &[0, 0, 0, 8])].concat()
    }

    #[test]
    fn resets_count_if_nobody_has_answered() {
        let start = now();
        let mut all = guard(ReceivingSide::Server);
        let mut streams = (1..).step_by(2);
        let mut reset = |guard: &mut FrameGuard| {
            guard.received(&mut reset_request(streams.next().unwrap()), start)
        };
        for _ in 0..20 {
            assert_eq!(reset(&mut all), Ok(()));
        }
        assert_eq!(reset(&mut all.clone()), Err(FrameFault::ResetFlood));
        // What was answered and then reset draws on the other allowance, and is worth a reset.
        for stream in (101..=119).step_by(2) {
            let [request, reset] = [(HEADERS, &b"\x82\x86\x84"[..]), (RST_STREAM, &[0, 0, 0, 8])]
                .map(|(kind, payload)| frame_on(stream, kind, END_HEADERS | END_STREAM, payload));
            all.received(&mut request.clone(), start).unwrap();
            all.sent(&frame_on(stream, HEADERS, END_HEADERS, b"\x88"), |_| ());
            assert_eq!(all.received(&mut reset.clone(), start), Ok(()));
        }
        for stream in (201..=219).step_by(2) {
            assert_eq!(all.received(&mut reset_request(stream), start), Ok(()));
        }
        let last = all.received(&mut reset_request(301), start);
        assert_eq!(last, Err(FrameFault::ResetFlood));
    }

    /// A client that has the server reset its requests (CVE-2025-8671) does no better.
    #[test]
    fn resets_for_a_fault_of_the_client_count() {
        for (code, counts) in [(1, true), (3, true), (5, true), (2, false), (7, false)] {
            let mut guard = guard(ReceivingSide::Server);
            for stream in (1..=39).step_by(2) {
                guard.sent(&reset_frame(stream, code), |_| ());
            }
            assert_eq!(guard.fault(), None);
            guard.sent(&reset_frame(41, code), |_| ());
            assert_eq!(guard.fault().is_some(), counts, "{code}");
        }
    }

    /// An origin may reset each stream that it was asked for.
    #[test]
    fn origins_may_refuse_what_they_are_asked() {
        let mut guard = client_guard();
        for stream in (1..4000).step_by(2) {
            let mut reset = frame_on(stream, RST_STREAM, 0, &[0, 0, 0, 7]);
            assert_eq!(guard.received(&mut reset, now()), Ok(()));
        }
        let flooded = (0..1000).any(|_| {
            let mut reset = frame_on(3999, RST_STREAM, 0, &[0, 0, 0, 7]);
            guard.received(&mut reset, now()).is_err()
        });
        assert!(flooded);
    }

    #[test]
    fn content_is_counted_without_its_padding() {
        let mut guard = client_guard();
        let mut frames = [
            frame_on(1, DATA, 0, b"abc"),
            frame_on(3, DATA, PADDED, b"\x02abcd\0\0"),
            frame_on(5, DATA, PADDED, b"\x02\0\0"),
            frame_on(7, DATA, END_STREAM, b""),
        ]
        .concat();
        guard.received(&mut frames, now()).unwrap();
        let content = |stream, bytes| Received::Content { stream, bytes };
        assert_eq!(guard.last_received(), [content(1, 3), content(3, 4)]);
        // However it is cut.
        let mut all = 0;
        let bytes = frame_on(3, DATA, PADDED, b"\x02abcd\0\0");
        for byte in bytes {
            guard.received(&mut [byte], now()).unwrap();
            all += guard.last_received().len();
        }
        // A byte each.
        assert_eq!(all, 4);
    }

    #[test]
    fn large_heads_and_fragments_are_noted() {
        let mut guard = guard(ReceivingSide::Server);
        let path = |stream, block: &[u8]| {
            frame_on(
                stream,
                HEADERS,
                END_HEADERS | END_STREAM,
                &[b"\x82\x86", block].concat(),
            )
        };
        let mut frames = [
            path(1, b"\x44\x04/a#b"),
            // The same out of the table.
            path(3, b"\xbe"),
            path(5, b"\x04\x02/a"),
            path(7, &[&b"\x84\0\x01x\x7f\x81\x02"[..], &[b'#'; 384]].concat()),
        ]
        .concat();
        guard.received(&mut frames, now()).unwrap();
        let found = [1, 3, 5, 7].map(|stream| guard.malformed(stream));
        let fragment = Some(Malformed::Fragment);
        assert_eq!(found, [fragment, fragment, None, None]);
        assert!(!guard.had_large_head(7));
        let field = [&b"\0\x01x\x7f\x81\x7c"[..], &[b'y'; 16_000]].concat();
        let mut frames = [
            frame_on(9, HEADERS, END_STREAM, b"\x82\x86\x84"),
            frame_on(9, CONTINUATION, 0, &field),
            frame_on(9, CONTINUATION, 0, &field),
        ]
        .concat();
        guard.received(&mut frames, now()).unwrap();
        assert!(!guard.had_large_head(9));
        guard
            .received(&mut frame_on(9, CONTINUATION, END_HEADERS, &field), now())
            .unwrap();
        assert!(guard.had_large_head(9));
    }

    #[test]
    fn a_goaway_is_noted_and_its_error_stands() {
        let mut guard = client_guard();
        assert_eq!(guard.going_away(), None);
        let goaway = |last, code| frame_on(0, GOAWAY, 0, &[0, 0, 0, last, 0, 0, 0, code, b'x']);
        for (last, code, known) in [(9, 0, 0), (7, 13, 13), (5, 0, 13)] {
            guard.received(&mut goaway(last, code), now()).unwrap();
            let expected = GoingAway {
                last_stream: last.into(),
                code: known,
            };
            assert_eq!(guard.going_away(), Some(expected));
        }
    }

    #[test]
    fn what_carries_something_draws_nothing() {
        let mut guard = client_guard();
        for stream in (1..4000).step_by(2) {
            let frames = [
                frame_on(stream, HEADERS, END_HEADERS, b"\x88"),
                frame_on(stream, DATA, 0, b"x"),
                frame_on(stream, DATA, END_STREAM, b""),
            ];
            assert_eq!(guard.received(&mut frames.concat(), now()), Ok(()));
        }
    }

    #[test]
    fn who_receives_much_may_update_windows_and_answered_pings_do_not_count() {
        let now = now();
        let update = [frame(WINDOW_UPDATE, 0, 4), frame(WINDOW_UPDATE, 0, 4)].concat();
        let mut guard = guard(ReceivingSide::Server);
        for _ in 0..1000 {
            guard.sent(&frame(DATA, 0, 16 * 1024), |_| ());
            assert_eq!(guard.received(&mut update.clone(), now), Ok(()));
        }
        let mut guard = client_guard();
        let ping = frame(PING, 0, 8);
        let flooded = (0..1000).any(|_| {
            guard.sent(&ping, |_| ());
            guard.received(&mut ping.clone(), now).is_err()
        });
        assert!(flooded);
    }

    #[test]
    fn field_blocks_are_decoded_in_one_piece() {
        let block = |flags, payload: &[u8]| frame_on(1, HEADERS, flags, payload);
        let more = |flags, payload: &[u8]| frame_on(1, CONTINUATION, flags, payload);
        let padded = [&[2, 0, 0, 0, 0, 0, 0x88, 0x8f][..], &[0xff; 2]].concat();
        let all = PADDED | PRIORITIZED | END_HEADERS;
        for (frames, expected) in [
            (vec![block(END_HEADERS, b"\x88")], Ok(())),
            (vec![block(END_HEADERS, b"")], Ok(())),
            (
                vec![
                    block(0, b"\x40\x01"),
                    more(0, b"a"),
                    more(END_HEADERS, b"\x01b"),
                ],
                Ok(()),
            ),
            (vec![block(all, &padded), frame(PING, 0, 8)], Ok(())),
            (
                vec![block(END_HEADERS | PADDED, b"\x03\x88\0")],
                Err(FrameFault::Padding),
            ),
            (
                vec![block(END_HEADERS, b"\x80")],
                Err(FrameFault::Compression),
            ),
            (
                vec![block(0, b"\x40\x01"), more(END_HEADERS, b"")],
                Err(FrameFault::Compression),
            ),
            (
                vec![block(0, b""), frame(PING, 0, 8)],
                Err(FrameFault::Block),
            ),
            (
                vec![block(0, b""), frame_on(3, CONTINUATION, 0, b"")],
                Err(FrameFault::Block),
            ),
            (vec![more(END_HEADERS, b"")], Err(FrameFault::Block)),
            (
                vec![frame(PUSH_PROMISE, END_HEADERS, 5)],
                Err(FrameFault::Push),
            ),
        ] {
            assert_eq!(
                after(ReceivingSide::Client, &frames),
                expected,
                "{frames:x?}"
            );
        }
    }

    #[test]
    fn nothing_comes_behind_the_end_of_a_stream() {
        let head = |flags| frame_on(1, HEADERS, END_HEADERS | flags, b"\x82\x84\x86");
        for (end, is_end) in [
            (head(END_STREAM), true),
            ([head(0), frame(DATA, END_STREAM, 0)].concat(), true),
            ([head(0), frame(DATA, END_STREAM, 5)].concat(), true),
            ([head(0), frame(RST_STREAM, 0, 4)].concat(), true),
            ([head(0), frame(DATA, 0, 5)].concat(), false),
        ] {
            for (late, may) in [
                (frame(DATA, 0, 1), false),
                (head(0), false),
                (frame(CONTINUATION, END_HEADERS, 0), false),
                (frame(PRIORITY, 0, 5), true),
                (frame(WINDOW_UPDATE, 0, 4), true),
                (frame(RST_STREAM, 0, 4), true),
                (frame_on(3, DATA, 0, b"x"), true),
            ] {
                let found = after(ReceivingSide::Server, &[end.clone(), late.clone()]);
                let closed = Err(FrameFault::StreamClosed);
                match (is_end, may) {
                    (true, false) => assert_eq!(found, closed, "{end:x?} {late:x?}"),
                    _ => assert_ne!(found, closed, "{end:x?} {late:x?}"),
                }
            }
        }
    }

    #[test]
    fn settings_and_windows_are_held_to_their_bounds() {
        let setting = |key: u8, value: u32| {
            let payload = [&[0, 3, 0, 0, 0, 1, 0, key][..], &value.to_be_bytes()].concat();
            frame_on(0, SETTINGS, 0, &payload)
        };
        for (side, frame, expected) in [
            (
                ReceivingSide::Server,
                setting(4, 1 << 31),
                Err(FrameFault::Window),
            ),
            (ReceivingSide::Client, setting(4, WINDOW_MAX), Ok(())),
            (
                ReceivingSide::Client,
                setting(2, 1),
                Err(FrameFault::Setting),
            ),
            (ReceivingSide::Client, setting(2, 0), Ok(())),
            (ReceivingSide::Server, setting(2, 1), Ok(())),
        ] {
            assert_eq!(after(side, &[frame]), expected);
        }
        let update = frame_on(5, WINDOW_UPDATE, 0, &WINDOW_MAX.to_be_bytes());
        let mut guard = client_guard();
        let mut bytes = [update.clone(), update.clone(), frame(PING, 0, 8)].concat();
        assert_eq!(guard.received(&mut bytes, now()), Ok(()));
        let reset = reset_frame(5, FLOW_CONTROL_ERROR);
        assert_eq!(bytes, [&update[..], &reset, &frame(PING, 0, 8)].concat());
        assert_eq!(guard.overflowed(), Some(reset));
        assert_eq!(guard.overflowed(), None);
        // All of it comes before a fault.
        let mut guard = client_guard();
        let mut bytes = [update.clone(), update.clone(), frame(PING, 0, 6)].concat();
        assert_eq!(guard.received(&mut bytes, now()), Err(FrameFault::Size));
        assert_eq!(guard.sound_bytes(), 2 * update.len());
        // In pieces it is the end of the connection.
        let mut guard = client_guard();
        guard.received(&mut update.clone(), now()).unwrap();
        guard.received(&mut update.clone()[..10], now()).unwrap();
        let found = guard.received(&mut update.clone()[10..], now());
        assert_eq!(found, Err(FrameFault::Window));
    }

    #[test]
    fn malformed_messages_are_told_by_stream() {
        let send = |guard: &mut FrameGuard, stream, block: &[u8]| {
            let mut frame = frame_on(stream, HEADERS, END_HEADERS, block);
            guard.received(&mut frame, now()).unwrap();
            guard.malformed(stream)
        };
        let mut server = guard(ReceivingSide::Server);
        assert_eq!(send(&mut server, 1, b"\x82\x84\x86"), None);
        assert_eq!(send(&mut server, 3, b"\x82\x86"), Some(Malformed::NoPath));
        assert_eq!(server.malformed(3), None);
        assert_eq!(send(&mut server, 1, b"\x00\x01a\x01b"), None);
        assert_eq!(send(&mut server, 1, b"\x82"), Some(Malformed::Trailers));
        let mut client = client_guard();
        assert_eq!(send(&mut client, 1, b"\x08\x03103"), None);
        assert_eq!(send(&mut client, 1, b"\x88"), None);
        assert_eq!(send(&mut client, 1, b"\x88"), Some(Malformed::Trailers));
        let request = Some(Malformed::RequestField);
        assert_eq!(send(&mut client, 3, b"\x88\x84"), request);
        assert_eq!(send(&mut client, 5, b"\x08\x03103\x82"), request);
        // Nobody asks for a stream that was reset.
        let mut bytes = frame_on(7, HEADERS, END_HEADERS, b"\x84");
        client.received(&mut bytes, now()).unwrap();
        client.sent(&reset_frame(7, 8), |_| ());
        assert_eq!(client.malformed(7), None);
    }

    proptest! {
        /// However the bytes are cut into reads, the same frames are seen.
        #[test]
        fn cutting_changes_nothing(
            frames in prop::collection::vec(
                (0u8..12, any::<u8>(), 0u32..6, prop::collection::vec(any::<u8>(), 0..20)),
                0..60,
            ),
            cuts in prop::collection::vec(1usize..50, 1..50),
        ) {
            let now = now();
            let mut whole = guard(ReceivingSide::Server);
            let mut cut = guard(ReceivingSide::Server);
            let frames = frames.iter().map(|(kind, flags, stream, payload)| {
                // Lengths that let most of them through.
                let length = match *kind {
                    PRIORITY => 5,
                    RST_STREAM | WINDOW_UPDATE => 4,
                    SETTINGS if flags & ACK != 0 => 0,
                    SETTINGS => 6,
                    PING | GOAWAY => 8,
                    _ => payload.len(),
                };
                let mut payload = payload.clone();
                payload.resize(length, 1);
                frame_on(*stream, *kind, *flags, &payload)
            });
            let mut bytes: Vec<u8> = frames.flatten().collect();
            let expected = whole.received(&mut bytes.clone(), now);
            let mut found = Ok(());
            let mut rest = &mut bytes[..];
            for size in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (part, behind) = rest.split_at_mut((*size).min(rest.len()));
                found = cut.received(part, now);
                rest = behind;
            }
            if found == Err(FrameFault::Window) {
                // A WINDOW_UPDATE that came in pieces cannot be turned into a RST_STREAM.
                return Ok(());
            }
            prop_assert_eq!(expected, found);
            prop_assert_eq!(whole.control.left(), cut.control.left());
            prop_assert_eq!(whole.resets.left(), cut.resets.left());
            prop_assert_eq!(whole.malformed, cut.malformed);
        }
    }
}
