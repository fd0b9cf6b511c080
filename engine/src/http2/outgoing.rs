//! The bytes of an HTTP/1.1 message, sent in a stream.
//!
//! A write ends when the `h2` crate has room for all of it in the stream's send buffer, which is
//! bounded: so a slow recipient holds back whoever writes.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::SendRequest;
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use http::HeaderMap;
use sallyport_wire::http1::{BodyEvent, BodyFraming, BodyReader, ChunkLimits, Scheme};

use super::heads::{Asked, Coding};
use super::incoming::{Incoming, io_error};
use super::link::Link;
use super::messages::{Message, request_message, response_message, trailer_message};

/// The sending half of an exchange.
pub(super) struct Outgoing {
    state: State,
    /// A head that is not complete yet.
    head: Vec<u8>,
    /// A last chunk follows content of a declared length as well.
    carries_trailers: bool,
}

enum State {
    /// The response to a request is still to be sent.
    Response(SendResponse<Bytes>, Asked),
    /// The request is still to be sent.
    Request(SendRequest<Bytes>, Scheme),
    Body(SendStream<Bytes>, BodyReader),
    /// A tunnel.
    Raw(SendStream<Bytes>),
    /// Everything was sent.
    Ended(SendStream<Bytes>),
    Broken,
}

/// What one write comes to.
#[derive(Debug, Default)]
pub(super) struct Payload {
    data: Bytes,
    ends: bool,
    trailers: Option<HeaderMap>,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match self.state {
            State::Response(..) => "Response",
            State::Request(..) => "Request",
            State::Body(..) => "Body",
            State::Raw(_) => "Raw",
            State::Ended(_) => "Ended",
            State::Broken => "Broken",
        };
        f.debug_tuple("Outgoing").field(&state).finish()
    }
}

/// Trailers were held to the configured limits where they were received.
const CHUNK_LIMITS: ChunkLimits = ChunkLimits {
    extension_bytes_max: 0,
    trailer_bytes_max: usize::MAX,
    tolerates_blanks: false,
};

impl Outgoing {
    /// The response to a request.
    pub(super) fn response(send: SendResponse<Bytes>, asked: Asked) -> Self {
        Self::of(State::Response(send, asked))
    }

    /// A request.
    pub(super) fn request(send: SendRequest<Bytes>, scheme: Scheme) -> Self {
        Self::of(State::Request(send, scheme))
    }

    fn of(state: State) -> Self {
        Self {
            state,
            head: Vec::new(),
            carries_trailers: false,
        }
    }

    /// Takes a last chunk behind content of a declared length.
    pub(super) fn carry_trailers(&mut self) {
        self.carries_trailers = true;
    }

    /// Takes bytes of the message: heads are sent, content is returned for [`Self::poll_send`].
    pub(super) fn take(
        &mut self,
        mut input: &[u8],
        incoming: &mut Incoming,
    ) -> io::Result<Payload> {
        while matches!(self.state, State::Response(..) | State::Request(..)) {
            if input.is_empty() {
                return Ok(Payload::default());
            }
            input = self.take_head(input, incoming)?;
        }
        match &mut self.state {
            State::Body(_, reader) => {
                let mut payload = take_body(reader, input)?;
                if payload.ends && std::mem::take(&mut self.carries_trailers) {
                    // The end comes with the trailer section.
                    *reader = BodyReader::new(BodyFraming::Chunked, &CHUNK_LIMITS);
                    payload.ends = false;
                }
                Ok(payload)
            }
            State::Raw(_) => Ok(Payload {
                data: Bytes::copy_from_slice(input),
                ..Payload::default()
            }),
            _ if input.is_empty() => Ok(Payload::default()),
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Takes a head, if it is complete; returns what follows it.
    fn take_head<'i>(&mut self, input: &'i [u8], incoming: &mut Incoming) -> io::Result<&'i [u8]> {
        // Heads are written in one piece; the loop is for the day when they are not.
        let (head, rest) = match (self.head.is_empty(), end_of_head(input)) {
            (true, Some(end)) => input.split_at_checked(end).unwrap_or((input, &[])),
            _ => {
                let before = self.head.len();
                self.head.extend_from_slice(input);
                let Some(end) = end_of_head(&self.head) else {
                    return Ok(&[]);
                };
                let rest = input.get(end.saturating_sub(before)..).unwrap_or_default();
                let head = std::mem::take(&mut self.head);
                self.send_head(head.get(..end).unwrap_or_default(), incoming)?;
                return Ok(rest);
            }
        };
        self.send_head(head, incoming)?;
        Ok(rest)
    }

