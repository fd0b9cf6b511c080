//! What a field is called, as far as HTTP/2 tells fields apart.

use crate::http1::{HeaderName, is_token_byte};

/// A name, classified once where it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum FieldName {
    /// It begins with a colon.
    Pseudo(Pseudo),
    /// A crumb of `cookie` (RFC 9113 section 8.2.3).
    Cookie,
    /// Any other.
    Regular(HeaderName),
}

/// Pseudo-header fields (RFC 9113 section 8.3, RFC 8441 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Pseudo {
    /// `:authority`
    Authority,
    /// `:method`
    Method,
    /// `:path`
    Path,
    /// `:protocol`
    Protocol,
    /// `:scheme`
    Scheme,
    /// `:status`
    Status,
    /// One that nobody has defined.
    Unknown,
}

impl FieldName {
    pub(super) fn classify(name: &[u8]) -> Self {
        match name {
            [b':', rest @ ..] => Self::Pseudo(Pseudo::classify(rest)),
            b"cookie" => Self::Cookie,
            _ => Self::Regular(HeaderName::classify(name)),
        }
    }
}

impl Pseudo {
    fn classify(name: &[u8]) -> Self {
        match name {
            b"authority" => Self::Authority,
            b"method" => Self::Method,
            b"path" => Self::Path,
            b"protocol" => Self::Protocol,
            b"scheme" => Self::Scheme,
            b"status" => Self::Status,
            _ => Self::Unknown,
        }
    }
}

/// What is wrong with a field by itself (RFC 9113 section 8.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Flaws {
    /// The name is no token, or has letters in upper case.
    pub(in super::super) name: bool,
    /// A control character in the value.
    pub(in super::super) value: bool,
    /// The value begins or ends with a blank.
    pub(in super::super) blanks: bool,
}

impl Flaws {
    pub(super) fn of_name(name: &[u8]) -> bool {
        let is_fine = |byte: &u8| is_token_byte(*byte) && !byte.is_ascii_uppercase();
        let letters = match name {
            [b':', rest @ ..] => rest,
            _ => name,
        };
        letters.is_empty() || !letters.iter().all(is_fine)
    }

    pub(super) fn of_value(value: &[u8]) -> (bool, bool) {
        // Folded, so that many bytes are looked at together.
        let is_control = |byte: u8| (byte < b' ' && byte != b'\t') | (byte == 0x7f);
        let has_control = value
            .iter()
            .fold(false, |found, byte| found | is_control(*byte));
        let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
        (
            has_control,
            is_blank(value.first()) || is_blank(value.last()),
        )
    }
}
