//! What the kernel knows of how far a connection has got: whether the other side has received anything of
//! what was sent.

#![expect(unsafe_code, reason = "see `TcpInfo::of`")]

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::libc;

/// Up to `tcpi_bytes_acked` of `struct tcp_info` (linux/tcp.h), which grows at its end only.
const INFO_BYTES: usize = 128;
const BYTES_ACKED_AT: usize = 120;
/// `TCP_CLOSE` of include/net/tcp_states.h.
const CLOSED: u8 = 7;

/// A part of `TCP_INFO`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TcpInfo {
    /// Nothing more will happen to it: both sides have ended, or one has reset it.
    pub(crate) is_closed: bool,
    /// What of the bytes sent the other side's kernel has acknowledged, from an arbitrary start.
    pub(crate) bytes_acked: u64,
}

impl TcpInfo {
    /// What is known now; `None` where the kernel does not tell.
    pub(super) fn of(socket: BorrowedFd<'_>) -> Option<Self> {
        let mut info = [0_u8; INFO_BYTES];
        let mut length = libc::socklen_t::try_from(INFO_BYTES).ok()?;
        // SAFETY: getsockopt(2) wants an open descriptor, which the borrow guarantees, and writes at most
        // `length` bytes, which is the size of `info`, and then how many it wrote to `length`.
        let result = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                info.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        if result != 0 || usize::try_from(length).ok()? < INFO_BYTES {
            return None;
        }
        let acked = info.get(BYTES_ACKED_AT..INFO_BYTES)?;
        Some(Self {
            is_closed: *info.first()? == CLOSED,
            bytes_acked: u64::from_ne_bytes(acked.try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_the_other_side_has_received_is_counted_and_an_end_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut other, _) = listener.accept().unwrap();
        let before = TcpInfo::of(one.as_fd()).unwrap();
        assert!(!before.is_closed);
        one.write_all(b"12345").unwrap();
        other.read_exact(&mut [0; 5]).unwrap();
        // An acknowledgment may be delayed.
        let acked = || TcpInfo::of(one.as_fd()).unwrap().bytes_acked;
        while acked() < before.bytes_acked + 5 {
            std::thread::sleep(Duration::from_millis(1));
        }
        socket2::SockRef::from(&other)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(other);
        assert!(one.read(&mut [0; 1]).is_err());
        let after = TcpInfo::of(one.as_fd()).unwrap();
        assert!(after.is_closed);
        assert_eq!(after.bytes_acked, before.bytes_acked + 5);
    }
}
