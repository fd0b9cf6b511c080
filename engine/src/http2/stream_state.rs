//! What a link and a stream know of one exchange: what has come of it, and how it ends.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::net::Shutdown;
use std::task::{Context, Waker};

use sallyport_wire::http2::Response;
use sallyport_wire::invariant::part;

use super::error_code::{HTTP_1_1_REQUIRED, REFUSED_STREAM, of_reset};
use crate::io::buffers::BufferPool;
use crate::io::deadline::Cut;
use crate::limits::HTTP2_STREAM_KEPT_BYTES;

/// What an origin wants of a request that it has not processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Declined {
    /// It may be sent again, on another connection.
    Again,
    /// It is to be sent again over HTTP/1.1.
    OverHttp1,
}

/// One exchange. The link fills it, and one task reads and writes it.
#[derive(Debug, Default)]
pub(super) struct StreamState {
    /// 0 as long as no stream was opened for it.
    pub(super) id: Cell<u32>,
    /// Receiving was ended on this side, by a deadline or by the owner.
    pub(super) is_deaf: Cell<bool>,
    /// So was sending.
    pub(super) is_mute: Cell<bool>,
    /// The other side has ended the exchange as a whole: it was reset, or its connection is gone.
    pub(super) is_gone: Cell<bool>,
    /// Content waits for a window, or for room in what is to be sent.
    pub(super) is_blocked: Cell<bool>,
    pub(super) inbox: RefCell<Inbox>,
    waker: RefCell<Option<Waker>>,
}

/// What has come and was not read.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    pub(super) heads: VecDeque<Box<Response>>,
    /// Content: a little in buffers of its size, more in those of the pool.
    content: VecDeque<Vec<u8>>,
    /// How much of the first one was read.
    taken: usize,
    unread: usize,
    /// Field lines behind the content.
    pub(super) trailers: Vec<u8>,
    pub(super) fate: Fate,
    /// The other side has reset the stream.
    was_reset: bool,
    /// A final response has begun.
    pub(super) is_answered: bool,
    pub(super) declined: Option<Declined>,
    /// What the origin did wrong, or said was wrong.
    pub(super) fault: Option<String>,
}

/// Whether more comes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    #[default]
    Open,
    /// All has come.
    Whole,
    /// The rest will not come.
    Failed(io::ErrorKind, String),
}

impl Cut for StreamState {
    fn cut(&self, how: Shutdown) {
        if matches!(how, Shutdown::Read | Shutdown::Both) {
            self.is_deaf.set(true);
        }
        if matches!(how, Shutdown::Write | Shutdown::Both) {
            self.is_mute.set(true);
        }
        self.wake();
    }
}

impl StreamState {
    /// The stream, once there is one.
    pub(super) fn number(&self) -> Option<u32> {
        Some(self.id.get()).filter(|id| *id != 0)
    }

    /// Has `context` woken when something changes. Both directions belong to one task.
    pub(super) fn watch(&self, context: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        match &mut *waker {
            Some(waker) if waker.will_wake(context.waker()) => {}
            waker => *waker = Some(context.waker().clone()),
        }
    }

    pub(super) fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// The other side has reset the stream.
    pub(super) fn reset(&self, code: u32) {
        let mut inbox = self.inbox.borrow_mut();
        if !inbox.is_answered {
            inbox.declined = match code {
                // RFC 9113 section 8.7.
                REFUSED_STREAM => Some(Declined::Again),
                // RFC 9113 section 7.
                HTTP_1_1_REQUIRED => Some(Declined::OverHttp1),
                _ => None,
            };
        }
        let kind = match (&inbox.declined, of_reset(code)) {
            (Some(_), _) => io::ErrorKind::ConnectionReset,
            (None, Some(_)) => io::ErrorKind::InvalidData,
            (None, None) => io::ErrorKind::ConnectionAborted,
        };
        inbox.was_reset = true;
        inbox.fail(kind, of_reset(code));
        drop(inbox);
        self.is_gone.set(true);
        self.wake();
    }

    /// What came is wrong, and the other side was told.
    pub(super) fn malformed(&self, fault: String) {
        let mut inbox = self.inbox.borrow_mut();
        inbox.fail(io::ErrorKind::InvalidData, Some(fault));
        drop(inbox);
        self.is_gone.set(true);
        self.wake();
    }

    /// The other side has broken the protocol: that says more than a reset of the stream did before.
    pub(super) fn broken(&self, fault: &str) {
        let mut inbox = self.inbox.borrow_mut();
        if inbox.was_reset && inbox.fate != Fate::Whole {
            inbox.fate = Fate::Open;
        }
        drop(inbox);
        self.lost(None, Some(fault.to_owned()));
    }

