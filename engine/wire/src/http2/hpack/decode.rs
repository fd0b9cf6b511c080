//! Field blocks into lines of text (RFC 7541 section 3.2).
//!
//! Each field becomes `name: value CRLF` behind the text there is, as HTTP/1.1 would have it, so that one
//! encoder copies the fields of both. A block is given piece by piece: a field that is not complete yet is
//! left, and nothing was done for it.

use super::fault::CompressionFault;
use super::name::{FieldName, Flaws};
use super::static_table::{self, STATIC_ENTRIES};
use super::table::{OVERHEAD, TABLE_BYTES, Table};
use super::{huffman, integer};
use crate::Span;
use crate::invariant::{Invariant, part};

/// Reads the blocks of one side of a connection.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Decoder {
    table: Table<Note>,
}

/// What was found out about a field when it came as text.
#[derive(Clone, Copy, Debug)]
struct Note {
    name: FieldName,
    flaws: Flaws,
}

/// The next thing in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Decoded {
    /// More bytes are needed.
    Incomplete,
    /// The table has another size now; so many bytes said it.
    TableSize(usize),
    /// A field, and of how many bytes it was.
    Field(Field, usize),
}

/// A field that was written as a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Field {
    pub(in super::super) name: FieldName,
    pub(in super::super) name_span: Span,
    pub(in super::super) value: Span,
    pub(in super::super) flaws: Flaws,
    /// It must not get into a table on its way further (RFC 7541 section 6.2.3).
    pub(in super::super) never_indexed: bool,
}

impl Field {
    /// What it counts in a list of fields (RFC 9113 section 6.5.2).
    pub(in super::super) fn size(&self) -> u32 {
        let text_bytes = u32::try_from(self.name_span.len() + self.value.len());
        text_bytes.unwrap_or(u32::MAX).saturating_add(OVERHEAD)
    }
}

/// A string as it stands in a block.
#[derive(Clone, Copy)]
struct Literal<'i> {
    bytes: &'i [u8],
    is_huffman: bool,
}

impl Literal<'_> {
    fn write(self, out: &mut Vec<u8>) -> Result<Span, CompressionFault> {
        let start = out.len();
        match self.is_huffman {
            true => huffman::decode(self.bytes, out)?,
            false => out.extend_from_slice(self.bytes),
        }
        Ok(Span::new(start, out.len() - start))
    }
}

impl Decoder {
    /// Reads what `input`, the rest of a block, begins with, and appends the line of a field to `out`.
    /// `is_first` as long as no field has come in the block: the size of the table may change then only
    /// (RFC 7541 section 4.2).
    pub(in super::super) fn next(
        &mut self,
        input: &[u8],
        is_first: bool,
        out: &mut Vec<u8>,
    ) -> Result<Decoded, CompressionFault> {
        match input.first() {
            None => Ok(Decoded::Incomplete),
            Some(0x80..) => self.indexed(input, out),
            Some(0x40..) => self.literal(input, 6, out),
            Some(0x20..) if !is_first => Err(CompressionFault),
            Some(0x20..) => self.table_size(input),
            Some(_) => self.literal(input, 4, out),
        }
    }

    fn table_size(&mut self, input: &[u8]) -> Result<Decoded, CompressionFault> {
        let Some((size, bytes)) = integer::read(input, 5)? else {
            return Ok(Decoded::Incomplete);
        };
        if size > TABLE_BYTES {
            return Err(CompressionFault);
        }
        self.table.resize(size);
        Ok(Decoded::TableSize(bytes))
    }

    /// RFC 7541 section 6.1.
    fn indexed(&self, input: &[u8], out: &mut Vec<u8>) -> Result<Decoded, CompressionFault> {
        let Some((index, bytes)) = integer::read(input, 7)? else {
            return Ok(Decoded::Incomplete);
        };
        let (name, value, note) = self.entry(index)?;
        out.reserve(name.len() + value.len() + 4);
        let name_span = append(out, name);
        out.extend_from_slice(b": ");
        let value = append(out, value);
        out.extend_from_slice(b"\r\n");
        let field = Field {
            name: note.name,
            name_span,
            value,
            flaws: note.flaws,
            never_indexed: false,
        };
        Ok(Decoded::Field(field, bytes))
    }

