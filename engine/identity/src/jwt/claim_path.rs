//! Where in a token's claims something stands.

use std::fmt;

use serde_json::{Map, Value};
use thiserror::Error;

/// The name of a claim (`sub`), or, if it begins with `/`, a JSON Pointer (RFC 6901) into claims that are
/// objects or lists: `/kubernetes.io/namespace`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath {
    text: String,
    /// The names and places on the way, without escapes; never empty.
    steps: Vec<String>,
}

/// Why a text is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ClaimPathError {
    /// There is nothing.
    #[error("expected the name of a claim, or a JSON Pointer that begins with `/`")]
    Empty,
    /// RFC 6901 section 3.
    #[error("expected each `~` of a JSON Pointer to be followed by 0 or 1")]
    Escape,
}

impl ClaimPath {
    /// Reads one.
    ///
    /// # Errors
    /// See [`ClaimPathError`].
    pub fn parse(text: &str) -> Result<Self, ClaimPathError> {
        let steps = match text.strip_prefix('/') {
            None if text.is_empty() => return Err(ClaimPathError::Empty),
            None => vec![text.to_owned()],
            Some(pointer) => pointer
                .split('/')
                .map(unescaped)
                .collect::<Option<_>>()
                .ok_or(ClaimPathError::Escape)?,
        };
        let text = text.to_owned();
        Ok(Self { text, steps })
    }

    /// What stands there, if something does.
    pub(crate) fn find<'c>(&self, claims: &'c Map<String, Value>) -> Option<&'c Value> {
        let (first, rest) = self.steps.split_first()?;
        let first = claims.get(first)?;
        rest.iter().try_fold(first, |value, step| match value {
            Value::Object(members) => members.get(step),
            Value::Array(values) => values.get(place(step)?),
            _ => None,
        })
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

/// RFC 6901 section 4: `~1` first, so that `~01` is `~1`.
fn unescaped(step: &str) -> Option<String> {
    let is_escape = |after: &str| after.starts_with(['0', '1']);
    let is_well_formed = step.split('~').skip(1).all(is_escape);
    is_well_formed.then(|| step.replace("~1", "/").replace("~0", "~"))
}

/// A place in a list, in its one form: digits without a leading zero.
fn place(step: &str) -> Option<usize> {
    let place: usize = step.parse().ok()?;
    (place.to_string() == step).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_where() {
        let claims = serde_json::json!({
            "sub": "a",
            "https://b.test/c": "d",
            "kubernetes.io": { "namespace": "e", "": "f", "g/h~1": "i" },
            "groups": ["j", "k"],
        });
        let claims = claims.as_object().unwrap();
        let find = |path| {
            let path = ClaimPath::parse(path).unwrap();
            path.find(claims).and_then(Value::as_str)
        };
        for (path, expected) in [
            ("sub", Some("a")),
            ("/sub", Some("a")),
            ("https://b.test/c", Some("d")),
            ("/https:~1~1b.test~1c", Some("d")),
            ("/kubernetes.io/namespace", Some("e")),
            ("/kubernetes.io/", Some("f")),
            ("/kubernetes.io/g~1h~01", Some("i")),
            ("/groups/1", Some("k")),
            ("/groups/2", None),
            ("/groups/01", None),
            ("/groups/+1", None),
            ("/groups/-", None),
            ("/sub/0", None),
            ("/", None),
            ("kubernetes.io/namespace", None),
            ("Sub", None),
        ] {
            assert_eq!(find(path), expected, "{path}");
        }
    }

    #[test]
    fn what_is_none() {
        assert_eq!(ClaimPath::parse(""), Err(ClaimPathError::Empty));
        for text in ["/~", "/a~2", "/a/~b", "/~0~"] {
            assert_eq!(ClaimPath::parse(text), Err(ClaimPathError::Escape));
        }
        assert_eq!(ClaimPath::parse("a~2").unwrap().to_string(), "a~2");
    }
}
