//! What follows when an exchange is over: it is counted, and its lane goes on, rests or is done.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use super::event_loop::{Wake, Worker};
use super::failure::Failure;
use super::outcome::Outcome;
use crate::plan::file::Scenario;

/// How long a lane whose connection could not be set up rests before the next try.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

impl Worker<'_> {
    /// Octets count when they pass, whatever becomes of their request.
    pub(super) fn count_traffic(&mut self, index: u32) {
        let Some(link) = self.links.get_mut(index as usize) else {
            return;
        };
        let traffic = link.take_traffic();
        if traffic.received + traffic.sent == 0 {
            return;
        }
        let now = Instant::now();
        if self.window.contains(now) {
            self.tally.traffic.received += traffic.received;
            self.tally.traffic.sent += traffic.sent;
            self.pulse.at(now).body_bytes += traffic.received + traffic.sent;
        }
    }

    /// An exchange is over: counts it and lets the lane go on.
    pub(super) fn settle(&mut self, outcome: Outcome) {
        let index = outcome.lane;
        match outcome.verdict {
            Ok(verdict) => self.complete(index, verdict, outcome.setup),
            Err(failure) => self.fail(index, &failure),
        }
        let now = Instant::now();
        let again = self.arrivals.is_none() && self.idle.back() == Some(&index);
        if again && !self.window.is_over(now) && !self.is_opening_enough() {
            self.idle.pop_back();
            self.start(index, now);
        }
    }

    /// The response is complete, though maybe not what was expected.
    fn complete(&mut self, index: u32, verdict: Result<(), Failure>, setup: Option<Duration>) {
        let link_index = self.link_of(index) as usize;
        let Some(lane) = self.lanes.get_mut(index as usize) else {
            return;
        };
        let now = Instant::now();
        let (start, is_slow, is_last) = (lane.start, lane.is_slow, lane.job.is_last);
        lane.is_busy = false;
        lane.free_since = now;
        self.busy -= 1;
        match verdict {
            Ok(()) if is_slow => {
                self.tally.slow.completed += u64::from(self.window.contains(now));
            }
            Ok(()) => self.count_success(start, now),
            Err(failure) => self.count_failure(is_slow, start, now, &failure),
        }
        if let Some(setup) = setup.filter(|_| self.window.contains(now)) {
            self.tally.connections_opened += 1;
            self.tally.setup.record(setup);
        }
        match self.plan.scenario {
            // Held to the end: the lane has done all it had to do.
            Scenario::Hold => return,
            Scenario::Handshakes => self.close_link(link_index),
            Scenario::Requests | Scenario::Bulk if is_last => self.close_link(link_index),
            Scenario::Requests | Scenario::Bulk => {}
        }
        match self.draw.think(self.plan) {
            Some(rest) => self.rest(index, now + rest),
            None if is_slow => self.rest(index, now),
            None => self.idle.push_back(index),
        }
    }

    fn close_link(&mut self, index: usize) {
        if let Some(link) = self.links.get_mut(index) {
            link.close();
        }
    }

    fn rest(&mut self, index: u32, until: Instant) {
        if let Some(lane) = self.lanes.get_mut(index as usize) {
            lane.free_since = until;
        }
        self.timers.push(Reverse((until, Wake::Lane(index))));
    }

    /// There is no response. The link has ended what cannot go on.
    pub(super) fn fail(&mut self, index: u32, failure: &Failure) {
        let link_index = self.link_of(index) as usize;
        let Some(lane) = self.lanes.get_mut(index as usize) else {
            return;
        };
        let now = Instant::now();
        let (start, is_slow) = (lane.start, lane.is_slow);
        lane.is_busy = false;
        lane.free_since = now;
        self.busy -= 1;
        if let Some(link) = self.links.get_mut(link_index) {
            link.abandon(index);
        }
        self.count_failure(is_slow, start, now, failure);
        if failure.is_connecting() {
            self.rest(index, now + RETRY_PAUSE);
        } else if is_slow {
            self.rest(index, now);
        } else {
            self.idle.push_back(index);
        }
    }

    fn count_success(&mut self, start: Instant, now: Instant) {
        let interval = self.pulse.at(now);
        if self.window.contains(start) {
            interval
                .latency
                .record(now.saturating_duration_since(start));
            self.tally.last_done = Some(now);
        }
        interval.completed += u64::from(self.window.contains(now));
    }

    /// An exchange that failed counts if any part of it lay in the window: of a subject that hangs,
    /// all that was asked may have been asked during the warm-up.
    pub(super) fn count_failure(
        &mut self,
        is_slow: bool,
        start: Instant,
        now: Instant,
        failure: &Failure,
    ) {
        if !self.window.overlaps(start, now) {
            return;
        }
        if is_slow {
            return self.tally.slow.count_error(failure);
        }
        self.tally.count_error(failure);
        self.pulse.at(now).errors += 1;
        self.tally.last_done = Some(now);
    }
}
