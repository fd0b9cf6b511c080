//! Forwarding a body from one connection to another, re-framed where the two sides differ.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Poll, Waker};
use std::time::Duration;

use sallyport_wire::http1::{
    BodyError, BodyEvent, BodyFraming, BodyReader, ChunkLimits, write_last_chunk,
};

use super::kept::Kept;
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

/// How far a body was read. It outlives the relay whose recipient has failed: the next one goes on.
#[derive(Debug)]
pub(crate) struct Progress {
    reader: BodyReader,
    /// The content is complete: a trailer section behind it is read.
    in_trailers: bool,
}

impl Progress {
    /// Nothing was read yet of a body that is framed like this.
    pub(crate) fn new(framing: BodyFraming, limits: &ChunkLimits) -> Self {
        Self {
            reader: BodyReader::new(framing, limits),
            in_trailers: false,
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
    /// How the body is framed on the way out.
    pub(crate) framing: BodyFraming,
    pub(crate) limits: &'a ChunkLimits,
    pub(crate) stop: Option<&'a StopFlag>,
    /// Where a copy of what is sent goes.
    pub(crate) kept: Option<&'a Kept>,
}

impl BodyRelay<'_> {
    /// Sends what is kept or `out` (a head, usually), and then the body that is in `input` and behind
    /// it, as far as it was not read before.
    ///
    /// What follows the body stays in `input`. `out` comes back empty, for its storage.
    pub(crate) async fn run(
        &self,
        progress: &mut Progress,
        input: &mut ReadBuffer,
        out: &mut Vec<u8>,
    ) -> Result<(), RelayError> {
        // Between streams of HTTP/2 a trailer section may follow content of a declared length, in the
        // form of a last chunk.
        let is_length = matches!(self.framing, BodyFraming::Length(1..));
        let has_trailers = is_length && self.from.is_stream() && self.to.is_stream();
        if has_trailers {
            self.from.receive_trailers();
            self.to.send_trailers();
        }
        self.repeat(has_trailers).await?;
        if !progress.in_trailers {
            self.content(input, &mut progress.reader, out).await?;
        }
        if !has_trailers {
            return Ok(());
        }
        if !progress.in_trailers {
            progress.in_trailers = true;
            progress.reader = BodyReader::new(BodyFraming::Chunked, self.limits);
            if let Some(kept) = self.kept {
                kept.end_content();
            }
        }
        let trailers = BodyRelay {
            framing: BodyFraming::Chunked,
            ..*self
        };
        trailers.content(input, &mut progress.reader, out).await
    }

    /// Sends what was sent before to a recipient that has failed.
    async fn repeat(&self, with_trailers: bool) -> Result<(), RelayError> {
        let Some(kept) = self.kept.filter(|kept| !kept.is_fresh()) else {
            return Ok(());
        };
        self.to.arm(self.idle);
        let (result, bytes) = self.to.write_all(kept.take(with_trailers)).await;
        self.to.disarm();
        kept.restore(bytes);
        result.map_err(|_| RelayError::Write)
    }

    async fn content(
        &self,
        input: &mut ReadBuffer,
        reader: &mut BodyReader,
        out: &mut Vec<u8>,
    ) -> Result<(), RelayError> {
        // The head stands before the content in the first write, which is the first that is kept.
        let mut head_bytes = out.len();
        loop {
            self.take(input, reader, out, &mut head_bytes).await?;
            let ended = reader.is_complete();
            self.flush(out, &mut head_bytes).await?;
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
                    self.flush(out, &mut head_bytes).await?;
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
        head_bytes: &mut usize,
    ) -> Result<(), RelayError> {
        if out.capacity() == 0 && !input.is_empty() {
            *out = self.pool.rent();
        }
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
                self.flush(out, head_bytes).await?;
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
        if let Some(kept) = self.kept {
            kept.add(data.get(start..).unwrap_or_default(), self.pool);
        }
        let end = data.len();
        input.put_back(data, end);
        result.map_err(|_| RelayError::Write)
    }

    /// Sends `out`, the first `head_bytes` of which are a head.
    async fn flush(&self, out: &mut Vec<u8>, head_bytes: &mut usize) -> Result<(), RelayError> {
        if out.is_empty() {
            return Ok(());
        }
        self.to.arm(self.idle);
        let (result, mut sent) = self.to.write_all(std::mem::take(out)).await;
        self.to.disarm();
        let head_bytes = std::mem::take(head_bytes);
        match self.kept {
            Some(kept) if kept.is_fresh() => sent = kept.begin(sent, head_bytes, self.pool),
            Some(kept) => kept.add(&sent, self.pool),
            None => {}
        }
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
