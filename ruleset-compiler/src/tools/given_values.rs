//! Values of fields as people give them by key: read, shown, and typed as facts have them.

use std::net::IpAddr;

use sallyport_ruleset::normalize::{normalize_domain, normalize_uri};
use sallyport_ruleset::{Field, FieldType, Protocol, ProtocolSet};

use super::given_error::{Expected, GivenError};
use crate::value::date;

/// Values of a field, typed as facts have them.
#[derive(Clone, Debug)]
pub(super) enum Values {
    Ip(IpAddr),
    Number(u64),
    Time(i64),
    Protocols(ProtocolSet),
    Domain(String),
    /// With the name that [`sallyport_ruleset::FieldValues::Named`] asks for.
    Texts(Vec<(Vec<u8>, Vec<u8>)>),
}

/// The name under which the values of one field are kept.
pub(super) const VALUE: &str = "value";

impl Values {
    /// Reads a value; the error is what was expected.
    pub(super) fn parse(field: &Field, value: &[u8]) -> Result<Self, Expected> {
        let text = str::from_utf8(value).map_err(|_| Expected::Utf8);
        match (field, field.field_type()) {
            (Field::Protocol, _) => {
                let word = text?;
                let known = Protocol::ALL.into_iter().find(|one| one.name() == word);
                let word = known.ok_or(Expected::Protocol)?;
                Ok(Self::Protocols(ProtocolSet::EMPTY.with(word)))
            }
            (Field::DestinationDomain, _) => {
                let mut scratch = String::new();
                let name = normalize_domain(text?, &mut scratch).map_err(|error| {
                    let field = field.clone();
                    Expected::Domain { error, field }
                })?;
                Ok(Self::Domain(name.to_owned()))
            }
            (Field::HttpUri, _) => {
                let mut normal = Vec::new();
                normalize_uri(value, &mut normal);
                Ok(Self::one_text(normal))
            }
            (_, FieldType::Ip) => {
                let address = text?.parse().map_err(|_| Expected::Address)?;
                Ok(Self::Ip(address))
            }
            (field, FieldType::Number) => {
                let bytes = [Field::HttpContentLength, Field::ResponseContentLength];
                let most = if bytes.contains(field) {
                    u64::MAX
                } else {
                    u16::MAX.into()
                };
                let number = text?.parse().ok().filter(|number| *number <= most);
                Ok(Self::Number(number.ok_or(Expected::NumberUpTo(most))?))
            }
            (_, FieldType::Time) => date::unix_seconds(text?)
                .map(Self::Time)
                .map_err(|bad| Expected::Time(bad.expected)),
            _ => Ok(Self::one_text(value.to_vec())),
        }
    }

    fn one_text(text: Vec<u8>) -> Self {
        Self::Texts(vec![(VALUE.as_bytes().to_vec(), text)])
    }

    pub(super) fn join(&mut self, more: Self) {
        match (self, more) {
            (Self::Texts(texts), Self::Texts(more)) => texts.extend(more),
            (Self::Protocols(set), Self::Protocols(more)) => {
                *set = set.iter().chain(more.iter()).collect();
            }
            _ => {}
        }
    }

    pub(super) fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Texts(texts) => texts.first().map(|(_, text)| text.as_slice()),
            _ => None,
        }
    }

    pub(super) const fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }
}

/// A value as a command line can hold it: what is no printable ASCII, a quote and a backslash are `\xNN`.
pub(super) fn escape(value: &[u8]) -> String {
    value
        .iter()
        .map(|byte| match byte {
            b'\'' | b'\\' => format!("\\x{byte:02x}"),
            b' '..=b'~' => char::from(*byte).to_string(),
            _ => format!("\\x{byte:02x}"),
        })
        .collect()
}

pub(super) fn unescape(value: &str) -> Result<Vec<u8>, GivenError> {
    let mut bytes = Vec::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend(before.bytes());
        let byte = after
            .strip_prefix('x')
            .and_then(|digits| digits.get(..2))
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let byte = byte.ok_or_else(|| GivenError::Backslash(value.to_owned()))?;
        bytes.push(byte);
        rest = after.get(3..).unwrap_or_default();
    }
    bytes.extend(rest.bytes());
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn values_come_back(value: Vec<u8>) {
            let text = escape(&value);
            assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'\''));
            assert_eq!(unescape(&text).unwrap(), value);
        }
    }
}
