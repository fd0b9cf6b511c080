//! The cells of one metric, one for each set of its labels' values, and what is said about it.

use std::marker::PhantomData;
use std::time::Duration;

use super::cell::{Apart, Cell};
use super::label::{LabelSet, Names};

/// What is said about a metric.
#[derive(Debug)]
pub(crate) struct Description {
    /// Without prefix, unit and suffix.
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) unit: Unit,
    pub(crate) kind: Kind,
    pub(crate) labels: &'static [&'static str],
    /// Shards are told apart, by a label of their own, where their sum says nothing.
    pub(crate) is_per_shard: bool,
}

/// What is counted. Time is kept in nanoseconds and told in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    None,
    Bytes,
    Seconds,
}

/// How a metric behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Grows.
    Counter,
    /// Is what it is.
    Gauge,
    /// Nothing but labels.
    Info,
    /// Counts by size; the bounds of its buckets ascend.
    Histogram(&'static [u64]),
}

/// The cells of a metric as the reader needs them.
pub(crate) trait Family {
    /// All, those of a series side by side.
    fn cells(&self) -> &[Cell];

    /// How many a series has.
    fn width(&self) -> usize;

    /// The values of the labels of a series.
    fn texts<'n>(&self, series: usize, names: &'n Names) -> Vec<&'n str>;
}

/// Numbers that only grow.
#[derive(Debug)]
pub(crate) struct Counters<L>(Cells<L>);

/// Numbers that are what they are.
#[derive(Debug)]
pub(crate) struct Gauges<L>(Cells<L>);

/// How often something was of which size.
#[derive(Debug)]
pub(crate) struct Histograms<L> {
    bounds: &'static [u64],
    /// Of each series its buckets, the one without a bound, and the sum.
    cells: Cells<L>,
}

#[derive(Debug)]
struct Cells<L> {
    cells: Apart<Cell>,
    labels: PhantomData<fn(L)>,
}

impl<L: LabelSet> Cells<L> {
    fn new(names: &Names, width: usize) -> Self {
        Self {
            cells: Apart::new(L::count(names) * width),
            labels: PhantomData,
        }
    }
}

impl<L: LabelSet> Counters<L> {
    pub(super) fn new(names: &Names, _: &Description) -> Self {
        Self(Cells::new(names, 1))
    }

    /// Counts `count` more.
    pub(crate) fn add(&self, labels: L, count: u64) {
        if let Some(cell) = self.0.cells.get(labels.index()) {
            cell.add(count);
        }
    }

    /// Counts one more.
    pub(crate) fn count(&self, labels: L) {
        self.add(labels, 1);
    }

    /// Takes over what another one has counted since the start.
    pub(crate) fn copy(&self, labels: L, count: u64) {
        if let Some(cell) = self.0.cells.get(labels.index()) {
            cell.set(count);
        }
    }
}

impl<L: LabelSet> Gauges<L> {
    pub(super) fn new(names: &Names, _: &Description) -> Self {
        Self(Cells::new(names, 1))
    }

    /// It is this now.
    pub(crate) fn set(&self, labels: L, value: u64) {
        if let Some(cell) = self.0.cells.get(labels.index()) {
            cell.set(value);
        }
    }

    /// It is this now, unless it was more.
    pub(crate) fn raise(&self, labels: L, value: u64) {
        if let Some(cell) = self.0.cells.get(labels.index())
            && cell.get() < value
        {
            cell.set(value);
        }
    }
}

impl<L: LabelSet> Histograms<L> {
    pub(super) fn new(names: &Names, description: &Description) -> Self {
        let bounds = match description.kind {
            Kind::Histogram(bounds) => bounds,
            Kind::Counter | Kind::Gauge | Kind::Info => &[],
        };
        Self {
            bounds,
            cells: Cells::new(names, bounds.len() + 2),
        }
    }

    /// Counts something that took this long.
    pub(crate) fn observe(&self, labels: L, duration: Duration) {
        let nanos = nanos(duration);
        let first = labels.index() * (self.bounds.len() + 2);
        let bucket = self.bounds.partition_point(|bound| *bound < nanos);
        let cells = &self.cells.cells;
        if let (Some(count), Some(sum)) = (
            cells.get(first + bucket),
            cells.get(first + self.bounds.len() + 1),
        ) {
            count.add(1);
            sum.add(nanos);
        }
    }
}

/// In nanoseconds.
pub(crate) fn nanos(duration: Duration) -> u64 {
    // Five centuries fit.
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

macro_rules! families {
    ($($family:ident $cells:tt $width:expr;)*) => {$(
        impl<L: LabelSet> Family for $family<L> {
            fn cells(&self) -> &[Cell] {
                self.$cells.cells.all()
            }

            fn width(&self) -> usize {
                let width: fn(&Self) -> usize = $width;
                width(self)
            }

            fn texts<'n>(&self, series: usize, names: &'n Names) -> Vec<&'n str> {
                L::texts(series, names)
            }
        }
    )*};
}

families! {
    Counters 0 |_| 1;
    Gauges 0 |_| 1;
    Histograms cells |it| it.bounds.len() + 2;
}
