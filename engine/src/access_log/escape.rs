//! Text of the network as a JSON string: bounded, on one line, valid whatever it is.

use std::io::Write;

/// Appends at most `bytes_max` bytes of `value`; what was cut leaves `…(+N bytes)`.
pub(super) fn cut_and_escape(out: &mut Vec<u8>, value: &[u8], bytes_max: usize) {
    if value.len() <= bytes_max {
        return escape(out, value);
    }
    let (kept, cut) = value.split_at(char_boundary(value, bytes_max));
    escape(out, kept);
    // Writing to a `Vec` cannot fail.
    drop(write!(out, "…(+{} bytes)", cut.len()));
}

/// The largest index up to `index` that is not inside a UTF-8 character.
fn char_boundary(value: &[u8], index: usize) -> usize {
    let is_continuation = |at: usize| value.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let lowest = index.saturating_sub(3);
    (lowest..=index)
        .rev()
        .find(|&at| !is_continuation(at))
        .unwrap_or(index)
}

fn escape(out: &mut Vec<u8>, value: &[u8]) {
    // Nearly every value is plain ASCII.
    if is_plain(value) {
        out.extend_from_slice(value);
    } else {
        escape_slowly(out, value);
    }
}

/// Whether all bytes are printable ASCII that JSON takes as it is. Eight at a time: most values are short.
pub(super) fn is_plain(value: &[u8]) -> bool {
    let (words, rest) = value.as_chunks::<8>();
    let mut special = 0;
    for word in words {
        special |= specials(u64::from_le_bytes(*word));
    }
    if !rest.is_empty() {
        // The last eight, some of them once more; of a short value all there is, behind blanks.
        special |= specials(match value.last_chunk::<8>() {
            Some(last) => u64::from_le_bytes(*last),
            None => rest.iter().fold(ONES * u64::from(b' '), |word, byte| {
                word << 8 | u64::from(*byte)
            }),
        });
    }
    special & HIGH_BITS == 0
}

/// The lowest bit of each byte.
const ONES: u64 = u64::MAX / 255;
/// The highest bit of each byte.
const HIGH_BITS: u64 = ONES << 7;

/// The highest bit of a byte is set if one of the bytes is below the space or above the tilde, a quote or
/// a backslash; which one it is, is not told.
const fn specials(word: u64) -> u64 {
    const fn zero(word: u64) -> u64 {
        word.wrapping_sub(ONES) & !word
    }
    const fn each(byte: u8) -> u64 {
        ONES * byte as u64
    }
    word | (word.wrapping_sub(each(b' ')) & !word)
        | zero(word ^ each(b'"'))
        | zero(word ^ each(b'\\'))
        | zero(word ^ each(0x7f))
}

#[cold]
fn escape_slowly(out: &mut Vec<u8>, value: &[u8]) {
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            escape_char(out, character);
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
}

fn escape_char(out: &mut Vec<u8>, character: char) {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        // Controls, and the separators that some viewers take for the end of a line. All of them
        // are below U+10000, so four digits do. Writing to a `Vec` cannot fail.
        c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
            drop(write!(out, "\\u{:04x}", u32::from(c)));
        }
        c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each byte at each place of a word, and of what is left behind words.
    #[test]
    fn plain_texts_are_told_from_others() {
        for length in 1..=20 {
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    let mut text = vec![b'a'; length];
                    text[at] = byte;
                    let expected = matches!(byte, 0x20..=0x7e) && !matches!(byte, b'"' | b'\\');
                    assert_eq!(is_plain(&text), expected, "{byte:#x} at {at} of {length}");
                }
            }
        }
        assert!(is_plain(b""));
    }
}
