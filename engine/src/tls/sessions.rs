//! What is remembered of origins so that the next handshake is short: sessions to resume (RFC 8446
//! section 2.2, RFC 5077), and the group that they exchanged keys in.
//!
//! rustls asks for both by name alone. Another port or another address of a name is another server,
//! to which a ticket may mean something else: so each connection brings a view of its own, which adds
//! the address. Scopes are apart because each has sessions of its own (`parameters`).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

use crate::limits::{UPSTREAM_SESSIONS, UPSTREAM_SESSIONS_PER_ORIGIN};

/// The sessions of one scope, of one shard. The lock is there for rustls, which would share it.
pub(crate) struct OriginSessions {
    memory: Mutex<Memory>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Origin {
    name: ServerName<'static>,
    address: SocketAddr,
}

struct Memory {
    /// Never empty ones: each counts for one session at least.
    origins: LruCache<Origin, Kept>,
    /// What all of them count for.
    weight: usize,
}

/// What there is of one origin.
#[derive(Default)]
struct Kept {
    group: Option<NamedGroup>,
    tls12: Option<Tls12ClientSessionValue>,
    /// Oldest first; each is used once.
    tls13: VecDeque<Tls13ClientSessionValue>,
}

impl Kept {
    fn weight(&self) -> usize {
        (self.tls13.len() + usize::from(self.tls12.is_some())).max(1)
    }
}

impl Default for OriginSessions {
    fn default() -> Self {
        let entries = NonZeroUsize::new(UPSTREAM_SESSIONS).unwrap_or(NonZeroUsize::MIN);
        Self {
            memory: Mutex::new(Memory {
                origins: LruCache::new(entries),
                weight: 0,
            }),
        }
    }
}

impl std::fmt::Debug for OriginSessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OriginSessions").finish_non_exhaustive()
    }
}

impl OriginSessions {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        // What a panic leaves behind is at worst a session too few.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    /// Changes what is kept of one origin, and forgets those that were used least recently until all
    /// is within bounds.
    fn edit<T>(&mut self, origin: &Origin, edit: impl FnOnce(&mut Kept) -> T) -> T {
        let mut kept = self.take(origin).unwrap_or_default();
        let outcome = edit(&mut kept);
        self.weight += kept.weight();
        if let Some((_, evicted)) = self.origins.push(origin.clone(), kept) {
            self.weight -= evicted.weight();
        }
        while self.weight > UPSTREAM_SESSIONS
            && let Some((_, evicted)) = self.origins.pop_lru()
        {
            self.weight -= evicted.weight();
        }
        outcome
    }

    fn take(&mut self, origin: &Origin) -> Option<Kept> {
        let kept = self.origins.pop(origin)?;
        self.weight -= kept.weight();
        Some(kept)
    }
}

/// Whether a connection may begin with what an earlier one left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resumption {
    Offered,
    /// It was tried, in vain.
    Withheld,
}

/// The sessions with whoever is at one address, for one connection.
#[derive(Debug)]
pub(crate) struct SessionsAt {
    sessions: Arc<OriginSessions>,
    address: SocketAddr,
    resumption: Resumption,
    was_offered: AtomicBool,
}

impl SessionsAt {
    pub(crate) fn new(
        sessions: &Arc<OriginSessions>,
        address: SocketAddr,
        resumption: Resumption,
    ) -> Self {
        Self {
            sessions: Arc::clone(sessions),
            address,
            resumption,
            was_offered: AtomicBool::new(false),
        }
    }

    /// Whether the handshake has offered to go on with an earlier session.
    pub(crate) fn was_offered(&self) -> bool {
        self.was_offered.load(Ordering::Relaxed)
    }

    /// Forgets what is known of the origin: it did not work.
    pub(crate) fn forget(&self, name: &ServerName<'_>) {
        self.sessions.memory().take(&self.origin(name));
    }

    fn origin(&self, name: &ServerName<'_>) -> Origin {
        Origin {
            name: name.to_owned(),
            address: self.address,
        }
    }

    fn edit<T>(&self, name: &ServerName<'_>, edit: impl FnOnce(&mut Kept) -> T) -> T {
        self.sessions.memory().edit(&self.origin(name), edit)
    }

    fn offer<T>(&self, session: Option<T>) -> Option<T> {
        if session.is_some() {
            self.was_offered.store(true, Ordering::Relaxed);
        }
        session
    }
}

impl ClientSessionStore for SessionsAt {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        self.edit(&name, |kept| kept.group = Some(group));
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        let mut memory = self.sessions.memory();
        memory.origins.get(&self.origin(name))?.group
    }

    fn set_tls12_session(&self, name: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.edit(&name, |kept| kept.tls12 = Some(session));
    }

    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        if self.resumption == Resumption::Withheld {
            return None;
        }
        let mut memory = self.sessions.memory();
        let kept = memory.origins.get(&self.origin(name))?;
        self.offer(kept.tls12.clone())
    }

    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        self.edit(name, |kept| kept.tls12 = None);
    }

    fn insert_tls13_ticket(&self, name: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.edit(&name, |kept| {
            if kept.tls13.len() >= UPSTREAM_SESSIONS_PER_ORIGIN {
                kept.tls13.pop_front();
            }
            kept.tls13.push_back(ticket);
        });
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        if self.resumption == Resumption::Withheld {
            return None;
        }
        let origin = self.origin(name);
        let mut memory = self.sessions.memory();
        if memory.origins.peek(&origin)?.tls13.is_empty() {
            return None;
        }
        self.offer(memory.edit(&origin, |kept| kept.tls13.pop_back()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(sessions: &Arc<OriginSessions>, address: &str) -> SessionsAt {
        SessionsAt::new(sessions, address.parse().unwrap(), Resumption::Offered)
    }

    fn name(name: &str) -> ServerName<'static> {
        ServerName::try_from(name.to_owned()).unwrap()
    }

    #[test]
    fn what_is_known_of_one_address_is_not_of_another() {
        let sessions = Arc::new(OriginSessions::default());
        let here = at(&sessions, "192.0.2.1:443");
        here.set_kx_hint(name("a.test"), NamedGroup::secp384r1);
        let known = |view: &SessionsAt, host: &str| view.kx_hint(&name(host));
        assert_eq!(known(&here, "a.test"), Some(NamedGroup::secp384r1));
        assert_eq!(known(&here, "b.test"), None);
        assert_eq!(known(&at(&sessions, "192.0.2.1:8443"), "a.test"), None);
        assert_eq!(known(&at(&sessions, "192.0.2.2:443"), "a.test"), None);
        let again = at(&sessions, "192.0.2.1:443");
        assert_eq!(known(&again, "a.test"), Some(NamedGroup::secp384r1));
        again.forget(&name("a.test"));
        assert_eq!(known(&here, "a.test"), None);
        assert_eq!(sessions.memory().weight, 0);
    }

    #[test]
    fn there_are_never_more_than_the_limit_says() {
        let sessions = Arc::new(OriginSessions::default());
        let here = at(&sessions, "192.0.2.1:443");
        for index in 0..UPSTREAM_SESSIONS + 10 {
            here.set_kx_hint(name(&format!("{index}.test")), NamedGroup::X25519);
        }
        let memory = sessions.memory();
        assert_eq!(memory.weight, UPSTREAM_SESSIONS);
        assert_eq!(memory.origins.len(), UPSTREAM_SESSIONS);
    }
}
