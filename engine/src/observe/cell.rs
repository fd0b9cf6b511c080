//! One number that one thread writes and others read.

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
