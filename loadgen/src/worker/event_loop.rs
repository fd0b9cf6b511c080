//! One thread's loop: starts what is due, waits for sockets, times and counts what is done.
//!
//! Closed loop: a connection asks again as soon as it was answered. Open loop: requests are due at
//! moments that no answer changes; one that finds no free connection waits, and its latency counts
//! from when it was due.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use super::connection::{Connection, Progress, Shared};
use super::failure::Failure;
use super::tally::{CostMark, Tally};
use crate::net::poller::{Poller, Token};
use crate::plan::arrival::Arrivals;
use crate::plan::run::Plan;
use crate::plan::stop::Window;

/// How often deadlines are looked at, and so how exact `--timeout` is.
const SCAN_INTERVAL: Duration = Duration::from_millis(20);
/// How long a connection that could not be set up rests before the next try.
const RETRY_PAUSE: Duration = Duration::from_millis(20);
/// Octets read at a time.
const SCRATCH_BYTES: usize = 64 * 1024;

/// One connection and its place in the schedule.
#[derive(Debug)]
struct Slot {
    connection: Connection,
    route: usize,
    exchange: usize,
    /// When the exchange under way should have started.
    start: Instant,
    /// Since when it has nothing to do; it may not start before (a moment ahead is a rest).
    free_since: Instant,
}

/// One thread of the meter.
#[derive(Debug)]
pub(crate) struct Worker<'a> {
    plan: &'a Plan,
    poller: Poller,
    slots: Vec<Slot>,
    /// Slots with nothing to do, the longest idle first.
    idle: VecDeque<u32>,
    /// Slots that rest after a failure to connect.
    resting: Vec<u32>,
    /// The next exchange of each route.
    cursors: Vec<usize>,
    arrivals: Option<Arrivals>,
    window: Window,
    scratch: Vec<u8>,
    tally: Tally,
    busy: usize,
}

impl<'a> Worker<'a> {
    /// Thread `thread` of the plan, with its share of the connections.
    pub(crate) fn new(plan: &'a Plan, thread: usize, start: Instant) -> io::Result<Self> {
        let mut slots = Vec::new();
        for index in (thread..plan.connections).step_by(plan.threads) {
            let source = plan.sources.get(index % plan.sources.len().max(1)).copied();
            let number = u32::try_from(slots.len()).unwrap_or(u32::MAX);
            slots.push(Slot {
                connection: Connection::new(number, source, start),
                route: index % plan.routes.len(),
                exchange: 0,
                start,
                free_since: start,
            });
        }
        Ok(Self {
            plan,
            poller: Poller::new()?,
            idle: (0..u32::try_from(slots.len()).unwrap_or(u32::MAX)).collect(),
            resting: Vec::new(),
            slots,
            cursors: vec![thread; plan.routes.len()],
            arrivals: plan
                .rate
                .map(|rate| Arrivals::constant(start, rate, thread, plan.threads)),
            window: plan.stop.window(start, thread, plan.threads),
            scratch: vec![0; SCRATCH_BYTES],
            tally: Tally::new(),
            busy: 0,
        })
    }

    /// Runs to the end of the plan.
    pub(crate) fn run(mut self) -> io::Result<Tally> {
        let mut mark: Option<CostMark> = None;
        let mut measured = false;
        let mut next_scan = Instant::now() + SCAN_INTERVAL;
        loop {
            let now = Instant::now();
            if mark.is_none() && now >= self.window.from {
                mark = Some(CostMark::now());
            }
            if let Some(mark) = mark.filter(|_| !measured && self.window.is_over(now)) {
                self.tally.cost = mark.elapsed();
                measured = true;
            }
            self.start_due(now);
            if now >= next_scan {
                self.scan(now);
                next_scan = now + SCAN_INTERVAL;
            }
            if self.is_finished(now) {
                break;
            }
            self.turn(next_scan)?;
        }
        if let Some(mark) = mark.filter(|_| !measured) {
            self.tally.cost = mark.elapsed();
        }
        self.count_unsent(Instant::now());
        Ok(self.tally)
    }

