//! The report as one HTML page that needs nothing else: style and charts are in it. Light or dark as
//! the reader's system has it; for wide and narrow windows. Every value is escaped by maud.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::charts;
use super::json::Report;
use super::machine::Machine;
use super::text;
use super::words::{Grouped, Size, Time};

const STYLE: &str = include_str!("style.css");

/// Renders the whole page.
pub(super) fn page(report: &Report) -> String {
    let title = title(report);
    let body = html! {
        (head(report, &title))
        (verdict(report))
        (tiles(report))
        (chart_sections(report))
        div class="pair" { (latency_table(report)) (errors_table(report)) }
        div class="pair" { (plan_table(report)) (machine_table(report)) }
        footer {
            "Written by sallyport-load " (report.machine.program_version)
            ". Latency counts from when a request was due (open loop) or sent (closed loop) \
             to the last byte of its response."
        }
    };
    document(&title, &body)
}

/// A page around its content.
pub(super) fn document(title: &str, body: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="generator" content="sallyport-load";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main { (body) } }
        }
    }
    .into_string()
}

fn title(report: &Report) -> String {
    let first = report.urls.first().map_or("", String::as_str);
    report.name.clone().unwrap_or_else(|| first.to_owned())
}

fn head(report: &Report, title: &str) -> Markup {
    let loop_kind = match report.rate_intended {
        Some(rate) => format!("open loop at {} requests/s", Grouped(rate)),
        None => "closed loop".to_owned(),
    };
    html! {
        header {
            h1 { (title) }
            p class="sub" {
                (loop_kind) ", " (Grouped(report.connections as f64)) " connections"
                @if report.streams > 1 { " of " (report.streams) " streams" }
                @if report.new_connections { ", a new one for each request" }
                @if let Some(proxy) = &report.proxy {
                    ", through " (proxy)
                    @if report.tunnel { " (CONNECT)" }
                }
                ", " (format!("{:.1} s", report.duration_s)) ", " (report.machine.started_at)
            }
        }
    }
}

/// Whether the figures can be relied on.
fn verdict(report: &Report) -> Markup {
    let meter = &report.meter;
    let list = |reasons: &[String]| html! { ul { @for reason in reasons { li { (reason) } } } };
    html! {
        @if report.nothing_answered {
            div class="verdict bad" { strong { "Failed." } (text::nothing_answered(report)) "." }
        } @else if meter.void {
            div class="verdict bad" {
                strong { "Void." } "The meter fell behind: these figures do not describe the subject."
                (list(&meter.void_reasons))
            }
        } @else if !meter.warnings.is_empty() {
            div class="verdict warn" {
                strong { "Valid, with reservations." }
                (list(&meter.warnings))
            }
        } @else {
            div class="verdict good" {
                strong { "Valid." }
                "The meter kept its schedule and had time to spare (busy "
                (format!("{:.0} %", meter.busy_ratio_max * 100.0)) ")."
            }
        }
    }
}

fn tile(name: &str, value: &str, unit: &str) -> Markup {
    html! { div class="tile" { dt { (name) } dd { (value) " " small { (unit) } } } }
}

fn tiles(report: &Report) -> Markup {
    let latency = &report.latency_us;
    let time = |us: f64| {
        let text = Time(us).to_string();
        let (value, unit) = text.split_once(' ').unwrap_or((&text, ""));
        (value.to_owned(), unit.to_owned())
    };
    let latencies = [
        ("Median latency", latency.p50),
        ("99th percentile", latency.p99),
        ("99.9th percentile", latency.p99_9),
    ];
    let process = report.process.as_ref();
    html! {
        dl class="tiles" {
            (tile("Throughput", &Grouped(report.requests_per_second).to_string(), "requests/s"))
            @for (name, us) in latencies {
                @let (value, unit) = time(us);
                (tile(name, &value, &unit))
            }
            div class="tile" {
                dt { "Errors" }
                dd class=[(report.errors_total > 0).then_some("alarm")] {
                    (Grouped(report.errors_total as f64)) " "
                    small { "of " (Grouped((report.errors_total + report.requests_total) as f64)) }
                }
            }
            @if let Some(us) = process.and_then(|process| process.cpu_us_per_request) {
                (tile("Subject's CPU", &format!("{us:.1}"), "\u{b5}s/request"))
            }
            @if let Some(process) = process {
                @let text = Size(process.rss_bytes_max as f64).to_string();
                @let (value, unit) = text.split_once(' ').unwrap_or((&text, ""));
                (tile("Subject's memory", value, unit))
            }
            @if report.body_bytes_per_second > 1_048_576.0 {
                @let text = Size(report.body_bytes_per_second).to_string();
                @let (value, unit) = text.split_once(' ').unwrap_or((&text, ""));
                (tile("Bodies", value, &format!("{unit}/s")))
            }
        }
    }
}

