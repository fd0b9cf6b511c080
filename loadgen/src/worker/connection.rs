//! The life of one connection of the meter: connect, tunnel, TLS, then exchanges.
//!
//! `advance` goes as far as the socket allows. Which request comes next and what time it is,
//! `event_loop` knows.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ClientConfig, ClientConnection};

use super::dial::dial;
use super::failure::Failure;
use super::response::ResponseReader;
use crate::http::framing::Malformed;
use crate::net::poller::{Poller, Token};
use crate::net::transport::Transport;
use crate::plan::mix::{Exchange, Route};

/// How far an exchange has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Closed,
    Tunnel,
    Handshake,
    /// Nothing under way; ready for the next exchange.
    Idle,
    Exchange,
}

/// What came of `advance`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The socket has to become ready first.
    Pending,
    /// The response is complete; it may still not be what was expected.
    Complete(Result<(), Failure>),
}

/// What connections of one thread share.
#[derive(Debug)]
pub(super) struct Shared<'a> {
    pub(super) poller: &'a Poller,
    pub(super) tls: Option<&'a Arc<ClientConfig>>,
    /// Room to read into.
    pub(super) scratch: &'a mut [u8],
}

/// One connection and the exchange on it.
#[derive(Debug)]
pub(super) struct Connection {
    transport: Option<Transport>,
    slot: u32,
    generation: u32,
    source: Option<IpAddr>,
    stage: Stage,
    /// How much of the current message was sent.
    sent: usize,
    /// The other end takes no more; it may still have answered.
    send_failed: bool,
    /// Read and not yet understood.
    inbox: Vec<u8>,
    reader: ResponseReader,
    /// The socket had no more to read; cleared by its next event (they are edge-triggered).
    drained: bool,
    /// The other end has said that nothing more will come.
    ended: bool,
    /// Exchanges completed since the connection was opened.
    served: u64,
    opened: Instant,
    /// From opening to being ready for the first exchange, until taken.
    setup: Option<Duration>,
}

impl Connection {
    /// A connection that will be opened when first used.
    pub(super) fn new(slot: u32, source: Option<IpAddr>, now: Instant) -> Self {
        Self {
            transport: None,
            slot,
            generation: 0,
            source,
            stage: Stage::Closed,
            sent: 0,
            send_failed: false,
            inbox: Vec::new(),
            reader: ResponseReader::for_connect(),
            drained: true,
            ended: false,
            served: 0,
            opened: now,
            setup: None,
        }
    }

    /// Whether an event is meant for the socket that is open now.
    pub(super) fn owns(&self, token: Token) -> bool {
        self.transport.is_some() && self.generation == token.generation
    }

    /// The socket had an event.
    pub(super) fn on_event(&mut self, closed: bool) {
        self.drained = false;
        self.ended |= closed;
    }

    /// Whether an exchange is under way.
    pub(super) fn is_busy(&self) -> bool {
        !matches!(self.stage, Stage::Closed | Stage::Idle)
    }

    /// How long it took to set the connection up, once for each connection.
    pub(super) fn take_setup(&mut self) -> Option<Duration> {
        self.setup.take()
    }

    /// Octets of the response's body so far.
    pub(super) fn body_bytes(&self) -> u64 {
        self.reader.body_bytes()
    }

    /// Starts an exchange; opens the connection first if there is none that can carry it.
    pub(super) fn begin(
        &mut self,
        route: &Route,
        exchange: &Exchange,
        shared: &Shared<'_>,
        now: Instant,
    ) -> Result<(), Failure> {
        if self.stage == Stage::Idle && !self.ended {
            self.start_exchange(exchange);
            return Ok(());
        }
        self.close();
        self.open(route, shared.poller, now)
            .map_err(|error| match Failure::from_io(&error) {
                Failure::ConnectRefused => Failure::ConnectRefused,
                _ => Failure::ConnectFailed(error.to_string()),
            })?;
        self.stage = Stage::Handshake;
        if route.tunnel.is_some() {
            self.stage = Stage::Tunnel;
            self.reader = ResponseReader::for_connect();
        } else {
            self.start_tls(route, shared, exchange)?;
        }
        Ok(())
    }

    /// Goes on with the exchange under way.
    pub(super) fn advance(
        &mut self,
        route: &Route,
        exchange: &Exchange,
        shared: &mut Shared<'_>,
    ) -> Result<Progress, Failure> {
        loop {
            let progress = match self.stage {
                Stage::Closed | Stage::Idle => return Ok(Progress::Pending),
                Stage::Tunnel => {
                    let request = route.tunnel.as_deref().unwrap_or_default();
                    if !self.transfer(request, shared.scratch)? {
                        return Ok(Progress::Pending);
                    }
                    self.open_tunnel(route, shared, exchange)?;
                    continue;
                }
                Stage::Handshake => self.handshake(exchange)?,
                Stage::Exchange => {
                    if !self.transfer(&exchange.bytes, shared.scratch)? {
                        return Ok(Progress::Pending);
                    }
                    return Ok(Progress::Complete(self.finish_exchange()));
                }
            };
            if !progress {
                return Ok(Progress::Pending);
            }
        }
    }

