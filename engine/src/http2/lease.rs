//! The places among the streams of a connection to an origin.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

/// What the driver and the streams tell the pool.
#[derive(Debug)]
pub(crate) struct SessionState {
    pub(crate) streams: Cell<usize>,
    /// No new stream can be opened: the origin said so, or the connection is gone.
    pub(crate) closed: Cell<bool>,
    pub(crate) idle_since: Cell<Instant>,
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
            idle_since: Cell::new(Instant::now()),
        })
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
        self.0.idle_since.set(Instant::now());
    }
}