    fn send_head(&mut self, head: &[u8], incoming: &mut Incoming) -> io::Result<()> {
        let invalid = |fault| io::Error::new(io::ErrorKind::InvalidInput, fault);
        match &mut self.state {
            State::Response(send, asked) => {
                let message = response_message(head, asked).map_err(invalid)?;
                if message.head.status().is_informational() {
                    let sent = send.send_informational(message.head);
                    return sent.map_err(|error| io_error(&error));
                }
                let ends = message.coding == Coding::Nothing;
                let (framing, is_raw) = framing(&message);
                let stream = send
                    .send_response(message.head, ends)
                    .map_err(|error| io_error(&error))?;
                self.state = State::after(stream, framing, is_raw, ends);
            }
            State::Request(send, scheme) => {
                let (message, asked) = request_message(head, *scheme).map_err(invalid)?;
                let ends = message.coding == Coding::Nothing;
                let (framing, is_raw) = framing(&message);
                let sent = send.send_request(message.head, ends);
                let (answer, stream) = sent.map_err(|error| {
                    incoming.never_sent();
                    io_error(&error)
                })?;
                incoming.expect(answer, asked);
                self.state = State::after(stream, framing, is_raw, ends);
            }
            _ => {}
        }
        Ok(())
    }

    /// Sends what a write came to, as the window allows.
    pub(super) fn poll_send(
        &mut self,
        payload: &mut Payload,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let (State::Body(stream, _) | State::Raw(stream)) = &mut self.state else {
            return match payload.data.is_empty() {
                true => Poll::Ready(Ok(())),
                false => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            };
        };
        while !payload.data.is_empty() {
            let capacity = ready!(poll_capacity(stream, payload.data.len(), context))?;
            let part = payload.data.split_to(capacity.min(payload.data.len()));
            let ends = payload.ends && payload.data.is_empty() && payload.trailers.is_none();
            let sent = stream.send_data(part, ends);
            sent.map_err(|error| io_error(&error))?;
            if ends {
                self.end();
                return Poll::Ready(Ok(()));
            }
        }
        if payload.ends {
            let sent = match payload.trailers.take() {
                Some(trailers) => stream.send_trailers(trailers),
                None => stream.send_data(Bytes::new(), true),
            };
            sent.map_err(|error| io_error(&error))?;
            self.end();
        }
        Poll::Ready(Ok(()))
    }

    /// Says that nothing more will be sent in a tunnel.
    pub(super) fn finish(&mut self) {
        if let State::Raw(stream) = &mut self.state {
            match stream.send_data(Bytes::new(), true) {
                Ok(()) => self.end(),
                Err(_) => self.state = State::Broken,
            }
        }
    }

    /// Breaks off what is not complete. Nothing happens to what is.
    pub(super) fn reset(&mut self) {
        match &mut self.state {
            State::Response(send, _) => send.send_reset(Reason::INTERNAL_ERROR),
            // RFC 9113 section 8.5: a fault of the connection at the other end of a tunnel.
            State::Raw(stream) => stream.send_reset(Reason::CONNECT_ERROR),
            State::Body(stream, _) => stream.send_reset(Reason::INTERNAL_ERROR),
            State::Request(..) | State::Ended(_) | State::Broken => return,
        }
        self.state = State::Broken;
    }

