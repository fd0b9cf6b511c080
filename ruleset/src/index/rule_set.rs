//! Sets of small numbers that are emptied in the time it took to fill them: which predicates
//! hold, which rules may match. All memory is taken when a set is made.

use crate::invariant::Invariant;

/// A set of numbers below a fixed bound.
#[derive(Debug, Default)]
pub(crate) struct NumberSet {
    words: Vec<u64>,
    /// Words that have a bit.
    touched: Vec<u32>,
}

impl NumberSet {
    pub(crate) fn new(bound: usize) -> Self {
        let words = bound.div_ceil(64);
        Self {
            words: vec![0; words],
            touched: Vec::with_capacity(words),
        }
    }

    /// Adds a number below the bound; whether it is new.
    #[inline]
    pub(crate) fn insert(&mut self, number: u32) -> bool {
        let word = self.words.get_mut((number / 64) as usize);
        let word = word.or_broken("the word of a number");
        let bit = 1 << (number % 64);
        if *word & bit != 0 {
            return false;
        }
        if *word == 0 {
            self.touched.push(number / 64);
        }
        *word |= bit;
        true
    }

    #[inline]
    pub(crate) fn contains(&self, number: u32) -> bool {
        let word = self.words.get((number / 64) as usize);
        let word = word.or_broken("the word of a number");
        word >> (number % 64) & 1 == 1
    }

    pub(crate) fn clear(&mut self) {
        // Most sets are empty most of the time, and a drain costs something even then.
        for word in &self.touched {
            *self.words.get_mut(*word as usize).or_broken("a word") = 0;
        }
        self.touched.clear();
    }

    /// Empties the set whatever state it is in.
    pub(crate) fn reset(&mut self) {
        self.words.fill(0);
        self.touched.clear();
    }
}

/// A set of rules that gives them back in their order. A bit in the summary stands for 64 rules.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    words: Vec<u64>,
    summary: Vec<u64>,
}

impl Candidates {
    pub(crate) fn new(bound: usize) -> Self {
        let words = bound.div_ceil(64);
        Self {
            words: vec![0; words],
            summary: vec![0; words.div_ceil(64)],
        }
    }

    pub(crate) fn insert(&mut self, rule: u32) {
        let word = (rule / 64) as usize;
        let summary = self.summary.get_mut(word / 64).or_broken("a summary");
        *self.words.get_mut(word).or_broken("the word of a rule") |= 1 << (rule % 64);
        *summary |= 1 << (word % 64);
    }

    /// Takes the first rule at or after 64 × 64 × `from` out of the set; `from` moves along.
    pub(crate) fn pop(&mut self, from: &mut usize) -> Option<u32> {
        while let Some(summary) = self.summary.get_mut(*from) {
            if *summary == 0 {
                *from += 1;
                continue;
            }
            let word = *from * 64 + summary.trailing_zeros() as usize;
            let bits = self.words.get_mut(word).or_broken("the word of a rule");
            let rule = word * 64 + bits.trailing_zeros() as usize;
            *bits &= bits.wrapping_sub(1);
            if *bits == 0 {
                *summary &= summary.wrapping_sub(1);
            }
            return Some(u32::try_from(rule).ok().or_broken("the number of a rule"));
        }
        None
    }

    /// Empties the set whatever state it is in.
    pub(crate) fn reset(&mut self) {
        self.words.fill(0);
        self.summary.fill(0);
    }

    /// Empties the set; nothing lies before 64 × 64 × `from`.
    pub(crate) fn clear(&mut self, from: usize) {
        for (position, summary) in self.summary.iter_mut().enumerate().skip(from) {
            while *summary != 0 {
                let word = position * 64 + summary.trailing_zeros() as usize;
                *self.words.get_mut(word).or_broken("the word of a rule") = 0;
                *summary &= summary.wrapping_sub(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_come_in_order_and_leave_nothing() {
        let mut candidates = Candidates::new(10_000);
        for rule in [9_999, 3, 64, 4_096, 3, 5_000] {
            candidates.insert(rule);
        }
        let mut from = 0;
        let popped: Vec<_> = std::iter::from_fn(|| candidates.pop(&mut from))
            .take(4)
            .collect();
        assert_eq!(popped, [3, 64, 4_096, 5_000]);
        candidates.clear(from);
        assert_eq!(candidates.pop(&mut 0), None);
        assert!(candidates.words.iter().all(|word| *word == 0));
    }

    #[test]
    fn numbers_are_new_once() {
        let mut set = NumberSet::new(100);
        assert!(set.insert(70));
        assert!(!set.insert(70));
        assert!(set.contains(70) && !set.contains(6));
        set.clear();
        assert!(!set.contains(70));
    }
}
