//! Walks through header blocks (RFC 7541) without keeping what they say.
//!
//! Of each block it finds out whether it can be decoded at all, and which pseudo-header fields it
//! has. For that the sizes of the dynamic table's entries must be known, and no value. Bytes come as
//! they come: a block may be cut anywhere. Called by `frame_guard`.

use super::dynamic_table::{DynamicTable, Entry, OVERHEAD};
use super::huffman::{HuffmanDecoder, NoString};
use super::name::Name;
use super::static_table::{STATIC_ENTRIES, static_name};
use crate::invariant::Invariant;

/// A block that cannot be decoded (RFC 9113 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoBlock;

impl From<NoString> for NoBlock {
    fn from(NoString: NoString) -> Self {
        Self
    }
}

/// What a block holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct BlockFields {
    pub(super) has_path: bool,
    pub(super) has_status: bool,
    /// A pseudo-header field but those two.
    pub(super) has_pseudo: bool,
    /// The status is 1xx.
    pub(super) is_interim: bool,
    /// The path has a fragment, which the codec cuts off.
    pub(super) has_fragment: bool,
}

/// Reads the blocks of one side of a connection.
#[derive(Clone, Debug, Default)]
pub(super) struct FieldReader {
    table: DynamicTable,
    state: State,
    field: Field,
    /// A field has come: the size of the table may change no more in this block.
    has_fields: bool,
    found: BlockFields,
    /// Size of the fields of this block so far (RFC 9113 section 6.5.2).
    list_bytes: u32,
}

/// Where in a block the reader is.
#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// Between two fields.
    #[default]
    Start,
    /// Within an integer of several bytes.
    Integer {
        what: Integer,
        value: u32,
        /// Bytes of it that have come.
        bytes: u32,
    },
    /// Before the length of a string.
    Length(Part),
    String {
        part: Part,
        left: u32,
        huffman: Option<HuffmanDecoder>,
    },
}

/// What an integer says.
#[derive(Clone, Copy, Debug)]
enum Integer {
    /// A whole field.
    Index,
    /// The name of one.
    NameIndex,
    TableSize,
    Length {
        part: Part,
        is_huffman: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Name,
    Value,
}

/// The field that is being read.
#[derive(Clone, Copy, Debug, Default)]
struct Field {
    name: Name,
    name_bytes: u32,
    value_bytes: u32,
    /// The first byte of the value.
    value_first: u8,
    /// There is a number sign in the value.
    has_sign: bool,
    /// It goes into the table.
    is_indexed: bool,
    /// The beginning of a name, enough to tell the pseudo-header fields from each other.
    name_start: [u8; NAME_START],
}

/// One more than the longest name that is asked for.
const NAME_START: usize = 8;
/// The codec's bound on integers, with the prefix: they stay below 2^28.
const INTEGER_BYTES_MAX: u32 = 5;

impl FieldReader {
    /// Takes further bytes of a block.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), NoBlock> {
        while let Some((first, behind)) = bytes.split_first() {
            bytes = match self.state {
                State::String {
                    part,
                    left,
                    huffman,
                } => self.string(part, left, huffman, bytes)?,
                _ => {
                    self.byte(*first)?;
                    behind
                }
            };
        }
        Ok(())
    }

    /// How large the fields of this block are so far (RFC 9113 section 6.5.2).
    pub(super) const fn list_bytes(&self) -> u32 {
        self.list_bytes
    }

    /// The block ends here: what it held.
    pub(super) fn end(&mut self) -> Result<BlockFields, NoBlock> {
        self.has_fields = false;
        self.list_bytes = 0;
        match self.state {
            State::Start => Ok(std::mem::take(&mut self.found)),
            _ => Err(NoBlock),
        }
    }

    /// A byte that is not of a string.
    fn byte(&mut self, byte: u8) -> Result<(), NoBlock> {
        match self.state {
            State::Start => self.start(byte),
            State::Length(part) => {
                let is_huffman = byte & 0x80 != 0;
                self.integer(Integer::Length { part, is_huffman }, byte, 7)
            }
            State::Integer { what, value, bytes } => {
                let shift = 7 * (bytes - 1);
                let value = value + (u32::from(byte & 0x7f) << shift);
                let bytes = bytes + 1;
                if byte & 0x80 == 0 {
                    return self.number(what, value);
                }
                self.state = State::Integer { what, value, bytes };
                match bytes < INTEGER_BYTES_MAX {
                    true => Ok(()),
                    false => Err(NoBlock),
                }
            }
            State::String { .. } => Err(NoBlock),
        }
    }

