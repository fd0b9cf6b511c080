//! Which of the newest streams of a connection something was noted of.

use crate::invariant::Invariant;

/// A set of odd stream ids that remembers the newest 1024 of them; older ones are not in it, and no
/// even ones: nobody but clients opens streams here.
#[derive(Clone, Debug, Default)]
pub(super) struct StreamSet {
    bits: [u64; WORDS],
    /// How many ids are below or at the newest one.
    newest: u32,
}

const WORDS: usize = 16;
const STREAMS: u32 = 1024;

impl StreamSet {
    /// Notes a stream. Whether it is newer than all before.
    pub(super) fn insert(&mut self, stream: u32) -> bool {
        if stream.is_multiple_of(2) {
            return false;
        }
        let number = stream.div_ceil(2);
        let is_newer = number > self.newest;
        if is_newer {
            let ahead = (number - self.newest).min(STREAMS);
            for passed in 0..ahead {
                self.write(number - passed, false);
            }
            self.newest = number;
        } else if self.newest - number >= STREAMS {
            return false;
        }
        self.write(number, true);
        is_newer
    }

    /// Whether it was noted, as far as that is remembered.
    pub(super) fn contains(&self, stream: u32) -> bool {
        let number = stream.div_ceil(2);
        let is_known = number <= self.newest && self.newest - number < STREAMS;
        let (word, bit) = place(number);
        let bits = self.bits.get(word).copied().or_broken("a word of bits");
        is_known && !stream.is_multiple_of(2) && bits & bit != 0
    }

    /// Whether it is too old for anything to be remembered of it.
    pub(super) fn is_forgotten(&self, stream: u32) -> bool {
        self.newest.saturating_sub(stream.div_ceil(2)) >= STREAMS
    }

    fn write(&mut self, number: u32, value: bool) {
        let (word, bit) = place(number);
        if let Some(bits) = self.bits.get_mut(word) {
            *bits = if value { *bits | bit } else { *bits & !bit };
        }
    }
}

fn place(number: u32) -> (usize, u64) {
    let index = number % STREAMS;
    (index as usize / 64, 1 << (index % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// As a set of all of them would, but for what is too old.
        #[test]
        fn remembers_the_newest(steps in prop::collection::vec((any::<bool>(), 0u32..200, 0u32..3000), 1..300)) {
            let mut set = StreamSet::default();
            let mut all = BTreeSet::new();
            let mut newest = 0u32;
            for (is_new, ahead, behind) in steps {
                let number = if is_new { newest + ahead } else { newest.saturating_sub(behind) }.max(1);
                let stream = number * 2 - 1;
                prop_assert_eq!(set.insert(stream), number > newest);
                all.insert(number);
                newest = newest.max(number);
                for number in newest.saturating_sub(1500).max(1)..newest + 3 {
                    let is_recent = newest.saturating_sub(number) < STREAMS;
                    prop_assert_eq!(set.contains(number * 2 - 1), is_recent && all.contains(&number));
                    prop_assert_eq!(set.is_forgotten(number * 2 - 1), !is_recent);
                }
            }
        }
    }

    #[test]
    fn even_ids_are_of_nobody() {
        let mut set = StreamSet::default();
        assert!(!set.insert(2));
        assert!(set.insert(3));
        assert!(!set.contains(2) && !set.contains(4) && set.contains(3));
        set.insert(u32::MAX);
        assert!(set.contains(u32::MAX) && !set.contains(3));
    }
}
