//! A stream as a connection that carries one exchange.
//!
//! To sessions, exchanges and tunnels it is a transport like any other. What they read from it is the
//! head of a request (or response) in the form of HTTP/1.1, which has a parser and an encoder with every
//! check in them, and then content as it is, up to the end of the stream; so is what they write.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::RecvStream;
use h2::client::SendRequest;
use h2::server::SendResponse;
use http::Request;
use sallyport_wire::http1::Scheme;
use sallyport_wire::invariant::part;

use super::heads::{Asked, HeadFault, TargetForm, Text, request_text};
use super::incoming::{Declined, Incoming};
use super::lease::Lease;
use super::link::Link;
use super::outgoing::{End, Outgoing, Unsent};
use crate::io::deadline::{Cut, Deadline, Wheel};

/// One exchange in a stream.
#[derive(Debug)]
pub(crate) struct StreamTransport {
    deadline: Deadline,
    ends: Rc<Ends>,
    incoming: RefCell<Incoming>,
    outgoing: RefCell<Outgoing>,
    /// A place among the streams of an upstream session; `None` on the client's side.
    lease: Option<Lease>,
    fault: Option<HeadFault>,
    bytes_in: Cell<u64>,
    bytes_out: Cell<u64>,
}

/// Which directions were ended on this side, by a deadline or by the owner.
#[derive(Debug, Default)]
struct Ends {
    read: Cell<bool>,
    write: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Cut for Ends {
    fn cut(&self, how: Shutdown) {
        self.read
            .set(self.read.get() || matches!(how, Shutdown::Read | Shutdown::Both));
        self.write
            .set(self.write.get() || matches!(how, Shutdown::Write | Shutdown::Both));
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

impl Ends {
    /// Has `context` woken when a direction is cut. Both directions belong to one task.
    fn watch(&self, context: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(context.waker()))
        {
            *waker = Some(context.waker().clone());
        }
    }
}

impl StreamTransport {
    /// The stream of a request that a client has sent; without a form it cannot be served.
    pub(crate) fn of_client(
        request: Request<RecvStream>,
        send: SendResponse<Bytes>,
        form: Result<TargetForm, HeadFault>,
        link: &Rc<Link>,
        wheel: &Rc<Wheel>,
    ) -> Self {
        let link = Rc::clone(link);
        let (parts, body) = request.into_parts();
        let text = form.and_then(|form| request_text(&parts, body.is_end_stream(), form));
        let (text, asked, fault) = match text {
            Ok((text, asked)) => (text, asked, None),
            // Its content is still to be read and discarded.
            Err(fault) => (Text::headless(), Asked::Plain, Some(fault)),
        };
        let incoming = Incoming::request(text, body, link);
        let mut stream = Self::new(incoming, Outgoing::response(send, asked), None, wheel);
        stream.fault = fault;
        stream.hold();
        stream
    }

    /// A stream for a request that is still to be sent.
    pub(crate) fn of_upstream(
        send: SendRequest<Bytes>,
        scheme: Scheme,
        link: &Rc<Link>,
        lease: Lease,
        wheel: &Rc<Wheel>,
    ) -> Self {
        let outgoing = Outgoing::request(send, scheme);
        Self::new(
            Incoming::response(Rc::clone(link)),
            outgoing,
            Some(lease),
            wheel,
        )
    }

    fn new(
        incoming: Incoming,
        outgoing: Outgoing,
        lease: Option<Lease>,
        wheel: &Rc<Wheel>,
    ) -> Self {
        let ends = Rc::new(Ends::default());
        let cut: Rc<dyn Cut> = ends.clone();
        Self {
            deadline: wheel.deadline_of(cut),
            ends,
            incoming: RefCell::new(incoming),
            outgoing: RefCell::new(outgoing),
            lease,
            fault: None,
            bytes_in: Cell::new(0),
            bytes_out: Cell::new(0),
        }
    }

    /// Has what the stream holds counted, now that it has a number.
    fn hold(&self) {
        let incoming = self.incoming.borrow();
        if let Some(id) = incoming.id() {
            incoming.link().held().open(id, self.ends.clone());
        }
    }

    /// Whether it was given up because it held too much (`limits.buffer_bytes`).
    pub(crate) fn was_given_up(&self) -> bool {
        // It ends both directions.
        if !(self.ends.read.get() && self.ends.write.get()) {
            return false;
        }
        let incoming = self.incoming.borrow();
        let id = incoming.id();
        id.is_some_and(|id| incoming.link().held().was_given_up(id))
    }

    /// Why the request cannot be served, although it could be decoded.
    pub(crate) fn fault(&self) -> Option<HeadFault> {
        self.fault
    }

    /// Whether the origin said that it has not processed the request.
    pub(crate) fn declined(&self) -> Option<Declined> {
        self.incoming.borrow().declined()
    }

    /// What the origin did wrong, or said was wrong, before all had come.
    pub(crate) fn origin_fault(&self) -> Option<String> {
        self.incoming.borrow().fault().map(str::to_owned)
    }

    /// Whether the origin wants HTTP/1.1, for this request or at all.
    pub(crate) fn wants_http1(&self) -> bool {
        let incoming = self.incoming.borrow();
        incoming.declined() == Some(Declined::OverHttp1) || incoming.link().wants_http1()
    }

    /// Tells the client that its request was not processed, so that it sends it again.
    pub(crate) fn decline(&self) {
        self.outgoing.borrow_mut().decline();
    }

    /// The field lines behind the content, once its end was read.
    pub(crate) fn trailers(&self) -> Vec<u8> {
        self.incoming.borrow().trailers().to_vec()
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

    /// Waits until a read would not wait. May be dropped.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        poll_fn(|context| self.poll_readable(context))
            .await
            .map(|_| ())
    }

    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.ends.read.get() {
            return Poll::Ready(Ok(false));
        }
        self.ends.watch(context);
        let mut incoming = self.incoming.borrow_mut();
        let polled = incoming.poll_readable(context);
        if incoming.take_malformed() {
            let mut outgoing = self.outgoing.borrow_mut();
            outgoing.refuse_malformed(incoming.link());
        }
        polled
    }

    /// Receives into `data` behind its first `filled` bytes.
    pub(crate) async fn read_after(
        &self,
        mut data: Vec<u8>,
        filled: usize,
    ) -> (io::Result<usize>, Vec<u8>) {
        data.truncate(filled);
        let result = poll_fn(|context| {
            let mut bytes = 0;
            while data.len() < data.capacity() {
                match self.poll_readable(context) {
                    Poll::Ready(Ok(true)) => match self.incoming.borrow_mut().read(&mut data) {
                        Ok(more) => bytes += more,
                        Err(error) => return Poll::Ready(Err(error)),
                    },
                    // What has arrived is given first; the end or the error will be there again.
                    Poll::Pending if bytes == 0 => return Poll::Pending,
                    Poll::Ready(Err(error)) if bytes == 0 => return Poll::Ready(Err(error)),
                    _ => break,
                }
            }
            Poll::Ready(Ok(bytes))
        })
        .await;
        if let Ok(bytes) = result {
            self.bytes_in.set(self.bytes_in.get() + bytes as u64);
        }
        (result, data)
    }

    /// Sends `data[from..]`: at its end all of it is within the windows of the recipient.
    pub(crate) async fn write_from(&self, data: Vec<u8>, from: usize) -> (io::Result<()>, Vec<u8>) {
        let result = self.send(part(&data, from..), End::Open).await;
        (result, data)
    }

    /// Sends `data[from..]` and, behind it, the end of the message with these trailer lines.
    pub(crate) async fn write_last(
        &self,
        data: Vec<u8>,
        from: usize,
        trailers: &[u8],
    ) -> (io::Result<()>, Vec<u8>) {
        let end = End::Trailers(trailers);
        let result = self.send(part(&data, from..), end).await;
        (result, data)
    }

    async fn send(&self, input: &[u8], end: End<'_>) -> io::Result<()> {
        let mut unsent = {
            let mut incoming = self.incoming.borrow_mut();
            let was_asked = incoming.id().is_some();
            let mut outgoing = self.outgoing.borrow_mut();
            let content = outgoing.take_heads(input, &mut incoming)?;
            drop(incoming);
            if !was_asked {
                self.hold();
            }
            self.given_head(input.len() - content.len());
            Unsent::new(content, end)
        };
        poll_fn(|context| self.poll_send(&mut unsent, context)).await?;
        self.bytes_out
            .set(self.bytes_out.get() + input.len() as u64);
        Ok(())
    }

    fn given_head(&self, bytes: usize) {
        let incoming = self.incoming.borrow();
        if let Some(id) = incoming.id().filter(|_| bytes > 0) {
            incoming.link().held().given_head(id, bytes);
        }
    }

    fn poll_send(
        &self,
        unsent: &mut Unsent<'_>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ends.write.get() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.ends.watch(context);
        let polled = self.outgoing.borrow_mut().poll_send(unsent, context);
        let incoming = self.incoming.borrow();
        if let (Some(id), bytes @ 1..) = (incoming.id(), unsent.take_given()) {
            incoming.link().held().given(id, bytes);
        }
        polled
    }

    /// Says that nothing more will be sent in a tunnel.
    pub(crate) fn finish(&self) {
        self.outgoing.borrow_mut().finish();
    }

    /// Ends both directions at once, also under a pending operation.
    pub(crate) fn cut(&self) {
        let mut outgoing = self.outgoing.borrow_mut();
        match self.lease {
            Some(_) => outgoing.cancel(),
            None => outgoing.reset(),
        }
        drop(outgoing);
        self.ends.cut(Shutdown::Both);
    }

    /// Has nothing more be received.
    pub(crate) fn stop_receiving(&self) {
        self.ends.cut(Shutdown::Read);
    }

    /// Waits until the client has reset the stream or is gone altogether, or the stream was given up. May
    /// be dropped.
    pub(crate) async fn gone(&self) {
        poll_fn(|context| {
            if self.was_given_up() {
                return Poll::Ready(());
            }
            self.ends.watch(context);
            self.outgoing.borrow_mut().poll_gone(context)
        })
        .await;
    }
}

impl Drop for StreamTransport {
    /// A client must see that a response was cut short; a session whose origin said nothing at all
    /// until the deadline gets no further request.
    fn drop(&mut self) {
        let incoming = self.incoming.borrow();
        if let Some(id) = incoming.id() {
            incoming.link().held().close(id);
        }
        match &self.lease {
            None => self.outgoing.borrow_mut().reset(),
            Some(lease) if self.deadline.expired() && self.bytes_in.get() == 0 => lease.distrust(),
            Some(_) => {}
        }
    }
}
