//! A fast 64-bit hash with a fixed seed, and the open-addressing table that the bundle holds.
//!
//! The table is built once from the rules' values; requests only look up, so that a client who
//! knows the seed cannot make the table worse than it was built.

use crate::invariant::Invariant;

/// Words of one slot: the upper half of the hash, start and length of the key in the strings, and
/// what the key stands for (0: the slot is empty). All in one cache line, usually.
pub(crate) type Slot = [[u8; 4]; 4];

/// A used slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key_start: u32,
    pub(crate) key_len: u32,
    /// Not 0.
    pub(crate) content: u32,
}

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
/// What hashing begins with.
pub(crate) const SEED: u64 = 0x243f_6a88_85a3_08d3;

/// Continues a hash by a run of bytes. `hash(hash(SEED, b), a)` depends on where the runs part.
pub(crate) fn hash(state: u64, bytes: &[u8]) -> u64 {
    let mut state = state ^ (bytes.len() as u64).wrapping_mul(MULTIPLIER);
    let (chunks, tail) = bytes.as_chunks::<8>();
    for chunk in chunks {
        state = mix(state ^ u64::from_le_bytes(*chunk));
    }
    mix(state ^ tail_word(tail))
}

/// Up to seven bytes as one word; with the length in the hash, no two tails are the same.
fn tail_word(tail: &[u8]) -> u64 {
    match tail {
        [] => 0,
        [a] => u64::from(*a),
        [a, b] => u64::from(u16::from_le_bytes([*a, *b])),
        [a, b, c] => u64::from(u32::from_le_bytes([*a, *b, *c, 0])),
        [a, b, c, d, rest @ ..] => {
            let low = u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
            rest.iter()
                .rev()
                .fold(0, |high, byte| high << 8 | u64::from(*byte))
                << 32
                | low
        }
    }
}

fn mix(value: u64) -> u64 {
    let product = u128::from(value ^ SEED) * u128::from(MULTIPLIER);
    #[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
    let folded = product as u64 ^ (product >> 64) as u64;
    folded
}

/// The part of the hash that a slot keeps.
pub(crate) const fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// How many slots hold `entries`: a power of two, at most three quarters full.
pub(crate) const fn slots_count(entries: usize) -> usize {
    (entries + entries / 3 + 1).next_power_of_two()
}

/// Lays out a table as slot words.
pub(crate) fn build_slots(entries: &[(u64, Entry)]) -> Vec<u32> {
    let count = slots_count(entries.len());
    let mut slots = vec![0_u32; count * 4];
    for (hash, entry) in entries {
        let mut position = start(*hash, count);
        loop {
            let slot = slots.get_mut(position * 4..);
            let slot = slot.and_then(<[u32]>::first_chunk_mut::<4>);
            let slot = slot.or_broken("a slot");
            let [_, _, _, content] = *slot;
            if content == 0 {
                *slot = [tag(*hash), entry.key_start, entry.key_len, entry.content];
                break;
            }
            position = (position + 1) & (count - 1);
        }
    }
    slots
}

/// How many slots a lookup can look at, the empty one at its end included.
pub(crate) fn probes_count(slots: &[Slot], hash: u64) -> usize {
    let mask = slots.len().wrapping_sub(1);
    let positions = (0..slots.len()).map(|step| (start(hash, slots.len()) + step) & mask);
    let used = positions.take_while(|position| {
        let [.., content] = *slots.get(*position).or_broken("a slot");
        content != [0; 4]
    });
    used.count() + 1
}

/// The entries that may have the hash, in probe order. `slots` is a power of two long and has an
/// empty slot, at which every search ends.
pub(crate) fn probe(slots: &[Slot], hash: u64) -> impl Iterator<Item = Entry> {
    let mut position = start(hash, slots.len());
    let wanted = tag(hash);
    std::iter::from_fn(move || {
        loop {
            let slot = slots.get(position).or_broken("a slot");
            let [slot_tag, key_start, key_len, content] = slot.map(u32::from_le_bytes);
            position = (position + 1) & (slots.len() - 1);
            if content == 0 {
                return None;
            }
            if slot_tag == wanted {
                return Some(Entry {
                    key_start,
                    key_len,
                    content,
                });
            }
        }
    })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the lower bits are what is wanted"
)]
const fn start(hash: u64, slots: usize) -> usize {
    hash as usize & slots.wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_differ_in_every_byte_and_length() {
        let bytes: Vec<u8> = (1..40).collect();
        let mut seen = std::collections::HashSet::new();
        for length in 0..bytes.len() {
            assert!(seen.insert(hash(SEED, &bytes[..length])));
            for position in 0..length {
                let mut changed = bytes[..length].to_vec();
                changed[position] ^= 0x80;
                assert!(seen.insert(hash(SEED, &changed)));
            }
        }
        assert!(seen.insert(hash(SEED, &[0])), "a zero is not nothing");
    }

    #[test]
    fn every_entry_is_found() {
        let entries: Vec<(u64, Entry)> = (0..1000_u32)
            .map(|number| {
                let entry = Entry {
                    key_start: number,
                    key_len: 1,
                    content: number + 1,
                };
                (hash(SEED, &number.to_le_bytes()), entry)
            })
            .collect();
        let words = build_slots(&entries);
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let slots = bytes.as_chunks::<4>().0.as_chunks::<4>().0;
        for (hash, entry) in &entries {
            assert!(probe(slots, *hash).any(|found| found == *entry));
        }
    }
}
