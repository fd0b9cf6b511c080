//! JA4, the fingerprint of a TLS client, after the specification that FoxIO
//! publishes (`technical_details/JA4.md` of the repository FoxIO-LLC/ja4).
//!
//! Three parts: what can be read at a glance, a hash of the sorted cipher
//! suites, a hash of the sorted extensions and the signature algorithms.

use std::fmt;

use sha2::{Digest, Sha256};

use super::client_hello::{ALPN, CIPHER_SUITES_MAX, ClientHello, EXTENSIONS_MAX, SERVER_NAME};
use crate::invariant::Invariant;

/// A fingerprint such as `t13d1516h2_8daaf6152771_e5627efa2ab1`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ja4 {
    text: [u8; 36],
}

impl Ja4 {
    /// The fingerprint as text.
    pub fn as_str(&self) -> &str {
        // ASCII by construction.
        std::str::from_utf8(&self.text).ok().or_broken("text")
    }

    fn of(hello: &ClientHello) -> Self {
        let mut text = [b'_'; 36];
        let (a, rest) = text.split_at_mut(10);
        let (b, c) = rest.split_at_mut(13);
        write_a(a, hello);
        write_b(b, hello);
        write_c(c, hello);
        Self { text }
    }
}

impl ClientHello {
    /// The JA4 fingerprint: two SHA-256 over a few hundred bytes.
    pub fn ja4(&self) -> Ja4 {
        Ja4::of(self)
    }
}

impl fmt::Display for Ja4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Ja4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ja4({})", self.as_str())
    }
}

/// Transport, version, kind of destination, counts, protocol.
fn write_a(out: &mut [u8], hello: &ClientHello) {
    let version = match hello.highest_version() {
        0x0304 => b"13",
        0x0303 => b"12",
        0x0302 => b"11",
        0x0301 => b"10",
        0x0300 => b"s3",
        0x0002 => b"s2",
        _ => b"00",
    };
    let destination = if hello.extensions().contains(&SERVER_NAME) {
        b'd'
    } else {
        b'i'
    };
    let ciphers = two_digits(hello.cipher_suites().len());
    let extensions = two_digits(hello.extensions().len());
    let alpn = hello.alpn().next().map_or(*b"00", alpn_characters);
    let parts = [b't', version[0], version[1], destination];
    for (to, from) in out.iter_mut().zip(
        parts
            .into_iter()
            .chain(ciphers)
            .chain(extensions)
            .chain(alpn),
    ) {
        *to = from;
    }
}

fn two_digits(count: usize) -> [u8; 2] {
    let count = u8::try_from(count).unwrap_or(99).min(99);
    [b'0' + count / 10, b'0' + count % 10]
}

/// First and last character, or first and last hexadecimal digit when one of
/// them is not alphanumeric.
fn alpn_characters(name: &[u8]) -> [u8; 2] {
    let (Some(first), Some(last)) = (name.first(), name.last()) else {
        return *b"00";
    };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [*first, *last];
    }
    [hex_digit(first >> 4), hex_digit(last & 0xf)]
}

/// `_` and the hash of the sorted cipher suites.
fn write_b(out: &mut [u8], hello: &ClientHello) {
    let mut sorted = [0u16; CIPHER_SUITES_MAX];
    let sorted = sort_into(&mut sorted, hello.cipher_suites().iter().copied());
    write_hash(out, sorted, &[]);
}

/// `_` and the hash of the sorted extensions, those of part a left out, with
/// the signature algorithms as they came.
fn write_c(out: &mut [u8], hello: &ClientHello) {
    let mut sorted = [0u16; EXTENSIONS_MAX];
    let extensions = hello.extensions().iter().copied();
    let sorted = sort_into(
        &mut sorted,
        extensions.filter(|kind| ![SERVER_NAME, ALPN].contains(kind)),
    );
    write_hash(out, sorted, hello.signature_algorithms());
}

fn sort_into(space: &mut [u16], values: impl Iterator<Item = u16>) -> &[u16] {
    let mut count = 0;
    for (to, value) in space.iter_mut().zip(values) {
        *to = value;
        count += 1;
    }
    let sorted = space
        .get_mut(..count)
        .or_broken("room for what was counted");
    sorted.sort_unstable();
    sorted
}

