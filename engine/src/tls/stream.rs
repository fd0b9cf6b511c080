//! A TLS connection over another connection, which is a socket or, inside a tunnel that itself came
//! over TLS, a TLS connection.
//!
//! The rules of `io::socket` hold: no I/O future is dropped before its end, and nothing is rented
//! before there is something to receive. Reading and writing may go on side by side: the state is
//! borrowed between two awaits only.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::{AlertDescription, CommonState, ProtocolVersion};
use sallyport_wire::invariant::part;
use sallyport_wire::websocket::FrameFollower;
use thiserror::Error;

use super::client_certificate::CertificateDemand;
use super::configs::take_asked;
use super::records::{Handshake, Received, Records, sealing_buffer};
use crate::io::buffers::BufferPool;
use crate::io::carrier::Carrier;

/// Why there is no TLS connection.
#[derive(Debug, Error)]
pub(crate) enum HandshakeError {
    /// The connection beneath ended or failed.
    #[error("{0}")]
    Connection(#[from] io::Error),
    /// What was said was not acceptable, to us or to the other side.
    #[error("{0}")]
    Tls(#[from] rustls::Error),
}

impl HandshakeError {
    /// What the other side refused the handshake with.
    pub(crate) fn alert(&self) -> Option<AlertDescription> {
        match self {
            Self::Tls(rustls::Error::AlertReceived(alert)) => Some(*alert),
            _ => None,
        }
    }
}

/// When what ends a handshake is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LastFlight {
    /// At once.
    Now,
    /// Together with the first data, which saves a packet; for servers.
    WithData,
}

/// A TLS connection; its deadline is that of the socket at the bottom.
#[derive(Debug)]
pub(crate) struct TlsStream<C: Carrier> {
    carrier: Rc<C>,
    pool: Rc<BufferPool>,
    records: RefCell<Records>,
    /// Records that go before the next ones.
    outbox: RefCell<Vec<u8>>,
    /// A send is under way.
    writing: Cell<bool>,
    /// Who waits for its end.
    next_writer: RefCell<Option<Waker>>,
    /// Nothing more may be sent: it was ended, or failed.
    finished: Cell<bool>,
    /// What the other side says about our certificate.
    demand: Rc<CertificateDemand>,
    bytes_in: Cell<u64>,
    bytes_out: Cell<u64>,
    /// What is received and what is sent, where these are frames of a WebSocket.
    frames: RefCell<Option<Box<Frames>>>,
}

/// Both directions of a WebSocket.
#[derive(Debug, Default)]
struct Frames {
    received: FrameFollower,
    sent: FrameFollower,
}

impl<C: Carrier> TlsStream<C> {
    /// The client's end, before its handshake.
    pub(crate) fn client(
        carrier: Rc<C>,
        pool: &Rc<BufferPool>,
        connection: UnbufferedClientConnection,
    ) -> Self {
        Self::new(carrier, pool, Records::client(connection))
    }

    /// The server's end, before its handshake; `received` is what the client has sent already.
    pub(crate) fn server(
        carrier: Rc<C>,
        pool: &Rc<BufferPool>,
        connection: UnbufferedServerConnection,
        received: Vec<u8>,
    ) -> Self {
        Self::new(carrier, pool, Records::server(connection, received))
    }

    fn new(carrier: Rc<C>, pool: &Rc<BufferPool>, records: Records) -> Self {
        Self {
            carrier,
            pool: Rc::clone(pool),
            records: RefCell::new(records),
            outbox: RefCell::default(),
            writing: Cell::new(false),
            next_writer: RefCell::default(),
            finished: Cell::new(false),
            demand: Rc::default(),
            bytes_in: Cell::new(0),
            bytes_out: Cell::new(0),
            frames: RefCell::new(None),
        }
    }

    /// The connection beneath.
    pub(crate) fn carrier(&self) -> &C {
        &self.carrier
    }

