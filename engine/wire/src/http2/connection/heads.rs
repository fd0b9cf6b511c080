//! Field blocks: HEADERS and CONTINUATION, and the messages that they begin or end.

use super::super::block::{Block, BlockKind};
use super::super::event::Event;
use super::super::fault::FrameFault;
use super::super::frames::{END_HEADERS, END_STREAM, FrameHeader, PADDED, PRIORITIZED};
use super::super::hpack::CompressionFault;
use super::super::limits::{
    BLOCK_BYTES_PER_LIST_BYTE, CONTINUATIONS_MAX, FRAME_BYTES_MAX, KEPT_TEXT_BYTES_MAX, STREAM_MAX,
};
use super::super::request::{self, Request};
use super::super::response::{self, Asked, Response};
use super::super::settings::Role;
use super::super::stream_fault::StreamFault;
use super::super::streams::Stream;
use super::super::window::{ReceiveWindow, SendWindow};
use super::receive::word;
use super::state::{Connection, OpenBlock};
use crate::invariant::part;

/// What handling a frame comes to.
type Outcome = Result<Option<Event<'static>>, FrameFault>;

impl Connection {
    /// Takes the head of a request back, so that the next one needs no memory of its own.
    pub fn recycle_request(&mut self, request: Box<Request>) {
        if request.text.capacity() <= KEPT_TEXT_BYTES_MAX {
            self.spare_request = Some(request);
        }
    }

    /// The same for a response.
    pub fn recycle_response(&mut self, response: Box<Response>) {
        if response.text.capacity() <= KEPT_TEXT_BYTES_MAX {
            self.spare_response = Some(response);
        }
    }

    /// RFC 9113 section 6.2.
    pub(super) fn headers(&mut self, header: FrameHeader, payload: &[u8]) -> Outcome {
        let (fragment, is_dependent) = fragment(header, payload)?;
        let kind = self.kind_of(header.stream)?;
        let mut open = OpenBlock {
            stream: header.stream,
            ends: header.has(END_STREAM),
            block: self.new_block(kind),
            undecoded: Vec::new(),
            bytes: 0,
            continuations: 0,
            fault: is_dependent.then_some(StreamFault::Dependency),
        };
        let event = self.take_fragment(&mut open, fragment)?;
        if header.has(END_HEADERS) {
            return Ok(self.finish(open)?.or(event));
        }
        self.block = Some(Box::new(open));
        Ok(event)
    }

    /// RFC 9113 section 6.10.
    pub(super) fn continuation(&mut self, header: FrameHeader, payload: &[u8]) -> Outcome {
        let mut open = self.block.take().ok_or(FrameFault::Block)?;
        open.continuations += 1;
        if open.continuations > CONTINUATIONS_MAX {
            return Err(FrameFault::BlockFlood);
        }
        let event = self.take_fragment(&mut open, payload)?;
        if header.has(END_HEADERS) {
            return Ok(self.finish(*open)?.or(event));
        }
        self.block = Some(open);
        Ok(event)
    }

    /// What a field block on this stream is.
    fn kind_of(&mut self, id: u32) -> Result<BlockKind, FrameFault> {
        let has_head = self.streams.get(id).map(|stream| stream.has_head);
        match (has_head, self.role) {
            (Some(true), _) => Ok(BlockKind::Trailers),
            (Some(false), _) => Ok(BlockKind::Response),
            (None, Role::Client) if self.is_idle(id) => Err(FrameFault::StreamIdle),
            (None, Role::Server) if self.is_idle(id) => {
                // RFC 9113 section 5.1.1.
                if id.is_multiple_of(2) {
                    return Err(FrameFault::StreamOrder);
                }
                self.newest_stream = id;
                // RFC 9113 section 6.8: what comes behind our leave is not looked at.
                match self.leaving.is_some_and(|last| id > last) {
                    true => Ok(BlockKind::Ignored),
                    false => Ok(BlockKind::Request),
                }
            }
            (None, Role::Server) if self.is_unknown(id) => Err(FrameFault::StreamOrder),
            // It was on its way when we reset the stream.
            (None, _) => match self.control.draw() {
                true => Ok(BlockKind::Ignored),
                false => Err(FrameFault::ControlFlood),
            },
        }
    }

    /// Neither open nor gone: a number that was passed over, and cannot be used any more.
    fn is_unknown(&self, id: u32) -> bool {
        let is_behind = self.leaving.is_some_and(|last| id > last);
        !self.closed.is_reset(id) && !self.closed.is_forgotten(id) && !is_behind
    }

    fn new_block(&mut self, kind: BlockKind) -> Block {
        let (text, fields) = match kind {
            BlockKind::Request => {
                let spare = self.spare_request.get_or_insert_default();
                (&mut spare.text, &mut spare.head.headers)
            }
            BlockKind::Response => {
                let spare = self.spare_response.get_or_insert_default();
                (&mut spare.text, &mut spare.head.headers)
            }
            BlockKind::Trailers | BlockKind::Ignored => (&mut Vec::new(), &mut Vec::new()),
        };
        let (text, fields) = (std::mem::take(text), std::mem::take(fields));
        Block::new(kind, self.block_limits(), text, fields)
    }

