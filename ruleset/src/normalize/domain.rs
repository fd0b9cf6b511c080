//! Domain names: lower-case ASCII, IDNA applied (UTS 46), no trailing dot. Not here: what is a
//! host and what an address in a request target (the wire crate's).

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use crate::limits::{DOMAIN_BYTES_MAX, LABEL_BYTES_MAX};

/// Why a text is no domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DomainError {
    /// Nothing, or nothing but a dot.
    #[error("the name is empty")]
    Empty,
    /// Two dots in a row, or a dot at the start.
    #[error("a label of the name is empty")]
    EmptyLabel,
    /// RFC 1035 section 2.3.4.
    #[error("a label of the name is longer than 63 bytes")]
    LabelTooLong,
    /// RFC 1035 section 2.3.4.
    #[error("the name is longer than 253 bytes")]
    TooLong,
    /// Something other than letters, digits, `-`, `_` and dots.
    #[error("the name has a character that no domain name has")]
    InvalidCharacter,
    /// UTS 46 refuses it, or an `xn--` label does not decode.
    #[error("the name is not valid under IDNA (UTS 46)")]
    Idna,
    /// The last label is a number: an IPv4 address in one of its spellings, not a name.
    #[error("this is an IPv4 address, not a domain name")]
    IpLiteral,
}

/// Brings a domain name into its normal form. A name that already is in it costs one pass and no
/// allocation; else the result is in `scratch`.
///
/// # Errors
/// When the text is no domain name; see [`DomainError`].
pub fn normalize_domain<'a>(
    input: &'a str,
    scratch: &'a mut String,
) -> Result<&'a str, DomainError> {
    let shape = Shape::of(input);
    let is_plain = shape.has_name_bytes_only && !input.ends_with('.');
    if is_plain && !(shape.may_have_ace_label && has_ace_label(input)) {
        shape.check(input)?;
        return Ok(input);
    }
    scratch.clear();
    if input.is_ascii() && !(shape.may_have_ace_label && has_ace_label(input)) {
        scratch.push_str(input);
        scratch.make_ascii_lowercase();
    } else {
        let ascii = Uts46::new()
            .to_ascii(
                input.as_bytes(),
                AsciiDenyList::EMPTY,
                Hyphens::Allow,
                DnsLength::Ignore,
            )
            .map_err(|_| DomainError::Idna)?;
        scratch.push_str(&ascii);
    }
    if scratch.ends_with('.') {
        scratch.pop();
    }
    Shape::of(scratch).check(scratch)?;
    Ok(scratch)
}

/// What one pass over a name finds: names are short, and each pass costs.
struct Shape {
    has_name_bytes_only: bool,
    /// `--` is somewhere in it.
    may_have_ace_label: bool,
    label_bytes_min: usize,
    label_bytes_max: usize,
    last_label_start: usize,
}

impl Shape {
    fn of(name: &str) -> Self {
        let mut shape = Self {
            has_name_bytes_only: true,
            may_have_ace_label: false,
            label_bytes_min: usize::MAX,
            label_bytes_max: 0,
            last_label_start: 0,
        };
        let mut before = 0;
        for (position, byte) in name.bytes().enumerate() {
            shape.has_name_bytes_only &= is_name_byte(byte);
            shape.may_have_ace_label |= byte == b'-' && before == b'-';
            before = byte;
            if byte == b'.' {
                shape.end_label(position);
                shape.last_label_start = position + 1;
            }
        }
        shape.end_label(name.len());
        shape
    }

    fn end_label(&mut self, end: usize) {
        let bytes = end - self.last_label_start;
        self.label_bytes_min = self.label_bytes_min.min(bytes);
        self.label_bytes_max = self.label_bytes_max.max(bytes);
    }

    fn check(&self, name: &str) -> Result<(), DomainError> {
        if name.is_empty() {
            return Err(DomainError::Empty);
        }
        if name.len() > DOMAIN_BYTES_MAX {
            return Err(DomainError::TooLong);
        }
        if self.label_bytes_min == 0 {
            return Err(DomainError::EmptyLabel);
        }
        if self.label_bytes_max > LABEL_BYTES_MAX {
            return Err(DomainError::LabelTooLong);
        }
        if !self.has_name_bytes_only {
            return Err(DomainError::InvalidCharacter);
        }
        if is_number(name.get(self.last_label_start..).unwrap_or_default()) {
            Err(DomainError::IpLiteral)
        } else {
            Ok(())
        }
    }
}