    /// What was negotiated, for one look.
    pub(crate) fn with_common<T>(&self, look: impl FnOnce(&CommonState) -> T) -> T {
        look(self.records.borrow().common())
    }

    /// What the other side says about our certificate, also after this call.
    pub(crate) fn demand(&self) -> &Rc<CertificateDemand> {
        &self.demand
    }

    /// Brings the connection up. Must be awaited to its end.
    ///
    /// # Errors
    /// Whatever ends it; the other side has been told why, as far as it listens.
    pub(crate) async fn handshake(&self, last: LastFlight) -> Result<(), HandshakeError> {
        loop {
            let progress = {
                let mut outbox = self.outbox.borrow_mut();
                let progress = self.records.borrow_mut().handshake(&mut outbox);
                if take_asked() {
                    self.demand.note_asked();
                }
                progress
            };
            match progress {
                Ok(Handshake::Done) if last == LastFlight::WithData && self.may_hold_back() => {
                    break;
                }
                Ok(Handshake::Done) => {
                    self.flush().await?;
                    break;
                }
                Ok(Handshake::NeedMore) => {
                    self.flush().await?;
                    self.receive().await?;
                }
                Err(error) => {
                    let _ = self.flush().await;
                    self.finished.set(true);
                    self.note_alert(&error);
                    return Err(error.into());
                }
            }
        }
        self.records.borrow_mut().release(&self.pool);
        Ok(())
    }

    fn note_alert(&self, error: &rustls::Error) {
        if let rustls::Error::AlertReceived(alert) = error {
            self.demand.note_alert(*alert);
        }
    }

    /// Whether the other side does without what is left to send: in TLS 1.3 a server ends with tickets,
    /// in TLS 1.2 with what the client waits for.
    fn may_hold_back(&self) -> bool {
        self.with_common(|common| common.protocol_version() == Some(ProtocolVersion::TLSv1_3))
    }

    /// From here on frames of a WebSocket are received and sent; `received` are the first bytes of
    /// them.
    pub(crate) fn follow_frames(&self, received: &[u8]) {
        let mut frames = Frames::default();
        frames.received.follow(received);
        self.frames.replace(Some(Box::new(frames)));
    }

    /// Whether it is a WebSocket that both sides have closed in order: what the connection does
    /// after that tells nothing more.
    pub(crate) fn is_closed_websocket(&self) -> bool {
        let frames = self.frames.borrow();
        let frames = frames.as_deref();
        frames.is_some_and(|frames| frames.received.is_closed() && frames.sent.is_closed())
    }

    /// Bytes of content received so far.
    pub(crate) fn bytes_in(&self) -> u64 {
        self.bytes_in.get()
    }

    /// Bytes of content sent so far.
    pub(crate) fn bytes_out(&self) -> u64 {
        self.bytes_out.get()
    }

    /// As [`Carrier::is_readable_now`]: session tickets and the like are not something to receive.
    pub(crate) fn is_readable_now(&self) -> bool {
        if self.records.borrow().has_pending() {
            return true;
        }
        if !self.carrier.is_readable_now() {
            return false;
        }
        let Some(socket) = self.carrier.socket() else {
            return true;
        };
        let mut records = self.records.borrow_mut();
        let mut buffer = records.receiving_buffer(&self.pool);
        let has_bytes = socket.receive_now(&mut buffer).is_ok_and(|bytes| bytes > 0);
        records.received(buffer, &self.pool);
        // Content, an end or a fault must all be seen; with no room there is none taken.
        let mut outbox = self.outbox.borrow_mut();
        let waiting = outbox.len();
        let outcome = records.receive(&mut Vec::new(), &mut outbox);
        records.release(&self.pool);
        !has_bytes
            // What has to be answered, nobody here answers.
            || outbox.len() > waiting
            || outcome != Ok(Received::NeedMore)
            || records.has_pending()
            // The begin of something is something.
            || records.holds_part()
    }

