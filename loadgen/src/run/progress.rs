//! What a person sees on the terminal while a run lasts: one line on stderr that is written over.
//! In a pipe nothing of it appears.

use std::io::Write as _;
use std::time::{Duration, Instant};

use super::collect::Collector;
use crate::histogram::merge::Summary;
use crate::plan::run::Plan;
use crate::report::words::Time;

/// Over how long the rate that is shown is taken.
const RATE_SPAN: Duration = Duration::from_secs(1);

/// The line.
#[derive(Debug)]
pub(super) struct Progress {
    from: Instant,
    until: Option<Instant>,
    requests: Option<u64>,
    interval: Duration,
}

impl Progress {
    pub(super) fn new(plan: &Plan, start: Instant) -> Self {
        let from = start + plan.stop.warmup;
        Self {
            from,
            until: plan.stop.duration.map(|duration| from + duration),
            requests: plan.stop.requests,
            interval: plan.stop.interval(),
        }
    }

    /// Writes the line over the one before.
    pub(super) fn show(&self, now: Instant, collector: &Collector) {
        let line = self.line(now, collector);
        let mut stderr = std::io::stderr().lock();
        // Whether a person sees it does not change the run.
        let _ = write!(stderr, "\r\x1b[2K{line}").and_then(|()| stderr.flush());
    }

    /// Leaves an empty line for what follows.
    pub(super) fn clear(self) {
        let mut stderr = std::io::stderr().lock();
        let _ = write!(stderr, "\r\x1b[2K").and_then(|()| stderr.flush());
    }

    fn line(&self, now: Instant, collector: &Collector) -> String {
        if now < self.from {
            return format!("warming up, {:.0} s left", seconds(self.from - now).ceil());
        }
        let left = match (self.until, self.requests) {
            (_, Some(requests)) => {
                let left = requests.saturating_sub(collector.completed());
                format!("{left} requests left")
            }
            (Some(until), None) => {
                format!(
                    "{:.0} s left",
                    seconds(until.saturating_duration_since(now)).ceil()
                )
            }
            (None, None) => String::new(),
        };
        let count = (seconds(RATE_SPAN) / seconds(self.interval)).ceil();
        let recent = collector.points.iter().rev();
        let recent: Vec<_> = recent
            .zip(1..)
            .take_while(|(_, n)| f64::from(*n) <= count)
            .collect();
        let completed: u64 = recent.iter().map(|(point, _)| point.completed).sum();
        let span = seconds(self.interval) * recent.len().max(1) as f64;
        let last = recent
            .first()
            .map_or_else(Summary::default, |(point, _)| point.latency);
        format!(
            "{left}   {:.0}/s   p50 {}  p99 {}  p99.9 {}  max {}   {} errors",
            completed as f64 / span,
            Time(last.p50),
            Time(last.p99),
            Time(last.p99_9),
            Time(last.max),
            collector.errors()
        )
    }
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}
