//! What the streams of a connection hold: content that was received and that nobody has read. It counts
//! against `limits.buffer_bytes` like every buffer, and so do frames on their way out; content that waits
//! for a window is in the buffer of whoever sends it.
//!
//! A window is a promise that was made before memory ran short, so the bound cannot be kept by not
//! beginning alone. Windows are not opened again as wide once memory is half used; when it runs short
//! the streams of the shard that hold most are given up ([`Holders::relieve`]), and a connection where
//! that does not help. Knows no frames; `link` feeds it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::Shutdown;
use std::rc::{Rc, Weak};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use crate::clock;
use crate::hashing::MapHasher;
use crate::io::buffers::{BufferPool, Lease};
use crate::io::deadline::Cut;
use crate::limits::{HTTP2_STREAM_KEPT_BYTES, HTTP2_TIGHT_WINDOW_BYTES};

/// How long a stream that was given up may hold on to what it has, before its connection ends.
const GIVE_UP_TIME: Duration = Duration::from_secs(1);
/// How often the streams of a shard are looked at, at most.
pub(super) const RELIEF_INTERVAL: Duration = Duration::from_millis(5);

/// The connections of one shard whose streams hold something.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    all: RefCell<Vec<Weak<Held>>>,
    relieved: Cell<Option<Instant>>,
}

/// What the streams of one connection hold.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) pool: Rc<BufferPool>,
    holders: Rc<Holders>,
    streams: RefCell<HashMap<u32, Stream, MapHasher>>,
    windows: Windows,
    /// What was read and does not open a window, in all streams together.
    withheld: Cell<usize>,
    /// All streams together.
    stream_bytes: Cell<usize>,
    /// Frames on their way out.
    outbound_bytes: Cell<usize>,
    lease: RefCell<Lease>,
    /// The connection is to end.
    over: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// The windows of a connection, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    pub(super) stream: usize,
    pub(super) connection: usize,
}

#[derive(Debug)]
struct Stream {
    unread: usize,
    /// Read, and not to open the window while memory is short.
    withheld: usize,
    /// Ends it.
    cut: Rc<dyn Cut>,
    given_up: Option<Instant>,
}

impl Held {
    pub(super) fn new(pool: &Rc<BufferPool>, holders: &Rc<Holders>, windows: Windows) -> Rc<Self> {
        let held = Rc::new(Self {
            pool: Rc::clone(pool),
            holders: Rc::clone(holders),
            streams: RefCell::default(),
            windows,
            withheld: Cell::new(0),
            stream_bytes: Cell::new(0),
            outbound_bytes: Cell::new(0),
            lease: RefCell::new(pool.lease(0)),
            over: Cell::new(false),
            waker: RefCell::default(),
        });
        holders.add(&held);
        held
    }

    /// A stream that is read from from now on; `cut` ends it.
    pub(super) fn open(&self, id: u32, cut: Rc<dyn Cut>) {
        let stream = Stream {
            unread: 0,
            withheld: 0,
            cut,
            given_up: None,
        };
        self.streams.borrow_mut().insert(id, stream);
    }

    /// Content of a stream has come.
    pub(super) fn received(&self, id: u32, bytes: usize) {
        self.change(id, |held| held.unread += bytes);
    }

    /// Content of a stream was read; by how much its window may be opened.
    pub(super) fn read(&self, id: u32, bytes: usize) -> usize {
        let (mut opens, mut withheld) = (bytes, self.withheld.get());
        self.change(id, |held| {
            held.unread = held.unread.saturating_sub(bytes);
            if self.pool.may_wait() {
                opens += held.withheld;
                withheld = withheld.saturating_sub(std::mem::take(&mut held.withheld));
                return;
            }
            let of_stream = self.windows.stream.saturating_sub(HTTP2_TIGHT_WINDOW_BYTES);
            // A connection without a window would never move again.
            let of_all = self.windows.connection / 4 * 3;
            let kept = bytes
                .min(of_stream.saturating_sub(held.withheld))
                .min(of_all.saturating_sub(withheld));
            opens -= kept;
            held.withheld += kept;
            withheld += kept;
        });
        self.withheld.set(withheld);
        opens
    }