    /// Ends the connection, in order if TLS asks for that.
    pub(super) fn close(&mut self) {
        if let Some(mut transport) = self.transport.take() {
            transport.close_notify();
        }
        self.stage = Stage::Closed;
        self.generation = self.generation.wrapping_add(1);
    }

    fn open(&mut self, route: &Route, poller: &Poller, now: Instant) -> io::Result<()> {
        let socket = dial(route.address, self.source)?;
        poller.add_connection(
            &socket,
            Token {
                slot: self.slot,
                generation: self.generation,
            },
        )?;
        self.transport = Some(Transport::plain(socket));
        self.opened = now;
        self.served = 0;
        self.ended = false;
        self.start_message();
        Ok(())
    }

    fn start_message(&mut self) {
        self.sent = 0;
        self.send_failed = false;
        // What comes next will raise an event of its own; to read before would be in vain.
        self.drained = true;
        self.inbox.clear();
    }

    fn start_exchange(&mut self, exchange: &Exchange) {
        self.start_message();
        self.reader = ResponseReader::new(exchange.expectation);
        self.stage = Stage::Exchange;
    }

    fn open_tunnel(
        &mut self,
        route: &Route,
        shared: &Shared<'_>,
        exchange: &Exchange,
    ) -> Result<(), Failure> {
        if !(200..300).contains(&self.reader.status()) {
            return Err(Failure::TunnelStatus(self.reader.status()));
        }
        self.start_tls(route, shared, exchange)
    }

    /// The byte pipe to the origin stands: TLS comes next, or the exchange.
    fn start_tls(
        &mut self,
        route: &Route,
        shared: &Shared<'_>,
        exchange: &Exchange,
    ) -> Result<(), Failure> {
        let (Some(name), Some(config), Some(transport)) =
            (&route.tls, shared.tls, self.transport.as_mut())
        else {
            // Only a tunnel is known to stand already; else the socket is still connecting.
            self.setup = route.tunnel.is_some().then(|| self.opened.elapsed());
            self.start_exchange(exchange);
            return Ok(());
        };
        let session = ClientConnection::new(Arc::clone(config), name.clone())
            .map_err(|error| Failure::Tls(error.to_string()))?;
        transport.start_tls(session.into());
        self.stage = Stage::Handshake;
        Ok(())
    }

    /// `Ok(false)` if it has to wait.
    fn handshake(&mut self, exchange: &Exchange) -> Result<bool, Failure> {
        let Some(transport) = self.transport.as_mut() else {
            return Err(Failure::EarlyClose);
        };
        match transport.handshake() {
            Ok(true) => {
                self.setup = Some(self.opened.elapsed());
                self.start_exchange(exchange);
                Ok(true)
            }
            Ok(false) => Ok(false),
            // Nothing can be read before the connection stands.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(Failure::from_io(&error)),
        }
    }

    fn finish_exchange(&mut self) -> Result<(), Failure> {
        self.served += 1;
        if self.reader.is_persistent() {
            self.stage = Stage::Idle;
        } else {
            self.close();
        }
        self.reader.verdict()
    }

    /// Sends what is left of `message`, reads what there is; `Ok(true)` once the response is
    /// complete.
    fn transfer(&mut self, message: &[u8], scratch: &mut [u8]) -> Result<bool, Failure> {
        let was_unsent = self.sent < message.len();
        let is_sent = self.send_failed || self.send(message)?;
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
        if self.stage == Stage::Exchange && self.reader.status() == 0 {
            self.setup = Some(self.opened.elapsed());
        }
    }

    fn send(&mut self, message: &[u8]) -> Result<bool, Failure> {
        let Some(transport) = self.transport.as_mut() else {
            return Err(Failure::EarlyClose);
        };
        let outcome = loop {
            match message.get(self.sent..).filter(|rest| !rest.is_empty()) {
                None => break transport.flush(),
                Some(rest) => match transport.write(rest) {
                    Ok(count) => self.sent += count,
                    Err(error) => break Err(error),
                },
            }
        };
        match outcome {
            Ok(()) => Ok(!transport.wants_flush()),
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

    fn receive(&mut self, scratch: &mut [u8]) -> Result<bool, Failure> {
        while !self.drained {
            let Some(transport) = self.transport.as_mut() else {
                return Err(Failure::EarlyClose);
            };
            let count = match transport.read(scratch) {
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
            // A short read has emptied the socket (epoll(7)), except of the end of the stream;
            // TLS has its own buffers.
            self.drained = count < scratch.len() && !transport.is_tls() && !self.ended;
            if self.understand(scratch.get(..count).unwrap_or_default())? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Feeds the reader; keeps what it cannot use yet.
    fn understand(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
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

fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}
