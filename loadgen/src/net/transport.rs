//! A non-blocking byte stream: a socket, plain or with TLS over it.
//!
//! Knows no HTTP. rustls does the TLS in memory; this room moves its records. `WouldBlock` from
//! `read`, `write` or `flush` means: the next readiness event of the socket will tell.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustls::Connection as TlsSession;

/// One connection's byte stream.
#[derive(Debug)]
pub(crate) struct Transport {
    socket: TcpStream,
    tls: Option<Box<TlsSession>>,
}

impl Transport {
    /// A plain stream over a socket that is already non-blocking.
    pub(crate) fn plain(socket: TcpStream) -> Self {
        Self { socket, tls: None }
    }

    /// Starts TLS over the same socket, from the next byte on.
    pub(crate) fn start_tls(&mut self, session: TlsSession) {
        self.tls = Some(Box::new(session));
    }

    /// The socket, to register it or to set options.
    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Whether bytes are encrypted.
    pub(crate) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The protocol agreed on by ALPN.
    pub(crate) fn protocol(&self) -> Option<&[u8]> {
        self.tls.as_ref().and_then(|tls| tls.alpn_protocol())
    }

    /// Does what it can of the TLS handshake; `Ok(true)` once it is complete (or there is no TLS).
    pub(crate) fn handshake(&mut self) -> io::Result<bool> {
        let Some(tls) = self.tls.as_mut() else {
            return Ok(true);
        };
        loop {
            flush_records(tls, &mut self.socket)?;
            if !tls.is_handshaking() {
                return Ok(true);
            }
            match tls.read_tls(&mut self.socket) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
            if let Err(error) = tls.process_new_packets() {
                // The alert that says why is worth a try; the error is what counts.
                let _ = flush_records(tls, &mut self.socket);
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
    }

    /// Reads what is there. `Ok(0)` is the orderly end of the stream.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = self.tls.as_mut() else {
            return self.socket.read(buffer);
        };
        loop {
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
            tls.read_tls(&mut self.socket)?;
            tls.process_new_packets()
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            // Key updates and the like; if the socket is full a later write takes them along.
            if tls.wants_write() {
                flush_records(tls, &mut self.socket)?;
            }
        }
    }

    /// Writes a part of `bytes`; with TLS they may wait in the session until `flush`.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = self.tls.as_mut() else {
            return self.socket.write(bytes);
        };
        // What the session still holds goes first: only a full socket is worth waiting for, since
        // only that raises an event again.
        flush_records(tls, &mut self.socket)?;
        if tls.wants_write() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let written = tls.writer().write(bytes)?;
        flush_records(tls, &mut self.socket)?;
        Ok(written)
    }

    /// Whether encrypted bytes are still waiting for room in the socket.
    pub(crate) fn wants_flush(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Sends waiting encrypted bytes, as far as the socket takes them.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match self.tls.as_mut() {
            Some(tls) => flush_records(tls, &mut self.socket),
            None => Ok(()),
        }
    }

    /// Tells the other end that this was the orderly end, as far as the socket takes it.
    pub(crate) fn close_notify(&mut self) {
        if let Some(tls) = self.tls.as_mut() {
            tls.send_close_notify();
            // The connection ends now in any case; there is nobody left to tell of a failure.
            let _ = flush_records(tls, &mut self.socket);
        }
    }

    /// Makes the coming close a reset instead of an orderly end.
    pub(crate) fn reset_on_close(&self) {
        // If the option is refused, the close is an orderly one: the caller cannot do better.
        let _ = socket2::SockRef::from(&self.socket).set_linger(Some(Duration::ZERO));
    }
}

/// Writes waiting records until there are none (`Ok`) or the socket is full (also `Ok`: the session
/// keeps them and `wants_write` says so).
fn flush_records(tls: &mut TlsSession, socket: &mut TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        match tls.write_tls(socket) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
