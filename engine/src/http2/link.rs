//! Between the `h2` crate, which polls for bytes, and a connection whose reads and writes must be
//! awaited to their ends.
//!
//! The crate reads from and writes to memory ([`LinkIo`]); two pumps move that memory to and from
//! the transport. So no I/O future is ever dropped, and the frames of many streams leave in one
//! write. Both buffers are bounded: the next read waits until the last one was taken, and writing
//! waits for the socket. Knows no streams and no HTTP but the frame guard that it feeds.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use h2::{Reason, StreamId};
use sallyport_wire::http2::{
    FrameFault, FrameGuard, GoingAway, Malformed, ReceivingSide, Refused, goaway_frame, reset_frame,
};
use sallyport_wire::invariant::part;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::held::{Held, Holders, RELIEF_INTERVAL};
use super::settings::Settings;
use crate::io::buffers::{BUFFER_BYTES, BufferPool};
use crate::io::carrier::Carrier;
use crate::io::join::join;

/// Frames that may wait to be written, in bytes.
const OUTBOUND_BYTES_MAX: usize = 4 * BUFFER_BYTES;

/// The memory between the codec and the pumps of one connection.
#[derive(Debug)]
pub(crate) struct Link {
    inbound: RefCell<Inbound>,
    outbound: RefCell<Outbound>,
    guard: RefCell<FrameGuard>,
    held: Rc<Held>,
    fault: Cell<Option<FrameFault>>,
    /// The pumps end: nothing more is read, and what is written is written.
    closing: Cell<bool>,
    /// A write failed or timed out.
    broken: Cell<bool>,
    /// Nothing that is written gets anywhere, and what there is to read is still read.
    deaf: Cell<bool>,
    /// How long the connection may stay as it is, when it carries nothing.
    idle: Cell<Option<Duration>>,
    /// When something was received last.
    heard: Cell<Instant>,
}

#[derive(Debug, Default)]
struct Inbound {
    data: Vec<u8>,
    taken: usize,
    ended: bool,
    /// Something has come.
    begun: bool,
    /// Who waits for that.
    waiting: Option<Waker>,
    codec: Option<Waker>,
    pump: Option<Waker>,
}

#[derive(Debug, Default)]
struct Outbound {
    data: Vec<u8>,
    /// Size of the buffer that is with the kernel, if one is.
    writing: usize,
    codec: Option<Waker>,
    pump: Option<Waker>,
}

impl Outbound {
    /// Appends frames.
    fn extend(&mut self, held: &Held, bytes: &[u8]) {
        if self.data.capacity() == 0 {
            self.data = held.pool.rent();
        }
        self.data.extend_from_slice(bytes);
        self.count(held);
    }

    fn count(&self, held: &Held) {
        held.set_outbound(self.data.capacity() + self.writing);
    }
}

/// The codec's end of a [`Link`].
#[derive(Debug)]
pub(crate) struct LinkIo(pub(crate) Rc<Link>);

/// What the pumps need besides the link.
#[derive(Debug)]
pub(crate) struct Pumped<'a, C> {
    pub(crate) transport: &'a C,
    pub(crate) pool: &'a BufferPool,
    /// Longest time for one write.
    pub(crate) write_timeout: Duration,
    /// Time to read and discard at the end, so that a reset does not overtake the last frames.
    pub(crate) linger: Duration,
    /// What the other side has said last is read although nothing can be written any more.
    pub(crate) hears_out: bool,
}

impl Link {
    /// A link whose codec first reads `early`, which has been received already.
    pub(crate) fn new(
        (pool, holders): (&Rc<BufferPool>, &Rc<Holders>),
        side: ReceivingSide,
        settings: &Settings,
        mut early: Vec<u8>,
    ) -> Rc<Self> {
        let mut guard = FrameGuard::new(side, settings.flood);
        let fault = guard.received(&mut early, Instant::now()).err();
        if fault.is_some() {
            early.truncate(guard.sound_bytes());
        }
        let held = Held::new(pool, holders, settings.windows(side));
        held.received(guard.last_received());
        Rc::new(Self {
            held,
            inbound: RefCell::new(Inbound {
                data: early,
                ..Inbound::default()
            }),
            outbound: RefCell::default(),
            guard: RefCell::new(guard),
            fault: Cell::new(fault),
            closing: Cell::new(false),
            broken: Cell::new(false),
            deaf: Cell::new(false),
            idle: Cell::new(None),
            heard: Cell::new(Instant::now()),
        })
    }

    /// What the other side has sent too much of or wrongly, if it has, and the codec has read all that
    /// came before: what that asks for is answered before the connection ends.
    pub(crate) fn fault(&self) -> Option<FrameFault> {
        if self.held.is_over() {
            return Some(FrameFault::Memory);
        }
        let inbound = self.inbound.borrow();
        let is_read = inbound.taken >= inbound.data.len();
        self.fault.get().filter(|_| is_read)
    }

