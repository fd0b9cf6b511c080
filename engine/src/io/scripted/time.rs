//! Time that passes when nothing else can happen.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use crate::clock;

/// Those who wait for a time.
#[derive(Debug, Default)]
pub(super) struct Timers {
    waiting: RefCell<BTreeMap<(Instant, u64), Waker>>,
    next: Cell<u64>,
}

/// A place among those who wait; given up when it is dropped.
struct Place<'a> {
    timers: &'a Timers,
    key: (Instant, u64),
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.timers.waiting.borrow_mut().remove(&self.key);
    }
}

impl Timers {
    /// Lets time pass until somebody has waited long enough; says how much. `None`: nobody waits.
    pub(super) fn fire_next(&self) -> Option<Duration> {
        let ((at, _), waker) = self.waiting.borrow_mut().pop_first()?;
        let left = at.saturating_duration_since(clock::now());
        clock::scripted::pass(left);
        waker.wake();
        Some(left)
    }

    fn place(&self, at: Instant) -> Place<'_> {
        let number = self.next.get();
        self.next.set(number + 1);
        Place {
            timers: self,
            key: (at, number),
        }
    }

    /// Waits until then.
    pub(super) async fn at(&self, at: Instant) {
        self.before(at, std::future::pending::<()>()).await;
    }

    /// Waits for `future`, or until then.
    pub(super) async fn before<F: Future>(&self, at: Instant, future: F) -> Option<F::Output> {
        let place = self.place(at);
        let mut future = pin!(future);
        poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            if clock::now() >= at {
                return Poll::Ready(None);
            }
            let waker = context.waker().clone();
            self.waiting.borrow_mut().insert(place.key, waker);
            Poll::Pending
        })
        .await
    }
}
