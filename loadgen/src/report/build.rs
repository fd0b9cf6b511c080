//! From what a run counted to its report.

use std::collections::BTreeMap;
use std::time::Duration;

use super::json::{
    HoldFigures, IntervalFigures, MeterFigures, ProcessFigures, Report, SCHEMA_VERSION, SlowFigures,
};
use super::verdict::{self, Evidence};
use crate::histogram::merge::{merge, summarize};
use crate::plan::file::{HttpVersion, Scenario};
use crate::plan::run::Plan;
use crate::run::collect::{Point, encode};
use crate::run::measure::{Outcome, Samples};
use crate::worker::tally::{ErrorCount, Tally};

/// Sums up, judges and describes a run.
pub(crate) fn build(plan: &Plan, outcome: Outcome) -> Report {
    let Outcome {
        tallies,
        latency,
        points,
        window,
        samples,
        machine,
    } = outcome;
    let completed: u64 = points.iter().map(|point| point.completed).sum();
    let received: u64 = tallies.iter().map(|tally| tally.traffic.received).sum();
    let sent: u64 = tallies.iter().map(|tally| tally.traffic.sent).sum();
    let seconds = window.as_secs_f64();
    let per_second = |count: u64| {
        if seconds > 0.0 {
            count as f64 / seconds
        } else {
            0.0
        }
    };
    let (errors, error_examples) = errors(tallies.iter().map(|tally| &tally.errors));
    let arrivals = plan.arrivals.as_ref();
    let latency_us = summarize(&latency);
    let mut report = Report {
        schema_version: SCHEMA_VERSION,
        name: plan.name.clone(),
        scenario: scenario(plan.scenario).to_owned(),
        mode: mode(plan).to_owned(),
        urls: plan.urls.clone(),
        proxy: plan.proxy.clone(),
        tunnel: plan.routes.iter().any(|route| route.tunnel.is_some()),
        http: match plan.http {
            HttpVersion::One => "1.1".to_owned(),
            HttpVersion::Two => "2".to_owned(),
        },
        new_connections: plan.life.new_share >= 1.0,
        connections: plan.connections,
        streams: plan.streams,
        threads: plan.threads,
        rate_intended: arrivals.map(|arrivals| {
            let constant = arrivals.constant_rate();
            constant.unwrap_or_else(|| arrivals.mean_rate(plan.stop.warmup, window))
        }),
        warmup_s: plan.stop.warmup.as_secs_f64(),
        duration_s: seconds,
        requests_total: completed,
        requests_per_second: per_second(completed),
        body_bytes_total: received,
        body_bytes_per_second: per_second(received),
        sent_body_bytes_total: sent,
        connections_opened_total: tallies.iter().map(|tally| tally.connections_opened).sum(),
        errors_total: errors.values().sum(),
        nothing_answered: false,
        errors,
        error_examples,
        latency_us,
        connection_setup_us: summarize(&merge(tallies.iter().map(|tally| &tally.setup))),
        slow_clients: slow_figures(plan, &tallies),
        hold: hold_figures(plan, &tallies, samples.as_ref()),
        process: samples
            .map(|samples| process_figures(&samples, window, completed, received + sent)),
        meter: MeterFigures::default(),
        machine,
        latency_histogram: encode(&latency),
        interval_s: plan.stop.interval().as_secs_f64(),
        intervals: points.into_iter().map(interval_figures).collect(),
    };
    report.nothing_answered = is_unanswered(&report);
    report.meter = meter_figures(plan, &tallies, &report);
    report
}

/// Requests were sent, and nothing came back as it should, in none of the ways in which a run counts.
fn is_unanswered(report: &Report) -> bool {
    // What was never sent stands in the latencies as well.
    let unsent = report.errors.get("unsent").copied().unwrap_or(0);
    let timed = report.latency_us.count.saturating_sub(unsent);
    let held = report.hold.as_ref().map_or(0, |hold| hold.connections_held);
    // Octets are what counts in bulk; an exchange may well outlast the run.
    let received = if report.scenario == "bulk" {
        report.body_bytes_total
    } else {
        0
    };
    report.errors_total > 0 && report.requests_total + timed + held + received == 0
}

/// Holds what was measured against the meter's own ceiling, requests a second.
pub(crate) fn hold_against(report: &mut Report, ceiling: f64) {
    report.meter.ceiling_per_second = Some(ceiling);
    if let Some(warning) = verdict::near_ceiling(report.requests_per_second, ceiling) {
        report.meter.bound = true;
        report.meter.warnings.push(warning);
    }
}

fn mode(plan: &Plan) -> &'static str {
    if plan.arrivals.is_some() {
        "open"
    } else {
        "closed"
    }
}

