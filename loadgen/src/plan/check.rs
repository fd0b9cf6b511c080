//! From what is written to what can be done: every key judged, all problems told at once. Pure but
//! for the file of recorded arrivals; names and certificates come later, see `run`.

use std::time::Duration;

use super::arrival::{ArrivalPlan, RateCurve};
use super::client::{fields, is_token};
use super::file::{HttpVersion, PlanFile, RequestFile, Scenario};
use super::mix::{Expectation, Sent, Template};
use super::problem::Problem;
use super::random::zipf;
use super::stop::Stop;
use super::url::{Scheme, Url};
use crate::pattern;

/// Length of the window when nothing else ends it.
const DURATION_DEFAULT: Duration = Duration::from_secs(10);
/// How long a request may take unless told.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// Longest request body, octets: its checksum is computed before the run.
const BODY_BYTES_MAX: u64 = 1 << 36;
/// Most host names.
const HOSTS_MAX: usize = 1_000_000;
/// Most requests over all hosts: each is rendered before the run (about 300 octets).
const TEMPLATES_MAX: usize = 4_000_000;

/// Judges one file.
#[derive(Debug)]
pub(super) struct Checker<'a> {
    file: &'a PlanFile,
    pub(super) problems: Vec<Problem>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(file: &'a PlanFile) -> Self {
        Self {
            file,
            problems: Vec::new(),
        }
    }

    fn problem(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem::of(key, message));
    }

    /// Counts within their bounds.
    pub(super) fn counts(&mut self) -> (usize, usize, usize) {
        let connections = self.file.connections.unwrap_or(1);
        let threads = self.file.threads.unwrap_or(1);
        let streams = self.file.streams.unwrap_or(1);
        if !(1..=1_000_000).contains(&connections) {
            self.problem("connections", "not from 1 to 1000000");
        }
        if !(1..=256).contains(&threads) {
            self.problem("threads", "not from 1 to 256");
        }
        if u32::from(threads) > connections {
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
        let needed = self.file.requests.is_none().then_some(DURATION_DEFAULT);
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

    /// Each request for each of its hosts.
    pub(super) fn templates(&mut self) -> Vec<Template> {
        let hosts = self.hosts();
        if self.file.request.is_empty() {
            self.problem(
                "url",
                "nothing to ask for: give a url, or a plan with [[request]]",
            );
        }
        let uses_hosts = |request: &RequestFile| {
            request
                .url
                .as_deref()
                .is_some_and(|url| url.contains("{host}"))
        };
        let used = self.file.request.iter().filter(|r| uses_hosts(r)).count();
        if used == 0 && !hosts.is_empty() {
            self.problem("hosts", "no url has {host} in it");
        }
        if hosts.len().saturating_mul(used) > TEMPLATES_MAX {
            self.problem(
                "hosts",
                format!("more than {TEMPLATES_MAX} requests over all hosts"),
            );
            return Vec::new();
        }
        let mut templates = Vec::new();
        for (index, request) in self.file.request.iter().enumerate() {
            let Some(template) = self.template(index, request) else {
                continue;
            };
            let (Some(text), true) = (&request.url, uses_hosts(request)) else {
                templates.push(template);
                continue;
            };
            if hosts.is_empty() {
                self.problem(format!("request.{index}.url"), "{host}, but no [hosts]");
            }
            for (host, weight) in &hosts {
                match Url::parse(&text.replace("{host}", host)) {
                    Ok(url) => templates.push(Template {
                        url,
                        weight: template.weight * weight,
                        ..template.clone()
                    }),
                    Err(error) => {
                        self.problem(format!("request.{index}.url"), error.to_string());
                        break;
                    }
                }
            }
        }
        templates
    }

    /// Names and weights of `[hosts]`; the weights' mean is 1.
    fn hosts(&mut self) -> Vec<(String, f64)> {
        let hosts = &self.file.hosts;
        let names = match (&hosts.pattern, hosts.count) {
            (None, None) => hosts.names.clone(),
            (Some(pattern), Some(count @ 1..=HOSTS_MAX)) if pattern.contains("{n}") => (1..=count)
                .map(|number| pattern.replace("{n}", &number.to_string()))
                .chain(hosts.names.iter().cloned())
                .collect(),
            _ => {
                let message = "pattern (with {n} in it) and count (from 1 to 1000000) go together";
                self.problem("hosts", message);
                Vec::new()
            }
        };
        if hosts
            .zipf
            .is_some_and(|exponent| !(0.0..=10.0).contains(&exponent))
        {
            self.problem("hosts.zipf", "an exponent from 0 to 10");
        }
        let weights = match hosts.zipf {
            Some(exponent) => zipf(names.len(), exponent),
            None => vec![1.0; names.len()],
        };
        let mean = weights.iter().sum::<f64>() / weights.len().max(1) as f64;
        names
            .into_iter()
            .zip(weights.into_iter().map(|weight| weight / mean))
            .collect()
    }

    /// One request, with the first host.
    fn template(&mut self, index: usize, request: &RequestFile) -> Option<Template> {
        let defaults = &self.file.defaults;
        let key = |name: &str| format!("request.{index}.{name}");
        let before = self.problems.len();
        let text = request.url.as_deref().unwrap_or_default();
        let url = Url::parse(&text.replace("{host}", "host"));
        if let Err(error) = &url {
            self.problem(key("url"), error.to_string());
        }
        let weight = request.weight.unwrap_or(1.0);
        if !(weight.is_finite() && weight > 0.0) {
            self.problem(key("weight"), "not a positive number");
        }
        let method = request.method.as_ref().or(defaults.method.as_ref());
        let method = method.map_or_else(|| "GET".to_owned(), Clone::clone);
        if method.is_empty() || !method.bytes().all(is_token) || method == "CONNECT" {
            self.problem(key("method"), format!("{method}: not a method"));
        }
        let mut lines = defaults.headers.clone().unwrap_or_default();
        lines.extend(request.headers.clone().unwrap_or_default());
        let fields = fields(&lines).unwrap_or_else(|message| {
            self.problem(key("headers"), message);
            Vec::new()
        });
        let body_bytes = request.body_bytes.or(defaults.body_bytes).unwrap_or(0);
        if body_bytes > BODY_BYTES_MAX {
            self.problem(key("body_bytes"), "more than 64 GiB");
        }
        let url = url.ok()?;
        let expectation = self.expectation(index, request, &url, &method, body_bytes)?;
        (self.problems.len() == before).then(|| Template {
            url,
            weight,
            method,
            fields: self.with_usual_fields(fields),
            body_bytes,
            expectation,
        })
    }

    /// What any client sends, unless the plan says otherwise.
    fn with_usual_fields(&self, fields: Vec<(String, String)>) -> Vec<(String, String)> {
        let of_clients = self.file.client.iter().flat_map(|client| &client.headers);
        let named = |wanted: &str| {
            let is = |name: &str| name.eq_ignore_ascii_case(wanted);
            let by_client = |line: &String| line.split_once(':').is_some_and(|(name, _)| is(name));
            fields.iter().any(|(name, _)| is(name)) || of_clients.clone().any(by_client)
        };
        let usual = [("User-Agent", "sallyport-load"), ("Accept", "*/*")];
        let usual: Vec<_> = usual
            .into_iter()
            .filter(|(name, _)| !named(name))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        usual.into_iter().chain(fields).collect()
    }

    fn expectation(
        &mut self,
        index: usize,
        request: &RequestFile,
        url: &Url,
        method: &str,
        body_bytes: u64,
    ) -> Option<Expectation> {
        let defaults = &self.file.defaults;
        let status = request
            .expect_status
            .or(defaults.expect_status)
            .unwrap_or(200);
        if !(200..=599).contains(&status) {
            self.problem(
                format!("request.{index}.expect_status"),
                "not from 200 to 599",
            );
        }
        let digits = request
            .expect_crc32c
            .as_ref()
            .or(defaults.expect_crc32c.as_ref());
        let crc32c = match digits.map(|digits| u32::from_str_radix(digits, 16)) {
            None => None,
            Some(Ok(crc)) => Some(crc),
            Some(Err(_)) => {
                let key = format!("request.{index}.expect_crc32c");
                self.problem(key, "not eight hexadecimal digits");
                return None;
            }
        };
        let path = url.path.split('?').next().unwrap_or_default();
        let pattern_bytes = path.strip_prefix("/bytes/").and_then(|n| n.parse().ok());
        let check_body = request.check_body.or(defaults.check_body).unwrap_or(true);
        let pattern = check_body && pattern_bytes.is_some() && status == 200;
        let expect_bytes = request.expect_bytes.or(defaults.expect_bytes);
        Some(Expectation {
            status,
            body_bytes: expect_bytes.or_else(|| pattern_bytes.filter(|_| pattern)),
            pattern,
            crc32c,
            sent: Sent {
                bytes: body_bytes,
                crc32c: pattern::crc32c(body_bytes.min(BODY_BYTES_MAX)),
            },
            head_only: method == "HEAD",
        })
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

/// Seconds after the start, one a line, in any order; `#` begins a comment.
fn recorded(path: &std::path::Path) -> Result<Vec<f64>, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut moments = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        match line.parse::<f64>() {
            Ok(moment) if moment.is_finite() && moment >= 0.0 => moments.push(moment),
            _ => {
                return Err(format!(
                    "{}:{}: not seconds: {line}",
                    path.display(),
                    index + 1
                ));
            }
        }
    }
    if moments.is_empty() {
        return Err(format!("{}: no moment in it", path.display()));
    }
    moments.sort_unstable_by(f64::total_cmp);
    Ok(moments)
}