const fn is_name_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.')
}

/// Whether a label is in Punycode, or could be (`--` in the third and fourth place).
fn has_ace_label(name: &str) -> bool {
    name.split('.')
        .any(|label| label.as_bytes().get(2..4) == Some(b"--"))
}

/// A last label that a resolver library would read as part of an IPv4 address: decimal, octal, or
/// hexadecimal after `0x` (WHATWG URL, "ends in a number").
fn is_number(label: &str) -> bool {
    label.bytes().all(|byte| byte.is_ascii_digit())
        || label
            .strip_prefix("0x")
            .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The name in lower case and without a trailing dot, for names that a client claims and nobody
/// checked (SNI). What is no domain name stays as it is, and equals no rule's value.
pub(crate) fn lower_case_host<'a>(name: &'a [u8], buffer: &'a mut [u8; 256]) -> &'a [u8] {
    let name = name.strip_suffix(b".").unwrap_or(name);
    if !name.iter().any(u8::is_ascii_uppercase) {
        return name;
    }
    match buffer.get_mut(..name.len()) {
        Some(lower) => {
            lower.copy_from_slice(name);
            lower.make_ascii_lowercase();
            lower
        }
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check_cases(cases: &[(&str, Result<&str, DomainError>)]) {
        for (input, expected) in cases {
            let mut scratch = String::new();
            assert_eq!(
                normalize_domain(input, &mut scratch),
                *expected,
                "{input:?}"
            );
        }
    }

    #[test]
    fn names() {
        let long = "a".repeat(64);
        let longer = "a.".repeat(127);
        check_cases(&[
            ("example.com", Ok("example.com")),
            ("EXAMPLE.Com.", Ok("example.com")),
            ("bücher.example", Ok("xn--bcher-kva.example")),
            ("BÜCHER.example", Ok("xn--bcher-kva.example")),
            ("xn--bcher-kva.example", Ok("xn--bcher-kva.example")),
            ("例。jp。", Ok("xn--fsq.jp")),
            ("_dmarc.a-b.com", Ok("_dmarc.a-b.com")),
            ("", Err(DomainError::Empty)),
            (".", Err(DomainError::Empty)),
            ("a..b", Err(DomainError::EmptyLabel)),
            ("a.com..", Err(DomainError::EmptyLabel)),
            (&long, Err(DomainError::LabelTooLong)),
            (
                longer.trim_end_matches('.'),
                Ok(longer.trim_end_matches('.')),
            ),
            (&format!("{longer}a"), Err(DomainError::TooLong)),
            ("a b", Err(DomainError::InvalidCharacter)),
            ("a/b", Err(DomainError::InvalidCharacter)),
            ("xn--a", Err(DomainError::Idna)),
            ("127.0.0.1", Err(DomainError::IpLiteral)),
            ("0x7f.1", Err(DomainError::IpLiteral)),
            ("2130706433", Err(DomainError::IpLiteral)),
            ("0x7F000001", Err(DomainError::IpLiteral)),
            ("１２７.0.0.１", Err(DomainError::IpLiteral)),
        ]);
    }

    #[test]
    fn claimed_names_lose_case_and_dot() {
        let mut buffer = [0; 256];
        assert_eq!(lower_case_host(b"A.Example.", &mut buffer), b"a.example");
        assert_eq!(lower_case_host(b"a.example", &mut buffer), b"a.example");
    }

    proptest! {
        #[test]
        fn normal_forms_are_normal(input in "[a-zA-Z0-9.ßÜ例。_-]{0,20}|\\PC{0,12}") {
            let mut scratch = String::new();
            if let Ok(once) = normalize_domain(&input, &mut scratch) {
                let mut again = String::new();
                prop_assert_eq!(normalize_domain(once, &mut again), Ok(once));
            }
        }
    }
}
