//! Forwarding a body from one connection to another, re-framed where the two sides differ.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Poll, Waker};
use std::time::Duration;

use sallyport_wire::http1::{
    BodyError, BodyEvent, BodyFraming, BodyReader, ChunkLimits, write_last_chunk,
};
use sallyport_wire::invariant::part;

use crate::http2::OutboundHead;
use crate::io::buffers::{BULK_BUFFER_BYTES, BufferPool, WriteBuffer};
use crate::transaction::exchange::kept::Kept;
use crate::transaction::exchange::pace::Pace;
use crate::transport::Transport;
use crate::transport::departure::lost;
use crate::transport::read_buffer::ReadBuffer;

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
    framing: BodyFraming,
    reader: BodyReader,
}

impl Progress {
    /// Nothing was read yet of a body that a head has declared so, and that comes from `from`.
    pub(crate) fn new(from: &Transport, declared: BodyFraming, limits: &ChunkLimits) -> Self {
        let framing = match declared {
            // A stream frames its content itself, and knows when that has its declared length.
            BodyFraming::Length(1..) | BodyFraming::Chunked if from.is_stream() => {
                BodyFraming::UntilClose
            }
            declared => declared,
        };
        Self {
            framing,
            reader: BodyReader::new(framing, limits),
        }
    }

    /// Begins anew, for what was read before and is kept.
    fn restart(&mut self, limits: &ChunkLimits) {
        self.reader = BodyReader::new(self.framing, limits);
    }

    /// Drops what is in `input` of the body; whether that was the last of it.
    pub(crate) fn discard(&mut self, input: &mut ReadBuffer) -> Result<bool, BodyError> {
        while !self.reader.is_complete() && !input.is_empty() {
            let (consumed, _) = self.reader.next(input.unread())?;
            input.consume(consumed);
        }
        Ok(self.reader.is_complete())
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
    /// The recipient is looked after while the sender is silent: nothing else is waited for from it.
    pub(crate) may_lose: bool,
    /// How slow the sender may be; a response may be as slow as `idle` allows.
    pub(crate) pace: Option<&'a Pace>,
    /// Where a copy of what is sent goes.
    pub(crate) kept: Option<&'a Kept>,
    /// A head that goes before all else, where it is not text: until then nothing has left.
    pub(crate) head: Cell<Option<OutboundHead<'a>>>,
}

impl BodyRelay<'_> {
    /// Sends `out` (a head, usually), and then the body: what is kept of it, what is in `input`, and what
    /// comes behind that.
    ///
    /// What follows the body stays in `input`. `out` comes back empty, for its storage.
    pub(crate) async fn run(
        &self,
        progress: &mut Progress,
        input: &mut ReadBuffer,
        out: &mut WriteBuffer,
    ) -> Result<(), RelayError> {
        match self.kept {
            Some(kept) if kept.is_fresh() => kept.begin(self.pool),
            Some(kept) => Box::pin(self.repeat(kept, progress, out)).await?,
            None => {}
        }
        let reader = &mut progress.reader;
        loop {
            self.take(input, reader, out).await?;
            if reader.is_complete() {
                return self.end(reader, out).await;
            }
            self.flush(out).await?;
            if self.receive(input, out).await? == 0 {
                if self.from.expired() || self.from.is_broken() {
                    return Err(self.read_error());
                }
                // An end that the framing did not announce is a body cut short, not a shorter one.
                let ended = reader.at_eof_with(&self.from.trailers(), self.limits);
                ended.map_err(|error| match error {
                    BodyError::Truncated => self.read_error(),
                    BodyError::Chunk(_) => RelayError::Malformed(error),
                })?;
                if self.is_recoded() {
                    out.ensure(self.pool);
                    write_last_chunk(&mut out.data, reader.trailers());
                }
                return self.end(reader, out).await;
            }
        }
    }

    /// Sends what was read before on its way to a recipient that has failed.
    async fn repeat(
        &self,
        kept: &Kept,
        progress: &mut Progress,
        out: &mut WriteBuffer,
    ) -> Result<(), RelayError> {
        progress.restart(self.limits);
        let mut input = ReadBuffer::default();
        input.put_back(kept.copy(), 0);
        let again = BodyRelay {
            kept: None,
            head: Cell::new(self.head.take()),
            ..*self
        };
        while !input.is_empty() && !progress.reader.is_complete() {
            again.take(&mut input, &mut progress.reader, out).await?;
        }
        // With nothing to send again it has not left.
        self.head.set(again.head.take());
        Ok(())
    }

    /// Whether chunks are written: a stream has frames of its own.
    fn is_recoded(&self) -> bool {
        self.framing == BodyFraming::Chunked && !self.to.is_stream()
    }

    /// Moves what has been received on: into `out`, or straight from the buffer it came in.
    async fn take(
        &self,
        input: &mut ReadBuffer,
        reader: &mut BodyReader,
        out: &mut WriteBuffer,
    ) -> Result<(), RelayError> {
        if !input.is_empty() {
            out.ensure(self.pool);
        }
        if self.is_recoded() {
            // Chunks are made anew: their sizes and extensions are between two neighbors (RFC 9112 section 7.1.1).
            let recoded = reader
                .recode_chunked(input.unread(), &mut out.data)
                .map_err(RelayError::Malformed)?;
            self.keep(part(input.unread(), ..recoded.consumed));
            input.consume(recoded.consumed);
            return Ok(());
        }
        while !input.is_empty() && !reader.is_complete() {
            let unread = input.unread();
            let (consumed, event) = reader.next(unread).map_err(RelayError::Malformed)?;
            let (start, len) = data_of(event);
            let is_all = len == unread.len();
            let room = out.data.capacity() - out.data.len();
            // A buffer with nothing but content in it is sent as it is; small pieces are joined to what waits, since a
            // system call costs more than a copy of them.
            if is_all && (out.data.is_empty() || len > room) {
                self.flush(out).await?;
                self.send_through(input, reader).await?;
                return Ok(());
            }
            out.data.extend_from_slice(part(unread, start..start + len));
            self.keep(part(unread, ..consumed));
            input.consume(consumed);
        }
        Ok(())
    }

