//! Header compression (RFC 7541). The decoder does all of it; the encoder keeps no table: it indexes
//! what is static and spells the rest, so that a block can be made before the run.

use std::collections::VecDeque;

use super::huffman;
use super::static_table::STATIC_TABLE;

/// Size of the dynamic table that is granted to the other end, octets (RFC 7541 section 4.1).
const TABLE_BYTES_MAX: usize = 4_096;
/// What an entry costs beside its octets.
const ENTRY_OVERHEAD_BYTES: usize = 32;
/// Longest name or value.
const STRING_BYTES_MAX: usize = 64 * 1024;

/// A block that cannot be understood: the connection is of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("header block broken")]
pub(crate) struct BrokenBlock;

/// One end's decoder.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// The newest first.
    entries: VecDeque<(Vec<u8>, Vec<u8>)>,
    bytes: usize,
    bytes_max: usize,
    name: Vec<u8>,
    value: Vec<u8>,
}

impl Decoder {
    pub(crate) fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            bytes_max: TABLE_BYTES_MAX,
            name: Vec::new(),
            value: Vec::new(),
        }
    }

    /// Decodes one whole block.
    pub(crate) fn decode(
        &mut self,
        mut input: &[u8],
        mut on_field: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), BrokenBlock> {
        while let Some(&first) = input.first() {
            match first {
                // Indexed field.
                0x80.. => {
                    let index = integer(&mut input, 7)?;
                    let (name, value) = self.entry(index).ok_or(BrokenBlock)?;
                    on_field(name, value);
                }
                // Literal that enters the table.
                0x40.. => {
                    self.literal(&mut input, 6)?;
                    on_field(&self.name, &self.value);
                    self.insert();
                }
                // Size update.
                0x20.. => {
                    let size = integer(&mut input, 5)?;
                    if size > TABLE_BYTES_MAX {
                        return Err(BrokenBlock);
                    }
                    self.bytes_max = size;
                    self.evict(0);
                }
                // Literal that does not.
                _ => {
                    self.literal(&mut input, 4)?;
                    on_field(&self.name, &self.value);
                }
            }
        }
        Ok(())
    }

    /// Reads a literal into `name` and `value`.
    fn literal(&mut self, input: &mut &[u8], prefix_bits: u8) -> Result<(), BrokenBlock> {
        let index = integer(input, prefix_bits)?;
        let mut name = std::mem::take(&mut self.name);
        name.clear();
        if index == 0 {
            string(input, &mut name)?;
        } else {
            let (known, _) = self.entry(index).ok_or(BrokenBlock)?;
            name.extend_from_slice(known);
        }
        self.name = name;
        self.value.clear();
        string(input, &mut self.value)
    }

    fn entry(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let index = index.checked_sub(1)?;
        match index.checked_sub(STATIC_TABLE.len()) {
            None => STATIC_TABLE
                .get(index)
                .map(|(name, value)| (name.as_bytes(), value.as_bytes())),
            Some(index) => self
                .entries
                .get(index)
                .map(|(name, value)| (name.as_slice(), value.as_slice())),
        }
    }

    fn insert(&mut self) {
        let size = self.name.len() + self.value.len() + ENTRY_OVERHEAD_BYTES;
        self.evict(size);
        if size <= self.bytes_max {
            self.bytes += size;
            self.entries
                .push_front((self.name.clone(), self.value.clone()));
        }
    }

    /// Makes room for `needed` octets.
    fn evict(&mut self, needed: usize) {
        while self.bytes + needed > self.bytes_max {
            let Some((name, value)) = self.entries.pop_back() else {
                return;
            };
            self.bytes -= name.len() + value.len() + ENTRY_OVERHEAD_BYTES;
        }
    }
}

/// RFC 7541 section 5.1.
fn integer(input: &mut &[u8], prefix_bits: u8) -> Result<usize, BrokenBlock> {
    let (&first, mut rest) = input.split_first().ok_or(BrokenBlock)?;
    let mask = (1_usize << prefix_bits) - 1;
    let mut number = usize::from(first) & mask;
    if number == mask {
        let mut shift = 0;
        loop {
            let (&byte, after) = rest.split_first().ok_or(BrokenBlock)?;
            rest = after;
            number += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
            shift += 7;
            if shift > 21 {
                return Err(BrokenBlock);
            }
        }
    }
    *input = rest;
    Ok(number)
}

