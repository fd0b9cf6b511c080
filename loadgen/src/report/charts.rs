//! The charts of an HTML report: the latency-percentile curve, latency over time as bands, rate and
//! errors over time.

use hdrhistogram::Histogram;
use maud::{Markup, html};

use super::curve;
use super::json::{IntervalFigures, Report};
use super::svg::{Axis, Canvas, LETTER_PX, Tick, band, line, px, x_axis, y_axis};
use super::words::{Grouped, Time};

/// Least width of a column of a chart over time, pixels: what a screen can tell apart.
const COLUMN_PX_MIN: f64 = 7.0;

/// One column of the charts over time: one interval, or several put together.
#[derive(Debug)]
struct Column {
    /// From the start of the window, seconds.
    start_s: f64,
    length_s: f64,
    requests: u64,
    errors: u64,
    /// p50, p90, p99, p99.9 and max, microseconds; none if nothing was answered.
    percentiles: Option<[f64; 5]>,
}

/// Draws a chart in both sizes; the style sheet shows the one that fits.
pub(super) fn both(draw: impl Fn(&Canvas) -> Markup) -> Markup {
    let sized = |canvas: Canvas, class: &str| {
        let view = format!("0 0 {} {}", canvas.width, canvas.height);
        html! { svg class=(class) viewBox=(view) role="img" { (draw(&canvas)) } }
    };
    html! {
        (sized(Canvas::WIDE, "wide"))
        (sized(Canvas::NARROW, "narrow"))
    }
}

/// Latency by percentile; both axes logarithmic, so that the tail is as wide as the middle.
pub(super) fn percentiles(report: &Report) -> Markup {
    let histogram = curve::decode(&report.latency_histogram);
    let points = curve::points(&histogram);
    if points.is_empty() {
        return nothing();
    }
    both(|canvas| percentile_chart(canvas, &histogram, &points))
}

fn percentile_chart(canvas: &Canvas, histogram: &Histogram<u64>, points: &[(f64, f64)]) -> Markup {
    let count = histogram.len() as f64;
    let x = Axis::log(1.0, count.max(100.0), canvas.left, canvas.plot_right());
    let least = points.iter().map(|(_, us)| *us).fold(f64::MAX, f64::min);
    let most = points.iter().map(|(_, us)| *us).fold(0.0, f64::max);
    // Room for the label of the topmost mark.
    let y = latency_axis(canvas, least, most * 1.5);
    let x_ticks: Vec<Tick> = [
        (1.0, "0 %"),
        (2.0, "50 %"),
        (10.0, "90 %"),
        (100.0, "99 %"),
        (1_000.0, "99.9 %"),
        (10_000.0, "99.99 %"),
        (100_000.0, "99.999 %"),
        (1_000_000.0, "99.9999 %"),
    ]
    .into_iter()
    .filter(|(inverse, _)| *inverse <= count.max(100.0))
    .filter(|(inverse, _)| *inverse != 2.0 || canvas.width > 500.0)
    .map(|(inverse, label)| (inverse, label.to_owned()))
    .collect();
    let marks = [2.0, 10.0, 100.0, 1_000.0, 10_000.0];
    let marks = marks.into_iter().filter(|inverse| *inverse < count);
    let places: Vec<_> = points.iter().map(|(i, us)| (x.at(*i), y.at(*us))).collect();
    let floor: Vec<_> = places
        .iter()
        .map(|(x, _)| (*x, canvas.plot_bottom()))
        .collect();
    html! {
        title { "Latency by percentile" }
        (y_axis(canvas, &y, &time_ticks(&y)))
        path class="area" d=(band(&places, &floor)) {}
        path class="line" d=(line(places.iter().copied())) {}
        @for inverse in marks {
            @let us = histogram.value_at_quantile(1.0 - 1.0 / inverse) as f64 / 1_000.0;
            circle class="mark" cx=(px(x.at(inverse))) cy=(px(y.at(us))) r="3.5" {
                title { (Time(us)) " or less for " (100.0 - 100.0 / inverse) " %" }
            }
            @if canvas.width > 500.0 { (value(canvas, (x.at(inverse), y.at(us)), &Time(us).to_string())) }
        }
        (x_axis(canvas, &x, &x_ticks, "percentile of requests"))
    }
}

/// Between a mark and its label, and the height of that.
const LABEL_GAP_PX: f64 = 7.0;
const LABEL_PX: f64 = 13.0;