    /// Says that nothing of the request was processed (RFC 9113 section 8.7), while that can be said.
    pub(super) fn decline(&mut self) {
        if let State::Response(send, _) = &mut self.state {
            send.send_reset(Reason::REFUSED_STREAM);
            self.state = State::Broken;
        }
    }

    /// Ends the stream because what came in it is malformed (RFC 9113 section 8.1.1).
    pub(super) fn refuse_malformed(&mut self, link: &Link) {
        match &mut self.state {
            State::Response(send, _) => send.send_reset(Reason::PROTOCOL_ERROR),
            State::Body(stream, _) | State::Raw(stream) => {
                stream.send_reset(Reason::PROTOCOL_ERROR);
            }
            // To the codec the stream is closed: both sides have ended it.
            State::Ended(stream) => link.say_reset(stream.stream_id(), Reason::PROTOCOL_ERROR),
            State::Request(..) | State::Broken => return,
        }
        self.state = State::Broken;
    }

    /// Gives up an exchange whose outcome nobody waits for any more.
    pub(super) fn cancel(&mut self) {
        if let State::Body(stream, _) | State::Raw(stream) | State::Ended(stream) = &mut self.state
        {
            stream.send_reset(Reason::CANCEL);
        }
        self.state = State::Broken;
    }

    /// Waits until the client has reset the stream, or its connection is gone.
    pub(super) fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let gone = match &mut self.state {
            State::Response(send, _) => send.poll_reset(context),
            State::Body(stream, _) | State::Raw(stream) => stream.poll_reset(context),
            State::Request(..) | State::Ended(_) | State::Broken => return Poll::Pending,
        };
        gone.map(|_| ())
    }

    fn end(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Broken) {
            State::Body(stream, _) | State::Raw(stream) => State::Ended(stream),
            other => other,
        };
    }
}

impl State {
    fn after(stream: SendStream<Bytes>, framing: BodyFraming, is_raw: bool, ends: bool) -> Self {
        match (is_raw, ends) {
            (true, _) => Self::Raw(stream),
            (_, true) => Self::Ended(stream),
            _ => Self::Body(stream, BodyReader::new(framing, &CHUNK_LIMITS)),
        }
    }
}

fn framing<T>(message: &Message<T>) -> (BodyFraming, bool) {
    match message.coding {
        Coding::Nothing => (BodyFraming::None, false),
        Coding::Length => (BodyFraming::Length(message.length), false),
        Coding::Chunked => (BodyFraming::Chunked, false),
        Coding::Raw => (BodyFraming::None, true),
    }
}

/// Behind the empty line.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let is_end = |four: &[u8]| four == b"\r\n\r\n";
    bytes.windows(4).position(is_end).map(|start| start + 4)
}

fn take_body(reader: &mut BodyReader, mut input: &[u8]) -> io::Result<Payload> {
    let mut data = Vec::with_capacity(input.len());
    while !reader.is_complete() && !input.is_empty() {
        let (consumed, event) = reader
            .next(input)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        if let BodyEvent::Data { start, len } = event {
            data.extend_from_slice(input.get(start..start + len).unwrap_or_default());
        }
        input = input.get(consumed..).unwrap_or_default();
    }
    let ends = reader.is_complete();
    let lines = if ends { reader.trailers() } else { &[] };
    let trailers = match lines.is_empty() {
        true => None,
        false => Some(
            trailer_message(lines)
                .map_err(|fault| io::Error::new(io::ErrorKind::InvalidInput, fault))?,
        ),
    };
    Ok(Payload {
        data: data.into(),
        ends,
        trailers,
    })
}

/// Waits until some of `wanted` bytes may be sent.
fn poll_capacity(
    stream: &mut SendStream<Bytes>,
    wanted: usize,
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    stream.reserve_capacity(wanted);
    match stream.capacity() {
        0 => match ready!(stream.poll_capacity(context)) {
            Some(Ok(bytes)) => Poll::Ready(Ok(bytes)),
            Some(Err(error)) => Poll::Ready(Err(io_error(&error))),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        },
        bytes => Poll::Ready(Ok(bytes)),
    }
}
