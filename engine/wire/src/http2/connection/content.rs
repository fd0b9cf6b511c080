//! DATA that comes: held to windows and to the declared length, and handed out as it is.

use super::super::event::Event;
use super::super::fault::FrameFault;
use super::super::frames::{END_STREAM, FrameHeader};
use super::super::stream_fault::StreamFault;
use super::super::streams::Stream;
use super::receive::frame_bytes;
use super::state::{Connection, Content, Reading};

impl Connection {
    /// A DATA frame of which `padding` bytes at the end, and `lead` before the content, are none. The window
    /// of the connection has been charged with all of it.
    pub(super) fn begin_content(
        &mut self,
        header: FrameHeader,
        lead: usize,
        padding: usize,
    ) -> Result<Option<Event<'static>>, FrameFault> {
        let overhead = lead + padding;
        let length = header.length.checked_sub(overhead);
        let length = length.ok_or(FrameFault::Padding)?;
        let ends = header.has(END_STREAM);
        if overhead > 0 && length == 0 && !ends && !self.control.draw() {
            // As empty as a frame without padding.
            return Err(FrameFault::ControlFlood);
        }
        let id = header.stream;
        let fault = match self.streams.get_mut(id) {
            // It was on its way when the stream was reset.
            None => {
                self.release_connection(header.length);
                self.skip(length + padding);
                return Ok(None);
            }
            Some(stream) => charge(stream, frame_bytes(header), length as u64, ends),
        };
        if let Some(fault) = fault {
            self.release_connection(header.length);
            self.skip(length + padding);
            return self.fail_stream(id, fault, false);
        }
        if overhead > 0 {
            self.release(id, overhead);
        }
        if length == 0 && !ends {
            self.skip(padding);
            return Ok(None);
        }
        self.reading = Reading::Content(Content {
            stream: id,
            left: length,
            padding,
            ends,
        });
        Ok(None)
    }

    fn skip(&mut self, bytes: usize) {
        self.reading = match bytes {
            0 => Reading::Header,
            _ => Reading::Skip(bytes),
        };
    }

    /// Hands out what has come of a frame; `None` if nothing has.
    pub(super) fn content<'i>(
        &mut self,
        content: Content,
        input: &mut &'i [u8],
    ) -> Option<Option<Event<'i>>> {
        let Content {
            stream: id,
            left,
            padding,
            ends,
        } = content;
        let taken = left.min(input.len());
        if taken == 0 && left > 0 {
            return None;
        }
        let (bytes, rest) = input.split_at_checked(taken)?;
        *input = rest;
        match left - taken {
            0 => self.skip(padding),
            left => self.reading = Reading::Content(Content { left, ..content }),
        }
        let Some(stream) = self.streams.get_mut(id) else {
            // It was reset while its content came.
            self.release_connection(taken);
            return Some(None);
        };
        let end_stream = ends && taken == left;
        if end_stream {
            stream.peer_ended = true;
            self.close_if_ended(id);
        }
        Some(Some(Event::Data {
            stream: id,
            bytes,
            end_stream,
        }))
    }

    /// Says that so much content of a stream was passed on, or discarded: windows are opened again by as
    /// much. A stream that is gone still has to be released what it had handed out.
    pub fn release(&mut self, stream: u32, bytes: usize) {
        self.release_connection(bytes);
        self.release_stream(stream, bytes);
    }

    fn release_stream(&mut self, id: u32, bytes: usize) {
        let Some(stream) = self.streams.get_mut(id) else {
            return;
        };
        if stream.peer_ended {
            return;
        }
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        if let Some(opened) = stream.receive.release(bytes) {
            self.write_window_update(id, opened);
        }
    }
}

/// Counts a frame of a stream with `content` bytes, and finds what is wrong with it.
fn charge(stream: &mut Stream, bytes: u32, content: u64, ends: bool) -> Option<StreamFault> {
    if !stream.receive.take(bytes) {
        return Some(StreamFault::WindowExceeded);
    }
    if !stream.has_head {
        return Some(StreamFault::ContentBeforeHead);
    }
    // RFC 9113 section 8.1.1.
    let left = stream.remaining?.checked_sub(content);
    stream.remaining = left;
    match left {
        None => Some(StreamFault::Length),
        Some(1..) if ends => Some(StreamFault::Length),
        Some(_) => None,
    }
}
