//! A connection as sessions, exchanges and tunnels see it: bytes in, bytes out, a deadline, an end.
//!
//! Whether they travel in the clear is decided where the connection is made, and is nobody's concern
//! after that.

use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::time::Duration;

use super::socket::Socket;

/// One connection, owned by one task; reading and writing may go on side by side.
#[derive(Debug)]
pub(crate) enum Transport {
    /// Bytes as the kernel gives them.
    Plain(Socket),
}

impl Transport {
    /// The socket at the bottom.
    fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
        }
    }

    /// Whether something (bytes, an end, an error) waits to be received, without waiting.
    pub(crate) fn is_readable_now(&self) -> bool {
        match self {
            Self::Plain(socket) => socket.is_readable_now(),
        }
    }

    /// Cuts the connection if it is still waiting after `after`.
    pub(crate) fn arm(&self, after: Duration) {
        self.socket().arm(after);
    }

    /// Ends receiving if it is still waited for after `after`; sending stays possible.
    pub(crate) fn arm_read(&self, after: Duration) {
        self.socket().arm_read(after);
    }

    /// Lets the connection live, whatever was armed.
    pub(crate) fn disarm(&self) {
        self.socket().disarm();
    }

    /// Whether the connection was cut by its deadline.
    pub(crate) fn expired(&self) -> bool {
        self.socket().expired()
    }

    /// Bytes received so far.
    pub(crate) fn bytes_in(&self) -> u64 {
        match self {
            Self::Plain(socket) => socket.bytes_in(),
        }
    }

    /// Bytes sent so far.
    pub(crate) fn bytes_out(&self) -> u64 {
        match self {
            Self::Plain(socket) => socket.bytes_out(),
        }
    }

    /// Waits until a read may have something to give. May be dropped: nothing is consumed.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.readable().await,
        }
    }

    /// Receives into `data` behind its first `filled` bytes; `Ok(0)` is the end, said by the other
    /// side. Must be awaited to its end.
    pub(crate) async fn read_after(
        &self,
        data: Vec<u8>,
        filled: usize,
    ) -> (io::Result<usize>, Vec<u8>) {
        match self {
            Self::Plain(socket) => socket.read_after(data, filled).await,
        }
    }

    /// Sends `data[from..]` whole. Must be awaited to its end.
    pub(crate) async fn write_from(&self, data: Vec<u8>, from: usize) -> (io::Result<()>, Vec<u8>) {
        match self {
            Self::Plain(socket) => socket.write_from(data, from).await,
        }
    }

    /// Sends all of `data`. Must be awaited to its end.
    pub(crate) fn write_all(
        &self,
        data: Vec<u8>,
    ) -> impl Future<Output = (io::Result<()>, Vec<u8>)> {
        self.write_from(data, 0)
    }

    /// Says that nothing more will be sent; receiving goes on. Must be awaited to its end.
    pub(crate) async fn finish(&self) {
        match self {
            Self::Plain(socket) => socket.shut_down(Shutdown::Write),
        }
    }

    /// Ends both directions at once and without a word, also under a pending operation.
    pub(crate) fn cut(&self) {
        self.socket().shut_down(Shutdown::Both);
    }
}
