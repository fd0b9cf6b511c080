//! Origins whose tunnels are left alone, because they have refused to go on without a certificate that
//! only the client has (`tls.client_certificate_fallback`).
//!
//! One memory for all shards, so that what one has learned holds on each; a new one for each
//! generation of configuration and rules, so that a reload forgets. It is asked only where the key is
//! on, and its lock is taken only once there is something to find. When tunnels fall back is decided
//! in `transaction::client_certificate`.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use lru::LruCache;

use super::configs::ScopeName;
use crate::clock;
use crate::limits::{FALLBACK_ENTRIES, FALLBACK_LIFE};

/// An origin as one scope sees it: what is learned of it holds for no other port, no other address of
/// its name, and no tunnel of another scope.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ScopedOrigin {
    /// In normal form.
    pub(crate) host: Box<str>,
    pub(crate) address: SocketAddr,
    pub(crate) scope: ScopeName,
}

/// The origins that are left alone.
#[derive(Debug)]
pub(crate) struct Fallbacks {
    is_used: AtomicBool,
    since: Mutex<LruCache<ScopedOrigin, Instant>>,
}

impl Default for Fallbacks {
    fn default() -> Self {
        let entries = NonZeroUsize::new(FALLBACK_ENTRIES).unwrap_or(NonZeroUsize::MIN);
        Self {
            is_used: AtomicBool::new(false),
            since: Mutex::new(LruCache::new(entries)),
        }
    }
}

impl Fallbacks {
    /// Leaves the tunnels to `origin` alone for a while; says of how many origins that is true now.
    pub(crate) fn learn(&self, origin: ScopedOrigin) -> usize {
        let mut since = self.since();
        since.put(origin, clock::now());
        self.is_used.store(true, Ordering::Release);
        since.len()
    }

    /// Whether they are to be left alone.
    pub(crate) fn has(&self, origin: &ScopedOrigin) -> bool {
        if !self.is_used.load(Ordering::Acquire) {
            return false;
        }
        let mut since = self.since();
        let Some(learned) = since.get(origin) else {
            return false;
        };
        let counts = clock::since(*learned) < FALLBACK_LIFE;
        if !counts {
            since.pop(origin);
        }
        counts
    }

    fn since(&self) -> MutexGuard<'_, LruCache<ScopedOrigin, Instant>> {
        // Nothing in here can be half changed.
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_learned_holds_for_one_origin_in_one_scope() {
        let origin = ScopedOrigin {
            host: "a.test".into(),
            address: "192.0.2.1:443".parse().unwrap(),
            scope: ScopeName::Entry(0),
        };
        let fallbacks = Fallbacks::default();
        assert!(!fallbacks.has(&origin));
        assert_eq!(fallbacks.learn(origin.clone()), 1);
        assert_eq!(fallbacks.learn(origin.clone()), 1);
        assert!(fallbacks.has(&origin));
        let others = [
            ScopedOrigin {
                host: "b.test".into(),
                ..origin.clone()
            },
            ScopedOrigin {
                address: "192.0.2.1:8443".parse().unwrap(),
                ..origin.clone()
            },
            ScopedOrigin {
                address: "192.0.2.2:443".parse().unwrap(),
                ..origin.clone()
            },
            ScopedOrigin {
                scope: ScopeName::Entry(1),
                ..origin.clone()
            },
            ScopedOrigin {
                scope: ScopeName::None,
                ..origin
            },
        ];
        for other in others {
            assert!(!fallbacks.has(&other), "{other:?}");
        }
    }

    #[test]
    fn the_one_that_was_learned_first_makes_room() {
        let fallbacks = Fallbacks::default();
        let of = |index: usize| ScopedOrigin {
            host: format!("{index}.test").into(),
            address: "192.0.2.1:443".parse().unwrap(),
            scope: ScopeName::None,
        };
        for index in 0..=FALLBACK_ENTRIES {
            fallbacks.learn(of(index));
        }
        assert!(!fallbacks.has(&of(0)));
        assert!(fallbacks.has(&of(1)) && fallbacks.has(&of(FALLBACK_ENTRIES)));
    }
}
