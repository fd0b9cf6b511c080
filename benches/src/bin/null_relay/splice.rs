//! The form that copies nothing: bytes go from socket to socket through a pipe, by splice(2) on
//! readiness. The floor of bulk; small exchanges cost it more system calls than copying does.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

use super::event_loop::Form;

/// Capacity of a pipe, and the most that one splice moves.
const PIPE_BYTES: usize = 1024 * 1024;

/// Moves bytes through pipes, which are held only while there is something in them.
#[derive(Default)]
pub(super) struct Splicing {
    free: Vec<Pipe>,
}

/// An empty pipe.
struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
}

impl Pipe {
    fn new() -> io::Result<Self> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        fcntl_setpipe_size(&write, PIPE_BYTES)?;
        Ok(Self { read, write })
    }
}

impl Form for Splicing {
    type Side = Side;

    fn open(&mut self, client: TcpStream, origin: TcpStream) -> io::Result<[Side; 2]> {
        Ok([Side::new(client), Side::new(origin)])
    }

    fn exchange(&mut self, ready: &mut Side, other: &mut Side, _: bool) -> io::Result<bool> {
        if !ready.is_sent() && self.flush(ready)? {
            // There is room again: what `other` had to hold back may come now.
            self.pump(other, ready)?;
        }
        self.pump(ready, other)?;
        Ok(!(ready.ended && other.ended && ready.is_sent() && other.is_sent()))
    }
}

/// One socket of a relayed connection.
pub(super) struct Side {
    socket: TcpStream,
    /// What came from the other side and was not yet taken by this one.
    unsent: Option<(Pipe, usize)>,
    /// The other side has ended.
    ends: bool,
    /// Nothing more comes from this side.
    ended: bool,
}

impl AsFd for Side {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Side {
    fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            unsent: None,
            ends: false,
            ended: false,
        }
    }

    fn is_sent(&self) -> bool {
        self.unsent.is_none() && !self.ends
    }
}

impl Splicing {
    /// Moves what `from` has to `to`, as far as `to` takes it.
    fn pump(&mut self, from: &mut Side, to: &mut Side) -> io::Result<()> {
        while !from.ended && to.unsent.is_none() {
            let pipe = match self.free.pop() {
                Some(pipe) => pipe,
                None => Pipe::new()?,
            };
            match shift(&from.socket, &pipe.write, PIPE_BYTES) {
                Ok(0) => {
                    self.free.push(pipe);
                    from.ended = true;
                    to.ends = true;
                }
                Ok(count) => to.unsent = Some((pipe, count)),
                Err(Errno::AGAIN) => {
                    self.free.push(pipe);
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
            self.flush(to)?;
        }
        Ok(())
    }

    /// Sends what waited; `Ok(true)` once nothing waits any more.
    fn flush(&mut self, side: &mut Side) -> io::Result<bool> {
        while let Some((pipe, held)) = side.unsent.take() {
            match shift(&pipe.read, &side.socket, held) {
                Ok(count) if count == held => self.free.push(pipe),
                Ok(count) => side.unsent = Some((pipe, held - count)),
                Err(Errno::AGAIN) => {
                    side.unsent = Some((pipe, held));
                    return Ok(false);
                }
                Err(error) => return Err(error.into()),
            }
        }
        if side.ends {
            side.ends = false;
            side.socket.shutdown(Shutdown::Write)?;
        }
        Ok(true)
    }
}

/// One splice(2) that does not wait.
fn shift(from: impl AsFd, to: impl AsFd, most: usize) -> Result<usize, Errno> {
    let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
    splice(from, None, to, None, most, flags)
}
