//! The dynamic table of a header decoder (RFC 7541 section 2.3.2), without its values: what is needed
//! to know which index refers to what.

use super::name::Name;
use crate::invariant::Invariant;

/// What is remembered of an entry.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entry {
    pub(super) name: Name,
    /// It is a status, and 1xx.
    pub(super) is_interim: bool,
    /// It is a path, with a fragment.
    pub(super) has_fragment: bool,
    pub(super) name_bytes: u16,
    pub(super) size: u16,
}

/// The entries, newest last, in a ring.
#[derive(Clone, Debug)]
pub(super) struct DynamicTable {
    entries: [Entry; ENTRIES_MAX],
    /// Place of the oldest.
    first: usize,
    count: usize,
    bytes: u32,
    bytes_max: u32,
}

/// SETTINGS_HEADER_TABLE_SIZE as it is without being sent (RFC 9113 section 6.5.2).
const TABLE_BYTES: u32 = 4096;
/// What an entry, and a field of a list, counts besides its name and value (RFC 7541 section 4.1).
pub(super) const OVERHEAD: u32 = 32;
const ENTRIES_MAX: usize = (TABLE_BYTES / OVERHEAD) as usize;

impl Default for DynamicTable {
    fn default() -> Self {
        Self {
            entries: [Entry::default(); ENTRIES_MAX],
            first: 0,
            count: 0,
            bytes: 0,
            bytes_max: TABLE_BYTES,
        }
    }
}

impl DynamicTable {
    /// The entry that came `place` entries before the newest.
    pub(super) fn entry(&self, place: u32) -> Option<Entry> {
        let place = usize::try_from(place).ok()?;
        let back = self.count.checked_sub(place + 1)?;
        self.entries.get((self.first + back) % ENTRIES_MAX).copied()
    }

    /// Adds an entry of `size` bytes, and drops old ones for it (RFC 7541 section 4.4).
    pub(super) fn insert(&mut self, entry: Entry, size: u32) {
        self.shrink(self.bytes_max.saturating_sub(size));
        if size > self.bytes_max {
            return;
        }
        let entry = Entry {
            size: u16::try_from(size).unwrap_or(u16::MAX),
            ..entry
        };
        let place = (self.first + self.count) % ENTRIES_MAX;
        if let Some(free) = self.entries.get_mut(place) {
            *free = entry;
            self.count += 1;
            self.bytes += size;
        }
    }

    /// Sets the size, which must be within what was allowed.
    pub(super) fn resize(&mut self, bytes_max: u32) -> Option<()> {
        if bytes_max > TABLE_BYTES {
            return None;
        }
        self.bytes_max = bytes_max;
        self.shrink(bytes_max);
        Some(())
    }

    /// Drops the oldest until no more than `bytes` are left.
    fn shrink(&mut self, bytes: u32) {
        while self.bytes > bytes && self.count > 0 {
            let oldest = self.entries.get(self.first).copied().or_broken("an entry");
            self.bytes = self.bytes.saturating_sub(u32::from(oldest.size));
            self.first = (self.first + 1) % ENTRIES_MAX;
            self.count = self.count.saturating_sub(1);
        }
    }
}
