//! JSON that can be read in one way only, and what is written within it in base64url.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Value};

/// Why bytes are no such JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonError {
    /// They are none, none in UTF-8, or nested too deeply.
    Syntax,
    /// An object has two members of one name: readers differ on which of them counts.
    RepeatedMember,
    /// They are JSON, and no object.
    NoObject,
}

/// The members of an object, and nothing around it but white space.
pub(crate) fn object(bytes: &[u8]) -> Result<Map<String, Value>, JsonError> {
    match serde_json::from_slice(bytes) {
        Ok(Unambiguous(Value::Object(members))) => Ok(members),
        Ok(_) => Err(JsonError::NoObject),
        // The visitor below takes every value, and objects to nothing else.
        Err(error) if error.classify() == Category::Data => Err(JsonError::RepeatedMember),
        Err(_) => Err(JsonError::Syntax),
    }
}

/// RFC 7515 section 2: without padding, without anything between the characters, and in the one way in
/// which the bytes can be written.
pub(crate) fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// A value in which no object has two members of one name.
struct Unambiguous(Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(Self)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Unambiguous(value)) = sequence.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, Unambiguous(value))) = map.next_entry::<String, _>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member twice"));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_those_of_serde_json() {
        let text =
            br#" {"a": [null, true, -1, 18446744073709551615, 1.5, "\u00e9", {}], "b": {"a": 0}} "#;
        let expected: Value = serde_json::from_slice(text).unwrap();
        assert_eq!(object(text).map(Value::Object), Ok(expected));
    }

    #[test]
    fn what_can_be_read_in_two_ways() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"b":[{"c":{"a":1,"a":2}}]}"#,
        ] {
            assert_eq!(object(text.as_bytes()), Err(JsonError::RepeatedMember));
        }
        for text in ["[]", "1", "null", "\"a\""] {
            assert_eq!(object(text.as_bytes()), Err(JsonError::NoObject), "{text}");
        }
        let deep = format!("{{\"a\":{}0{}}}", "[".repeat(200), "]".repeat(200));
        for text in [
            "",
            "{",
            "{}{}",
            "{} x",
            "{'a':1}",
            "{\"a\":1,}",
            "\u{feff}{}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":1e999}",
            deep.as_str(),
        ] {
            assert_eq!(object(text.as_bytes()), Err(JsonError::Syntax), "{text}");
        }
        assert_eq!(object(b"{\"a\":\"\xff\"}"), Err(JsonError::Syntax));
    }

    #[test]
    fn base64url_in_its_one_form() {
        assert_eq!(from_base64url("_-8"), Some(vec![0xff, 0xef]));
        for other in ["_-9", "_-8=", "/+8", "_-8\n", "_ -8", "_"] {
            assert_eq!(from_base64url(other), None, "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes(bytes: Vec<u8>) {
            let _ = object(&bytes);
        }
    }
}
