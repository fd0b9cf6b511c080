//! A message, sent in a stream: its head is the text of HTTP/1.1, its content what it is.
//!
//! A write ends when the `h2` crate has room for all of it in the stream's send buffer, which is
//! bounded: so a slow recipient holds back whoever writes.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::SendRequest;
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use sallyport_wire::http1::Scheme;
use sallyport_wire::invariant::part;

use super::heads::{Asked, Coding};
use super::incoming::{Incoming, io_error};
use super::link::Link;
use super::messages::{request_message, response_message, trailer_message};

/// The sending half of an exchange.
pub(super) struct Outgoing {
    state: State,
    /// A head that is not complete yet.
    head: Vec<u8>,
}

enum State {
    /// The response to a request is still to be sent.
    Response(SendResponse<Bytes>, Asked),
    /// The request is still to be sent.
    Request(SendRequest<Bytes>, Scheme),
    Body(SendStream<Bytes>),
    /// A tunnel.
    Raw(SendStream<Bytes>),
    /// Everything was sent.
    Ended(SendStream<Bytes>),
    Broken,
}

/// What is still to be sent of one write.
#[derive(Debug)]
pub(super) struct Unsent<'w> {
    content: &'w [u8],
    end: End<'w>,
    /// Content that the codec was given and nobody has counted.
    given: usize,
}

/// What comes behind the content of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End<'w> {
    /// More content.
    Open,
    /// The end of the message, with these field lines.
    Trailers(&'w [u8]),
}

impl<'w> Unsent<'w> {
    pub(super) fn new(content: &'w [u8], end: End<'w>) -> Self {
        Self {
            content,
            end,
            given: 0,
        }
    }

    /// How much content the codec was given since this was asked.
    pub(super) fn take_given(&mut self) -> usize {
        std::mem::take(&mut self.given)
    }

    /// Up to `bytes` of the content.
    fn split(&mut self, bytes: usize) -> Bytes {
        let (part, rest) = self
            .content
            .split_at_checked(bytes)
            .unwrap_or((self.content, &[]));
        self.content = rest;
        self.given += part.len();
        Bytes::copy_from_slice(part)
    }
}

/// Content that is copied and given to the codec at once: a frame.
const PIECE_BYTES: usize = 16 * 1024;

fn invalid<E: std::error::Error + Send + Sync + 'static>(fault: E) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, fault)
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
        }
    }

    /// Takes bytes of the message and sends heads; returns the content behind them, for
    /// [`Self::poll_send`].
    pub(super) fn take_heads<'i>(
        &mut self,
        mut input: &'i [u8],
        incoming: &mut Incoming,
    ) -> io::Result<&'i [u8]> {
        while matches!(self.state, State::Response(..) | State::Request(..)) && !input.is_empty() {
            input = self.take_head(input, incoming)?;
        }
        Ok(input)
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
                let rest = part(input, end.saturating_sub(before)..);
                let head = std::mem::take(&mut self.head);
                self.send_head(part(&head, ..end), incoming)?;
                return Ok(rest);
            }
        };
        self.send_head(head, incoming)?;
        Ok(rest)
    }

    fn send_head(&mut self, head: &[u8], incoming: &mut Incoming) -> io::Result<()> {
        match &mut self.state {
            State::Response(send, asked) => {
                let message = response_message(head, asked).map_err(invalid)?;
                if message.head.status().is_informational() {
                    let sent = send.send_informational(message.head);
                    return sent.map_err(|error| io_error(&error));
                }
                let stream = send
                    .send_response(message.head, message.coding == Coding::Nothing)
                    .map_err(|error| io_error(&error))?;
                self.state = State::after(stream, message.coding);
            }
            State::Request(send, scheme) => {
                let (message, asked) = request_message(head, *scheme).map_err(invalid)?;
                let sent = send.send_request(message.head, message.coding == Coding::Nothing);
                let (answer, stream) = sent.map_err(|error| {
                    incoming.never_sent();
                    io_error(&error)
                })?;
                incoming.expect(answer, asked);
                self.state = State::after(stream, message.coding);
            }
            _ => {}
        }
        Ok(())
    }

    /// Sends content as the window allows; nothing is copied before it may be sent.
    pub(super) fn poll_send(
        &mut self,
        unsent: &mut Unsent<'_>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let (State::Body(stream) | State::Raw(stream)) = &mut self.state else {
                // A message without content ended with its head.
                return Poll::Ready(match unsent.content.is_empty() {
                    true => Ok(()),
                    false => Err(io::ErrorKind::BrokenPipe.into()),
                });
            };
            let mut part = Bytes::new();
            if !unsent.content.is_empty() {
                let wanted = unsent.content.len().min(PIECE_BYTES);
                let capacity = ready!(poll_capacity(stream, wanted, context))?;
                part = unsent.split(capacity.min(wanted));
            }
            // The end goes with the last of the content.
            let end = match unsent.content.is_empty() {
                true => unsent.end,
                false => End::Open,
            };
            let ends_here = end == End::Trailers(&[]);
            if !part.is_empty() || ends_here {
                let sent = stream.send_data(part, ends_here);
                sent.map_err(|error| io_error(&error))?;
            }
            if let End::Trailers(lines @ [_, ..]) = end {
                let trailers = trailer_message(lines).map_err(invalid)?;
                let sent = stream.send_trailers(trailers);
                sent.map_err(|error| io_error(&error))?;
            }
            if end != End::Open {
                self.end();
            }
            if unsent.content.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
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
            State::Body(stream) => stream.send_reset(Reason::INTERNAL_ERROR),
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
            State::Body(stream) | State::Raw(stream) => {
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
        if let State::Body(stream) | State::Raw(stream) | State::Ended(stream) = &mut self.state {
            stream.send_reset(Reason::CANCEL);
        }
        self.state = State::Broken;
    }

    /// Waits until the client has reset the stream, or its connection is gone.
    pub(super) fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let gone = match &mut self.state {
            State::Response(send, _) => send.poll_reset(context),
            State::Body(stream) | State::Raw(stream) => stream.poll_reset(context),
            State::Request(..) | State::Ended(_) | State::Broken => return Poll::Pending,
        };
        gone.map(|_| ())
    }

    fn end(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Broken) {
            State::Body(stream) | State::Raw(stream) => State::Ended(stream),
            other => other,
        };
    }
}

impl State {
    fn after(stream: SendStream<Bytes>, coding: Coding) -> Self {
        match coding {
            Coding::Raw => Self::Raw(stream),
            Coding::Nothing => Self::Ended(stream),
            Coding::Length | Coding::Chunked => Self::Body(stream),
        }
    }
}

/// Behind the empty line.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let is_end = |four: &[u8]| four == b"\r\n\r\n";
    bytes.windows(4).position(is_end).map(|start| start + 4)
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