    /// What its streams hold.
    pub(super) fn held(&self) -> &Held {
        &self.held
    }

    /// What is wrong with the last message in a stream, which the codec takes to be right.
    pub(crate) fn malformed(&self, stream: StreamId) -> Option<Malformed> {
        self.guard.borrow_mut().malformed(stream.into())
    }

    /// Whether a head larger than `limits.head_bytes` has come in a stream.
    pub(crate) fn had_large_head(&self, stream: StreamId) -> bool {
        self.guard.borrow().had_large_head(stream.into())
    }

    /// What the other side has said at its leave, if it takes it.
    pub(crate) fn going_away(&self) -> Option<GoingAway> {
        self.guard.borrow().going_away()
    }

    /// Whether it leaves because it wants HTTP/1.1 (RFC 9113 section 7).
    pub(crate) fn wants_http1(&self) -> bool {
        let told = self.going_away();
        told.is_some_and(|told| Reason::from(told.code) == Reason::HTTP_1_1_REQUIRED)
    }

    /// Tells that the request in a stream is served.
    pub(crate) fn take(&self, stream: StreamId) {
        self.guard.borrow_mut().take(stream.into());
    }

    /// A request that the codec has refused by itself; each once.
    pub(crate) fn refused(&self) -> Option<Refused> {
        self.guard.borrow_mut().refused()
    }

    /// Tells the other side what was wrong, where the codec has no word for it.
    pub(crate) fn say_goaway(&self, fault: FrameFault) {
        self.send_frame(&goaway_frame(fault.code()));
    }

    /// Ends a stream that the codec takes to be closed.
    pub(crate) fn say_reset(&self, stream: StreamId, reason: Reason) {
        self.send_frame(&reset_frame(stream.into(), reason.into()));
    }

    /// Sends a frame of our own. The codec gives whole frames, so there is room between them.
    fn send_frame(&self, frame: &[u8]) {
        let mut outbound = self.outbound.borrow_mut();
        outbound.extend(&self.held, frame);
        wake(&mut outbound.pump);
    }

