//! What texts a field can have at all, as a small automaton: the normal forms of domains, URIs and
//! content types. Domains are read from their end, as what rules say of them is about their ends.

use sallyport_ruleset::Field;
use sallyport_ruleset::limits::{DOMAIN_BYTES_MAX, LABEL_BYTES_MAX};
use sallyport_ruleset::normalize::{
    content_types, is_uri_byte, normalize_content_type, normalize_domain, normalize_uri,
};

/// The texts of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Universe {
    /// Names in their normal form.
    Domain,
    /// Names as clients claim them: anything in lower case.
    ClaimedDomain,
    /// Path and query in their normal form.
    Uri,
    /// A content type in its normal form.
    ContentType,
    /// Any bytes.
    Any,
}

/// The longest text that is looked for in fields without a bound of their own.
const TEXT_BYTES_MAX: usize = 8 * 1024;

/// First label from the end: what it may still be (see [`first_label`]); 5: a further label.
const DIGITS: u32 = 0;
const HEX: u32 = 1;
const HEX_X: u32 = 2;
const HEX_X0: u32 = 3;
const NO_NUMBER: u32 = 4;
const FURTHER: u32 = 5;

/// States of URIs: the start, within paths, within queries.
const URI_START: u32 = 0;
const SEGMENT_START: u32 = 1;
const ONE_DOT: u32 = 2;
const TWO_DOTS: u32 = 3;
const SEGMENT: u32 = 4;
const QUERY: u32 = 5;
const OTHER_PATH: u32 = 6;
/// Quotes in content types; those that had a comma in them are apart.
const UNQUOTED: u32 = 0;
const QUOTED: u32 = 1;
const ESCAPED: u32 = 2;
const COMMA_QUOTED: u32 = 3;
const COMMA_ESCAPED: u32 = 4;
const COMMA_UNQUOTED: u32 = 5;
/// After `%`, plus the state that follows; then after the first digit.
const ESCAPE: u32 = 16;
const ESCAPE_DIGIT: u32 = 32;

impl Universe {
    pub(super) const fn of(field: &Field) -> Self {
        match field {
            Field::DestinationDomain => Self::Domain,
            Field::TlsSni => Self::ClaimedDomain,
            Field::HttpUri => Self::Uri,
            Field::HttpContentType | Field::ResponseContentType => Self::ContentType,
            _ => Self::Any,
        }
    }

    /// Texts are read from their end.
    pub(super) const fn is_reversed(self) -> bool {
        matches!(self, Self::Domain | Self::ClaimedDomain)
    }

    /// What divides the part that most values are compared with from the rest.
    pub(super) const fn separator(self) -> Option<u8> {
        match self {
            Self::Uri => Some(b'?'),
            Self::ContentType => Some(b';'),
            _ => None,
        }
    }

    pub(super) const fn bytes_max(self) -> usize {
        match self {
            Self::Domain => DOMAIN_BYTES_MAX,
            _ => TEXT_BYTES_MAX,
        }
    }

    /// Bytes of one class are the same to the automaton.
    pub(super) fn class(self, byte: u8) -> u8 {
        match (self, byte) {
            (Self::Domain, b'.') => 1,
            (Self::Domain, b'0') => 2,
            (Self::Domain, b'1'..=b'9') => 3,
            (Self::Domain, b'a'..=b'f') => 4,
            (Self::Domain, b'x') => 5,
            (Self::Domain, b'g'..=b'z' | b'-' | b'_') => 6,
            (Self::Domain, _) => 0,
            (Self::ClaimedDomain, _) => u8::from(!byte.is_ascii_uppercase()),
            (Self::Uri, b'/' | b'?' | b'.' | b'%' | b'0'..=b'9' | b'A'..=b'F') => byte,
            (Self::Uri, _) => u8::from(is_uri_byte(byte)),
            (Self::ContentType, b';') => 3,
            (Self::ContentType, b',') => 4,
            (Self::ContentType, b'"') => 5,
            (Self::ContentType, b'\\') => 6,
            (Self::ContentType, _) if is_blank(byte) => 2,
            (Self::ContentType, _) => u8::from(!byte.is_ascii_uppercase()),
            (Self::Any, _) => 0,
        }
    }

