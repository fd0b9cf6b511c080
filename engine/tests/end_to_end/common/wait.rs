//! Waiting for what must happen: look, and look again, until a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up; far more than a busy machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

const PAUSE: Duration = Duration::from_millis(3);

/// Looks until `look` finds something.
///
/// # Panics
/// After [`PATIENCE`], saying what was awaited.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        thread::sleep(PAUSE);
    }
}