    /// Waits once and handles what is ready.
    fn turn(&mut self, next_scan: Instant) -> io::Result<()> {
        let timeout = self
            .next_moment(next_scan)
            .saturating_duration_since(Instant::now());
        let count = self.poller.wait(Some(timeout))?;
        if count == 0 {
            return Ok(());
        }
        let woken = Instant::now();
        for index in 0..count {
            if let Some(event) = self.poller.event(index) {
                self.on_event(event.token, event.closed);
            }
        }
        if self.window.contains(woken) {
            self.tally
                .loop_busy
                .record_many(woken.elapsed(), count as u64);
        }
        Ok(())
    }

    /// When the loop has something to do even if no socket becomes ready.
    fn next_moment(&self, next_scan: Instant) -> Instant {
        let waits_for_time = !self.idle.is_empty() && self.window.budget != Some(0);
        let due = self
            .arrivals
            .as_ref()
            .filter(|_| waits_for_time)
            .map(Arrivals::next_due);
        let due = due.filter(|due| self.window.until.is_none_or(|until| *due < until));
        let mut moment = next_scan;
        for other in [due, self.window.until, Some(self.window.from)]
            .into_iter()
            .flatten()
        {
            // Moments that have passed are of no more concern, except a request that is due.
            if other < moment && (Some(other) == due || other > Instant::now()) {
                moment = other;
            }
        }
        moment
    }

    /// Starts what is due and finds a free connection.
    fn start_due(&mut self, now: Instant) {
        while !self.idle.is_empty() {
            let start = match self.arrivals.as_mut() {
                None if self.window.is_over(now) => return,
                None => Instant::now(),
                Some(arrivals) => {
                    let due = arrivals.next_due();
                    let beyond = self.window.until.is_some_and(|until| due >= until);
                    if due > Instant::now() || beyond || self.window.budget == Some(0) {
                        return;
                    }
                    arrivals.take();
                    due
                }
            };
            let Some(slot) = self.idle.pop_front() else {
                return;
            };
            self.start(slot, start);
            self.proceed(slot);
        }
    }

    /// Puts a request on a free slot.
    fn start(&mut self, index: u32, start: Instant) {
        let Some(slot) = self.slots.get_mut(index as usize) else {
            return;
        };
        let now = Instant::now();
        self.window.spend(start);
        if self.arrivals.is_some() && self.window.contains(start) {
            let possible = start.max(slot.free_since);
            self.tally
                .schedule_lag
                .record(now.saturating_duration_since(possible));
        }
        let Some(route) = self.plan.routes.get(slot.route) else {
            return;
        };
        if let Some(cursor) = self.cursors.get_mut(slot.route) {
            slot.exchange = *cursor % route.exchanges.len();
            *cursor += 1;
        }
        slot.start = start;
        self.busy += 1;
        let Some(exchange) = route.exchanges.get(slot.exchange) else {
            return;
        };
        let shared = Shared {
            poller: &self.poller,
            tls: self.plan.tls.as_ref(),
            scratch: &mut self.scratch,
        };
        if let Err(failure) = slot.connection.begin(route, exchange, &shared, now) {
            self.fail(index, &failure);
        }
    }

    fn on_event(&mut self, token: Token, closed: bool) {
        let Some(slot) = self.slots.get_mut(token.slot as usize) else {
            return;
        };
        if slot.connection.owns(token) {
            slot.connection.on_event(closed);
            self.proceed(token.slot);
        }
    }

    /// Goes on with a slot's exchange; in a closed loop also with the next ones, until one waits.
    fn proceed(&mut self, index: u32) {
        loop {
            let Some(slot) = self.slots.get_mut(index as usize) else {
                return;
            };
            if !slot.connection.is_busy() {
                return;
            }
            let Some(route) = self.plan.routes.get(slot.route) else {
                return;
            };
            let Some(exchange) = route.exchanges.get(slot.exchange) else {
                return;
            };
            let mut shared = Shared {
                poller: &self.poller,
                tls: self.plan.tls.as_ref(),
                scratch: &mut self.scratch,
            };
            match slot.connection.advance(route, exchange, &mut shared) {
                Ok(Progress::Pending) => return,
                Ok(Progress::Complete(verdict)) => self.complete(index, verdict),
                Err(failure) => self.fail(index, &failure),
            }
            let now = Instant::now();
            let again = self.arrivals.is_none() && self.idle.back() == Some(&index);
            if !again || self.window.is_over(now) {
                return;
            }
            self.idle.pop_back();
            self.start(index, now);
        }
    }

