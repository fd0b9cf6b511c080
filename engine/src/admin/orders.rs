//! What the admin side asks of the rest of the process: by messages, answered when it is done.

use std::fmt::Debug;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::shard::clients::ClientUsage;

/// Who carries orders out. None of it waits.
pub(crate) trait Orders: Debug + Send + Sync {
    /// Configuration and rules are to be read anew, as by SIGHUP. The answer: why they are not used.
    fn reload(&self, done: oneshot::Sender<Result<(), String>>);

    /// The process is to end, as by SIGTERM. The answer: how long what is under way has.
    fn drain(&self, done: oneshot::Sender<Duration>);

    /// Each shard is to tell what it has open; the channel is let go of when all have.
    fn usage(&self, to: mpsc::UnboundedSender<ShardUsage>);
}

/// What a shard has open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShardUsage {
    pub(crate) shard: usize,
    pub(crate) connections: usize,
    /// Those that wait for a request.
    pub(crate) idle: usize,
    pub(crate) clients: Vec<ClientUsage>,
}
