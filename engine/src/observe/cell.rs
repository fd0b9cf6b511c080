//! Numbers that one thread writes and others read.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number of a sheet. Only the thread that the sheet belongs to writes it; so a load and a store are
/// enough, which cost no more than those of plain memory.
#[derive(Debug, Default)]
pub(crate) struct Cell(AtomicU64);

impl Cell {
    /// Adds to it, as its only writer.
    pub(crate) fn add(&self, count: u64) {
        self.0
            .store(self.0.load(Relaxed).wrapping_add(count), Relaxed);
    }

    /// Replaces it, as its only writer.
    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    /// What it was a moment ago.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Values of one shard, which lie apart from whatever else is in memory: two shards never write to one cache
/// line, nor to two that processors fetch together.
#[derive(Debug)]
pub(super) struct Apart<T>(Box<[T]>);

/// What is left free on either side.
const APART_BYTES: usize = 128;

impl<T: Default> Apart<T> {
    const APART: usize = APART_BYTES.div_ceil(size_of::<T>());

    pub(super) fn new(count: usize) -> Self {
        let all = count + 2 * Self::APART;
        Self((0..all).map(|_| T::default()).collect())
    }

    pub(super) fn get(&self, index: usize) -> Option<&T> {
        self.all().get(index)
    }

    pub(super) fn all(&self) -> &[T] {
        let end = self.0.len() - Self::APART;
        self.0.get(Self::APART..end).unwrap_or_default()
    }
}

impl<T: Default> Default for Apart<T> {
    fn default() -> Self {
        Self::new(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_shards_write_lies_apart() {
        let (one, other) = (Apart::<Cell>::new(1), Apart::<Cell>::new(3));
        let place =
            |apart: &Apart<Cell>, index| std::ptr::from_ref(apart.get(index).unwrap()).addr();
        assert!(place(&one, 0).abs_diff(place(&other, 0)) >= APART_BYTES);
        assert!(place(&one, 0).abs_diff(place(&other, 2)) >= APART_BYTES);
        assert_eq!((one.all().len(), other.all().len()), (1, 3));
        assert!(one.get(1).is_none() && Apart::<Cell>::default().get(0).is_none());
    }
}
