//! Waiting for a monoio stream to become readable while its other half is in use.

#![expect(unsafe_code, reason = "monoio's halves do not offer readiness")]

use std::io;

use monoio::net::tcp::TcpOwnedReadHalf;

/// Waits until there is something to read, without holding a buffer meanwhile.
pub(super) async fn readable(half: &TcpOwnedReadHalf) -> io::Result<()> {
    // SAFETY: the cell is shared with the write half of the same task's thread; `readable` and
    // every method the halves call take the stream by shared reference or touch nothing but its
    // descriptor, and no `&mut` to it is held across an await (monoio's halves make one only to
    // start an operation).
    let stream = unsafe { &*half.0.get() };
    stream.readable(false).await
}
