//! Requests: heads and bodies, as they come.

use super::session::{STREAMS_MAX, Session, WINDOW};
use crate::http2::frame::{self, Frame, Violation, code, flag, kind};
use crate::origin::behavior::{Behavior, BodyKind};
use crate::origin::context::Context;
use crate::origin::request::Received;
use crate::origin::stream::Stream;

/// Longest header block, octets.
const BLOCK_BYTES_MAX: usize = 256 * 1024;
/// Most of a request body that `/echo` repeats.
const ECHO_BYTES_MAX: usize = 1024 * 1024;

impl Session {
    pub(super) fn on_block(
        &mut self,
        frame: &Frame<'_>,
        piece: &[u8],
        outbox: &mut Vec<u8>,
        context: &Context<'_>,
    ) -> Result<(), Violation> {
        let Some((id, is_end)) = self.open_block.filter(|(id, _)| *id == frame.stream) else {
            return Err(Violation("header block continued on another stream"));
        };
        if self.block.len() + piece.len() > BLOCK_BYTES_MAX {
            return Err(Violation("header block too long"));
        }
        self.block.extend_from_slice(piece);
        if !frame.has(flag::END_HEADERS) {
            return Ok(());
        }
        self.open_block = None;
        let block = std::mem::take(&mut self.block);
        let opened = if self.streams.contains_key(&id) {
            self.decoder
                .decode(&block, |_, _| {})
                .map_err(Violation::from)
        } else {
            self.open(id, &block, outbox, context)
        };
        self.block = block;
        self.block.clear();
        opened?;
        if is_end {
            self.asked(id, outbox, context);
        }
        Ok(())
    }

    fn open(
        &mut self,
        id: u32,
        block: &[u8],
        outbox: &mut Vec<u8>,
        context: &Context<'_>,
    ) -> Result<(), Violation> {
        context.counters.count_request();
        let (mut method, mut path) = (String::new(), String::new());
        let mut fields = Vec::new();
        let mut is_echo = false;
        self.decoder.decode(block, |name, value| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            match name {
                b":method" => method = text(value),
                b":path" => {
                    path = text(value);
                    is_echo = path.starts_with("/echo");
                }
                _ => {}
            }
            // Only an echo repeats them.
            if is_echo || path.is_empty() {
                fields.push((text(name), text(value)));
            }
        })?;
        if self.streams.len() >= STREAMS_MAX {
            frame::put_number(kind::RST_STREAM, id, code::INTERNAL_ERROR, outbox);
            return Ok(());
        }
        let refused = |status: u16| Behavior {
            status,
            ..Behavior::of_body(BodyKind::Small)
        };
        let behavior = if method == "CONNECT" {
            refused(405)
        } else {
            Behavior::from_target(&path).unwrap_or_else(|_| refused(400))
        };
        self.streams.insert(
            id,
            Stream {
                behavior,
                head_only: method == "HEAD",
                fields,
                received: Received::default(),
                echo: Vec::new(),
                unacknowledged: 0,
                window: self.peer_window,
                not_before: None,
                is_asked: false,
                response: None,
            },
        );
        Ok(())
    }

    pub(super) fn on_data(
        &mut self,
        frame: &Frame<'_>,
        outbox: &mut Vec<u8>,
        context: &Context<'_>,
    ) -> Result<(), Violation> {
        let data = frame.content()?;
        if frame.stream == 0 || frame.stream > self.last_id {
            return Err(Violation("data on a stream that was never opened"));
        }
        let bytes = u32::try_from(frame.payload.len()).unwrap_or(u32::MAX);
        self.unacknowledged += bytes;
        if self.unacknowledged >= WINDOW / 2 {
            frame::put_number(kind::WINDOW_UPDATE, 0, self.unacknowledged, outbox);
            self.unacknowledged = 0;
        }
        let Some(stream) = self.streams.get_mut(&frame.stream) else {
            return Ok(());
        };
        stream.received.add(data);
        if matches!(stream.behavior.body, BodyKind::Echo { .. }) {
            let room = ECHO_BYTES_MAX.saturating_sub(stream.echo.len());
            stream
                .echo
                .extend_from_slice(data.get(..room).unwrap_or(data));
        }
        stream.unacknowledged += bytes;
        if frame.has(flag::END_STREAM) {
            self.asked(frame.stream, outbox, context);
        } else if stream.unacknowledged >= WINDOW / 2 {
            let more = std::mem::take(&mut stream.unacknowledged);
            frame::put_number(kind::WINDOW_UPDATE, frame.stream, more, outbox);
        }
        Ok(())
    }
}
