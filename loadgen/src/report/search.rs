//! What a search found: as data, as text, and as a page.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde::Serialize;

use super::charts::{both, latency_axis, time_ticks};
use super::html::{document, machine_rows, row};
use super::machine::Machine;
use super::svg::{Axis, Canvas, Tick, px, x_axis, y_axis};
use super::table::{self, Side};
use super::words::{Grouped, Time};
use crate::error::LoadError;

/// What one run says about its rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mark {
    Pass,
    Fail,
    Void,
}

impl Mark {
    const ALL: [Self; 3] = [Self::Pass, Self::Fail, Self::Void];

    fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Void => "void",
        }
    }
}

/// One run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Trial {
    /// Intended, requests a second.
    pub(crate) rate: f64,
    pub(crate) mark: Mark,
    pub(crate) percentile_us: f64,
    /// Good responses a second.
    pub(crate) requests_per_second: f64,
    pub(crate) errors_total: u64,
    /// Count of each kind.
    pub(crate) errors: BTreeMap<String, u64>,
}

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct Found {
    pub(crate) schema_version: u32,
    /// Title of the page.
    pub(crate) name: String,
    pub(crate) percentile: f64,
    pub(crate) below_us: f64,
    /// Highest rate that passed; none if none did.
    pub(crate) rate: Option<f64>,
    /// Lowest rate that failed; none if the search ended at its upper bound.
    pub(crate) rate_failed: Option<f64>,
    /// `subject`, `meter` or `bounds`: what kept it from going higher.
    pub(crate) limited_by: &'static str,
    pub(crate) trials: Vec<Trial>,
    pub(crate) machine: Machine,
}

impl Trial {
    /// A line for those who watch the search.
    pub(crate) fn line(&self, percentile: f64) -> String {
        let row = vec![self.cells(percentile)];
        table::render(&SIDES, row).trim_end().to_owned()
    }

    fn cells(&self, percentile: f64) -> Vec<String> {
        vec![
            format!("{}/s", Grouped(self.rate.round())),
            self.mark.name().to_owned(),
            format!("p{percentile} {}", Time(self.percentile_us)),
            format!("{} answered/s", Grouped(self.requests_per_second.round())),
            self.errors_in_words(),
        ]
    }

    fn errors_in_words(&self) -> String {
        let most = self.errors.iter().max_by_key(|(_, count)| **count);
        let most = most.map_or_else(String::new, |(kind, _)| format!(", most often {kind}"));
        format!("{} errors{most}", Grouped(self.errors_total as f64))
    }
}

const SIDES: [Side; 5] = [
    Side::Right,
    Side::Left,
    Side::Right,
    Side::Right,
    Side::Left,
];

impl Found {
    /// One JSON object, indented.
    pub(crate) fn to_json(&self) -> Result<String, LoadError> {
        let json = serde_json::to_string_pretty(self);
        json.map(|text| text + "\n")
            .map_err(|error| LoadError::io("report")(error.into()))
    }

    /// The answer, in a sentence.
    pub(crate) fn sentence(&self) -> String {
        let target = format!("p{} below {}", self.percentile, Time(self.below_us));
        let limit = match (self.limited_by, self.rate_failed) {
            ("meter", Some(rate)) => format!(
                "; at {}/s the meter fell behind: the subject may do more",
                Grouped(rate.round())
            ),
            (_, Some(rate)) => format!("; {}/s fails", Grouped(rate.round())),
            (_, None) => "; --to ended the search".to_owned(),
        };
        match self.rate {
            Some(rate) => format!("{target}: {} requests/s{limit}", Grouped(rate.round())),
            None => format!("{target}: no rate passes{limit}"),
        }
    }

