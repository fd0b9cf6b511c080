//! The clocks of what a shard does, which are read here and nowhere else.
//!
//! Time has to come from one place, so that a test can say what time it is.
//!
//! The clock of a machine can be wrong by decades: without a battery it begins at the year that its maker
//! liked. What is before 1970 cannot be said by most of what counts from there, and rustls panics. Such a
//! time reads as the first moment of 1970: no certificate is valid yet, and nothing ends.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

/// Now, by the clock that never goes back.
pub(crate) fn now() -> Instant {
    #[cfg(test)]
    if let Some(scripted) = scripted::now() {
        return scripted;
    }
    Instant::now()
}

/// The time that has passed since `then`.
pub(crate) fn since(then: Instant) -> Duration {
    now().saturating_duration_since(then)
}

/// Since the begin of 1970.
pub(crate) fn since_1970() -> Duration {
    #[cfg(test)]
    if let Some(scripted) = scripted::since_1970() {
        return scripted;
    }
    after_1970(SystemTime::now())
}

/// The same, as certificates have it.
pub(crate) fn unix_time() -> UnixTime {
    UnixTime::since_unix_epoch(since_1970())
}

fn after_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The clock of rustls.
#[derive(Debug)]
pub(crate) struct Clock;

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix_time())
    }
}

/// The clocks of a thread whose time a test makes.
#[cfg(test)]
pub(crate) mod scripted {
    use super::*;
    use std::cell::Cell;

    /// When such a time begins: in autumn 2026.
    const BEGIN: Duration = Duration::from_secs(1_790_000_000);

    thread_local! {
        /// The begin, and how much time has passed.
        static TIME: Cell<Option<(Instant, Duration)>> = const { Cell::new(None) };
    }

    /// Time stands still on this thread from now on.
    pub(crate) fn stop() {
        TIME.set(Some((Instant::now(), Duration::ZERO)));
    }

    /// Time goes by itself again.
    pub(crate) fn release() {
        TIME.set(None);
    }

    /// So much time passes.
    pub(crate) fn pass(time: Duration) {
        TIME.set(TIME.get().map(|(begin, passed)| (begin, passed + time)));
    }

    pub(super) fn now() -> Option<Instant> {
        TIME.get().map(|(begin, passed)| begin + passed)
    }

    pub(super) fn since_1970() -> Option<Duration> {
        TIME.get().map(|(_, passed)| BEGIN + passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_nothing_before_1970() {
        let second = Duration::from_secs(1);
        assert_eq!(after_1970(UNIX_EPOCH + second), second);
        for before in [second, Duration::from_secs(60 * 365 * 24 * 3600)] {
            assert_eq!(after_1970(UNIX_EPOCH - before), Duration::ZERO);
        }
    }
}
