//! Names and values into field blocks (RFC 7541 sections 6 and 7.1).
//!
//! What recurs goes into the table. What does not (a path, a date), what is large, and credentials do not:
//! the latter as literals that are never to be indexed, by nobody on their way, so that no other client of
//! this connection can guess at them by the size of what is sent (RFC 7541 section 7.1.3).

use super::index::{Index, hash};
use super::static_table::{self, STATIC_ENTRIES};
use super::table::{OVERHEAD, TABLE_BYTES, Table};
use super::{huffman, integer};
use crate::invariant::Invariant;

/// Writes the blocks of one side of a connection.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Encoder {
    table: Table<()>,
    index: Index,
    /// The smallest size, and the last one, that the other side has asked for since the last block.
    resized: Option<(u32, u32)>,
}

/// How a field is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    /// It goes into the table.
    Yes,
    No,
    /// Nobody may enter it.
    Never,
}

/// Of a value that is larger no second one will come, as a rule; it would drop most of what is there.
const KEPT_BYTES_MAX: usize = 1024;
/// A cookie that is shorter can be guessed byte by byte (RFC 7541 section 7.1.3).
const SHORT_COOKIE_BYTES: usize = 20;

impl Encoder {
    /// The other side has said how large its table may be (RFC 9113 section 6.5.2).
    pub(in super::super) fn limit_table(&mut self, size_max: u32) {
        let size = size_max.min(TABLE_BYTES);
        let smallest = self
            .resized
            .map_or(size, |(smallest, _)| smallest.min(size));
        let is_same = self.resized.is_none() && size == self.table.size_max();
        self.resized = (!is_same).then_some((smallest, size));
    }

    /// What comes before the first field of each block (RFC 7541 section 4.2).
    pub(in super::super) fn begin(&mut self, out: &mut Vec<u8>) {
        let Some((smallest, last)) = self.resized.take() else {
            return;
        };
        // In between it has been as small as that, and what it held was dropped.
        self.resize(smallest, out);
        if last != smallest {
            self.resize(last, out);
        }
    }

    fn resize(&mut self, size: u32, out: &mut Vec<u8>) {
        self.table.resize(size);
        integer::write(out, 0x20, 5, size as usize);
    }

    /// Appends a field. The name is in lower case.
    pub(in super::super) fn field(
        &mut self,
        name: &[u8],
        value: &[u8],
        never_indexed: bool,
        out: &mut Vec<u8>,
    ) {
        let static_name = static_table::index_of(name);
        let whole = static_name.filter(|_| !never_indexed);
        if let Some(index) = whole.and_then(|first| static_table::with_value(first, value)) {
            integer::write(out, 0x80, 7, index);
            return;
        }
        let keep = match never_indexed {
            true => Keep::Never,
            false => keep(static_name, name, value),
        };
        let name_hash = hash(0, name);
        let full_hash = hash(name_hash, value);
        if keep == Keep::Yes
            && let Some(index) = self.find(full_hash, name, Some(value))
        {
            integer::write(out, 0x80, 7, index);
            return;
        }
        let name_index = static_name.or_else(|| self.find(name_hash, name, None));
        let (bits, prefix) = match keep {
            Keep::Yes => (0x40, 6),
            Keep::No => (0, 4),
            Keep::Never => (0x10, 4),
        };
        integer::write(out, bits, prefix, name_index.unwrap_or(0));
        if name_index.is_none() {
            write_string(name, out);
        }
        write_string(value, out);
        if keep == Keep::Yes
            && let Some(number) = self.table.insert(name, value, ())
        {
            self.index.set(full_hash, number);
            if static_name.is_none() {
                self.index.set(name_hash, number);
            }
        }
    }

    /// The index of an entry with this name, and this value if one is asked for.
    fn find(&self, hash: u32, name: &[u8], value: Option<&[u8]>) -> Option<usize> {
        let back = self.table.back_of(self.index.get(hash)?)?;
        let (known, known_value, ()) = self.table.get(back).or_broken("an entry of the table");
        let is_it = known == name && value.is_none_or(|value| value == known_value);
        is_it.then_some(STATIC_ENTRIES + 1 + back)
    }
}

fn keep(static_name: Option<usize>, name: &[u8], value: &[u8]) -> Keep {
    let is_large = name.len() + value.len() + OVERHEAD as usize > KEPT_BYTES_MAX;
    match static_name {
        // authorization, proxy-authorization, set-cookie.
        Some(23 | 49 | 55) => Keep::Never,
        Some(32) if value.len() < SHORT_COOKIE_BYTES => Keep::Never,
        _ if is_large => Keep::No,
        // :path, age, content-length, content-range, date, etag, expires, if-modified-since, if-none-match,
        // if-range, last-modified, location, range: another one each time.
        Some(4 | 5 | 21 | 28 | 30 | 33 | 34 | 36 | 40 | 41 | 42 | 44 | 46 | 50) => Keep::No,
        _ => Keep::Yes,
    }
}