    /// The connection is gone; `fault` says why, if it did not just end.
    pub(super) fn lost(&self, declined: Option<Declined>, fault: Option<String>) {
        let mut inbox = self.inbox.borrow_mut();
        if !inbox.is_answered && inbox.declined.is_none() {
            inbox.declined = declined;
        }
        let kind = match fault {
            Some(_) => io::ErrorKind::ConnectionReset,
            None => io::ErrorKind::BrokenPipe,
        };
        inbox.fail(kind, fault);
        drop(inbox);
        self.is_gone.set(true);
        self.wake();
    }
}

impl Inbox {
    fn fail(&mut self, kind: io::ErrorKind, fault: Option<String>) {
        if self.fate == Fate::Open {
            let text = fault.clone();
            self.fate = Fate::Failed(kind, text.unwrap_or_else(|| kind.to_string()));
            self.fault = fault;
        }
    }

    /// All has come.
    pub(super) fn end_if(&mut self, is_end: bool) {
        if is_end && self.fate == Fate::Open {
            self.fate = Fate::Whole;
        }
    }

    /// How much content was not read.
    pub(super) fn unread(&self) -> usize {
        self.unread
    }

    pub(super) fn push(&mut self, mut bytes: &[u8], pool: &BufferPool) {
        self.unread += bytes.len();
        if self.unread <= HTTP2_STREAM_KEPT_BYTES {
            return self.push_little(bytes);
        }
        while !bytes.is_empty() {
            let has_room = |last: &Vec<u8>| last.len() < last.capacity();
            if !self.content.back().is_some_and(has_room) {
                self.content.push_back(pool.rent());
            }
            let Some(last) = self.content.back_mut() else {
                return;
            };
            let room = last.capacity() - last.len();
            let (now, later) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
            last.extend_from_slice(now);
            bytes = later;
        }
    }

    /// What is little is counted as that, and takes no more: a buffer of the pool for a few bytes of each of
    /// many streams would be memory that nobody counts.
    fn push_little(&mut self, bytes: &[u8]) {
        let fits = |last: &Vec<u8>| {
            last.len() + bytes.len() <= last.capacity().max(HTTP2_STREAM_KEPT_BYTES)
        };
        match self.content.back_mut() {
            Some(last) if fits(last) => last.extend_from_slice(bytes),
            _ => self.content.push_back(bytes.to_vec()),
        }
    }

    /// Moves content behind what is in `out`, up to its capacity; returns how much.
    pub(super) fn read(&mut self, out: &mut Vec<u8>, pool: &BufferPool) -> usize {
        let before = out.len();
        while let Some(first) = self.content.front_mut() {
            if out.is_empty() && self.taken == 0 && first.capacity() == out.capacity() {
                // Buffers of one size: nothing is copied.
                std::mem::swap(out, first);
                self.drop_first(pool);
                break;
            }
            let rest = part(first, self.taken..);
            let room = out.capacity() - out.len();
            let moved = part(rest, ..rest.len().min(room));
            out.extend_from_slice(moved);
            self.taken += moved.len();
            if self.taken < first.len() {
                break;
            }
            self.drop_first(pool);
        }
        let moved = out.len() - before;
        self.unread = self.unread.saturating_sub(moved);
        moved
    }

    fn drop_first(&mut self, pool: &BufferPool) {
        self.taken = 0;
        if let Some(first) = self.content.pop_front() {
            pool.give_back(first);
        }
    }

    /// Gives the storage of content back, what is unread with it.
    pub(super) fn release(&mut self, pool: &BufferPool) {
        self.unread = 0;
        while !self.content.is_empty() {
            self.drop_first(pool);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::buffers::BUFFER_BYTES;

    fn capacity(inbox: &Inbox) -> usize {
        inbox.content.iter().map(Vec::capacity).sum()
    }

    #[test]
    fn content_is_read_as_it_came_and_takes_little_more_than_it_is() {
        let pool = BufferPool::new(1 << 20);
        for (piece, count) in [(1, 5000), (100, 1), (4096, 2), (4097, 1), (30_000, 3)] {
            let mut inbox = Inbox::default();
            let sent: Vec<u8> = (0..=250).cycle().take(piece * count).collect();
            for bytes in sent.chunks(piece) {
                inbox.push(bytes, &pool);
                let most = match inbox.unread() {
                    little @ ..=HTTP2_STREAM_KEPT_BYTES => 2 * little.max(8),
                    much => much + 2 * BUFFER_BYTES,
                };
                assert!(capacity(&inbox) <= most, "{piece} {}", inbox.unread());
            }
            let mut received = Vec::new();
            while inbox.unread() > 0 {
                let mut out = Vec::with_capacity(BUFFER_BYTES);
                assert_eq!(inbox.read(&mut out, &pool), out.len());
                received.extend_from_slice(&out);
            }
            assert_eq!(received, sent, "{piece}");
            assert_eq!(capacity(&inbox), 0);
        }
    }
}
