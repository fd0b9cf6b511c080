//! A TCP connection as the kernel has it: both directions usable at once.

#![expect(unsafe_code, reason = "see `SendingHalf::of` and `Line::descriptor`")]

use std::cell::{BorrowMutError, Cell, RefCell, RefMut};
use std::io;
use std::mem::ManuallyDrop;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use monoio::BufResult;
use monoio::buf::{IoBuf, IoBufMut, SliceMut};
use monoio::io::{AsyncReadRent, AsyncWriteRent};
use monoio::net::TcpStream;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv, send};
use socket2::SockRef;

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

/// A connected stream of bytes.
#[derive(Debug)]
pub(crate) struct Line {
    sending: SendingHalf,
    /// For receiving; owns the descriptor.
    stream: RefCell<TcpStream>,
    descriptor: RawFd,
    nonblocking: Cell<bool>,
}

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
impl Line {
    pub(crate) fn new(stream: TcpStream) -> Self {
        // Small exchanges must not wait for each other's acknowledgments; failure costs only speed.
        let _ = stream.set_nodelay(true);
        Self {
            descriptor: stream.as_raw_fd(),
            // SAFETY: it is dropped with the line, and the stream after it.
            sending: unsafe { SendingHalf::of(&stream) },
            stream: RefCell::new(stream),
            nonblocking: Cell::new(false),
        }
    }

    /// Connects to `address`. May be dropped: the ring cancels the connect and closes its descriptor.
    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Self> {
        TcpStream::connect_addr(address).await.map(Self::new)
    }

    /// Has the kernel look whether the other side is still there.
    pub(crate) fn look_after(&self, liveness: &Liveness) {
        // Without it a vanished peer is noticed later.
        let _ = liveness.apply(&self.descriptor());
    }

    /// What the kernel calls it.
    pub(crate) fn number(&self) -> RawFd {
        self.descriptor
    }

    /// The open descriptor.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor is open as long as `self.stream` is, which outlives the borrow.
        unsafe { BorrowedFd::borrow_raw(self.descriptor) }
    }

    /// Has it reset when it is dropped.
    pub(crate) fn reset_when_dropped(&self) {
        // Without it the other side takes what it has for all there is.
        let _ = SockRef::from(&self.descriptor()).set_linger(Some(Duration::ZERO));
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

    /// Receives what waits already into `room`.
    pub(crate) fn receive_now(&self, room: &mut [u8]) -> io::Result<usize> {
        Ok(recv(self.descriptor, room, MsgFlags::MSG_DONTWAIT)?)
    }

    /// Sends as much of `data` as the kernel takes at once; returns how many bytes those are.
    pub(crate) fn send_now(&self, data: &[u8]) -> usize {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        send(self.descriptor, data, flags).unwrap_or_default()
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
        let mut stream = match receiving(&self.stream) {
            Ok(stream) => stream,
            Err(error) => return (Err(error), data),
        };
        let receive = stream.read(data.slice_mut(filled..));
        let (result, slice): (io::Result<usize>, SliceMut<Vec<u8>>) = receive.await;
        (result, slice.into_inner())
    }

    /// Sends some of `data[from..]`. Must be awaited to its end.
    pub(crate) async fn write_some(
        &self,
        data: Vec<u8>,
        from: usize,
    ) -> (io::Result<usize>, Vec<u8>) {
        let mut stream = match self.sending.stream() {
            Ok(stream) => stream,
            Err(error) => return (Err(error), data),
        };
        let (result, slice): BufResult<usize, _> = stream.write(data.slice(from..)).await;
        (result, slice.into_inner())
    }
}

/// Shuts the connected socket of this number down; one that is already gone is no concern of the caller.
pub(crate) fn shut_down(number: RawFd, how: Shutdown) {
    use nix::sys::socket::{Shutdown as How, shutdown};
    let how = match how {
        Shutdown::Read => How::Read,
        Shutdown::Write => How::Write,
        Shutdown::Both => How::Both,
    };
    let _ = shutdown(number, how);
}