/// RFC 7541 section 5.2.
fn string(input: &mut &[u8], out: &mut Vec<u8>) -> Result<(), BrokenBlock> {
    let is_huffman = input.first().ok_or(BrokenBlock)? & 0x80 != 0;
    let length = integer(input, 7)?;
    if length > STRING_BYTES_MAX || length > input.len() {
        return Err(BrokenBlock);
    }
    let (bytes, rest) = input.split_at(length);
    *input = rest;
    if is_huffman {
        huffman::decode(bytes, out).ok_or(BrokenBlock)
    } else {
        out.extend_from_slice(bytes);
        Ok(())
    }
}

/// Appends one field; names in lower case.
pub(crate) fn encode_field(name: &str, value: &str, out: &mut Vec<u8>) {
    let name = name.to_ascii_lowercase();
    let same = |entry: &&(&str, &str)| entry.0 == name;
    let exact = STATIC_TABLE
        .iter()
        .position(|entry| *entry == (name.as_str(), value));
    if let Some(index) = exact {
        return encode_integer(index + 1, 7, 0x80, out);
    }
    match STATIC_TABLE.iter().position(|entry| same(&entry)) {
        Some(index) => encode_integer(index + 1, 4, 0, out),
        None => {
            out.push(0);
            encode_string(&name, out);
        }
    }
    encode_string(value, out);
}

fn encode_string(text: &str, out: &mut Vec<u8>) {
    encode_integer(text.len(), 7, 0, out);
    out.extend_from_slice(text.as_bytes());
}

#[expect(clippy::cast_possible_truncation, reason = "each octet takes its bits")]
fn encode_integer(number: usize, prefix_bits: u8, flags: u8, out: &mut Vec<u8>) {
    let mask = (1_usize << prefix_bits) - 1;
    if number < mask {
        return out.push(flags | number as u8);
    }
    out.push(flags | mask as u8);
    let mut rest = number - mask;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<(String, String)>, BrokenBlock> {
        let mut fields = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        decoder.decode(block, |name, value| fields.push((text(name), text(value))))?;
        Ok(fields)
    }

    /// RFC 7541 section C.6: responses with Huffman coding and a table of 256 octets.
    #[test]
    fn examples_of_the_standard() {
        let mut decoder = Decoder::new();
        let first = b"\x3f\xe1\x01\x48\x82\x64\x02\x58\x85\xae\xc3\x77\x1a\x4b\x61\x96\xd0\x7a\xbe\
            \x94\x10\x54\xd4\x44\xa8\x20\x05\x95\x04\x0b\x81\x66\xe0\x82\xa6\x2d\x1b\xff\x6e\x91\x9d\
            \x29\xad\x17\x18\x63\xc7\x8f\x0b\x97\xc8\xe9\xae\x82\xae\x43\xd3";
        let seen = fields(&mut decoder, first).unwrap();
        assert_eq!(seen[0], (":status".to_owned(), "302".to_owned()));
        assert_eq!(seen[2].1, "Mon, 21 Oct 2013 20:13:21 GMT");
        let seen = fields(&mut decoder, b"\x48\x83\x64\x0e\xff\xc1\xc0\xbf").unwrap();
        assert_eq!(seen[0].1, "307");
        assert_eq!(seen[1], ("cache-control".to_owned(), "private".to_owned()));
        assert_eq!(seen[3].1, "https://www.example.com");
        assert_eq!(decoder.bytes, 222);
    }

    #[test]
    fn broken_blocks() {
        for wrong in [
            &b"\x80"[..],
            b"\xff",
            b"\xbe",
            b"\x40",
            b"\x00\x05ab",
            b"\x3f\xff\xff\xff\x7f",
            b"\x00\x81\xff\x00",
        ] {
            assert_eq!(
                fields(&mut Decoder::new(), wrong),
                Err(BrokenBlock),
                "{wrong:x?}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            list in prop::collection::vec(("[a-z:-]{1,20}", "[ -~]{0,300}"), 0..20),
        ) {
            let mut block = Vec::new();
            for (name, value) in &list {
                encode_field(name, value, &mut block);
            }
            prop_assert_eq!(fields(&mut Decoder::new(), &block), Ok(list));
        }

        #[test]
        fn anything_is_survived(blocks in prop::collection::vec(
            prop::collection::vec(any::<u8>(), 0..60), 0..5,
        )) {
            let mut decoder = Decoder::new();
            for block in blocks {
                let _ = fields(&mut decoder, &block);
                prop_assert!(decoder.bytes <= TABLE_BYTES_MAX);
            }
        }
    }
}