fn chart_sections(report: &Report) -> Markup {
    html! {
        section {
            h2 { "Latency by percentile" }
            p class="note" { "How slow the slowest requests were. Both axes are logarithmic: each step to the right is ten times rarer." }
            (charts::percentiles(report))
        }
        section {
            h2 { "Latency over time" }
            p class="note" { "Each column is an interval of the run, by when its requests ended." }
            (charts::latency_over_time(report))
            ul class="legend" {
                li { i class="l0" {} "median" }
                li { i class="l1" {} "to 90 %" }
                li { i class="l2" {} "to 99 %" }
                li { i class="l3" {} "to 99.9 %" }
                li { i class="l4" {} "slowest" }
            }
        }
        section {
            h2 { "Requests a second" }
            (charts::rate_over_time(report))
            ul class="legend" {
                li { i class="l0" {} "answered" }
                @if report.rate_intended.is_some() { li { i class="l6" {} "intended" } }
                @if report.errors_total > 0 { li { i class="l5" {} "errors" } }
            }
        }
    }
}

fn latency_table(report: &Report) -> Markup {
    let (latency, setup) = (&report.latency_us, &report.connection_setup_us);
    let rows = [
        ("min", latency.min, setup.min),
        ("mean", latency.mean, setup.mean),
        ("50 %", latency.p50, setup.p50),
        ("90 %", latency.p90, setup.p90),
        ("99 %", latency.p99, setup.p99),
        ("99.9 %", latency.p99_9, setup.p99_9),
        ("99.99 %", latency.p99_99, setup.p99_99),
        ("max", latency.max, setup.max),
    ];
    html! {
        section {
            h2 { "Latency" }
            table {
                tr { th {} td class="n" { "requests" } @if setup.count > 0 { td class="n" { "connection set-up" } } }
                tr { th { "count" } td class="n" { (Grouped(latency.count as f64)) }
                    @if setup.count > 0 { td class="n" { (Grouped(setup.count as f64)) } } }
                @for (name, us, setup_us) in rows {
                    tr { th { (name) } td class="n" { (Time(us)) }
                        @if setup.count > 0 { td class="n" { (Time(setup_us)) } } }
                }
            }
        }
    }
}

fn errors_table(report: &Report) -> Markup {
    html! {
        section {
            h2 { "Errors" }
            @if report.errors.is_empty() {
                p class="note" { "None: every response was complete, well-formed and what was expected." }
            } @else {
                table {
                    @for (kind, count) in &report.errors {
                        tr {
                            th { (kind) }
                            td { (report.error_examples.get(kind).map_or("", String::as_str)) }
                            td class="n" { (Grouped(*count as f64)) }
                        }
                    }
                }
            }
            @if let Some(slow) = &report.slow_clients {
                table { tr { th { "slow clients" }
                    td { (slow.requests_total) " answered, " (slow.errors_total) " errors" } } }
            }
            @if let Some(hold) = &report.hold {
                table {
                    tr { th { "connections held" } td class="n" { (Grouped(hold.connections_held as f64)) } }
                    @if let Some(each) = hold.rss_bytes_per_connection {
                        tr { th { "memory for each" } td class="n" { (Size(each)) } }
                    }
                }
            }
        }
    }
}

/// One line of a table of names and values.
pub(super) fn row(name: &str, value: &str) -> Markup {
    html! { tr { th { (name) } td { (value) } } }
}

fn plan_table(report: &Report) -> Markup {
    let urls = report.urls.join("\n");
    html! {
        section {
            h2 { "What was sent" }
            table {
                (row("scenario", &report.scenario))
                (row("URLs", &urls))
                (row("HTTP", &report.http))
                (row("bodies received", &Size(report.body_bytes_total as f64).to_string()))
                @if report.sent_body_bytes_total > 0 {
                    (row("bodies sent", &Size(report.sent_body_bytes_total as f64).to_string()))
                }
                (row("connections opened", &report.connections_opened_total.to_string()))
                (row("warm-up", &format!("{:.1} s", report.warmup_s)))
            }
        }
    }
}

/// What a run took place on.
pub(super) fn machine_rows(machine: &Machine) -> Markup {
    html! {
        (row("CPU", &format!("{} ({} of them)", machine.cpu, machine.cpus)))
        (row("kernel", &machine.kernel))
    }
}

fn machine_table(report: &Report) -> Markup {
    let (machine, meter) = (&report.machine, &report.meter);
    html! {
        section {
            h2 { "Where, and by what" }
            table {
                (machine_rows(machine))
                (row("meter", &format!("{} threads, busy {:.0} %", report.threads, meter.busy_ratio_max * 100.0)))
                @if report.mode == "open" {
                    (row("schedule lag", &format!("p99.9 {}, max {}",
                        Time(meter.schedule_lag_us_p99_9), Time(meter.schedule_lag_us_max))))
                }
                @if let Some(process) = &report.process {
                    (row("subject's CPU", &format!("{:.0} % of a core, {:.0} % of it user",
                        process.cpu_ratio * 100.0, 100.0 * process.cpu_user_us / process.cpu_us.max(1.0))))
                    @if let Some(seconds) = process.cpu_s_per_gib {
                        (row("CPU for a GiB", &format!("{seconds:.3} s")))
                    }
                }
            }
        }
    }
}
