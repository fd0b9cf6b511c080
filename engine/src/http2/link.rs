//! One HTTP/2 connection: the codec, the streams on it, and who waits for what.
//!
//! Bytes come from and go to the pumps; what a frame brings goes into the state of its stream, whose task
//! is woken. Knows no HTTP but streams.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use sallyport_wire::http2::{
    Connection, FrameFault, GoingAway, Request, Role, StreamFault, TargetForm,
};

use super::error_code::{HTTP_1_1_REQUIRED, name};
use super::held::{Held, Holders};
use super::settings::Settings;
use super::stream_state::StreamState;
use crate::clock;
use crate::config::checked::InterimLimits;
use crate::hashing::MapHasher;
use crate::io::buffers::BufferPool;
use crate::io::carrier::Carrier;

/// A connection, of either side.
#[derive(Debug)]
pub(crate) struct Link {
    pub(super) codec: RefCell<Connection>,
    pub(super) streams: RefCell<HashMap<u32, Rc<StreamState>, MapHasher>>,
    pub(super) held: Rc<Held>,
    /// Interim responses that may wait in one stream.
    pub(super) interim: InterimLimits,
    pub(super) arrivals: RefCell<VecDeque<Arrival>>,
    pub(super) refused: RefCell<VecDeque<Refused>>,
    /// Who drives the connection.
    pub(super) driver: RefCell<Option<Waker>>,
    /// Who waits for something to be written.
    pub(super) writer: RefCell<Option<Waker>>,
    /// Who waits for the first bytes of the other side.
    pub(super) settling: RefCell<Vec<Waker>>,
    /// Streams wait until what is to be sent is.
    pub(super) has_blocked: Cell<bool>,
    /// Exchanges wait for that whose stream is still to be opened.
    pub(super) unopened: RefCell<Vec<Rc<StreamState>>>,
    /// Nothing more comes.
    pub(super) ended: Cell<bool>,
    /// The pumps end: nothing more is read, and what is to be written is written.
    pub(super) closing: Cell<bool>,
    /// A write failed or timed out.
    pub(super) broken: Cell<bool>,
    /// Nothing that is written gets anywhere, and what there is to read is still read.
    pub(super) deaf: Cell<bool>,
    /// Size of the buffer that frames are written to.
    pub(super) output_bytes: Cell<usize>,
    /// Bytes that are with the kernel.
    pub(super) writing: Cell<usize>,
    /// How long the connection may stay as it is, when it carries nothing.
    pub(super) idle: Cell<Option<Duration>>,
    /// When something was received last.
    pub(super) heard: Cell<Instant>,
}

/// A request that has come.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(super) request: Box<Request>,
    pub(super) state: Rc<StreamState>,
}

impl Arrival {
    /// The stream that it came in.
    pub(crate) fn stream(&self) -> u32 {
        self.state.id.get()
    }
}

/// A stream that was refused before it was a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refused {
    pub(crate) stream: u32,
    pub(crate) fault: StreamFault,
}

impl Link {
    /// A link of which nothing was received yet.
    pub(crate) fn new(
        (pool, holders): (&Rc<BufferPool>, &Rc<Holders>),
        role: Role,
        settings: &Settings,
        form: TargetForm,
    ) -> Rc<Self> {
        let of_codec = settings.of_codec(role, form);
        let codec = match role {
            Role::Client => Connection::client(of_codec),
            Role::Server => Connection::server(of_codec),
        };
        Rc::new(Self {
            codec: RefCell::new(codec),
            streams: RefCell::default(),
            held: Held::new(pool, holders, settings.windows(role)),
            interim: settings.interim,
            arrivals: RefCell::default(),
            refused: RefCell::default(),
            driver: RefCell::default(),
            writer: RefCell::default(),
            settling: RefCell::default(),
            has_blocked: Cell::new(false),
            unopened: RefCell::default(),
            ended: Cell::new(false),
            closing: Cell::new(false),
            broken: Cell::new(false),
            deaf: Cell::new(false),
            output_bytes: Cell::new(0),
            writing: Cell::new(0),
            idle: Cell::new(None),
            heard: Cell::new(clock::now()),
        })
    }

