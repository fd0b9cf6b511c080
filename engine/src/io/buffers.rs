//! Buffers that are rented while bytes are in hand and given back when a connection is idle.
//!
//! `limits.buffer_bytes` bounds those in use and those kept for reuse together. It is kept by not
//! beginning: at the limit a shard takes no new request ([`BufferPool::is_exhausted`]), while what is
//! under way goes on to its end. What is in use is counted by [`Lease`]s, which whoever holds a buffer
//! over an await holds beside it: a buffer that is dropped rather than given back is no longer counted
//! either.
//!
//! What is rented for a client is rented from that client's view of the pool ([`BufferPool::of_client`]),
//! which counts for the shard and for the client: one of them cannot hold it all.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::splice::PipePool;
use crate::fair_share::{FairShare, Use};
use crate::limits::TUNNEL_WAITING_BYTES_MAX;

/// Capacity of a rented buffer in bytes: a request head and a small body fit, and so does the largest
/// TLS record of a sender that does not pad.
pub(crate) const BUFFER_BYTES: usize = 17 * 1024;
/// Capacity of the buffers that a bulk transfer moves up to.
pub(crate) const BULK_BUFFER_BYTES: usize = 128 * 1024;

/// The buffers of one shard, as one client sees them or the shard itself.
#[derive(Debug)]
pub(crate) struct BufferPool {
    shelves: Rc<Shelves>,
    /// What is in use by one client.
    client_bytes: Option<Rc<Cell<usize>>>,
}

/// The buffers that are free, and how much is in use.
#[derive(Debug)]
struct Shelves {
    free: RefCell<Vec<Vec<u8>>>,
    bulk: RefCell<Vec<Vec<u8>>>,
    bytes_max: usize,
    free_bytes: Cell<usize>,
    leased_bytes: Rc<Cell<usize>>,
    client_share: Cell<FairShare>,
    waiting_tunnels: Cell<usize>,
    pipes: PipePool,
}

/// Why no new work should begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shortage {
    /// The pool is used up.
    Exhausted,
    /// The client holds its share.
    ClientShare,
}

/// Leave of a direction of a tunnel to wait with a buffer in hand, until dropped.
#[derive(Debug)]
pub(crate) struct TunnelWait<'p>(&'p Cell<usize>);

impl Drop for TunnelWait<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

impl BufferPool {
    /// A pool for at most `bytes_max` bytes of buffers, used and unused, all of which one client may hold.
    pub(crate) fn new(bytes_max: usize) -> Self {
        let shelves = Shelves {
            free: RefCell::default(),
            bulk: RefCell::default(),
            bytes_max,
            free_bytes: Cell::new(0),
            leased_bytes: Rc::default(),
            client_share: Cell::new(FairShare::new(100)),
            waiting_tunnels: Cell::new(0),
            pipes: PipePool::default(),
        };
        Self {
            shelves: Rc::new(shelves),
            client_bytes: None,
        }
    }

    /// The same buffers, where what is leased counts for one client besides.
    pub(crate) fn of_client(&self) -> Self {
        Self {
            shelves: Rc::clone(&self.shelves),
            client_bytes: Some(Rc::default()),
        }
    }

    /// Changes the part that one client may hold.
    pub(crate) fn set_client_share(&self, share: FairShare) {
        self.shelves.client_share.set(share);
    }

    /// What bulk goes through without being copied.
    pub(crate) fn pipes(&self) -> &PipePool {
        &self.shelves.pipes
    }

    /// Counts `bytes` as in use for as long as the lease lives.
    pub(crate) fn lease(&self, bytes: usize) -> Lease {
        let leased = &self.shelves.leased_bytes;
        leased.set(leased.get() + bytes);
        if let Some(held) = &self.client_bytes {
            held.set(held.get() + bytes);
        }
        Lease {
            bytes,
            leased_bytes: Some(Rc::clone(leased)),
            client_bytes: self.client_bytes.clone(),
        }
    }

    /// Why no new work should begin, if none should.
    pub(crate) fn shortage(&self) -> Option<Shortage> {
        let now = self.in_use();
        if now.used >= now.capacity {
            return Some(Shortage::Exhausted);
        }
        let is_held = self.client_bytes.is_some() && !self.shelves.client_share.get().admits(now);
        is_held.then_some(Shortage::ClientShare)
    }

