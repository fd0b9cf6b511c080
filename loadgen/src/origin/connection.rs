//! The life of one connection to the origin: read a request, do what it asks, next request.
//!
//! `drive` goes as far as the socket allows and says what to wait for. Which socket is ready and
//! what time it is, `server` knows.

use std::io;
use std::mem;
use std::time::Instant;

use super::behavior::{Behavior, BodyKind, Cut};
use super::context::Context;
use super::http2::Session;
use super::request::{
    Echo, Head, Received, Request, add_digests, echo_json, json_type, parse_head, plain_content,
};
use super::responses::{Asked, Content, Ending, ResponseStream};
use crate::http::chunked::ChunkedDecoder;
use crate::http::framing::FramingFields;
use crate::net::transport::Transport;

/// Most of a request body that `/echo` repeats; the rest is read and dropped.
const ECHO_BYTES_MAX: usize = 1024 * 1024;

/// What the connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Readiness of its socket.
    Ready,
    /// A moment (or readiness).
    At(Instant),
    /// Nothing: it is over.
    Close,
    /// Nothing: it is to be reset.
    Reset,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    transport: Transport,
    /// Read and not yet used.
    inbox: Vec<u8>,
    /// Rendered and not yet sent, from `sent` on.
    outbox: Vec<u8>,
    sent: usize,
    phase: Phase,
    /// The socket had no more to read; cleared by its next event (they are edge-triggered).
    drained: bool,
    /// The client sends no more: what is there must be read to its end, which raises no event again.
    ended: bool,
}

#[derive(Debug)]
enum Phase {
    Handshake,
    /// All further phases are those of its streams.
    Http2(Box<Session>),
    Head,
    Body(Request, BodyLeft),
    Delay(Request, Instant),
    Sending(ResponseStream),
    Pause(ResponseStream, Instant),
    /// Never answers; ends with the client.
    Silent,
}

/// What is left of a request body.
#[derive(Debug)]
enum BodyLeft {
    Bytes(u64),
    Chunked(ChunkedDecoder),
}

/// Where a phase leads.
enum Step {
    To(Phase),
    Wait(Phase, Next),
    End(Next),
}

impl Connection {
    /// A connection that was just accepted.
    pub(super) fn new(transport: Transport) -> Self {
        let phase = if transport.is_tls() {
            Phase::Handshake
        } else {
            Phase::Head
        };
        Self {
            transport,
            inbox: Vec::new(),
            outbox: Vec::new(),
            sent: 0,
            phase,
            drained: false,
            ended: false,
        }
    }

    /// Between two requests with nothing half done: may be closed without harm.
    pub(super) fn is_idle(&self) -> bool {
        let is_between = match &self.phase {
            Phase::Head | Phase::Silent | Phase::Handshake => true,
            Phase::Http2(session) => session.is_idle(),
            _ => false,
        };
        is_between && self.inbox.is_empty() && self.outbox.is_empty()
    }

    /// The socket had an event: there may be something to read again.
    pub(super) fn on_event(&mut self, closed: bool) {
        self.drained = false;
        self.ended |= closed;
        if closed && matches!(self.phase, Phase::Silent) {
            self.phase = Phase::Head;
        }
    }

    /// Says good-bye on a stream that ends in order.
    pub(super) fn close_notify(&mut self) {
        self.transport.close_notify();
    }

    /// Makes the close that follows a reset.
    pub(super) fn reset_on_close(&self) {
        self.transport.reset_on_close();
    }

    /// Goes as far as it can.
    pub(super) fn drive(&mut self, context: &mut Context<'_>) -> Next {
        loop {
            match self.flush() {
                Ok(true) => {}
                Ok(false) => return Next::Ready,
                Err(_) => return Next::Close,
            }
            let step = match mem::replace(&mut self.phase, Phase::Head) {
                Phase::Handshake => self.handshake(),
                Phase::Http2(session) => self.streams(session, context),
                Phase::Head => self.read_head(context),
                Phase::Body(request, left) => self.read_body(request, left, context),
                Phase::Delay(request, until) if context.now < until => {
                    Step::Wait(Phase::Delay(request, until), Next::At(until))
                }
                Phase::Delay(request, _) => self.respond(request, context),
                Phase::Sending(stream) => self.send(stream, context.now),
                Phase::Pause(stream, until) if context.now < until => {
                    Step::Wait(Phase::Pause(stream, until), Next::At(until))
                }
                Phase::Pause(mut stream, _) => {
                    stream.render_piece(&mut self.outbox);
                    Step::To(Phase::Sending(stream))
                }
                Phase::Silent => Step::Wait(Phase::Silent, Next::Ready),
            };
            match step {
                Step::To(phase) => self.phase = phase,
                Step::Wait(phase, next) => {
                    self.phase = phase;
                    return next;
                }
                Step::End(next) => return next,
            }
        }
    }

