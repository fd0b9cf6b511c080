//! A connection of either version of HTTP, as the event loop sees it.

use std::time::Instant;

use super::connection::{Connection, Progress};
use super::failure::Failure;
use super::job::{Job, Shared, Traffic};
use super::outcome::Outcome;
use super::session::Session;
use crate::net::poller::Token;
use crate::plan::file::HttpVersion;
use crate::plan::run::Plan;

/// One connection.
#[derive(Debug)]
pub(super) enum Link {
    /// HTTP/1.1, and connections without any requests; its lane has the same number.
    One(Box<Connection>),
    /// HTTP/2.
    Two(Box<Session>),
}

impl Link {
    /// Connection `number` of its thread.
    pub(super) fn new(plan: &Plan, number: u32, now: Instant) -> Self {
        match plan.http {
            HttpVersion::Two => Self::Two(Box::new(Session::new(number, plan.streams, now))),
            HttpVersion::One if plan.is_setup_only() => {
                Self::One(Box::new(Connection::for_setup(number, now)))
            }
            HttpVersion::One => Self::One(Box::new(Connection::new(number, now))),
        }
    }

    fn connection(&self) -> &Connection {
        match self {
            Self::One(connection) => connection,
            Self::Two(session) => session.connection(),
        }
    }

    /// Whether an event is meant for the socket that is open now.
    pub(super) fn owns(&self, token: Token) -> bool {
        self.connection().owns(token)
    }

    /// The socket had an event.
    pub(super) fn on_event(&mut self, closed: bool) {
        match self {
            Self::One(connection) => connection.on_event(closed),
            Self::Two(session) => session.connection_mut().on_event(closed),
        }
    }

    /// Whether any exchange is under way.
    pub(super) fn is_busy(&self) -> bool {
        match self {
            Self::One(connection) => connection.is_busy(),
            Self::Two(session) => session.is_busy(),
        }
    }

    /// Open, idle or not.
    pub(super) fn is_open(&self) -> bool {
        self.connection().is_open()
    }

    /// Whether the next exchange needs no new connection.
    pub(super) fn is_reusable(&self) -> bool {
        match self {
            Self::One(connection) => connection.is_reusable(),
            Self::Two(session) => session.is_reusable(),
        }
    }

    /// Starts an exchange on a lane.
    pub(super) fn begin(
        &mut self,
        lane: u32,
        job: Job,
        shared: &mut Shared<'_>,
        now: Instant,
    ) -> Result<(), Failure> {
        match self {
            Self::One(connection) => connection.begin(job, shared, now),
            Self::Two(session) => session.begin(lane, job, shared, now),
        }
    }

    /// Goes on with what is under way, as far as the socket allows.
    pub(super) fn advance(
        &mut self,
        shared: &mut Shared<'_>,
        now: Instant,
        outcomes: &mut Vec<Outcome>,
    ) {
        let connection = match self {
            Self::One(connection) => connection,
            Self::Two(session) => return session.advance(shared, now, outcomes),
        };
        let verdict = match connection.advance(shared, now) {
            Ok(Progress::Pending) => return,
            Ok(Progress::Complete(verdict)) => Ok(verdict),
            Err(failure) => Err(failure),
        };
        outcomes.push(Outcome {
            lane: connection.slot(),
            verdict,
            setup: connection.take_setup(),
        });
    }

    /// When a slow client may go on, if that is what is waited for.
    pub(super) fn next_tick(&self) -> Option<(Instant, u32)> {
        self.connection().next_tick()
    }

    /// Body octets since it was last asked.
    pub(super) fn take_traffic(&mut self) -> Traffic {
        match self {
            Self::One(connection) => connection.take_traffic(),
            Self::Two(session) => session.take_traffic(),
        }
    }

    /// Gives up a lane's exchange: what carried it alone is closed.
    pub(super) fn abandon(&mut self, lane: u32) {
        match self {
            Self::One(connection) => connection.close(),
            Self::Two(session) => session.abandon(lane),
        }
    }

    /// Ends the connection with all that is under way on it.
    pub(super) fn close(&mut self) {
        match self {
            Self::One(connection) => connection.close(),
            Self::Two(session) => session.close(),
        }
    }
}
