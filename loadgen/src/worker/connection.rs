//! The life of one connection of the meter: connect, tunnel, TLS, then exchanges.
//!
//! `advance` goes as far as the socket allows. Which request comes next and what time it is,
//! `event_loop` knows.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConnection;

use super::dial::dial;
use super::failure::Failure;
use super::job::{Job, Pace, Shared, Traffic};
use super::response::ResponseReader;
use crate::net::poller::Token;
use crate::net::transport::Transport;
use crate::plan::body::Body;
use crate::plan::client::Client;
use crate::plan::mix::{Exchange, Route};

/// How far an exchange has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Closed,
    /// Sending what comes before TLS, or waiting for the socket to be connected.
    Preface,
    Tunnel,
    Handshake,
    /// Nothing under way; ready for the next exchange.
    Idle,
    Exchange,
}

/// What came of `advance`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The socket has to become ready first, or the next allowance of a slow client due.
    Pending,
    /// The response is complete; it may still not be what was expected.
    Complete(Result<(), Failure>),
}

/// What a step led to.
enum Step {
    Wait,
    Next,
    Done(Result<(), Failure>),
}

/// One connection and the exchange on it.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) transport: Option<Transport>,
    pub(super) slot: u32,
    pub(super) generation: u32,
    /// Nothing is sent over it here once it stands.
    pub(super) setup_only: bool,
    pub(super) stage: Stage,
    pub(super) job: Job,
    /// What is to be sent: a head, or what comes before.
    pub(super) outbox: Vec<u8>,
    /// How much of the outbox and of the body behind it was sent.
    pub(super) sent: u64,
    /// The body that follows the outbox.
    pub(super) body: Body,
    /// The other end takes no more; it may still have answered.
    pub(super) send_failed: bool,
    /// Read and not yet understood.
    pub(super) inbox: Vec<u8>,
    pub(super) reader: ResponseReader,
    /// The socket had no more to read; cleared by its next event (they are edge-triggered).
    pub(super) drained: bool,
    /// The other end has said that nothing more will come.
    pub(super) ended: bool,
    /// Exchanges completed since the connection was opened.
    pub(super) served: u64,
    pub(super) opened: Instant,
    /// From opening to being ready for the first exchange, until taken.
    pub(super) setup: Option<Duration>,
    pub(super) traffic: Traffic,
    pub(super) pace: Option<Pace>,
}

