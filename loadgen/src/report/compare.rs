//! `sallyport-load compare A B`: repeated runs against repeated runs, figure by figure; says whether
//! a difference is real. The statistics are in `statistics`.
//!
//! Differences are ratios: what is compared are logarithms, so that "5 % more" and "5 % less" are
//! alike and a few slow runs do not decide.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::files;
use super::json::Report;
use super::statistics::{median, shift};
use super::table::{self, Side};
use super::words::{Grouped, Time};
use crate::cli::CompareArgs;
use crate::error::LoadError;
use crate::status::Status;

/// One figure of a report.
struct Metric {
    name: &'static str,
    is_more_better: bool,
    is_time: bool,
    pick: fn(&Report) -> Option<f64>,
}

const METRICS: [Metric; 8] = [
    metric("requests/s", true, |report| {
        Some(report.requests_per_second)
    }),
    time("latency p50", |report| Some(report.latency_us.p50)),
    time("latency p90", |report| Some(report.latency_us.p90)),
    time("latency p99", |report| Some(report.latency_us.p99)),
    time("latency p99.9", |report| Some(report.latency_us.p99_9)),
    time("set-up p50", |report| Some(report.connection_setup_us.p50)),
    metric("CPU \u{b5}s/request", false, |report| {
        report.process.as_ref()?.cpu_us_per_request
    }),
    metric("resident bytes", false, |report| {
        report
            .process
            .as_ref()
            .map(|process| process.rss_bytes as f64)
    }),
];

const fn metric(
    name: &'static str,
    is_more_better: bool,
    pick: fn(&Report) -> Option<f64>,
) -> Metric {
    Metric {
        name,
        is_more_better,
        is_time: false,
        pick,
    }
}

const fn time(name: &'static str, pick: fn(&Report) -> Option<f64>) -> Metric {
    Metric {
        name,
        is_more_better: false,
        is_time: true,
        pick,
    }
}

/// What the runs say about one figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Finding {
    /// B is better.
    Better,
    /// B is worse.
    Worse,
    /// The interval holds "no difference".
    NotShown,
    /// So few runs can show nothing at this confidence.
    TooFewRuns,
}

/// One line of the comparison.
#[derive(Debug, Serialize)]
struct Line {
    figure: &'static str,
    a_median: f64,
    b_median: f64,
    /// Change from A to B: 0.05 is 5 % more.
    change: f64,
    change_low: Option<f64>,
    change_high: Option<f64>,
    p_value: f64,
    finding: Finding,
    #[serde(skip)]
    is_time: bool,
}

/// The whole comparison.
#[derive(Debug, Serialize)]
struct Comparison {
    schema_version: u32,
    confidence: f64,
    a_runs: usize,
    b_runs: usize,
    /// Void runs are left out.
    a_void: usize,
    b_void: usize,
    a_errors_total: u64,
    b_errors_total: u64,
    figures: Vec<Line>,
}

/// Compares and prints. That B is worse in anything fails only if that was asked.
pub(crate) fn compare(args: &CompareArgs) -> Result<Status, LoadError> {
    if !(args.confidence > 0.5 && args.confidence < 1.0) {
        let message = "--confidence: between 0.5 and 1".to_owned();
        return Err(LoadError::Usage(message));
    }
    let (a, a_void) = runs(&args.a)?;
    let (b, b_void) = runs(&args.b)?;
    for (path, reports, void) in [(&args.a, &a, a_void), (&args.b, &b, b_void)] {
        if reports.is_empty() {
            let path = path.display();
            eprintln!("sallyport-load: {path}: all {void} runs in it are void: nothing to compare");
            return Ok(Status::Undecided);
        }
    }
    let errors = |reports: &[Report]| reports.iter().map(|report| report.errors_total).sum();
    let comparison = Comparison {
        schema_version: 1,
        confidence: args.confidence,
        a_runs: a.len(),
        b_runs: b.len(),
        a_void,
        b_void,
        a_errors_total: errors(&a),
        b_errors_total: errors(&b),
        figures: METRICS
            .iter()
            .filter_map(|metric| line(metric, &a, &b, args.confidence))
            .collect(),
    };
    let text = if args.json {
        let json = serde_json::to_string_pretty(&comparison);
        json.map_err(|error| LoadError::io("report")(error.into()))? + "\n"
    } else {
        render(&comparison)
    };
    files::print(&text)?;
    let is_worse = comparison
        .figures
        .iter()
        .any(|line| line.finding == Finding::Worse);
    Ok(if args.fail_if_worse && is_worse {
        Status::Fails
    } else {
        Status::Holds
    })
}

