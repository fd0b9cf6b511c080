//! One thread's loop: starts what is due, waits for sockets, times and counts what is done.
//!
//! A *lane* carries one request at a time; an HTTP/1.1 connection is one lane, an HTTP/2 connection
//! as many as it may have streams. Closed loop: a lane asks again as soon as it was answered (and
//! has thought about it). Open loop: requests are due at moments that no answer changes; one that
//! finds no free lane waits, and its latency counts from when it was due. Slow clients are always a
//! closed loop of their own.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::time::{Duration, Instant};

use super::draw::Draw;
use super::failure::Failure;
use super::job::{Job, Shared};
use super::link::Link;
use super::outcome::Outcome;
use super::pulse::{Channel, Pulse};
use super::tally::{CostMark, Tally};
use crate::net::poller::{Poller, Token};
use crate::plan::arrival::Arrivals;
use crate::plan::file::Scenario;
use crate::plan::random::Random;
use crate::plan::run::Plan;
use crate::plan::stop::Window;

/// How often deadlines are looked at, and so how exact `--timeout` is.
const SCAN_INTERVAL: Duration = Duration::from_millis(20);
/// Connections that are set up at a time where they are to be held.
const OPENING_MAX: usize = 128;
/// Octets read at a time.
const SCRATCH_BYTES: usize = 64 * 1024;

/// What carries one request at a time.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) job: Job,
    pub(super) is_busy: bool,
    /// Belongs to a slow client.
    pub(super) is_slow: bool,
    /// When the exchange under way should have started.
    pub(super) start: Instant,
    /// Since when it has nothing to do; it may not start before (a moment ahead is a rest).
    pub(super) free_since: Instant,
}

/// What a timer wakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wake {
    /// A lane has rested.
    Lane(u32),
    /// A slow client may go on.
    Link(u32, u32),
}

/// One thread of the meter.
#[derive(Debug)]
pub(crate) struct Worker<'a> {
    pub(super) plan: &'a Plan,
    pub(super) poller: Poller,
    pub(super) links: Vec<Link>,
    pub(super) lanes: Vec<Lane>,
    /// Lanes of a link.
    pub(super) lanes_each: usize,
    /// Lanes with nothing to do, the longest idle first; never those of slow clients.
    pub(super) idle: VecDeque<u32>,
    /// Lanes of slow clients that are to start.
    pub(super) slow_idle: Vec<u32>,
    pub(super) timers: BinaryHeap<Reverse<(Instant, Wake)>>,
    pub(super) draw: Draw,
    pub(super) random: Random,
    pub(super) arrivals: Option<Arrivals>,
    pub(super) window: Window,
    pub(super) scratch: Vec<u8>,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) pulse: Pulse,
    pub(super) tally: Tally,
    pub(super) busy: usize,
}

