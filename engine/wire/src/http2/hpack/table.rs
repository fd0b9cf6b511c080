//! The dynamic table of one direction (RFC 7541 section 2.3.2): entries, and their text in one buffer.
//!
//! Nothing is allocated before the first entry. Text of entries that were dropped stays in front until there
//! is much of it, so that dropping one moves nothing.

use std::collections::VecDeque;

use crate::invariant::{Invariant, part};

/// SETTINGS_HEADER_TABLE_SIZE as it is without being sent (RFC 9113 section 6.5.2), for both directions.
pub(super) const TABLE_BYTES: u32 = 4096;
/// What an entry, and a field of a list, counts besides its name and value (RFC 7541 section 4.1).
pub(super) const OVERHEAD: u32 = 32;
/// Text of dropped entries beyond which the rest is moved to the front.
const DROPPED_BYTES_MAX: usize = 1024;

/// Entries with what is noted of each.
#[derive(Clone, Debug)]
pub(super) struct Table<N> {
    /// The newest last.
    entries: VecDeque<Entry<N>>,
    text: Vec<u8>,
    /// Bytes of text in front that belong to no entry any more.
    dropped: usize,
    size: u32,
    size_max: u32,
    /// How many entries there ever were.
    inserted: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry<N> {
    note: N,
    /// Sizes fit because an entry is no larger than the table.
    name_len: u16,
    value_len: u16,
    /// Behind the dropped text as of the last move.
    start: u32,
}

impl<N> Default for Table<N> {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            text: Vec::new(),
            dropped: 0,
            size: 0,
            size_max: TABLE_BYTES,
            inserted: 0,
        }
    }
}

impl<N: Copy> Table<N> {
    /// Name, value and note of the entry that came `back` entries before the newest.
    pub(super) fn get(&self, back: usize) -> Option<(&[u8], &[u8], N)> {
        let place = self.entries.len().checked_sub(back + 1)?;
        let entry = self.entries.get(place)?;
        let start = entry.start as usize;
        let middle = start + usize::from(entry.name_len);
        let end = middle + usize::from(entry.value_len);
        Some((
            part(&self.text, start..middle),
            part(&self.text, middle..end),
            entry.note,
        ))
    }

    /// How far before the newest the entry is that was the `number`th to be inserted.
    pub(super) fn back_of(&self, number: u32) -> Option<usize> {
        let back = self.inserted.checked_sub(number)? as usize;
        (back < self.entries.len()).then_some(back)
    }

    /// Adds an entry and drops old ones for it (RFC 7541 section 4.4); its number, if it is there then.
    pub(super) fn insert(&mut self, name: &[u8], value: &[u8], note: N) -> Option<u32> {
        let text_bytes = u32::try_from(name.len() + value.len()).unwrap_or(u32::MAX);
        let size = text_bytes.saturating_add(OVERHEAD);
        self.shrink(self.size_max.saturating_sub(size));
        if size > self.size_max {
            return None;
        }
        let (name_len, value_len) = (u16::try_from(name.len()), u16::try_from(value.len()));
        let start = u32::try_from(self.text.len()).ok()?;
        self.text.extend_from_slice(name);
        self.text.extend_from_slice(value);
        self.entries.push_back(Entry {
            note,
            name_len: name_len.ok().or_broken("a name within the table"),
            value_len: value_len.ok().or_broken("a value within the table"),
            start,
        });
        self.size += size;
        self.inserted = self.inserted.wrapping_add(1);
        Some(self.inserted)
    }

    /// Sets how large the table may become.
    pub(super) fn resize(&mut self, size_max: u32) {
        self.size_max = size_max;
        self.shrink(size_max);
    }

    pub(super) fn size_max(&self) -> u32 {
        self.size_max
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> u32 {
        self.size
    }

    /// Drops the oldest until no more than `size` is left.
    fn shrink(&mut self, size: u32) {
        while self.size > size {
            let oldest = self.entries.pop_front().or_broken("an entry");
            let text_bytes = usize::from(oldest.name_len) + usize::from(oldest.value_len);
            self.dropped += text_bytes;
            let text_bytes = u32::from(oldest.name_len) + u32::from(oldest.value_len);
            self.size -= text_bytes + OVERHEAD;
        }
        if self.dropped > DROPPED_BYTES_MAX {
            self.text.drain(..self.dropped);
            for entry in &mut self.entries {
                entry.start -= u32::try_from(self.dropped).unwrap_or(u32::MAX);
            }
            self.dropped = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Name, value and note.
    type Listed = (Vec<u8>, Vec<u8>, u8);

    proptest! {
        /// As a list of texts would do it, by the book.
        #[test]
        fn as_a_list(steps in prop::collection::vec((0u8..20, 0usize..1500, 0u8..40), 1..200)) {
            let mut table = Table::default();
            let mut list: Vec<Listed> = Vec::new();
            let mut size_max = 4096;
            for (what, length, note) in steps {
                if what == 0 {
                    size_max = length * 3 % 4097;
                    table.resize(u32::try_from(size_max).unwrap());
                } else {
                    let (name, value) = (vec![what; length % 30], vec![note; length]);
                    let number = table.insert(&name, &value, note);
                    list.insert(0, (name, value, note));
                    prop_assert!(number.is_none_or(|number| table.back_of(number) == Some(0)));
                }
                let sum = |list: &[Listed]| {
                    list.iter().map(|(name, value, _)| name.len() + value.len() + 32).sum::<usize>()
                };
                while sum(&list) > size_max {
                    list.pop();
                }
                prop_assert_eq!(table.size() as usize, sum(&list));
                for (back, (name, value, note)) in list.iter().enumerate() {
                    prop_assert_eq!(table.get(back), Some((&name[..], &value[..], *note)));
                }
                prop_assert_eq!(table.get(list.len()), None);
                prop_assert!(table.text.len() <= 4096 + DROPPED_BYTES_MAX + 1500);
            }
        }
    }
}
