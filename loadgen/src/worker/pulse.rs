//! What happened, interval by interval: a thread fills one interval and hands it over when it is
//! past. Full histograms go to the collector (`run::collect`) and come back empty, so that nothing
//! is allocated or copied while it counts.

use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use crate::histogram::latency::Latencies;
use crate::plan::stop::Window;

/// One interval of one thread.
#[derive(Debug)]
pub(crate) struct Interval {
    /// Whose it is.
    pub(crate) thread: usize,
    /// Number of the interval, from the start of the window.
    pub(crate) index: usize,
    /// From the intended (open loop) or actual (closed loop) start to the end of a good response,
    /// by when it ended.
    pub(crate) latency: Latencies,
    /// Good responses.
    pub(crate) completed: u64,
    pub(crate) errors: u64,
    pub(crate) body_bytes: u64,
}

/// The ends of the channels between a thread and the collector.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) full: Sender<Interval>,
    pub(crate) empty: Receiver<Latencies>,
}

/// The interval that is being filled.
#[derive(Debug)]
pub(super) struct Pulse {
    channel: Channel,
    current: Interval,
    from: Instant,
    /// The last interval, which takes what comes late.
    last_index: Option<usize>,
    length: Duration,
    ends: Instant,
}

impl Pulse {
    pub(super) fn new(channel: Channel, thread: usize, window: &Window, length: Duration) -> Self {
        let nanos = |until: Instant| (until - window.from).as_nanos();
        let count = window
            .until
            .map(|until| nanos(until).div_ceil(length.as_nanos().max(1)));
        Self {
            channel,
            current: Interval {
                thread,
                index: 0,
                latency: Latencies::new(),
                completed: 0,
                errors: 0,
                body_bytes: 0,
            },
            from: window.from,
            last_index: count.map(|count| {
                usize::try_from(count)
                    .unwrap_or(usize::MAX)
                    .saturating_sub(1)
            }),
            length,
            ends: window.from + length,
        }
    }

    /// When the interval ends.
    pub(super) fn ends(&self) -> Instant {
        self.ends
    }

    /// The interval of this moment; hands over the one before, if it is past.
    pub(super) fn at(&mut self, now: Instant) -> &mut Interval {
        if now >= self.ends {
            self.turn(now);
        }
        &mut self.current
    }

    fn turn(&mut self, now: Instant) {
        let index = index_at(now.saturating_duration_since(self.from), self.length);
        let next_end = u32::try_from(index + 1).unwrap_or(u32::MAX);
        self.ends = self.from + self.length * next_end;
        let index = self.last_index.map_or(index, |last| index.min(last));
        if index > self.current.index {
            let empty = self
                .channel
                .empty
                .try_recv()
                .unwrap_or_else(|_| Latencies::new());
            let next = Interval {
                thread: self.current.thread,
                index,
                latency: empty,
                completed: 0,
                errors: 0,
                body_bytes: 0,
            };
            let full = std::mem::replace(&mut self.current, next);
            // The collector outlives the threads, unless all ends in an error anyway.
            let _ = self.channel.full.send(full);
        }
    }

    /// Hands over what is left.
    pub(super) fn finish(self) {
        let _ = self.channel.full.send(self.current);
    }
}

fn index_at(since: Duration, length: Duration) -> usize {
    let intervals = since.as_nanos() / length.as_nanos().max(1);
    usize::try_from(intervals).unwrap_or(usize::MAX)
}
