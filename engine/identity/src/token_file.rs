//! A file of bearer tokens: their SHA-256 digests with whose they are, in TOML.
//!
//! ```toml
//! [[token]]
//! name = "build"
//! sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
//! labels = { team = "payments" }
//! expires = 2027-01-01T00:00:00Z
//! ```
//!
//! A digest without a salt suffices for what is drawn at random, and it can be looked up.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::limits::{ENTRIES_MAX, NAME_BYTES_MAX};

/// Bytes of a digest.
const DIGEST_BYTES: usize = 32;

/// Tokens by their digests.
#[derive(Clone, Default)]
pub struct TokenFile {
    tokens: HashMap<[u8; DIGEST_BYTES], Token>,
}

/// Whose a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The principal.
    pub name: String,
    /// What rules may ask for.
    pub labels: BTreeMap<String, String>,
    /// Seconds of Unix time from which on it counts no more.
    expires: Option<i64>,
}

/// Why the text is no file of tokens.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TokenFileError {
    /// It is no TOML, or has other keys. The line itself is not shown: it may hold what is secret.
    #[error("line {line_number}: {message}")]
    Toml {
        /// From 1.
        line_number: usize,
        /// What is wrong there.
        message: String,
    },
    /// Tokens that cannot be used: their place in the file, from 1, and why.
    #[error("{}", all(.0))]
    Tokens(Vec<(usize, TokenError)>),
}

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    /// The principal is nothing that logs and rules can name.
    #[error("name: expected 1 to {NAME_BYTES_MAX} bytes without control characters")]
    Name,
    /// The digest is none.
    #[error("sha256: expected 64 hexadecimal digits")]
    Digest,
    /// Another token has the digest already.
    #[error("sha256: another token has it already")]
    Repeated,
    /// The end is no moment.
    #[error("expires: expected a moment with its offset, such as 2027-01-01T00:00:00Z")]
    Expires,
    /// There are more than [`ENTRIES_MAX`].
    #[error("more than {ENTRIES_MAX} tokens")]
    TooMany,
}

/// A message may hold the name of a key, in which quotes allow any character.
fn printable(message: &str) -> String {
    let mut shown = String::with_capacity(message.len());
    for found in message.chars() {
        if found.is_control() {
            shown.extend(found.escape_default());
        } else {
            shown.push(found);
        }
    }
    shown
}

fn all(errors: &[(usize, TokenError)]) -> String {
    let line = |(number, error): &(usize, TokenError)| format!("token {number}: {error}");
    errors.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// As it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    token: Vec<WrittenToken>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenToken {
    name: String,
    sha256: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    expires: Option<toml::value::Datetime>,
}

impl TokenFile {
    /// Reads the text of the file.
    ///
    /// # Errors
    /// All that is wrong with its tokens, or where it is no TOML.
    pub fn parse(text: &str) -> Result<Self, TokenFileError> {
        let written: Written = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let before = text.get(..start).unwrap_or_default();
            TokenFileError::Toml {
                line_number: 1 + before.matches('\n').count(),
                message: printable(error.message()),
            }
        })?;
        let mut file = Self::default();
        let mut errors = Vec::new();
        for (index, token) in written.token.into_iter().enumerate() {
            if index == ENTRIES_MAX {
                errors.push((index + 1, TokenError::TooMany));
                break;
            }
            if let Err(error) = file.add(token) {
                errors.push((index + 1, error));
            }
        }
        if errors.is_empty() {
            Ok(file)
        } else {
            Err(TokenFileError::Tokens(errors))
        }
    }

    fn add(&mut self, written: WrittenToken) -> Result<(), TokenError> {
        let WrittenToken {
            name,
            sha256,
            labels,
            expires,
        } = written;
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains(char::is_control) {
            return Err(TokenError::Name);
        }
        let digest = digest_of_hex(&sha256).ok_or(TokenError::Digest)?;
        let expires = match expires {
            None => None,
            Some(moment) => {
                let moment = moment.to_string().parse::<Timestamp>();
                Some(moment.map_err(|_| TokenError::Expires)?.as_second())
            }
        };
        let token = Token {
            name,
            labels,
            expires,
        };
        match self.tokens.insert(digest, token) {
            None => Ok(()),
            Some(_) => Err(TokenError::Repeated),
        }
    }

    /// Whose a token is that a client presents at `now`, in seconds of Unix time; `None`: nobody's, or it
    /// has expired. What is compared is a digest, so that the time tells nothing of the token.
    #[must_use]
    pub fn find(&self, presented: &str, now: i64) -> Option<&Token> {
        self.find_digest(&Sha256::digest(presented.as_bytes()).into(), now)
    }

    /// The same for the SHA-256 of what a client has presented.
    #[must_use]
    pub fn find_digest(&self, digest: &[u8; DIGEST_BYTES], now: i64) -> Option<&Token> {
        let token = self.tokens.get(digest)?;
        Some(token).filter(|token| !token.has_expired(now))
    }

    /// How many tokens there are, those that have expired too.
    #[must_use]
    pub fn tokens_count(&self) -> usize {
        self.tokens.len()
    }
}

