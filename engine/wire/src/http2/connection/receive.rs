//! Bytes into frames, however they are cut, and what is checked of every frame.

use std::time::Instant;

use super::super::event::Event;
use super::super::fault::FrameFault;
use super::super::frames::{
    ACK, CONTINUATION, DATA, END_STREAM, FrameHeader, GOAWAY, HEADERS, PADDED, PING, PRIORITY,
    PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE,
};
use super::super::settings::Role;
use super::state::{Connection, PREFACE, Reading};
use crate::invariant::{Invariant, part};

impl Connection {
    /// Reads from `input`, received at `now`, up to the next event; to be called until there is none, and all
    /// of the input is used then. What is answered waits to be transmitted.
    ///
    /// # Errors
    /// What ends the connection, and the same ever after. The GOAWAY that says so waits to be transmitted
    /// behind all that came before.
    pub fn receive<'i>(
        &mut self,
        input: &mut &'i [u8],
        now: Instant,
    ) -> Result<Option<Event<'i>>, FrameFault> {
        self.tick(now);
        let outcome = match self.fault {
            Some(fault) => Err(fault),
            None => self.read(input),
        };
        if let Err(fault) = outcome {
            *input = &[];
            self.fail(fault);
        }
        outcome
    }

    fn tick(&mut self, now: Instant) {
        if self.now != Some(now) {
            self.now = Some(now);
            self.control.fill(now);
            self.resets.fill(now);
        }
    }

    fn read<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Event<'i>>, FrameFault> {
        loop {
            let event = match self.reading {
                Reading::Preface(matched) => match self.preface(matched, input)? {
                    true => None,
                    false => return Ok(None),
                },
                Reading::Header => match self.header(input) {
                    Some(header) => self.begin_frame(header)?,
                    None => return Ok(None),
                },
                Reading::Payload(header) => match self.whole_payload(header, input) {
                    Some(event) => event?,
                    None => return Ok(None),
                },
                Reading::PadLength(header) => {
                    let Some((padding, rest)) = input.split_first() else {
                        return Ok(None);
                    };
                    *input = rest;
                    self.begin_content(header, 1, usize::from(*padding))?
                }
                Reading::Content(content) => {
                    let Some(event) = self.content(content, input) else {
                        return Ok(None);
                    };
                    event
                }
                Reading::Skip(bytes) => {
                    let taken = bytes.min(input.len());
                    *input = part(input, taken..);
                    self.reading = match bytes - taken {
                        0 => Reading::Header,
                        left => Reading::Skip(left),
                    };
                    if taken < bytes {
                        return Ok(None);
                    }
                    None
                }
            };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    /// RFC 9113 section 3.4. Whether all of it has come.
    fn preface(&mut self, matched: usize, input: &mut &[u8]) -> Result<bool, FrameFault> {
        let expected = part(PREFACE, matched..);
        let taken = expected.len().min(input.len());
        if part(input, ..taken) != part(expected, ..taken) {
            return Err(FrameFault::Preface);
        }
        *input = part(input, taken..);
        let is_whole = taken == expected.len();
        self.reading = match is_whole {
            true => Reading::Header,
            false => Reading::Preface(matched + taken),
        };
        Ok(is_whole)
    }

    fn header(&mut self, input: &mut &[u8]) -> Option<FrameHeader> {
        let (taken, header) = self.header.take(input);
        *input = part(input, taken..);
        header
    }

    /// What is checked of a frame before its payload has come, in this order: size, place, cost.
    fn begin_frame(&mut self, header: FrameHeader) -> Result<Option<Event<'static>>, FrameFault> {
        let FrameHeader { kind, stream, .. } = header;
        if !self.has_begun && (kind != SETTINGS || header.has(ACK)) {
            return Err(FrameFault::Preface);
        }
        self.has_begun = true;
        if !header.fits() {
            return Err(FrameFault::Size);
        }
        let is_ended = self.is_ended(stream);
        let open = self.block.as_ref().map(|open| open.stream);
        match (open, kind) {
            (Some(open), CONTINUATION) if open == stream => {}
            (None, CONTINUATION) if is_ended => return Err(FrameFault::StreamClosed),
            (Some(_), _) | (None, CONTINUATION) => return Err(FrameFault::Block),
            (None, PUSH_PROMISE) => return Err(FrameFault::Push),
            (None, DATA | HEADERS) if is_ended => return Err(FrameFault::StreamClosed),
            (None, DATA | HEADERS | PRIORITY | RST_STREAM) if stream == 0 => {
                return Err(FrameFault::StreamNumber);
            }
            (None, SETTINGS | PING | GOAWAY) if stream != 0 => {
                return Err(FrameFault::StreamNumber);
            }
            (None, DATA | RST_STREAM) if self.is_idle(stream) => {
                return Err(FrameFault::StreamIdle);
            }
            (None, _) => {}
        }
        self.draw(header)?;
        match kind {
            DATA if !self.receive_window.take(frame_bytes(header)) => {
                return Err(FrameFault::WindowExceeded);
            }
            DATA if header.has(PADDED) => self.reading = Reading::PadLength(header),
            DATA => return self.begin_content(header, 0, 0),
            // RFC 9113 section 5.5: frames of other types are passed over.
            CONTINUATION.. if kind != CONTINUATION => self.reading = Reading::Skip(header.length),
            _ => self.reading = Reading::Payload(header),
        }
        Ok(None)
    }

    /// Pays for a frame that costs more to receive than to send (RFC 9113 section 10.5).
    fn draw(&mut self, header: FrameHeader) -> Result<(), FrameFault> {
        let is_empty = header.length == 0;
        let draws = match header.kind {
            // What carries something, or ends something, is paid for by streams and windows.
            DATA => is_empty && !header.has(END_STREAM),
            HEADERS => false,
            CONTINUATION => is_empty,
            RST_STREAM => match (self.role, self.streams.get(header.stream)) {
                // A server can reset what it was asked for, each once.
                (Role::Client, Some(_)) => false,
                (Role::Server, Some(stream)) if !stream.is_answered => {
                    return match self.resets.draw() {
                        true => Ok(()),
                        false => Err(FrameFault::ResetFlood),
                    };
                }
                _ => true,
            },
            _ => true,
        };
        match !draws || self.control.draw() {
            true => Ok(()),
            false => Err(FrameFault::ControlFlood),
        }
    }

    /// The other side has ended or reset this stream.
    fn is_ended(&self, id: u32) -> bool {
        match self.streams.get(id) {
            Some(stream) => stream.peer_ended,
            None => self.closed.is_ended(id),
        }
    }

    /// Nobody has opened this stream. Only clients open some, with odd numbers.
    pub(super) fn is_idle(&self, id: u32) -> bool {
        id.is_multiple_of(2) || id > self.newest_stream
    }

    /// Waits for a frame that is taken as a whole; `None` until then.
    fn whole_payload(
        &mut self,
        header: FrameHeader,
        input: &mut &[u8],
    ) -> Option<Result<Option<Event<'static>>, FrameFault>> {
        if self.partial.is_empty()
            && let Some((payload, rest)) = input.split_at_checked(header.length)
        {
            *input = rest;
            self.reading = Reading::Header;
            return Some(self.payload(header, payload));
        }
        let missing = header.length - self.partial.len();
        let taken = missing.min(input.len());
        self.partial.extend_from_slice(part(input, ..taken));
        *input = part(input, taken..);
        if taken < missing {
            return None;
        }
        // Frames are cut now and then only: no buffer is kept for it.
        let payload = std::mem::take(&mut self.partial);
        self.reading = Reading::Header;
        Some(self.payload(header, &payload))
    }

    fn payload(
        &mut self,
        header: FrameHeader,
        payload: &[u8],
    ) -> Result<Option<Event<'static>>, FrameFault> {
        match header.kind {
            HEADERS => self.headers(header, payload),
            CONTINUATION => self.continuation(header, payload),
            PRIORITY => self.priority(header, payload),
            RST_STREAM => Ok(self.peer_reset(header.stream, word(payload, 0))),
            SETTINGS => self.peer_settings(header, payload),
            PING => self.peer_ping(header, payload),
            GOAWAY => Ok(self.peer_goes_away(word(payload, 0), word(payload, 4))),
            WINDOW_UPDATE => self.window_update(header.stream, word(payload, 0)),
            _ => Ok(None),
        }
    }
}

/// As windows count it: with its padding (RFC 9113 section 6.1).
pub(super) fn frame_bytes(header: FrameHeader) -> u32 {
    u32::try_from(header.length).unwrap_or(u32::MAX)
}

/// The number of four bytes at `at`, in a payload whose size was checked.
pub(super) fn word(payload: &[u8], at: usize) -> u32 {
    let bytes = payload.get(at..).and_then(|rest| rest.first_chunk());
    u32::from_be_bytes(*bytes.or_broken("four bytes of a payload"))
}