    /// RFC 7541 section 6.2; with a prefix of six bits it goes into the table.
    fn literal(
        &mut self,
        input: &[u8],
        prefix: u32,
        out: &mut Vec<u8>,
    ) -> Result<Decoded, CompressionFault> {
        let Some((index, mut at)) = integer::read(input, prefix)? else {
            return Ok(Decoded::Incomplete);
        };
        let name = match index {
            0 => match literal(input, &mut at)? {
                Some(name) => Some(name),
                None => return Ok(Decoded::Incomplete),
            },
            _ => None,
        };
        let Some(value) = literal(input, &mut at)? else {
            return Ok(Decoded::Incomplete);
        };
        let (name_span, name, has_bad_name) = match name {
            Some(name) => {
                let span = name.write(out)?;
                let text = span.of(out);
                (span, FieldName::classify(text), Flaws::of_name(text))
            }
            None => {
                let (text, _, note) = self.entry(index)?;
                (append(out, text), note.name, note.flaws.name)
            }
        };
        out.extend_from_slice(b": ");
        let value = value.write(out)?;
        let (has_bad_value, has_blanks) = Flaws::of_value(value.of(out));
        let flaws = Flaws {
            name: has_bad_name,
            value: has_bad_value,
            blanks: has_blanks,
        };
        if prefix == 6 {
            let note = Note { name, flaws };
            self.table.insert(name_span.of(out), value.of(out), note);
        }
        out.extend_from_slice(b"\r\n");
        let field = Field {
            name,
            name_span,
            value,
            flaws,
            never_indexed: prefix == 4 && input.first().is_some_and(|first| first & 0x10 != 0),
        };
        Ok(Decoded::Field(field, at))
    }

    fn entry(&self, index: u32) -> Result<(&[u8], &[u8], Note), CompressionFault> {
        let index = usize::try_from(index).map_err(|_| CompressionFault)?;
        if let Some(back) = index.checked_sub(STATIC_ENTRIES + 1) {
            return self.table.get(back).ok_or(CompressionFault);
        }
        let (name, value) = static_table::entry(index).ok_or(CompressionFault)?;
        let note = Note {
            name: FieldName::classify(name),
            flaws: Flaws::default(),
        };
        Ok((name, value, note))
    }
}

/// The string at `at`, if all of it is there.
fn literal<'i>(input: &'i [u8], at: &mut usize) -> Result<Option<Literal<'i>>, CompressionFault> {
    let rest = part(input, *at..);
    let Some((length, bytes)) = integer::read(rest, 7)? else {
        return Ok(None);
    };
    let end = bytes + usize::try_from(length).ok().or_broken("28 bits");
    let Some(text) = rest.get(bytes..end) else {
        return Ok(None);
    };
    *at += end;
    Ok(Some(Literal {
        bytes: text,
        is_huffman: rest.first().is_some_and(|first| first & 0x80 != 0),
    }))
}

