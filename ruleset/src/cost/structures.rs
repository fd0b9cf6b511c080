//! The worst of each structure by itself: the longest chain of a hash table, the longest path of a
//! tree, the steps of a pattern.

use super::{Cost, record_bytes};
use crate::index::record::{Index, Pattern, Span};
use crate::invariant::at;
use crate::matcher::glob;

/// What a lookup in a hash table can meet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chains {
    /// Slots that one lookup looks at, the empty one at the end included.
    slots: u64,
    /// Slots of one chain with the same part of the hash: that many keys are compared.
    same_tags: u64,
    key_bytes: u64,
}

impl Chains {
    /// Walks all slots of a table.
    pub(super) fn of(table: Span, slots: &[[u32; 4]]) -> Self {
        let slots = table.of(slots);
        let mut found = Self::default();
        let is_empty = |slot: &[u32; 4]| matches!(slot, [.., 0]);
        // Begin behind an empty slot, so that no chain is cut in two.
        let first = slots.iter().position(is_empty).map_or(0, |at| at + 1);
        let mut tags: Vec<u32> = Vec::new();
        let (before, after) = slots.split_at(first.min(slots.len()));
        for slot in after.iter().chain(before) {
            let [tag, _, key_len, content] = *slot;
            if content != 0 {
                tags.push(tag);
                found.key_bytes = found.key_bytes.max(key_len.into());
                continue;
            }
            found.slots = found.slots.max(tags.len() as u64 + 1);
            tags.sort_unstable();
            let same = tags.chunk_by(|a, b| a == b).map(<[u32]>::len).max();
            found.same_tags = found.same_tags.max(same.unwrap_or(0) as u64);
            tags.clear();
        }
        found
    }

    /// One lookup, without what it finds.
    pub(super) const fn lookup(&self) -> Cost {
        Cost {
            probes: self.slots,
            steps: 0,
            rules: 0,
            bytes: self.slots * record_bytes::SLOT as u64
                + self.same_tags * self.key_bytes
                + record_bytes::MEANING as u64,
        }
    }
}

/// Most bounds that a binary search over `count` looks at.
pub(super) const fn search_probes(count: usize) -> u64 {
    (usize::BITS - count.leading_zeros()) as u64
}

/// A pattern: what it costs whatever the text, and what for each byte of it.
pub(super) fn pattern(index: &Index, strings: &[u8], pattern: Pattern) -> (Cost, Cost) {
    match pattern {
        Pattern::Regex(_) => {
            let per_byte = Cost {
                steps: 1,
                bytes: record_bytes::REGEX_STEP as u64,
                ..Cost::default()
            };
            (Cost::default(), per_byte)
        }
        Pattern::Family(number) => {
            let lists = at(&index.families, number)
                .reports
                .of(&index.reports)
                .iter();
            let items = lists
                .map(|list| index.list(*list).len() as u64 + 1)
                .sum::<u64>();
            let bytes = |bytes| Cost {
                bytes,
                ..Cost::default()
            };
            let step = record_bytes::FAMILY_STEP as u64;
            let per_byte = Cost {
                steps: 1,
                ..bytes(step)
            };
            (bytes(step + items * record_bytes::NUMBER as u64), per_byte)
        }
        Pattern::Glob(text) => {
            let bound = glob::bound(text.of(strings));
            let both = |steps| Cost {
                steps,
                bytes: steps,
                ..Cost::default()
            };
            (both(bound.fixed), both(bound.per_byte))
        }
    }
}
