//! The Huffman code of RFC 7541 appendix B. It is canonical: the lengths of its codes say all, since
//! codes of one length ascend with their symbols and follow those of the length before.

use std::sync::LazyLock;

/// Length of each symbol's code, bits; the last symbol is the end of the string.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];
/// The longest code.
const LENGTH_MAX: usize = 30;
/// The end of the string, which never appears in one.
const END: u16 = 256;

/// The codes of one length.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    /// The first code that is longer, as seen through this many bits.
    end: u32,
    /// What to add to a code to get its symbol's place in the order; modulo 2^32.
    offset: u32,
}

struct Code {
    levels: [Level; LENGTH_MAX + 1],
    /// Symbols by length, then by value.
    order: Vec<u16>,
}

static CODE: LazyLock<Code> = LazyLock::new(|| {
    let mut order: Vec<u16> = (0..=END).collect();
    let length_of = |symbol: u16| LENGTHS.get(usize::from(symbol)).copied().unwrap_or(0);
    order.sort_by_key(|&symbol| (length_of(symbol), symbol));
    let mut levels = [Level::default(); LENGTH_MAX + 1];
    let (mut code, mut place) = (0_u32, 0_u32);
    for (length, level) in levels.iter_mut().enumerate() {
        let count = LENGTHS.iter().filter(|&&bits| usize::from(bits) == length);
        let count = u32::try_from(count.count()).unwrap_or(0);
        if length > 0 {
            code <<= 1;
        }
        level.offset = place.wrapping_sub(code);
        code += count;
        place += count;
        level.end = code;
    }
    Code { levels, order }
});

/// Appends what `input` stands for; `None` if it is no valid code.
pub(super) fn decode(input: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let code = &*CODE;
    let (mut bits, mut count) = (0_u64, 0_usize);
    let mut rest = input.iter();
    loop {
        while count <= 48 {
            let Some(&byte) = rest.next() else { break };
            bits = bits << 8 | u64::from(byte);
            count += 8;
        }
        let mut found = None;
        for length in 5..=LENGTH_MAX.min(count) {
            let level = code.levels.get(length)?;
            let seen = u32::try_from(bits >> (count - length) & ((1 << length) - 1)).ok()?;
            if seen < level.end {
                let place = seen.wrapping_add(level.offset);
                found = Some((length, *code.order.get(place as usize)?));
                break;
            }
        }
        match found {
            Some((_, END)) => return None,
            Some((length, symbol)) => {
                out.push(u8::try_from(symbol).ok()?);
                count -= length;
                bits &= (1 << count) - 1;
            }
            // Padding: fewer than eight bits, all ones.
            None => return (count < 8 && bits == (1 << count) - 1).then_some(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The slow obvious twin: bit by bit, from the lengths alone.
    fn encode(text: &[u8]) -> Vec<u8> {
        let mut codes = vec![(0_u32, 0_u8); 257];
        let mut order: Vec<usize> = (0..257).collect();
        order.sort_by_key(|&symbol| (LENGTHS[symbol], symbol));
        let (mut code, mut length) = (0_u32, LENGTHS[order[0]]);
        for symbol in order {
            code <<= LENGTHS[symbol] - length;
            length = LENGTHS[symbol];
            codes[symbol] = (code, length);
            code += 1;
        }
        let mut bits = String::new();
        for &byte in text {
            let (code, length) = codes[usize::from(byte)];
            bits.push_str(&format!("{code:0width$b}", width = usize::from(length)));
        }
        while !bits.len().is_multiple_of(8) {
            bits.push('1');
        }
        bits.as_bytes()
            .chunks(8)
            .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
            .collect()
    }

    fn decoded(input: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        decode(input, &mut out).map(|()| out)
    }

    #[test]
    fn examples_of_the_standard() {
        // RFC 7541 sections C.4.1, C.4.3 and C.6.1.
        for (bytes, text) in [
            (
                &b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"[..],
                "www.example.com",
            ),
            (b"\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf", "custom-value"),
            (b"\x64\x02", "302"),
        ] {
            assert_eq!(decoded(bytes), Some(text.as_bytes().to_vec()));
            assert_eq!(encode(text.as_bytes()), bytes);
        }
    }

    #[test]
    fn wrong_endings() {
        // Padding of zeros; a whole byte of padding; the end of the string.
        for wrong in [&b"\xf8\x00"[..], b"\xff", b"\xff\xff\xff\xff"] {
            assert_eq!(decoded(wrong), None, "{wrong:x?}");
        }
        assert_eq!(decoded(b""), Some(Vec::new()));
    }

    proptest! {
        #[test]
        fn there_and_back(text in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(decoded(&encode(&text)), Some(text));
        }

        #[test]
        fn anything_is_survived(input in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = decoded(&input);
        }
    }
}
