//! A line as sockets know it, whether the kernel or a world carries it.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{BorrowedFd, RawFd};
use std::rc::Rc;

use monoio::net::TcpStream;

use super::{End, World};
use crate::io::kernel_line::{self, HangUp};
use crate::io::liveness::Liveness;
use crate::io::tcp_info::TcpInfo;

/// A connected stream of bytes.
#[derive(Debug)]
pub(crate) enum Line {
    Kernel(kernel_line::Line),
    Scripted(Rc<World>, End),
}

impl Line {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self::Kernel(kernel_line::Line::new(stream))
    }

    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Self> {
        match World::current() {
            None => kernel_line::Line::connect(address).await.map(Self::Kernel),
            Some(world) => {
                let end = End::connect(&world, address).await?;
                Ok(Self::Scripted(world, end))
            }
        }
    }

    pub(crate) fn look_after(&self, liveness: &Liveness) {
        if let Self::Kernel(line) = self {
            line.look_after(liveness);
        }
    }

    pub(crate) fn number(&self) -> RawFd {
        match self {
            Self::Kernel(line) => line.number(),
            Self::Scripted(_, end) => end.number(),
        }
    }

    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        match self {
            Self::Kernel(line) => line.descriptor(),
            Self::Scripted(..) => panic!("a world has no descriptors"),
        }
    }

    pub(crate) fn reset_when_dropped(&self) {
        match self {
            Self::Kernel(line) => line.reset_when_dropped(),
            Self::Scripted(_, end) => end.reset_when_dropped(),
        }
    }

    pub(crate) fn make_nonblocking(&self) -> io::Result<()> {
        match self {
            Self::Kernel(line) => line.make_nonblocking(),
            Self::Scripted(..) => Ok(()),
        }
    }

    pub(crate) fn is_readable_now(&self) -> bool {
        match self {
            Self::Kernel(line) => line.is_readable_now(),
            Self::Scripted(_, end) => end.is_readable(),
        }
    }

    pub(crate) fn is_writable_now(&self) -> bool {
        match self {
            Self::Kernel(line) => line.is_writable_now(),
            Self::Scripted(_, end) => end.is_writable(),
        }
    }

    pub(crate) fn hang_up(&self) -> HangUp {
        match self {
            Self::Kernel(line) => line.hang_up(),
            Self::Scripted(_, end) => end.hang_up(),
        }
    }

    pub(crate) fn info(&self) -> Option<TcpInfo> {
        match self {
            Self::Kernel(line) => line.info(),
            Self::Scripted(_, end) => {
                let (is_closed, bytes_acked) = end.progress();
                Some(TcpInfo {
                    is_closed,
                    bytes_acked,
                })
            }
        }
    }

    pub(crate) fn receive_now(&self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Kernel(line) => line.receive_now(room),
            Self::Scripted(world, end) => end.receive(world, room),
        }
    }

    pub(crate) fn send_now(&self, data: &[u8]) -> usize {
        match self {
            Self::Kernel(line) => line.send_now(data),
            Self::Scripted(world, end) => end.send(world, data).unwrap_or_default(),
        }
    }

    pub(crate) async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Kernel(line) => line.readable().await,
            Self::Scripted(_, end) => {
                end.readable().await;
                Ok(())
            }
        }
    }

    pub(crate) async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Kernel(line) => line.writable().await,
            Self::Scripted(_, end) => {
                end.writable().await;
                Ok(())
            }
        }
    }

    pub(crate) async fn read_after(
        &self,
        mut data: Vec<u8>,
        filled: usize,
    ) -> (io::Result<usize>, Vec<u8>) {
        match self {
            Self::Kernel(line) => line.read_after(data, filled).await,
            Self::Scripted(world, end) => {
                data.resize(data.capacity(), 0);
                let result = end.read(world, &mut data[filled..]).await;
                data.truncate(filled + result.as_ref().copied().unwrap_or_default());
                (result, data)
            }
        }
    }

    pub(crate) async fn write_some(
        &self,
        data: Vec<u8>,
        from: usize,
    ) -> (io::Result<usize>, Vec<u8>) {
        match self {
            Self::Kernel(line) => line.write_some(data, from).await,
            Self::Scripted(world, end) => (end.write(world, &data[from..]).await, data),
        }
    }
}

/// Shuts down what has this number.
pub(crate) fn shut_down(number: RawFd, how: Shutdown) {
    match World::current() {
        None => kernel_line::shut_down(number, how),
        Some(world) => world.network.shut_down(number, how),
    }
}
