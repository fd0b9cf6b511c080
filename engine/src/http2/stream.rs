//! A stream as a connection that carries one exchange.
//!
//! To sessions, exchanges and tunnels it is a transport like any other, but for heads, which come and go
//! as they are: typed. What is read from it is content, up to the end of the stream; so is what is
//! written, except that a reply of our own is written as the text of HTTP/1.1.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};

use sallyport_wire::http1::{
    MethodKind, RequestForward, RequestHead, ResponseForward, ResponseHead, Scheme,
};
use sallyport_wire::http2::RequestFault;

use super::error_code::{CANCEL, CONNECT_ERROR, INTERNAL_ERROR, NO_ERROR, REFUSED_STREAM};
use super::lease::Lease;
use super::link::{Arrival, Link};
use super::stream_state::{Declined, Fate, StreamState};
use super::websocket;
use crate::io::deadline::{Cut, Deadline, Wheel};

/// One exchange in a stream.
#[derive(Debug)]
pub(crate) struct StreamTransport {
    pub(super) deadline: Deadline,
    pub(super) link: Rc<Link>,
    pub(super) state: Rc<StreamState>,
    pub(super) side: Side,
    /// How far sending has got.
    pub(super) sent: Cell<Sent>,
    pub(super) bytes_in: Cell<u64>,
    pub(super) bytes_out: Cell<u64>,
}

/// Whose stream it is.
#[derive(Debug)]
pub(super) enum Side {
    /// A client's: its request, until somebody takes it.
    Client(RefCell<Option<Arrival>>, Asked),
    /// One to an origin, whose connection speaks this scheme.
    Origin(Lease, Scheme),
}

/// What a client has asked for, as far as answering depends on it.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) is_connect: bool,
    pub(super) is_head: bool,
    /// The key of a WebSocket, which has none in HTTP/2.
    pub(super) key: Option<Vec<u8>>,
    pub(super) fault: Option<RequestFault>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    Nothing,
    /// The final head; content follows.
    Head,
    /// The same of a tunnel.
    Tunnel,
    All,
}

/// A head that is to be sent in a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OutboundHead<'a> {
    Request(&'a RequestForward<'a>),
    Response(&'a ResponseForward<'a>),
}

impl StreamTransport {
    /// The stream of a request that a client has sent.
    pub(crate) fn of_client(arrival: Arrival, link: &Rc<Link>, wheel: &Rc<Wheel>) -> Self {
        let head = &arrival.request.head;
        let asked = Asked {
            is_connect: head.is_connect,
            is_head: head.method_kind == MethodKind::Head,
            key: head.upgrade.map(|_| websocket::new_key()),
            fault: arrival.request.fault,
        };
        let state = Rc::clone(&arrival.state);
        let side = Side::Client(RefCell::new(Some(arrival)), asked);
        Self::new(side, state, link, wheel)
    }

    /// A stream for a request that is still to be sent.
    pub(crate) fn of_upstream(
        scheme: Scheme,
        lease: Lease,
        link: &Rc<Link>,
        wheel: &Rc<Wheel>,
    ) -> Self {
        Self::new(Side::Origin(lease, scheme), Rc::default(), link, wheel)
    }

    fn new(side: Side, state: Rc<StreamState>, link: &Rc<Link>, wheel: &Rc<Wheel>) -> Self {
        let cut: Rc<dyn Cut> = state.clone();
        Self {
            deadline: wheel.deadline_of(cut),
            link: Rc::clone(link),
            state,
            side,
            sent: Cell::new(Sent::Nothing),
            bytes_in: Cell::new(0),
            bytes_out: Cell::new(0),
        }
    }

    /// Whether it carries bytes of a tunnel, or of a protocol that was switched to.
    pub(crate) fn is_tunnel(&self) -> bool {
        self.sent.get() == Sent::Tunnel
    }

    /// Whether it was given up because it held too much (`limits.buffer_bytes`).
    pub(crate) fn was_given_up(&self) -> bool {
        // It ends both directions.
        self.state.is_deaf.get()
            && self.state.is_mute.get()
            && (self.state.number()).is_some_and(|id| self.link.held.was_given_up(id))
    }

