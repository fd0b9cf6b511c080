//! What a thread of the origin lends to each of its connections.

use std::time::Instant;

use super::counters::Counters;

/// What all connections of a thread share.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) now: Instant,
    /// Value of the `Date` field.
    pub(super) date: &'a str,
    pub(super) counters: &'a Counters,
    /// Room to read into.
    pub(super) scratch: &'a mut [u8],
}