fn append(out: &mut Vec<u8>, text: &[u8]) -> Span {
    let start = out.len();
    out.extend_from_slice(text);
    Span::new(start, text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a block.
    fn lines(decoder: &mut Decoder, block: &[u8]) -> Result<String, CompressionFault> {
        let (mut out, mut rest, mut is_first) = (Vec::new(), block, true);
        while !rest.is_empty() {
            let bytes = match decoder.next(rest, is_first, &mut out)? {
                Decoded::Incomplete => return Err(CompressionFault),
                Decoded::TableSize(bytes) => bytes,
                Decoded::Field(_, bytes) => {
                    is_first = false;
                    bytes
                }
            };
            rest = &rest[bytes..];
        }
        Ok(String::from_utf8(out).unwrap())
    }

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: String = hex.split_whitespace().collect();
        let pairs = (0..digits.len() / 2).map(|at| &digits[2 * at..2 * at + 2]);
        pairs
            .map(|pair| u8::from_str_radix(pair, 16).unwrap())
            .collect()
    }

    #[test]
    fn rfc_7541_c_2_literals() {
        for (hex, line) in [
            (
                "400a637573746f6d2d6b65790d637573746f6d2d686561646572",
                "custom-key: custom-header\r\n",
            ),
            ("040c2f73616d706c652f70617468", ":path: /sample/path\r\n"),
            ("100870617373776f726406736563726574", "password: secret\r\n"),
            ("82", ":method: GET\r\n"),
        ] {
            let mut decoder = Decoder::default();
            assert_eq!(lines(&mut decoder, &bytes(hex)).unwrap(), line);
            let is_kept = hex.starts_with("40");
            assert_eq!(decoder.table.get(0).is_some(), is_kept);
        }
        let mut out = Vec::new();
        let never = bytes("100870617373776f726406736563726574");
        let decoded = Decoder::default().next(&never, true, &mut out).unwrap();
        assert!(matches!(decoded, Decoded::Field(field, 17) if field.never_indexed));
    }

    const REQUESTS: [&str; 3] = [
        ":method: GET\r\n:scheme: http\r\n:path: /\r\n:authority: www.example.com\r\n",
        ":method: GET\r\n:scheme: http\r\n:path: /\r\n:authority: www.example.com\r\ncache-control: no-cache\r\n",
        ":method: GET\r\n:scheme: https\r\n:path: /index.html\r\n:authority: www.example.com\r\n\
         custom-key: custom-value\r\n",
    ];

    #[test]
    fn rfc_7541_c_3_and_c_4_requests() {
        for blocks in [
            [
                "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
                "8286 84be 5808 6e6f 2d63 6163 6865",
                "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
            ],
            [
                "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
                "8286 84be 5886 a8eb 1064 9cbf",
                "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
            ],
        ] {
            let mut decoder = Decoder::default();
            for (block, expected) in blocks.into_iter().zip(REQUESTS) {
                assert_eq!(lines(&mut decoder, &bytes(block)).unwrap(), expected);
            }
            assert_eq!(decoder.table.size(), 164);
        }
    }

    #[test]
    fn rfc_7541_c_5_and_c_6_responses_with_a_small_table() {
        let date = "date: Mon, 21 Oct 2013 20:13:21 GMT\r\n";
        let expected = [
            format!(
                ":status: 302\r\ncache-control: private\r\n{date}location: https://www.example.com\r\n"
            ),
            format!(
                ":status: 307\r\ncache-control: private\r\n{date}location: https://www.example.com\r\n"
            ),
            format!(
                ":status: 200\r\ncache-control: private\r\n{}location: https://www.example.com\r\n\
                 content-encoding: gzip\r\nset-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1\r\n",
                date.replace(":21 GMT", ":22 GMT")
            ),
        ];
        for blocks in [
            [
                "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
                 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70
                 6c65 2e63 6f6d",
                "4803 3330 37c1 c0bf",
                "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d
                 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049
                 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e
                 3d31",
            ],
            [
                "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
                 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
                "4883 640e ffc1 c0bf",
                "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab
                 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f
                 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
            ],
        ] {
            let mut decoder = Decoder::default();
            decoder.table.resize(256);
            for (block, expected) in blocks.into_iter().zip(&expected) {
                assert_eq!(&lines(&mut decoder, &bytes(block)).unwrap(), expected);
            }
            assert_eq!(decoder.table.size(), 215);
        }
    }

    #[test]
    fn rfc_9113_4_3_blocks_that_cannot_be_decoded() {
        for block in [
            &b"\x80"[..],
            b"\xbe",
            b"\x7f\x00\x01x",
            // A table of 4097 bytes, and one that shrinks behind a field.
            b"\x3f\xe2\x1f",
            b"\x82\x20",
            // Cut short.
            b"\x40",
            b"\x40\x05abc",
            b"\xff",
            b"\x40\x01a",
            // An integer without an end.
            b"\xff\xff\xff\xff\xff\xff\x01",
            b"\0\x01x\x84\xff\xff\xff\xff",
            b"\0\x01x\x81\x18",
        ] {
            let found = lines(&mut Decoder::default(), block);
            assert_eq!(found, Err(CompressionFault), "{block:x?}");
        }
        let insert = b"\x40\x01a\x01b";
        for (block, is_known) in [
            (&b"\xbe"[..], true),
            (b"\x20\xbe", false),
            (b"\x20\x3f\xe1\x1f\xbe", false),
        ] {
            let mut decoder = Decoder::default();
            lines(&mut decoder, insert).unwrap();
            assert_eq!(lines(&mut decoder, block).is_ok(), is_known);
        }
    }

    #[test]
    fn a_field_that_is_cut_changes_nothing() {
        let mut decoder = Decoder::default();
        let field = bytes("4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf");
        let mut out = Vec::new();
        for end in 0..field.len() {
            let decoded = decoder.next(&field[..end], true, &mut out).unwrap();
            assert_eq!((decoded, out.len()), (Decoded::Incomplete, 0));
        }
        let decoded = decoder.next(&field, true, &mut out).unwrap();
        assert!(matches!(decoded, Decoded::Field(_, bytes) if bytes == field.len()));
        assert_eq!(out, b"custom-key: custom-value\r\n");
    }
}
