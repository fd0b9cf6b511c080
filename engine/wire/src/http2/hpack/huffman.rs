//! The Huffman code of HPACK (RFC 7541 appendix B), for whole strings.
//!
//! The code is canonical: codes of one length are consecutive, in the order of their symbols, so that
//! their lengths say everything. What eight to ten bits begin with is looked up, longer codes, which
//! only rare bytes have, are searched for by length.

use super::fault::CompressionFault;
use super::huffman_code::{LENGTHS, SYMBOLS};
use crate::invariant::{Invariant, part};

const LENGTH_MAX: usize = 30;
/// Codes up to this length are looked up.
const SHORT: u32 = 10;
/// Symbols that are written together.
const SYMBOLS_AT_ONCE: usize = 32;

/// The code, as both directions need it.
#[derive(Debug)]
struct Code {
    /// First code of each length, how many there are, and where their symbols begin.
    first: [u32; LENGTH_MAX + 1],
    count: [u32; LENGTH_MAX + 1],
    start: [u16; LENGTH_MAX + 1],
    /// By length, then value.
    symbols: [u16; SYMBOLS],
    /// Symbol and length of the code that `SHORT` bits begin with; length 0 if it is longer.
    short: [(u8, u8); 1 << SHORT],
    /// Code and length of each byte.
    codes: [(u32, u8); 256],
}

