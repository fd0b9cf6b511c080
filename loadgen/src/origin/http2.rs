//! The origin's side of HTTP/2 (RFC 9113) without I/O: frames in, frames out. Each stream does what
//! its path and query ask, as on HTTP/1.1; where that would close the connection, the stream is
//! reset.

use std::collections::BTreeMap;
use std::time::Instant;

use super::behavior::{Behavior, BodyKind, Cut};
use super::connection::Context;
use super::request::{Received, add_digests, json_type, plain_content};
use super::responses::Content;
use super::stream::{OUTBOX_BYTES_MAX, Response, Stream, echo_json, head_block};
use crate::http2::frame::{
    self, Frame, PREFACE, Violation, WINDOW_DEFAULT, WINDOW_MAX, code, flag, kind, setting,
};
use crate::http2::hpack::{self, Decoder};

/// Streams at a time.
const STREAMS_MAX: usize = 1_024;
/// What each stream, and the connection, may receive before it is granted more, octets.
const WINDOW: u32 = 4 << 20;
/// Longest header block, octets.
const BLOCK_BYTES_MAX: usize = 256 * 1024;
/// Most of a request body that `/echo` repeats.
const ECHO_BYTES_MAX: usize = 1024 * 1024;

/// A connection's HTTP/2 state.
#[derive(Debug)]
pub(super) struct Session {
    has_preface: bool,
    decoder: Decoder,
    streams: BTreeMap<u32, Stream>,
    /// Streams that may have something to send.
    active: Vec<u32>,
    last_id: u32,
    window: i64,
    peer_window: i64,
    unacknowledged: u32,
    open_block: Option<(u32, bool)>,
    block: Vec<u8>,
    date: String,
    /// The head of the usual answer, and the length it is for.
    usual_head: Option<(u64, Vec<u8>)>,
}

impl Session {
    /// A new connection; what is sent first goes into `outbox`.
    pub(super) fn start(outbox: &mut Vec<u8>) -> Self {
        let settings = [
            (
                setting::MAX_CONCURRENT_STREAMS,
                u32::try_from(STREAMS_MAX).unwrap_or(0),
            ),
            (setting::INITIAL_WINDOW_SIZE, WINDOW),
        ];
        frame::put_settings(&settings, outbox);
        let more = WINDOW - u32::try_from(WINDOW_DEFAULT).unwrap_or(0);
        frame::put_number(kind::WINDOW_UPDATE, 0, more, outbox);
        Self {
            has_preface: false,
            decoder: Decoder::new(),
            streams: BTreeMap::new(),
            active: Vec::new(),
            last_id: 0,
            window: WINDOW_DEFAULT,
            peer_window: WINDOW_DEFAULT,
            unacknowledged: 0,
            open_block: None,
            block: Vec::new(),
            date: String::new(),
            usual_head: None,
        }
    }

