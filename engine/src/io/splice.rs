//! Bulk of a tunnel without copying: from socket to socket through a pipe, by splice(2) on readiness.
//!
//! A pipe is held for one turn of one direction, like a buffer: what waits holds none, and a shard
//! needs as many as it has slow readers. What is in a pipe is never given up: a turn ends when the
//! pipe is empty or the tunnel is broken. io_uring's own SPLICE would occupy a kernel thread each.
//! When to do this rather than to copy is decided in `copy.rs`.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice};
use nix::unistd::pipe2;

use super::socket::Socket;
use crate::limits::{PIPE_BYTES, PIPES_FREE_MAX, PIPES_MAX};

/// The pipes of one shard, bounded.
#[derive(Debug, Default)]
pub(crate) struct PipePool {
    free: RefCell<Vec<Pipe>>,
    /// Free ones and rented ones.
    open: Cell<usize>,
}

#[derive(Debug)]
struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
}

impl PipePool {
    /// An empty pipe; `None` when there are too many, or the system gives no more.
    pub(crate) fn rent(&self) -> Option<RentedPipe<'_>> {
        #[cfg(test)]
        if super::scripted::World::current().is_some() {
            // What is not of the kernel cannot go through a pipe.
            return None;
        }
        let kept = self.free.borrow_mut().pop();
        let pipe = match kept {
            Some(pipe) => pipe,
            None if self.open.get() >= PIPES_MAX => return None,
            None => {
                // Without one the bytes are copied, which costs CPU and nothing else.
                let pipe = Pipe::open().ok()?;
                self.open.set(self.open.get() + 1);
                pipe
            }
        };
        Some(RentedPipe {
            pool: self,
            pipe: Some(pipe),
            held: 0,
        })
    }

    /// Pipes that there are.
    #[cfg(test)]
    pub(crate) fn open(&self) -> usize {
        self.open.get()
    }

    /// Has `pipes` count as in use.
    #[cfg(test)]
    pub(crate) fn set_open(&self, pipes: usize) {
        self.open.set(pipes);
    }
}

impl Pipe {
    /// An error also where the user's pipes hold so many pages already that the new one is too small
    /// to be worth it (pipe(7), `pipe-user-pages-soft`).
    fn open() -> io::Result<Self> {
        let (read, write) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        // By default it holds 64 KiB (pipe(7)): four times as many system calls for the same bytes.
        let bytes = i32::try_from(PIPE_BYTES).unwrap_or(i32::MAX);
        fcntl(&write, FcntlArg::F_SETPIPE_SZ(bytes))?;
        Ok(Self { read, write })
    }
}

/// A pipe for one turn. Dropped empty, it goes back; with something in it, it is closed.
#[derive(Debug)]
pub(crate) struct RentedPipe<'a> {
    pool: &'a PipePool,
    pipe: Option<Pipe>,
    held: usize,
}

impl RentedPipe<'_> {
    /// Bytes in it.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Takes what `from` has received, as far as there is room; `Ok(0)` is the end of the stream.
    /// Never waits. The pipe must be empty: a full one would look like a silent socket.
    pub(crate) fn fill(&mut self, from: &Socket) -> io::Result<usize> {
        let Some(pipe) = &self.pipe else {
            return Err(Errno::EBADF.into());
        };
        from.make_nonblocking()?;
        let bytes = shift(&from.descriptor(), &pipe.write, PIPE_BYTES)?;
        self.held += bytes;
        from.count_in(bytes);
        Ok(bytes)
    }

    /// Hands on what `to` takes without waiting.
    pub(crate) fn drain(&mut self, to: &Socket) -> io::Result<()> {
        let Some(pipe) = &self.pipe else {
            return Err(Errno::EBADF.into());
        };
        // The flag of splice(2) is about the pipe: a blocking socket would hold the shard up.
        to.make_nonblocking()?;
        let bytes = shift(&pipe.read, &to.descriptor(), self.held)?;
        self.held = self.held.saturating_sub(bytes);
        to.count_out(bytes);
        Ok(())
    }
}

impl Drop for RentedPipe<'_> {
    fn drop(&mut self) {
        let mut free = self.pool.free.borrow_mut();
        match self.pipe.take() {
            // Whatever is left in it belongs to one tunnel, and must not come out in another.
            Some(pipe) if self.held == 0 && free.len() < PIPES_FREE_MAX => free.push(pipe),
            _ => self.pool.open.set(self.pool.open.get().saturating_sub(1)),
        }
    }
}

fn shift(from: &impl AsFd, to: &impl AsFd, bytes_max: usize) -> nix::Result<usize> {
    let flags = SpliceFFlags::SPLICE_F_MOVE | SpliceFFlags::SPLICE_F_NONBLOCK;
    splice(from, None, to, None, bytes_max, flags)
}
