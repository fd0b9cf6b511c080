//! Type, length, value: one behind the other, and within each other.

use super::error::{HeaderError, HeaderFault};
use crate::cursor::Cursor;

/// Bytes before the value.
pub(super) const HEAD_BYTES: usize = 3;

/// One of them.
#[derive(Clone, Copy)]
pub(super) struct Tlv<'a> {
    pub(super) kind: u8,
    pub(super) value: &'a [u8],
    /// Where it begins in the header.
    pub(super) at: usize,
}

/// Those in a run of bytes that begins at `at` of the header. Ends with the first that is cut.
pub(super) struct Tlvs<'a> {
    rest: Cursor<'a>,
    at: usize,
}

impl<'a> Tlvs<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        let rest = Cursor::new(bytes);
        Self { rest, at }
    }
}

impl<'a> Iterator for Tlvs<'a> {
    type Item = Result<Tlv<'a>, HeaderError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let at = self.at;
        let Some((kind, value)) = self.rest.u8().zip(self.rest.vector16()) else {
            self.rest = Cursor::new(&[]);
            return Some(Err(HeaderFault::TlvCut.at(at)));
        };
        self.at += HEAD_BYTES + value.len();
        Some(Ok(Tlv { kind, value, at }))
    }
}

impl<'a> Tlv<'a> {
    /// The value is none of its type.
    pub(super) const fn bad(&self, expected: &'static str) -> HeaderError {
        let kind = self.kind;
        HeaderFault::TlvValue { kind, expected }.at(self.at)
    }

    /// Keeps what the TLV says, unless another has said it.
    pub(super) fn once<T>(&self, place: &mut Option<T>, value: T) -> Result<(), HeaderError> {
        match place.replace(value) {
            None => Ok(()),
            Some(_) => Err(HeaderFault::TlvRepeated(self.kind).at(self.at)),
        }
    }

    pub(super) fn utf8(&self) -> Result<&'a str, HeaderError> {
        str::from_utf8(self.value).map_err(|_| self.bad("text in UTF-8"))
    }

    pub(super) fn ascii(&self) -> Result<&'a str, HeaderError> {
        let text = self.utf8().ok().filter(|text| text.is_ascii());
        text.ok_or_else(|| self.bad("text in ASCII"))
    }
}
