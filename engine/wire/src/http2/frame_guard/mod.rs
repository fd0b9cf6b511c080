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

use thiserror::Error;

use super::allowance::{Allowance, FloodLimits};
use super::field_reader::{BlockFields, FieldReader, NoBlock};
use super::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, FrameHeader, GOAWAY, HEADERS, HeaderReader,
    PADDED, PING, PRIORITIZED, PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE,
    reset_frame,
};
use super::send_windows::{SendWindows, WINDOW_MAX};
use super::sent_frames::{Refused, SentFrames};
use super::stream_set::StreamSet;

/// What a side has sent too much of, or not as it must: the end of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameFault {
    /// PING, SETTINGS, PRIORITY, WINDOW_UPDATE, GOAWAY, unknown and empty frames.
    #[error("control frame flood")]
    ControlFlood,
    /// RST_STREAM (and streams opened only to be reset).
    #[error("stream reset flood")]
    ResetFlood,
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
}

impl FrameFault {
    /// The error code that says so to the other side (RFC 9113 section 7).
    #[must_use]
    pub fn code(self) -> u32 {
        match self {
            Self::Preface | Self::Block | Self::Padding | Self::Push | Self::Setting => 0x1,
            Self::Window => FLOW_CONTROL_ERROR,
            Self::StreamClosed => 0x5,
            Self::Size => 0x6,
            Self::Compression => 0x9,
            Self::ControlFlood | Self::ResetFlood | Self::MalformedFlood => 0xb,
        }
    }
}

/// What is wrong with a message whose frames are right (RFC 9113 section 8.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// A pseudo-header field in trailers (RFC 9113 section 8.1).
    #[error("a pseudo-header field in trailers")]
    Trailers,
    /// A pseudo-header field of requests in a response (RFC 9113 section 8.3).
    #[error("a pseudo-header field of requests in a response")]
    RequestField,
    /// A request without `:path`, which only CONNECT may be (RFC 9113 section 8.3.1).
    #[error(":path is missing")]
    NoPath,
}

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
    reset: Allowance,
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
    windows: SendWindows,
    malformed: Vec<(u32, Malformed)>,
    sent: SentFrames,
    /// Bytes sent that have earned nothing yet.
    sent_bytes: usize,
    /// A stream to be reset for its window.
    overflowed: Option<u32>,
    /// Bytes of whole frames that were in order, of those received last.
    sound_bytes: usize,
}

/// The frame whose payload is coming.
#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    header: FrameHeader,
    /// Bytes still to come.
    left: usize,
    /// The beginning of SETTINGS and WINDOW_UPDATE, as far as it is of interest.
    word: [u8; 6],
    word_len: usize,
    /// Bytes before the fragment of a field block, and of the fragment.
    lead: usize,
    fragment: usize,
}

/// Length of the client connection preface (RFC 9113 section 3.4).
const PREFACE_BYTES: usize = 24;
/// SETTINGS_MAX_FRAME_SIZE as it is without being sent (RFC 9113 section 6.5.2).
const FRAME_BYTES_MAX: usize = 16_384;
/// Bytes sent that earn the other side one control frame: a DATA frame is worth several
/// WINDOW_UPDATEs, the answer to a PING is worth none.
const SENT_BYTES_PER_FRAME: usize = 64;
/// Malformed messages that wait to be looked at. Requests without `:path` are there until the one who
/// serves them sees whether they are CONNECT.
const MALFORMED_MAX: usize = 4096;

const FLOW_CONTROL_ERROR: u32 = 0x3;
const ENABLE_PUSH: u16 = 0x2;
const INITIAL_WINDOW_SIZE: u16 = 0x4;
/// Length of a WINDOW_UPDATE, and of the RST_STREAM that takes its place.
const WINDOW_UPDATE_BYTES: usize = 13;