/// The runs in a file or in a folder's `.json` files, without void ones, of which the number is told.
fn runs(path: &Path) -> Result<(Vec<Report>, usize), LoadError> {
    let mut reports = Vec::new();
    if path.is_dir() {
        let wrong = |source| LoadError::File {
            path: path.to_owned(),
            source,
        };
        let entries = std::fs::read_dir(path).map_err(wrong)?;
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        });
        paths.sort();
        for path in paths {
            reports.extend(files::read(&path)?);
        }
    } else {
        reports = files::read(path)?;
    }
    let all = reports.len();
    reports.retain(|report| !report.meter.void);
    if all == 0 {
        return Err(LoadError::Content {
            path: path.to_owned(),
            reason: "no report in it".to_owned(),
        });
    }
    let void = all - reports.len();
    Ok((reports, void))
}

/// None if a run lacks the figure, or it is zero: there is no ratio then.
fn line(metric: &Metric, a: &[Report], b: &[Report], confidence: f64) -> Option<Line> {
    let values = |reports: &[Report]| -> Option<Vec<f64>> {
        let one = |report| (metric.pick)(report).filter(|value| *value > 0.0);
        let mut values = reports.iter().map(one).collect::<Option<Vec<_>>>()?;
        values.sort_unstable_by(f64::total_cmp);
        Some(values)
    };
    let (a, b) = (values(a)?, values(b)?);
    let logs = |values: &[f64]| values.iter().map(|value| value.ln()).collect::<Vec<_>>();
    let shift = shift(&logs(&a), &logs(&b), confidence);
    let finding = match shift.interval {
        None => Finding::TooFewRuns,
        Some((low, high)) if low <= 0.0 && high >= 0.0 => Finding::NotShown,
        Some((low, _)) if (low > 0.0) == metric.is_more_better => Finding::Better,
        Some(_) => Finding::Worse,
    };
    Some(Line {
        figure: metric.name,
        a_median: median(&a),
        b_median: median(&b),
        change: shift.estimate.exp_m1(),
        change_low: shift.interval.map(|(low, _)| low.exp_m1()),
        change_high: shift.interval.map(|(_, high)| high.exp_m1()),
        p_value: shift.p_value,
        finding,
        is_time: metric.is_time,
    })
}

fn render(comparison: &Comparison) -> String {
    let mut out = String::new();
    let percent = comparison.confidence * 100.0;
    // Writing to a String does not fail.
    let _ = writeln!(
        out,
        "A: {} runs ({} void left out), {} errors   B: {} runs ({} void left out), {} errors",
        comparison.a_runs,
        comparison.a_void,
        comparison.a_errors_total,
        comparison.b_runs,
        comparison.b_void,
        comparison.b_errors_total
    );
    let head = ["", "A", "B", "change"].map(str::to_owned).to_vec();
    let mut rows = vec![
        [
            head,
            vec![format!("{percent} % confidence"), "p".to_owned()],
        ]
        .concat(),
    ];
    rows.extend(comparison.figures.iter().map(row));
    // Nothing stands above what was found.
    if let Some(head) = rows.first_mut() {
        head.push(String::new());
    }
    let (left, right) = (Side::Left, Side::Right);
    out.push_str(&table::render(
        &[left, right, right, right, left, right, left],
        rows,
    ));
    out
}

/// One figure, in the columns of the table.
fn row(line: &Line) -> Vec<String> {
    let value = |value: f64| {
        if line.is_time {
            Time(value).to_string()
        } else {
            Grouped(value).to_string()
        }
    };
    let range = match line.change_low.zip(line.change_high) {
        Some((low, high)) => format!("{:+.1} % to {:+.1} %", low * 100.0, high * 100.0),
        None => "-".to_owned(),
    };
    let finding = match line.finding {
        Finding::Better => "B is better",
        Finding::Worse => "B is worse",
        Finding::NotShown => "no difference shown",
        Finding::TooFewRuns => "too few runs (4 of each, at least)",
    };
    vec![
        line.figure.to_owned(),
        value(line.a_median),
        value(line.b_median),
        format!("{:+.1} %", line.change * 100.0),
        range,
        format!("{:.4}", line.p_value),
        finding.to_owned(),
    ]
}