    pub(super) fn step(self, state: u32, byte: u8) -> Option<u32> {
        match self {
            Self::Domain => domain_step(state, byte),
            Self::ClaimedDomain => (!byte.is_ascii_uppercase()).then_some(0),
            Self::Uri => uri_step(state, byte),
            Self::ContentType => content_type_step(state, byte),
            Self::Any => Some(0),
        }
    }

    pub(super) const fn accepts(self, state: u32) -> bool {
        match self {
            Self::Domain => {
                let (kind, length) = (state / 64, state % 64);
                length > 0 && kind != DIGITS && kind != HEX_X0
            }
            Self::Uri => matches!(state, SEGMENT_START | SEGMENT | QUERY | OTHER_PATH),
            // A comma in a quoted string is one only if the quote is closed.
            Self::ContentType => {
                state % 4 != 2 && !matches!(state / 4, COMMA_QUOTED | COMMA_ESCAPED)
            }
            Self::ClaimedDomain | Self::Any => true,
        }
    }

    /// Whether a text is one of the field's, by the code that makes normal forms.
    pub(super) fn permits(self, text: &[u8]) -> bool {
        match self {
            Self::Domain => str::from_utf8(text)
                .is_ok_and(|name| normalize_domain(name, &mut String::new()) == Ok(name)),
            Self::ClaimedDomain => !text.iter().any(u8::is_ascii_uppercase),
            Self::Uri => {
                let mut normal = Vec::new();
                normalize_uri(text, &mut normal);
                normal == text
            }
            Self::ContentType => {
                let mut normal = Vec::new();
                normalize_content_type(text, &mut normal);
                normal == text && content_types(text).eq([text])
            }
            Self::Any => true,
        }
    }

    /// Texts to try first.
    pub(super) fn natural(self, field: &Field) -> Vec<Vec<u8>> {
        let texts: &[&str] = match (self, field) {
            (Self::Domain | Self::ClaimedDomain, _) => {
                &["any.example", "other.test", "x", "xn--fsq.example"]
            }
            (Self::Uri, _) => &["/", "/x", "/?q", "*"],
            (Self::ContentType, _) => &["text/html", "text/plain;charset=utf-8", "x"],
            (_, Field::HttpMethod) => &["GET", "POST", "PUT", "DELETE", "HEAD", "X"],
            (_, Field::TlsVersion) => &["TLSv1.3", "TLSv1.2", "x"],
            (_, Field::DestinationHost) => &["any.example", "192.0.2.1", "x"],
            (_, Field::Authority) => &["any.example:443", "any.example:80", "x"],
            (_, Field::Url) => &[
                "http://any.example/",
                "https://any.example/",
                "any.example:443",
            ],
            (_, Field::TlsEch) => &["present"],
            (_, Field::TlsAlpn) => &["h2", "http/1.1", "x"],
            _ => &["any", "x", ""],
        };
        texts.iter().map(|text| text.as_bytes().to_vec()).collect()
    }
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\x0c' | b'\r')
}

/// The state is the kind of the label and its length so far.
fn domain_step(state: u32, byte: u8) -> Option<u32> {
    let (kind, length) = (state / 64, state % 64);
    if byte == b'.' {
        return Universe::Domain.accepts(state).then_some(FURTHER * 64);
    }
    let is_name_byte = matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    let fits = (length as usize) < LABEL_BYTES_MAX;
    (is_name_byte && fits).then(|| first_label(kind, byte) * 64 + length + 1)
}

/// The last label of a name must be no number, decimal or hexadecimal; here it is read backwards.
const fn first_label(kind: u32, byte: u8) -> u32 {
    match (kind, byte) {
        (FURTHER, _) => FURTHER,
        (DIGITS, b'0'..=b'9') => DIGITS,
        (DIGITS | HEX, b'0'..=b'9' | b'a'..=b'f') => HEX,
        (DIGITS | HEX, b'x') => HEX_X,
        (HEX_X, b'0') => HEX_X0,
        _ => NO_NUMBER,
    }
}

