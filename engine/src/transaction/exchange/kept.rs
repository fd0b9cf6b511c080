//! The first part of a request with content, kept until its response begins: what its origin has not
//! processed can then be sent again over another connection. Who decides that is `exchange`.

use std::cell::RefCell;

use crate::io::buffers::{BULK_BUFFER_BYTES, BufferPool, Lease};

/// What was sent of one request so far, head and content as they went out.
#[derive(Debug)]
pub(crate) struct Kept {
    state: RefCell<State>,
    /// Content beyond this is not kept.
    content_bytes_max: usize,
}

#[derive(Debug)]
enum State {
    /// Nothing was sent.
    Fresh,
    /// All that was sent.
    Whole(Sent),
    /// More was sent than is kept, or nobody will ask for it again.
    Lost,
}

#[derive(Debug)]
struct Sent {
    bytes: Vec<u8>,
    bytes_max: usize,
    /// Where a trailer section begins that only a stream of HTTP/2 can carry.
    content_end: Option<usize>,
    _lease: Lease,
}

impl Kept {
    /// Room for the head of a request and `content_bytes_max` of content.
    pub(crate) fn new(content_bytes_max: usize) -> Self {
        Self {
            state: RefCell::new(State::Fresh),
            content_bytes_max,
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

    /// Takes the first bytes of the request, `head_bytes` of them its head, and returns an empty
    /// buffer. Without memory to spare, or with too much content, nothing is kept.
    pub(crate) fn begin(&self, sent: Vec<u8>, head_bytes: usize, pool: &BufferPool) -> Vec<u8> {
        let bytes_max = head_bytes.saturating_add(self.content_bytes_max);
        let may_keep = self.content_bytes_max > 0 && pool.may_wait();
        if !may_keep || sent.len() > bytes_max {
            self.let_go(pool);
            return emptied(sent);
        }
        let lease = pool.lease(sent.capacity());
        self.state.replace(State::Whole(Sent {
            bytes: sent,
            bytes_max,
            content_end: None,
            _lease: lease,
        }));
        Vec::new()
    }

    /// Takes a copy of more that is sent.
    pub(crate) fn add(&self, more: &[u8], pool: &BufferPool) {
        let mut state = self.state.borrow_mut();
        let State::Whole(sent) = &mut *state else {
            return;
        };
        let bytes = sent.bytes.len() + more.len();
        if bytes > sent.bytes_max || !pool.may_wait() {
            drop(state);
            return self.let_go(pool);
        }
        if bytes > sent.bytes.capacity() {
            sent.enlarge(bytes, pool);
        }
        sent.bytes.extend_from_slice(more);
    }

    /// Notes that what is sent from here on is a trailer section for streams of HTTP/2.
    pub(crate) fn end_content(&self) {
        if let State::Whole(sent) = &mut *self.state.borrow_mut() {
            sent.content_end.get_or_insert(sent.bytes.len());
        }
    }

    /// Takes out what is to be sent again, without trailers that the recipient cannot be sent;
    /// [`Kept::restore`] puts it back.
    pub(crate) fn take(&self, with_trailers: bool) -> Vec<u8> {
        let State::Whole(sent) = &mut *self.state.borrow_mut() else {
            return Vec::new();
        };
        let mut bytes = std::mem::take(&mut sent.bytes);
        if let Some(end) = sent.content_end.filter(|_| !with_trailers) {
            bytes.truncate(end);
        }
        bytes
    }

    /// Puts back what was taken out.
    pub(crate) fn restore(&self, bytes: Vec<u8>) {
        if let State::Whole(sent) = &mut *self.state.borrow_mut() {
            sent.bytes = bytes;
        }
    }

    /// Lets go of it all: nothing will be sent again.
    pub(crate) fn let_go(&self, pool: &BufferPool) {
        if let State::Whole(sent) = self.state.replace(State::Lost) {
            pool.give_back(sent.bytes);
        }
    }
}

impl Sent {
    fn enlarge(&mut self, bytes: usize, pool: &BufferPool) {
        let mut larger = match bytes <= BULK_BUFFER_BYTES {
            true => pool.rent_bulk(),
            false => Vec::with_capacity(bytes.saturating_mul(2).min(self.bytes_max)),
        };
        larger.extend_from_slice(&self.bytes);
        self._lease = pool.lease(larger.capacity());
        pool.give_back(std::mem::replace(&mut self.bytes, larger));
    }
}

fn emptied(mut buffer: Vec<u8>) -> Vec<u8> {
    buffer.clear();
    buffer
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::buffers::BUFFER_BYTES;

    const MEMORY: usize = 4 * 1024 * 1024;

    fn head(pool: &BufferPool) -> Vec<u8> {
        let mut out = pool.rent();
        out.extend_from_slice(b"head");
        out
    }

    #[test]
    fn what_was_sent_is_kept_up_to_the_limit_and_not_a_byte_beyond() {
        let pool = BufferPool::new(MEMORY);
        for (content, is_whole) in [(BUFFER_BYTES * 2, true), (BUFFER_BYTES * 2 + 1, false)] {
            let kept = Kept::new(BUFFER_BYTES * 2);
            assert!(kept.is_fresh() && kept.is_whole());
            assert!(kept.begin(head(&pool), 4, &pool).is_empty());
            kept.add(&vec![b'x'; BUFFER_BYTES], &pool);
            kept.add(&vec![b'y'; content - BUFFER_BYTES], &pool);
            assert_eq!(kept.is_whole(), is_whole);
            let again = kept.take(true);
            match is_whole {
                true => assert!(again.len() == 4 + content && again.starts_with(b"headx")),
                false => assert!(again.is_empty()),
            }
            kept.restore(again);
            kept.let_go(&pool);
            assert!(!kept.is_whole());
        }
    }

    #[test]
    fn without_memory_or_leave_nothing_is_kept() {
        let pool = BufferPool::new(MEMORY);
        let off = Kept::new(0);
        assert_eq!(off.begin(head(&pool), 4, &pool).capacity(), BUFFER_BYTES);
        assert!(!off.is_whole());
        let kept = Kept::new(100);
        let _lease = pool.lease(MEMORY / 2);
        kept.begin(head(&pool), 4, &pool);
        assert!(!kept.is_whole());
    }

    #[test]
    fn trailers_go_only_where_they_can_be_carried() {
        let pool = BufferPool::new(MEMORY);
        let kept = Kept::new(100);
        kept.begin(head(&pool), 4, &pool);
        kept.add(b"12345", &pool);
        kept.end_content();
        kept.add(b"0\r\nx: y\r\n\r\n", &pool);
        let with = kept.take(true);
        assert_eq!(with, b"head123450\r\nx: y\r\n\r\n");
        kept.restore(with);
        assert_eq!(kept.take(false), b"head12345");
    }
}
