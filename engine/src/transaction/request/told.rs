//! What the log was told of a transaction while it goes on.

use crate::shard::watches::Watch;

/// What the log has heard of a transaction that goes on.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// It has had its `start` line.
    pub(crate) has_started: bool,
    pub(crate) is_watched: bool,
    pub(crate) watch: Option<Watch>,
}

impl Told {
    /// Ready for the next transaction; keeps its place among the watches.
    pub(crate) fn clear(&mut self) {
        self.has_started = false;
        if std::mem::take(&mut self.is_watched)
            && let Some(watch) = &self.watch
        {
            watch.rest();
        }
    }
}