/// Lower two bits: at the start of a part, within one, after a blank in one. Above: quotes.
fn content_type_step(state: u32, byte: u8) -> Option<u32> {
    let quotes = match (state / 4, byte) {
        (UNQUOTED, b',') => return None,
        (UNQUOTED, b'"') => QUOTED,
        (QUOTED, b'"') => UNQUOTED,
        (QUOTED, b'\\') => ESCAPED,
        (QUOTED, b',') => COMMA_QUOTED,
        (COMMA_QUOTED, b'"') => COMMA_UNQUOTED,
        (COMMA_QUOTED, b'\\') => COMMA_ESCAPED,
        (COMMA_UNQUOTED, b',') => return None,
        (COMMA_UNQUOTED, b'"') => COMMA_QUOTED,
        (ESCAPED, b',') => COMMA_QUOTED,
        (ESCAPED, _) => QUOTED,
        (COMMA_ESCAPED, _) => COMMA_QUOTED,
        (same, _) => same,
    };
    let part = match (state % 4, byte) {
        (_, b'A'..=b'Z') | (2, b';') => return None,
        (0 | 1, b';') => 0,
        (0, _) if is_blank(byte) => return None,
        _ if is_blank(byte) => 2,
        _ => 1,
    };
    Some(quotes * 4 + part)
}

fn uri_step(state: u32, byte: u8) -> Option<u32> {
    if state >= ESCAPE_DIGIT {
        let (after, high) = ((state - ESCAPE_DIGIT) / 16, (state - ESCAPE_DIGIT) % 16);
        let value = u8::try_from(high << 4 | hex(byte)?).ok()?;
        return (!is_unreserved(value)).then_some(after);
    }
    if state >= ESCAPE {
        return Some(ESCAPE_DIGIT + (state - ESCAPE) * 16 + hex(byte)?);
    }
    if !is_uri_byte(byte) && byte != b'%' {
        return None;
    }
    let within = match state {
        URI_START if byte == b'/' => return Some(SEGMENT_START),
        URI_START if byte == b'?' => return None,
        URI_START | OTHER_PATH => OTHER_PATH,
        QUERY => QUERY,
        _ => SEGMENT,
    };
    match byte {
        b'%' => Some(ESCAPE + within),
        b'?' if within == QUERY => Some(QUERY),
        b'/' | b'?' if matches!(state, ONE_DOT | TWO_DOTS) => None,
        b'?' => Some(QUERY),
        b'/' if within == SEGMENT => Some(SEGMENT_START),
        b'.' if state == SEGMENT_START => Some(ONE_DOT),
        b'.' if state == ONE_DOT => Some(TWO_DOTS),
        _ => Some(within),
    }
}

fn hex(byte: u8) -> Option<u32> {
    match byte {
        b'0'..=b'9' => Some(u32::from(byte - b'0')),
        b'A'..=b'F' => Some(u32::from(byte - b'A') + 10),
        _ => None,
    }
}

/// RFC 3986 section 2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reads(universe: Universe, text: &[u8]) -> bool {
        let mut bytes = text.to_vec();
        if universe.is_reversed() {
            bytes.reverse();
        }
        let end = bytes
            .iter()
            .try_fold(0, |state, byte| universe.step(state, *byte));
        end.is_some_and(|state| universe.accepts(state)) && text.len() <= universe.bytes_max()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Punycode apart, which the automaton does not check.
        #[test]
        fn domains(text in "[a0x.f9_-]{0,8}|(a{60,64}\\.){1,5}[ab9]{1,3}") {
            prop_assume!(!text.contains("--"));
            prop_assert_eq!(reads(Universe::Domain, text.as_bytes()), Universe::Domain.permits(text.as_bytes()));
        }

        #[test]
        fn uris(text in "[/.?%2FaA*~ é|#:]{0,9}") {
            prop_assert_eq!(reads(Universe::Uri, text.as_bytes()), Universe::Uri.permits(text.as_bytes()));
        }

        #[test]
        fn content_type_texts(text in "[a; \tA/,\"\\\\]{0,7}") {
            prop_assert_eq!(reads(Universe::ContentType, text.as_bytes()), Universe::ContentType.permits(text.as_bytes()));
        }
    }
}
