//! Axes and paths of the charts in an HTML report: numbers to places, places to SVG. Knows nothing of
//! latencies.

use std::fmt::Write as _;

use maud::{Markup, html};

/// Size of a chart and the room around its plot, pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Canvas {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl Canvas {
    /// For a page as wide as a desk's screen shows it.
    pub(super) const WIDE: Self = Self {
        width: 980.0,
        height: 300.0,
        left: 64.0,
        right: 16.0,
        top: 12.0,
        bottom: 40.0,
    };
    /// For a telephone: fewer pixels, so that letters keep their size.
    pub(super) const NARROW: Self = Self {
        width: 360.0,
        height: 260.0,
        left: 54.0,
        right: 10.0,
        top: 12.0,
        bottom: 40.0,
    };

    pub(super) fn plot_right(&self) -> f64 {
        self.width - self.right
    }

    pub(super) fn plot_bottom(&self) -> f64 {
        self.height - self.bottom
    }
}

/// Pixels that a letter of a label takes at most.
pub(super) const LETTER_PX: f64 = 8.5;

/// From a value to its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    min: f64,
    max: f64,
    is_log: bool,
    /// Places of the two ends, pixels.
    from: f64,
    to: f64,
}

impl Axis {
    /// A logarithmic axis; both ends positive.
    pub(super) fn log(min: f64, max: f64, from: f64, to: f64) -> Self {
        let max = max.max(min * 1.01);
        Self {
            min,
            max,
            is_log: true,
            from,
            to,
        }
    }

    pub(super) fn linear(min: f64, max: f64, from: f64, to: f64) -> Self {
        let max = if max > min { max } else { min + 1.0 };
        Self {
            min,
            max,
            is_log: false,
            from,
            to,
        }
    }

    /// The place of a value; what lies beyond an end is put there.
    pub(super) fn at(&self, value: f64) -> f64 {
        let value = value.clamp(self.min, self.max);
        let part = if self.is_log {
            (value / self.min).ln() / (self.max / self.min).ln()
        } else {
            (value - self.min) / (self.max - self.min)
        };
        self.from + part * (self.to - self.from)
    }

    /// Round values along it, about as many as `wanted`.
    pub(super) fn ticks(&self, wanted: usize) -> Vec<f64> {
        if self.is_log {
            self.log_ticks(wanted)
        } else {
            self.linear_ticks(wanted)
        }
    }

    fn log_ticks(&self, wanted: usize) -> Vec<f64> {
        let first = self.min.log10().floor();
        let decades = (self.max.log10().ceil() - first).max(1.0);
        let steps: &[f64] = if decades * 3.0 <= wanted as f64 {
            &[1.0, 2.0, 5.0]
        } else {
            &[1.0]
        };
        let mut ticks = Vec::new();
        let mut exponent = first;
        while exponent <= first + decades {
            let decade = 10_f64.powf(exponent);
            ticks.extend(steps.iter().map(|step| step * decade));
            exponent += 1.0;
        }
        ticks.retain(|tick| *tick >= self.min * 0.999 && *tick <= self.max * 1.001);
        ticks
    }

    fn linear_ticks(&self, wanted: usize) -> Vec<f64> {
        let rough = (self.max - self.min) / wanted.max(1) as f64;
        let decade = 10_f64.powf(rough.log10().floor());
        let nice = [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * decade);
        let step = nice
            .into_iter()
            .find(|step| *step >= rough)
            .unwrap_or(decade);
        let mut ticks = Vec::new();
        let mut tick = (self.min / step).ceil() * step;
        while tick <= self.max + step * 1e-6 {
            ticks.push(tick);
            tick += step;
        }
        ticks
    }
}

/// A value on an axis and what is written beside it.
pub(super) type Tick = (f64, String);

/// Lines across the plot with their labels on the left.
pub(super) fn y_axis(canvas: &Canvas, axis: &Axis, ticks: &[Tick]) -> Markup {
    html! {
        @for (value, label) in ticks {
            @let y = px(axis.at(*value));
            line class="grid" x1=(px(canvas.left)) x2=(px(canvas.plot_right())) y1=(y) y2=(y) {}
            text class="label" text-anchor="end" x=(px(canvas.left - 8.0)) y=(y)
                dominant-baseline="middle" { (label) }
        }
    }
}

/// Labels below the plot, and what they mean. One that would stand over its neighbor is left out.
pub(super) fn x_axis(canvas: &Canvas, axis: &Axis, ticks: &[Tick], title: &str) -> Markup {
    let bottom = canvas.plot_bottom();
    let mut taken = 0.0;
    let labels = ticks.iter().filter_map(|(value, label)| {
        let half = label.chars().count() as f64 * LETTER_PX / 2.0;
        let middle = axis.at(*value).min(canvas.width - half);
        let is_free = middle - half >= taken;
        taken = if is_free { middle + half } else { taken };
        is_free.then_some((middle, label))
    });
    html! {
        line class="axis" x1=(px(canvas.left)) x2=(px(canvas.plot_right())) y1=(px(bottom)) y2=(px(bottom)) {}
        @for (value, _) in ticks {
            @let x = px(axis.at(*value));
            line class="axis" x1=(x) x2=(x) y1=(px(bottom)) y2=(px(bottom + 4.0)) {}
        }
        @for (x, label) in labels {
            text class="label" text-anchor="middle" x=(px(x)) y=(px(bottom + 17.0)) { (label) }
        }
        text class="title" text-anchor="middle" y=(px(canvas.height - 5.0))
            x=(px((canvas.left + canvas.plot_right()) / 2.0)) { (title) }
    }
}

/// A line through points.
pub(super) fn line(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    for (index, (x, y)) in points.enumerate() {
        let command = if index == 0 { 'M' } else { 'L' };
        // Writing to a String does not fail.
        let _ = write!(path, "{command}{x:.1} {y:.1}");
    }
    path
}

/// The area between two lines.
pub(super) fn band(upper: &[(f64, f64)], lower: &[(f64, f64)]) -> String {
    let around = upper.iter().chain(lower.iter().rev());
    line(around.copied()) + "Z"
}

/// A coordinate with as many digits as can be seen.
pub(super) fn px(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let axis = Axis::linear(0.0, 10.0, 100.0, 200.0);
        assert_eq!(
            (axis.at(0.0), axis.at(5.0), axis.at(99.0)),
            (100.0, 150.0, 200.0)
        );
        let axis = Axis::log(1.0, 100.0, 0.0, 2.0);
        assert!((axis.at(10.0) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn ticks_are_round_and_few() {
        let linear = |max| Axis::linear(0.0, max, 0.0, 1.0).ticks(6);
        assert_eq!(linear(10.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(linear(37.0), [0.0, 10.0, 20.0, 30.0]);
        let log = |min, max, wanted| Axis::log(min, max, 0.0, 1.0).ticks(wanted);
        assert_eq!(log(80.0, 12_000.0, 6), [100.0, 1_000.0, 10_000.0]);
        assert_eq!(log(80.0, 600.0, 9), [100.0, 200.0, 500.0]);
        // Nothing to show is no reason to run for ever.
        assert!(linear(0.0).len() < 20);
    }

    #[test]
    fn paths() {
        let points = [(0.0, 1.0), (2.0, 3.25)];
        assert_eq!(line(points.into_iter()), "M0.0 1.0L2.0 3.2");
        assert_eq!(band(&points, &points), "M0.0 1.0L2.0 3.2L2.0 3.2L0.0 1.0Z");
    }
}