fn scenario(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::Requests => "requests",
        Scenario::Bulk => "bulk",
        Scenario::Handshakes => "handshakes",
        Scenario::Hold => "hold",
    }
}

/// Counts and first examples of each kind, over all threads.
fn errors<'a>(
    parts: impl Iterator<Item = &'a BTreeMap<String, ErrorCount>>,
) -> (BTreeMap<String, u64>, BTreeMap<String, String>) {
    let (mut errors, mut examples) = (BTreeMap::new(), BTreeMap::new());
    for (kind, entry) in parts.flatten() {
        *errors.entry(kind.clone()).or_insert(0) += entry.count;
        examples
            .entry(kind.clone())
            .or_insert_with(|| entry.example.clone());
    }
    (errors, examples)
}

fn slow_figures(plan: &Plan, tallies: &[Tally]) -> Option<SlowFigures> {
    plan.clients.iter().find(|client| client.slow.is_some())?;
    let (errors, _) = errors(tallies.iter().map(|tally| &tally.slow.errors));
    Some(SlowFigures {
        requests_total: tallies.iter().map(|tally| tally.slow.completed).sum(),
        errors_total: errors.values().sum(),
        errors,
    })
}

fn hold_figures(plan: &Plan, tallies: &[Tally], samples: Option<&Samples>) -> Option<HoldFigures> {
    if plan.scenario != Scenario::Hold {
        return None;
    }
    let held: u64 = tallies.iter().map(|tally| tally.held).sum();
    let before = samples.map(|samples| samples.before.rss_bytes());
    let with = samples.map(|samples| samples.to.rss_bytes());
    let each = before.zip(with).filter(|_| held > 0);
    Some(HoldFigures {
        connections_held: held,
        rss_bytes_before: before,
        rss_bytes_held: with,
        rss_bytes_per_connection: each
            .map(|(before, with)| (with as f64 - before as f64) / held as f64),
    })
}

fn process_figures(
    samples: &Samples,
    window: Duration,
    completed: u64,
    body_bytes: u64,
) -> ProcessFigures {
    let used = samples.from.until(&samples.to, window);
    let gib = body_bytes as f64 / f64::from(1 << 30);
    ProcessFigures {
        cpu_us_per_request: (completed > 0).then(|| used.cpu_us / completed as f64),
        cpu_s_per_gib: (body_bytes > 0).then(|| used.cpu_us / 1e6 / gib),
        rss_bytes_max: samples.rss_bytes_max,
        ..used
    }
}

fn meter_figures(plan: &Plan, tallies: &[Tally], report: &Report) -> MeterFigures {
    let lag = summarize(&merge(tallies.iter().map(|tally| &tally.schedule_lag)));
    let loop_busy = summarize(&merge(tallies.iter().map(|tally| &tally.loop_busy)));
    let ratios = tallies.iter().map(|tally| verdict::busy_ratio(tally.cost));
    let busy_ratio_max = ratios.fold(0.0, f64::max);
    let windows = tallies.iter().map(|tally| tally.cost.wall);
    let verdict = verdict::judge(&Evidence {
        is_answered: !report.nothing_answered,
        is_open_loop: plan.arrivals.is_some(),
        latency_us: report.latency_us,
        schedule_lag_us: lag,
        loop_busy_us: loop_busy,
        busy_ratio_max,
        window: windows.max().unwrap_or_default(),
    });
    let cpu: Duration = tallies.iter().map(|tally| tally.cost.cpu).sum();
    MeterFigures {
        void: !verdict.void_reasons.is_empty(),
        void_reasons: verdict.void_reasons,
        bound: verdict.bound,
        warnings: verdict.warnings,
        ceiling_per_second: None,
        busy_ratio_max,
        cpu_us_per_request: (report.requests_total > 0)
            .then(|| cpu.as_secs_f64() * 1e6 / report.requests_total as f64),
        schedule_lag_us_p50: lag.p50,
        schedule_lag_us_p99: lag.p99,
        schedule_lag_us_p99_9: lag.p99_9,
        schedule_lag_us_max: lag.max,
        loop_busy_us_p99_9: loop_busy.p99_9,
        loop_busy_us_max: loop_busy.max,
    }
}

fn interval_figures(point: Point) -> IntervalFigures {
    IntervalFigures {
        requests: point.completed,
        errors: point.errors,
        body_bytes: point.body_bytes,
        p50_us: point.latency.p50,
        p90_us: point.latency.p90,
        p99_us: point.latency.p99,
        p99_9_us: point.latency.p99_9,
        max_us: point.latency.max,
        histogram: point.histogram,
    }
}
