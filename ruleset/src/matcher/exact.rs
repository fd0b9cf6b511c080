//! Whole values: lengths first, then one probe. Not here: the table itself (`hash.rs`).

use super::hash::{SEED, hash};

/// The hash of a whole value.
pub(crate) fn whole(value: &[u8]) -> u64 {
    hash(SEED, value)
}

/// The value in lower case if it is no longer than `longest`, the longest value of the table;
/// a longer one cannot be in it. `buffer` is overwritten.
pub(crate) fn folded<'b>(value: &[u8], longest: u32, buffer: &'b mut Vec<u8>) -> Option<&'b [u8]> {
    if value.len() > longest as usize {
        return None;
    }
    buffer.clear();
    buffer.extend(value.iter().map(u8::to_ascii_lowercase));
    Some(buffer)
}
