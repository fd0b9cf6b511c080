//! One run of a plan: its threads, the samples of the measured process, the course of it all.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::collect::{Collector, Point};
use super::progress::{Progress, Viewer};
use crate::error::LoadError;
use crate::histogram::latency::Latencies;
use crate::net::affinity;
use crate::plan::run::Plan;
use crate::report::machine::Machine;
use crate::report::process::Sample;
use crate::worker::event_loop::Worker;
use crate::worker::pulse::{Channel, Interval};
use crate::worker::tally::Tally;

/// Time for threads to start before the first request is due.
const START_UP: Duration = Duration::from_millis(20);
/// How often the measured process's memory is looked at, and progress shown.
const TICK: Duration = Duration::from_millis(500);

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) tallies: Vec<Tally>,
    /// Latencies of the window.
    pub(crate) latency: Latencies,
    pub(crate) points: Vec<Point>,
    /// Length of the window.
    pub(crate) window: Duration,
    pub(crate) samples: Option<Samples>,
    pub(crate) machine: Machine,
}

/// Samples of the measured process.
#[derive(Debug)]
pub(crate) struct Samples {
    /// Before the first connection.
    pub(crate) before: Sample,
    /// At both ends of the window.
    pub(crate) from: Sample,
    pub(crate) to: Sample,
    pub(crate) rss_bytes_max: u64,
}

/// Runs a plan to its end, before the eyes of `viewer` if there is one.
pub(crate) fn measure(plan: &Plan, viewer: Option<&Viewer>) -> Result<Outcome, LoadError> {
    affinity::raise_descriptor_limit();
    let machine = Machine::here();
    let start = Instant::now() + START_UP;
    let mut sampler = Sampler::new(plan, start)?;
    let progress = viewer.map(|viewer| Progress::new(viewer, plan, start));
    let (full, intervals) = channel();
    let (mut channels, mut empties) = (Vec::new(), Vec::new());
    for _ in 0..plan.threads {
        let (back, empty) = channel();
        let full = full.clone();
        channels.push(Channel { full, empty });
        empties.push(back);
    }
    drop(full);
    let mut collector = Collector::new(empties);
    let tallies = thread::scope(|scope| {
        let spawn = |(index, channel): (usize, Channel)| {
            scope.spawn(move || work(plan, index, start, channel))
        };
        let handles: Vec<_> = channels.into_iter().enumerate().map(spawn).collect();
        let watched = watch(&intervals, &mut collector, &mut sampler, progress.as_ref());
        let join = |handle: thread::ScopedJoinHandle<'_, Result<Tally, LoadError>>| {
            handle.join().map_err(|_| LoadError::Thread)?
        };
        let tallies = handles.into_iter().map(join).collect::<Result<Vec<_>, _>>();
        watched.and(tallies)
    })?;
    collector.finish();
    if let Some(progress) = progress {
        progress.clear();
    }
    Ok(Outcome {
        window: window_length(plan, start, &tallies),
        tallies,
        latency: collector.total,
        points: collector.points,
        samples: sampler.finish()?,
        machine,
    })
}

/// One thread.
fn work(plan: &Plan, index: usize, start: Instant, channel: Channel) -> Result<Tally, LoadError> {
    if let Some(cpus) = &plan.pin {
        cpus.pin(index)?;
    }
    affinity::set_exact_timers()?;
    let worker = Worker::new(plan, index, start, channel).map_err(LoadError::io("epoll"))?;
    thread::sleep(start.saturating_duration_since(Instant::now()));
    worker.run().map_err(LoadError::io("epoll"))
}

/// Takes intervals, samples and shows progress until all threads have ended.
fn watch(
    intervals: &Receiver<Interval>,
    collector: &mut Collector,
    sampler: &mut Sampler<'_>,
    progress: Option<&Progress>,
) -> Result<(), LoadError> {
    let mut next_tick = Instant::now() + TICK;
    loop {
        let until = sampler
            .next_moment()
            .map_or(next_tick, |at| at.min(next_tick));
        match intervals.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(interval) => collector.add(interval),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        let now = Instant::now();
        sampler.on_time(now)?;
        if now >= next_tick {
            next_tick = now + TICK;
            sampler.look();
            if let Some(progress) = progress {
                progress.show(now, collector);
            }
        }
    }
}

/// Samples the measured process at both ends of the window.
struct Sampler<'a> {
    pids: &'a [i32],
    from_at: Instant,
    to_at: Option<Instant>,
    before: Option<Sample>,
    from: Option<Sample>,
    to: Option<Sample>,
    rss_bytes_max: u64,
}

impl<'a> Sampler<'a> {
    /// Fails if a process is not there.
    fn new(plan: &'a Plan, start: Instant) -> Result<Self, LoadError> {
        let from_at = start + plan.stop.warmup;
        let is_timed = plan.stop.requests.is_none();
        let sample = |pids: &[i32]| Sample::take(pids);
        Ok(Self {
            pids: &plan.pids,
            from_at,
            to_at: plan
                .stop
                .duration
                .filter(|_| is_timed)
                .map(|duration| from_at + duration),
            before: (!plan.pids.is_empty())
                .then(|| sample(&plan.pids))
                .transpose()?,
            from: None,
            to: None,
            rss_bytes_max: 0,
        })
    }

    fn next_moment(&self) -> Option<Instant> {
        if self.before.is_none() || self.to.is_some() {
            return None;
        }
        if self.from.is_none() {
            Some(self.from_at)
        } else {
            self.to_at
        }
    }

    fn on_time(&mut self, now: Instant) -> Result<(), LoadError> {
        while self.next_moment().is_some_and(|at| now >= at) {
            let sample = Sample::take(self.pids)?;
            self.rss_bytes_max = self.rss_bytes_max.max(sample.rss_bytes());
            if self.from.is_none() {
                self.from = Some(sample);
            } else {
                self.to = Some(sample);
            }
        }
        Ok(())
    }

    /// Between the ends only memory matters; a process that has gone is told of at the end.
    fn look(&mut self) {
        if self.from.is_some()
            && self.to.is_none()
            && let Ok(sample) = Sample::take(self.pids)
        {
            self.rss_bytes_max = self.rss_bytes_max.max(sample.rss_bytes());
        }
    }

    fn finish(mut self) -> Result<Option<Samples>, LoadError> {
        let (Some(before), Some(from)) = (self.before.take(), self.from.take()) else {
            return Ok(None);
        };
        let to = match self.to.take() {
            Some(to) => to,
            None => Sample::take(self.pids)?,
        };
        Ok(Some(Samples {
            rss_bytes_max: self.rss_bytes_max.max(to.rss_bytes()),
            before,
            from,
            to,
        }))
    }
}

/// Planned length, or up to the last request where their number ended the window.
fn window_length(plan: &Plan, start: Instant, tallies: &[Tally]) -> Duration {
    match (plan.stop.duration, plan.stop.requests) {
        (Some(duration), None) => duration,
        (duration, _) => {
            let last = tallies.iter().filter_map(|tally| tally.last_done).max();
            let from = start + plan.stop.warmup;
            let actual = last.map_or(Duration::ZERO, |last| last.saturating_duration_since(from));
            duration.map_or(actual, |duration| actual.min(duration))
        }
    }
}
