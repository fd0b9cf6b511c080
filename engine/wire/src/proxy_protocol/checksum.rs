//! CRC-32C of a header (section 2.2.4): over all of it, with zeros where the checksum itself stands.

use crate::invariant::part;

/// Bytes of the checksum.
pub(super) const CHECKSUM_BYTES: usize = 4;

/// The checksum of a header whose own one stands at `at`.
pub(super) fn checksum(header: &[u8], at: usize) -> u32 {
    let before = part(header, ..at);
    let behind = part(header, at + CHECKSUM_BYTES..);
    let sum = crc32c::crc32c(before);
    let sum = crc32c::crc32c_append(sum, &[0; CHECKSUM_BYTES]);
    crc32c::crc32c_append(sum, behind)
}
