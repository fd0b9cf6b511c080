//! Ends: of streams, and of the connection.

use super::super::fault::FrameFault;
use super::super::frames::{GOAWAY, PING, write_header};
use super::super::limits::STREAM_MAX;
use super::super::settings::Role;
use super::state::Connection;

/// What a PING says that is sent with a GOAWAY.
pub(super) const DRAIN_PING: [u8; 8] = *b"drained?";

/// RFC 9113 section 7.
const NO_ERROR: u32 = 0x0;

impl Connection {
    /// Ends a stream by RST_STREAM. Nothing happens to one that is gone. Content that it has handed out and
    /// that was not released must still be.
    pub fn reset(&mut self, stream: u32, code: u32) {
        if self.streams.get(stream).is_none() {
            return;
        }
        if let Err(fault) = self.write_reset(stream, code) {
            self.fail(fault);
        }
    }

    /// Asks whether the other side is still there (RFC 9113 section 6.7).
    pub fn ping(&mut self, payload: [u8; 8]) {
        write_header(&mut self.output, 8, PING, 0, 0);
        self.output.extend_from_slice(&payload);
    }

    /// Takes leave at once: what the other side opens from now on is not looked at. Streams that are open go
    /// on (RFC 9113 section 6.8).
    pub fn go_away(&mut self, code: u32) {
        let last = match self.role {
            Role::Server => self
                .leaving
                .unwrap_or(self.newest_stream)
                .min(self.newest_stream),
            // Servers open none.
            Role::Client => 0,
        };
        self.is_draining = false;
        self.leaving = Some(last);
        self.write_goaway(last, code);
    }

    /// Takes leave so that nothing is lost that is on its way: the other side is told, and what it opens
    /// before it knows is served.
    pub fn drain(&mut self) {
        if self.leaving.is_some() || self.is_draining {
            return;
        }
        if self.role == Role::Client {
            return self.go_away(NO_ERROR);
        }
        self.is_draining = true;
        self.write_goaway(STREAM_MAX, NO_ERROR);
        self.ping(DRAIN_PING);
    }

    /// Whether leave was taken, or is being taken.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.leaving.is_some() || self.is_draining
    }

    pub(super) fn leave_for_good(&mut self) {
        self.go_away(NO_ERROR);
    }

    /// The connection is over; the other side is told why, once.
    pub(super) fn fail(&mut self, fault: FrameFault) {
        if self.fault.is_none() {
            self.fault = Some(fault);
            self.go_away(fault.code());
        }
    }

    fn write_goaway(&mut self, last_stream: u32, code: u32) {
        write_header(&mut self.output, 8, GOAWAY, 0, 0);
        self.output.extend_from_slice(&last_stream.to_be_bytes());
        self.output.extend_from_slice(&code.to_be_bytes());
    }
}