    /// No stream is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.streams.is_empty()
    }

    /// When some response may go on.
    pub(super) fn next_moment(&self) -> Option<Instant> {
        self.streams
            .values()
            .filter_map(|stream| stream.not_before)
            .min()
    }

    /// Takes complete frames; after an error the connection is of no use.
    pub(super) fn receive(
        &mut self,
        inbox: &mut Vec<u8>,
        outbox: &mut Vec<u8>,
        context: &Context<'_>,
    ) -> Result<(), Violation> {
        if self.date != context.date {
            context.date.clone_into(&mut self.date);
            self.usual_head = None;
        }
        let mut taken = 0;
        if !self.has_preface {
            let seen = inbox
                .get(..PREFACE.len().min(inbox.len()))
                .unwrap_or_default();
            if !PREFACE.starts_with(seen) {
                return Err(Violation("no preface"));
            }
            if seen.len() < PREFACE.len() {
                return Ok(());
            }
            self.has_preface = true;
            taken = PREFACE.len();
        }
        let mut rest = inbox.get(taken..).unwrap_or_default();
        let outcome = loop {
            match Frame::take(rest) {
                Ok(None) => break Ok(()),
                Err(violation) => break Err(violation),
                Ok(Some((frame, after))) => {
                    rest = after;
                    if let Err(violation) = self.on_frame(&frame, outbox, context) {
                        break Err(violation);
                    }
                }
            }
        };
        let left = rest.len();
        inbox.drain(..inbox.len() - left);
        if outcome.is_err() {
            frame::put_goaway(self.last_id, code::PROTOCOL_ERROR, outbox);
        }
        outcome
    }

    fn on_frame(
        &mut self,
        frame: &Frame<'_>,
        outbox: &mut Vec<u8>,
        context: &Context<'_>,
    ) -> Result<(), Violation> {
        if self.open_block.is_some() != (frame.kind == kind::CONTINUATION) {
            return Err(Violation(
                "header block interrupted, or continued without a start",
            ));
        }
        match frame.kind {
            kind::HEADERS => {
                let is_trailer = self.streams.contains_key(&frame.stream);
                if frame.stream.is_multiple_of(2) || (!is_trailer && frame.stream <= self.last_id) {
                    return Err(Violation("stream opened out of order"));
                }
                self.last_id = self.last_id.max(frame.stream);
                self.open_block = Some((frame.stream, frame.has(flag::END_STREAM)));
                self.on_block(frame, frame.content()?, outbox, context)
            }
            kind::CONTINUATION => self.on_block(frame, frame.payload, outbox, context),
            kind::DATA => self.on_data(frame, outbox, context),
            kind::RST_STREAM => {
                self.streams.remove(&frame.stream);
                Ok(())
            }
            kind::SETTINGS if !frame.has(flag::ACK) => self.on_settings(frame, outbox),
            kind::PING if frame.payload.len() == 8 && !frame.has(flag::ACK) => {
                frame::put(kind::PING, flag::ACK, 0, frame.payload, outbox);
                Ok(())
            }
            kind::WINDOW_UPDATE => self.on_window_update(frame),
            kind::PUSH_PROMISE => Err(Violation("clients do not push")),
            // Acknowledgements, GOAWAY (the client closes), PRIORITY, and what is not known.
            kind::PRIORITY | kind::GOAWAY => Ok(()),
            _ => Ok(()),
        }
    }

    fn on_block(
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

    fn on_data(
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

    fn on_settings(&mut self, frame: &Frame<'_>, outbox: &mut Vec<u8>) -> Result<(), Violation> {
        for (key, value) in frame.settings()? {
            if key == setting::INITIAL_WINDOW_SIZE {
                let window = i64::from(value);
                if window > WINDOW_MAX {
                    return Err(Violation("initial window too large"));
                }
                for stream in self.streams.values_mut() {
                    stream.window += window - self.peer_window;
                }
                self.peer_window = window;
                self.active = self.streams.keys().copied().collect();
            }
        }
        frame::put(kind::SETTINGS, flag::ACK, 0, &[], outbox);
        Ok(())
    }

    fn on_window_update(&mut self, frame: &Frame<'_>) -> Result<(), Violation> {
        let more = i64::from(frame.number()?) & WINDOW_MAX;
        if more == 0 {
            return Err(Violation("window update of nothing"));
        }
        if frame.stream == 0 {
            self.window += more;
            // Any of them may have waited for it.
            self.active = self.streams.keys().copied().collect();
        } else if let Some(stream) = self.streams.get_mut(&frame.stream) {
            stream.window += more;
            self.active.push(frame.stream);
        }
        Ok(())
    }

    /// The request is complete.
    fn asked(&mut self, id: u32, outbox: &mut Vec<u8>, context: &Context<'_>) {
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
    pub(super) fn produce(&mut self, context: &Context<'_>, outbox: &mut Vec<u8>) {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::origin::counters::Counters;
    use crate::pattern;

    /// Renders what a peer sends.
    type Render = dyn Fn(&mut Vec<u8>);

    /// Feeds pieces, as they come; returns all that is answered.
    fn converse(pieces: &[&[u8]]) -> Result<Vec<u8>, Violation> {
        let counters = Counters::for_threads(1).remove(0);
        let mut scratch = [];
        let context = Context {
            now: Instant::now(),
            date: "D",
            counters: &counters,
            scratch: &mut scratch,
        };
        let (mut inbox, mut outbox, mut sent) = (Vec::new(), Vec::new(), Vec::new());
        let mut session = Session::start(&mut outbox);
        for piece in pieces {
            inbox.extend_from_slice(piece);
            session.receive(&mut inbox, &mut outbox, &context)?;
            session.produce(&context, &mut outbox);
            sent.append(&mut outbox);
        }
        Ok(sent)
    }

    fn request(id: u32, path: &str, is_end: bool, out: &mut Vec<u8>) {
        let mut block = Vec::new();
        for (name, value) in [(":method", "POST"), (":scheme", "https"), (":path", path)] {
            hpack::encode_field(name, value, &mut block);
        }
        frame::put_headers(id, &block, is_end, out);
    }

    /// The body of one stream in what was sent.
    fn body(mut sent: &[u8], id: u32) -> (Vec<u8>, bool) {
        let (mut body, mut is_ended) = (Vec::new(), false);
        while let Some((frame, rest)) = Frame::take(sent).unwrap() {
            sent = rest;
            if frame.stream == id && frame.kind == kind::DATA {
                body.extend_from_slice(frame.payload);
                is_ended |= frame.has(flag::END_STREAM);
            }
        }
        (body, is_ended)
    }

    #[test]
    fn windows_are_kept() {
        let mut input = PREFACE.to_vec();
        frame::put_settings(&[(setting::INITIAL_WINDOW_SIZE, 1_000)], &mut input);
        request(1, "/bytes/70000", true, &mut input);
        let (seen, is_ended) = body(&converse(&[&input]).unwrap(), 1);
        assert_eq!((seen.len(), is_ended), (1_000, false));
        let mut more = Vec::new();
        frame::put_number(kind::WINDOW_UPDATE, 1, 69_000, &mut more);
        let (seen, _) = body(&converse(&[&input, &more]).unwrap(), 1);
        assert_eq!(seen.len(), 65_535, "the connection has a window too");
        let mut last = Vec::new();
        frame::put_number(kind::WINDOW_UPDATE, 0, 10_000, &mut last);
        let (seen, is_ended) = body(&converse(&[&input, &more, &last]).unwrap(), 1);
        assert!(
            is_ended && seen == [pattern::slice(0, 65_521), pattern::slice(65_521, 4_479)].concat()
        );
        // A later change of settings reaches streams that are under way.
        let mut wider = Vec::new();
        frame::put_settings(&[(setting::INITIAL_WINDOW_SIZE, 3_000)], &mut wider);
        let (seen, _) = body(&converse(&[&input, &wider]).unwrap(), 1);
        assert_eq!(seen.len(), 3_000);
    }

    #[test]
    fn violations_end_the_connection() {
        for wrong in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"PRI * HTTP/2.0\r\n\r\nXX"] {
            assert!(converse(&[wrong]).is_err());
        }
        let cases: [&Render; 5] = [
            &|out| request(2, "/", true, out),
            &|out| {
                request(3, "/", true, out);
                request(1, "/", true, out);
            },
            &|out| frame::put(kind::DATA, 0, 5, b"x", out),
            &|out| frame::put(kind::HEADERS, flag::END_HEADERS, 1, b"\xff\xff", out),
            &|out| frame::put_number(kind::WINDOW_UPDATE, 0, 0, out),
        ];
        for (index, case) in cases.iter().enumerate() {
            let mut input = PREFACE.to_vec();
            case(&mut input);
            assert!(converse(&[&input]).is_err(), "case {index}");
        }
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_answer(
            sent_bytes in 0_usize..30_000,
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let mut input = PREFACE.to_vec();
            frame::put_settings(&[], &mut input);
            request(1, "/echo", sent_bytes == 0, &mut input);
            request(3, "/bytes/20000", true, &mut input);
            let data = pattern::slice(0, sent_bytes);
            let count = data.chunks(7_000).count();
            for (index, piece) in data.chunks(7_000).enumerate() {
                frame::put(kind::DATA, u8::from(index + 1 == count), 1, piece, &mut input);
            }
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len())).collect();
            places.extend([0, input.len()]);
            places.sort_unstable();
            let pieces: Vec<&[u8]> = places.windows(2).map(|two| &input[two[0]..two[1]]).collect();
            let sent = converse(&pieces).unwrap();
            let (bytes, is_ended) = body(&sent, 3);
            prop_assert!(is_ended && pattern::matches(0, &bytes) && bytes.len() == 20_000);
            let (echo, is_ended) = body(&sent, 1);
            prop_assert!(is_ended);
            let echo: serde_json::Value = serde_json::from_slice(&echo).unwrap();
            prop_assert_eq!(&echo["body_bytes"], sent_bytes);
        }

        #[test]
        fn anything_is_survived(input in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut frames = PREFACE.to_vec();
            request(1, "/bytes/100000", false, &mut frames);
            for (index, payload) in input.chunks(20).enumerate() {
                let kind = u8::try_from(index % 11).unwrap();
                frame::put(kind, payload[0], u32::from(payload[0] % 5), payload, &mut frames);
            }
            let _ = converse(&[&frames, &input]);
        }
    }
}
