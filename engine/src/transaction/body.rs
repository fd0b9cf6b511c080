//! Forwarding a body from one connection to another, re-framed where the two sides differ.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Poll, Waker};
use std::time::Duration;

use sallyport_wire::http1::{
    BodyError, BodyEvent, BodyFraming, BodyReader, ChunkLimits, write_last_chunk,
};

use crate::io::buffers::{BULK_BUFFER_BYTES, BufferPool, ReadBuffer};
use crate::io::transport::Transport;

/// Why a body was not forwarded whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RelayError {
    /// The sender's connection failed or ended too early.
    Read,
    /// The sender said nothing for too long.
    ReadTimeout,
    /// The sender broke its own framing.
    Malformed(BodyError),
    /// The recipient's connection failed.
    Write,
    /// Told to stop: the exchange is over.
    Stopped,
}

/// Tells a relay that waits for its sender that nobody needs the rest.
#[derive(Debug, Default)]
pub(crate) struct StopFlag {
    stopped: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl StopFlag {
    pub(crate) fn stop(&self) {
        self.stopped.set(true);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

/// One direction of an exchange.
#[derive(Debug)]
pub(crate) struct BodyRelay<'a> {
    pub(crate) from: &'a Transport,
    pub(crate) to: &'a Transport,
    pub(crate) pool: &'a BufferPool,
    /// Longest silence on either side.
    pub(crate) idle: Duration,
    /// How the body is framed on the way in, and on the way out.
    pub(crate) from_framing: BodyFraming,
    pub(crate) framing: BodyFraming,
    pub(crate) stop: Option<&'a StopFlag>,
}

impl BodyRelay<'_> {
    /// Sends `out` (a head, usually) and then the body that is in `input` and behind it.
    ///
    /// What follows the body stays in `input`. `out` comes back empty, for its storage.
    pub(crate) async fn run(
        &self,
        input: &mut ReadBuffer,
        limits: &ChunkLimits,
        out: &mut Vec<u8>,
    ) -> Result<(), RelayError> {
        let mut reader = BodyReader::new(self.from_framing, limits);
        let is_length = matches!(self.framing, BodyFraming::Length(1..));
        if !(is_length && self.from.is_stream() && self.to.is_stream()) {
            return self.content(input, &mut reader, out).await;
        }
        self.from.receive_trailers();
        self.to.send_trailers();
        self.content(input, &mut reader, out).await?;
        // Between streams of HTTP/2 a trailer section may follow, in the form of a last chunk.
        let trailers = BodyRelay {
            framing: BodyFraming::Chunked,
            ..*self
        };
        let mut reader = BodyReader::new(BodyFraming::Chunked, limits);
        trailers.content(input, &mut reader, out).await
    }

    async fn content(
        &self,
        input: &mut ReadBuffer,
        reader: &mut BodyReader,
        out: &mut Vec<u8>,
    ) -> Result<(), RelayError> {
        loop {
            self.take(input, reader, out).await?;
            let ended = reader.is_complete();
            self.flush(out).await?;
            if ended {
                return Ok(());
            }
            if self.receive(input).await? == 0 {
                if self.from.expired() {
                    return Err(RelayError::ReadTimeout);
                }
                reader.at_eof().map_err(|_| self.read_error())?;
                if self.framing == BodyFraming::Chunked {
                    write_last_chunk(out, reader.trailers());
                    self.flush(out).await?;
                }
                return Ok(());
            }
        }
    }

    /// Moves what has been received on: into `out`, or straight from the buffer it came in.
    async fn take(
        &self,
        input: &mut ReadBuffer,
        reader: &mut BodyReader,
        out: &mut Vec<u8>,
    ) -> Result<(), RelayError> {
        if self.framing == BodyFraming::Chunked {
            let recoded = reader
                .recode_chunked(input.unread(), out)
                .map_err(RelayError::Malformed)?;
            input.consume(recoded.consumed);
            return Ok(());
        }
        while !input.is_empty() && !reader.is_complete() {
            let unread = input.unread();
            let (consumed, event) = reader.next(unread).map_err(RelayError::Malformed)?;
            let (start, len) = data_of(event);
            let is_all = len == unread.len();
            if is_all && (out.is_empty() || len > out.capacity() - out.len()) {
                self.flush(out).await?;
                self.send_through(input).await?;
                return Ok(());
            }
            out.extend_from_slice(unread.get(start..start + len).unwrap_or_default());
            input.consume(consumed);
        }
        Ok(())
    }

    /// Sends everything unread without copying it.
    async fn send_through(&self, input: &mut ReadBuffer) -> Result<(), RelayError> {
        let (data, start) = input.take();
        self.to.arm(self.idle);
        let (result, data) = self.to.write_from(data, start).await;
        self.to.disarm();
        let end = data.len();
        input.put_back(data, end);
        result.map_err(|_| RelayError::Write)
    }

    async fn flush(&self, out: &mut Vec<u8>) -> Result<(), RelayError> {
        if out.is_empty() {
            return Ok(());
        }
        self.to.arm(self.idle);
        let (result, mut sent) = self.to.write_all(std::mem::take(out)).await;
        self.to.disarm();
        sent.clear();
        *out = sent;
        result.map_err(|_| RelayError::Write)
    }

    async fn receive(&self, input: &mut ReadBuffer) -> Result<usize, RelayError> {
        if input.is_full() {
            input.enlarge(self.pool);
        }
        self.from.arm_read(self.idle);
        if let Some(stop) = self.stop {
            self.readable_or(stop).await?;
        }
        input
            .fill(self.from, self.pool, BULK_BUFFER_BYTES)
            .await
            .map_err(|_| self.read_error())
    }

    /// Waits for the sender, or to be stopped; nothing has been received when it is.
    async fn readable_or(&self, stop: &StopFlag) -> Result<(), RelayError> {
        let mut readable = pin!(self.from.readable());
        poll_fn(|context| {
            if stop.stopped.get() {
                return Poll::Ready(Err(RelayError::Stopped));
            }
            stop.waker.replace(Some(context.waker().clone()));
            readable.as_mut().poll(context).map(|_| Ok(()))
        })
        .await
    }

    fn read_error(&self) -> RelayError {
        if self.from.expired() {
            RelayError::ReadTimeout
        } else {
            RelayError::Read
        }
    }
}

fn data_of(event: BodyEvent) -> (usize, usize) {
    match event {
        BodyEvent::Data { start, len } => (start, len),
        BodyEvent::NeedMore | BodyEvent::End => (0, 0),
    }
}
