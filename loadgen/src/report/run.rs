//! `sallyport-load run`: the threads of a plan, the samples at the window's ends, the report.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::thread;
use std::time::{Duration, Instant};

use super::json::{MeterFigures, ProcessFigures, Report, SCHEMA_VERSION};
use super::machine::Machine;
use super::process::Sample;
use super::text;
use super::verdict::{self, Evidence};
use crate::cli::RunArgs;
use crate::error::LoadError;
use crate::histogram::merge::{merge, summarize};
use crate::net::affinity;
use crate::plan::run::Plan;
use crate::worker::event_loop::Worker;
use crate::worker::tally::Tally;

/// Time for threads to start before the first request is due.
const START_UP: Duration = Duration::from_millis(20);

/// Runs the plan and prints the report; `Ok(false)` if the run is void.
pub(crate) fn run(args: &RunArgs) -> Result<bool, LoadError> {
    affinity::raise_descriptor_limit();
    let plan = Plan::from_args(args)?;
    let machine = Machine::here();
    if !args.pid.is_empty() {
        Sample::take(&args.pid)?;
    }
    let start = Instant::now() + START_UP;
    let (tallies, samples) = measure(args, &plan, start)?;
    let window = window_length(&plan, start, &tallies);
    let completed = tallies.iter().map(|tally| tally.completed).sum();
    let process = samples.map(|(from, to)| from.until(&to, window, completed));
    let report = report(args, &plan, &tallies, window, process, machine);
    let rendered = if args.json {
        report
            .to_json()
            .map_err(|error| LoadError::io("report")(error.into()))?
            + "\n"
    } else {
        text::render(&report)
    };
    io::stdout()
        .write_all(rendered.as_bytes())
        .map_err(LoadError::io("stdout"))?;
    Ok(!report.meter.void)
}

/// Samples of the measured process at both ends of the window.
type Samples = Option<(Sample, Sample)>;

fn measure(
    args: &RunArgs,
    plan: &Plan,
    start: Instant,
) -> Result<(Vec<Tally>, Samples), LoadError> {
    thread::scope(|scope| {
        let handles: Vec<_> = (0..plan.threads)
            .map(|index| {
                scope.spawn(move || {
                    if let Some(cpus) = &args.pin {
                        cpus.pin(index)?;
                    }
                    affinity::set_exact_timers()?;
                    let worker = Worker::new(plan, index, start).map_err(LoadError::io("epoll"))?;
                    thread::sleep(start.saturating_duration_since(Instant::now()));
                    worker.run().map_err(LoadError::io("epoll"))
                })
            })
            .collect();
        let samples = sample_window(args, plan, start, || {
            handles.iter().all(|h| h.is_finished())
        });
        let tallies = handles
            .into_iter()
            .map(|handle| handle.join().map_err(|_| LoadError::Thread)?)
            .collect::<Result<Vec<_>, _>>()?;
        Ok((tallies, samples?))
    })
}

/// Sleeps from one end of the window to the other; without `--pid` there is nothing to wait for.
fn sample_window(
    args: &RunArgs,
    plan: &Plan,
    start: Instant,
    is_finished: impl Fn() -> bool,
) -> Result<Samples, LoadError> {
    if args.pid.is_empty() {
        return Ok(None);
    }
    let from = start + plan.stop.warmup;
    thread::sleep(from.saturating_duration_since(Instant::now()));
    let first = Sample::take(&args.pid)?;
    match plan.stop.duration {
        Some(duration) if plan.stop.requests.is_none() => {
            thread::sleep((from + duration).saturating_duration_since(Instant::now()));
        }
        _ => {
            while !is_finished() {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
    Ok(Some((first, Sample::take(&args.pid)?)))
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

fn report(
    args: &RunArgs,
    plan: &Plan,
    tallies: &[Tally],
    window: Duration,
    process: Option<ProcessFigures>,
    machine: Machine,
) -> Report {
    let completed: u64 = tallies.iter().map(|tally| tally.completed).sum();
    let body_bytes: u64 = tallies.iter().map(|tally| tally.body_bytes).sum();
    let seconds = window.as_secs_f64();
    let per_second = |count: u64| {
        if seconds > 0.0 {
            count as f64 / seconds
        } else {
            0.0
        }
    };
    let (mut errors, mut error_examples) = (BTreeMap::new(), BTreeMap::new());
    for (kind, entry) in tallies.iter().flat_map(|tally| &tally.errors) {
        *errors.entry(kind.clone()).or_insert(0) += entry.count;
        error_examples
            .entry(kind.clone())
            .or_insert_with(|| entry.example.clone());
    }
    Report {
        schema_version: SCHEMA_VERSION,
        mode: if plan.rate.is_some() {
            "open"
        } else {
            "closed"
        },
        urls: args.url.clone(),
        proxy: args.proxy.clone(),
        tunnel: plan.routes.iter().any(|route| route.tunnel.is_some()),
        new_connections: plan.new_connections,
        connections: plan.connections,
        threads: plan.threads,
        rate_intended: plan.rate,
        warmup_s: plan.stop.warmup.as_secs_f64(),
        duration_s: seconds,
        requests_total: completed,
        requests_per_second: per_second(completed),
        body_bytes_total: body_bytes,
        body_bytes_per_second: per_second(body_bytes),
        connections_opened_total: tallies.iter().map(|tally| tally.connections_opened).sum(),
        errors_total: errors.values().sum(),
        errors,
        error_examples,
        latency_us: summarize(&merge(tallies.iter().map(|tally| &tally.latency))),
        connection_setup_us: summarize(&merge(tallies.iter().map(|tally| &tally.setup))),
        process,
        meter: meter_figures(plan, tallies, completed),
        machine,
    }
}

fn meter_figures(plan: &Plan, tallies: &[Tally], completed: u64) -> MeterFigures {
    let lag = summarize(&merge(tallies.iter().map(|tally| &tally.schedule_lag)));
    let loop_busy = summarize(&merge(tallies.iter().map(|tally| &tally.loop_busy)));
    let ratios = tallies.iter().map(|tally| verdict::busy_ratio(tally.cost));
    let busy_ratio_max = ratios.fold(0.0, f64::max);
    let verdict = verdict::judge(&Evidence {
        is_open_loop: plan.rate.is_some(),
        latency_us: summarize(&merge(tallies.iter().map(|tally| &tally.latency))),
        schedule_lag_us: lag,
        loop_busy_us: loop_busy,
        busy_ratio_max,
    });
    let cpu: Duration = tallies.iter().map(|tally| tally.cost.cpu).sum();
    MeterFigures {
        void: !verdict.void_reasons.is_empty(),
        void_reasons: verdict.void_reasons,
        bound: verdict.bound,
        warnings: verdict.warnings,
        busy_ratio_max,
        cpu_us_per_request: (completed > 0).then(|| cpu.as_secs_f64() * 1e6 / completed as f64),
        schedule_lag_us_p50: lag.p50,
        schedule_lag_us_p99: lag.p99,
        schedule_lag_us_p99_9: lag.p99_9,
        schedule_lag_us_max: lag.max,
        loop_busy_us_p99_9: loop_busy.p99_9,
        loop_busy_us_max: loop_busy.max,
    }
}