    /// One page that needs nothing else.
    pub(crate) fn page(&self) -> String {
        let class = match (self.rate, self.limited_by) {
            (Some(_), "subject") => "verdict good",
            (Some(_), _) => "verdict warn",
            (None, _) => "verdict bad",
        };
        let body = html! {
            header {
                h1 { (self.name) }
                p class="sub" { "search for the highest rate, " (self.machine.started_at) }
            }
            div class=(class) { (self.sentence()) "." }
            section {
                h2 { "Latency by rate" }
                p class="note" { "Each mark is a run; the dashed line is what must not be exceeded. Both axes are logarithmic." }
                (self.chart())
                ul class="legend" {
                    li { i class="pass" {} "passes" }
                    li { i class="fail" {} "fails" }
                    li { i class="void" {} "void: the meter fell behind" }
                }
            }
            section { h2 { "Runs" } (self.trials()) }
            section {
                h2 { "Where" }
                table {
                    (machine_rows(&self.machine))
                    (row("written by", &format!("sallyport-load {}", self.machine.program_version)))
                }
            }
        };
        document(&self.name, &body)
    }

    fn trials(&self) -> Markup {
        html! {
            table class="trials" {
                tr {
                    th { "rate" } th { "" } th { "p" (self.percentile) } th { "answered" } th { "errors" }
                }
                @for trial in &self.trials {
                    tr {
                        td { (Grouped(trial.rate.round())) "/s" }
                        td { (trial.mark.name()) }
                        td { (Time(trial.percentile_us)) }
                        td { (Grouped(trial.requests_per_second.round())) "/s" }
                        td { (trial.errors_in_words()) }
                    }
                }
            }
        }
    }

    fn chart(&self) -> Markup {
        both(|canvas| self.draw(canvas))
    }

    fn draw(&self, canvas: &Canvas) -> Markup {
        let answered = self.trials.iter().filter(|trial| trial.percentile_us > 0.0);
        let shown: Vec<&Trial> = answered.collect();
        let rates = || self.trials.iter().map(|trial| trial.rate);
        let (lowest, highest) = (
            rates().fold(f64::MAX, f64::min),
            rates().fold(1.0, f64::max),
        );
        let x = Axis::log(
            lowest.min(highest) * 0.8,
            highest * 1.25,
            canvas.left,
            canvas.plot_right(),
        );
        let latencies = || shown.iter().map(|trial| trial.percentile_us);
        let y = latency_axis(
            canvas,
            latencies().fold(self.below_us, f64::min),
            latencies().fold(self.below_us, f64::max),
        );
        let ticks: Vec<Tick> = x
            .ticks(if canvas.width > 500.0 { 12 } else { 5 })
            .into_iter()
            .map(|rate| (rate, Grouped(rate).to_string()))
            .collect();
        let target = px(y.at(self.below_us));
        html! {
            title { "Latency by rate" }
            (y_axis(canvas, &y, &time_ticks(&y)))
            line class="target" x1=(px(canvas.left)) x2=(px(canvas.plot_right())) y1=(target) y2=(target) {
                title { "target: " (Time(self.below_us)) }
            }
            @for mark in Mark::ALL {
                @for trial in shown.iter().filter(|trial| trial.mark == mark) {
                    (draw_mark(x.at(trial.rate), y.at(trial.percentile_us), trial, self.percentile))
                }
            }
            (x_axis(canvas, &x, &ticks, "requests a second"))
        }
    }
}

/// Shapes tell what colors do, for those who cannot see these.
fn draw_mark(x: f64, y: f64, trial: &Trial, percentile: f64) -> Markup {
    let about = trial.cells(percentile).join(", ");
    html! {
        @match trial.mark {
            Mark::Pass => circle class="pass" cx=(px(x)) cy=(px(y)) r="4.5" { title { (about) } },
            Mark::Fail => rect class="fail" x=(px(x - 4.0)) y=(px(y - 4.0)) width="8" height="8" { title { (about) } },
            Mark::Void => circle class="void" cx=(px(x)) cy=(px(y)) r="4.5" { title { (about) } },
        }
    }
}
