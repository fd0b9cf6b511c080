//! Tasks of their own, whose panics take neither the shard nor those who wait for them down.

use std::any::Any;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};

use super::join::catch_panic;
#[cfg(test)]
use super::scripted::World;

/// Panics of this process so far. All shards count here: one is rare enough.
static PANICS: AtomicU64 = AtomicU64::new(0);

/// Runs `task` beside the others.
pub(crate) fn start(task: impl Future<Output = ()> + 'static) {
    #[cfg(test)]
    if let Some(world) = World::current() {
        return world.start(task);
    }
    monoio::spawn(task);
}

/// Runs `task` beside the others. If it panics, that is told, and `after` has to tell who waits for it.
pub(crate) fn spawn(
    what: &'static str,
    task: impl Future<Output = ()> + 'static,
    after: impl FnOnce() + 'static,
) {
    start(async move {
        if let Err(panic) = catch_panic(pin!(task)).await {
            tell(what, &*panic);
            after();
        }
    });
}

/// Tells of a panic that was caught in `what`.
pub(crate) fn tell(what: &str, panic: &(dyn Any + Send)) {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    #[cfg(test)]
    if let Some(world) = World::current() {
        world.saw_panic(format!("{what}: {message:?}"));
    }
    let count = PANICS.fetch_add(1, Ordering::Relaxed) + 1;
    tracing::error!(message, count, "panicked: {what}");
}
