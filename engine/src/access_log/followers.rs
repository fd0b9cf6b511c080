//! Those who see the lines of the log as they come. They never make the writer wait.

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::limits::LOG_FOLLOWED_CHUNKS;

/// Where they get lines from.
#[derive(Debug)]
pub(super) struct Followers(broadcast::Sender<Arc<[u8]>>);

impl Default for Followers {
    fn default() -> Self {
        Self(broadcast::Sender::new(LOG_FOLLOWED_CHUNKS))
    }
}

impl Followers {
    /// Shows them some lines; costs nothing while there are none.
    pub(super) fn offer(&self, lines: &[u8]) {
        if self.count() > 0 {
            let _ = self.0.send(lines.into());
        }
    }

    /// One more, who sees what comes from now on.
    pub(super) fn subscribe(&self) -> broadcast::Receiver<Arc<[u8]>> {
        self.0.subscribe()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.receiver_count()
    }
}
