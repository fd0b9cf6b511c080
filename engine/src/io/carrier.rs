//! What a connection is to what is spoken over it: the records of TLS, the frames of HTTP/2.

use std::fmt::Debug;
use std::io;
use std::time::Duration;

use super::socket::Socket;

/// What carries TLS or HTTP/2. No future of it may be dropped before its end, but that of
/// [`Carrier::readable`].
pub(crate) trait Carrier: Debug {
    /// The socket, if it is nothing else.
    fn socket(&self) -> Option<&Socket>;

    /// Whether there is something to read, an end included.
    fn is_readable_now(&self) -> bool;

    /// Sends a few bytes if all of them can be sent at once.
    fn send_now(&self, data: &[u8]) -> bool;

    /// Ends both directions once this time is over.
    fn arm(&self, after: Duration);

    /// The same for what is received only.
    fn arm_read(&self, after: Duration);

    /// Takes the deadline away.
    fn disarm(&self);

    /// Whether the deadline is past.
    fn expired(&self) -> bool;

    /// Ends both directions at once, also under a pending operation.
    fn cut(&self);

    /// Waits until a read would not wait.
    async fn readable(&self) -> io::Result<()>;

    /// Receives into `data` behind its first `filled` bytes.
    async fn read_after(&self, data: Vec<u8>, filled: usize) -> (io::Result<usize>, Vec<u8>);

    /// Sends all of `data`.
    async fn write_all(&self, data: Vec<u8>) -> (io::Result<()>, Vec<u8>);

    /// Says that nothing more will be sent.
    async fn finish(&self);
}
