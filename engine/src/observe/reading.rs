//! From the sheets of all shards to numbers with names.

use std::sync::Arc;

use super::cell::Cell;
use super::family::{Description, Family, Kind, Unit};
use super::label::Names;

/// A metric as it is now.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) description: &'static Description,
    pub(crate) series: Vec<Series>,
}

/// One set of labels.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) labels: Vec<(&'static str, String)>,
    pub(crate) value: Value,
}

/// What is told of it, in the unit of the metric.
#[derive(Debug, PartialEq)]
pub(crate) enum Value {
    Counter(Number),
    Gauge(Number),
    /// Nothing but its labels.
    Info,
    Histogram {
        sum: f64,
        count: u64,
        /// Upper bounds, the last one infinite, and how many lie between each and the one before.
        buckets: Vec<(f64, u64)>,
    },
}

/// A number, in the unit of the metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Whole(u64),
    Seconds(f64),
}

/// Of a metric with more series than this those that were never counted are left out.
const SERIES_SHOWN_UNUSED: usize = 24;

/// A sheet of cells, whose families are in the order of its descriptions.
pub(crate) trait Sheet {
    fn descriptions() -> &'static [Description];

    fn families(&self) -> Vec<&dyn Family>;
}

/// Reads all metrics of the sheets.
pub(crate) fn read<S: Sheet>(sheets: &[Arc<S>], names: &Names) -> Vec<Reading> {
    let mut families: Vec<_> = sheets
        .iter()
        .map(|sheet| sheet.families().into_iter())
        .collect();
    let mut readings = Vec::new();
    for description in S::descriptions() {
        let of_sheets: Vec<&dyn Family> = families.iter_mut().filter_map(Iterator::next).collect();
        let mut series = Vec::new();
        match description.is_per_shard {
            true => {
                for (shard, family) in of_sheets.iter().enumerate() {
                    let shard = [("shard", shard.to_string())];
                    series.extend(read_family(description, &[*family], names, &shard));
                }
            }
            false => series.extend(read_family(description, &of_sheets, names, &[])),
        }
        readings.push(Reading {
            description,
            series,
        });
    }
    readings
}

fn read_family(
    description: &'static Description,
    sheets: &[&dyn Family],
    names: &Names,
    before: &[(&'static str, String)],
) -> Vec<Series> {
    let Some(first) = sheets.first() else {
        return Vec::new();
    };
    let mut sums: Vec<u64> = first.cells().iter().map(Cell::get).collect();
    for other in sheets.iter().skip(1) {
        for (sum, cell) in sums.iter_mut().zip(other.cells()) {
            *sum = sum.wrapping_add(cell.get());
        }
    }
    let width = first.width();
    let is_large = sums.len() / width > SERIES_SHOWN_UNUSED;
    let numbered = sums.chunks_exact(width).enumerate();
    let shown = numbered.filter(|(_, cells)| !is_large || cells.iter().any(|cell| *cell != 0));
    shown
        .map(|(index, cells)| {
            let texts = first.texts(index, names).into_iter().map(ToOwned::to_owned);
            let own = description.labels.iter().copied().zip(texts);
            Series {
                labels: before.iter().cloned().chain(own).collect(),
                value: value(description, cells),
            }
        })
        .collect()
}

fn value(description: &Description, cells: &[u64]) -> Value {
    let told = |number: u64| match description.unit {
        Unit::Seconds => Number::Seconds(seconds(number)),
        Unit::None | Unit::Bytes => Number::Whole(number),
    };
    let first = cells.first().copied().unwrap_or_default();
    match description.kind {
        Kind::Counter => Value::Counter(told(first)),
        Kind::Info => Value::Info,
        Kind::Gauge => Value::Gauge(told(first)),
        Kind::Histogram(bounds) => {
            let bounds = bounds.iter().map(|bound| seconds(*bound));
            let buckets: Vec<_> = bounds
                .chain([f64::INFINITY])
                .zip(cells.iter().copied())
                .collect();
            Value::Histogram {
                sum: seconds(cells.last().copied().unwrap_or_default()),
                count: buckets.iter().map(|(_, count)| count).sum(),
                buckets,
            }
        }
    }
}

/// Of nanoseconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "it is told to a reader, in whole digits for months"
)]
fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}