    /// Why the request cannot be served, although it could be decoded.
    pub(crate) fn fault(&self) -> Option<RequestFault> {
        match &self.side {
            Side::Client(_, asked) => asked.fault,
            Side::Origin(..) => None,
        }
    }

    /// Moves the request that has come into `head` and `text`, which its spans refer to.
    pub(crate) fn take_request(&self, head: &mut RequestHead, text: &mut Vec<u8>) -> bool {
        let Side::Client(arrival, _) = &self.side else {
            return false;
        };
        let Some(mut arrival) = arrival.borrow_mut().take() else {
            return false;
        };
        std::mem::swap(head, &mut arrival.request.head);
        std::mem::swap(text, &mut arrival.request.text);
        self.count_in(text.len());
        self.link
            .with(|codec| codec.recycle_request(arrival.request));
        true
    }

    /// `Sec-WebSocket-Key` that an origin of HTTP/1.1 is sent for the request.
    pub(crate) fn websocket_key(&self) -> Option<&[u8]> {
        match &self.side {
            Side::Client(_, asked) => asked.key.as_deref(),
            Side::Origin(..) => None,
        }
    }

    /// Receives the head of a response, interim or final, into `head`, and calls `text` with what its spans
    /// refer to.
    pub(crate) async fn response(
        &self,
        head: &mut ResponseHead,
        text: impl FnOnce(&[u8]),
    ) -> io::Result<()> {
        let mut response = poll_fn(|context| {
            if self.state.is_deaf.get() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            self.state.watch(context);
            let mut inbox = self.state.inbox.borrow_mut();
            if let Some(response) = inbox.heads.pop_front() {
                return Poll::Ready(Ok(response));
            }
            match &inbox.fate {
                Fate::Failed(kind, fault) => Poll::Ready(Err(io::Error::new(*kind, fault.clone()))),
                Fate::Open | Fate::Whole => Poll::Pending,
            }
        })
        .await?;
        std::mem::swap(head, &mut response.head);
        text(&response.text);
        self.count_in(response.text.len());
        self.link.with(|codec| codec.recycle_response(response));
        Ok(())
    }

    /// Whether the origin said that it has not processed the request.
    pub(crate) fn declined(&self) -> Option<Declined> {
        self.state.inbox.borrow().declined
    }

    /// What the origin did wrong, or said was wrong, before all had come.
    pub(crate) fn origin_fault(&self) -> Option<String> {
        self.state.inbox.borrow().fault.clone()
    }

    /// Whether the origin wants HTTP/1.1, for this request or at all.
    pub(crate) fn wants_http1(&self) -> bool {
        self.declined() == Some(Declined::OverHttp1) || self.link.wants_http1()
    }

    /// Tells the client that its request was not processed, so that it sends it again.
    pub(crate) fn decline(&self) {
        if self.sent.get() == Sent::Nothing {
            self.reset(REFUSED_STREAM);
        }
    }

    /// The field lines behind the content, once its end was read.
    pub(crate) fn trailers(&self) -> Vec<u8> {
        self.state.inbox.borrow().trailers.clone()
    }

    pub(crate) fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    pub(crate) fn bytes_in(&self) -> u64 {
        self.bytes_in.get()
    }

    pub(crate) fn bytes_out(&self) -> u64 {
        self.bytes_out.get()
    }

    fn count_in(&self, bytes: usize) {
        self.bytes_in.set(self.bytes_in.get() + bytes as u64);
    }

    pub(super) fn count_out(&self, bytes: usize) {
        self.bytes_out.set(self.bytes_out.get() + bytes as u64);
    }

