//! What arrives in a stream: the head as the text of HTTP/1.1, content as it is, trailers at the end.
//!
//! The window of the stream is opened again only for bytes that were read from here, and whoever
//! reads passes them on before reading more: so a slow recipient holds the sender back, and no more
//! than one window is ever stored.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream};
use http::Response;
use sallyport_wire::http1::HeadError;
use sallyport_wire::http2::Malformed;
use sallyport_wire::invariant::part;

use super::error_code;
use super::heads::{Asked, Coding, Text, response_text, trailer_text};
use super::link::Link;

/// The receiving half of an exchange.
#[derive(Debug)]
pub(super) struct Incoming {
    source: Source,
    /// The head, and how much of it was read.
    text: Vec<u8>,
    text_read: usize,
    /// Content, behind `text`.
    data: Bytes,
    /// Field lines, once all content has come.
    trailers: Vec<u8>,
    /// The origin has not processed the request, and says so.
    declined: Option<Declined>,
    /// What the origin did wrong, or said was wrong.
    fault: Option<String>,
    /// Knows what is malformed for RFC 9113 and not for the codec.
    link: Rc<Link>,
    /// The stream, once there is one.
    id: Option<u32>,
    /// Such a message has come, and nobody has been told.
    malformed: bool,
}

/// What an origin wants of a request that it has not processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Declined {
    /// It may be sent again, on another connection.
    Again,
    /// It is to be sent again over HTTP/1.1.
    OverHttp1,
}

#[derive(Debug)]
enum Source {
    /// No request was sent yet; who waits for its response.
    Unasked(Option<Waker>),
    /// The head of the response is still to come.
    Answer(ResponseFuture, Asked),
    Body(RecvStream),
    /// What came is malformed, whatever else comes.
    Malformed(Malformed),
    /// Nothing more comes, although the message is not whole: whoever asks again is told again.
    Failed(io::ErrorKind, String),
    Ended,
}

impl Incoming {
    /// A request: its head and the stream behind it.
    pub(super) fn request(text: Text, body: RecvStream, link: Rc<Link>) -> Self {
        let id = Some(body.stream_id().into());
        let source = match text.coding {
            Coding::Nothing => Source::Ended,
            _ => Source::Body(body),
        };
        Self {
            text: text.bytes,
            id,
            ..Self::of(source, link)
        }
    }

    /// The response to a request that is still to be sent.
    pub(super) fn response(link: Rc<Link>) -> Self {
        Self::of(Source::Unasked(None), link)
    }

    fn of(source: Source, link: Rc<Link>) -> Self {
        Self {
            source,
            text: Vec::new(),
            text_read: 0,
            data: Bytes::new(),
            trailers: Vec::new(),
            declined: None,
            fault: None,
            link,
            id: None,
            malformed: false,
        }
    }

    /// The request was sent: its response may be read.
    pub(super) fn expect(&mut self, answer: ResponseFuture, asked: Asked) {
        self.id = Some(answer.stream_id().into());
        let before = std::mem::replace(&mut self.source, Source::Answer(answer, asked));
        if let Source::Unasked(Some(waker)) = before {
            waker.wake();
        }
    }

    /// Whether the origin said that it has not processed the request.
    pub(super) fn declined(&self) -> Option<Declined> {
        self.declined
    }

    /// Why the origin did not finish what it sends, if it only broke off.
    pub(super) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// The request never left: its connection takes no more of them.
    pub(super) fn never_sent(&mut self) {
        self.declined = Some(match self.link.wants_http1() {
            true => Declined::OverHttp1,
            false => Declined::Again,
        });
    }

    /// The field lines behind the content, once that has ended.
    pub(super) fn trailers(&self) -> &[u8] {
        &self.trailers
    }

    /// Whether a malformed message has come since the last call (RFC 9113 section 8.1.1).
    pub(super) fn take_malformed(&mut self) -> bool {
        std::mem::take(&mut self.malformed)
    }

    /// The stream that it arrives in, once there is one.
    pub(super) fn id(&self) -> Option<u32> {
        self.id
    }