    /// Decodes what is whole of a block so far.
    fn take_fragment(&mut self, open: &mut OpenBlock, fragment: &[u8]) -> Outcome {
        open.bytes += fragment.len();
        let list_bytes_max = self.settings.head.head_bytes_max;
        let bytes_max = list_bytes_max.saturating_mul(BLOCK_BYTES_PER_LIST_BYTE);
        if open.bytes > bytes_max.saturating_add(FRAME_BYTES_MAX) {
            return Err(FrameFault::BlockFlood);
        }
        let failed = |CompressionFault| FrameFault::Compression;
        if open.undecoded.is_empty() {
            let taken = open
                .block
                .decode(fragment, &mut self.decoder)
                .map_err(failed)?;
            open.undecoded.extend_from_slice(part(fragment, taken..));
        } else {
            open.undecoded.extend_from_slice(fragment);
            let taken = open
                .block
                .decode(&open.undecoded, &mut self.decoder)
                .map_err(failed)?;
            open.undecoded.drain(..taken);
        }
        let is_answerable = open.block.kind == BlockKind::Request;
        if open.block.too_large && !is_answerable && open.block.kind != BlockKind::Ignored {
            // What is left of it is decoded for the sake of the table.
            open.block.kind = BlockKind::Ignored;
            return self.fail_stream(open.stream, StreamFault::HeadTooLarge, false);
        }
        Ok(None)
    }

    /// The block is complete.
    fn finish(&mut self, open: OpenBlock) -> Outcome {
        if !open.undecoded.is_empty() {
            return Err(FrameFault::Compression);
        }
        match open.block.kind {
            BlockKind::Request => self.finish_request(open),
            BlockKind::Response => self.finish_response(open),
            BlockKind::Trailers => self.finish_trailers(open),
            BlockKind::Ignored => Ok(None),
        }
    }

    fn finish_request(&mut self, open: OpenBlock) -> Outcome {
        let OpenBlock {
            stream: id, ends, ..
        } = open;
        if let Some(fault) = open.fault {
            return self.fail_stream(id, fault, true);
        }
        let streams_max = usize::try_from(self.settings.streams_max).unwrap_or(usize::MAX);
        if self.streams.len() >= streams_max {
            // It costs a head to decode and a line in a log, so it is not free.
            return match self.resets.draw() {
                true => self.fail_stream(id, StreamFault::TooManyStreams, true),
                false => Err(FrameFault::ResetFlood),
            };
        }
        let mut request = self.spare_request.take().unwrap_or_default();
        let rules = self.request_rules();
        let remaining = match request::conclude(open.block, ends, &rules, &mut request) {
            Ok(remaining) => remaining,
            Err(fault) => return self.fail_stream(id, fault, true),
        };
        self.streams.push(Stream {
            remaining,
            has_head: true,
            peer_ended: ends,
            ..self.new_stream(id, Asked::Plain)
        });
        Ok(Some(Event::Request {
            stream: id,
            request,
            end_stream: ends,
        }))
    }

    pub(super) fn new_stream(&self, id: u32, asked: Asked) -> Stream {
        Stream {
            id,
            send: SendWindow::new(self.peer.initial_window),
            receive: ReceiveWindow::new(self.stream_window_bytes()),
            remaining: None,
            asked,
            has_head: false,
            is_answered: false,
            has_final_head: false,
            peer_ended: false,
            we_ended: false,
            is_blocked: false,
        }
    }

    fn finish_response(&mut self, open: OpenBlock) -> Outcome {
        let OpenBlock {
            stream: id, ends, ..
        } = open;
        // It may have been given up while its head was coming.
        let Some(stream) = self.streams.get(id) else {
            return Ok(None);
        };
        let asked = stream.asked;
        let mut response = self.spare_response.take().unwrap_or_default();
        let concluded = match open.fault {
            Some(fault) => Err(fault),
            None => response::conclude(open.block, ends, asked, &mut response),
        };
        let remaining = match concluded {
            Ok(remaining) => remaining,
            Err(fault) => return self.fail_stream(id, fault, false),
        };
        if response.head.is_interim() {
            return Ok(Some(Event::Interim {
                stream: id,
                response,
            }));
        }
        if let Some(stream) = self.streams.get_mut(id) {
            stream.has_head = true;
            stream.remaining = remaining;
            stream.peer_ended = ends;
        }
        self.close_if_ended(id);
        Ok(Some(Event::Response {
            stream: id,
            response,
            end_stream: ends,
        }))
    }

    fn finish_trailers(&mut self, open: OpenBlock) -> Outcome {
        let id = open.stream;
        let Some(stream) = self.streams.get_mut(id) else {
            return Ok(None);
        };
        let is_short = stream.remaining.is_some_and(|left| left > 0);
        let concluded = match open.fault {
            Some(fault) => Err(fault),
            None if !open.ends => Err(StreamFault::TrailersWithoutEnd),
            None if is_short => Err(StreamFault::Length),
            None => response::conclude_trailers(open.block),
        };
        let trailers = match concluded {
            Ok(trailers) => Box::new(trailers),
            Err(fault) => return self.fail_stream(id, fault, false),
        };
        stream.peer_ended = true;
        self.close_if_ended(id);
        Ok(Some(Event::Trailers {
            stream: id,
            trailers,
        }))
    }
}

/// The fields of HEADERS, without padding and priority, and whether the stream depends on itself.
fn fragment(header: FrameHeader, payload: &[u8]) -> Result<(&[u8], bool), FrameFault> {
    let (padding, mut rest) = match header.has(PADDED) {
        true => {
            let (padding, rest) = payload.split_first().ok_or(FrameFault::Size)?;
            (usize::from(*padding), rest)
        }
        false => (0, payload),
    };
    let mut is_dependent = false;
    if header.has(PRIORITIZED) {
        let (priority, behind) = rest.split_at_checked(5).ok_or(FrameFault::Size)?;
        is_dependent = word(priority, 0) & STREAM_MAX == header.stream;
        rest = behind;
    }
    let end = rest.len().checked_sub(padding).ok_or(FrameFault::Padding)?;
    Ok((part(rest, ..end), is_dependent))
}
