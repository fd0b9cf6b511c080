//! The report as a person reads it.

use std::fmt::{self, Write};

use super::json::{HoldFigures, MeterFigures, ProcessFigures, Report, SlowFigures};
use super::table::{self, Side};
use super::words::{Grouped, Size, Time};
use crate::histogram::merge::Summary;

/// Renders the whole report.
pub(super) fn render(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = write_all(&mut text, report);
    text
}

fn write_all(out: &mut String, report: &Report) -> fmt::Result {
    write_head(out, report)?;
    writeln!(
        out,
        "  requests    {:>12}   {:>12.1} /s",
        report.requests_total, report.requests_per_second
    )?;
    writeln!(
        out,
        "  bodies      {:>9.1} MiB   {:>12.2} MiB/s",
        report.body_bytes_total as f64 / 1_048_576.0,
        report.body_bytes_per_second / 1_048_576.0
    )?;
    write_latency(out, "latency", &report.latency_us)?;
    if report.connection_setup_us.count > 0 {
        write_latency(out, "set-up", &report.connection_setup_us)?;
        writeln!(
            out,
            "  connections {:>12} opened",
            report.connections_opened_total
        )?;
    }
    writeln!(out, "  errors      {:>12}", report.errors_total)?;
    let errors = report.errors.iter().map(|(kind, count)| {
        let example = report.error_examples.get(kind);
        vec![
            format!("  {kind}"),
            Grouped(*count as f64).to_string(),
            example.cloned().unwrap_or_default(),
        ]
    });
    out.push_str(&table::render(
        &[Side::Left, Side::Right, Side::Left],
        errors.collect(),
    ));
    if let Some(slow) = &report.slow_clients {
        write_slow(out, slow)?;
    }
    if let Some(hold) = &report.hold {
        write_hold(out, hold)?;
    }
    if let Some(process) = &report.process {
        write_process(out, process)?;
    }
    write_meter(out, &report.mode, &report.meter)?;
    if report.nothing_answered {
        writeln!(out, "  FAILED: {}", nothing_answered(report))?;
    }
    Ok(())
}

/// Why there are no figures, in a sentence.
pub(super) fn nothing_answered(report: &Report) -> String {
    let most = report.errors.iter().max_by_key(|(_, count)| **count);
    let most = most.map_or_else(String::new, |(kind, _)| format!(", most often {kind}"));
    let errors = Grouped(report.errors_total as f64);
    format!("not one request was answered as it should: {errors} errors{most}")
}

fn write_head(out: &mut String, report: &Report) -> fmt::Result {
    let through = match (&report.proxy, report.tunnel) {
        (Some(proxy), true) => format!(" through {proxy} (CONNECT)"),
        (Some(proxy), false) => format!(" through {proxy}"),
        (None, _) => String::new(),
    };
    let urls = report.urls.first().map_or("", String::as_str);
    let more = match report.urls.len() {
        0 | 1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    writeln!(out, "{urls}{more}{through}")?;
    let kind = if report.new_connections {
        "new connections"
    } else {
        "keep-alive"
    };
    let rate = report
        .rate_intended
        .map_or(String::new(), |rate| format!(" at {rate} requests/s"));
    let streams = match report.streams {
        0 | 1 => String::new(),
        streams => format!(" of {streams} streams"),
    };
    let scenario = match report.scenario.as_str() {
        "" | "requests" => String::new(),
        other => format!("{other}, "),
    };
    writeln!(
        out,
        "  {scenario}{} loop{rate}, {} connections{streams}, {kind}, {} threads, {:.2} s after {:.2} s of warm-up",
        report.mode, report.connections, report.threads, report.duration_s, report.warmup_s
    )
}

fn write_latency(out: &mut String, name: &str, summary: &Summary) -> fmt::Result {
    writeln!(
        out,
        "  {name:<11} p50 {}  p90 {}  p99 {}  p99.9 {}  max {}  mean {}",
        Time(summary.p50),
        Time(summary.p90),
        Time(summary.p99),
        Time(summary.p99_9),
        Time(summary.max),
        Time(summary.mean)
    )
}

fn write_slow(out: &mut String, slow: &SlowFigures) -> fmt::Result {
    writeln!(
        out,
        "  slow        {:>12} answered, {} errors",
        slow.requests_total, slow.errors_total
    )?;
    let errors = slow.errors.iter();
    let errors = errors.map(|(kind, count)| vec![format!("  {kind}"), count.to_string()]);
    out.push_str(&table::render(&[Side::Left, Side::Right], errors.collect()));
    Ok(())
}

fn write_hold(out: &mut String, hold: &HoldFigures) -> fmt::Result {
    write!(
        out,
        "  held        {:>12} connections",
        hold.connections_held
    )?;
    if let Some(each) = hold.rss_bytes_per_connection {
        write!(out, ", {} resident for each", Size(each))?;
    }
    writeln!(out)
}

fn write_process(out: &mut String, process: &ProcessFigures) -> fmt::Result {
    let each = process
        .cpu_us_per_request
        .map_or_else(|| "-".to_owned(), |us| format!("{us:.2}"));
    writeln!(
        out,
        "  process     {each} \u{b5}s CPU a request ({:.0} % of a core, {:.0} % of it user), {:.1} MiB resident",
        process.cpu_ratio * 100.0,
        100.0 * process.cpu_user_us / process.cpu_us.max(1.0),
        process.rss_bytes as f64 / 1_048_576.0
    )?;
    match process
        .cpu_s_per_gib
        .filter(|_| process.cpu_us_per_request.is_none())
    {
        Some(seconds) => writeln!(out, "              {seconds:.3} s CPU a GiB"),
        None => Ok(()),
    }
}

fn write_meter(out: &mut String, mode: &str, meter: &MeterFigures) -> fmt::Result {
    write!(
        out,
        "  meter       busy {:.0} %",
        meter.busy_ratio_max * 100.0
    )?;
    if mode == "open" {
        write!(
            out,
            ", schedule lag p50 {} p99.9 {} max {}",
            Time(meter.schedule_lag_us_p50),
            Time(meter.schedule_lag_us_p99_9),
            Time(meter.schedule_lag_us_max)
        )?;
    }
    writeln!(out)?;
    for warning in &meter.warnings {
        writeln!(out, "  warning: {warning}")?;
    }
    for reason in &meter.void_reasons {
        writeln!(out, "  VOID: {reason}")?;
    }
    Ok(())
}
