//! The answers that are kept, by name: a bounded table with CLOCK eviction.
//!
//! CLOCK (Corbató 1968, "second chance") rather than LRU: a hit sets one bit instead of relinking a
//! list, so that it writes one cache line and allocates nothing. Entries lie in one vector; a hand
//! goes around it when room is needed, clears the bits it meets, and evicts the first entry that
//! was not asked for since the hand's last visit, or that has expired. Nothing is removed
//! otherwise: an expired entry is not handed out and stays until the hand or a new answer for the
//! same name overwrites it.
//!
//! How long an answer is kept is for `question.rs` and `lookup.rs` to say.

use std::hash::BuildHasher;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Instant;

use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use hashbrown::HashTable;

use crate::error::DnsError;

/// Addresses, or why there are none (RFC 2308).
pub(crate) type Answer = Result<Rc<[IpAddr]>, DnsError>;

/// Answers by name.
#[derive(Debug)]
pub(crate) struct Cache {
    /// Positions in `entries`. Clients choose the names, hence the seeded hash.
    positions: HashTable<usize>,
    hash_state: SeedableRandomState,
    entries: Vec<Entry>,
    entries_max: usize,
    /// Position that eviction looks at next.
    hand: usize,
}

#[derive(Debug)]
struct Entry {
    name: Box<str>,
    answer: Answer,
    expires: Instant,
    asked_for: bool,
}

impl Cache {
    pub(crate) fn new(entries_max: usize, hash_seed: u64) -> Self {
        Self {
            positions: HashTable::new(),
            hash_state: SeedableRandomState::with_seed(hash_seed, SharedSeed::global_random()),
            entries: Vec::new(),
            entries_max,
            hand: 0,
        }
    }

    /// The answer for `name` and when it expires; none if it has. Does not allocate.
    pub(crate) fn find(&mut self, name: &str, now: Instant) -> Option<(&Answer, Instant)> {
        let position = self.position(name)?;
        let entry = self.entries.get_mut(position)?;
        if entry.expires <= now {
            return None;
        }
        entry.asked_for = true;
        Some((&entry.answer, entry.expires))
    }

    /// Keeps `answer`, in place of an older one for the same name. True if another name had to go.
    pub(crate) fn insert(
        &mut self,
        name: &str,
        answer: Answer,
        expires: Instant,
        now: Instant,
    ) -> bool {
        if self.entries_max == 0 || expires <= now {
            return false;
        }
        if let Some(entry) = self
            .position(name)
            .and_then(|position| self.entries.get_mut(position))
        {
            entry.answer = answer;
            entry.expires = expires;
            return false;
        }
        let entry = Entry {
            name: name.into(),
            answer,
            expires,
            asked_for: false,
        };
        let full = self.entries.len() >= self.entries_max;
        let position = if full {
            self.evict(now)
        } else {
            self.entries.len()
        };
        match self.entries.get_mut(position) {
            Some(evicted) => *evicted = entry,
            None => self.entries.push(entry),
        }
        self.index(name, position);
        full
    }