/// What a mark on the percentile curve stands for. The curve only rises: what is above and left of one of
/// its points is beside it, and so is what is below and right.
fn value(canvas: &Canvas, (x, y): (f64, f64), text: &str) -> Markup {
    let width = text.chars().count() as f64 * LETTER_PX;
    let has_room_left = x - LABEL_GAP_PX - width >= canvas.left;
    let has_room_below = y + LABEL_GAP_PX + LABEL_PX < canvas.plot_bottom()
        && x + LABEL_GAP_PX + width <= canvas.plot_right();
    html! {
        @if has_room_left {
            text class="value" text-anchor="end" x=(px(x - LABEL_GAP_PX)) y=(px(y - LABEL_GAP_PX)) { (text) }
        } @else if has_room_below {
            text class="value" x=(px(x + LABEL_GAP_PX)) y=(px(y + LABEL_GAP_PX + LABEL_PX - 3.0)) { (text) }
        }
    }
}

/// Latency over time: bands between percentiles, and the slowest of each interval.
pub(super) fn latency_over_time(report: &Report) -> Markup {
    if report.latency_us.count == 0 {
        return nothing();
    }
    both(|canvas| latency_chart(canvas, &columns(report, canvas)))
}

fn latency_chart(canvas: &Canvas, columns: &[Column]) -> Markup {
    let x = time_axis(canvas, columns);
    let all = || columns.iter().filter_map(|column| column.percentiles);
    let least = all().map(|[p50, ..]| p50).fold(f64::MAX, f64::min);
    let most = all().map(|[.., max]| max).fold(0.0, f64::max);
    let y = latency_axis(canvas, least * 0.7, most);
    let middle = |column: &Column| x.at(column.start_s + column.length_s / 2.0);
    let series = |pick: fn([f64; 5]) -> f64| -> Vec<(f64, f64)> {
        let place = |column: &Column| {
            column
                .percentiles
                .map(|five| (middle(column), y.at(pick(five))))
        };
        columns.iter().filter_map(place).collect()
    };
    let p50 = series(|[p50, ..]| p50);
    let p90 = series(|[_, p90, ..]| p90);
    let p99 = series(|[_, _, p99, ..]| p99);
    let p99_9 = series(|[_, _, _, p99_9, _]| p99_9);
    let max = series(|[.., max]| max);
    html! {
        title { "Latency over time" }
        (y_axis(canvas, &y, &time_ticks(&y)))
        path class="band b3" d=(band(&p99_9, &p99)) {}
        path class="band b2" d=(band(&p99, &p90)) {}
        path class="band b1" d=(band(&p90, &p50)) {}
        path class="line" d=(line(p50.iter().copied())) {}
        @for (x, y) in &max { circle class="dot" cx=(px(*x)) cy=(px(*y)) r="1.6" {} }
        @for column in columns { (hover(canvas, &x, column)) }
        (x_axis(canvas, &x, &second_ticks(&x, canvas), "seconds"))
    }
}

/// Requests a second over time; errors as bars from below.
pub(super) fn rate_over_time(report: &Report) -> Markup {
    if report.intervals.is_empty() {
        return nothing();
    }
    both(|canvas| rate_chart(canvas, report, &columns(report, canvas)))
}

fn rate_chart(canvas: &Canvas, report: &Report, columns: &[Column]) -> Markup {
    let x = time_axis(canvas, columns);
    let per_second = |count: u64, column: &Column| count as f64 / column.length_s;
    let rates = columns
        .iter()
        .map(|column| per_second(column.requests.max(column.errors), column));
    let most = rates.fold(report.rate_intended.unwrap_or(0.0), f64::max);
    let y = Axis::linear(0.0, most * 1.08, canvas.plot_bottom(), canvas.top);
    let ticks: Vec<Tick> = y
        .ticks(5)
        .into_iter()
        .map(|rate| (rate, Grouped(rate).to_string()))
        .collect();
    let steps: Vec<(f64, f64)> = columns
        .iter()
        .flat_map(|column| {
            let height = y.at(per_second(column.requests, column));
            [
                (x.at(column.start_s), height),
                (x.at(column.start_s + column.length_s), height),
            ]
        })
        .collect();
    let floor: Vec<_> = steps
        .iter()
        .map(|(x, _)| (*x, canvas.plot_bottom()))
        .collect();
    html! {
        title { "Requests a second over time" }
        (y_axis(canvas, &y, &ticks))
        path class="area" d=(band(&steps, &floor)) {}
        path class="line" d=(line(steps.iter().copied())) {}
        @if let Some(rate) = report.rate_intended {
            @let at = px(y.at(rate));
            line class="intended" x1=(px(canvas.left)) x2=(px(canvas.plot_right())) y1=(at) y2=(at) {
                title { "intended: " (Grouped(rate)) " requests a second" }
            }
        }
        @for column in columns.iter().filter(|column| column.errors > 0) {
            @let top = y.at(per_second(column.errors, column)).min(canvas.plot_bottom() - 2.0);
            @let left = x.at(column.start_s);
            rect class="error" x=(px(left)) y=(px(top))
                width=(px((x.at(column.start_s + column.length_s) - left).max(1.0)))
                height=(px(canvas.plot_bottom() - top)) {}
        }
        @for column in columns { (hover(canvas, &x, column)) }
        (x_axis(canvas, &x, &second_ticks(&x, canvas), "seconds"))
    }
}

