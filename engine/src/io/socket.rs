//! A TCP connection on this shard's ring: both directions usable at once, with a deadline.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::time::Duration;

use sallyport_wire::invariant::part_mut;

use super::deadline::{Deadline, Wheel};
use super::join::yield_now;
use super::line::{HangUp, Line, shut_down};
use super::liveness::Liveness;
use super::tcp_info::TcpInfo;
use crate::observe::Traffic;

/// A connected TCP socket, owned by one task.
#[derive(Debug)]
pub(crate) struct Socket {
    // Before the line: dropped first, so that the wheel never shuts a reused descriptor down.
    deadline: Deadline,
    line: Line,
    bytes_in: Cell<u64>,
    bytes_out: Cell<u64>,
    /// Where the bytes of all sockets of its kind are counted.
    traffic: Rc<Traffic>,
    /// At how many bytes received others go first.
    yields_at: Cell<u64>,
    /// It was reset, or cut here: that nothing more is received is not the other side's word.
    is_broken: Cell<bool>,
}

/// Bytes that are received before others go first.
const TURN_BYTES: u64 = 256 * 1024;

impl Socket {
    pub(crate) fn new(line: Line, wheel: &Rc<Wheel>, traffic: &Rc<Traffic>) -> Self {
        Self {
            deadline: wheel.deadline(line.number()),
            line,
            bytes_in: Cell::new(0),
            bytes_out: Cell::new(0),
            traffic: Rc::clone(traffic),
            yields_at: Cell::new(TURN_BYTES),
            is_broken: Cell::new(false),
        }
    }

    /// Has the kernel look whether the other side is still there.
    pub(crate) fn look_after(&self, liveness: &Liveness) {
        self.line.look_after(liveness);
    }

    /// The open descriptor.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.line.descriptor()
    }

    /// Has system calls on it return at once; what goes through the ring is not concerned.
    pub(crate) fn make_nonblocking(&self) -> io::Result<()> {
        self.line.make_nonblocking()
    }

    /// Whether something (bytes, an end, an error) waits to be received, without waiting.
    pub(crate) fn is_readable_now(&self) -> bool {
        self.line.is_readable_now()
    }

    /// Whether the kernel would take a good part of its send buffer, without waiting.
    pub(crate) fn is_writable_now(&self) -> bool {
        self.line.is_writable_now()
    }

    /// What the other side is known to have done to the connection, whatever waits to be received.
    pub(crate) fn hang_up(&self) -> HangUp {
        self.line.hang_up()
    }

    /// How far the connection has got.
    pub(crate) fn info(&self) -> Option<TcpInfo> {
        self.line.info()
    }

    /// Cuts the connection if it is still waiting after `after`.
    pub(crate) fn arm(&self, after: Duration) {
        self.deadline.arm(after);
    }

    /// When the connection is cut.
    pub(crate) fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    pub(crate) fn count_in(&self, bytes: usize) {
        self.bytes_in.set(self.bytes_in.get() + bytes as u64);
        self.traffic.received(bytes as u64);
    }

    pub(crate) fn count_out(&self, bytes: usize) {
        self.bytes_out.set(self.bytes_out.get() + bytes as u64);
        self.traffic.sent(bytes as u64);
    }

    /// Bytes received so far.
    pub(crate) fn bytes_in(&self) -> u64 {
        self.bytes_in.get()
    }

    /// Bytes sent so far.
    pub(crate) fn bytes_out(&self) -> u64 {
        self.bytes_out.get()
    }

    /// Receives what waits already behind the content of `data`, into its free room.
    pub(crate) fn receive_now(&self, data: &mut Vec<u8>) -> io::Result<usize> {
        let filled = data.len();
        data.resize(data.capacity(), 0);
        let received = self.line.receive_now(part_mut(data, filled..));
        let bytes = received.as_ref().copied().unwrap_or_default();
        data.truncate(filled + bytes);
        self.count_in(bytes);
        received
    }

    /// Sends `data` if the kernel takes it at once; what it does not take is lost. Says whether it took
    /// all of it.
    pub(crate) fn send_now(&self, data: &[u8]) -> bool {
        let sent = self.line.send_now(data);
        self.count_out(sent);
        sent == data.len()
    }

    /// Waits until a read would not block. May be dropped: nothing is consumed.
    pub(crate) fn readable(&self) -> impl Future<Output = io::Result<()>> {
        self.line.readable()
    }

    /// Waits until the kernel takes more. May be dropped.
    pub(crate) fn writable(&self) -> impl Future<Output = io::Result<()>> {
        self.line.writable()
    }

    /// Receives into `data` behind its first `filled` bytes. Must be awaited to its end.
    pub(crate) async fn read_after(
        &self,
        data: Vec<u8>,
        filled: usize,
    ) -> (io::Result<usize>, Vec<u8>) {
        // With epoll what can be read at once is, so that a busy connection would never wait.
        if self.bytes_in.get() >= self.yields_at.get() {
            self.yields_at.set(self.bytes_in.get() + TURN_BYTES);
            yield_now().await;
        }
        let (result, data) = self.line.read_after(data, filled).await;
        if let Ok(bytes) = result {
            self.count_in(bytes);
        }
        (result, data)
    }

    /// Sends `data[from..]` whole. Must be awaited to its end.
    pub(crate) async fn write_from(
        &self,
        mut data: Vec<u8>,
        from: usize,
    ) -> (io::Result<()>, Vec<u8>) {
        let mut sent = from;
        while sent < data.len() {
            let result;
            (result, data) = self.line.write_some(data, sent).await;
            match result {
                Ok(0) => return (Err(io::ErrorKind::WriteZero.into()), data),
                Ok(bytes) => {
                    sent += bytes;
                    self.count_out(bytes);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // The kernel tells of a reset once, and then that nothing more comes. Of one that came behind an
                    // orderly end it says that the pipe is broken.
                    if error.kind() == io::ErrorKind::ConnectionReset {
                        self.is_broken.set(true);
                    }
                    return (Err(error), data);
                }
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

    /// Whether the end of what is received may have come before the other side's last byte, because the
    /// connection was reset, or cut here.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken.get()
    }

    /// Ends both directions at once, also under a pending operation.
    pub(crate) fn cut(&self) {
        self.is_broken.set(true);
        self.shut_down(Shutdown::Both);
    }

    /// Has the other side told, when the socket is dropped, that what it was sent is not all.
    pub(crate) fn reset_when_dropped(&self) {
        self.line.reset_when_dropped();
    }

    /// Ends one or both directions at once, also under a pending operation.
    pub(crate) fn shut_down(&self, how: Shutdown) {
        shut_down(self.line.number(), how);
    }
}
