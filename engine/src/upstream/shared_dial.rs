//! One dial for all requests that want the same connection of HTTP/2.
//!
//! The first request to an origin dials; those that come while it does wait, and find streams of what
//! it has made in the pool. If nothing came of it that can be shared, each goes its own way, so that
//! an origin of HTTP/1.1 or one that does not answer costs nobody more than one such wait. Called by
//! `transaction::exchange::origin_connection`; does no I/O.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Poll, Waker};

use hashbrown::HashTable;

use super::pool::PoolKey;

use crate::hashing::MapHasher;

/// The dials of one shard that others may wait for.
#[derive(Debug, Default)]
pub(crate) struct SharedDials {
    running: RefCell<HashTable<Rc<Dial>>>,
    hasher: MapHasher,
}

#[derive(Debug)]
struct Dial {
    host: Box<str>,
    address: SocketAddr,
    tls: Option<u64>,
    outcome: Cell<Outcome>,
    waiting: RefCell<Vec<Waker>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Running,
    /// There is something in the pool.
    Shared,
    /// There is nothing.
    Alone,
}

/// What a request is to do that found nothing in the pool.
#[derive(Debug)]
pub(crate) enum Turn<'d> {
    /// Dial; others wait for as long as this lives.
    Dial(Dialing<'d>),
    /// Wait for another one's dial.
    Wait(Waiting),
}

/// A dial that others may wait for.
#[derive(Debug)]
pub(crate) struct Dialing<'d> {
    dials: &'d SharedDials,
    dial: Rc<Dial>,
}

/// A place in the queue behind a dial.
#[derive(Debug)]
pub(crate) struct Waiting(Rc<Dial>);

impl Dial {
    fn key(&self) -> PoolKey<'_> {
        PoolKey {
            host: &self.host,
            address: self.address,
            tls: self.tls,
        }
    }
}

impl SharedDials {
    /// Whose turn it is to dial `key`.
    pub(crate) fn enter(&self, key: PoolKey<'_>) -> Turn<'_> {
        let hash = self.hasher.hash_one(key);
        let mut running = self.running.borrow_mut();
        if let Some(dial) = running.find(hash, |dial| dial.key() == key) {
            return Turn::Wait(Waiting(Rc::clone(dial)));
        }
        let dial = Rc::new(Dial {
            host: key.host.into(),
            address: key.address,
            tls: key.tls,
            outcome: Cell::new(Outcome::Running),
            waiting: RefCell::default(),
        });
        running.insert_unique(hash, Rc::clone(&dial), |dial| {
            self.hasher.hash_one(dial.key())
        });
        Turn::Dial(Dialing { dials: self, dial })
    }
}

impl Dialing<'_> {
    /// What came of it is in the pool.
    pub(crate) fn share(self) {
        self.dial.outcome.set(Outcome::Shared);
    }
}

impl Drop for Dialing<'_> {
    fn drop(&mut self) {
        let hash = self.dials.hasher.hash_one(self.dial.key());
        let mut running = self.dials.running.borrow_mut();
        if let Ok(entry) = running.find_entry(hash, |dial| Rc::ptr_eq(dial, &self.dial)) {
            entry.remove();
        }
        drop(running);
        if self.dial.outcome.get() == Outcome::Running {
            self.dial.outcome.set(Outcome::Alone);
        }
        for waker in self.dial.waiting.take() {
            waker.wake();
        }
    }
}

impl Waiting {
    /// Waits until the dial has ended; whether there is something in the pool now. May be dropped.
    pub(crate) async fn is_shared(&self) -> bool {
        poll_fn(|context| match self.0.outcome.get() {
            Outcome::Running => {
                let mut waiting = self.0.waiting.borrow_mut();
                waiting.push(context.waker().clone());
                Poll::Pending
            }
            outcome => Poll::Ready(outcome == Outcome::Shared),
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::Context;

    use super::*;

    fn key(host: &str) -> PoolKey<'_> {
        PoolKey {
            host,
            address: "192.0.2.1:443".parse().unwrap(),
            tls: Some(1),
        }
    }

    #[test]
    fn the_first_dials_and_the_others_wait_for_it() {
        for (shares, expected) in [(true, Poll::Ready(true)), (false, Poll::Ready(false))] {
            let dials = SharedDials::default();
            let Turn::Dial(first) = dials.enter(key("a.test")) else {
                panic!("nobody was before");
            };
            assert!(matches!(dials.enter(key("b.test")), Turn::Dial(_)));
            let Turn::Wait(second) = dials.enter(key("a.test")) else {
                panic!("the first one dials");
            };
            let mut context = Context::from_waker(Waker::noop());
            let mut second = pin!(second.is_shared());
            assert_eq!(second.as_mut().poll(&mut context), Poll::Pending);
            match shares {
                true => first.share(),
                false => drop(first),
            }
            assert_eq!(second.as_mut().poll(&mut context), expected);
            // The next one is a first one again.
            assert!(matches!(dials.enter(key("a.test")), Turn::Dial(_)));
        }
    }
}