    /// As [`Carrier::readable`].
    pub(crate) async fn readable(&self) -> io::Result<()> {
        if self.records.borrow().has_pending() {
            return Ok(());
        }
        match self.carrier.socket() {
            Some(socket) => socket.readable().await,
            None => {
                let readable: Boxed<'_, _> = Box::pin(self.carrier.readable());
                readable.await
            }
        }
    }

    /// As [`Carrier::read_after`].
    ///
    /// # Errors
    /// Also when the connection beneath ended without a word: what came may have been cut short
    /// (RFC 8446 section 6.1).
    pub(crate) async fn read_after(
        &self,
        mut data: Vec<u8>,
        filled: usize,
    ) -> (io::Result<usize>, Vec<u8>) {
        data.truncate(filled);
        loop {
            let (received, owes) = {
                let mut outbox = self.outbox.borrow_mut();
                let mut records = self.records.borrow_mut();
                let waiting = outbox.len();
                let received = records.receive(&mut data, &mut outbox);
                records.release(&self.pool);
                (received, outbox.len() > waiting)
            };
            if owes && received.is_ok() {
                self.answer().await;
            }
            match received {
                Ok(Received::Bytes(bytes)) => {
                    self.bytes_in.set(self.bytes_in.get() + bytes as u64);
                    if let Some(frames) = self.frames.borrow_mut().as_deref_mut() {
                        frames.received.follow(part(&data, filled..));
                    }
                    return (Ok(bytes), data);
                }
                Ok(Received::End) => return (Ok(0), data),
                Ok(Received::NeedMore) => {}
                Err(error) => {
                    if !self.writing.get() {
                        let _ = self.flush().await;
                    }
                    self.finished.set(true);
                    self.note_alert(&error);
                    return (Err(io::Error::new(io::ErrorKind::InvalidData, error)), data);
                }
            }
            if let Err(error) = self.receive().await {
                // Our own deadline reads as an end, as it does on a socket.
                let result = match self.carrier.expired() {
                    true => Ok(0),
                    false => Err(error),
                };
                return (result, data);
            }
        }
    }

    /// Sends what the other side has asked for and may wait for: TLS 1.2 has nothing of that kind but
    /// a new handshake, which rustls declines (RFC 5246 section 7.2.2), TLS 1.3 new keys.
    async fn answer(&self) {
        if self.with_common(|common| common.protocol_version() == Some(ProtocolVersion::TLSv1_2)) {
            self.demand.note_renegotiation();
        }
        // Whoever is sending sends it too; what cannot be sent is told by the next who wants to.
        if !self.writing.get() {
            let _ = self.flush().await;
        }
    }

    /// As [`Carrier::write_all`].
    pub(crate) async fn write_from(&self, data: Vec<u8>, from: usize) -> (io::Result<()>, Vec<u8>) {
        let mut sent = from;
        while let Some(rest) = data.get(sent..).filter(|rest| !rest.is_empty()) {
            self.turn().await;
            let mut out = self.take_outbox(rest.len());
            let sealed = self.records.borrow_mut().seal(rest, &mut out);
            let bytes = match sealed {
                Ok(bytes) => bytes,
                Err(error) => {
                    self.end_turn();
                    self.pool.give_back(out);
                    return (Err(io::Error::new(io::ErrorKind::BrokenPipe, error)), data);
                }
            };
            if let Err(error) = self.send(out).await {
                return (Err(error), data);
            }
            if let Some(frames) = self.frames.borrow_mut().as_deref_mut() {
                let end = sent.saturating_add(bytes);
                frames.sent.follow(part(&data, sent..end));
            }
            sent += bytes;
            self.bytes_out.set(self.bytes_out.get() + bytes as u64);
        }
        // What has come to be owed meanwhile.
        (self.flush().await, data)
    }

