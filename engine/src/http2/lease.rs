//! The places among the streams of a connection to an origin.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Instant;

use crate::clock;

/// What the driver and the streams tell the pool.
#[derive(Debug)]
pub(crate) struct SessionState {
    pub(crate) streams: Cell<usize>,
    /// No new stream can be opened: the origin said so, or the connection is gone.
    pub(crate) closed: Cell<bool>,
    pub(crate) idle_since: Cell<Instant>,
    /// The pool has let go of it: it ends with its last stream.
    pub(crate) is_orphan: Cell<bool>,
    driver: RefCell<Option<Waker>>,
}

/// A place among the streams of a session.
#[derive(Debug)]
pub(crate) struct Lease(Rc<SessionState>);

impl SessionState {
    /// One that has no streams yet.
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            streams: Cell::new(0),
            closed: Cell::new(false),
            idle_since: Cell::new(clock::now()),
            is_orphan: Cell::new(false),
            driver: RefCell::default(),
        })
    }

    /// Whether nobody needs the connection any more; else `context` is woken when that changes.
    pub(crate) fn is_abandoned(&self, context: &Context<'_>) -> bool {
        self.driver.replace(Some(context.waker().clone()));
        self.is_orphan.get() && self.streams.get() == 0
    }

    /// Nobody will open a stream any more.
    pub(crate) fn orphan(&self) {
        self.is_orphan.set(true);
        self.wake();
    }

    fn wake(&self) {
        if let Some(driver) = self.driver.borrow_mut().take() {
            driver.wake();
        }
    }
}

impl Lease {
    /// Takes a place.
    pub(crate) fn new(state: &Rc<SessionState>) -> Self {
        state.streams.set(state.streams.get() + 1);
        Self(Rc::clone(state))
    }

    /// Has the session take no further requests.
    pub(super) fn distrust(&self) {
        self.0.closed.set(true);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get().saturating_sub(1));
        self.0.idle_since.set(clock::now());
        if self.0.is_orphan.get() {
            self.0.wake();
        }
    }
}
