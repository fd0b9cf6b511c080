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
    Instant::now()
}

/// The time that has passed since `then`.
pub(crate) fn since(then: Instant) -> Duration {
    now().saturating_duration_since(then)
}

/// Since the begin of 1970.
pub(crate) fn since_1970() -> Duration {
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