    /// The first byte of a field (RFC 7541 section 6).
    fn start(&mut self, byte: u8) -> Result<(), NoBlock> {
        self.field = Field::default();
        if byte & 0x80 != 0 {
            return self.integer(Integer::Index, byte, 7);
        }
        if byte & 0x40 != 0 {
            self.field.is_indexed = true;
            return self.integer(Integer::NameIndex, byte, 6);
        }
        match byte & 0x20 != 0 {
            true => self.integer(Integer::TableSize, byte, 5),
            false => self.integer(Integer::NameIndex, byte, 4),
        }
    }

    /// The first byte of an integer, in whose lower `prefix` bits it begins (RFC 7541 section 5.1).
    fn integer(&mut self, what: Integer, byte: u8, prefix: u32) -> Result<(), NoBlock> {
        let most = (1 << prefix) - 1;
        let value = u32::from(byte) & most;
        if value < most {
            return self.number(what, value);
        }
        self.state = State::Integer {
            what,
            value,
            bytes: 1,
        };
        Ok(())
    }

    /// An integer is complete.
    fn number(&mut self, what: Integer, value: u32) -> Result<(), NoBlock> {
        match what {
            Integer::Index => {
                let entry = self.entry(value)?;
                self.found(entry, u32::from(entry.size));
                self.state = State::Start;
                Ok(())
            }
            Integer::NameIndex if value == 0 => {
                self.state = State::Length(Part::Name);
                Ok(())
            }
            Integer::NameIndex => {
                let entry = self.entry(value)?;
                self.field.name = entry.name;
                self.field.name_bytes = u32::from(entry.name_bytes);
                self.state = State::Length(Part::Value);
                Ok(())
            }
            // RFC 7541 section 4.2: at the beginning of a block only.
            Integer::TableSize if self.has_fields => Err(NoBlock),
            Integer::TableSize => {
                self.state = State::Start;
                self.table.resize(value).ok_or(NoBlock)
            }
            Integer::Length { part, .. } if value == 0 => {
                self.string_end(part);
                Ok(())
            }
            Integer::Length { part, is_huffman } => {
                self.state = State::String {
                    part,
                    left: value,
                    huffman: is_huffman.then(HuffmanDecoder::default),
                };
                Ok(())
            }
        }
    }

    fn entry(&self, index: u32) -> Result<Entry, NoBlock> {
        if let Some(place) = index.checked_sub(STATIC_ENTRIES + 1) {
            return self.table.entry(place).ok_or(NoBlock);
        }
        let name = static_name(index).ok_or(NoBlock)?;
        Ok(Entry {
            name: Name::of(name.as_bytes()),
            name_bytes: u16::try_from(name.len()).unwrap_or(u16::MAX),
            // Its values count for nothing here: they are short.
            size: u16::try_from(name.len()).unwrap_or(u16::MAX),
            // The codes of the static table are all final, and no path has a fragment.
            ..Entry::default()
        })
    }

