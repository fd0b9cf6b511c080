//! Whole values: lengths first, then one probe. Not here: the table itself (`hash.rs`).

use super::hash::{SEED, hash};

/// The hash of a whole value.
pub(crate) fn whole(value: &[u8]) -> u64 {
    hash(SEED, value)
}

/// The value in lower case, in the buffer, which is overwritten.
pub(crate) fn folded<'b>(value: &[u8], buffer: &'b mut Vec<u8>) -> &'b [u8] {
    buffer.clear();
    buffer.extend_from_slice(value);
    buffer.make_ascii_lowercase();
    buffer
}