    fn complete(&mut self, index: u32, verdict: Result<(), Failure>) {
        let Some(slot) = self.slots.get_mut(index as usize) else {
            return;
        };
        let now = Instant::now();
        match verdict {
            Ok(()) => {
                let body_bytes = slot.connection.body_bytes();
                self.tally
                    .count_success(&self.window, slot.start, now, body_bytes);
            }
            Err(failure) => self
                .tally
                .count_failure(&self.window, slot.start, now, &failure),
        }
        if let Some(setup) = slot.connection.take_setup()
            && self.window.contains(now)
        {
            self.tally.connections_opened += 1;
            self.tally.setup.record(setup);
        }
        if self.plan.new_connections {
            slot.connection.close();
        }
        slot.free_since = now;
        self.busy -= 1;
        self.idle.push_back(index);
    }

    fn fail(&mut self, index: u32, failure: &Failure) {
        let Some(slot) = self.slots.get_mut(index as usize) else {
            return;
        };
        let now = Instant::now();
        self.tally
            .count_failure(&self.window, slot.start, now, failure);
        slot.connection.close();
        self.busy -= 1;
        if failure.is_connecting() {
            slot.free_since = now + RETRY_PAUSE;
            self.resting.push(index);
        } else {
            slot.free_since = now;
            self.idle.push_back(index);
        }
    }

    /// Ends what takes too long, wakes what has rested.
    fn scan(&mut self, now: Instant) {
        for index in 0..u32::try_from(self.slots.len()).unwrap_or(u32::MAX) {
            let timeout = self.window.timeout;
            let Some(slot) = self.slots.get(index as usize) else {
                break;
            };
            // From the actual start: what a request waited for a connection is not its own time.
            let started = slot.start.max(slot.free_since);
            if slot.connection.is_busy() && now.saturating_duration_since(started) > timeout {
                self.fail(index, &Failure::Timeout);
            }
        }
        let slots = &self.slots;
        let rested = |index: &u32| {
            slots
                .get(*index as usize)
                .is_none_or(|slot| slot.free_since <= now)
        };
        let idle = &mut self.idle;
        self.resting.retain(|index| {
            let rested = rested(index);
            if rested {
                idle.push_back(*index);
            }
            !rested
        });
    }

    /// Nothing under way, nothing more to come; or waited long enough for it.
    fn is_finished(&self, now: Instant) -> bool {
        if !self.window.is_over(now) {
            return false;
        }
        let overdue = self
            .window
            .until
            .is_some_and(|until| now >= until + self.window.timeout);
        overdue || (self.busy == 0 && !self.has_backlog())
    }

    /// Whether requests of the window are due that no connection was free for.
    fn has_backlog(&self) -> bool {
        let (Some(arrivals), Some(until)) = (&self.arrivals, self.window.until) else {
            return false;
        };
        self.window.budget != Some(0) && arrivals.next_due() < until
    }

    /// Counts what was never sent, or never answered, when the run ended.
    fn count_unsent(&mut self, now: Instant) {
        for index in 0..u32::try_from(self.slots.len()).unwrap_or(u32::MAX) {
            if self
                .slots
                .get(index as usize)
                .is_some_and(|slot| slot.connection.is_busy())
            {
                self.fail(index, &Failure::Timeout);
            }
        }
        while self.has_backlog() {
            let Some(arrivals) = self.arrivals.as_mut() else {
                return;
            };
            let due = arrivals.next_due();
            arrivals.take();
            if self.window.contains(due) {
                self.tally.count_unsent(&self.window, due, now);
            }
        }
    }
}
