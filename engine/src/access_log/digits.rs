//! Numbers of a known width as text, from tables that the compiler makes.

/// Sixteen hexadecimal digits.
pub(super) fn hexadecimal(value: u64) -> [u8; 16] {
    let mut text = [0; 16];
    let (pairs, _) = text.as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(value.to_be_bytes()) {
        #[expect(clippy::indexing_slicing, reason = "there is a pair for each byte")]
        let digits = HEX_PAIRS[usize::from(byte)];
        *pair = digits;
    }
    text
}

/// The two digits of each byte.
const HEX_PAIRS: [[u8; 2]; 256] = hex_pairs();

#[expect(
    clippy::indexing_slicing,
    reason = "runs only while the program is compiled"
)]
const fn hex_pairs() -> [[u8; 2]; 256] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [DIGITS[byte / 16], DIGITS[byte % 16]];
        byte += 1;
    }
    pairs
}

/// The decimal digits of each octet, with a point behind them.
const OCTETS: [([u8; 4], usize); 256] = octet_texts();

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "runs only while the program is compiled"
)]
const fn octet_texts() -> [([u8; 4], usize); 256] {
    let mut texts = [([b'.'; 4], 0); 256];
    let mut octet = 0;
    while octet < 256 {
        let digits = if octet < 10 {
            1
        } else if octet < 100 {
            2
        } else {
            3
        };
        let (mut place, mut rest) = (digits, octet);
        while place > 0 {
            place -= 1;
            texts[octet].0[place] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        texts[octet].1 = digits + 1;
        octet += 1;
    }
    texts
}

/// Each octet is written with all of its text, whose length the compiler knows, and then cut to what is
/// its own. The last point makes way.
pub(super) fn octets(out: &mut Vec<u8>, octets: [u8; 4]) {
    for octet in octets {
        #[expect(clippy::indexing_slicing, reason = "there is a text for each octet")]
        let (text, bytes) = &OCTETS[usize::from(octet)];
        let end = out.len() + bytes;
        out.extend_from_slice(text);
        out.truncate(end);
    }
    out.pop();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_digits_are_there() {
        for value in [0, 1, 0xfeed, 0x0123_4567_89ab_cdef, u64::MAX] {
            assert_eq!(hexadecimal(value), format!("{value:016x}").as_bytes());
        }
    }

    #[test]
    fn addresses_are_written_as_everywhere() {
        for octet in 0..=u8::MAX {
            let address = std::net::Ipv4Addr::new(octet, 255 - octet, octet / 3, octet % 11);
            let mut out = b"before ".to_vec();
            octets(&mut out, address.octets());
            assert_eq!(out, format!("before {address}").into_bytes());
        }
    }
}
