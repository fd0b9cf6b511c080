//! Where the encoder finds what it has sent before: by hash, the newest entry of each.
//!
//! A collision hides an entry, which is then sent and entered once more: that costs bytes, never sense.

use crate::invariant::Invariant;

/// Numbers of entries by a hash of name, or of name and value.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// Nothing until the first entry.
    numbers: Vec<u32>,
}

const PLACES: usize = 256;

impl Index {
    /// The entry that was noted for this hash last; it may be another one's.
    pub(super) fn get(&self, hash: u32) -> Option<u32> {
        let number = self.numbers.get(hash as usize % PLACES)?;
        (*number > 0).then_some(*number)
    }

    pub(super) fn set(&mut self, hash: u32, number: u32) {
        if self.numbers.is_empty() {
            self.numbers = vec![0; PLACES];
        }
        let place = self.numbers.get_mut(hash as usize % PLACES);
        *place.or_broken("a place for each hash") = number;
    }
}

/// A hash of `text`, behind that of another one.
pub(super) fn hash(before: u32, text: &[u8]) -> u32 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = u64::from(before) ^ (text.len() as u64).wrapping_mul(FACTOR);
    let (words, rest) = text.as_chunks::<8>();
    let mut last = [0; 8];
    for (place, byte) in last.iter_mut().zip(rest) {
        *place = *byte;
    }
    for word in words.iter().chain([&last]) {
        hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(FACTOR);
        hash ^= hash >> 29;
    }
    u32::try_from(hash >> 32).unwrap_or(u32::MAX)
}