impl Token {
    /// Whether it counts no more at `now`, in seconds of Unix time: an answer that is remembered must
    /// not outlive the token.
    #[must_use]
    pub fn has_expired(&self, now: i64) -> bool {
        self.expires.is_some_and(|end| now >= end)
    }
}

impl fmt::Debug for TokenFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "TokenFile({} tokens)", self.tokens.len())
    }
}

fn digest_of_hex(text: &str) -> Option<[u8; DIGEST_BYTES]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut digest = [0; DIGEST_BYTES];
    if pairs.len() != DIGEST_BYTES || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `test`.
    const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    /// 2027-01-01T00:00:00Z
    const END: i64 = 1_798_761_600;

    fn file(keys: &str) -> Result<TokenFile, TokenFileError> {
        TokenFile::parse(&format!("[[token]]\n{keys}"))
    }

    #[test]
    fn a_token_is_found_until_it_expires() {
        let text = format!(
            "name = \"build\"\nsha256 = \"{DIGEST}\"\nlabels = {{ team = \"payments\" }}\n\
             expires = 2027-01-01T01:00:00+01:00\n"
        );
        let file = file(&text).unwrap();
        let token = file.find("test", END - 1).unwrap();
        assert_eq!(
            (token.name.as_str(), token.labels["team"].as_str()),
            ("build", "payments")
        );
        assert!(!token.has_expired(END - 1) && token.has_expired(END));
        assert_eq!(file.find("test", END), None);
        assert_eq!(file.find("Test", 0), None);
        assert_eq!(file.find("", 0), None);
        assert_eq!(file.tokens_count(), 1);
        assert!(!format!("{file:?}").contains(DIGEST));
    }

    #[test]
    fn a_token_may_last() {
        let file = file(&format!(
            "name = \"a\"\nsha256 = \"{}\"\n",
            DIGEST.to_uppercase()
        ));
        let file = file.unwrap();
        assert_eq!(file.find("test", i64::MAX).unwrap().name, "a");
        assert_eq!(TokenFile::parse("").unwrap().tokens_count(), 0);
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        let of = |name: &str, digest: &str, more: &str| {
            format!("[[token]]\nname = \"{name}\"\nsha256 = \"{digest}\"\n{more}\n")
        };
        let text = [
            of("", DIGEST, ""),
            of("a\\n", DIGEST, ""),
            of("b", &DIGEST[1..], ""),
            of("c", &DIGEST.replace('9', "g"), ""),
            of("d", DIGEST, "expires = 2027-01-01"),
            of("e", DIGEST, ""),
            of("f", DIGEST, ""),
        ];
        let error = TokenFile::parse(&text.concat()).unwrap_err();
        let expected = [
            (1, TokenError::Name),
            (2, TokenError::Name),
            (3, TokenError::Digest),
            (4, TokenError::Digest),
            (5, TokenError::Expires),
            (7, TokenError::Repeated),
        ];
        assert_eq!(error, TokenFileError::Tokens(expected.to_vec()));
        assert!(
            error
                .to_string()
                .starts_with("token 1: name: expected 1 to 256")
        );
        for (text, line) in [
            ("\nname = ", 2),
            ("\n[[token]]\nname = \"a\"\n", 2),
            ("\n\nother = 1\n", 3),
        ] {
            let error = TokenFile::parse(text).unwrap_err();
            let is_there =
                matches!(&error, TokenFileError::Toml { line_number, .. } if *line_number == line);
            assert!(is_there, "{error}");
        }
        let error = TokenFile::parse("\"a\\u001b\\n\" = 1").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("line 1: unknown field `a\\u{1b}\\n`"),
            "{error}"
        );
    }
}
