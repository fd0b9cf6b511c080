//! The course of the run as an HdrHistogram interval log (version 1.3 of the format, histograms in
//! V2), nanoseconds; the column of maxima in milliseconds, as its tools expect.

use std::fmt::Write as _;

use super::json::Report;

/// Nanoseconds in one unit of the column of maxima.
const MAX_UNIT_NS: f64 = 1e6;

/// Renders the whole log.
pub(super) fn render(report: &Report) -> String {
    let started = report.machine.started_at.parse::<jiff::Timestamp>();
    let start_s = started.map_or(0.0, |moment| moment.as_millisecond() as f64 / 1_000.0);
    let start_s = start_s + report.warmup_s;
    let mut out = String::new();
    out.push_str("#[Logged with sallyport-load]\n#[Histogram log format version 1.3]\n");
    // Writing to a String does not fail.
    let _ = writeln!(
        out,
        "#[StartTime: {start_s:.3} (seconds since epoch), {}]",
        report.machine.started_at
    );
    let _ = writeln!(out, "#[BaseTime: {start_s:.3} (seconds since epoch)]");
    out.push_str(
        "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
    );
    for (index, interval) in report.intervals.iter().enumerate() {
        if interval.histogram.is_empty() {
            continue;
        }
        let _ = writeln!(
            out,
            "{:.3},{:.3},{:.3},{}",
            index as f64 * report.interval_s,
            report.interval_s,
            interval.max_us * 1_000.0 / MAX_UNIT_NS,
            interval.histogram
        );
    }
    out
}
