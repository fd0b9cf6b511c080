//! How an exchange ended.

use std::time::Duration;

use super::failure::Failure;

/// How one lane's exchange ended.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) lane: u32,
    /// A complete response and what is wrong with it; or why there is none.
    pub(super) verdict: Result<Result<(), Failure>, Failure>,
    /// How long the connection took to be set up, told once.
    pub(super) setup: Option<Duration>,
}