    /// Waits until the other side has said something; its SETTINGS come first.
    pub(crate) async fn begun(&self) {
        poll_fn(|context| {
            let mut inbound = self.inbound.borrow_mut();
            if inbound.begun {
                return Poll::Ready(());
            }
            inbound.waiting = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// How long nothing has been received.
    pub(crate) fn silence(&self) -> Duration {
        self.heard.get().elapsed()
    }

    /// Lets the pumps end.
    pub(crate) fn close(&self) {
        self.closing.set(true);
        wake(&mut self.inbound.borrow_mut().pump);
        wake(&mut self.outbound.borrow_mut().pump);
    }

    /// Says that nothing comes any more to whoever waits: what moved the bytes has panicked.
    pub(crate) fn abandon(&self) {
        let mut inbound = self.inbound.borrow_mut();
        (inbound.ended, inbound.begun) = (true, true);
        self.broken.set(true);
        wake(&mut inbound.codec);
        wake(&mut inbound.waiting);
    }

    /// Arms the deadline of a connection without streams, or takes it away.
    pub(crate) fn set_idle(&self, transport: &impl Carrier, idle: Option<Duration>) {
        if self.idle.replace(idle) == idle {
            return;
        }
        if self.outbound.borrow().writing == 0 {
            self.rearm(transport);
        }
    }

    fn rearm(&self, transport: &impl Carrier) {
        match self.idle.get() {
            _ if self.deaf.get() => {}
            Some(idle) => transport.arm_read(idle),
            None => transport.disarm(),
        }
    }

    /// Moves bytes both ways until the link is closed and all that was written has left.
    pub(crate) async fn pump(&self, pumped: Pumped<'_, impl Carrier>) {
        join(pin!(self.pump_in(&pumped)), pin!(self.pump_out(&pumped))).await;
    }

    async fn pump_in(&self, pumped: &Pumped<'_, impl Carrier>) {
        let Pumped {
            transport, pool, ..
        } = pumped;
        while self.wanted().await {
            if pool.excess() > 0 {
                // What was given up has to be let go of before more comes.
                monoio::time::sleep(RELIEF_INTERVAL).await;
            }
            // No buffer is held while the connection is silent.
            let readable = transport.readable().await;
            let buffer = pool.rent();
            let (result, mut buffer) = match readable {
                Ok(()) => transport.read_after(buffer, 0).await,
                Err(error) => (Err(error), buffer),
            };
            let mut inbound = self.inbound.borrow_mut();
            match result {
                Ok(bytes) if bytes > 0 && self.closing.get() => pool.give_back(buffer),
                Ok(bytes) if bytes > 0 => {
                    self.look_at(&mut buffer);
                    self.held.set_inbound(buffer.capacity());
                    inbound.data = buffer;
                    inbound.taken = 0;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                _ => {
                    inbound.ended = true;
                    pool.give_back(buffer);
                }
            }
            inbound.begun = true;
            // In this order: whoever waits finds that the codec has taken it.
            wake(&mut inbound.codec);
            wake(&mut inbound.waiting);
        }
        pool.give_back(std::mem::take(&mut self.inbound.borrow_mut().data));
    }

    fn look_at(&self, received: &mut Vec<u8>) {
        let now = Instant::now();
        self.heard.set(now);
        let mut guard = self.guard.borrow_mut();
        if let Err(fault) = guard.received(received, now) {
            received.truncate(guard.sound_bytes());
            self.fault.set(Some(fault));
        }
        let reset = guard.overflowed();
        self.held.received(guard.last_received());
        drop(guard);
        if let Some(reset) = reset {
            self.send_frame(&reset);
        }
    }

    /// Waits until everything received has been taken; at the end what still comes is discarded.
    async fn wanted(&self) -> bool {
        poll_fn(|context| {
            let mut inbound = self.inbound.borrow_mut();
            if inbound.ended {
                return Poll::Ready(false);
            }
            if inbound.taken < inbound.data.len() && !self.closing.get() {
                inbound.pump = Some(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(true)
        })
        .await
    }

    async fn pump_out(&self, pumped: &Pumped<'_, impl Carrier>) {
        let &Pumped {
            transport,
            pool,
            write_timeout,
            linger,
            hears_out,
        } = pumped;
        while let Some(data) = self.written().await {
            transport.arm(write_timeout);
            let (result, data) = transport.write_all(data).await;
            pool.give_back(data);
            let mut outbound = self.outbound.borrow_mut();
            outbound.writing = 0;
            outbound.count(&self.held);
            wake(&mut outbound.codec);
            drop(outbound);
            if result.is_ok() {
                self.rearm(transport);
                continue;
            }
            if hears_out && !transport.expired() {
                // A GOAWAY may have come before the end, which says what was not processed.
                self.deaf.set(true);
                transport.arm_read(linger);
            } else {
                self.broken.set(true);
                transport.cut();
            }
            return;
        }
        transport.finish().await;
        transport.arm_read(linger);
    }

    /// What the codec has written, as soon as there is something.
    async fn written(&self) -> Option<Vec<u8>> {
        poll_fn(|context| {
            let mut outbound = self.outbound.borrow_mut();
            if !outbound.data.is_empty() {
                // The next buffer is rented when there is something to put into it.
                let data = std::mem::take(&mut outbound.data);
                outbound.writing = data.capacity();
                wake(&mut outbound.codec);
                return Poll::Ready(Some(data));
            }
            if self.closing.get() {
                return Poll::Ready(None);
            }
            outbound.pump = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

impl AsyncRead for LinkIo {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inbound = self.0.inbound.borrow_mut();
        let unread = part(&inbound.data, inbound.taken..);
        if unread.is_empty() {
            if inbound.ended {
                return Poll::Ready(Ok(()));
            }
            self.0.held.watch(context);
            inbound.codec = Some(context.waker().clone());
            return Poll::Pending;
        }
        let bytes = unread.len().min(into.remaining());
        into.put_slice(part(unread, ..bytes));
        inbound.taken += bytes;
        if inbound.taken == inbound.data.len() {
            // No buffer is held while the connection is silent.
            inbound.taken = 0;
            let used = std::mem::take(&mut inbound.data);
            self.0.held.pool.give_back(used);
            self.0.held.set_inbound(0);
            wake(&mut inbound.pump);
            if self.0.fault.get().is_some() {
                // Now the connection may end.
                context.waker().wake_by_ref();
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for LinkIo {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[io::IoSlice::new(data)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.0.broken.get() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if self.0.deaf.get() {
            let held = &self.0.held;
            let mut guard = self.0.guard.borrow_mut();
            for part in parts {
                guard.sent(part, |frame| held.sent(frame));
            }
            return Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()));
        }
        let mut outbound = self.0.outbound.borrow_mut();
        if outbound.data.len() >= OUTBOUND_BYTES_MAX {
            outbound.codec = Some(context.waker().clone());
            return Poll::Pending;
        }
        let before = outbound.data.len();
        let mut guard = self.0.guard.borrow_mut();
        let held = &self.0.held;
        for part in parts {
            guard.sent(part, |frame| held.sent(frame));
            outbound.extend(held, part);
        }
        if let Some(fault) = guard.fault().filter(|_| self.0.fault.get().is_none()) {
            self.0.fault.set(Some(fault));
            context.waker().wake_by_ref();
        }
        wake(&mut outbound.pump);
        Poll::Ready(Ok(outbound.data.len() - before))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// What is in the link will be written.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0.broken.get() {
            true => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            false => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
