//! The Huffman code of HPACK (RFC 7541 appendix B), decoded bit by bit as bytes come.
//!
//! The code is canonical: codes of one length are consecutive, in the order of their symbols, so
//! that their lengths say everything. Called by `field_reader`.

use crate::invariant::Invariant;

/// A string that is not one (RFC 7541 section 5.2): it holds the end-of-string symbol, or ends in
/// something else than up to seven bits of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoString;

/// What is left of the bytes so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HuffmanDecoder {
    bits: u64,
    bits_count: u32,
}

pub(super) const SYMBOLS: usize = 257;
const LENGTH_MAX: usize = 30;
/// Codes up to this length are looked up, longer ones searched for.
const SHORT: u32 = 8;

/// How many bits each symbol has; the last one is the end of the string.
#[rustfmt::skip]
pub(super) const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28,
    28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11,
    10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8,
    15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5,
    6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7,
    7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23,
    23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21,
    23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25,
    26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26,
    28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

/// The code, as decoding needs it.
#[derive(Debug)]
struct Code {
    /// First code of each length, how many there are, and where their symbols begin.
    first: [u32; LENGTH_MAX + 1],
    count: [u32; LENGTH_MAX + 1],
    start: [usize; LENGTH_MAX + 1],
    /// By length, then value.
    symbols: [u16; SYMBOLS],
    /// Symbol and length of the code that eight bits begin with; length 0 if it is longer.
    short: [(u8, u8); 1 << SHORT],
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
    };
    let (mut length, mut next, mut place) = (1, 0u32, 0);
    while length <= LENGTH_MAX {
        next <<= 1;
        code.first[length] = next;
        code.start[length] = place;
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if LENGTHS[symbol] as usize == length {
                code.symbols[place] = symbol as u16;
                if length as u32 <= SHORT {
                    let spare = SHORT - length as u32;
                    let mut tail = 0;
                    while tail < 1 << spare {
                        code.short[((next << spare) + tail) as usize] =
                            (symbol as u8, length as u8);
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

impl HuffmanDecoder {
    /// Takes the next byte; `symbol` gets what is complete.
    pub(super) fn feed(&mut self, byte: u8, mut symbol: impl FnMut(u8)) -> Result<(), NoString> {
        self.bits = self.bits << 8 | u64::from(byte);
        self.bits_count += 8;
        while let Some((found, length)) = self.next()? {
            self.bits_count -= length;
            symbol(found);
        }
        Ok(())
    }

    /// The string ends here.
    pub(super) fn end(self) -> Result<(), NoString> {
        let padding = self.top(self.bits_count, 0);
        match self.bits_count < 8 && padding == (1 << self.bits_count) - 1 {
            true => Ok(()),
            false => Err(NoString),
        }
    }

    /// The symbol that the bits begin with, if it is complete.
    fn next(&self) -> Result<Option<(u8, u32)>, NoString> {
        let lead = match self.bits_count.checked_sub(SHORT) {
            Some(_) => self.top(SHORT, 0),
            None => self.top(self.bits_count, SHORT - self.bits_count),
        };
        let (symbol, length) = CODE.short.get(lead as usize).copied().or_broken("a code");
        if length > 0 {
            let length = u32::from(length);
            return Ok((length <= self.bits_count).then_some((symbol, length)));
        }
        for length in SHORT + 1..=self.bits_count.min(30) {
            let at = length as usize;
            let (Some(first), Some(count), Some(start)) =
                (CODE.first.get(at), CODE.count.get(at), CODE.start.get(at))
            else {
                return Err(NoString);
            };
            let Some(offset) = self.top(length, 0).checked_sub(*first) else {
                continue;
            };
            if offset < *count {
                let symbol = CODE.symbols.get(start + offset as usize).copied();
                // The one symbol beyond a byte is the end of the string.
                let symbol = symbol.and_then(|symbol| u8::try_from(symbol).ok());
                return symbol.map(|symbol| Some((symbol, length))).ok_or(NoString);
            }
        }
        Ok(None)
    }

    /// The first `count` bits, followed by `zeros`.
    fn top(&self, count: u32, zeros: u32) -> u32 {
        let bits = self.bits >> (self.bits_count - count) & ((1 << count) - 1);
        u32::try_from(bits << zeros).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The code of a text, by the book.
    pub(in super::super) fn encode(text: &[u8]) -> Vec<u8> {
        let mut order: Vec<usize> = (0..SYMBOLS).collect();
        order.sort_by_key(|symbol| (LENGTHS[*symbol], *symbol));
        let mut codes = [0u32; SYMBOLS];
        let (mut code, mut length) = (0, LENGTHS[order[0]]);
        for symbol in order {
            code <<= LENGTHS[symbol] - length;
            length = LENGTHS[symbol];
            codes[symbol] = code;
            code += 1;
        }
        let mut bits = String::new();
        for byte in text {
            let symbol = usize::from(*byte);
            bits += &format!("{:0width$b}", codes[symbol], width = LENGTHS[symbol].into());
        }
        while !bits.len().is_multiple_of(8) {
            bits.push('1');
        }
        let bytes = bits.as_bytes().chunks(8);
        bytes
            .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
            .collect()
    }

    fn decode(bytes: &[u8]) -> Result<Vec<u8>, NoString> {
        let (mut decoder, mut out) = (HuffmanDecoder::default(), Vec::new());
        for byte in bytes {
            decoder.feed(*byte, |symbol| out.push(symbol))?;
        }
        decoder.end().map(|()| out)
    }

    #[test]
    fn the_examples_of_the_rfc() {
        // RFC 7541 appendix C.4 and C.6.
        for (text, code) in [
            ("www.example.com", "f1e3c2e5f23a6ba0ab90f4ff"),
            ("no-cache", "a8eb10649cbf"),
            ("custom-value", "25a849e95bb8e8b4bf"),
            ("302", "6402"),
            (
                "Mon, 21 Oct 2013 20:13:21 GMT",
                "d07abe941054d444a8200595040b8166e082a62d1bff",
            ),
            (
                "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
                "94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
            ),
        ] {
            let bytes: Vec<u8> = (0..code.len() / 2)
                .map(|at| u8::from_str_radix(&code[2 * at..2 * at + 2], 16).unwrap())
                .collect();
            assert_eq!(decode(&bytes).unwrap(), text.as_bytes());
            assert_eq!(encode(text.as_bytes()), bytes, "{text}");
        }
    }

    #[test]
    fn what_is_no_string() {
        // Padding of eight bits, of zeros, and the end of the string itself.
        for bytes in [
            &[0xff][..],
            &[0x18],
            &[0xff, 0xff, 0xff, 0xff],
            &[0xff, 0xff, 0xff, 0xfc],
        ] {
            assert_eq!(decode(bytes), Err(NoString), "{bytes:x?}");
        }
        assert_eq!(decode(b""), Ok(Vec::new()));
    }

    proptest! {
        #[test]
        fn there_and_back(text in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(decode(&encode(&text)).unwrap(), text);
        }
    }
}
