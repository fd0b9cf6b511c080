//! A TCP connection on this shard's ring: both directions usable at once, with a deadline.

#![expect(unsafe_code, reason = "see `SendingHalf::of` and `Socket::descriptor`")]

use std::cell::{BorrowMutError, Cell, RefCell, RefMut};
use std::future::Future;
use std::io;
use std::mem::ManuallyDrop;
use std::net::Shutdown;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;
use std::time::Duration;

use monoio::BufResult;
use monoio::buf::{IoBuf, IoBufMut, SliceMut};
use monoio::io::{AsyncReadRent, AsyncWriteRent};
use monoio::net::TcpStream;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv, send};

use sallyport_wire::invariant::part_mut;

use super::deadline::{Deadline, Wheel, shut_down};
use super::join::yield_now;
use super::liveness::Liveness;
use super::tcp_info::TcpInfo;

/// How far the other side of a connection has left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HangUp {
    None,
    /// It sends nothing more. Whether it still listens TCP does not tell.
    Finished,
    /// Reset, or given up by the kernel.
    Gone,
}

/// A connected TCP socket, owned by one task.
#[derive(Debug)]
pub(crate) struct Socket {
    // Before the stream: dropped first, so that the wheel never shuts a reused descriptor down.
    deadline: Deadline,
    sending: SendingHalf,
    /// For receiving; owns the descriptor.
    stream: RefCell<TcpStream>,
    descriptor: RawFd,
    bytes_in: Cell<u64>,
    bytes_out: Cell<u64>,
    /// At how many bytes received others go first.
    yields_at: Cell<u64>,
    nonblocking: Cell<bool>,
}

/// Bytes that are received before others go first.
const TURN_BYTES: u64 = 256 * 1024;

/// A second value for a stream, to send with: monoio wants a stream for itself while a read or a write is
/// under way, and both go on side by side. (monoio's own halves would do, but its write half shuts the
/// connection down when it is dropped and neither offers readiness.)
struct SendingHalf(RefCell<ManuallyDrop<TcpStream>>);

impl std::fmt::Debug for SendingHalf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SendingHalf")
    }
}

impl SendingHalf {
    /// # Safety
    /// It must not be used after `stream` was dropped.
    unsafe fn of(stream: &TcpStream) -> Self {
        // SAFETY: a copy of the bits is a valid value: a counted reference to the descriptor, and addresses
        // that are looked up on demand. It is never dropped, so the reference is not given up twice; the
        // caller sees to it that the one that counts lives longer.
        let copy = unsafe { std::ptr::read(stream) };
        Self(RefCell::new(ManuallyDrop::new(copy)))
    }

    /// The stream, for one operation at a time: a second one is an error.
    fn stream(&self) -> io::Result<RefMut<'_, ManuallyDrop<TcpStream>>> {
        self.0.try_borrow_mut().map_err(in_use)
    }
}

/// The stream to receive with, for one operation at a time.
fn receiving(stream: &RefCell<TcpStream>) -> io::Result<RefMut<'_, TcpStream>> {
    stream.try_borrow_mut().map_err(in_use)
}

fn in_use(_: BorrowMutError) -> io::Error {
    io::Error::other("this direction of the connection is in use")
}

#[expect(
    clippy::await_holding_refcell_ref,
    reason = "a direction is one operation's own until that ends"
)]
impl Socket {
    pub(crate) fn new(stream: TcpStream, wheel: &Rc<Wheel>) -> Self {
        let descriptor = stream.as_raw_fd();
        Self {
            deadline: wheel.deadline(descriptor),
            // SAFETY: it is dropped with the socket, and the stream after it.
            sending: unsafe { SendingHalf::of(&stream) },
            stream: RefCell::new(stream),
            descriptor,
            bytes_in: Cell::new(0),
            bytes_out: Cell::new(0),
            yields_at: Cell::new(TURN_BYTES),
            nonblocking: Cell::new(false),
        }
    }

    /// Has the kernel look whether the other side is still there.
    pub(crate) fn look_after(&self, liveness: &Liveness) {
        // Without it a vanished peer is noticed later.
        let _ = liveness.apply(&self.descriptor());
    }