    /// Entries held, expired ones among them.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn position(&self, name: &str) -> Option<usize> {
        let hash = self.hash_state.hash_one(name);
        let entries = &self.entries;
        let same_name = |position: &usize| {
            entries
                .get(*position)
                .is_some_and(|entry| *entry.name == *name)
        };
        self.positions.find(hash, same_name).copied()
    }

    fn index(&mut self, name: &str, position: usize) {
        let Self {
            positions,
            hash_state,
            entries,
            ..
        } = self;
        let rehash = |position: &usize| {
            entries
                .get(*position)
                .map_or(0, |entry| hash_state.hash_one(&*entry.name))
        };
        positions.insert_unique(hash_state.hash_one(name), position, rehash);
    }

    /// Takes the entry that goes out of the index and returns its position. Ends after two rounds
    /// at most, for the first round clears every bit.
    fn evict(&mut self, now: Instant) -> usize {
        loop {
            let position = self.hand;
            self.hand = (self.hand + 1) % self.entries.len().max(1);
            let Some(entry) = self.entries.get_mut(position) else {
                return position;
            };
            if entry.asked_for && entry.expires > now {
                entry.asked_for = false;
                continue;
            }
            let hash = self.hash_state.hash_one(&*entry.name);
            if let Ok(indexed) = self.positions.find_entry(hash, |other| *other == position) {
                indexed.remove();
            }
            return position;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Find(u8),
        Insert { name: u8, value: u8, ttl_s: u64 },
        Wait { seconds: u64 },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..24u8).prop_map(Step::Find),
            3 => (0..24u8, any::<u8>(), 0..20u64).prop_map(|(name, value, ttl_s)| Step::Insert { name, value, ttl_s }),
            1 => (0..8u64).prop_map(|seconds| Step::Wait { seconds }),
        ]
    }

    fn answer(value: u8) -> Answer {
        match value {
            0..200 => Ok(Rc::from([IpAddr::V4(Ipv4Addr::new(192, 0, 2, value))])),
            _ => Err(DnsError::NoSuchName),
        }
    }

    /// The obvious twin of the eviction: a list searched from end to end.
    #[derive(Default)]
    struct NaiveClock {
        entries: Vec<(String, u8, Instant, bool)>,
        hand: usize,
    }

    impl NaiveClock {
        fn find(&mut self, name: &str, now: Instant) -> Option<u8> {
            let entry = self
                .entries
                .iter_mut()
                .find(|entry| entry.0 == name && entry.2 > now)?;
            entry.3 = true;
            Some(entry.1)
        }

        fn insert(
            &mut self,
            name: &str,
            value: u8,
            expires: Instant,
            now: Instant,
            entries_max: usize,
        ) {
            if expires <= now {
                return;
            }
            if let Some(entry) = self.entries.iter_mut().find(|entry| entry.0 == name) {
                (entry.1, entry.2) = (value, expires);
            } else if self.entries.len() < entries_max {
                self.entries.push((name.to_owned(), value, expires, false));
            } else {
                while self.entries[self.hand].3 && self.entries[self.hand].2 > now {
                    self.entries[self.hand].3 = false;
                    self.hand = (self.hand + 1) % entries_max;
                }
                self.entries[self.hand] = (name.to_owned(), value, expires, false);
                self.hand = (self.hand + 1) % entries_max;
            }
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "an Instant to count from; the tests do not depend on its value"
    )]
    fn start() -> Instant {
        Instant::now()
    }

    proptest! {
        #[test]
        fn with_room_enough_it_is_a_map_with_expiry(steps in prop::collection::vec(step(), 0..200)) {
            let mut cache = Cache::new(24, 7);
            let mut model: HashMap<String, (u8, Instant)> = HashMap::new();
            let mut now = start();
            for step in steps {
                match step {
                    Step::Find(name) => {
                        let name = format!("{name}.example");
                        let expect = model.get(&name).filter(|entry| entry.1 > now);
                        let found = cache.find(&name, now);
                        prop_assert_eq!(found.map(|found| (found.0.clone(), found.1)), expect.map(|entry| (answer(entry.0), entry.1)));
                    }
                    Step::Insert { name, value, ttl_s } => {
                        let (name, expires) = (format!("{name}.example"), now + Duration::from_secs(ttl_s));
                        let evicted = cache.insert(&name, answer(value), expires, now);
                        prop_assert!(!evicted);
                        if ttl_s > 0 {
                            model.insert(name, (value, expires));
                        }
                    }
                    Step::Wait { seconds } => now += Duration::from_secs(seconds),
                }
            }
        }

        #[test]
        fn when_full_it_evicts_as_the_naive_clock_does(
            entries_max in 1..12usize,
            steps in prop::collection::vec(step(), 0..300),
        ) {
            let mut cache = Cache::new(entries_max, 7);
            let mut model = NaiveClock::default();
            let mut now = start();
            for step in steps {
                match step {
                    Step::Find(name) => {
                        let name = format!("{name}.example");
                        let found = cache.find(&name, now).map(|found| found.0.clone());
                        prop_assert_eq!(found, model.find(&name, now).map(answer));
                    }
                    Step::Insert { name, value, ttl_s } => {
                        let (name, expires) = (format!("{name}.example"), now + Duration::from_secs(ttl_s));
                        cache.insert(&name, answer(value), expires, now);
                        model.insert(&name, value, expires, now, entries_max);
                    }
                    Step::Wait { seconds } => now += Duration::from_secs(seconds),
                }
                prop_assert!(cache.len() <= entries_max);
                prop_assert_eq!(cache.positions.len(), cache.len());
            }
        }
    }

    #[test]
    fn a_cache_of_no_entries_keeps_nothing() {
        let now = start();
        let mut cache = Cache::new(0, 7);
        assert!(!cache.insert("a.example", answer(1), now + Duration::from_secs(9), now));
        assert!(cache.find("a.example", now).is_none());
    }
}