/// Twelve digits after the underscore: zeros when there is nothing to hash.
fn write_hash(out: &mut [u8], sorted: &[u16], in_order: &[u16]) {
    let digits = out.iter_mut().skip(1);
    if sorted.is_empty() {
        digits.for_each(|digit| *digit = b'0');
        return;
    }
    let mut hash = Sha256::new();
    update_list(&mut hash, sorted);
    if !in_order.is_empty() {
        hash.update(b"_");
        update_list(&mut hash, in_order);
    }
    let hash = hash.finalize();
    let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    for (digit, nibble) in digits.zip(nibbles) {
        *digit = hex_digit(nibble);
    }
}

/// Four lower-case digits each, with commas between them.
fn update_list(hash: &mut Sha256, list: &[u16]) {
    for (index, value) in list.iter().enumerate() {
        let [high, low] = value.to_be_bytes();
        let digits = [high >> 4, high & 0xf, low >> 4, low & 0xf].map(hex_digit);
        if index > 0 {
            hash.update(b",");
        }
        hash.update(digits);
    }
}

fn hex_digit(nibble: u8) -> u8 {
    b"0123456789abcdef"
        .get(usize::from(nibble))
        .copied()
        .unwrap_or(b'0')
}

#[cfg(test)]
mod tests {
    use super::super::sample::Hello;
    use super::*;

    fn ja4(hello: &Hello) -> String {
        let mut parsed = ClientHello::new();
        parsed
            .parse(&hello.to_records(usize::MAX))
            .expect("a hello");
        parsed.ja4().to_string()
    }

    /// The example of the specification, with all its variations.
    #[test]
    fn fingerprints_of_the_specification() {
        let hello = Hello::browser;
        assert_eq!(ja4(&hello()), "t13d1516h2_8daaf6152771_e5627efa2ab1");
        let mut reordered = hello();
        reordered.cipher_suites.reverse();
        reordered.extensions.as_mut().expect("extensions").reverse();
        assert_eq!(ja4(&reordered), "t13d1516h2_8daaf6152771_e5627efa2ab1");
        assert_eq!(
            ja4(&hello().without(SERVER_NAME).without(ALPN)),
            "t13i151400_8daaf6152771_e5627efa2ab1"
        );
        // Signature algorithms empty: no underscore before the hash.
        assert_eq!(
            ja4(&hello().without(13).with(13, b"\0\0")),
            "t13d1516h2_8daaf6152771_6d807ffa2a79"
        );
        let bare = Hello {
            extensions: None,
            ..hello()
        };
        assert_eq!(ja4(&bare), "t12i150000_8daaf6152771_000000000000");
        let only_grease = Hello {
            cipher_suites: vec![0x0a0a],
            ..hello()
        };
        assert_eq!(ja4(&only_grease), "t13d0016h2_000000000000_e5627efa2ab1");
        let many = Hello {
            cipher_suites: (1..200).collect(),
            ..hello()
        };
        assert!(ja4(&many).starts_with("t13d9916h2_"));
    }

    #[test]
    fn versions() {
        for (version, expected) in [
            (0x0304u16, "13"),
            (0x0303, "12"),
            (0x0302, "11"),
            (0x0301, "10"),
            (0x0300, "s3"),
        ] {
            let [high, low] = version.to_be_bytes();
            let hello = Hello::browser()
                .without(43)
                .with(43, &[4, 0x1a, 0x1a, high, low]);
            assert_eq!(ja4(&hello)[1..3], *expected);
        }
        let legacy = Hello {
            legacy_version: 0x0302,
            ..Hello::browser()
        }
        .without(43);
        assert_eq!(ja4(&legacy)[1..3], *"11");
        let draft = Hello::browser()
            .without(43)
            .with(43, &[4, 3, 4, 0x7f, 0x17]);
        assert_eq!(ja4(&draft)[1..3], *"00");
    }

    #[test]
    fn first_protocols() {
        let cases: &[(&[u8], &[u8; 2])] = &[
            (b"h2", b"h2"),
            (b"http/1.1", b"h1"),
            (b"x", b"xx"),
            (&[0xab], b"ab"),
            (&[0xab, 0xcd], b"ad"),
            (&[0x30, 0xab], b"3b"),
            (&[0x30, 0x31, 0xab, 0xcd], b"3d"),
            (&[0x30, 0xab, 0xcd, 0x31], b"01"),
        ];
        for (name, expected) in cases {
            assert_eq!(alpn_characters(name), **expected, "{}", name.escape_ascii());
        }
    }
}