    /// As [`Carrier::finish`]: says close_notify (RFC 8446 section 6.1).
    pub(crate) async fn finish(&self) {
        if !self.finished.replace(true) {
            self.turn().await;
            let mut out = self.take_outbox(0);
            let closed = self.records.borrow_mut().close(&mut out);
            match closed {
                Ok(()) => drop(self.send(out).await),
                Err(_) => {
                    self.end_turn();
                    self.pool.give_back(out);
                }
            }
        }
        let end: Boxed<'_, ()> = Box::pin(self.carrier.finish());
        end.await;
    }

    /// As [`Carrier::cut`].
    pub(crate) fn cut(&self) {
        self.finished.set(true);
        self.carrier.cut();
    }

    /// As [`Carrier::send_now`].
    pub(crate) fn send_now(&self, data: &[u8]) -> bool {
        if self.finished.get() || self.writing.get() {
            return false;
        }
        let mut out = self.take_outbox(data.len());
        let sealed = self.records.borrow_mut().seal(data, &mut out);
        let sent = sealed.is_ok_and(|bytes| bytes == data.len()) && self.carrier.send_now(&out);
        self.pool.give_back(out);
        if sent {
            self.bytes_out.set(self.bytes_out.get() + data.len() as u64);
        }
        sent
    }

    /// Sends what waits in the outbox.
    async fn flush(&self) -> io::Result<()> {
        if self.outbox.borrow().is_empty() {
            return Ok(());
        }
        self.turn().await;
        let out = self.outbox.take();
        self.send(out).await
    }

    /// What goes first, in a buffer with room for `bytes` of content behind it.
    fn take_outbox(&self, bytes: usize) -> Vec<u8> {
        let mut waiting = self.outbox.borrow_mut();
        let mut out = sealing_buffer(&self.pool, waiting.len() + bytes);
        out.extend_from_slice(&waiting);
        *waiting = Vec::new();
        out
    }

    /// Waits until nobody else is sending, before anything is sealed: records must leave in the order
    /// of their numbers. A reader sends only when nobody does, so that one at most waits here.
    async fn turn(&self) {
        poll_fn(|context| {
            if !self.writing.replace(true) {
                return Poll::Ready(());
            }
            self.next_writer.replace(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    fn end_turn(&self) {
        self.writing.set(false);
        if let Some(waker) = self.next_writer.take() {
            waker.wake();
        }
    }

    /// Sends what was sealed in this turn, and ends it.
    async fn send(&self, out: Vec<u8>) -> io::Result<()> {
        let _lease = self.pool.lease(out.capacity());
        let (result, out) = match self.carrier.socket() {
            Some(socket) => socket.write_all(out).await,
            None => {
                let write: Boxed<'_, _> = Box::pin(self.carrier.write_all(out));
                write.await
            }
        };
        self.end_turn();
        self.pool.give_back(out);
        if result.is_err() {
            self.finished.set(true);
        }
        result
    }

    /// Receives once into the inbox.
    async fn receive(&self) -> io::Result<()> {
        let buffer = self.records.borrow_mut().receiving_buffer(&self.pool);
        let filled = buffer.len();
        let (result, buffer) = match self.carrier.socket() {
            Some(socket) => socket.read_after(buffer, filled).await,
            None => {
                let read: Boxed<'_, _> = Box::pin(self.carrier.read_after(buffer, filled));
                read.await
            }
        };
        self.records.borrow_mut().received(buffer, &self.pool);
        match result {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// What breaks the circle of a connection over a connection: only nested ones pay for it.
type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

impl<C: Carrier> Drop for TlsStream<C> {
    /// An orderly end for connections that are dropped while they idle: said if it can be said at
    /// once, because nobody waits for it.
    fn drop(&mut self) {
        let Some(socket) = self.carrier.socket() else {
            return;
        };
        if self.finished.get() || self.writing.get() {
            return;
        }
        let mut out = self.take_outbox(0);
        if self.records.borrow_mut().close(&mut out).is_ok() {
            socket.send_now(&out);
        }
        self.pool.give_back(out);
    }
}
