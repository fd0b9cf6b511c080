//! How often each client was wrong about who it is, so that nobody tries passwords at the speed of the
//! network, or keeps those busy who verify them.

use std::cell::RefCell;
use std::num::NonZeroUsize;

use lru::LruCache;

use crate::hashing::MapHasher;
use crate::limits::AUTH_FAILURES_ENTRIES;
use crate::shard::ClientKey;

/// The failures of each client in the present minute; of those that failed last.
#[derive(Debug)]
pub(super) struct Failures(RefCell<LruCache<ClientKey, Minute, MapHasher>>);

#[derive(Debug, Clone, Copy, Default)]
struct Minute {
    number: i64,
    failures: u32,
}

impl Default for Failures {
    fn default() -> Self {
        let entries = NonZeroUsize::new(AUTH_FAILURES_ENTRIES).unwrap_or(NonZeroUsize::MIN);
        Self(RefCell::new(LruCache::with_hasher(
            entries,
            MapHasher::default(),
        )))
    }
}

impl Failures {
    /// Whether a client has failed so often that its credentials are not looked at before the next minute.
    pub(super) fn is_over(&self, client: ClientKey, most: Option<u32>, now: i64) -> bool {
        let Some(most) = most else { return false };
        let table = self.0.borrow();
        let minute = table.peek(&client).copied().unwrap_or_default();
        minute.number == now.div_euclid(60) && minute.failures >= most
    }

    /// Counts a failure.
    pub(super) fn count(&self, client: ClientKey, now: i64) {
        let number = now.div_euclid(60);
        let mut table = self.0.borrow_mut();
        let minute = table.get_or_insert_mut(client, Minute::default);
        if minute.number != number {
            *minute = Minute {
                number,
                failures: 0,
            };
        }
        minute.failures = minute.failures.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_its_failures_a_minute() {
        let client = |text: &str| ClientKey::new(text.parse().unwrap(), 64);
        let (one, other) = (client("192.0.2.1"), client("192.0.2.2"));
        let failures = Failures::default();
        for second in [60, 61] {
            assert!(!failures.is_over(one, Some(2), second));
            failures.count(one, second);
        }
        assert!(failures.is_over(one, Some(2), 119));
        assert!(!failures.is_over(one, Some(3), 119) && !failures.is_over(one, None, 119));
        assert!(!failures.is_over(other, Some(2), 119));
        assert!(!failures.is_over(one, Some(2), 120));
        failures.count(one, 120);
        assert!(failures.is_over(one, Some(1), 120) && !failures.is_over(one, Some(2), 120));
    }
}