    /// Does something with the codec; what that has to be sent is.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Connection) -> T) -> T {
        let mut codec = self.codec.borrow_mut();
        let done = act(&mut codec);
        let output = codec.output_len();
        drop(codec);
        if output > 0 {
            wake(&self.writer);
        }
        done
    }

    /// What the other side has sent too much of or wrongly, if it has.
    pub(crate) fn fault(&self) -> Option<FrameFault> {
        match self.held.is_over() {
            true => Some(FrameFault::Memory),
            false => self.codec.borrow().fault(),
        }
    }

    /// What the other side has said at its leave, if it takes it.
    pub(crate) fn going_away(&self) -> Option<GoingAway> {
        self.codec.borrow().going_away()
    }

    /// Whether it leaves because it wants HTTP/1.1 (RFC 9113 section 7).
    pub(crate) fn wants_http1(&self) -> bool {
        self.going_away()
            .is_some_and(|told| told.code == HTTP_1_1_REQUIRED)
    }

    /// Whether nothing comes or goes any more.
    pub(crate) fn is_over(&self) -> bool {
        self.ended.get() || self.broken.get()
    }

    /// Whether one of the sides takes its leave, or nothing comes or goes any more.
    pub(crate) fn is_leaving(&self) -> bool {
        let codec = self.codec.borrow();
        let is_told = codec.going_away().is_some() || codec.is_leaving();
        drop(codec);
        is_told || self.is_over() || self.fault().is_some()
    }

    /// Streams that both sides allow at once.
    pub(crate) fn streams_max(&self) -> usize {
        self.codec.borrow().streams_max()
    }

    /// Whether the other side takes WebSockets in streams (RFC 8441 section 3), as far as it has said.
    pub(crate) fn takes_websockets(&self) -> bool {
        self.codec.borrow().takes_extended_connect()
    }

    /// How many streams are open.
    pub(crate) fn streams_count(&self) -> usize {
        self.codec.borrow().streams_count()
    }

    /// A request that has come.
    pub(crate) fn arrival(&self) -> Option<Arrival> {
        self.arrivals.borrow_mut().pop_front()
    }

    /// A stream that was refused before it was a request; each once.
    pub(crate) fn refused(&self) -> Option<Refused> {
        self.refused.borrow_mut().pop_front()
    }

    /// Refuses what has come.
    pub(crate) fn refuse(&self, arrival: &Arrival, code: u32) {
        let id = arrival.stream();
        self.with(|codec| codec.reset(id, code));
        self.forget(&arrival.state);
    }

    /// Takes leave so that nothing is lost (RFC 9113 section 6.8).
    pub(crate) fn drain(&self) {
        self.with(Connection::drain);
    }

    /// Takes leave at once.
    pub(crate) fn go_away(&self, code: u32) {
        self.with(|codec| codec.go_away(code));
    }

    /// Asks whether the other side is still there.
    pub(super) fn ping(&self) {
        self.with(|codec| codec.ping(*b"sallypor"));
    }

    /// Has `context` woken when there is something for whoever drives the connection.
    pub(crate) fn watch(&self, context: &Context<'_>) {
        self.held.watch(context);
        keep(&self.driver, context);
    }

    /// Waits until the other side has said something, which begins with its SETTINGS.
    pub(crate) async fn begun(&self) {
        poll_fn(|context| {
            if self.codec.borrow().has_settings() || self.is_over() {
                return Poll::Ready(());
            }
            self.settling.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// How long nothing has been received.
    pub(crate) fn silence(&self) -> Duration {
        clock::since(self.heard.get())
    }

    /// Ends the connection: says so to the other side, unless that was done, and to all streams.
    pub(crate) fn end(&self, code: u32) {
        if self.held.is_over() {
            self.go_away(FrameFault::Memory.code());
        } else if !self.codec.borrow().is_leaving() {
            self.go_away(code);
        }
        self.lose();
        self.close();
    }

    /// Lets the pumps end.
    pub(crate) fn close(&self) {
        self.closing.set(true);
        wake(&self.writer);
    }

    /// What moved the bytes has panicked.
    pub(crate) fn abandon(&self) {
        self.broken.set(true);
        self.lose();
    }

    /// Arms the deadline of a connection without streams, or takes it away.
    pub(crate) fn set_idle(&self, transport: &impl Carrier, idle: Option<Duration>) {
        if self.idle.replace(idle) == idle {
            return;
        }
        if idle.is_some() {
            let mut codec = self.codec.borrow_mut();
            codec.shrink();
            if codec.output_len() == 0 {
                self.output_bytes.set(0);
                self.held.set_outbound(self.writing.get());
            }
        }
        if self.writing.get() == 0 {
            self.rearm(transport);
        }
    }

    // ---- for the pumps ----

    pub(super) fn rearm(&self, transport: &impl Carrier) {
        match self.idle.get() {
            _ if self.deaf.get() => {}
            Some(idle) => transport.arm_read(idle),
            None => transport.disarm(),
        }
    }

    /// Whether what comes is still looked at.
    pub(super) fn may_read(&self) -> bool {
        !self.ended.get()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    /// What is to be written, as soon as there is something; `None` at the end.
    pub(super) async fn output(&self) -> Option<Vec<u8>> {
        poll_fn(|context| {
            let waits = self.codec.borrow().output_len() > 0;
            if waits {
                return Poll::Ready(Some(self.transmit()));
            }
            if self.closing.get() {
                return Poll::Ready(None);
            }
            keep(&self.writer, context);
            Poll::Pending
        })
        .await
    }

    fn transmit(&self) -> Vec<u8> {
        let mut codec = self.codec.borrow_mut();
        // What comes next goes into a buffer of the pool, unless nothing is to be expected.
        let mut out = match codec.streams_count() {
            0 => Vec::new(),
            _ => self.held.pool.rent(),
        };
        self.output_bytes.set(out.capacity());
        codec.transmit(&mut out);
        drop(codec);
        self.set_writing(out.capacity());
        self.unblock();
        out
    }

    /// What was being written has been.
    pub(super) fn written(&self) {
        self.set_writing(0);
    }

    fn set_writing(&self, bytes: usize) {
        self.writing.set(bytes);
        self.held.set_outbound(self.output_bytes.get() + bytes);
    }

    /// Nothing that is written gets anywhere any more.
    pub(super) fn deafen(&self) {
        self.deaf.set(true);
    }

    /// A write has failed, and nothing is read either.
    pub(super) fn fail(&self) {
        self.broken.set(true);
        self.lose();
    }
}

/// The fault of a stream in words.
pub(crate) fn words(refused: Refused) -> String {
    let Refused { stream, fault } = refused;
    format!("stream {stream}: reset, {}: {fault}", name(fault.code()))
}

fn keep(place: &RefCell<Option<Waker>>, context: &Context<'_>) {
    let mut waker = place.borrow_mut();
    match &mut *waker {
        Some(waker) if waker.will_wake(context.waker()) => {}
        waker => *waker = Some(context.waker().clone()),
    }
}

pub(super) fn wake(place: &RefCell<Option<Waker>>) {
    let waker = place.borrow_mut().take();
    if let Some(waker) = waker {
        waker.wake();
    }
}