impl Connection {
    /// A connection that will be opened when first used.
    pub(super) fn new(slot: u32, now: Instant) -> Self {
        Self {
            transport: None,
            slot,
            generation: 0,
            setup_only: false,
            stage: Stage::Closed,
            job: Job::default(),
            outbox: Vec::new(),
            sent: 0,
            body: Body::default(),
            send_failed: false,
            inbox: Vec::new(),
            reader: ResponseReader::for_connect(),
            drained: true,
            ended: false,
            served: 0,
            opened: now,
            setup: None,
            traffic: Traffic::default(),
            pace: None,
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

    /// One that is only set up: its exchange is complete when it stands.
    pub(super) fn for_setup(slot: u32, now: Instant) -> Self {
        Self {
            setup_only: true,
            ..Self::new(slot, now)
        }
    }

    /// Its number, which is also that of its lane.
    pub(super) fn slot(&self) -> u32 {
        self.slot
    }

    /// Whether there is a socket.
    pub(super) fn is_open(&self) -> bool {
        self.transport.is_some()
    }

    /// Whether an exchange is under way.
    pub(super) fn is_busy(&self) -> bool {
        !matches!(self.stage, Stage::Closed | Stage::Idle)
    }

    /// Open and ready for the next exchange.
    pub(super) fn is_reusable(&self) -> bool {
        self.stage == Stage::Idle && !self.ended
    }

    /// How long it took to set the connection up, once for each connection.
    pub(super) fn take_setup(&mut self) -> Option<Duration> {
        self.setup.take()
    }

    /// Body octets since it was last asked.
    pub(super) fn take_traffic(&mut self) -> Traffic {
        std::mem::take(&mut self.traffic)
    }

    /// When a slow client may go on, if that is what it waits for.
    pub(super) fn next_tick(&self) -> Option<(Instant, u32)> {
        let pace = self.pace.filter(|pace| pace.left == 0 && self.is_busy())?;
        Some((pace.next, self.generation))
    }

    /// Starts an exchange; opens the connection first if there is none that can carry it.
    pub(super) fn begin(
        &mut self,
        job: Job,
        shared: &mut Shared<'_>,
        now: Instant,
    ) -> Result<(), Failure> {
        let Some((route, exchange, client)) = job.resolve(shared.plan) else {
            return Err(Failure::EarlyClose);
        };
        self.job = job;
        if self.is_reusable() {
            self.outbox.clear();
            self.start_exchange(exchange, client);
            return Ok(());
        }
        self.close();
        self.open(route, client, shared, now)
            .map_err(|error| match Failure::from_io(&error) {
                Failure::ConnectRefused => Failure::ConnectRefused,
                _ => Failure::ConnectFailed(error.to_string()),
            })?;
        if let Some(tunnel) = &route.tunnel {
            self.outbox.extend_from_slice(tunnel);
            self.outbox.extend_from_slice(&client.proxy_fields);
            self.outbox.extend_from_slice(b"\r\n");
            self.stage = Stage::Tunnel;
            self.reader = ResponseReader::for_connect();
        } else if route.tls.is_some() || self.setup_only {
            self.stage = Stage::Preface;
        } else {
            self.start_exchange(exchange, client);
        }
        Ok(())
    }

    /// Goes on with the exchange under way.
    pub(super) fn advance(
        &mut self,
        shared: &mut Shared<'_>,
        now: Instant,
    ) -> Result<Progress, Failure> {
        if let Some(pace) = self.pace.as_mut() {
            pace.update(now);
        }
        loop {
            let step = match self.stage {
                Stage::Closed | Stage::Idle => Step::Wait,
                Stage::Preface => self.preface(shared)?,
                Stage::Tunnel => {
                    if self.transfer(shared.scratch)? {
                        self.open_tunnel(shared)?
                    } else {
                        Step::Wait
                    }
                }
                Stage::Handshake => self.handshake(shared)?,
                Stage::Exchange => {
                    if self.transfer(shared.scratch)? {
                        Step::Done(self.finish_exchange())
                    } else {
                        Step::Wait
                    }
                }
            };
            match step {
                Step::Next => {}
                Step::Wait => return Ok(Progress::Pending),
                Step::Done(verdict) => return Ok(Progress::Complete(verdict)),
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

    /// Whether this protocol was agreed on by ALPN.
    pub(super) fn speaks(&self, protocol: &[u8]) -> bool {
        let transport = self.transport.as_ref();
        transport.is_some_and(|transport| transport.protocol() == Some(protocol))
    }

    /// Reads from a connection that stands, past all HTTP/1.1.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.standing()?.read(buffer)
    }

    /// Writes to a connection that stands, past all HTTP/1.1.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.standing()?.write(bytes)
    }

    pub(super) fn standing(&mut self) -> io::Result<&mut Transport> {
        self.transport
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn open(
        &mut self,
        route: &Route,
        client: &Client,
        shared: &mut Shared<'_>,
        now: Instant,
    ) -> io::Result<()> {
        let source = client
            .sources
            .get(self.job.life % client.sources.len().max(1));
        let socket = dial(route.address, source.copied(), client.slow.is_some())?;
        shared.poller.add_connection(
            &socket,
            Token {
                slot: self.slot,
                generation: self.generation,
            },
        )?;
        self.transport = Some(Transport::plain(socket));
        self.opened = now;
        self.served = 0;
        self.setup = None;
        self.ended = false;
        self.pace = client.slow.map(|slow| Pace::new(slow, now));
        self.outbox.clear();
        if let Some(announced) = &client.announced {
            announced.write(
                route.address,
                self.job.life,
                shared.random,
                &mut self.outbox,
            );
        }
        self.start_message();
        Ok(())
    }

    fn start_message(&mut self) {
        self.sent = 0;
        self.body = Body::default();
        self.send_failed = false;
        // What comes next will raise an event of its own; to read before would be in vain.
        self.drained = true;
        self.inbox.clear();
    }

    /// Renders the request behind what is in the outbox already.
    fn start_exchange(&mut self, exchange: &Exchange, client: &Client) {
        self.start_message();
        exchange.write(client, self.job.is_last, &mut self.outbox);
        if exchange.is_inline() {
            self.traffic.sent += exchange.body.bytes();
        } else {
            self.body = exchange.body.clone();
        }
        self.reader = ResponseReader::new(exchange.expectation);
        self.stage = Stage::Exchange;
    }

    /// Sends what comes before TLS; without TLS, waits for the connection to stand.
    fn preface(&mut self, shared: &Shared<'_>) -> Result<Step, Failure> {
        if !self.send()? {
            return Ok(Step::Wait);
        }
        self.is_connected()?
            .map_or(Ok(Step::Wait), |()| self.start_tls(shared))
    }

    /// `None` while the socket is still connecting.
    fn is_connected(&self) -> Result<Option<()>, Failure> {
        let Some(transport) = self.transport.as_ref() else {
            return Err(Failure::EarlyClose);
        };
        match transport.socket().take_error() {
            Ok(None) => Ok(transport.socket().peer_addr().ok().map(|_| ())),
            Ok(Some(error)) | Err(error) => Err(Failure::from_io(&error)),
        }
    }

    fn open_tunnel(&mut self, shared: &Shared<'_>) -> Result<Step, Failure> {
        if !(200..300).contains(&self.reader.status()) {
            return Err(Failure::TunnelStatus(self.reader.status()));
        }
        self.start_tls(shared)
    }

    /// The byte pipe to the origin stands: TLS comes next, or the exchange.
    fn start_tls(&mut self, shared: &Shared<'_>) -> Result<Step, Failure> {
        let name = self
            .job
            .resolve(shared.plan)
            .and_then(|(route, ..)| route.tls.as_ref());
        let (Some(name), Some(config), Some(transport)) =
            (name, &shared.plan.tls, self.transport.as_mut())
        else {
            return self.ready(shared);
        };
        let session = ClientConnection::new(Arc::clone(config), name.clone())
            .map_err(|error| Failure::Tls(error.to_string()))?;
        transport.start_tls(session.into());
        self.stage = Stage::Handshake;
        Ok(Step::Next)
    }

    fn handshake(&mut self, shared: &Shared<'_>) -> Result<Step, Failure> {
        let Some(transport) = self.transport.as_mut() else {
            return Err(Failure::EarlyClose);
        };
        match transport.handshake() {
            Ok(true) => self.ready(shared),
            Ok(false) => Ok(Step::Wait),
            Err(error) => Err(Failure::from_io(&error)),
        }
    }

    /// The connection is set up: the request follows, or nothing, if that was all.
    fn ready(&mut self, shared: &Shared<'_>) -> Result<Step, Failure> {
        self.setup = Some(self.opened.elapsed());
        if self.setup_only {
            self.stage = Stage::Idle;
            self.drained = false;
            return Ok(Step::Done(Ok(())));
        }
        let Some((_, exchange, client)) = self.job.resolve(shared.plan) else {
            return Err(Failure::EarlyClose);
        };
        self.outbox.clear();
        self.start_exchange(exchange, client);
        Ok(Step::Next)
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
}
