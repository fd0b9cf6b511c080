//! What arrives in a stream, as the bytes of an HTTP/1.1 message.
//!
//! The window of the stream is opened again only for bytes that were read from here, and whoever
//! reads passes them on before reading more: so a slow recipient holds the sender back, and no more
//! than one window is ever stored.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream};
use http::Response;

use super::heads::{Asked, Coding, Text, response_text, trailer_text};

/// The receiving half of an exchange.
#[derive(Debug)]
pub(super) struct Incoming {
    source: Source,
    coding: Coding,
    /// Head, chunk header or trailers, and how much of it was read.
    text: Vec<u8>,
    text_read: usize,
    /// Content, behind `text`.
    data: Bytes,
    /// The chunk that `data` is ends with a line end still to be given.
    in_chunk: bool,
    /// The origin has refused the request unprocessed.
    refused: bool,
}

#[derive(Debug)]
enum Source {
    /// No request was sent yet; who waits for its response.
    Unasked(Option<Waker>),
    /// The head of the response is still to come.
    Answer(ResponseFuture, Asked),
    Body(RecvStream),
    Ended,
}

impl Incoming {
    /// A request: its head and the stream behind it.
    pub(super) fn request(text: Text, body: RecvStream) -> Self {
        let source = match text.coding {
            Coding::Nothing => Source::Ended,
            _ => Source::Body(body),
        };
        Self {
            coding: text.coding,
            text: text.bytes,
            ..Self::of(source)
        }
    }

    /// The response to a request that is still to be sent.
    pub(super) fn response() -> Self {
        Self::of(Source::Unasked(None))
    }

    /// Nothing at all.
    pub(super) fn nothing() -> Self {
        Self::of(Source::Ended)
    }

    fn of(source: Source) -> Self {
        Self {
            source,
            coding: Coding::Nothing,
            text: Vec::new(),
            text_read: 0,
            data: Bytes::new(),
            in_chunk: false,
            refused: false,
        }
    }

    /// The request was sent: its response may be read.
    pub(super) fn expect(&mut self, answer: ResponseFuture, asked: Asked) {
        let before = std::mem::replace(&mut self.source, Source::Answer(answer, asked));
        if let Source::Unasked(Some(waker)) = before {
            waker.wake();
        }
    }

    /// Whether the origin said that it has not processed the request (RFC 9113 section 8.7).
    pub(super) fn is_refused(&self) -> bool {
        self.refused
    }

    /// Waits until there is something to read; `false` at the end.
    pub(super) fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            if self.text_read < self.text.len() || !self.data.is_empty() {
                return Poll::Ready(Ok(true));
            }
            self.text.clear();
            self.text_read = 0;
            if std::mem::take(&mut self.in_chunk) {
                self.text.extend_from_slice(b"\r\n");
                continue;
            }
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
                    Some(Ok(data)) => self.received(data),
                    Some(Err(error)) => return Poll::Ready(Err(self.failed(&error))),
                    None => ready!(self.poll_end(context))?,
                },
                Source::Ended => return Poll::Ready(Ok(false)),
            }
        }
    }

    /// Moves what is there behind the content of `out`, up to its capacity.
    pub(super) fn read(&mut self, out: &mut Vec<u8>) -> io::Result<usize> {
        let before = out.len();
        let text = self.text.get(self.text_read..).unwrap_or_default();
        let part = text.get(..text.len().min(room(out))).unwrap_or_default();
        out.extend_from_slice(part);
        self.text_read += part.len();
        if self.text_read == self.text.len() && !self.data.is_empty() {
            let part = self.data.split_to(self.data.len().min(room(out)));
            out.extend_from_slice(&part);
            if let Source::Body(body) = &mut self.source {
                let released = body.flow_control().release_capacity(part.len());
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
        let Source::Answer(_, asked) = &self.source else {
            return Ok(());
        };
        let ends = body.as_ref().is_some_and(RecvStream::is_end_stream);
        let text = response_text(&parts, ends, asked)
            .map_err(|fault| io::Error::new(io::ErrorKind::InvalidData, fault))?;
        self.text = text.bytes;
        if let Some(body) = body {
            self.coding = text.coding;
            self.source = Source::Body(body);
        }
        Ok(())
    }

    fn received(&mut self, data: Bytes) {
        if data.is_empty() {
            return;
        }
        if self.coding == Coding::Chunked {
            sallyport_wire::http1::write_chunk_header(&mut self.text, data.len());
            self.in_chunk = true;
        }
        self.data = data;
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
        if self.coding == Coding::Chunked {
            self.text.extend_from_slice(b"0\r\n");
            if let Some(trailers) = trailers {
                trailer_text(&trailers, &mut self.text);
            }
            self.text.extend_from_slice(b"\r\n");
        }
        self.source = Source::Ended;
        Poll::Ready(Ok(()))
    }

    fn failed(&mut self, error: &h2::Error) -> io::Error {
        // A stream behind the last one of a graceful GOAWAY was not processed either.
        let went_away = error.is_go_away() && error.reason() == Some(Reason::NO_ERROR);
        self.refused = error.is_remote()
            && (error.reason() == Some(Reason::REFUSED_STREAM) || went_away)
            && matches!(self.source, Source::Answer(..));
        self.source = Source::Ended;
        match error.is_reset() && !self.refused {
            true if error.is_remote() => {
                io::Error::new(io::ErrorKind::ConnectionAborted, error.to_string())
            }
            true => io::Error::new(io::ErrorKind::InvalidData, "a malformed response"),
            false => io_error(error),
        }
    }
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