    /// The connection that it arrives on.
    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// Waits until there is something to read; `false` at the end.
    pub(super) fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            if self.text_read < self.text.len() || !self.data.is_empty() {
                return Poll::Ready(Ok(true));
            }
            self.text.clear();
            self.text_read = 0;
            match &mut self.source {
                Source::Unasked(waker) => {
                    *waker = Some(context.waker().clone());
                    return Poll::Pending;
                }
                Source::Answer(answer, _) => {
                    let head = ready!(poll_answer(answer, context));
                    self.answered(head)?;
                }
                Source::Body(body) => match ready!(body.poll_data(context)) {
                    Some(Ok(data)) => self.data = data,
                    Some(Err(error)) => return Poll::Ready(Err(self.failed(&error))),
                    None => ready!(self.poll_end(context))?,
                },
                Source::Malformed(fault) => {
                    let fault = fault.to_string();
                    return Poll::Ready(Err(self.broken(fault)));
                }
                Source::Failed(kind, fault) => {
                    return Poll::Ready(Err(io::Error::new(*kind, fault.clone())));
                }
                Source::Ended => return Poll::Ready(Ok(false)),
            }
        }
    }

    /// Moves what is there behind the content of `out`, up to its capacity.
    pub(super) fn read(&mut self, out: &mut Vec<u8>) -> io::Result<usize> {
        let before = out.len();
        let text = part(&self.text, self.text_read..);
        let part = part(text, ..text.len().min(room(out)));
        out.extend_from_slice(part);
        self.text_read += part.len();
        if self.text_read == self.text.len() && !self.data.is_empty() {
            let part = self.data.split_to(self.data.len().min(room(out)));
            out.extend_from_slice(&part);
            let opens = match self.id {
                Some(id) => self.link.held().read(id, part.len()),
                None => part.len(),
            };
            if let Source::Body(body) = &mut self.source {
                let released = body.flow_control().release_capacity(opens);
                released.map_err(|error| io_error(&error))?;
            }
        }
        Ok(out.len() - before)
    }

    fn answered(
        &mut self,
        head: Result<Response<Option<RecvStream>>, h2::Error>,
    ) -> io::Result<()> {
        let (parts, body) = head.map_err(|error| self.failed(&error))?.into_parts();
        let Source::Answer(answer, asked) = &self.source else {
            return Ok(());
        };
        if let Some(malformed) = self.link.malformed(answer.stream_id()) {
            self.refuse(malformed);
            return Ok(());
        }
        let ends = body.as_ref().is_some_and(RecvStream::is_end_stream);
        let text = response_text(&parts, ends, asked);
        let text = text.map_err(|fault| self.broken(fault.to_string()))?;
        self.text = text.bytes;
        if let Some(body) = body {
            self.source = Source::Body(body);
        }
        Ok(())
    }

    /// All content has come.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Source::Body(body) = &mut self.source else {
            return Poll::Ready(Ok(()));
        };
        let trailers = match ready!(body.poll_trailers(context)) {
            Ok(trailers) => trailers,
            Err(error) => return Poll::Ready(Err(self.failed(&error))),
        };
        if let Some(malformed) = self.link.malformed(body.stream_id()) {
            self.refuse(malformed);
            return Poll::Ready(Ok(()));
        }
        if let Some(trailers) = trailers {
            trailer_text(&trailers, &mut self.trailers);
        }
        self.source = Source::Ended;
        Poll::Ready(Ok(()))
    }

    fn refuse(&mut self, malformed: Malformed) {
        self.malformed = true;
        self.source = Source::Malformed(malformed);
    }

    fn failed(&mut self, error: &h2::Error) -> io::Error {
        if let Source::Answer(answer, _) = &self.source {
            let stream = answer.stream_id();
            if self.link.had_large_head(stream) {
                return self.broken(HeadError::HeadTooLarge.reason().to_owned());
            }
            self.declined = declined(error, stream.into(), &self.link);
        }
        self.fault = match (self.link.fault(), self.link.going_away()) {
            (Some(fault), _) => Some(format!("the origin broke HTTP/2: {fault}")),
            // Streams that it was to finish end with the connection.
            (None, Some(told)) if error.reason().is_none() => {
                error_code::of_goaway(told.code.into())
            }
            (None, _) => error_code::of_origin(error),
        };
        let told = match (&self.fault, error.is_reset() && self.declined.is_none()) {
            (Some(fault), true) => io::Error::new(io::ErrorKind::InvalidData, fault.clone()),
            (None, true) => io::Error::from(io::ErrorKind::ConnectionAborted),
            (_, false) => io_error(error),
        };
        self.source = Source::Failed(told.kind(), told.to_string());
        told
    }

    /// The error of a message that cannot be passed on.
    fn broken(&mut self, fault: String) -> io::Error {
        self.fault = Some(fault.clone());
        self.source = Source::Failed(io::ErrorKind::InvalidData, fault.clone());
        io::Error::new(io::ErrorKind::InvalidData, fault)
    }
}

/// Whether an origin whose response has not begun says that it has not processed the request.
fn declined(error: &h2::Error, stream: u32, link: &Link) -> Option<Declined> {
    let is_remote = error.is_remote();
    let by_error = match error.reason() {
        // RFC 9113 section 8.7.
        Some(Reason::REFUSED_STREAM) if is_remote && error.is_reset() => Some(Declined::Again),
        // RFC 9113 section 7.
        Some(Reason::HTTP_1_1_REQUIRED) if is_remote => Some(Declined::OverHttp1),
        // RFC 9113 section 6.8: the codec ends so what is behind the last stream, whatever the code.
        Some(_) if is_remote && error.is_go_away() => Some(Declined::Again),
        // The last stream is the one for which an origin wants HTTP/1.1. It resets it, or closes the
        // connection over it; what came before may have been processed.
        _ if is_remote || !error.is_reset() => {
            let told = link.going_away().filter(|_| link.wants_http1());
            let is_meant = told.is_some_and(|told| stream >= told.last_stream);
            is_meant.then_some(Declined::OverHttp1)
        }
        _ => None,
    };
    // A connection that is reset right behind its GOAWAY may have ended for the codec before it read that.
    by_error.or_else(|| {
        let told = link.going_away()?;
        (stream > told.last_stream).then_some(Declined::Again)
    })
}

/// Interim responses (without a body) as they come, then the final one.
fn poll_answer(
    answer: &mut ResponseFuture,
    context: &mut Context<'_>,
) -> Poll<Result<Response<Option<RecvStream>>, h2::Error>> {
    if let Poll::Ready(Some(interim)) = answer.poll_informational(context) {
        return Poll::Ready(interim.map(|head| head.map(|()| None)));
    }
    let answer = ready!(Pin::new(answer).poll(context));
    Poll::Ready(answer.map(|head| head.map(Some)))
}

fn room(out: &Vec<u8>) -> usize {
    out.capacity() - out.len()
}

/// What went wrong, in the terms of connections.
pub(super) fn io_error(error: &h2::Error) -> io::Error {
    let kind = match error.reason() {
        Some(_) => io::ErrorKind::ConnectionReset,
        None => io::ErrorKind::BrokenPipe,
    };
    io::Error::new(kind, error.to_string())
}