    /// The open descriptor.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor is open as long as `self.stream` is, which outlives the borrow.
        unsafe { BorrowedFd::borrow_raw(self.descriptor) }
    }

    /// Has system calls on it return at once; what goes through the ring is not concerned.
    pub(crate) fn make_nonblocking(&self) -> io::Result<()> {
        if !self.nonblocking.get() {
            fcntl(self.descriptor(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
            self.nonblocking.set(true);
        }
        Ok(())
    }

    /// Whether something (bytes, an end, an error) waits to be received, without waiting.
    pub(crate) fn is_readable_now(&self) -> bool {
        // Whoever cannot know must look.
        self.is_now(PollFlags::POLLIN).unwrap_or(true)
    }

    /// Whether the kernel would take a good part of its send buffer, without waiting.
    pub(crate) fn is_writable_now(&self) -> bool {
        self.is_now(PollFlags::POLLOUT).unwrap_or(false)
    }

    /// What the other side is known to have done to the connection, whatever waits to be received.
    pub(crate) fn hang_up(&self) -> HangUp {
        // An error or an end of both directions is told without being asked for.
        if self.is_now(PollFlags::empty()) == Ok(true) {
            return HangUp::Gone;
        }
        // nix has no name for this one.
        let finished = PollFlags::from_bits_retain(nix::libc::POLLRDHUP);
        match self.is_now(finished) {
            Ok(true) => HangUp::Finished,
            // A signal may have come in between: the next look tells.
            Ok(false) | Err(_) => HangUp::None,
        }
    }

    /// How far the connection has got.
    pub(crate) fn info(&self) -> Option<TcpInfo> {
        TcpInfo::of(self.descriptor())
    }

    fn is_now(&self, events: PollFlags) -> Result<bool, Errno> {
        let mut polled = [PollFd::new(self.descriptor(), events)];
        poll(&mut polled, PollTimeout::ZERO).map(|count| count > 0)
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
    }

    pub(crate) fn count_out(&self, bytes: usize) {
        self.bytes_out.set(self.bytes_out.get() + bytes as u64);
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
        let received = recv(
            self.descriptor,
            part_mut(data, filled..),
            MsgFlags::MSG_DONTWAIT,
        );
        let bytes = received.as_ref().copied().unwrap_or_default();
        data.truncate(filled + bytes);
        self.count_in(bytes);
        Ok(received?)
    }

    /// Sends `data` if the kernel takes it at once; what it does not take is lost. Says whether it took
    /// all of it.
    pub(crate) fn send_now(&self, data: &[u8]) -> bool {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        let sent = send(self.descriptor, data, flags).unwrap_or_default();
        self.bytes_out.set(self.bytes_out.get() + sent as u64);
        sent == data.len()
    }

    /// Waits until a read would not block. May be dropped: nothing is consumed.
    ///
    /// With epoll monoio remembers that there was something until a read of its own finds nothing: so it
    /// has to ask the kernel (`relaxed` is false), or who waits with a timeout reads without one.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        receiving(&self.stream)?.readable(false).await
    }

    /// Waits until the kernel takes more. May be dropped.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.sending.stream()?.writable(false).await
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
        let mut stream = match receiving(&self.stream) {
            Ok(stream) => stream,
            Err(error) => return (Err(error), data),
        };
        let receive = stream.read(data.slice_mut(filled..));
        let (result, slice): (io::Result<usize>, SliceMut<Vec<u8>>) = receive.await;
        if let Ok(bytes) = result {
            self.count_in(bytes);
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
        let mut stream = match self.sending.stream() {
            Ok(stream) => stream,
            Err(error) => return (Err(error), data),
        };
        while sent < data.len() {
            let send = stream.write(data.slice(sent..));
            let (result, slice): BufResult<usize, _> = send.await;
            data = slice.into_inner();
            match result {
                Ok(0) => return (Err(io::ErrorKind::WriteZero.into()), data),
                Ok(bytes) => {
                    sent += bytes;
                    self.count_out(bytes);
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

    /// Ends one or both directions at once, also under a pending operation.
    pub(crate) fn shut_down(&self, how: Shutdown) {
        shut_down(self.descriptor, how);
    }
}
