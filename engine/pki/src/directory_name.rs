//! Directory names as they are compared (RFC 5280 section 7.1).
//!
//! Called for name constraints, which are the only thing that is decided by the parts of such a name;
//! issuers and subjects of a chain must be the same byte by byte, as in every browser.

use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::distinguished_name::string_value;

/// A name in the one form that equal names share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DirectoryName(Vec<RelativeName>);

/// A part of a name, usually of one attribute. As a set has no order, this has one.
type RelativeName = Vec<Attribute>;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Attribute {
    kind: Vec<u8>,
    value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Text(String),
    /// What is no text, or none that can be read, is equal only to the very same.
    Other(u32, Vec<u8>),
}

impl DirectoryName {
    pub(crate) fn of(name: &X509Name<'_>) -> Self {
        let relative = |attributes: Vec<Attribute>| {
            let mut attributes = attributes;
            attributes.sort_unstable();
            attributes
        };
        let parts = name.iter_rdn();
        Self(
            parts
                .map(|part| relative(part.iter().map(Attribute::of).collect()))
                .collect(),
        )
    }

    /// One that consists of a common name.
    pub(crate) fn of_common_name(name: &str) -> Self {
        /// 2.5.4.3 (RFC 5280 appendix A.1).
        const COMMON_NAME: [u8; 3] = [0x55, 4, 3];
        Self(vec![vec![Attribute {
            kind: COMMON_NAME.to_vec(),
            value: Value::Text(folded(name)),
        }]])
    }

    /// Whether `name` lies in the subtree whose root this is: RFC 5280 section 4.2.1.10 has every name in it
    /// begin with all parts of the root.
    pub(crate) fn holds(&self, name: &Self) -> bool {
        name.0.starts_with(&self.0)
    }
}

impl Attribute {
    fn of(attribute: &AttributeTypeAndValue<'_>) -> Self {
        let value = attribute.attr_value();
        Self {
            kind: attribute.attr_type().as_bytes().to_vec(),
            value: match string_value(attribute) {
                Some(text) => Value::Text(folded(&text)),
                None => Value::Other(value.tag().0, value.data.to_vec()),
            },
        }
    }
}

/// Without what RFC 4518 takes for insignificant: case, the kind of the string, blanks at the ends, and how many
/// stand between two words. Compatibility forms of Unicode (section 2.3) stay what they are: no authority that is
/// deployed writes them, and browsers compare less than this.
fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.extend(word.chars().flat_map(char::to_lowercase));
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_insignificant_is_gone() {
        for (text, expected) in [
            ("Acme", "acme"),
            ("  ACME\t  Inc. ", "acme inc."),
            ("ÄRZTE", "ärzte"),
            ("   ", ""),
        ] {
            assert_eq!(folded(text), expected, "{text:?}");
        }
        assert_ne!(folded("ac me"), folded("acme"));
    }
}
