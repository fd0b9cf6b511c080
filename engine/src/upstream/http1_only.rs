//! Origins that have refused HTTP/2 for HTTP/1.1 after they had agreed on it (HTTP_1_1_REQUIRED, RFC 9113
//! section 7), as servers do whose authentication is bound to a connection.
//!
//! What is remembered belongs to one way of connecting: host, address and parameters, so that neither
//! another scope nor another port learns from it, and a reload forgets it. Called by
//! `transaction::exchange::origin_connection`; does no I/O.

use std::cell::RefCell;
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::time::Instant;

use hashbrown::HashTable;

use super::pool::PoolKey;
use crate::hashing::MapHasher;
use crate::limits::{HTTP1_ONLY_ENTRIES, HTTP1_ONLY_LIFE};

/// The memory of one shard.
#[derive(Debug, Default)]
pub(crate) struct Http1Only {
    origins: RefCell<HashTable<Entry>>,
    hasher: MapHasher,
}

#[derive(Debug)]
struct Entry {
    host: Box<str>,
    address: SocketAddr,
    tls: Option<u64>,
    since: Instant,
}

impl Entry {
    fn key(&self) -> PoolKey<'_> {
        PoolKey {
            host: &self.host,
            address: self.address,
            tls: self.tls,
        }
    }

    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < HTTP1_ONLY_LIFE
    }
}

impl Http1Only {
    /// Whether an origin has said so not long ago.
    pub(crate) fn contains(&self, key: PoolKey<'_>, now: Instant) -> bool {
        let origins = self.origins.borrow();
        // Most shards never meet one.
        if origins.is_empty() {
            return false;
        }
        let known = origins.find(self.hasher.hash_one(key), |entry| entry.key() == key);
        known.is_some_and(|entry| entry.is_fresh(now))
    }

    /// Notes that it has said so now. The oldest is forgotten for it if there are enough.
    pub(crate) fn note(&self, key: PoolKey<'_>, now: Instant) {
        let mut origins = self.origins.borrow_mut();
        let hash = self.hasher.hash_one(key);
        if let Some(known) = origins.find_mut(hash, |entry| entry.key() == key) {
            known.since = now;
            return;
        }
        if origins.len() >= HTTP1_ONLY_ENTRIES {
            let oldest = origins.iter().map(|entry| entry.since).min();
            origins.retain(|entry| Some(entry.since) != oldest);
        }
        let entry = Entry {
            host: key.host.into(),
            address: key.address,
            tls: key.tls,
            since: now,
        };
        origins.insert_unique(hash, entry, |entry| self.hasher.hash_one(entry.key()));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn key(host: &str, tls: u64) -> PoolKey<'_> {
        PoolKey {
            host,
            address: "192.0.2.1:443".parse().unwrap(),
            tls: Some(tls),
        }
    }

    #[test]
    fn an_origin_is_remembered_for_a_time_and_by_all_of_its_key() {
        let (memory, now) = (Http1Only::default(), Instant::now());
        assert!(!memory.contains(key("a.test", 1), now));
        memory.note(key("a.test", 1), now);
        assert!(memory.contains(key("a.test", 1), now));
        assert!(!memory.contains(key("a.test", 2), now));
        assert!(!memory.contains(key("b.test", 1), now));
        let other = PoolKey {
            address: "192.0.2.1:8443".parse().unwrap(),
            ..key("a.test", 1)
        };
        assert!(!memory.contains(other, now));
        assert!(!memory.contains(key("a.test", 1), now + HTTP1_ONLY_LIFE));
    }

    #[test]
    fn the_oldest_is_forgotten_for_the_newest() {
        let (memory, now) = (Http1Only::default(), Instant::now());
        let hosts: Vec<String> = (0..=HTTP1_ONLY_ENTRIES).map(|i| i.to_string()).collect();
        for (age, host) in (0..).zip(&hosts) {
            memory.note(key(host, 1), now + Duration::from_millis(age));
        }
        assert!(!memory.contains(key("0", 1), now));
        assert!(memory.contains(key("1", 1), now));
        assert!(memory.contains(key(&HTTP1_ONLY_ENTRIES.to_string(), 1), now));
        assert_eq!(memory.origins.borrow().len(), HTTP1_ONLY_ENTRIES);
    }
}
