//! Responses: their heads, and their bodies as far as time and flow control allow.

use super::session::Session;
use crate::http2::frame::{self, code, kind};
use crate::http2::hpack;
use crate::origin::behavior::{Behavior, BodyKind, Cut};
use crate::origin::context::Context;
use crate::origin::request::{add_digests, json_type, plain_content};
use crate::origin::responses::Content;
use crate::origin::stream::{OUTBOX_BYTES_MAX, Response, Stream, echo_json, head_block};

impl Session {
    /// The request is complete.
    pub(super) fn asked(&mut self, id: u32, outbox: &mut Vec<u8>, context: &Context<'_>) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        stream.is_asked = true;
        if stream.behavior.delay.is_zero() {
            self.respond(id, outbox, context);
        } else {
            stream.not_before = Some(context.now + stream.behavior.delay);
        }
    }

    /// Renders the head of the response.
    fn respond(&mut self, id: u32, outbox: &mut Vec<u8>, context: &Context<'_>) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let behavior = &mut stream.behavior;
        let content = match behavior.body {
            BodyKind::Stall => return,
            BodyKind::Echo { raw: true } => Content::Made(std::mem::take(&mut stream.echo)),
            BodyKind::Echo { raw: false } => {
                json_type(behavior);
                Content::Made(echo_json(&stream.fields, &stream.echo))
            }
            _ => plain_content(behavior, context.counters),
        };
        add_digests(behavior, &content, stream.received);
        let is_cut = behavior
            .cut
            .is_some_and(|cut| matches!(cut, Cut::Before | Cut::Head));
        if is_cut {
            frame::put_number(kind::RST_STREAM, id, code::INTERNAL_ERROR, outbox);
            self.streams.remove(&id);
            return;
        }
        if let Some(status) = behavior.interim {
            let mut block = Vec::new();
            hpack::encode_field(":status", &status.to_string(), &mut block);
            frame::put_headers(id, &block, false, outbox);
        }
        let length = content.length();
        let end = match behavior.cut {
            _ if stream.head_only || matches!(behavior.status, 204 | 304) => 0,
            Some(Cut::Body) => length / 2,
            _ => length,
        };
        let is_end = end == 0 && behavior.trailers.is_empty() && behavior.cut != Some(Cut::Body);
        let is_usual = *behavior == Behavior::of_body(behavior.body);
        let usual = self
            .usual_head
            .as_ref()
            .filter(|(usual, _)| is_usual && *usual == length);
        if let Some((_, block)) = usual {
            frame::put_headers(id, block, is_end, outbox);
        } else {
            let block = head_block(behavior, length, &self.date);
            frame::put_headers(id, &block, is_end, outbox);
            if is_usual {
                self.usual_head = Some((length, block));
            }
        }
        if is_end {
            self.streams.remove(&id);
            return;
        }
        stream.response = Some(Response {
            content,
            offset: 0,
            end,
        });
        self.active.push(id);
    }

    /// Renders what time and flow control allow.
    pub(in crate::origin) fn produce(&mut self, context: &Context<'_>, outbox: &mut Vec<u8>) {
        self.wake(outbox, context);
        let mut active = std::mem::take(&mut self.active);
        while outbox.len() < OUTBOX_BYTES_MAX {
            let Some(id) = active.pop() else { break };
            if let Some(stream) = self.streams.get_mut(&id)
                && stream.send(id, &mut self.window, context.now, outbox)
            {
                self.streams.remove(&id);
            } else if outbox.len() >= OUTBOX_BYTES_MAX {
                active.push(id);
            }
        }
        self.active = active;
    }

    /// Streams whose moment has come.
    fn wake(&mut self, outbox: &mut Vec<u8>, context: &Context<'_>) {
        let is_due = |stream: &Stream| stream.not_before.is_some_and(|at| at <= context.now);
        if !self.streams.values().any(is_due) {
            return;
        }
        let due = self.streams.iter().filter(|(_, stream)| is_due(stream));
        let due: Vec<u32> = due.map(|(id, _)| *id).collect();
        for id in due {
            let Some(stream) = self.streams.get_mut(&id) else {
                continue;
            };
            stream.not_before = None;
            if stream.response.is_some() {
                self.active.push(id);
            } else if stream.is_asked {
                self.respond(id, outbox, context);
            }
        }
    }
}