    /// Bytes of a string; what is behind it is returned.
    fn string<'b>(
        &mut self,
        part: Part,
        left: u32,
        mut huffman: Option<HuffmanDecoder>,
        bytes: &'b [u8],
    ) -> Result<&'b [u8], NoBlock> {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX);
        let (taken, behind) = bytes
            .split_at_checked(wanted.min(bytes.len()))
            .unwrap_or((bytes, &[]));
        let field = &mut self.field;
        match &mut huffman {
            Some(decoder) => {
                for byte in taken {
                    decoder.feed(*byte, |symbol| field.push(part, symbol))?;
                }
            }
            None => field.extend(part, taken),
        }
        let left = left.saturating_sub(u32::try_from(taken.len()).unwrap_or(u32::MAX));
        if left > 0 {
            self.state = State::String {
                part,
                left,
                huffman,
            };
            return Ok(behind);
        }
        if let Some(decoder) = huffman {
            decoder.end()?;
        }
        self.string_end(part);
        Ok(behind)
    }

    fn string_end(&mut self, part: Part) {
        if part == Part::Name {
            let field = &mut self.field;
            let length = usize::try_from(field.name_bytes).unwrap_or(usize::MAX);
            let start = field.name_start.get(..length.min(NAME_START));
            field.name = Name::of(start.or_broken("the start of a name"));
            self.state = State::Length(Part::Value);
            return;
        }
        let Field {
            name,
            name_bytes,
            value_bytes,
            value_first,
            has_sign,
            is_indexed,
            ..
        } = self.field;
        let entry = Entry {
            name,
            is_interim: name == Name::Status && value_first == b'1',
            has_fragment: name == Name::Path && has_sign,
            name_bytes: u16::try_from(name_bytes).unwrap_or(u16::MAX),
            size: 0,
        };
        let size = name_bytes
            .saturating_add(value_bytes)
            .saturating_add(OVERHEAD);
        if is_indexed {
            self.table.insert(entry, size);
        }
        self.found(entry, size);
        self.state = State::Start;
    }

    /// A field of `size` bytes is complete.
    fn found(&mut self, entry: Entry, size: u32) {
        self.has_fields = true;
        self.list_bytes = self.list_bytes.saturating_add(size);
        match entry.name {
            Name::Field => {}
            Name::Path => {
                self.found.has_path = true;
                self.found.has_fragment |= entry.has_fragment;
            }
            Name::Status => {
                self.found.has_status = true;
                self.found.is_interim = entry.is_interim;
            }
            Name::Pseudo => self.found.has_pseudo = true,
        }
    }
}

impl Field {
    /// One more byte.
    fn push(&mut self, part: Part, byte: u8) {
        match part {
            Part::Name => {
                let at = usize::try_from(self.name_bytes).unwrap_or(usize::MAX);
                if let Some(place) = self.name_start.get_mut(at) {
                    *place = byte;
                }
                self.name_bytes = self.name_bytes.saturating_add(1);
            }
            Part::Value => {
                if self.value_bytes == 0 {
                    self.value_first = byte;
                }
                self.has_sign |= byte == b'#';
                self.value_bytes = self.value_bytes.saturating_add(1);
            }
        }
    }

