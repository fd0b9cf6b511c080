//! One HTTP/2 request at the origin and the response to it, as frames. Which frames are whose, `http2`
//! knows.

use std::time::Instant;

use serde_json::json;

use super::behavior::{Behavior, Cut};
use super::request::Received;
use super::responses::Content;
use crate::http2::frame::{self, PAYLOAD_BYTES_MAX, code, flag, kind};
use crate::http2::hpack;

/// No more is rendered while this much waits to be sent, octets.
pub(super) const OUTBOX_BYTES_MAX: usize = 128 * 1024;

/// One request and its response.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) behavior: Behavior,
    pub(super) head_only: bool,
    pub(super) fields: Vec<(String, String)>,
    pub(super) received: Received,
    pub(super) echo: Vec<u8>,
    pub(super) unacknowledged: u32,
    pub(super) window: i64,
    /// When the response may go on: after a delay, or the pace of its body.
    pub(super) not_before: Option<Instant>,
    /// The request is complete.
    pub(super) is_asked: bool,
    pub(super) response: Option<Response>,
}

/// What is left of a response after its head.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) content: Content,
    pub(super) offset: u64,
    pub(super) end: u64,
}

impl Stream {
    /// Renders body as far as it may; `true` once the stream is over.
    pub(super) fn send(
        &mut self,
        id: u32,
        connection_window: &mut i64,
        now: Instant,
        outbox: &mut Vec<u8>,
    ) -> bool {
        if self.not_before.is_some() {
            return false;
        }
        let Some(response) = self.response.as_mut() else {
            return false;
        };
        while response.offset < response.end {
            if outbox.len() >= OUTBOX_BYTES_MAX {
                return false;
            }
            let allowed = usize::try_from(self.window.min(*connection_window)).unwrap_or(0);
            let left = usize::try_from(response.end - response.offset).unwrap_or(usize::MAX);
            let mut limit = left.min(allowed).min(PAYLOAD_BYTES_MAX);
            if self.behavior.pace.is_some() {
                limit = limit.min(self.behavior.piece_bytes);
            }
            let piece = response.content.at(response.offset, limit);
            if piece.is_empty() {
                return false;
            }
            let bytes = piece.len() as u64;
            let is_end = response.offset + bytes == response.end
                && self.behavior.trailers.is_empty()
                && self.behavior.cut != Some(Cut::Body);
            let flags = if is_end { flag::END_STREAM } else { 0 };
            frame::put(kind::DATA, flags, id, piece, outbox);
            let wrong = response.content.length() / 2;
            if self.behavior.corrupt && (response.offset..response.offset + bytes).contains(&wrong)
            {
                let from_end = response.offset + bytes - wrong;
                let place = outbox.len() - usize::try_from(from_end).unwrap_or(0);
                if let Some(byte) = outbox.get_mut(place) {
                    *byte ^= 1;
                }
            }
            response.offset += bytes;
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
            self.window -= bytes;
            *connection_window -= bytes;
            if let Some(pace) = self.behavior.pace.filter(|_| !is_end) {
                self.not_before = Some(now + pace);
                return false;
            }
        }
        self.finish(id, outbox);
        true
    }

    /// What follows the body, if it does not end the stream itself.
    fn finish(&self, id: u32, outbox: &mut Vec<u8>) {
        if self.behavior.cut == Some(Cut::Body) {
            frame::put_number(kind::RST_STREAM, id, code::INTERNAL_ERROR, outbox);
        } else if !self.behavior.trailers.is_empty() {
            let mut block = Vec::new();
            for (name, value) in &self.behavior.trailers {
                hpack::encode_field(name, value, &mut block);
            }
            frame::put_headers(id, &block, true, outbox);
        }
    }
}

pub(super) fn head_block(behavior: &Behavior, length: u64, date: &str) -> Vec<u8> {
    let mut block = Vec::with_capacity(128);
    let mut add = |name: &str, value: &str| hpack::encode_field(name, value, &mut block);
    add(":status", &behavior.status.to_string());
    add("date", date);
    add(
        "content-type",
        behavior.content_type.as_deref().unwrap_or("text/plain"),
    );
    // RFC 9110 section 8.6: a 204 has no Content-Length.
    if behavior.status != 204 {
        add("content-length", &length.to_string());
    }
    for (name, value) in &behavior.headers {
        add(name, value);
    }
    block
}

pub(super) fn echo_json(fields: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let pseudo = |wanted: &str| {
        let found = fields.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone())
    };
    let ordinary = fields.iter().filter(|(name, _)| !name.starts_with(':'));
    let value = json!({
        "method": pseudo(":method"),
        "target": pseudo(":path"),
        "authority": pseudo(":authority"),
        "version": "HTTP/2",
        "headers": ordinary.map(|(name, value)| json!([name, value])).collect::<Vec<_>>(),
        "body": String::from_utf8_lossy(body),
        "body_bytes": body.len(),
    });
    let mut text = value.to_string().into_bytes();
    text.push(b'\n');
    text
}
