//! From what is written to what can be done: every key judged, all problems told at once. Pure but
//! for the file of recorded arrivals; names and certificates come later, see `run`.

use std::io;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::arrival::{ArrivalPlan, RateCurve};
use super::defaults::{Defaults, TIMEOUT_DEFAULT};
use super::file::{HttpVersion, PlanFile, Scenario};
use super::mix::Template;
use super::problem::Problem;
use super::stop::Stop;
use super::url::Scheme;

/// Judges one file.
#[derive(Debug)]
pub(super) struct Checker<'a> {
    pub(super) file: &'a PlanFile,
    pub(super) problems: Vec<Problem>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(file: &'a PlanFile) -> Self {
        Self {
            file,
            problems: Vec::new(),
        }
    }

    pub(super) fn problem(&mut self, key: impl Into<String>, message: impl ToString) {
        self.problems.push(Problem::of(key, message));
    }

    /// Counts within their bounds.
    pub(super) fn counts(&mut self) -> (usize, usize, usize) {
        let connections = self.file.connections;
        let connections = connections.unwrap_or(Defaults::RUN.connections);
        let threads = self.file.threads.unwrap_or(1);
        let streams = self.file.streams.unwrap_or(1);
        if !(1..=1_000_000).contains(&connections) {
            self.problem("connections", "not from 1 to 1000000");
        }
        if !(1..=256).contains(&threads) {
            self.problem("threads", "not from 1 to 256");
        }
        if u32::from(threads) > connections && connections > 0 {
            self.problem(
                "connections",
                format!("{connections}: fewer than threads ({threads})"),
            );
        }
        if !(1..=1_000).contains(&streams) {
            self.problem("streams", "not from 1 to 1000");
        }
        if self.file.http == HttpVersion::One && streams > 1 {
            self.problem("streams", "only with http = \"2\"");
        }
        (connections as usize, usize::from(threads), streams as usize)
    }

    /// The open loop, if it is one.
    pub(super) fn arrivals(&mut self) -> Option<ArrivalPlan> {
        let arrivals = &self.file.arrivals;
        let kinds = [
            arrivals.rate.is_some(),
            !arrivals.steps.is_empty(),
            arrivals.recorded.is_some(),
        ];
        if kinds.iter().filter(|&&given| given).count() > 1 {
            self.problem("arrivals", "only one of rate, steps and recorded");
        }
        let is_rate = |rate: f64| rate.is_finite() && (0.0..=1e8).contains(&rate);
        if let Some(rate) = arrivals.rate {
            if !(is_rate(rate) && rate > 0.0) {
                self.problem("arrivals.rate", "not between 0 and 100 million");
                return None;
            }
            return Some(ArrivalPlan::Curve(
                RateCurve::constant(rate),
                arrivals.spacing,
            ));
        }
        if let Some(path) = &arrivals.recorded {
            return match recorded(path) {
                Ok(moments) => Some(ArrivalPlan::Recorded(moments.into())),
                Err(message) => {
                    self.problem("arrivals.recorded", message);
                    None
                }
            };
        }
        for (index, step) in arrivals.steps.iter().enumerate() {
            if !is_rate(step.rate) || step.duration.0.is_zero() {
                self.problem(
                    format!("arrivals.steps.{index}"),
                    "a rate between 0 and 100 million, for some time",
                );
            }
        }
        let steps: Vec<_> = arrivals
            .steps
            .iter()
            .map(|s| (s.rate, s.duration.0))
            .collect();
        (!steps.is_empty()).then(|| ArrivalPlan::Curve(RateCurve::steps(&steps), arrivals.spacing))
    }

    /// What ends the run.
    pub(super) fn stop(&mut self, arrivals: Option<&ArrivalPlan>) -> Stop {
        let warmup = self.file.warmup.map_or(Duration::ZERO, |period| period.0);
        let planned = arrivals
            .and_then(ArrivalPlan::length)
            .map(|length| length.saturating_sub(warmup));
        let given = self.file.duration.map(|period| period.0);
        let needed = self
            .file
            .requests
            .is_none()
            .then_some(Defaults::RUN.duration);
        let duration = given.or(planned).or(needed);
        if duration == Some(Duration::ZERO) {
            self.problem("duration", "nothing to measure");
        }
        if self.file.requests == Some(0) {
            self.problem("requests", "nothing to measure");
        }
        let counts_requests = self.file.scenario != Scenario::Hold;
        if self.file.requests.is_some() && !counts_requests {
            self.problem("requests", "only time ends a hold");
        }
        Stop {
            warmup,
            duration,
            requests: self.file.requests,
            timeout: self.file.timeout.map_or(TIMEOUT_DEFAULT, |period| period.0),
        }
    }

    /// What this machine must have.
    pub(super) fn machine(&mut self) {
        for (index, source) in self.file.sources.iter().enumerate() {
            if let Err(error) = UdpSocket::bind((*source, 0)) {
                self.problem(format!("sources.{index}"), format!("{source}: {error}"));
            }
        }
        for (index, pid) in self.file.pids.iter().enumerate() {
            if !Path::new("/proc").join(pid.to_string()).is_dir() {
                self.problem(format!("pids.{index}"), format!("{pid}: no such process"));
            }
        }
    }

    /// Share of new connections and requests a connection carries.
    pub(super) fn life(&mut self, streams: usize) -> Life {
        let new_share = self.file.new_connections.unwrap_or(0.0);
        if !(0.0..=1.0).contains(&new_share) {
            self.problem("new_connections", "a share, from 0 to 1");
        }
        if self.file.keep_alive == Some(0) {
            self.problem("keep_alive", "a connection carries at least one request");
        }
        let life = Life {
            new_share,
            requests: self.file.keep_alive,
        };
        if life.is_finite() && streams > 1 {
            let key = if new_share > 0.0 {
                "new_connections"
            } else {
                "keep_alive"
            };
            self.problem(key, "not with several streams on a connection");
        }
        if self.file.think_time.is_some()
            && self.file.arrivals != super::file::ArrivalsFile::default()
        {
            self.problem("think_time", "an open loop does not wait for answers");
        }
        life
    }

    /// What only some scenarios and versions can do.
    pub(super) fn combinations(&mut self, templates: &[Template]) {
        let https = templates
            .iter()
            .filter(|t| t.url.scheme == Scheme::Https)
            .count();
        if self.file.http == HttpVersion::Two && https < templates.len() {
            self.problem("http", "HTTP/2 is agreed by TLS: https URLs only");
        }
        let plain_setup = matches!(self.file.scenario, Scenario::Handshakes | Scenario::Hold);
        if plain_setup && self.file.http == HttpVersion::Two {
            self.problem("http", "sets up connections only: no version of HTTP");
        }
        let slow = self
            .file
            .client
            .iter()
            .position(|client| client.slow.is_some());
        if let Some(index) = slow
            && (self.file.http == HttpVersion::Two || self.file.scenario != Scenario::Requests)
        {
            self.problem(format!("client.{index}.slow"), "only for HTTP/1.1 requests");
        }
        if !self.file.client.is_empty() && self.file.client.iter().all(|c| c.slow.is_some()) {
            self.problem(
                "client",
                "at least one group must not be slow: it is what is measured",
            );
        }
    }
}

