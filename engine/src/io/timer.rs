//! Timers for what is seldom waited for, on the way of every request.
//!
//! A timer of the runtime is half a kilobyte and lies on cache lines of its own, and so does every future
//! that may hold one. These are allocated when somebody waits.

use std::time::Duration;

use monoio::time::error::Elapsed;

/// Waits for so long.
pub(crate) async fn sleep(time: Duration) {
    Box::pin(monoio::time::sleep(time)).await;
}

/// Waits for `future`, but no longer than `time`.
pub(crate) async fn timeout<F: Future>(time: Duration, future: F) -> Result<F::Output, Elapsed> {
    Box::pin(monoio::time::timeout(time, future)).await
}
