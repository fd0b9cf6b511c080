//! An HTTP/2 connection of the meter: set up as any other (`connection`), then frames (`streams`).

use std::io;
use std::time::{Duration, Instant};

use super::connection::{Connection, Progress};
use super::failure::Failure;
use super::job::{Job, Shared, Traffic};
use super::outcome::Outcome;
use super::streams::{Ended, Streams};

/// One connection and the exchanges on it.
#[derive(Debug)]
pub(super) struct Session {
    connection: Connection,
    /// There once the connection stands.
    streams: Option<Streams>,
    /// What each lane is to send, or sends.
    jobs: Vec<Option<Job>>,
    /// Lanes whose request waits for the connection, or for room on it.
    waiting: Vec<usize>,
    first_lane: u32,
    outbox: Vec<u8>,
    sent: usize,
    inbox: Vec<u8>,
    ended: Vec<Ended>,
    setup: Option<Duration>,
}

impl Session {
    pub(super) fn new(number: u32, lanes: usize, now: Instant) -> Self {
        let each = u32::try_from(lanes).unwrap_or(1);
        Self {
            connection: Connection::for_setup(number, now),
            streams: None,
            jobs: vec![None; lanes],
            waiting: Vec::new(),
            first_lane: number.saturating_mul(each),
            outbox: Vec::new(),
            sent: 0,
            inbox: Vec::new(),
            ended: Vec::new(),
            setup: None,
        }
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    pub(super) fn is_busy(&self) -> bool {
        self.jobs.iter().any(Option::is_some)
    }

    pub(super) fn is_reusable(&self) -> bool {
        match &self.streams {
            Some(streams) => streams.is_open() && self.connection.is_reusable(),
            // Being set up for others already.
            None => self.is_busy(),
        }
    }

    pub(super) fn take_traffic(&mut self) -> Traffic {
        self.streams
            .as_mut()
            .map(|streams| std::mem::take(&mut streams.traffic))
            .unwrap_or_default()
    }

    /// Starts an exchange; opens the connection first if there is none that can carry it.
    pub(super) fn begin(
        &mut self,
        lane: u32,
        job: Job,
        shared: &mut Shared<'_>,
        now: Instant,
    ) -> Result<(), Failure> {
        // If others are still under way on a connection that takes no more, this one waits.
        if !self.is_reusable() && !self.is_busy() {
            self.close();
            self.connection.begin(job, shared, now)?;
        }
        let lane = lane.saturating_sub(self.first_lane) as usize;
        if let Some(entry) = self.jobs.get_mut(lane) {
            *entry = Some(job);
            self.waiting.push(lane);
        }
        Ok(())
    }

    /// Goes on as far as the socket allows.
    pub(super) fn advance(
        &mut self,
        shared: &mut Shared<'_>,
        now: Instant,
        outcomes: &mut Vec<Outcome>,
    ) {
        let moved = self.move_on(shared, now);
        let mut ended = std::mem::take(&mut self.ended);
        for (lane, verdict) in ended.drain(..) {
            self.report(lane, verdict, outcomes);
        }
        self.ended = ended;
        if let Err(failure) = moved {
            self.close_transport();
            for lane in 0..self.jobs.len() {
                if self.jobs.get(lane).is_some_and(Option::is_some) {
                    self.report(lane, Err(failure.clone()), outcomes);
                }
            }
        }
    }

    fn report(
        &mut self,
        lane: usize,
        verdict: Result<Result<(), Failure>, Failure>,
        outcomes: &mut Vec<Outcome>,
    ) {
        if let Some(job) = self.jobs.get_mut(lane) {
            *job = None;
        }
        self.waiting.retain(|&waiting| waiting != lane);
        outcomes.push(Outcome {
            lane: self.first_lane + u32::try_from(lane).unwrap_or(0),
            verdict,
            setup: self.setup.take(),
        });
    }

    fn move_on(&mut self, shared: &mut Shared<'_>, now: Instant) -> Result<(), Failure> {
        if self.streams.is_none() {
            match self.connection.advance(shared, now)? {
                Progress::Pending => return Ok(()),
                Progress::Complete(_) => {}
            }
            if !self.connection.speaks(b"h2") {
                return Err(Failure::Http2("the other end does not speak it".to_owned()));
            }
            self.setup = self.connection.take_setup();
            self.outbox.clear();
            self.inbox.clear();
            self.sent = 0;
            self.streams = Some(Streams::start(self.jobs.len(), &mut self.outbox));
        }
        self.send_waiting(shared);
        self.flush()?;
        self.receive(shared)?;
        self.send_waiting(shared);
        self.flush()?;
        self.renew(shared, now)
    }

    /// Opens the next connection, if this one has ended in order while requests wait.
    fn renew(&mut self, shared: &mut Shared<'_>, now: Instant) -> Result<(), Failure> {
        let has_ended = !self.is_reusable();
        let is_drained = self
            .streams
            .as_ref()
            .is_some_and(|streams| streams.active() == 0);
        let next = self
            .waiting
            .first()
            .and_then(|&lane| self.jobs.get(lane).copied().flatten());
        if let Some(job) = next.filter(|_| has_ended && is_drained) {
            self.close_transport();
            self.connection.begin(job, shared, now)?;
        }
        Ok(())
    }

    /// Renders requests that wait, as far as the other end allows.
    fn send_waiting(&mut self, shared: &Shared<'_>) {
        let Some(streams) = self.streams.as_mut() else {
            return;
        };
        while streams.is_open() && streams.has_room() {
            let Some(lane) = self.waiting.pop() else {
                return;
            };
            let job = self.jobs.get(lane).copied().flatten();
            if let Some((_, exchange, client)) = job.and_then(|job| job.resolve(shared.plan)) {
                streams.request(lane, exchange, client, &mut self.outbox);
            }
        }
    }

    /// Sends what is rendered, and what can be rendered once there is room.
    fn flush(&mut self) -> Result<(), Failure> {
        loop {
            while let Some(rest) = self.outbox.get(self.sent..).filter(|rest| !rest.is_empty()) {
                match self.connection.write(rest) {
                    Ok(count) => self.sent += count,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                    Err(error) => return Err(Failure::from_io(&error)),
                }
            }
            self.outbox.clear();
            self.sent = 0;
            if let Some(streams) = self.streams.as_mut() {
                streams.send_bodies(&mut self.outbox);
            }
            if self.outbox.is_empty() {
                return self
                    .connection
                    .flush()
                    .map(|_| ())
                    .map_err(|e| Failure::from_io(&e));
            }
        }
    }

    fn receive(&mut self, shared: &mut Shared<'_>) -> Result<(), Failure> {
        let Some(streams) = self.streams.as_mut() else {
            return Ok(());
        };
        loop {
            let count = match self.connection.read(shared.scratch) {
                Ok(0) => return Err(Failure::EarlyClose),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(Failure::from_io(&error)),
            };
            let bytes = shared.scratch.get(..count).unwrap_or_default();
            self.inbox.extend_from_slice(bytes);
            let taken = streams
                .receive(&self.inbox, &mut self.outbox, &mut self.ended)
                .map_err(|violation| Failure::Http2(violation.to_string()))?;
            self.inbox.drain(..taken);
        }
    }

    /// Gives up a lane's exchange; the others go on.
    pub(super) fn abandon(&mut self, lane: u32) {
        let lane = lane.saturating_sub(self.first_lane) as usize;
        let was_busy = self.jobs.get_mut(lane).and_then(Option::take).is_some();
        self.waiting.retain(|&waiting| waiting != lane);
        if let Some(streams) = self.streams.as_mut() {
            streams.cancel(lane, &mut self.outbox);
        }
        if was_busy && !self.is_busy() && self.streams.is_none() {
            self.close();
        }
    }

    pub(super) fn close(&mut self) {
        self.close_transport();
        self.jobs.fill(None);
        self.waiting.clear();
    }

    fn close_transport(&mut self) {
        self.connection.close();
        self.streams = None;
        self.outbox.clear();
        self.sent = 0;
    }
}
