//! The body of `/bytes/N`: the same bytes every time, so that the meter can check each one.
//!
//! The content at an offset depends on nothing else. The period is prime, so that a chunk that is
//! dropped, doubled or moved by a power of two shows. Used by `origin` to send and by `worker` to
//! compare.

use std::sync::LazyLock;

/// Length after which the content repeats: the largest prime below 2^16.
const PERIOD: usize = 65_521;

/// Two periods, so that a slice of a whole period can start at any offset.
static BLOCK: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state: u32 = 0x9E37_79B9;
    let period: Vec<u8> = (0..PERIOD)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            // Printable, so that a person can look at it: '0'..='o'.
            b'0' + (state >> 26) as u8
        })
        .collect();
    period.repeat(2)
});

/// The content from `offset` on, at most `limit` bytes and at most one period (64 KiB less 15).
pub(crate) fn slice(offset: u64, limit: usize) -> &'static [u8] {
    let start = usize::try_from(offset % PERIOD as u64).unwrap_or(0);
    let end = start + limit.min(PERIOD);
    BLOCK.get(start..end).unwrap_or_default()
}

/// Whether `bytes` is the content at `offset`.
pub(crate) fn matches(mut offset: u64, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let expected = slice(offset, bytes.len());
        let (head, rest) = bytes.split_at(expected.len().min(bytes.len()));
        if head != expected {
            return false;
        }
        offset += head.len() as u64;
        bytes = rest;
    }
    true
}

/// CRC-32C of the first `bytes` octets.
pub(crate) fn crc32c(bytes: u64) -> u32 {
    let (mut offset, mut crc) = (0, 0);
    while offset < bytes {
        let left = usize::try_from(bytes - offset).unwrap_or(usize::MAX);
        let piece = slice(offset, left);
        crc = crc32c::crc32c_append(crc, piece);
        offset += piece.len() as u64;
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_depends_on_the_offset_alone() {
        let mut whole = Vec::new();
        while whole.len() < 200_000 {
            let piece = slice(whole.len() as u64, 7_001);
            assert_eq!(piece.len(), 7_001);
            whole.extend_from_slice(piece);
        }
        assert!(matches(0, &whole));
        assert!(matches(65_500, &whole[65_500..131_100]));
        assert!(!matches(1, &whole));
        assert!(!matches(65_536, &whole[..1_000]));
    }

    #[test]
    fn checksum_is_that_of_the_content() {
        let whole: Vec<u8> = slice(0, PERIOD).repeat(3);
        assert_eq!(crc32c(150_000), crc32c::crc32c(&whole[..150_000]));
        assert_eq!(crc32c::crc32c(b"123456789"), 0xE306_9283);
    }

    #[test]
    fn one_wrong_byte_is_seen() {
        let mut whole = slice(5, 60_000).to_vec();
        assert!(matches(5, &whole));
        whole[59_999] ^= 1;
        assert!(!matches(5, &whole));
    }
}