    /// Nobody reads from a stream any more; returns what was read and has not opened its window.
    pub(super) fn close(&self, id: u32) -> usize {
        let closed = self.streams.borrow_mut().remove(&id);
        closed.map_or(0, |held| {
            self.count(0, held.unread);
            let withheld = self.withheld.get().saturating_sub(held.withheld);
            self.withheld.set(withheld);
            held.withheld
        })
    }

    /// So much memory is taken by frames on their way out.
    pub(super) fn set_outbound(&self, bytes: usize) {
        if self.outbound_bytes.replace(bytes) != bytes {
            self.count(0, 0);
        }
    }

    /// Whether a stream was given up for what it held.
    pub(super) fn was_given_up(&self, id: u32) -> bool {
        let streams = self.streams.borrow();
        streams.get(&id).is_some_and(|held| held.given_up.is_some())
    }

    /// Whether the connection is to end.
    pub(super) fn is_over(&self) -> bool {
        self.over.get()
    }

    /// Has `context` woken when the connection is to end.
    pub(super) fn watch(&self, context: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(context.waker()))
        {
            *waker = Some(context.waker().clone());
        }
    }

    fn change(&self, id: u32, change: impl FnOnce(&mut Stream)) {
        let mut streams = self.streams.borrow_mut();
        let Some(held) = streams.get_mut(&id) else {
            return;
        };
        let before = held.unread;
        change(held);
        let after = held.unread;
        drop(streams);
        self.count(after, before);
    }

    fn count(&self, more: usize, less: usize) {
        let bytes = (self.stream_bytes.get() + more).saturating_sub(less);
        self.stream_bytes.set(bytes);
        let all = bytes + self.outbound_bytes.get();
        self.lease.borrow_mut().resize(all);
    }

    /// Gives streams up, if memory runs short.
    pub(super) fn relieve(&self) {
        if self.pool.excess() > 0 {
            self.holders.relieve(&self.pool, clock::now());
        }
    }

    fn give_up(&self, id: u32, now: Instant) {
        let mut streams = self.streams.borrow_mut();
        let Some(held) = streams.get_mut(&id) else {
            return;
        };
        held.given_up = Some(now);
        held.cut.cut(Shutdown::Both);
    }

    fn end(&self) {
        self.over.set(true);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

impl Holders {
    fn add(&self, held: &Rc<Held>) {
        let mut all = self.all.borrow_mut();
        if all.len() == all.capacity() {
            all.retain(|held| held.strong_count() > 0);
        }
        all.push(Rc::downgrade(held));
    }

    /// Gives up what holds most, until a quarter of the pool would be free.
    pub(crate) fn relieve(&self, pool: &BufferPool, now: Instant) {
        let relieved = self.relieved.get();
        if relieved.is_some_and(|at| now.saturating_duration_since(at) < RELIEF_INTERVAL) {
            return;
        }
        let mut excess = pool.excess();
        if excess == 0 {
            return;
        }
        self.relieved.set(Some(now));
        let mut largest = Vec::new();
        for held in self.all.borrow().iter().filter_map(Weak::upgrade) {
            for (id, stream) in held.streams.borrow().iter() {
                let bytes = stream.unread;
                match stream.given_up {
                    None if bytes > HTTP2_STREAM_KEPT_BYTES => {
                        largest.push((bytes, Rc::clone(&held), *id));
                    }
                    Some(since) if bytes > HTTP2_STREAM_KEPT_BYTES => {
                        excess = excess.saturating_sub(bytes);
                        if now.saturating_duration_since(since) >= GIVE_UP_TIME {
                            held.end();
                        }
                    }
                    _ => {}
                }
            }
        }
        largest.sort_unstable_by_key(|(bytes, ..)| std::cmp::Reverse(*bytes));
        let mut given_up = 0;
        for (bytes, held, id) in largest {
            if excess == 0 {
                break;
            }
            excess = excess.saturating_sub(bytes);
            held.give_up(id, now);
            given_up += 1;
        }
        if given_up > 0 {
            tracing::warn!(given_up, "over limits.buffer_bytes: streams were given up");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default)]
    struct Ended(Cell<bool>);

    impl Cut for Ended {
        fn cut(&self, _: Shutdown) {
            self.0.set(true);
        }
    }

    const WINDOWS: Windows = Windows {
        stream: 100_000,
        connection: 200_000,
    };

    #[test]
    fn what_is_held_counts_until_it_is_gone() {
        let pool = Rc::new(BufferPool::new(1 << 20));
        let held = Held::new(&pool, &Rc::default(), WINDOWS);
        held.open(1, Rc::new(Ended::default()));
        held.received(1, 15);
        // Nobody knows of that one.
        held.received(9, 1000);
        assert_eq!(pool.leased_bytes(), 15);
        held.received(1, 100);
        held.read(1, 15);
        assert_eq!(pool.leased_bytes(), 100);
        held.set_outbound(1000);
        assert_eq!(pool.leased_bytes(), 1100);
        assert_eq!(held.close(1), 0);
        assert_eq!(pool.leased_bytes(), 1000);
        held.set_outbound(0);
        assert_eq!(pool.leased_bytes(), 0);
        assert!(held.streams.borrow().is_empty());
        held.open(3, Rc::new(Ended::default()));
        held.received(3, 9);
        drop(held);
        assert_eq!(pool.leased_bytes(), 0);
    }

    #[test]
    fn windows_shrink_while_memory_is_short() {
        let pool = Rc::new(BufferPool::new(1 << 20));
        let held = Held::new(&pool, &Rc::default(), WINDOWS);
        for id in [1, 3, 5] {
            held.open(id, Rc::new(Ended::default()));
        }
        assert_eq!(held.read(1, 10_000), 10_000);
        let others = pool.lease(1 << 19);
        // The window of a stream goes down to what is always left of it.
        let most = WINDOWS.stream - HTTP2_TIGHT_WINDOW_BYTES;
        assert_eq!(held.read(1, 60_000), 0);
        assert_eq!(held.read(1, 60_000), 120_000 - most);
        assert_eq!(held.read(1, 10_000), 10_000);
        // All of them leave the connection a quarter of its window.
        assert_eq!(held.read(3, 60_000), 0);
        assert_eq!(held.read(5, 60_000), 60_000 + 60_000 + most - 150_000);
        assert_eq!(held.close(3), 60_000);
        assert_eq!(held.read(5, 20_000), 0);
        drop(others);
        assert_eq!(held.read(1, 5), 5 + most);
        assert_eq!(held.read(1, 5), 5);
        held.close(5);
        assert_eq!(held.withheld.get(), 0);
    }

    #[test]
    fn what_holds_most_is_given_up_first() {
        let pool = Rc::new(BufferPool::new(800_000));
        let holders = Rc::new(Holders::default());
        let connections = [(); 2].map(|()| Held::new(&pool, &holders, WINDOWS));
        let streams: Vec<_> = [300_000, 1000, 200_000, 350_000]
            .into_iter()
            .zip((1..).step_by(2))
            .map(|(bytes, id)| {
                let ended = Rc::new(Ended::default());
                let held = &connections[usize::from(bytes < 300_000)];
                held.open(id, ended.clone());
                held.received(id, bytes);
                held.relieve();
                ended
            })
            .collect();
        let ended: Vec<_> = streams.iter().map(|stream| stream.0.get()).collect();
        assert_eq!(ended, [false, false, false, true]);
        assert!(connections[0].was_given_up(7));
        // It does not let go: the connection ends.
        let later = Instant::now() + GIVE_UP_TIME;
        holders.relieve(&pool, later);
        assert!(connections[0].is_over() && !connections[1].is_over());
        assert!(!streams[0].0.get());
    }
}
