//! The first part of a request's content, kept until its response begins: what its origin has not
//! processed can then be sent again over another connection. Who decides that is `exchange`.

use std::cell::RefCell;

use crate::io::buffers::{BUFFER_BYTES, BULK_BUFFER_BYTES, BufferPool, Lease};

/// What was read of one request's content so far, framed as the client has sent it: the next connection
/// may want another framing than the last.
#[derive(Debug)]
pub(crate) struct Kept {
    state: RefCell<State>,
    /// More than this is not kept.
    bytes_max: usize,
}

#[derive(Debug)]
enum State {
    /// No connection was tried.
    Fresh,
    /// All that was read.
    Whole(Content),
    /// More was read than is kept, or nobody will ask for it again.
    Lost,
}

#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    lease: Lease,
}

impl Kept {
    /// Room for `bytes_max` of content.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            state: RefCell::new(State::Fresh),
            bytes_max,
        }
    }

    /// Whether nothing was sent yet.
    pub(crate) fn is_fresh(&self) -> bool {
        matches!(*self.state.borrow(), State::Fresh)
    }

    /// Whether the request can be sent again from its first byte.
    pub(crate) fn is_whole(&self) -> bool {
        !matches!(*self.state.borrow(), State::Lost)
    }

    /// The request is about to be sent for the first time. Without memory to spare nothing is kept.
    pub(crate) fn begin(&self, pool: &BufferPool) {
        let may_keep = self.bytes_max > 0 && pool.may_wait();
        self.state.replace(match may_keep {
            true => State::Whole(Content::default()),
            false => State::Lost,
        });
    }

    /// Takes a copy of more that was read.
    pub(crate) fn add(&self, more: &[u8], pool: &BufferPool) {
        let mut state = self.state.borrow_mut();
        let State::Whole(content) = &mut *state else {
            return;
        };
        let bytes = content.bytes.len() + more.len();
        if bytes > self.bytes_max || !pool.may_wait() {
            drop(state);
            return self.let_go(pool);
        }
        if bytes > content.bytes.capacity() {
            content.enlarge(bytes, pool);
        }
        content.bytes.extend_from_slice(more);
    }

    /// A copy of what is to be sent again.
    pub(crate) fn copy(&self) -> Vec<u8> {
        match &*self.state.borrow() {
            State::Whole(content) => content.bytes.clone(),
            State::Fresh | State::Lost => Vec::new(),
        }
    }

    /// Lets go of it all: nothing will be sent again.
    pub(crate) fn let_go(&self, pool: &BufferPool) {
        if let State::Whole(content) = self.state.replace(State::Lost) {
            pool.give_back(content.bytes);
        }
    }
}

impl Content {
    fn enlarge(&mut self, bytes: usize, pool: &BufferPool) {
        let mut larger = if bytes <= BUFFER_BYTES {
            pool.rent()
        } else if bytes <= BULK_BUFFER_BYTES {
            pool.rent_bulk()
        } else {
            Vec::with_capacity(bytes.saturating_mul(2))
        };
        larger.extend_from_slice(&self.bytes);
        self.lease = pool.lease(larger.capacity());
        pool.give_back(std::mem::replace(&mut self.bytes, larger));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMORY: usize = 4 * 1024 * 1024;

    #[test]
    fn what_was_read_is_kept_up_to_the_limit_and_not_a_byte_beyond() {
        let pool = BufferPool::new(MEMORY);
        for (content, is_whole) in [(BUFFER_BYTES * 2, true), (BUFFER_BYTES * 2 + 1, false)] {
            let kept = Kept::new(BUFFER_BYTES * 2);
            assert!(kept.is_fresh() && kept.is_whole());
            kept.begin(&pool);
            assert!(!kept.is_fresh());
            kept.add(&vec![b'x'; BUFFER_BYTES], &pool);
            kept.add(&vec![b'y'; content - BUFFER_BYTES], &pool);
            assert_eq!(kept.is_whole(), is_whole);
            let again = kept.copy();
            match is_whole {
                true => assert!(again.len() == content && again.starts_with(b"x")),
                false => assert!(again.is_empty()),
            }
            kept.let_go(&pool);
            assert!(!kept.is_whole());
            assert_eq!(pool.leased_bytes(), 0);
        }
    }

    #[test]
    fn without_memory_or_leave_nothing_is_kept() {
        let pool = BufferPool::new(MEMORY);
        let off = Kept::new(0);
        off.begin(&pool);
        assert!(!off.is_whole());
        let kept = Kept::new(100);
        let _lease = pool.lease(MEMORY / 2);
        kept.begin(&pool);
        assert!(!kept.is_whole());
    }
}
