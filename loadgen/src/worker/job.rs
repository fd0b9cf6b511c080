//! One request on its way: indices into the plan, so that it costs nothing to carry around.

use std::time::Instant;

use crate::net::poller::Poller;
use crate::plan::client::{Client, Slow};
use crate::plan::mix::{Exchange, Route};
use crate::plan::random::Random;
use crate::plan::run::Plan;

/// What is asked, by whom, and over which route.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Job {
    pub(super) route: usize,
    pub(super) exchange: usize,
    pub(super) client: usize,
    /// The connection is closed afterwards.
    pub(super) is_last: bool,
    /// Number of the connection's life: decides which of the client's addresses it takes.
    pub(super) life: usize,
}

impl Job {
    /// The parts of the plan it names.
    pub(super) fn resolve(self, plan: &Plan) -> Option<(&Route, &Exchange, &Client)> {
        let route = plan.routes.get(self.route)?;
        Some((
            route,
            route.exchanges.get(self.exchange)?,
            plan.clients.get(self.client)?,
        ))
    }
}

/// What connections of one thread share.
#[derive(Debug)]
pub(super) struct Shared<'a> {
    pub(super) plan: &'a Plan,
    pub(super) poller: &'a Poller,
    /// Room to read into.
    pub(super) scratch: &'a mut [u8],
    pub(super) random: &'a mut Random,
}

/// Body octets that passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

/// The allowance of a slow client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    slow: Slow,
    pub(super) left: usize,
    pub(super) next: Instant,
}

impl Pace {
    pub(super) fn new(slow: Slow, now: Instant) -> Self {
        Self {
            slow,
            left: slow.bytes,
            next: now + slow.every,
        }
    }

    /// Grants what has come due; nothing is saved up.
    pub(super) fn update(&mut self, now: Instant) {
        if now >= self.next {
            self.left = self.slow.bytes;
            self.next = now + self.slow.every;
        }
    }
}