    /// Waits until a read would not wait. May be dropped.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        poll_fn(|context| self.poll_readable(context))
            .await
            .map(|_| ())
    }

    /// Waits until there is content to read; `false` at the end.
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.state.is_deaf.get() {
            return Poll::Ready(Ok(false));
        }
        self.state.watch(context);
        let inbox = self.state.inbox.borrow();
        if inbox.unread() > 0 {
            return Poll::Ready(Ok(true));
        }
        match &inbox.fate {
            Fate::Open => Poll::Pending,
            Fate::Whole => Poll::Ready(Ok(false)),
            Fate::Failed(kind, fault) => Poll::Ready(Err(io::Error::new(*kind, fault.clone()))),
        }
    }

    /// Receives content into `data` behind its first `filled` bytes.
    pub(crate) async fn read_after(
        &self,
        mut data: Vec<u8>,
        filled: usize,
    ) -> (io::Result<usize>, Vec<u8>) {
        data.truncate(filled);
        let result = match poll_fn(|context| self.poll_readable(context)).await {
            Ok(true) => Ok(self.read(&mut data)),
            Ok(false) => Ok(0),
            Err(error) => Err(error),
        };
        (result, data)
    }

    fn read(&self, data: &mut Vec<u8>) -> usize {
        let pool = &self.link.held.pool;
        let bytes = self.state.inbox.borrow_mut().read(data, pool);
        let id = self.state.id.get();
        let opens = self.link.held.read(id, bytes);
        self.link.with(|codec| codec.release(id, opens));
        self.count_in(bytes);
        bytes
    }

    /// Says that nothing more will be sent in a tunnel.
    pub(crate) fn finish(&self) {
        let Some(id) = self.state.number() else {
            return;
        };
        if self.sent.get() == Sent::Tunnel {
            // The end takes no window. One that is not taken is a stream that is gone.
            let _ = self.link.with(|codec| codec.send_data(id, &[], true));
            self.sent.set(Sent::All);
        }
    }

    fn reset(&self, code: u32) {
        if let Some(id) = self.state.number() {
            self.link.with(|codec| codec.reset(id, code));
        }
    }

    /// Ends both directions at once, also under a pending operation.
    pub(crate) fn cut(&self) {
        self.break_off();
        self.state.cut(std::net::Shutdown::Both);
    }

    /// Whether the end of what is received came from this side, before the other side's last byte.
    pub(crate) fn is_broken(&self) -> bool {
        let inbox = self.state.inbox.borrow();
        let has_all = inbox.fate == Fate::Whole && inbox.unread() == 0;
        self.state.is_deaf.get() && !has_all
    }

    /// Resets what is not complete. Nothing happens to what is.
    fn break_off(&self) {
        let has_all = self.state.inbox.borrow().fate == Fate::Whole;
        let code = match (&self.side, self.sent.get(), has_all) {
            (_, Sent::All, true) => return,
            (Side::Origin(..), ..) => CANCEL,
            // RFC 9113 section 8.5: a fault of the connection at the other end of a tunnel.
            (Side::Client(..), Sent::Tunnel, _) => CONNECT_ERROR,
            // RFC 9113 section 8.1: the rest of the request is not needed.
            (Side::Client(..), Sent::All, false) => NO_ERROR,
            (Side::Client(..), Sent::Nothing | Sent::Head, _) => INTERNAL_ERROR,
        };
        self.reset(code);
    }

    /// Has nothing more be received.
    pub(crate) fn stop_receiving(&self) {
        self.state.cut(std::net::Shutdown::Read);
    }

    /// Waits until the client has reset the stream or is gone altogether, or the stream was given up. May
    /// be dropped.
    pub(crate) async fn gone(&self) {
        poll_fn(|context| {
            if self.was_given_up() {
                return Poll::Ready(());
            }
            self.state.watch(context);
            let is_client = matches!(self.side, Side::Client(..));
            match is_client && self.state.is_gone.get() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }
}

impl Drop for StreamTransport {
    /// The other side must see that a message was cut short; a session whose origin said nothing at all
    /// until the deadline gets no further request.
    fn drop(&mut self) {
        self.break_off();
        self.link.forget(&self.state);
        if let Side::Origin(lease, _) = &self.side
            && self.deadline.expired()
            && self.bytes_in.get() == 0
        {
            lease.distrust();
        }
    }
}
