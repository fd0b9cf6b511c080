//! X.500 names as text (RFC 4514), for rules, logs and people.
//!
//! The most specific part comes first: `CN=R11,O=Let's Encrypt,C=US`. Called by `origin_certificate`
//! and by `sallyport ca show`; nothing is compared by this text, only shown and matched by rules.

use std::fmt::Write as _;

use x509_parser::der_parser::asn1_rs::{Oid, Tag};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// Attribute types that have a name of their own (RFC 4514 section 3 and the LDAP registry); all
/// others are written as dotted numbers with their value in hexadecimal.
const DESCRIPTORS: &[(&[u64], &str)] = &[
    (&[2, 5, 4, 3], "CN"),
    (&[2, 5, 4, 4], "SN"),
    (&[2, 5, 4, 5], "serialNumber"),
    (&[2, 5, 4, 6], "C"),
    (&[2, 5, 4, 7], "L"),
    (&[2, 5, 4, 8], "ST"),
    (&[2, 5, 4, 9], "STREET"),
    (&[2, 5, 4, 10], "O"),
    (&[2, 5, 4, 11], "OU"),
    (&[2, 5, 4, 12], "title"),
    (&[2, 5, 4, 15], "businessCategory"),
    (&[2, 5, 4, 17], "postalCode"),
    (&[2, 5, 4, 42], "givenName"),
    (&[2, 5, 4, 97], "organizationIdentifier"),
    (&[0, 9, 2342, 19_200_300, 100, 1, 1], "UID"),
    (&[0, 9, 2342, 19_200_300, 100, 1, 25], "DC"),
    (&[1, 2, 840, 113_549, 1, 9, 1], "emailAddress"),
];

/// The whole name, RFC 4514 section 2. An empty name gives an empty text.
#[must_use]
pub fn rfc_4514(name: &X509Name<'_>) -> String {
    let mut text = String::new();
    let parts: Vec<_> = name.iter_rdn().collect();
    for (index, part) in parts.iter().rev().enumerate() {
        if index > 0 {
            text.push(',');
        }
        for (index, attribute) in part.iter().enumerate() {
            if index > 0 {
                text.push('+');
            }
            write_attribute(&mut text, attribute);
        }
    }
    text
}

/// The last common name of a subject, which is its most specific one.
pub(crate) fn common_name(name: &X509Name<'_>) -> Option<String> {
    let last = name.iter_common_name().last()?;
    string_value(last)
}

fn write_attribute(text: &mut String, attribute: &AttributeTypeAndValue<'_>) {
    let descriptor = descriptor(attribute.attr_type());
    match (descriptor, string_value(attribute)) {
        (Some(descriptor), Some(value)) => {
            text.push_str(descriptor);
            text.push('=');
            write_escaped(text, &value);
        }
        (descriptor, _) => {
            // RFC 4514 section 2.4: what has no text is `#` and its encoding in hexadecimal.
            match descriptor {
                Some(descriptor) => text.push_str(descriptor),
                None => text.push_str(&attribute.attr_type().to_id_string()),
            }
            text.push_str("=#");
            let value = attribute.attr_value();
            if let Some(identifier) = short_identifier(value.tag(), value.data.len()) {
                for byte in identifier {
                    let _ = write!(text, "{byte:02x}");
                }
            }
            for byte in value.data.iter() {
                let _ = write!(text, "{byte:02x}");
            }
        }
    }
}

/// Tag and length of a primitive value; `None` where either needs a long form that names never need.
fn short_identifier(tag: Tag, length: usize) -> Option<Vec<u8>> {
    let tag = u8::try_from(tag.0).ok().filter(|tag| *tag < 31)?;
    match u8::try_from(length).ok()? {
        short @ 0..=127 => Some(vec![tag, short]),
        long => Some(vec![tag, 0x81, long]),
    }
}

fn descriptor(oid: &Oid<'_>) -> Option<&'static str> {
    let known = |arcs: &[u64]| {
        oid.iter()
            .is_some_and(|found| found.eq(arcs.iter().copied()))
    };
    let found = DESCRIPTORS.iter().find(|(arcs, _)| known(arcs));
    found.map(|(_, name)| *name)
}

/// The value as text, whatever string type it has.
pub(crate) fn string_value(attribute: &AttributeTypeAndValue<'_>) -> Option<String> {
    let value = attribute.attr_value();
    let bytes: &[u8] = value.data;
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString => {
            String::from_utf8(bytes.to_vec()).ok()
        }
        // T.61 is read as Latin-1 by everyone.
        Tag::T61String => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
        Tag::BmpString => {
            let (pairs, rest) = bytes.as_chunks::<2>();
            let units: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
            String::from_utf16(&units).ok().filter(|_| rest.is_empty())
        }
        Tag::UniversalString => {
            let (quads, rest) = bytes.as_chunks::<4>();
            let characters = quads
                .iter()
                .map(|quad| char::from_u32(u32::from_be_bytes(*quad)));
            characters
                .collect::<Option<String>>()
                .filter(|_| rest.is_empty())
        }
        _ => None,
    }
}

/// RFC 4514 section 2.4; control characters too, since the text stands in logs.
fn write_escaped(text: &mut String, value: &str) {
    let last = value.chars().count().saturating_sub(1);
    for (index, character) in value.chars().enumerate() {
        let at_edge =
            (index == 0 && matches!(character, ' ' | '#')) || (index == last && character == ' ');
        if at_edge || matches!(character, '"' | '+' | ',' | ';' | '<' | '>' | '\\') {
            text.push('\\');
            text.push(character);
        } else if character.is_control() {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                let _ = write!(text, "\\{byte:02X}");
            }
        } else {
            text.push(character);
        }
    }
}