    /// Sends everything unread without copying it.
    async fn send_through(
        &self,
        input: &mut ReadBuffer,
        reader: &BodyReader,
    ) -> Result<(), RelayError> {
        self.send_head(false).await?;
        let (data, start) = input.take();
        self.to.arm(self.idle);
        let (result, data) = match reader.is_complete() {
            true => self.to.write_last(data, start, reader.trailers()).await,
            false => self.to.write_from(data, start).await,
        };
        self.to.disarm();
        self.keep(part(&data, start..));
        let end = data.len();
        input.put_back(data, end);
        result.map_err(|_| RelayError::Write)
    }

    /// Keeps a copy of what was read, where it may be asked for again.
    fn keep(&self, read: &[u8]) {
        if let Some(kept) = self.kept {
            kept.add(read, self.pool);
        }
    }

    /// Sends the head, if it was not sent yet; `end` if nothing follows.
    async fn send_head(&self, end: bool) -> Result<(), RelayError> {
        let Some(head) = self.head.take() else {
            return Ok(());
        };
        self.to.arm(self.idle);
        let sent = self.to.send_head(head, end).await;
        self.to.disarm();
        sent.map_err(|_| RelayError::Write)
    }

    async fn flush(&self, out: &mut WriteBuffer) -> Result<(), RelayError> {
        self.send_head(false).await?;
        if out.data.is_empty() {
            return Ok(());
        }
        self.to.arm(self.idle);
        let written = self.to.write_all(std::mem::take(&mut out.data)).await;
        self.written(written, out)
    }

    /// Sends what is left, and the end of the body.
    async fn end(&self, reader: &BodyReader, out: &mut WriteBuffer) -> Result<(), RelayError> {
        // What has no content ended with its head, or goes on as something else.
        let ends_with_head = matches!(self.framing, BodyFraming::None | BodyFraming::Length(0));
        self.send_head(ends_with_head).await?;
        if ends_with_head || !self.to.is_stream() {
            return self.flush(out).await;
        }
        self.to.arm(self.idle);
        let data = std::mem::take(&mut out.data);
        let written = self.to.write_last(data, 0, reader.trailers()).await;
        self.written(written, out)
    }

    fn written(
        &self,
        (result, mut sent): (io::Result<()>, Vec<u8>),
        out: &mut WriteBuffer,
    ) -> Result<(), RelayError> {
        self.to.disarm();
        sent.clear();
        out.put_back(sent);
        result.map_err(|_| RelayError::Write)
    }

    async fn receive(
        &self,
        input: &mut ReadBuffer,
        out: &mut WriteBuffer,
    ) -> Result<usize, RelayError> {
        let may_wait = self.pool.may_wait();
        if !may_wait {
            // Memory runs short: nothing is held while the sender is silent.
            out.release(self.pool);
            input.release(self.pool);
        } else if input.is_full() {
            // The sender fills whatever it is given: larger receives are fewer.
            input.enlarge(self.pool);
        }
        match self.pace {
            None => self.from.arm_read(self.idle),
            Some(pace) if pace.wait(self.from) => {}
            Some(_) => return Err(RelayError::ReadTimeout),
        }
        let received = self.next(input).await;
        if let Some(pace) = self.pace {
            let bytes = received.as_ref().ok().and_then(|bytes| bytes.as_ref().ok());
            pace.received(bytes.copied().unwrap_or_default());
        }
        let received = received?;
        received.map_err(|_| self.read_error())
    }

    /// Receives, unless nobody needs it any more.
    async fn next(&self, input: &mut ReadBuffer) -> Result<io::Result<usize>, RelayError> {
        if let Some(stop) = self.stop {
            self.readable_or(stop).await?;
        }
        self.fill(input).await
    }

    /// Receives, unless the recipient goes away meanwhile.
    async fn fill(&self, input: &mut ReadBuffer) -> Result<io::Result<usize>, RelayError> {
        let mut fill = pin!(async {
            if !self.pool.may_wait() && input.is_empty() {
                // What is wrong with it is told by the receive.
                let _ = self.from.readable().await;
            }
            input.fill(self.from, self.pool, BULK_BUFFER_BYTES).await
        });
        if !self.may_lose {
            return Ok(fill.await);
        }
        let received = {
            let mut lost = pin!(lost(self.to));
            poll_fn(|context| {
                if let Poll::Ready(received) = fill.as_mut().poll(context) {
                    return Poll::Ready(Some(received));
                }
                lost.as_mut().poll(context).map(|()| None)
            })
            .await
        };
        match received {
            Some(received) => Ok(received),
            None => {
                // A receive must come to its end.
                self.from.cut();
                let _ = fill.await;
                Err(RelayError::Write)
            }
        }
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