    fn in_use(&self) -> Use {
        Use {
            held: self.client_bytes.as_ref().map_or(0, |held| held.get()),
            used: self.shelves.leased_bytes.get(),
            capacity: self.shelves.bytes_max,
        }
    }

    /// How much must go so that a quarter of the pool is free, once less than an eighth is.
    pub(crate) fn excess(&self) -> usize {
        let Use { used, capacity, .. } = self.in_use();
        // There is a gap between the two marks: with one mark alone the next buffer that is rented would be
        // over it again, and a stream be given up for each.
        match used >= capacity / 8 * 7 {
            true => used.saturating_sub(capacity / 4 * 3),
            false => 0,
        }
    }

    #[cfg(test)]
    pub(crate) fn leased_bytes(&self) -> usize {
        self.in_use().used
    }

    /// Whether a connection may wait for bytes with a buffer in hand, which saves asking first whether
    /// there are any. If not, memory runs short, or the client has to keep half of its share for what
    /// is under way: ask first, and hold nothing meanwhile.
    pub(crate) fn may_wait(&self) -> bool {
        let now = self.in_use();
        let twice = Use {
            held: now.held * 2,
            ..now
        };
        now.used < now.capacity / 2 && self.shelves.client_share.get().admits(twice)
    }

    /// The same for a direction of a tunnel: most are silent most of the time, so only so many may.
    pub(crate) fn tunnel_wait(&self) -> Option<TunnelWait<'_>> {
        let count = &self.shelves.waiting_tunnels;
        let waiting = count.get();
        let may_wait = self.may_wait() && waiting * BUFFER_BYTES < TUNNEL_WAITING_BYTES_MAX;
        may_wait.then(|| {
            count.set(waiting + 1);
            TunnelWait(count)
        })
    }

    /// An empty buffer of at least [`BUFFER_BYTES`].
    pub(crate) fn rent(&self) -> Vec<u8> {
        self.take(&self.shelves.free, BUFFER_BYTES)
    }

    /// An empty buffer of at least [`BULK_BUFFER_BYTES`].
    pub(crate) fn rent_bulk(&self) -> Vec<u8> {
        self.take(&self.shelves.bulk, BULK_BUFFER_BYTES)
    }

    fn take(&self, shelf: &RefCell<Vec<Vec<u8>>>, bytes: usize) -> Vec<u8> {
        let kept = shelf.borrow_mut().pop();
        kept.map_or_else(
            || Vec::with_capacity(bytes),
            |buffer| {
                let free = &self.shelves.free_bytes;
                free.set(free.get().saturating_sub(buffer.capacity()));
                buffer
            },
        )
    }

    /// Takes a buffer back. Odd sizes (grown for a large head) are freed.
    pub(crate) fn give_back(&self, mut buffer: Vec<u8>) {
        let shelves = &self.shelves;
        let shelf = match buffer.capacity() {
            BUFFER_BYTES => &shelves.free,
            BULK_BUFFER_BYTES => &shelves.bulk,
            // Nobody asks for that size again, and kept it would take the room of one that somebody does.
            _ => return,
        };
        // What is kept counts like what is in use: the limit is what may be resident.
        let free = shelves.free_bytes.get() + buffer.capacity();
        if free + shelves.leased_bytes.get() <= shelves.bytes_max {
            buffer.clear();
            shelves.free_bytes.set(free);
            shelf.borrow_mut().push(buffer);
        }
    }
}

/// A part of a pool that is in use.
#[derive(Debug, Default)]
pub(crate) struct Lease {
    bytes: usize,
    leased_bytes: Option<Rc<Cell<usize>>>,
    client_bytes: Option<Rc<Cell<usize>>>,
}

impl Lease {
    /// Counts another size from now on.
    pub(crate) fn resize(&mut self, bytes: usize) {
        for leased in [&self.leased_bytes, &self.client_bytes]
            .into_iter()
            .flatten()
        {
            leased.set(leased.get().saturating_sub(self.bytes) + bytes);
        }
        self.bytes = bytes;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.resize(0);
    }
}

