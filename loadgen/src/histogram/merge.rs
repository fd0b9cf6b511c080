//! From the histograms of all threads to the figures of a report.

use serde::{Deserialize, Serialize};

use super::latency::Latencies;

/// Percentiles of a set of durations, microseconds. All zero if nothing was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) count: u64,
    pub(crate) min: f64,
    pub(crate) mean: f64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p99_9: f64,
    pub(crate) p99_99: f64,
    pub(crate) max: f64,
}

/// Joins the threads' histograms.
pub(crate) fn merge<'a>(parts: impl Iterator<Item = &'a Latencies>) -> Latencies {
    let mut whole = Latencies::new();
    for part in parts {
        whole.add(part);
    }
    whole
}

/// Reads the figures off.
pub(crate) fn summarize(latencies: &Latencies) -> Summary {
    let histogram = latencies.inner();
    if histogram.is_empty() {
        return Summary::default();
    }
    let us = |ns: u64| round(ns as f64 / 1_000.0);
    let at = |quantile: f64| us(histogram.value_at_quantile(quantile));
    Summary {
        count: histogram.len(),
        min: us(histogram.min()),
        mean: round(histogram.mean() / 1_000.0),
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p99_9: at(0.999),
        p99_99: at(0.9999),
        max: us(histogram.max()),
    }
}

/// To a hundredth: more digits than a histogram of three significant ones has.
fn round(us: f64) -> f64 {
    (us * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn percentiles_of_a_known_set_over_two_threads() {
        let mut parts = [Latencies::new(), Latencies::new()];
        for ms in 1..=1_000_u64 {
            let index = usize::from(ms % 2 == 0);
            parts[index].record(Duration::from_millis(ms));
        }
        let summary = summarize(&merge(parts.iter()));
        assert_eq!(summary.count, 1_000);
        for (actual, expected_ms) in [
            (summary.p50, 500.0),
            (summary.p90, 900.0),
            (summary.p99, 990.0),
            (summary.p99_9, 999.0),
            (summary.max, 1_000.0),
            (summary.mean, 500.5),
            (summary.min, 1.0),
        ] {
            let expected = expected_ms * 1_000.0;
            assert!(
                (actual - expected).abs() <= expected * 0.002,
                "{actual} {expected}"
            );
        }
    }

    #[test]
    fn nothing_counted_is_zero() {
        assert_eq!(summarize(&Latencies::new()), Summary::default());
    }
}