impl<'a> Worker<'a> {
    /// Thread `thread` of the plan, with its share of the connections.
    pub(crate) fn new(
        plan: &'a Plan,
        thread: usize,
        start: Instant,
        channel: Channel,
    ) -> io::Result<Self> {
        let (mut links, mut lanes) = (Vec::new(), Vec::new());
        for index in (thread..plan.connections).step_by(plan.threads) {
            let number = u32::try_from(links.len()).unwrap_or(u32::MAX);
            links.push(Link::new(plan, number, start));
            let job = Job {
                route: plan.first_routes.get(index).copied().unwrap_or(0),
                client: plan.client_deal.get(index).copied().unwrap_or(0),
                life: index,
                ..Job::default()
            };
            let client = plan.clients.get(job.client);
            let is_slow = client.is_some_and(|client| client.slow.is_some());
            lanes.extend((0..plan.streams).map(|_| Lane {
                job,
                is_busy: false,
                is_slow,
                start,
                free_since: start,
            }));
        }
        let random = |stream: usize| Random::new(plan.seed, (thread * 4 + stream) as u64);
        let number = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        let (slow, quick): (Vec<_>, Vec<_>) =
            (0..lanes.len()).partition(|&index| lanes.get(index).is_some_and(|l| l.is_slow));
        let window = plan.stop.window(start, thread, plan.threads);
        Ok(Self {
            plan,
            poller: Poller::new()?,
            links,
            lanes_each: plan.streams,
            idle: quick.into_iter().map(number).collect(),
            slow_idle: slow.into_iter().map(number).collect(),
            timers: BinaryHeap::new(),
            draw: Draw::new(plan, lanes.len() / plan.streams.max(1), thread, random(0)),
            random: random(1),
            lanes,
            arrivals: plan
                .arrivals
                .as_ref()
                .map(|arrivals| Arrivals::new(arrivals, start, thread, plan.threads, random(2))),
            pulse: Pulse::new(channel, thread, &window, plan.stop.interval()),
            window,
            scratch: vec![0; SCRATCH_BYTES],
            outcomes: Vec::new(),
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
            self.pulse.at(now);
            self.fire_timers(now);
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
        self.tally.held = self.links.iter().filter(|link| link.is_open()).count() as u64;
        self.pulse.finish();
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
            .and_then(Arrivals::next_due);
        let due = due.filter(|due| self.window.until.is_none_or(|until| *due < until));
        let timer = self.timers.peek().map(|Reverse((at, _))| *at);
        let mut moment = next_scan.min(self.pulse.ends());
        for must in [due, timer].into_iter().flatten() {
            moment = moment.min(must);
        }
        for other in [self.window.until, Some(self.window.from)]
            .into_iter()
            .flatten()
        {
            // Moments that have passed are of no more concern.
            if other < moment && other > Instant::now() {
                moment = other;
            }
        }
        moment
    }

    fn fire_timers(&mut self, now: Instant) {
        while let Some(&Reverse((at, wake))) = self.timers.peek() {
            if at > now {
                return;
            }
            self.timers.pop();
            match wake {
                Wake::Lane(index) if self.lane_is_slow(index) => self.slow_idle.push(index),
                Wake::Lane(index) => self.idle.push_back(index),
                Wake::Link(slot, generation) => {
                    let token = Token { slot, generation };
                    let link = self.links.get(slot as usize);
                    if link.is_some_and(|link| link.owns(token)) {
                        self.proceed(slot);
                    }
                }
            }
        }
    }

    fn lane_is_slow(&self, index: u32) -> bool {
        self.lanes
            .get(index as usize)
            .is_some_and(|lane| lane.is_slow)
    }

    /// Starts what is due and finds a free lane.
    fn start_due(&mut self, now: Instant) {
        while let Some(lane) = self.slow_idle.pop() {
            if !self.window.is_over(now) {
                self.start(lane, now);
                self.proceed(self.link_of(lane));
            }
        }
        while !self.idle.is_empty() {
            let is_enough = self.window.is_over(now) || self.is_opening_enough();
            let start = match self.arrivals.as_mut() {
                None if is_enough => return,
                None => Instant::now(),
                Some(arrivals) => {
                    let Some(due) = arrivals.next_due() else {
                        return;
                    };
                    let beyond = self.window.until.is_some_and(|until| due >= until);
                    if due > Instant::now() || beyond || self.window.budget == Some(0) {
                        return;
                    }
                    arrivals.take();
                    due
                }
            };
            let Some(lane) = self.idle.pop_front() else {
                return;
            };
            self.start(lane, start);
            self.proceed(self.link_of(lane));
        }
    }

    /// A listener's backlog has an end: connections that are to be held are not opened all at once.
    pub(super) fn is_opening_enough(&self) -> bool {
        self.plan.scenario == Scenario::Hold && self.busy >= OPENING_MAX
    }

    pub(super) fn link_of(&self, lane: u32) -> u32 {
        lane / u32::try_from(self.lanes_each).unwrap_or(1).max(1)
    }

    /// Puts a request on a free lane.
    pub(super) fn start(&mut self, index: u32, start: Instant) {
        let link_index = self.link_of(index);
        let (Some(lane), Some(link)) = (
            self.lanes.get_mut(index as usize),
            self.links.get_mut(link_index as usize),
        ) else {
            return;
        };
        let now = Instant::now();
        if !lane.is_slow {
            self.window.spend(start);
            if self.arrivals.is_some() && self.window.contains(start) {
                let possible = start.max(lane.free_since);
                let lag = now.saturating_duration_since(possible);
                self.tally.schedule_lag.record(lag);
            }
        }
        self.draw.next(
            self.plan,
            link_index as usize,
            link.is_reusable(),
            &mut lane.job,
        );
        lane.start = start;
        lane.is_busy = true;
        self.busy += 1;
        let mut shared = Shared {
            plan: self.plan,
            poller: &self.poller,
            scratch: &mut self.scratch,
            random: &mut self.random,
        };
        if let Err(failure) = link.begin(index, lane.job, &mut shared, now) {
            self.fail(index, &failure);
        }
    }

    fn on_event(&mut self, token: Token, closed: bool) {
        let Some(link) = self.links.get_mut(token.slot as usize) else {
            return;
        };
        if !link.owns(token) {
            return;
        }
        link.on_event(closed);
        if self.plan.scenario == Scenario::Hold && closed && !link.is_busy() {
            link.close();
            self.drop_held();
        } else {
            self.proceed(token.slot);
        }
    }

    /// The other end has closed a connection that was to be held.
    fn drop_held(&mut self) {
        let now = Instant::now();
        if self.window.overlaps(now, now) {
            self.tally.count_error(&Failure::Dropped);
            self.pulse.at(now).errors += 1;
        }
    }

    /// Goes on with a link's exchanges; in a closed loop also with the next ones, until all wait.
    fn proceed(&mut self, index: u32) {
        loop {
            let Some(link) = self.links.get_mut(index as usize) else {
                return;
            };
            if !link.is_busy() {
                return;
            }
            let mut shared = Shared {
                plan: self.plan,
                poller: &self.poller,
                scratch: &mut self.scratch,
                random: &mut self.random,
            };
            let mut outcomes = std::mem::take(&mut self.outcomes);
            link.advance(&mut shared, Instant::now(), &mut outcomes);
            if let Some((at, generation)) = link.next_tick() {
                self.timers
                    .push(Reverse((at, Wake::Link(index, generation))));
            }
            let has_outcomes = !outcomes.is_empty();
            self.count_traffic(index);
            for outcome in outcomes.drain(..) {
                self.settle(outcome);
            }
            self.outcomes = outcomes;
            if !has_outcomes {
                return;
            }
        }
    }

    /// Ends what takes too long.
    fn scan(&mut self, now: Instant) {
        for index in 0..u32::try_from(self.lanes.len()).unwrap_or(u32::MAX) {
            let timeout = self.window.timeout;
            let Some(lane) = self.lanes.get(index as usize) else {
                break;
            };
            // From the actual start: what a request waited for a lane is not its own time.
            let started = lane.start.max(lane.free_since);
            if lane.is_busy && now.saturating_duration_since(started) > timeout {
                self.fail(index, &Failure::Timeout);
            }
        }
    }

    /// Nothing under way, nothing more to come; or waited long enough for it.
    fn is_finished(&self, now: Instant) -> bool {
        if self.plan.scenario == Scenario::Hold {
            return self.window.until.is_some_and(|until| now >= until);
        }
        if !self.window.is_over(now) {
            return false;
        }
        let overdue = self
            .window
            .until
            .is_some_and(|until| now >= until + self.window.timeout);
        let is_cut = self.plan.scenario == Scenario::Bulk;
        let quick_busy = self.lanes.iter().any(|lane| lane.is_busy && !lane.is_slow);
        overdue || is_cut || (!quick_busy && !self.has_backlog())
    }

    /// Whether requests of the window are due that no lane was free for.
    fn has_backlog(&self) -> bool {
        let (Some(arrivals), Some(until)) = (&self.arrivals, self.window.until) else {
            return false;
        };
        self.window.budget != Some(0) && arrivals.next_due().is_some_and(|due| due < until)
    }

    /// Counts what was never sent, or never answered, when the run ended.
    fn count_unsent(&mut self, now: Instant) {
        let scenario = self.plan.scenario;
        let is_cut = scenario == Scenario::Bulk;
        for index in 0..u32::try_from(self.lanes.len()).unwrap_or(u32::MAX) {
            let lane = self.lanes.get(index as usize);
            if lane.is_some_and(|lane| lane.is_busy && !lane.is_slow && !is_cut) {
                self.fail(index, &Failure::Timeout);
            }
        }
        while self.has_backlog() && !is_cut && scenario != Scenario::Hold {
            let Some(arrivals) = self.arrivals.as_mut() else {
                return;
            };
            let Some(due) = arrivals.next_due() else {
                return;
            };
            arrivals.take();
            if self.window.contains(due) {
                // Its latency is at least its age: leaving it out would flatter the percentiles.
                let age = now.saturating_duration_since(due);
                self.pulse.at(now).latency.record(age);
                self.count_failure(false, due, now, &Failure::Unsent);
            }
        }
    }
}
