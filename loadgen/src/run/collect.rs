//! The course of a run: the intervals of all threads put together, each summed up and kept in the
//! compressed form of HdrHistogram (about a kilobyte), and the whole.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};

use crate::histogram::latency::Latencies;
use crate::histogram::merge::{Summary, summarize};
use crate::worker::pulse::Interval;

/// One interval of the run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Point {
    pub(crate) latency: Summary,
    /// Histogram in V2 format, deflated, base64.
    pub(crate) histogram: String,
    pub(crate) completed: u64,
    pub(crate) errors: u64,
    pub(crate) body_bytes: u64,
}

/// Puts the intervals of all threads together.
#[derive(Debug)]
pub(crate) struct Collector {
    /// Intervals that some thread has not passed yet.
    open: BTreeMap<usize, Open>,
    /// The interval each thread is in.
    reached: Vec<usize>,
    /// Where the threads get their histograms back from.
    empties: Vec<Sender<Latencies>>,
    pub(crate) points: Vec<Point>,
    pub(crate) total: Latencies,
}

#[derive(Debug)]
struct Open {
    latency: Latencies,
    point: Point,
}

impl Collector {
    pub(crate) fn new(empties: Vec<Sender<Latencies>>) -> Self {
        Self {
            open: BTreeMap::new(),
            reached: vec![0; empties.len()],
            empties,
            points: Vec::new(),
            total: Latencies::new(),
        }
    }

    /// Takes one thread's interval.
    pub(crate) fn add(&mut self, mut interval: Interval) {
        let index = interval.index;
        let open = self.open.entry(index).or_insert_with(|| Open {
            latency: Latencies::new(),
            point: Point::default(),
        });
        open.latency.add(&interval.latency);
        open.point.completed += interval.completed;
        open.point.errors += interval.errors;
        open.point.body_bytes += interval.body_bytes;
        if let Some(reached) = self.reached.get_mut(interval.thread) {
            *reached = index + 1;
        }
        if let Some(empties) = self.empties.get(interval.thread) {
            interval.latency.clear();
            // A thread that has ended needs none any more.
            let _ = empties.send(interval.latency);
        }
        let passed = self.reached.iter().copied().min().unwrap_or(0);
        self.close_up_to(passed);
    }

    /// No more will come.
    pub(crate) fn finish(&mut self) {
        self.close_up_to(usize::MAX);
    }

    /// Good responses so far.
    pub(crate) fn completed(&self) -> u64 {
        let open = self.open.values().map(|open| open.point.completed);
        open.chain(self.points.iter().map(|point| point.completed))
            .sum()
    }

    /// Errors so far.
    pub(crate) fn errors(&self) -> u64 {
        let open = self.open.values().map(|open| open.point.errors);
        open.chain(self.points.iter().map(|point| point.errors))
            .sum()
    }

    fn close_up_to(&mut self, end: usize) {
        while let Some(entry) = self.open.first_entry().filter(|entry| *entry.key() < end) {
            let index = *entry.key();
            let Open { latency, mut point } = entry.remove();
            point.latency = summarize(&latency);
            point.histogram = encode(&latency);
            self.total.add(&latency);
            // Intervals in which all threads stood still are empty points.
            self.points.resize(index, Point::default());
            self.points.push(point);
        }
    }
}

/// V2 format, deflated, base64: what HdrHistogram's logs hold.
pub(crate) fn encode(latencies: &Latencies) -> String {
    let mut bytes = Vec::new();
    // Writing to memory fails only for a histogram larger than memory.
    let _ = V2DeflateSerializer::new().serialize(latencies.inner(), &mut bytes);
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    fn interval(thread: usize, index: usize, ms: u64) -> Interval {
        let mut latency = Latencies::new();
        latency.record(Duration::from_millis(ms));
        Interval {
            thread,
            index,
            latency,
            completed: 1,
            errors: 1,
            body_bytes: 10,
        }
    }

    #[test]
    fn intervals_of_all_threads_become_one_course() {
        let (first, first_back) = channel();
        let (second, _second_back) = channel();
        let mut collector = Collector::new(vec![first, second]);
        collector.add(interval(0, 0, 1));
        assert!(
            collector.points.is_empty(),
            "the other thread is still in it"
        );
        collector.add(interval(1, 0, 3));
        collector.add(interval(0, 2, 5));
        assert_eq!((collector.points.len(), collector.completed()), (1, 3));
        collector.finish();
        assert_eq!(collector.points.len(), 3);
        assert_eq!(collector.points[0].completed, 2);
        assert_eq!(collector.points[1].completed, 0);
        assert_eq!(summarize(&collector.total).count, 3);
        let back: Vec<_> = first_back.try_iter().collect();
        assert_eq!(back.len(), 2);
        assert_eq!(summarize(&back[0]).count, 0);
    }
}