/// How long connections live, in requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Life {
    /// Share of requests after which the connection is closed, by chance.
    pub(crate) new_share: f64,
    /// Requests after which it is closed in any case.
    pub(crate) requests: Option<u64>,
}

impl Life {
    /// Whether connections are closed at all.
    pub(crate) fn is_finite(self) -> bool {
        self.new_share > 0.0 || self.requests.is_some()
    }
}

/// A file holds no moments to send at.
#[derive(Debug, thiserror::Error)]
enum RecordedError {
    #[error("{}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}:{line_number}: not seconds: {line}", path.display())]
    NotSeconds {
        path: PathBuf,
        line_number: usize,
        line: String,
    },
    #[error("{}: no moment in it", .0.display())]
    Empty(PathBuf),
}

/// Seconds after the start, one a line, in any order; `#` begins a comment.
fn recorded(path: &Path) -> Result<Vec<f64>, RecordedError> {
    let text = std::fs::read_to_string(path).map_err(|source| RecordedError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let mut moments = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        match line.parse::<f64>() {
            Ok(moment) if moment.is_finite() && moment >= 0.0 => moments.push(moment),
            _ => {
                return Err(RecordedError::NotSeconds {
                    path: path.to_owned(),
                    line_number: index + 1,
                    line: line.to_owned(),
                });
            }
        }
    }
    if moments.is_empty() {
        return Err(RecordedError::Empty(path.to_owned()));
    }
    moments.sort_unstable_by(f64::total_cmp);
    Ok(moments)
}
