//! The bytes of all sockets of one side.

use std::sync::Arc;

use super::declared::ShardMetrics;
#[cfg(test)]
use super::label::Names;
use super::labels::{Direction, Leg};

/// Where sockets count their bytes.
#[derive(Debug)]
pub(crate) struct Traffic {
    metrics: Arc<ShardMetrics>,
    leg: Leg,
}

impl Traffic {
    /// That of the connections to this side of a shard.
    pub(crate) fn new(metrics: &Arc<ShardMetrics>, leg: Leg) -> Self {
        Self {
            metrics: Arc::clone(metrics),
            leg,
        }
    }

    /// That of a test, which reads it nowhere.
    #[cfg(test)]
    pub(crate) fn uncounted() -> std::rc::Rc<Self> {
        let metrics = Arc::new(ShardMetrics::new(&Names::default()));
        std::rc::Rc::new(Self::new(&metrics, Leg::Client))
    }

    /// Counts bytes that were received.
    pub(crate) fn received(&self, bytes: u64) {
        let labels = (self.leg, Direction::Received);
        self.metrics.transferred.add(labels, bytes);
    }

    /// Counts bytes that were sent.
    pub(crate) fn sent(&self, bytes: u64) {
        let labels = (self.leg, Direction::Sent);
        self.metrics.transferred.add(labels, bytes);
    }
}
