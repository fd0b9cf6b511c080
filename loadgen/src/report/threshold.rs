//! `--fail-on`: what a run must not show, as in `p99>50ms`, `errors>0.1%` or `rate<1000`. Where the
//! meter fell behind, a figure that is good nevertheless is good: lateness only adds latency.

use std::fmt;
use std::str::FromStr;

use super::curve;
use super::json::Report;
use super::words::{Grouped, Time};
use crate::histogram::merge::Summary;
use crate::plan::period::{self, PeriodError};
use crate::status::Status;

/// A figure of a report.
#[derive(Debug, Clone, Copy)]
enum Figure {
    /// A percentile of latency, 0 to 100; microseconds.
    Percentile(f64),
    Mean,
    Max,
    /// Setting a connection up, at a percentile of those that a report keeps.
    SetUp(SetUp),
    /// Failed requests.
    Errors,
    /// Failed requests of a hundred.
    ErrorsPercent,
    /// Good responses a second.
    Rate,
}

#[derive(Debug, Clone, Copy)]
struct SetUp {
    name: &'static str,
    pick: fn(&Summary) -> f64,
}

const SET_UPS: [SetUp; 6] = [
    SetUp {
        name: "setup.p50",
        pick: |summary| summary.p50,
    },
    SetUp {
        name: "setup.p90",
        pick: |summary| summary.p90,
    },
    SetUp {
        name: "setup.p99",
        pick: |summary| summary.p99,
    },
    SetUp {
        name: "setup.p99.9",
        pick: |summary| summary.p99_9,
    },
    SetUp {
        name: "setup.mean",
        pick: |summary| summary.mean,
    },
    SetUp {
        name: "setup.max",
        pick: |summary| summary.max,
    },
];

/// Which side of the limit fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Above,
    AtLeast,
    Below,
    AtMost,
}

const COMPARISONS: [(&str, Comparison); 4] = [
    // The longer signs first: one begins like the other.
    (">=", Comparison::AtLeast),
    ("<=", Comparison::AtMost),
    (">", Comparison::Above),
    ("<", Comparison::Below),
];

/// One `--fail-on`.
#[derive(Debug, Clone)]
pub(crate) struct Threshold {
    /// As given.
    text: String,
    figure: Figure,
    comparison: Comparison,
    /// Microseconds for times.
    limit: f64,
}

/// Why a text is no `--fail-on`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ThresholdError {
    #[error("no comparison: such as `p99>50ms`, with >, >=, < or <=")]
    NoComparison,
    #[error("`{0}` is no figure: p50, p99.9 (any percentile), mean, max, setup.p99, errors, rate")]
    UnknownFigure(String),
    #[error(transparent)]
    Time(#[from] PeriodError),
    #[error("`{0}` is not a number")]
    Number(String),
}

impl FromStr for Threshold {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        let (at, sign, comparison) = COMPARISONS
            .iter()
            .filter_map(|(sign, comparison)| Some((text.find(sign)?, *sign, *comparison)))
            .min_by_key(|(at, sign, _)| (*at, std::cmp::Reverse(sign.len())))
            .ok_or(ThresholdError::NoComparison)?;
        let (name, limit) = (text.get(..at), text.get(at + sign.len()..));
        let (name, limit) = (
            name.unwrap_or_default().trim(),
            limit.unwrap_or_default().trim(),
        );
        let (figure, limit) = figure_and_limit(name, limit)?;
        Ok(Self {
            text: text.to_owned(),
            figure,
            comparison,
            limit,
        })
    }
}

fn figure_and_limit(name: &str, limit: &str) -> Result<(Figure, f64), ThresholdError> {
    let time = |figure| Ok((figure, micros(limit)?));
    let set_up = SET_UPS.iter().find(|set_up| set_up.name == name);
    match (name, set_up, limit.strip_suffix('%')) {
        ("mean", ..) => time(Figure::Mean),
        ("max", ..) => time(Figure::Max),
        (_, Some(set_up), _) => time(Figure::SetUp(*set_up)),
        ("errors", _, Some(share)) => Ok((Figure::ErrorsPercent, number(share.trim())?)),
        ("errors", ..) => Ok((Figure::Errors, number(limit)?)),
        ("rate", ..) => Ok((Figure::Rate, number(limit)?)),
        _ => {
            let digits = name.strip_prefix('p').map(str::parse::<f64>);
            match digits {
                Some(Ok(percent)) if (0.0..=100.0).contains(&percent) => {
                    time(Figure::Percentile(percent))
                }
                _ => Err(ThresholdError::UnknownFigure(name.to_owned())),
            }
        }
    }
}

fn micros(text: &str) -> Result<f64, PeriodError> {
    period::parse(text).map(|duration| duration.as_secs_f64() * 1e6)
}

fn number(text: &str) -> Result<f64, ThresholdError> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err(ThresholdError::Number(text.to_owned())),
    }
}

impl Threshold {
    fn value(&self, report: &Report) -> f64 {
        self.value_with(report, report.errors_total)
    }

    fn value_with(&self, report: &Report, errors_total: u64) -> f64 {
        match self.figure {
            Figure::Percentile(percent) => {
                let histogram = curve::decode(&report.latency_histogram);
                histogram.value_at_quantile(percent / 100.0) as f64 / 1_000.0
            }
            Figure::Mean => report.latency_us.mean,
            Figure::Max => report.latency_us.max,
            Figure::SetUp(set_up) => (set_up.pick)(&report.connection_setup_us),
            Figure::Errors => errors_total as f64,
            Figure::ErrorsPercent => {
                let all = (report.requests_total + report.errors_total).max(1);
                100.0 * errors_total as f64 / all as f64
            }
            Figure::Rate => report.requests_per_second,
        }
    }

