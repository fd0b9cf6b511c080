//! What the builder fills: strings, lists and hash tables without duplicates, numbered in the
//! order in which they were first seen, so that the same rules always give the same bytes.

use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::record::{MeaningRecord, Span, TableRecord};
use crate::invariant::Invariant;
use crate::matcher::hash::{self, Entry};
use crate::matcher::{domain, exact};

/// The bundle has no place for so much: a number no longer fits in 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

/// A number for a table position or a length.
pub(crate) fn number(count: usize) -> Result<u32, Overflow> {
    // One less than the largest, so that "one more than the position" fits too.
    u32::try_from(count)
        .ok()
        .filter(|number| *number < u32::MAX)
        .ok_or(Overflow)
}

/// All texts of a bundle, each once.
#[derive(Debug, Default)]
pub(crate) struct Strings {
    pub(crate) bytes: Vec<u8>,
    seen: HashTable<Span>,
    hasher: FixedState,
}

impl Strings {
    pub(crate) fn intern(&mut self, text: &[u8]) -> Result<Span, Overflow> {
        let Self {
            bytes,
            seen,
            hasher,
        } = self;
        let hash = hasher.hash_one(text);
        if let Some(span) = seen.find(hash, |span| span.of(bytes) == text) {
            return Ok(*span);
        }
        let span = Span {
            start: number(bytes.len())?,
            len: number(text.len())?,
        };
        bytes.extend_from_slice(text);
        number(bytes.len())?;
        let rehash = |span: &Span| hasher.hash_one(span.of(bytes));
        seen.insert_unique(hash, span, rehash);
        Ok(span)
    }

    pub(crate) fn get(&self, span: Span) -> &[u8] {
        span.of(&self.bytes)
    }
}

/// Lists of numbers, each once. List 0 is the empty one.
#[derive(Debug)]
pub(crate) struct Lists {
    pub(crate) words: Vec<u32>,
    seen: HashMap<Vec<u32>, u32, FixedState>,
}

impl Default for Lists {
    fn default() -> Self {
        let seen = HashMap::from_iter([(Vec::new(), 0)]);
        Self {
            words: vec![0],
            seen,
        }
    }
}

impl Lists {
    /// The items of a list.
    pub(crate) fn get(&self, list: u32) -> &[u32] {
        let tail = self.words.get(list as usize..);
        tail.and_then(<[u32]>::split_first)
            .and_then(|(len, items)| items.get(..*len as usize))
            .or_broken("a list")
    }

    pub(crate) fn intern(&mut self, items: &[u32]) -> Result<u32, Overflow> {
        if let Some(list) = self.seen.get(items) {
            return Ok(*list);
        }
        let list = number(self.words.len())?;
        self.words.push(number(items.len())?);
        self.words.extend_from_slice(items);
        self.seen.insert(items.to_vec(), list);
        Ok(list)
    }
}

/// Pairs of a key's number and an item, brought together by key.
#[derive(Debug, Default)]
pub(crate) struct Relation {
    pairs: Vec<(u32, u32)>,
}

impl Relation {
    pub(crate) fn add(&mut self, key: u32, item: u32) {
        self.pairs.push((key, item));
    }

    /// The list of each key's items, ascending, for keys below `keys_count`.
    pub(crate) fn lists(
        mut self,
        keys_count: usize,
        lists: &mut Lists,
    ) -> Result<Vec<u32>, Overflow> {
        self.pairs.sort_unstable();
        self.pairs.dedup();
        let mut found = vec![0; keys_count];
        let mut items = Vec::new();
        for run in self.pairs.chunk_by(|a, b| a.0 == b.0) {
            items.clear();
            items.extend(run.iter().map(|(_, item)| *item));
            let (key, _) = run.first().or_broken("a key");
            *found.get_mut(*key as usize).or_broken("the list of a key") = lists.intern(&items)?;
        }
        Ok(found)
    }
}

/// Numbers for distinct keys in the order of their first use.
#[derive(Debug)]
pub(crate) struct Numbers<K> {
    pub(crate) keys: Vec<K>,
    seen: HashMap<K, u32, FixedState>,
}

impl<K> Default for Numbers<K> {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            seen: HashMap::default(),
        }
    }
}

impl<K: Copy + Eq + std::hash::Hash> Numbers<K> {
    pub(crate) fn of(&mut self, key: K) -> Result<u32, Overflow> {
        if let Some(found) = self.seen.get(&key) {
            return Ok(*found);
        }
        let new = number(self.keys.len())?;
        self.keys.push(key);
        self.seen.insert(key, new);
        Ok(new)
    }
}

/// A hash table in the making.
#[derive(Debug, Default)]
pub(crate) struct TableBuilder {
    keys: Numbers<Span>,
    whole: Relation,
    below: Relation,
}

/// Slots of all tables, as words, and what their keys stand for.
#[derive(Debug, Default)]
pub(crate) struct TableWords {
    pub(crate) slots: Vec<u32>,
    pub(crate) meanings: Numbers<MeaningRecord>,
}

impl TableBuilder {
    /// The predicate holds when the value equals the key.
    pub(crate) fn add_whole(&mut self, key: Span, predicate: u32) -> Result<(), Overflow> {
        self.whole.add(self.keys.of(key)?, predicate);
        Ok(())
    }

    /// The predicate holds when the value is a name under the key.
    pub(crate) fn add_below(&mut self, key: Span, predicate: u32) -> Result<(), Overflow> {
        self.below.add(self.keys.of(key)?, predicate);
        Ok(())
    }

    /// Lays the table out after those before it; `None` when nothing was added.
    pub(crate) fn finish(
        self,
        by_label: bool,
        strings: &Strings,
        lists: &mut Lists,
        words: &mut TableWords,
    ) -> Result<Option<TableRecord>, Overflow> {
        let keys = self.keys.keys;
        if keys.is_empty() {
            return Ok(None);
        }
        let whole = self.whole.lists(keys.len(), lists)?;
        let below = self.below.lists(keys.len(), lists)?;
        let mut entries = Vec::with_capacity(keys.len());
        let mut bound = 0;
        for ((key, whole), below) in keys.iter().zip(whole).zip(below) {
            let content = words.meanings.of(MeaningRecord { whole, below })? + 1;
            let text = strings.get(*key);
            let hash = if by_label {
                let (hash, depth_bit) = domain::whole(text);
                bound |= depth_bit;
                hash
            } else {
                bound = bound.max(key.len);
                exact::whole(text)
            };
            entries.push((
                hash,
                Entry {
                    key_start: key.start,
                    key_len: key.len,
                    content,
                },
            ));
        }
        let slots = hash::build_slots(&entries);
        let start = number(words.slots.len() / 4)?;
        words.slots.extend_from_slice(&slots);
        let slots = Span {
            start,
            len: number(slots.len() / 4)?,
        };
        number(words.slots.len())?;
        Ok(Some(TableRecord {
            slots,
            by_label,
            bound,
        }))
    }
}