    /// Several.
    fn extend(&mut self, part: Part, bytes: &[u8]) {
        let rest = match part {
            Part::Name => bytes.iter().take(NAME_START),
            Part::Value => {
                self.has_sign |= self.name == Name::Path && bytes.contains(&b'#');
                bytes.iter().take(1)
            }
        };
        let pushed = rest.len();
        rest.for_each(|byte| self.push(part, *byte));
        let more = u32::try_from(bytes.len() - pushed).unwrap_or(u32::MAX);
        match part {
            Part::Name => self.name_bytes = self.name_bytes.saturating_add(more),
            Part::Value => self.value_bytes = self.value_bytes.saturating_add(more),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::huffman::tests::encode;
    use super::*;

    fn read(blocks: &[&[u8]]) -> Result<BlockFields, NoBlock> {
        let mut reader = FieldReader::default();
        let mut found = Ok(BlockFields::default());
        for block in blocks {
            reader.feed(block)?;
            found = reader.end();
        }
        found
    }

    #[test]
    fn pseudo_header_fields_are_told_apart() {
        let found = |block: &[u8]| read(&[block]).unwrap();
        let none = BlockFields::default();
        assert_eq!(found(b""), none);
        // :method GET, :scheme http, :path /
        let request = BlockFields {
            has_path: true,
            has_pseudo: true,
            ..none
        };
        assert_eq!(found(b"\x82\x86\x84"), request);
        assert_eq!(found(b"\x82\x86\x04\x02/a"), request);
        let status = BlockFields {
            has_status: true,
            ..none
        };
        assert_eq!(found(b"\x88"), status);
        assert_eq!(found(b"\0\x07:status\x03200"), status);
        let interim = BlockFields {
            is_interim: true,
            ..status
        };
        assert_eq!(found(b"\x08\x03103"), interim);
        let other = BlockFields {
            has_pseudo: true,
            ..none
        };
        for name in ["authority", "pathological", "statuses", "x", ""] {
            let mut block = vec![0x10, u8::try_from(name.len() + 1).unwrap(), b':'];
            block.extend_from_slice(name.as_bytes());
            block.extend_from_slice(b"\x00");
            assert_eq!(found(&block), other, "{name}");
        }
        let mut huffman = vec![0x40, 0x80];
        let name = encode(b":path");
        huffman[1] |= u8::try_from(name.len()).unwrap();
        huffman.extend_from_slice(&name);
        huffman.extend_from_slice(b"\x01/");
        let path = BlockFields {
            has_path: true,
            ..none
        };
        assert_eq!(found(&huffman), path);
        // And out of the table, as a field and as a name.
        assert_eq!(read(&[&huffman, b"\xbe"]).unwrap(), path);
        assert_eq!(read(&[&huffman, b"\x0f\x2f\x01/"]).unwrap(), path);
        assert_eq!(read(&[b"\x48\x03103", b"\xbe"]).unwrap(), interim);
    }

    #[test]
    fn blocks_that_cannot_be_decoded() {
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
            assert_eq!(read(&[block]), Err(NoBlock), "{block:x?}");
        }
        // Emptied in between.
        let insert = b"\x40\x01a\x01b";
        assert!(read(&[insert, b"\xbe"]).is_ok());
        assert_eq!(read(&[insert, b"\x20\xbe"]), Err(NoBlock));
        assert_eq!(read(&[insert, b"\x20\x3f\xe1\x1f\xbe"]), Err(NoBlock));
        assert!(read(&[b"\x3f\xe1\x1f"]).is_ok());
    }

    proptest! {
        /// What an encoder with a table of its own writes is read, however it is cut.
        #[test]
        fn an_encoder_is_understood(
            blocks in prop::collection::vec(
                prop::collection::vec((0usize..12, 0usize..900, any::<bool>(), 0u8..3), 0..12),
                1..40,
            ),
            cut in 1usize..40,
        ) {
            let names = [":path", ":status", ":method", "a", "date", "x-long-name-that-is-no-pseudo",
                "via", "server", "b", "cc", "x-y", "etag"];
            let mut reader = FieldReader::default();
            let mut table: Vec<(usize, usize)> = Vec::new();
            for fields in blocks {
                let (mut block, mut expected) = (Vec::new(), BlockFields::default());
                for (name, length, is_huffman, how) in fields {
                    expected.has_path |= name == 0;
                    expected.has_status |= name == 1;
                    expected.has_pseudo |= name == 2;
                    let known = table.iter().position(|entry| *entry == (name, length));
                    if let (Some(place), 0) = (known, how) {
                        write_integer(&mut block, 0x80, 7, place + 62);
                        continue;
                    }
                    let is_indexed = how < 2;
                    let named = table.iter().position(|(other, _)| *other == name);
                    let (bits, prefix) = if is_indexed { (0x40, 6) } else { (0, 4) };
                    write_integer(&mut block, bits, prefix, named.map_or(0, |place| place + 62));
                    if named.is_none() {
                        write_string(&mut block, names[name].as_bytes(), is_huffman);
                    }
                    write_string(&mut block, &vec![b'2'; length], !is_huffman);
                    if is_indexed {
                        table.insert(0, (name, length));
                        let size = |table: &[(usize, usize)]| -> usize {
                            table.iter().map(|(name, length)| names[*name].len() + length + 32).sum()
                        };
                        while size(&table) > 4096 {
                            table.pop();
                        }
                    }
                }
                for part in block.chunks(cut) {
                    reader.feed(part).unwrap();
                }
                prop_assert_eq!(reader.end(), Ok(expected));
            }
        }
    }

    fn write_integer(out: &mut Vec<u8>, bits: u8, prefix: u32, value: usize) {
        let most = (1 << prefix) - 1;
        if value < most {
            out.push(bits | u8::try_from(value).unwrap());
            return;
        }
        out.push(bits | u8::try_from(most).unwrap());
        let mut rest = value - most;
        while rest >= 128 {
            out.push(u8::try_from(rest % 128 + 128).unwrap());
            rest /= 128;
        }
        out.push(u8::try_from(rest).unwrap());
    }

    fn write_string(out: &mut Vec<u8>, text: &[u8], is_huffman: bool) {
        let (bits, bytes) = match is_huffman {
            true => (0x80, encode(text)),
            false => (0, text.to_vec()),
        };
        write_integer(out, bits, 7, bytes.len());
        out.extend_from_slice(&bytes);
    }
}