/// A rented buffer that is filled in order to be sent.
#[derive(Debug, Default)]
pub(crate) struct WriteBuffer {
    pub(crate) data: Vec<u8>,
    lease: Lease,
}

impl WriteBuffer {
    pub(crate) fn rent(pool: &BufferPool) -> Self {
        let data = pool.rent();
        let lease = pool.lease(data.capacity());
        Self { data, lease }
    }

    /// Rents storage if there is none.
    pub(crate) fn ensure(&mut self, pool: &BufferPool) {
        if self.data.capacity() == 0 {
            *self = Self::rent(pool);
        }
    }

    /// Gives the storage back if nothing is in it.
    pub(crate) fn release(&mut self, pool: &BufferPool) {
        if self.data.is_empty() && self.data.capacity() > 0 {
            self.lease = Lease::default();
            pool.give_back(std::mem::take(&mut self.data));
        }
    }

    /// Takes storage back that was lent out; it may have stayed elsewhere.
    pub(crate) fn put_back(&mut self, data: Vec<u8>) {
        if data.capacity() == 0 {
            self.lease = Lease::default();
        }
        self.data = data;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_is_bounded_and_reuses() {
        let pool = BufferPool::new(2 * BUFFER_BYTES);
        let (a, b, c) = (pool.rent(), pool.rent(), pool.rent());
        let first = a.as_ptr();
        pool.give_back(a);
        pool.give_back(b);
        pool.give_back(c);
        assert_eq!(pool.shelves.free.borrow().len(), 2);
        let again = [pool.rent(), pool.rent()];
        assert!(again.iter().any(|buffer| buffer.as_ptr() == first));
        assert_eq!(pool.shelves.free_bytes.get(), 0);
    }

    #[test]
    fn what_is_in_use_counts_until_it_is_dropped() {
        let pool = BufferPool::new(3 * BUFFER_BYTES);
        let first = pool.lease(BUFFER_BYTES);
        let second = pool.lease(BUFFER_BYTES);
        assert_eq!(pool.shortage(), None);
        // Used and free ones together are bounded.
        pool.give_back(Vec::with_capacity(BUFFER_BYTES));
        pool.give_back(Vec::with_capacity(BUFFER_BYTES));
        assert_eq!(pool.shelves.free.borrow().len(), 1);
        let third = pool.lease(BUFFER_BYTES);
        assert_eq!(pool.shortage(), Some(Shortage::Exhausted));
        drop(second);
        assert_eq!(pool.shortage(), None);
        drop((first, third));
        assert_eq!(pool.shelves.leased_bytes.get(), 0);
    }

    #[test]
    fn one_client_cannot_hold_it_all() {
        const BUFFERS: usize = 8;
        let shard = BufferPool::new(BUFFERS * BUFFER_BYTES);
        shard.set_client_share(FairShare::new(50));
        let (greedy, modest) = (shard.of_client(), shard.of_client());
        let mut held = Vec::new();
        while greedy.shortage().is_none() {
            held.push(greedy.lease(BUFFER_BYTES));
        }
        assert_eq!(held.len(), BUFFERS / 2);
        assert_eq!(greedy.shortage(), Some(Shortage::ClientShare));
        assert_eq!((modest.shortage(), shard.shortage()), (None, None));
        // What another takes makes the share smaller, and what is given back makes room.
        held.pop();
        let other = modest.lease(2 * BUFFER_BYTES);
        assert_eq!(greedy.shortage(), Some(Shortage::ClientShare));
        drop(other);
        assert_eq!(greedy.shortage(), None);
        drop(held);
        assert_eq!(shard.shelves.leased_bytes.get(), 0);
        assert_eq!(greedy.in_use().held, 0);
    }

    #[test]
    fn a_client_waits_with_no_more_than_half_of_its_share() {
        let shard = BufferPool::new(12 * BUFFER_BYTES);
        shard.set_client_share(FairShare::new(50));
        let client = shard.of_client();
        let mut held = Vec::new();
        while client.may_wait() {
            held.push(client.lease(BUFFER_BYTES));
        }
        assert_eq!(held.len(), 4);
        assert_eq!(client.shortage(), None);
        assert!(shard.of_client().may_wait());
    }
}
