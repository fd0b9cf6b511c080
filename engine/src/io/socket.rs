//! A TCP connection on this shard's ring: both directions usable at once, with a deadline.

#![expect(unsafe_code, reason = "monoio's halves do not offer readiness; see `Socket::readable`")]

use std::cell::{Cell, UnsafeCell};
use std::future::Future;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;
use std::time::Duration;

use monoio::BufResult;
use monoio::buf::{IoBuf, IoBufMut, SliceMut};
use monoio::io::{AsyncReadRent, AsyncWriteRent, OwnedReadHalf, OwnedWriteHalf};
use monoio::net::TcpStream;
use monoio::net::tcp::TcpOwnedReadHalf;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::deadline::{Deadline, Wheel, shut_down};

/// A connected TCP socket, owned by one task.
#[derive(Debug)]
pub(crate) struct Socket {
    // Before the stream: dropped first, so that the wheel never shuts a reused descriptor down.
    deadline: Deadline,
    stream: Rc<UnsafeCell<TcpStream>>,
    descriptor: RawFd,
    bytes_in: Cell<u64>,
    bytes_out: Cell<u64>,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, wheel: &Rc<Wheel>) -> Self {
        let descriptor = stream.as_raw_fd();
        Self {
            deadline: wheel.deadline(descriptor),
            stream: Rc::new(UnsafeCell::new(stream)),
            descriptor,
            bytes_in: Cell::new(0),
            bytes_out: Cell::new(0),
        }
    }

    pub(crate) fn peer_address(&self) -> io::Result<SocketAddr> {
        self.reader().peer_addr()
    }

    pub(crate) fn local_address(&self) -> io::Result<SocketAddr> {
        self.reader().local_addr()
    }

    /// The descriptor, valid while this socket lives.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.descriptor
    }

    /// Whether something (bytes, an end, an error) waits to be received, without waiting.
    pub(crate) fn is_readable_now(&self) -> bool {
        // SAFETY: the descriptor is open as long as `self.stream` is, and `poll` keeps nothing.
        let descriptor = unsafe { BorrowedFd::borrow_raw(self.descriptor) };
        let mut polled = [PollFd::new(descriptor, PollFlags::POLLIN)];
        !matches!(poll(&mut polled, PollTimeout::ZERO), Ok(0))
    }

    /// Cuts the connection if it is still waiting after `after`.
    pub(crate) fn arm(&self, after: Duration) {
        self.deadline.arm(after);
    }

    /// Ends receiving if it is still waited for after `after`; sending stays possible.
    pub(crate) fn arm_read(&self, after: Duration) {
        self.deadline.arm_read(after);
    }

    pub(crate) fn disarm(&self) {
        self.deadline.disarm();
    }

    /// Whether the connection was cut by its deadline.
    pub(crate) fn expired(&self) -> bool {
        self.deadline.expired()
    }

    /// Bytes received so far.
    pub(crate) fn bytes_in(&self) -> u64 {
        self.bytes_in.get()
    }

    /// Bytes sent so far.
    pub(crate) fn bytes_out(&self) -> u64 {
        self.bytes_out.get()
    }

    /// Waits until a read would not block. May be dropped: nothing is consumed.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        // SAFETY: the cell is only ever borrowed within this thread, and `readable` takes `&self`
        // of the stream: it clones its reference-counted descriptor and touches nothing else.
        let stream = unsafe { &*self.stream.get() };
        stream.readable(true).await
    }

    /// Receives into `data` behind its first `filled` bytes. Must be awaited to its end.
    pub(crate) async fn read_after(
        &self,
        data: Vec<u8>,
        filled: usize,
    ) -> (io::Result<usize>, Vec<u8>) {
        let mut reader = self.reader();
        let (result, slice): (io::Result<usize>, SliceMut<Vec<u8>>) =
            reader.read(data.slice_mut(filled..)).await;
        if let Ok(bytes) = result {
            self.bytes_in.set(self.bytes_in.get() + bytes as u64);
        }
        (result, slice.into_inner())
    }

    /// Sends `data[from..]` whole. Must be awaited to its end.
    pub(crate) async fn write_from(
        &self,
        mut data: Vec<u8>,
        from: usize,
    ) -> (io::Result<()>, Vec<u8>) {
        let mut sent = from;
        while sent < data.len() {
            let mut writer = OwnedWriteHalf(Rc::clone(&self.stream));
            let (result, slice): BufResult<usize, _> = writer.write(data.slice(sent..)).await;
            data = slice.into_inner();
            match result {
                Ok(0) => return (Err(io::ErrorKind::WriteZero.into()), data),
                Ok(bytes) => {
                    sent += bytes;
                    self.bytes_out.set(self.bytes_out.get() + bytes as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (Err(error), data),
            }
        }
        (Ok(()), data)
    }

    /// Sends all of `data`. Must be awaited to its end.
    pub(crate) fn write_all(
        &self,
        data: Vec<u8>,
    ) -> impl Future<Output = (io::Result<()>, Vec<u8>)> {
        self.write_from(data, 0)
    }

    /// The half that monoio reads through; lives as long as one operation.
    fn reader(&self) -> TcpOwnedReadHalf {
        OwnedReadHalf(Rc::clone(&self.stream))
    }

    /// Ends one or both directions at once, also under a pending operation.
    pub(crate) fn shut_down(&self, how: Shutdown) {
        shut_down(self.descriptor, how);
    }
}