    /// Sends what is rendered; `Ok(false)` if the socket took not all.
    fn flush(&mut self) -> io::Result<bool> {
        while let Some(rest) = self.outbox.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.transport.write(rest) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        self.outbox.clear();
        self.sent = 0;
        if self.transport.wants_flush() {
            self.transport.flush()?;
        }
        Ok(!self.transport.wants_flush())
    }

    /// Reads what is there into the inbox.
    fn fill(&mut self, scratch: &mut [u8]) -> Result<(), Next> {
        if self.drained {
            return Err(Next::Ready);
        }
        match self.transport.read(scratch) {
            Ok(0) => Err(Next::Close),
            Ok(count) => {
                self.inbox
                    .extend_from_slice(scratch.get(..count).unwrap_or_default());
                // A short read has emptied the socket (epoll(7)); TLS has its own buffers.
                self.drained = count < scratch.len() && !self.transport.is_tls() && !self.ended;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.drained = true;
                Err(Next::Ready)
            }
            Err(_) => Err(Next::Close),
        }
    }

    fn handshake(&mut self) -> Step {
        match self.transport.handshake() {
            Ok(true) if self.transport.protocol() == Some(b"h2") => {
                Step::To(Phase::Http2(Box::new(Session::start(&mut self.outbox))))
            }
            Ok(true) => Step::To(Phase::Head),
            Ok(false) => Step::Wait(Phase::Handshake, Next::Ready),
            Err(_) => Step::End(Next::Close),
        }
    }

    /// One turn of HTTP/2: takes what was read, renders what can be sent, reads on.
    fn streams(&mut self, mut session: Box<Session>, context: &mut Context<'_>) -> Step {
        if session
            .receive(&mut self.inbox, &mut self.outbox, context)
            .is_err()
        {
            // The frame that says why is in the outbox; it is worth a try.
            let _ = self.flush();
            return Step::End(Next::Close);
        }
        session.produce(context, &mut self.outbox);
        if !self.outbox.is_empty() {
            return Step::To(Phase::Http2(session));
        }
        match self.fill(context.scratch) {
            Ok(()) => Step::To(Phase::Http2(session)),
            Err(Next::Ready) => {
                let next = session.next_moment().map_or(Next::Ready, Next::At);
                Step::Wait(Phase::Http2(session), next)
            }
            Err(next) => Step::End(next),
        }
    }

    fn read_head(&mut self, context: &mut Context<'_>) -> Step {
        if !self.inbox.is_empty() {
            match parse_head(&self.inbox) {
                Ok(Some(head)) => return self.accept_head(head, context),
                Ok(None) => {}
                Err(reason) => return self.refuse(&reason.to_string(), context),
            }
        }
        match self.fill(context.scratch) {
            Ok(()) => Step::To(Phase::Head),
            Err(Next::Ready) => Step::Wait(Phase::Head, Next::Ready),
            Err(next) => Step::End(next),
        }
    }

