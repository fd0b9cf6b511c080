//! The epoll form: one buffer for all, and per exchange one wait, two receives, two sends.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use super::BUFFER_BYTES;
use super::event_loop::Form;

/// Copies through one buffer.
pub(super) struct Copying {
    buffer: Vec<u8>,
}

impl Default for Copying {
    fn default() -> Self {
        Self {
            buffer: vec![0; BUFFER_BYTES],
        }
    }
}

impl Form for Copying {
    type Side = Side;

    fn open(&mut self, client: TcpStream, origin: TcpStream) -> io::Result<[Side; 2]> {
        Ok([Side::new(client), Side::new(origin)])
    }

    fn exchange(&mut self, ready: &mut Side, other: &mut Side, ending: bool) -> io::Result<bool> {
        ready.ending |= ending;
        if !ready.is_sent() && ready.flush()? {
            // There is room again: what `other` had to hold back may come now.
            pump(other, ready, &mut self.buffer)?;
        }
        pump(ready, other, &mut self.buffer)?;
        Ok(!(ready.ended && other.ended && ready.is_sent() && other.is_sent()))
    }
}

/// One socket of a relayed connection.
pub(super) struct Side {
    socket: TcpStream,
    /// Read from the other side and not yet taken by this one.
    unsent: Vec<u8>,
    /// The other side has ended.
    ends: bool,
    /// The end of this side's bytes is on its way: what is there must be read to that end.
    ending: bool,
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
            unsent: Vec::new(),
            ends: false,
            ending: false,
            ended: false,
        }
    }

    fn is_sent(&self) -> bool {
        self.unsent.is_empty() && !self.ends
    }

    /// Sends what waited; `Ok(true)` once nothing waits any more.
    fn flush(&mut self) -> io::Result<bool> {
        while !self.unsent.is_empty() {
            match self.socket.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        if self.ends {
            self.ends = false;
            self.socket.shutdown(Shutdown::Write)?;
        }
        Ok(true)
    }
}

/// Moves what `from` has to `to`, as far as `to` takes it.
fn pump(from: &mut Side, to: &mut Side, buffer: &mut [u8]) -> io::Result<()> {
    while !from.ended && to.unsent.is_empty() {
        match from.socket.read(buffer) {
            Ok(0) => {
                from.ended = true;
                to.ends = true;
                to.flush()?;
            }
            Ok(count) => {
                let bytes = buffer.get(..count).unwrap_or_default();
                let sent = match to.socket.write(bytes) {
                    Ok(sent) => sent,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                    Err(error) => return Err(error),
                };
                to.unsent
                    .extend_from_slice(bytes.get(sent..).unwrap_or_default());
                // A short read has emptied the socket (epoll(7)), except of an end.
                if count < buffer.len() && !from.ending {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