static CODE: Code = code();

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler: a fault would not build"
)]
const fn code() -> Code {
    let mut code = Code {
        first: [0; LENGTH_MAX + 1],
        count: [0; LENGTH_MAX + 1],
        start: [0; LENGTH_MAX + 1],
        symbols: [0; SYMBOLS],
        short: [(0, 0); 1 << SHORT],
        codes: [(0, 0); 256],
    };
    let (mut length, mut next, mut place) = (1, 0u32, 0);
    while length <= LENGTH_MAX {
        next <<= 1;
        code.first[length] = next;
        code.start[length] = place as u16;
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if LENGTHS[symbol] as usize == length {
                code.symbols[place] = symbol as u16;
                if symbol < 256 {
                    code.codes[symbol] = (next, length as u8);
                }
                if length as u32 <= SHORT {
                    let spare = SHORT - length as u32;
                    let mut tail = 0;
                    while tail < 1 << spare {
                        let at = ((next << spare) + tail) as usize;
                        code.short[at] = (symbol as u8, length as u8);
                        tail += 1;
                    }
                }
                place += 1;
                next += 1;
                code.count[length] += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    code
}

/// Appends the string that `input` is the code of. What was appended before a fault means nothing.
pub(super) fn decode(input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionFault> {
    // The shortest codes have five bits.
    out.reserve(input.len() * 8 / 5);
    let mut rest = input;
    // The first bit to be read is the highest one.
    let (mut bits, mut bits_count) = (0u64, 0u32);
    // Symbols are gathered here, so that the vector is asked for room now and then only.
    let (mut symbols, mut symbols_count) = ([0; SYMBOLS_AT_ONCE], 0);
    loop {
        (bits, bits_count) = refill(bits, bits_count, &mut rest);
        let lead = usize::try_from(bits >> (64 - SHORT)).or_broken_place();
        let (symbol, length) = CODE.short.get(lead).copied().or_broken("a code");
        let (symbol, length) = match length {
            0 => long(bits, bits_count)?,
            _ => (symbol, u32::from(length)),
        };
        if length > bits_count {
            break;
        }
        let place = symbols.get_mut(symbols_count);
        *place.or_broken("a place for a symbol") = symbol;
        symbols_count += 1;
        if symbols_count == SYMBOLS_AT_ONCE {
            out.extend_from_slice(&symbols);
            symbols_count = 0;
        }
        bits <<= length;
        bits_count -= length;
    }
    out.extend_from_slice(part(&symbols, ..symbols_count));
    // RFC 7541 section 5.2: up to seven bits of the end of the string, which are ones.
    let padding = match bits_count {
        0 => 0,
        count => bits >> (64 - count),
    };
    match bits_count < 8 && padding == (1 << bits_count) - 1 {
        true => Ok(()),
        false => Err(CompressionFault),
    }
}

/// Has at least 32 bits there, as long as there are as many: enough for each code.
#[inline]
fn refill(mut bits: u64, mut bits_count: u32, rest: &mut &[u8]) -> (u64, u32) {
    if bits_count > 32 {
        return (bits, bits_count);
    }
    if let Some((word, behind)) = rest.split_first_chunk() {
        *rest = behind;
        let word = u64::from(u32::from_be_bytes(*word));
        return (bits | word << (32 - bits_count), bits_count + 32);
    }
    for byte in std::mem::take(rest) {
        bits |= u64::from(*byte) << (56 - bits_count);
        bits_count += 8;
    }
    (bits, bits_count)
}

/// A code that is too long to be looked up; with a length beyond the bits there are where it is cut.
#[cold]
fn long(bits: u64, bits_count: u32) -> Result<(u8, u32), CompressionFault> {
    for length in SHORT + 1..=bits_count.min(30) {
        let at = length as usize;
        let first = CODE.first.get(at).copied().or_broken("a length");
        let count = CODE.count.get(at).copied().or_broken("a length");
        let value = u32::try_from(bits >> (64 - length)).unwrap_or(u32::MAX);
        let Some(offset) = value.checked_sub(first).filter(|offset| *offset < count) else {
            continue;
        };
        let start = CODE.start.get(at).copied().or_broken("a length");
        let symbol = CODE.symbols.get(usize::from(start) + offset as usize);
        // The one symbol beyond a byte is the end of the string.
        let symbol = u8::try_from(*symbol.or_broken("a symbol"));
        return symbol
            .map(|symbol| (symbol, length))
            .map_err(|_| CompressionFault);
    }
    match bits_count >= 30 {
        true => Err(CompressionFault),
        false => Ok((0, u32::MAX)),
    }
}

/// How many bytes the code of `text` has.
pub(super) fn encoded_len(text: &[u8]) -> usize {
    let bits: usize = text.iter().map(|byte| usize::from(of(*byte).1)).sum();
    bits.div_ceil(8)
}

/// Appends the code of `text`.
pub(super) fn encode(text: &[u8], out: &mut Vec<u8>) {
    let (mut bits, mut bits_count) = (0u64, 0u32);
    for byte in text {
        let (code, length) = of(*byte);
        bits = bits << length | u64::from(code);
        bits_count += u32::from(length);
        // A code has 30 bits at most: there is room for another one.
        if bits_count >= 32 {
            bits_count -= 32;
            let word = u32::try_from(bits >> bits_count & 0xffff_ffff).unwrap_or(u32::MAX);
            out.extend_from_slice(&word.to_be_bytes());
        }
    }
    while bits_count > 0 {
        let missing = 8u32.saturating_sub(bits_count);
        let padded = bits << missing | ((1 << missing) - 1);
        bits_count = bits_count.saturating_sub(8);
        let [.., byte] = (padded >> bits_count).to_be_bytes();
        out.push(byte);
    }
}

fn of(byte: u8) -> (u32, u8) {
    let code = CODE.codes.get(usize::from(byte));
    *code.or_broken("a code for each byte")
}

/// What ten bits of a word are, as a place.
trait Place {
    fn or_broken_place(self) -> usize;
}

impl Place for Result<usize, std::num::TryFromIntError> {
    fn or_broken_place(self) -> usize {
        self.ok().or_broken("ten bits")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::huffman_code::tests::{decode as bit_by_bit, encode as by_the_book};
    use super::*;

    fn decoded(bytes: &[u8]) -> Result<Vec<u8>, CompressionFault> {
        let mut out = Vec::new();
        decode(bytes, &mut out).map(|()| out)
    }

    fn encoded(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(text, &mut out);
        out
    }

    #[test]
    fn rfc_7541_5_2_what_is_no_string() {
        // Padding of eight bits, of zeros, and the end of the string itself.
        for bytes in [
            &[0xff][..],
            &[0x18],
            &[0xff, 0xff, 0xff, 0xff],
            &[0xff, 0xff, 0xff, 0xfc],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert_eq!(decoded(bytes), Err(CompressionFault), "{bytes:x?}");
        }
        assert_eq!(decoded(b""), Ok(Vec::new()));
    }

    proptest! {
        #[test]
        fn there_and_back(text in prop::collection::vec(any::<u8>(), 0..100)) {
            let code = encoded(&text);
            prop_assert_eq!(&code, &by_the_book(&text));
            prop_assert_eq!(code.len(), encoded_len(&text));
            prop_assert_eq!(decoded(&code), Ok(text));
        }

        /// Both decoders take the same strings.
        #[test]
        fn any_bytes(bytes in prop::collection::vec(prop_oneof![Just(0xff), any::<u8>()], 0..24)) {
            prop_assert_eq!(decoded(&bytes).ok(), bit_by_bit(&bytes));
        }
    }
}