    fn is_exceeded(&self, report: &Report) -> bool {
        self.is_beyond(self.value(report))
    }

    /// It would be exceeded by a meter that was not late, too.
    fn is_exceeded_anyway(&self, report: &Report) -> bool {
        let is_errors = matches!(self.figure, Figure::Errors | Figure::ErrorsPercent);
        let value = self.value_with(report, report.errors_beyond_lateness());
        is_errors && self.is_safe_when_late() && self.is_beyond(value)
    }

    fn is_beyond(&self, value: f64) -> bool {
        match self.comparison {
            Comparison::Above => value > self.limit,
            Comparison::AtLeast => value >= self.limit,
            Comparison::Below => value < self.limit,
            Comparison::AtMost => value <= self.limit,
        }
    }

    /// A meter that falls behind can only make this fail: latencies and errors become more, the rate
    /// less.
    fn is_safe_when_late(&self) -> bool {
        let fails_above = matches!(self.comparison, Comparison::Above | Comparison::AtLeast);
        fails_above != matches!(self.figure, Figure::Rate)
    }

    fn show(&self, report: &Report) -> String {
        let value = self.value(report);
        match self.figure {
            Figure::Errors | Figure::Rate => Grouped(value).to_string(),
            Figure::ErrorsPercent => format!("{value:.3} %"),
            _ => Time(value).to_string(),
        }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

/// What the exit status says of a run, and a line for each threshold that is exceeded.
pub(crate) fn hold(report: &Report, thresholds: &[Threshold]) -> (Status, Vec<String>) {
    let exceeded: Vec<_> = thresholds
        .iter()
        .filter(|threshold| threshold.is_exceeded(report))
        .map(|threshold| format!("failed on {threshold}: it is {}", threshold.show(report)))
        .collect();
    let all_safe = thresholds.iter().all(Threshold::is_safe_when_late);
    let anyway = |threshold: &Threshold| threshold.is_exceeded_anyway(report);
    let status = if report.nothing_answered || thresholds.iter().any(anyway) {
        Status::Fails
    } else if report.meter.void && !(exceeded.is_empty() && all_safe && !thresholds.is_empty()) {
        Status::Undecided
    } else if exceeded.is_empty() {
        Status::Holds
    } else {
        Status::Fails
    };
    (status, exceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(is_void: bool) -> Report {
        let mut report = Report {
            requests_total: 990,
            errors_total: 10,
            requests_per_second: 500.0,
            ..Report::default()
        };
        let mut latencies = crate::histogram::latency::Latencies::new();
        for ms in 1..=100 {
            latencies.record(std::time::Duration::from_millis(ms));
        }
        report.latency_us = crate::histogram::merge::summarize(&latencies);
        report.latency_histogram = crate::run::collect::encode(&latencies);
        report.connection_setup_us.p99 = 800.0;
        report.meter.void = is_void;
        report
    }

    fn status(text: &str, is_void: bool) -> Status {
        let thresholds = text.split(' ').map(|text| text.parse().unwrap());
        hold(&report(is_void), &thresholds.collect::<Vec<_>>()).0
    }

    #[test]
    fn figures_and_limits() {
        for (text, expected) in [
            ("p50>49ms", Status::Fails),
            ("p50>51ms", Status::Holds),
            ("p99.9>=99ms", Status::Fails),
            ("p37.5>40000us", Status::Holds),
            ("max<1s", Status::Fails),
            ("mean>52ms", Status::Holds),
            ("setup.p99>500µs", Status::Fails),
            ("errors>10", Status::Holds),
            ("errors>=10", Status::Fails),
            ("errors>0.9%", Status::Fails),
            ("errors>1.1%", Status::Holds),
            ("rate<501", Status::Fails),
            ("rate<=499.5", Status::Holds),
            ("rate<100 p50>1ms", Status::Fails),
        ] {
            assert_eq!(status(text, false), expected, "{text}");
        }
    }

    #[test]
    fn a_late_meter_leaves_what_is_good_good() {
        assert_eq!(status("p50>51ms rate<499", true), Status::Holds);
        assert_eq!(status("p50>49ms", true), Status::Undecided);
        // No lateness makes an origin answer 500.
        assert_eq!(status("errors>9 p50>49ms", true), Status::Fails);
        let late = [("timeout".to_owned(), 10)];
        let late = Report {
            errors: late.into(),
            ..report(true)
        };
        assert_eq!(
            hold(&late, &["errors>9".parse().unwrap()]).0,
            Status::Undecided
        );
        // That it is not too quick, a late meter cannot say.
        assert_eq!(status("p50<10ms", true), Status::Undecided);
        assert_eq!(hold(&report(true), &[]).0, Status::Undecided);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for wrong in [
            "p99",
            "p99>",
            "p99>fast",
            "p101>1s",
            "p99>50",
            "median>1s",
            "errors>x",
            "rate>-1",
            "setup>1s",
            ">1s",
            "p99=1s",
        ] {
            assert!(wrong.parse::<Threshold>().is_err(), "{wrong}");
        }
    }
}
