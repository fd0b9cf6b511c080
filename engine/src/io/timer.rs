//! Waiting for a while.
//!
//! A timer of the runtime is half a kilobyte and lies on cache lines of its own, and so does every future
//! that may hold one. Few of those that may wait ever do: a timer is allocated when somebody waits.

use std::time::Duration;

use thiserror::Error;

#[cfg(test)]
use super::scripted::World;

/// It took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("timed out")]
pub(crate) struct Elapsed;

/// Waits for so long.
pub(crate) async fn sleep(time: Duration) {
    #[cfg(test)]
    if let Some(world) = World::current() {
        return world.sleep(time).await;
    }
    Box::pin(monoio::time::sleep(time)).await;
}

/// Waits for `future`, but no longer than `time`.
pub(crate) async fn timeout<F: Future>(time: Duration, future: F) -> Result<F::Output, Elapsed> {
    #[cfg(test)]
    if let Some(world) = World::current() {
        return world.timeout(time, future).await.ok_or(Elapsed);
    }
    let timed = Box::pin(monoio::time::timeout(time, future)).await;
    timed.map_err(|_| Elapsed)
}