    fn accept_head(&mut self, head: Head, context: &mut Context<'_>) -> Step {
        context.counters.count_request();
        let behavior = match head.behavior {
            Ok(behavior) => behavior,
            Err(reason) => return self.refuse(&reason.to_string(), context),
        };
        let echo = matches!(behavior.body, BodyKind::Echo { .. }).then(|| {
            let head = self.inbox.get(..head.bytes).unwrap_or_default().to_vec();
            Box::new(Echo {
                head,
                body: Vec::new(),
            })
        });
        self.inbox.drain(..head.bytes);
        let left = match head.fields {
            FramingFields { chunked: true, .. } => BodyLeft::Chunked(ChunkedDecoder::new()),
            fields => BodyLeft::Bytes(fields.length.unwrap_or(0)),
        };
        let has_body = !matches!(left, BodyLeft::Bytes(0));
        if has_body && head.fields.expect_continue && self.inbox.is_empty() {
            self.outbox
                .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        Step::To(Phase::Body(
            Request {
                behavior,
                asked: head.asked,
                echo,
                received: Received::default(),
            },
            left,
        ))
    }

    fn read_body(
        &mut self,
        mut request: Request,
        mut left: BodyLeft,
        context: &mut Context<'_>,
    ) -> Step {
        let mut keep = |bytes: &[u8]| {
            request.received.add(bytes);
            if let Some(echo) = request.echo.as_mut() {
                let room = ECHO_BYTES_MAX - echo.body.len();
                echo.body
                    .extend_from_slice(bytes.get(..room).unwrap_or(bytes));
            }
        };
        let (consumed, done) = match &mut left {
            BodyLeft::Bytes(count) => {
                let taken = usize::try_from(*count)
                    .map_or(self.inbox.len(), |count| count.min(self.inbox.len()));
                keep(self.inbox.get(..taken).unwrap_or_default());
                *count -= taken as u64;
                (taken, *count == 0)
            }
            BodyLeft::Chunked(decoder) => match decoder.decode(&self.inbox, &mut keep) {
                Ok(decoded) => (decoded.consumed, decoded.done),
                Err(reason) => return self.refuse(&reason.to_string(), context),
            },
        };
        self.inbox.drain(..consumed);
        if done {
            let until = context.now + request.behavior.delay;
            return if until > context.now {
                Step::To(Phase::Delay(request, until))
            } else {
                self.respond(request, context)
            };
        }
        match self.fill(context.scratch) {
            Ok(()) => Step::To(Phase::Body(request, left)),
            Err(Next::Ready) => Step::Wait(Phase::Body(request, left), Next::Ready),
            Err(next) => Step::End(next),
        }
    }

    fn respond(&mut self, request: Request, context: &Context<'_>) -> Step {
        let mut behavior = request.behavior;
        let content = match behavior.body {
            BodyKind::Stall => return Step::To(Phase::Silent),
            BodyKind::Echo { raw } => {
                let mut echo = request.echo.unwrap_or_default();
                if raw {
                    echo.head.append(&mut echo.body);
                    Content::Made(echo.head)
                } else {
                    json_type(&mut behavior);
                    Content::Made(echo_json(&echo))
                }
            }
            _ => plain_content(&mut behavior, context.counters),
        };
        add_digests(&mut behavior, &content, request.received);
        let mut stream = ResponseStream::start(
            &behavior,
            content,
            request.asked,
            context.date,
            &mut self.outbox,
        );
        if stream.pace.is_none() {
            stream.render_piece(&mut self.outbox);
        }
        Step::To(Phase::Sending(stream))
    }

    /// All that was rendered so far is sent; goes on with the body or ends the response.
    fn send(&mut self, mut stream: ResponseStream, now: Instant) -> Step {
        if !stream.is_complete() {
            if let Some(pace) = stream.pace {
                return Step::To(Phase::Pause(stream, now + pace));
            }
            stream.render_piece(&mut self.outbox);
            return Step::To(Phase::Sending(stream));
        }
        match stream.ending {
            Ending::Persist => Step::To(Phase::Head),
            Ending::Close => Step::End(Next::Close),
            Ending::Reset => Step::End(Next::Reset),
        }
    }

    /// Answers 400 and closes: the request cannot be understood.
    fn refuse(&mut self, reason: &str, context: &Context<'_>) -> Step {
        self.inbox.clear();
        let mut behavior = Behavior::of_body(BodyKind::Small);
        behavior.status = 400;
        behavior.cut = None::<Cut>;
        let asked = Asked {
            head_only: false,
            minor_version: 1,
            persistent: false,
        };
        let content = Content::Made(format!("{reason}\n").into_bytes());
        let mut stream =
            ResponseStream::start(&behavior, content, asked, context.date, &mut self.outbox);
        stream.render_piece(&mut self.outbox);
        Step::To(Phase::Sending(stream))
    }
}
