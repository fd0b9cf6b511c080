//! Reading big-endian fields from a slice, front to back.
//!
//! Every method answers `None` when the bytes do not suffice. Used by the
//! binary codecs of this crate.

/// What remains to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(u16::from_be_bytes(*bytes))
    }

    /// A vector with a one-byte length.
    pub(crate) fn vector8(&mut self) -> Option<&'a [u8]> {
        let len = self.u8()?;
        self.take(usize::from(len))
    }

    /// A vector with a two-byte length.
    pub(crate) fn vector16(&mut self) -> Option<&'a [u8]> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_in_order_and_never_past_the_end() {
        let mut cursor = Cursor::new(&[1, 2, 3, 1, 9, 0, 2, 7, 8, 5]);
        assert_eq!(cursor.u8(), Some(1));
        assert_eq!(cursor.u16(), Some(0x0203));
        assert_eq!(cursor.vector8(), Some(&[9][..]));
        assert_eq!(cursor.vector16(), Some(&[7, 8][..]));
        assert_eq!(cursor.u16(), None);
        assert_eq!(cursor.take(2), None);
        assert_eq!(cursor.take(1), Some(&[5][..]));
        assert!(cursor.is_empty());
        assert_eq!(Cursor::new(&[3, 1]).vector8(), None);
        assert_eq!(Cursor::new(&[0, 3, 1]).vector16(), None);
    }
}
