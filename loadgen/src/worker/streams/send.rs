//! From requests to frames, as far as flow control lets them.

use super::state::{Stream, Streams};
use crate::http2::frame::{self, PAYLOAD_BYTES_MAX, code, flag, kind};
use crate::plan::client::Client;
use crate::plan::mix::Exchange;
use crate::worker::check::Check;

/// No more body is rendered while this much waits to be sent, octets.
const OUTBOX_BYTES_MAX: usize = 128 * 1024;

impl Streams {
    /// Sends a request.
    pub(in crate::worker) fn request(
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
    pub(in crate::worker) fn cancel(&mut self, lane: usize, outbox: &mut Vec<u8>) {
        if let Some(stream) = self.lanes.get_mut(lane).and_then(Option::take) {
            frame::put_number(kind::RST_STREAM, stream.id, code::CANCEL, outbox);
        }
    }

    /// Renders what flow control allows of request bodies.
    pub(in crate::worker) fn send_bodies(&mut self, outbox: &mut Vec<u8>) {
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
}