fn write_string(text: &[u8], out: &mut Vec<u8>) {
    let coded = huffman::encoded_len(text);
    match coded < text.len() {
        true => {
            integer::write(out, 0x80, 7, coded);
            huffman::encode(text, out);
        }
        false => {
            integer::write(out, 0, 7, text.len());
            out.extend_from_slice(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::decode::{Decoded, Decoder};
    use super::*;

    fn block(encoder: &mut Encoder, fields: &[(&str, &str)]) -> Vec<u8> {
        let mut out = Vec::new();
        encoder.begin(&mut out);
        for (name, value) in fields {
            encoder.field(name.as_bytes(), value.as_bytes(), false, &mut out);
        }
        out
    }

    fn decode(decoder: &mut Decoder, mut block: &[u8]) -> (String, Vec<bool>) {
        let (mut out, mut never, mut is_first) = (Vec::new(), Vec::new(), true);
        while !block.is_empty() {
            let bytes = match decoder.next(block, is_first, &mut out).unwrap() {
                Decoded::Field(field, bytes) => {
                    never.push(field.never_indexed);
                    is_first = false;
                    bytes
                }
                Decoded::TableSize(bytes) => bytes,
                Decoded::Incomplete => panic!("cut"),
            };
            block = &block[bytes..];
        }
        (String::from_utf8(out).unwrap(), never)
    }

    #[test]
    fn rfc_7541_c_4_requests() {
        let mut encoder = Encoder::default();
        let start = |scheme, path| {
            [
                (":method", "GET"),
                (":scheme", scheme),
                (":path", path),
                (":authority", "www.example.com"),
            ]
        };
        let first = block(&mut encoder, &start("http", "/"));
        assert_eq!(
            first,
            b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"
        );
        let mut fields = start("http", "/").to_vec();
        fields.push(("cache-control", "no-cache"));
        assert_eq!(
            block(&mut encoder, &fields),
            b"\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf"
        );
        let mut fields = start("https", "/index.html").to_vec();
        fields.push(("custom-key", "custom-value"));
        assert_eq!(
            block(&mut encoder, &fields),
            b"\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf"
        );
    }

    #[test]
    fn rfc_7541_7_1_3_credentials_are_in_no_table() {
        let mut encoder = Encoder::default();
        let fields = [
            ("authorization", "Basic QWxhZGRpbg=="),
            ("proxy-authorization", "Basic QWxhZGRpbg=="),
            ("set-cookie", "session=1234567890123456789012345"),
            ("cookie", "short=1"),
            ("cookie", "long=1234567890123456"),
            ("x", "y"),
        ];
        let first = block(&mut encoder, &fields);
        let mut decoder = Decoder::default();
        let (_, never) = decode(&mut decoder, &first);
        assert_eq!(never, [true, true, true, true, false, false]);
        let second = block(&mut encoder, &fields);
        let (text, never) = decode(&mut decoder, &second);
        assert_eq!(never, [true, true, true, true, false, false]);
        assert!(text.ends_with("cookie: long=1234567890123456\r\nx: y\r\n"));
        assert_eq!(second[second.len() - 2..], [0xbf, 0xbe]);
    }

    #[test]
    fn rfc_7541_4_2_a_change_of_size_is_told_at_the_next_block() {
        let mut encoder = Encoder::default();
        let mut decoder = Decoder::default();
        let fields = [("x", "y"), ("z", "w")];
        let exchange = |encoder: &mut Encoder, decoder: &mut Decoder| {
            let block = block(encoder, &fields);
            assert_eq!(decode(decoder, &block).0, "x: y\r\nz: w\r\n");
            block
        };
        exchange(&mut encoder, &mut decoder);
        encoder.limit_table(0);
        encoder.limit_table(100_000);
        // Down to nothing, and up again as far as it goes here.
        let changed = exchange(&mut encoder, &mut decoder);
        assert_eq!(changed[..4], [0x20, 0x3f, 0xe1, 0x1f]);
        encoder.limit_table(4096);
        assert_eq!(exchange(&mut encoder, &mut decoder), [0xbf, 0xbe]);
        encoder.limit_table(40);
        let changed = exchange(&mut encoder, &mut decoder);
        assert_eq!(changed[..2], [0x3f, 9]);
        assert!(exchange(&mut encoder, &mut decoder).len() > 3);
    }

    proptest! {
        /// What is written is read, whatever was sent before and however the table changed.
        #[test]
        fn there_and_back(
            blocks in prop::collection::vec(
                (prop::option::of(0u32..5000), prop::collection::vec((0usize..12, "[ -~]{0,40}", any::<bool>()), 0..10)),
                1..40,
            ),
        ) {
            let names = [":path", ":status", ":method", "a", "date", "x-long-name", "via", "server",
                "cookie", "authorization", "x-y", "etag"];
            let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
            for (size, fields) in blocks {
                if let Some(size) = size {
                    encoder.limit_table(size);
                }
                let (mut out, mut expected) = (Vec::new(), String::new());
                encoder.begin(&mut out);
                for (name, value, never) in fields {
                    let name = names[name];
                    encoder.field(name.as_bytes(), value.as_bytes(), never, &mut out);
                    expected += &format!("{name}: {value}\r\n");
                }
                prop_assert_eq!(decode(&mut decoder, &out).0, expected);
            }
        }
    }
}