/// What a pointer over a column shows.
fn hover(canvas: &Canvas, x: &Axis, column: &Column) -> Markup {
    let left = x.at(column.start_s);
    let width = x.at(column.start_s + column.length_s) - left;
    html! {
        rect class="hover" x=(px(left)) y=(px(canvas.top)) width=(px(width.max(0.5)))
            height=(px(canvas.plot_bottom() - canvas.top)) {
            title {
                (format!("{:.1} s: ", column.start_s))
                (Grouped((column.requests as f64 / column.length_s).round())) "/s"
                @if let Some([p50, _, p99, p99_9, max]) = column.percentiles {
                    ", p50 " (Time(p50)) ", p99 " (Time(p99)) ", p99.9 " (Time(p99_9))
                    ", max " (Time(max))
                }
                @if column.errors > 0 { ", " (column.errors) " errors" }
            }
        }
    }
}

fn nothing() -> Markup {
    html! { p class="nothing" { "Nothing was answered." } }
}

/// A logarithmic axis for microseconds, from below `least` to above `most`.
pub(super) fn latency_axis(canvas: &Canvas, least: f64, most: f64) -> Axis {
    let least = least.max(0.1) * 0.9;
    Axis::log(
        least,
        most.max(least * 4.0) * 1.15,
        canvas.plot_bottom(),
        canvas.top,
    )
}

fn time_axis(canvas: &Canvas, columns: &[Column]) -> Axis {
    let end = columns
        .last()
        .map_or(1.0, |column| column.start_s + column.length_s);
    Axis::linear(0.0, end, canvas.left, canvas.plot_right())
}

/// Round times along an axis of microseconds.
pub(super) fn time_ticks(axis: &Axis) -> Vec<Tick> {
    let label = |us: f64| match us {
        us if us < 1_000.0 => format!("{us} \u{b5}s"),
        us if us < 1e6 => format!("{} ms", us / 1e3),
        us => format!("{} s", us / 1e6),
    };
    axis.ticks(12)
        .into_iter()
        .map(|us| (us, label(us)))
        .collect()
}

fn second_ticks(axis: &Axis, canvas: &Canvas) -> Vec<Tick> {
    let wanted = if canvas.width > 500.0 { 10 } else { 5 };
    let label = |seconds: f64| format!("{}", (seconds * 100.0).round() / 100.0);
    axis.ticks(wanted)
        .into_iter()
        .map(|seconds| (seconds, label(seconds)))
        .collect()
}

/// The intervals, so many put together that the columns can be told apart.
fn columns(report: &Report, canvas: &Canvas) -> Vec<Column> {
    let width = canvas.plot_right() - canvas.left;
    let wanted = report.intervals.len() as f64 * COLUMN_PX_MIN / width;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small whole number"
    )]
    let each = wanted.ceil().max(1.0) as usize;
    let column = |(index, group): (usize, &[IntervalFigures])| {
        let start_s = (index * each) as f64 * report.interval_s;
        // The last interval may be cut short by the end of the window.
        let end_s = (start_s + group.len() as f64 * report.interval_s).min(report.duration_s);
        Column {
            start_s,
            length_s: (end_s - start_s).max(report.interval_s * 0.01),
            requests: group.iter().map(|interval| interval.requests).sum(),
            errors: group.iter().map(|interval| interval.errors).sum(),
            percentiles: percentiles_of(group),
        }
    };
    report
        .intervals
        .chunks(each)
        .enumerate()
        .map(column)
        .collect()
}

fn percentiles_of(group: &[IntervalFigures]) -> Option<[f64; 5]> {
    let histogram = curve::decode_all(group.iter().map(|interval| interval.histogram.as_str()));
    let us = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1_000.0;
    (!histogram.is_empty()).then(|| [0.5, 0.9, 0.99, 0.999, 1.0].map(us))
}
