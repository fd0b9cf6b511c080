//! A request that has come, before what it asks for is looked at.

use std::rc::Rc;
use std::time::Instant;

use crate::clock::since_1970;
use crate::shard::Snapshot;
use crate::transaction::workspace::Workspace;

/// A request whose head was read, and what was allocated for it.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) snapshot: Rc<Snapshot>,
    pub(crate) workspace: Box<Workspace>,
    pub(crate) started: Instant,
    pub(crate) unix_time: i64,
}

/// Now, for the rules.
pub(crate) fn unix_seconds() -> i64 {
    i64::try_from(since_1970().as_secs()).unwrap_or(i64::MAX)
}
