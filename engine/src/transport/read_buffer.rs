//! What a connection has received and nobody has consumed yet.

use std::io;

use sallyport_wire::invariant::part;

use super::Transport;
use crate::io::buffers::{BUFFER_BYTES, BULK_BUFFER_BYTES, BufferPool, Lease};

/// Received bytes that have not been consumed yet.
#[derive(Debug, Default)]
pub(crate) struct ReadBuffer {
    data: Vec<u8>,
    start: usize,
    lease: Lease,
}

impl ReadBuffer {
    pub(crate) fn unread(&self) -> &[u8] {
        part(&self.data, self.start..)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start >= self.data.len()
    }

    /// Marks `bytes` of [`ReadBuffer::unread`] as used.
    pub(crate) fn consume(&mut self, bytes: usize) {
        self.start = self.start.saturating_add(bytes).min(self.data.len());
        if self.start == self.data.len() {
            self.data.clear();
            self.start = 0;
        }
    }

    /// Takes the storage out, leaving a buffer without any; its offset is where the unread begins.
    pub(crate) fn take(&mut self) -> (Vec<u8>, usize) {
        let start = std::mem::take(&mut self.start);
        (std::mem::take(&mut self.data), start)
    }

    /// Puts storage back that was taken; `start` is where the unread begins.
    pub(crate) fn put_back(&mut self, data: Vec<u8>, start: usize) {
        self.start = start.min(data.len());
        self.data = data;
        self.consume(0);
    }

    /// Appends what was received in another way.
    pub(crate) fn extend(&mut self, bytes: &[u8], pool: &BufferPool) {
        if self.data.capacity() == 0 {
            self.data = pool.rent();
        }
        self.data.extend_from_slice(bytes);
        self.lease = pool.lease(self.data.capacity());
    }

    /// Whether the last receive left no free room: more is probably waiting.
    pub(crate) fn is_full(&self) -> bool {
        self.data.capacity() > 0 && self.data.len() == self.data.capacity()
    }

    /// Swaps empty storage for the size that bulk transfers use, unless memory runs short.
    pub(crate) fn enlarge(&mut self, pool: &BufferPool) {
        let is_small = self.is_empty() && self.data.capacity() < BULK_BUFFER_BYTES;
        if is_small && pool.shortage().is_none() {
            // In this order: what is given back is no longer in use.
            self.lease = pool.lease(BULK_BUFFER_BYTES);
            pool.give_back(std::mem::replace(&mut self.data, pool.rent_bulk()));
            self.start = 0;
        }
    }

    /// Gives the storage back to the pool if nothing unread is in it.
    pub(crate) fn release(&mut self, pool: &BufferPool) {
        if self.is_empty() && self.data.capacity() > 0 {
            self.lease = Lease::default();
            pool.give_back(self.take().0);
        }
    }

    /// Receives once into the free room behind the unread bytes; `Ok(0)` is the end of the stream.
    ///
    /// Storage is rented if there is none, and grows (doubling, up to `bytes_max`) when full.
    /// The caller must have consumed something once the unread bytes fill `bytes_max`.
    pub(crate) async fn fill(
        &mut self,
        transport: &Transport,
        pool: &BufferPool,
        bytes_max: usize,
    ) -> io::Result<usize> {
        if self.data.capacity() == 0 {
            self.data = pool.rent();
            self.start = 0;
            self.lease = pool.lease(self.data.capacity());
        }
        if self.data.len() == self.data.capacity() {
            self.make_room(bytes_max);
            self.lease = pool.lease(self.data.capacity());
        }
        let filled = self.data.len();
        let (result, data) = transport
            .read_after(std::mem::take(&mut self.data), filled)
            .await;
        self.data = data;
        result
    }

    /// Waits for the first bytes on a silent connection; they may be here afterwards, or still to be
    /// received. `false`: there will be none.
    pub(crate) async fn wait(&mut self, transport: &Transport, pool: &BufferPool) -> bool {
        // TLS holds buffers of its own.
        match transport.tls().is_none() && pool.may_wait() {
            true => matches!(self.fill(transport, pool, BUFFER_BYTES).await, Ok(1..)),
            false => transport.readable().await.is_ok(),
        }
    }

    fn make_room(&mut self, bytes_max: usize) {
        if self.start > 0 {
            self.data.drain(..self.start);
            self.start = 0;
            return;
        }
        let more = self
            .data
            .capacity()
            .min(bytes_max.saturating_sub(self.data.len()));
        self.data.reserve_exact(more.max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consuming_everything_rewinds() {
        let mut buffer = ReadBuffer {
            data: b"abcdef".to_vec(),
            ..ReadBuffer::default()
        };
        buffer.consume(4);
        assert_eq!(buffer.unread(), b"ef");
        buffer.consume(2);
        assert!(buffer.is_empty());
        assert_eq!(buffer.start, 0);
    }

    #[test]
    fn room_is_made_by_moving_before_growing() {
        let mut data = Vec::with_capacity(8);
        data.extend_from_slice(b"12345678");
        let mut buffer = ReadBuffer {
            data,
            ..ReadBuffer::default()
        };
        buffer.consume(3);
        buffer.make_room(64);
        assert_eq!(
            (buffer.unread(), buffer.data.capacity()),
            (&b"45678"[..], 8)
        );
    }
}
