//! A connection's state, and the frames that concern the whole of it.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::http2::frame::{
    self, Frame, PREFACE, Violation, WINDOW_DEFAULT, WINDOW_MAX, code, flag, kind, setting,
};
use crate::http2::hpack::Decoder;
use crate::origin::context::Context;
use crate::origin::stream::Stream;

/// Streams at a time.
pub(super) const STREAMS_MAX: usize = 1_024;
/// What each stream, and the connection, may receive before it is granted more, octets.
pub(super) const WINDOW: u32 = 4 << 20;

/// A connection's HTTP/2 state.
#[derive(Debug)]
pub(in crate::origin) struct Session {
    pub(super) has_preface: bool,
    pub(super) decoder: Decoder,
    pub(super) streams: BTreeMap<u32, Stream>,
    /// Streams that may have something to send.
    pub(super) active: Vec<u32>,
    pub(super) last_id: u32,
    pub(super) window: i64,
    pub(super) peer_window: i64,
    pub(super) unacknowledged: u32,
    pub(super) open_block: Option<(u32, bool)>,
    pub(super) block: Vec<u8>,
    pub(super) date: String,
    /// The head of the usual answer, and the length it is for.
    pub(super) usual_head: Option<(u64, Vec<u8>)>,
}

impl Session {
    /// A new connection; what is sent first goes into `outbox`.
    pub(in crate::origin) fn start(outbox: &mut Vec<u8>) -> Self {
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
    pub(in crate::origin) fn is_idle(&self) -> bool {
        self.streams.is_empty()
    }

    /// When some response may go on.
    pub(in crate::origin) fn next_moment(&self) -> Option<Instant> {
        self.streams
            .values()
            .filter_map(|stream| stream.not_before)
            .min()
    }

    /// Takes complete frames; after an error the connection is of no use.
    pub(in crate::origin) fn receive(
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
}
