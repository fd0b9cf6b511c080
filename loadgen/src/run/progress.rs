//! What a person sees on the terminal while a run lasts: a bar on stderr with the time that is left and
//! the figures of the last moments. In a pipe nothing of it appears.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use jiff::SignedDuration;

use super::collect::Collector;
use crate::histogram::merge::Summary;
use crate::plan::run::Plan;
use crate::report::words::Time;

/// Over how long the rate that is shown is taken.
const RATE_SPAN: Duration = Duration::from_secs(1);
const TEMPLATE: &str = "{bar:20} {prefix}   {msg}";

/// Someone who looks on.
#[derive(Debug, Clone)]
pub(crate) struct Viewer {
    /// What this run is among several.
    pub(crate) label: String,
    /// At most so long will take what follows after it; none if that is not known.
    pub(crate) later: Option<Duration>,
}

impl Viewer {
    /// Someone, if there is a terminal and they want to.
    pub(crate) fn unless(is_quiet: bool) -> Option<Self> {
        let single = Self {
            label: String::new(),
            later: Some(Duration::ZERO),
        };
        (!is_quiet && std::io::stderr().is_terminal()).then_some(single)
    }
}

/// The bar.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    viewer: Viewer,
    start: Instant,
    from: Instant,
    until: Option<Instant>,
    requests: Option<u64>,
    interval: Duration,
}

impl Progress {
    pub(super) fn new(viewer: &Viewer, plan: &Plan, start: Instant) -> Self {
        let from = start + plan.stop.warmup;
        // Where the number of requests ends a run, that is how far it is; else time.
        let length = plan.stop.requests.unwrap_or_else(|| {
            let duration = plan.stop.duration.unwrap_or_default();
            millis(plan.stop.warmup + duration)
        });
        let bar = ProgressBar::new(length);
        // The template is tested to be good; a bar without one is a bar still.
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style.progress_chars("=> "));
        }
        Self {
            bar,
            viewer: viewer.clone(),
            start,
            from,
            until: plan.stop.duration.map(|duration| from + duration),
            requests: plan.stop.requests,
            interval: plan.stop.interval(),
        }
    }

    /// Shows how far it is.
    pub(super) fn show(&self, now: Instant, collector: &Collector) {
        self.bar.set_position(match self.requests {
            Some(_) => collector.completed() + collector.errors(),
            None => millis(now.saturating_duration_since(self.start)),
        });
        self.bar.set_prefix(self.left(now, collector));
        self.bar.set_message(format!(
            "{}{}",
            self.viewer.label,
            self.figures(now, collector)
        ));
    }

    /// Leaves an empty line for what follows.
    pub(super) fn clear(self) {
        self.bar.finish_and_clear();
    }

    fn left(&self, now: Instant, collector: &Collector) -> String {
        match (self.until, self.requests) {
            (_, Some(requests)) => {
                let done = collector.completed() + collector.errors();
                format!("{} requests left", requests.saturating_sub(done))
            }
            (Some(until), None) => {
                let own = until.saturating_duration_since(now);
                match self.viewer.later {
                    Some(Duration::ZERO) => format!("{} left", rounded(own)),
                    Some(later) => format!("at most {} left", rounded(own + later)),
                    None => format!("{} left in this run", rounded(own)),
                }
            }
            (None, None) => String::new(),
        }
    }

    fn figures(&self, now: Instant, collector: &Collector) -> String {
        if now < self.from {
            return "warming up".to_owned();
        }
        let count = (RATE_SPAN.as_secs_f64() / self.interval.as_secs_f64()).ceil();
        let recent = collector.points.iter().rev();
        let recent: Vec<_> = recent
            .zip(1..)
            .take_while(|(_, n)| f64::from(*n) <= count)
            .collect();
        let completed: u64 = recent.iter().map(|(point, _)| point.completed).sum();
        let span = self.interval.as_secs_f64() * recent.len().max(1) as f64;
        let last = recent
            .first()
            .map_or_else(Summary::default, |(point, _)| point.latency);
        format!(
            "{:.0}/s   p50 {}  p99 {}  p99.9 {}  max {}   {} errors",
            completed as f64 / span,
            Time(last.p50),
            Time(last.p99),
            Time(last.p99_9),
            Time(last.max),
            collector.errors()
        )
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// `1m 30s`; whole seconds, rounded up.
fn rounded(duration: Duration) -> String {
    let up = u64::from(duration.subsec_nanos() > 0);
    let seconds = i64::try_from(duration.as_secs() + up).unwrap_or(i64::MAX);
    format!("{:#}", SignedDuration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_good() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }

    #[test]
    fn what_is_left_is_rounded_up() {
        assert_eq!(rounded(Duration::from_millis(1_001)), "2s");
        assert_eq!(rounded(Duration::from_secs(90)), "1m 30s");
        assert_eq!(rounded(Duration::ZERO), "0s");
    }
}