impl FrameGuard {
    /// A guard at the first byte of a connection.
    #[must_use]
    pub fn new(side: ReceivingSide, limits: FloodLimits) -> Self {
        let preface = Frame {
            left: match side {
                ReceivingSide::Server => PREFACE_BYTES,
                ReceivingSide::Client => 0,
            },
            ..Frame::default()
        };
        Self {
            limits,
            side,
            control: Allowance::new(limits.control_frames_per_second),
            reset: Allowance::new(limits.resets_per_second),
            header: HeaderReader::default(),
            frame: preface,
            begun: false,
            fault: None,
            fields: FieldReader::default(),
            block: None,
            begun_streams: StreamSet::default(),
            ended_streams: StreamSet::default(),
            windows: SendWindows::default(),
            malformed: Vec::new(),
            sent: SentFrames::default(),
            sent_bytes: 0,
            overflowed: None,
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
        self.reset.fill(now);
        self.sound_bytes = 0;
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

    /// Tells that `bytes` go to the side whose frames are looked at.
    pub fn sent(&mut self, bytes: &[u8]) {
        self.sent_bytes = self.sent_bytes.saturating_add(bytes.len());
        let frames = self.sent_bytes / SENT_BYTES_PER_FRAME;
        self.sent_bytes %= SENT_BYTES_PER_FRAME;
        self.control.earn(u32::try_from(frames).unwrap_or(u32::MAX));
        self.windows.sent(bytes.len());
        let malformed = &mut self.malformed;
        self.sent.read(bytes, |stream| {
            malformed.retain(|(other, _)| *other != stream);
        });
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

    /// The RST_STREAM to be sent for a stream whose window became too large.
    pub fn overflowed(&mut self) -> Option<[u8; 13]> {
        let stream = self.overflowed.take()?;
        Some(reset_frame(stream, FLOW_CONTROL_ERROR))
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<(), FrameFault> {
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
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
                self.payload(rest.get(..size).unwrap_or_default())?;
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
        let FrameHeader {
            length,
            kind,
            stream,
            ..
        } = header;
        if !self.begun && kind != SETTINGS {
            return Err(FrameFault::Preface);
        }
        self.begun = true;
        if !fits(header) {
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
        self.frame = Frame {
            header,
            left: length,
            ..Frame::default()
        };
        if matches!(kind, HEADERS | CONTINUATION) {
            let is_head = kind == HEADERS;
            let padded = usize::from(is_head && header.has(PADDED));
            let prioritized = 5 * usize::from(is_head && header.has(PRIORITIZED));
            self.frame.lead = padded + prioritized;
            let fragment = length.checked_sub(self.frame.lead);
            self.frame.fragment = fragment.ok_or(FrameFault::Size)?;
        }
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
            RST_STREAM => {
                return match self.reset.draw() {
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

    /// Further bytes of the payload.
    fn payload(&mut self, bytes: &[u8]) -> Result<(), FrameFault> {
        let header = self.frame.header;
        match header.kind {
            HEADERS | CONTINUATION => self.fragment(bytes),
            SETTINGS => bytes.iter().try_for_each(|byte| {
                let Some([a, b, value @ ..]) = self.frame.word(*byte, 6) else {
                    return Ok(());
                };
                self.setting(u16::from_be_bytes([a, b]), u32::from_be_bytes(value))
            }),
            WINDOW_UPDATE => {
                for byte in bytes {
                    self.frame.word(*byte, usize::MAX);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Further bytes of HEADERS or CONTINUATION: padding length and priority, fields, padding.
    fn fragment(&mut self, mut bytes: &[u8]) -> Result<(), FrameFault> {
        let frame = &mut self.frame;
        while frame.lead > 0 {
            let Some((first, behind)) = bytes.split_first() else {
                return Ok(());
            };
            let is_padding = frame.word_len == 0 && frame.header.has(PADDED);
            if is_padding {
                let padding = usize::from(*first);
                let fragment = frame.fragment.checked_sub(padding);
                frame.fragment = fragment.ok_or(FrameFault::Padding)?;
            }
            frame.word_len = 1;
            frame.lead -= 1;
            bytes = behind;
        }
        let size = frame.fragment.min(bytes.len());
        frame.fragment -= size;
        let fields = bytes.get(..size).unwrap_or_default();
        self.fields
            .feed(fields)
            .map_err(|NoBlock| FrameFault::Compression)
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
        let Frame { header, word, .. } = self.frame;
        self.frame = Frame::default();
        let stream = header.stream;
        match header.kind {
            _ if header.length == 0 && header.kind != CONTINUATION && header.kind != HEADERS => {}
            RST_STREAM => _ = self.ended_streams.insert(stream),
            HEADERS | CONTINUATION if header.has(END_HEADERS) => {
                let fields = self.fields.end();
                let fields = fields.map_err(|NoBlock| FrameFault::Compression)?;
                self.judge(stream, fields)?;
                if let Some((_, true)) = self.block.take() {
                    self.ended_streams.insert(stream);
                }
            }
            // The codec keeps the windows of what it sends to clients, and that of the connection.
            WINDOW_UPDATE if self.side == ReceivingSide::Client && stream > 0 => {
                let [a, b, c, d, ..] = word;
                let added = u32::from_be_bytes([a, b, c, d]) & WINDOW_MAX;
                return Ok((!self.windows.add(stream, added)).then_some(stream));
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
        } = fields;
        let is_any = has_path || has_status || has_pseudo;
        let malformed = match self.side {
            ReceivingSide::Server if self.begun_streams.insert(stream) => {
                (!has_path).then_some(Malformed::NoPath)
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

impl Frame {
    /// Collects `size` bytes; once they are there, what they are.
    fn word(&mut self, byte: u8, size: usize) -> Option<[u8; 6]> {
        if let Some(place) = self.word.get_mut(self.word_len) {
            *place = byte;
        }
        self.word_len += 1;
        if self.word_len < size {
            return None;
        }
        self.word_len = 0;
        Some(self.word)
    }
}

/// Whether frames of this type can have this length (RFC 9113 section 6).
fn fits(header: FrameHeader) -> bool {
    let length = header.length;
    match header.kind {
        PRIORITY => length == 5,
        RST_STREAM | WINDOW_UPDATE => length == 4,
        SETTINGS if header.has(ACK) => length == 0,
        SETTINGS => length.is_multiple_of(6) && length <= FRAME_BYTES_MAX,
        PING => length == 8,
        GOAWAY => (8..=FRAME_BYTES_MAX).contains(&length),
        _ => length <= FRAME_BYTES_MAX,
    }
}

#[cfg(test)]
mod tests;
