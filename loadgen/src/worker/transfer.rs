//! The bytes of an HTTP/1.1 exchange: a request out, its response in, each as far as the socket (and a
//! slow client's allowance) goes. What follows from them `connection` decides.

use std::io;

use super::connection::{Connection, Stage};
use super::failure::Failure;
use crate::http::framing::Malformed;
use crate::plan::body::Body;

impl Connection {
    /// Sends what is left, reads what there is; `Ok(true)` once the response is complete.
    pub(super) fn transfer(&mut self, scratch: &mut [u8]) -> Result<bool, Failure> {
        let was_unsent = !self.is_sent();
        let is_sent = self.send_failed || self.send()?;
        if !is_sent && self.sent == 0 {
            return Ok(false);
        }
        if was_unsent && self.setup.is_none() && self.served == 0 {
            self.note_connected();
        }
        let is_complete = self.receive(scratch)?;
        if is_complete && (!is_sent || self.send_failed) {
            // Answered before it had heard all: what is unsent must not reach the next request.
            self.ended = true;
        }
        Ok(is_complete)
    }

    /// A plain connection stands as soon as it takes bytes.
    fn note_connected(&mut self) {
        let is_plain = self.transport.as_ref().is_some_and(|t| !t.is_tls());
        if self.stage == Stage::Exchange && self.reader.status() == 0 && is_plain {
            self.setup = Some(self.opened.elapsed());
        }
    }

    fn is_sent(&self) -> bool {
        self.sent >= self.outbox.len() as u64 + self.body.bytes()
    }

    pub(super) fn send(&mut self) -> Result<bool, Failure> {
        let outcome = loop {
            if self.is_sent() {
                break self.flush();
            }
            if self.pace.is_some_and(|pace| pace.left == 0) {
                return Ok(false);
            }
            let Some(transport) = self.transport.as_mut() else {
                return Err(Failure::EarlyClose);
            };
            let piece = unsent(&self.outbox, self.sent, &self.body);
            let allowed = self.pace.map_or(usize::MAX, |pace| pace.left);
            match transport.write(piece.get(..allowed).unwrap_or(piece)) {
                Ok(count) => self.note_sent(count),
                Err(error) => break Err(error),
            }
        };
        match outcome {
            Ok(is_flushed) => Ok(is_flushed),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            // The other end may have answered before it stopped listening.
            Err(error) if is_end(&error) && (self.sent > 0 || self.served > 0) => {
                self.send_failed = true;
                self.drained = false;
                Ok(true)
            }
            Err(error) => Err(Failure::from_io(&error)),
        }
    }

    fn note_sent(&mut self, count: usize) {
        let head_bytes = self.outbox.len() as u64;
        let body_before = self.sent.saturating_sub(head_bytes);
        self.sent += count as u64;
        self.traffic.sent += self.sent.saturating_sub(head_bytes) - body_before;
        if let Some(pace) = self.pace.as_mut() {
            pace.left -= count.min(pace.left);
        }
    }

    /// Sends what TLS still holds; `Ok(false)` if the socket took not all.
    pub(super) fn flush(&mut self) -> io::Result<bool> {
        let transport = self.standing()?;
        transport.flush()?;
        Ok(!transport.wants_flush())
    }

    fn receive(&mut self, scratch: &mut [u8]) -> Result<bool, Failure> {
        while !self.drained {
            let Some(transport) = self.transport.as_mut() else {
                return Err(Failure::EarlyClose);
            };
            let room = match self.pace {
                Some(pace) => scratch.get_mut(..pace.left).unwrap_or_default(),
                None => &mut *scratch,
            };
            if room.is_empty() {
                return Ok(false);
            }
            let room_bytes = room.len();
            let count = match transport.read(room) {
                Ok(0) if self.reader.ends_with_stream() => return Ok(true),
                Ok(0) => return Err(self.cut_short(Failure::EarlyClose)),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.drained = true;
                    if self.send_failed {
                        return Err(self.cut_short(Failure::Reset));
                    }
                    return Ok(false);
                }
                Err(error) => return Err(self.cut_short(Failure::from_io(&error))),
            };
            if let Some(pace) = self.pace.as_mut() {
                pace.left -= count.min(pace.left);
            }
            // A short read has emptied the socket (epoll(7)), except of the end of the stream;
            // TLS has its own buffers.
            self.drained = count < room_bytes && !transport.is_tls() && !self.ended;
            if self.understand(scratch.get(..count).unwrap_or_default())? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Feeds the reader; keeps what it cannot use yet.
    fn understand(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        let before = self.reader.body_bytes();
        let done = self.feed(bytes);
        self.traffic.received += self.reader.body_bytes() - before;
        done
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        if self.inbox.is_empty() {
            let fed = self.reader.feed(bytes)?;
            let rest = bytes.get(fed.consumed..).unwrap_or_default();
            if !fed.done {
                self.inbox.extend_from_slice(rest);
            } else if !rest.is_empty() {
                return Err(Malformed::Excess.into());
            }
            return Ok(fed.done);
        }
        self.inbox.extend_from_slice(bytes);
        let fed = self.reader.feed(&self.inbox)?;
        self.inbox.drain(..fed.consumed);
        if fed.done && !self.inbox.is_empty() {
            return Err(Malformed::Excess.into());
        }
        Ok(fed.done)
    }

    /// The connection ended within an exchange; says whose habit that may be.
    fn cut_short(&self, failure: Failure) -> Failure {
        let nothing_came = self.reader.status() == 0 && self.inbox.is_empty();
        let is_end = matches!(failure, Failure::EarlyClose | Failure::Reset);
        if self.served > 0 && nothing_came && is_end {
            Failure::StaleConnection
        } else {
            failure
        }
    }
}

/// What is to be sent next, of a message that consists of `outbox` and `body`.
fn unsent<'a>(outbox: &'a [u8], sent: u64, body: &'a Body) -> &'a [u8] {
    match usize::try_from(sent) {
        Ok(sent) if sent < outbox.len() => outbox.get(sent..).unwrap_or_default(),
        _ => body.slice(sent - outbox.len() as u64, usize::MAX),
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}
