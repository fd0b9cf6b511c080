//! The percentile distribution as the plotters of HdrHistogram read it (`.hgrm`); milliseconds.

use std::fmt::{self, Write};

use hdrhistogram::Histogram;

use super::curve;
use super::json::Report;

/// Lines for each halving of the distance to 100 %.
const TICKS_PER_HALF_DISTANCE: u32 = 5;
const NS_PER_MS: f64 = 1e6;

/// Renders the whole file.
pub(super) fn render(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = write_all(&mut out, &curve::decode(&report.latency_histogram));
    out
}

fn write_all(out: &mut String, histogram: &Histogram<u64>) -> fmt::Result {
    let ms = |ns: u64| ns as f64 / NS_PER_MS;
    writeln!(
        out,
        "{:>12} {:>14} {:>10} {:>14}\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    )?;
    let mut total = 0;
    for value in histogram.iter_quantiles(TICKS_PER_HALF_DISTANCE) {
        total += value.count_since_last_iteration();
        let quantile = value.quantile_iterated_to();
        write!(
            out,
            "{:>12.3} {quantile:>2.12} {total:>10}",
            ms(value.value_iterated_to())
        )?;
        if quantile < 1.0 {
            writeln!(out, " {:>14.2}", 1.0 / (1.0 - quantile))?;
        } else {
            // Nothing is beyond.
            writeln!(out)?;
        }
    }
    writeln!(
        out,
        "#[Mean    = {:>12.3}, StdDeviation   = {:>12.3}]",
        histogram.mean() / NS_PER_MS,
        histogram.stdev() / NS_PER_MS
    )?;
    writeln!(
        out,
        "#[Max     = {:>12.3}, Total count    = {:>12}]",
        ms(histogram.max()),
        histogram.len()
    )?;
    let sub_buckets = 2_048_usize;
    let buckets = histogram.distinct_values() / (sub_buckets / 2);
    writeln!(
        out,
        "#[Buckets = {:>12}, SubBuckets     = {sub_buckets:>12}]",
        buckets.saturating_sub(1)
    )
}
