//! SPIFFE ids (SPIFFE-ID.md of the SPIFFE specifications): `spiffe://trust-domain/path`.

use std::fmt;

use thiserror::Error;

/// Longest id (section 2.3).
pub const SPIFFE_ID_BYTES_MAX: usize = 2048;
/// Longest trust domain (section 2.1).
pub const TRUST_DOMAIN_BYTES_MAX: usize = 255;
const SCHEME: &str = "spiffe://";

/// An id that is as the specification writes it, so that two are the same if their bytes are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpiffeId {
    text: String,
    /// Where the path begins; the end if there is none.
    path_start: usize,
}

/// Why a text is no SPIFFE id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SpiffeIdError {
    /// Longer than [`SPIFFE_ID_BYTES_MAX`].
    #[error("a SPIFFE id longer than {SPIFFE_ID_BYTES_MAX} bytes")]
    TooLong,
    /// Another URI.
    #[error("expected a URI that begins with `spiffe://`")]
    Scheme,
    /// Empty, too long, or with capitals, a port, a user or other characters.
    #[error(
        "expected a trust domain of 1 to {TRUST_DOMAIN_BYTES_MAX} lower-case letters, digits, `.`, `-` and `_`"
    )]
    TrustDomain,
    /// A segment is empty, `.` or `..`, or has other characters; or the path ends with `/`.
    #[error("expected segments of letters, digits, `.`, `-` and `_` in the path")]
    Path,
}

impl SpiffeId {
    /// Reads one. Nothing is normalized: what would have to be is refused, as the specification asks.
    ///
    /// # Errors
    /// See [`SpiffeIdError`].
    pub fn parse(text: &str) -> Result<Self, SpiffeIdError> {
        if text.len() > SPIFFE_ID_BYTES_MAX {
            return Err(SpiffeIdError::TooLong);
        }
        let rest = text.strip_prefix(SCHEME).ok_or(SpiffeIdError::Scheme)?;
        let (domain, path) = match rest.split_once('/') {
            Some((domain, path)) => (domain, Some(path)),
            None => (rest, None),
        };
        let is_of_domain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
        if domain.is_empty()
            || domain.len() > TRUST_DOMAIN_BYTES_MAX
            || !domain.bytes().all(is_of_domain)
        {
            return Err(SpiffeIdError::TrustDomain);
        }
        let is_segment = |segment: &str| {
            let is_of_path = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
            !segment.is_empty()
                && ![".", ".."].contains(&segment)
                && segment.bytes().all(is_of_path)
        };
        if path.is_some_and(|path| !path.split('/').all(is_segment)) {
            return Err(SpiffeIdError::Path);
        }
        Ok(Self {
            text: text.to_owned(),
            path_start: SCHEME.len() + domain.len(),
        })
    }

    /// The whole id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Who vouches for it.
    #[must_use]
    pub fn trust_domain(&self) -> &str {
        let domain = self.text.get(SCHEME.len()..self.path_start);
        domain.unwrap_or_default()
    }

    /// The path with its first `/`; empty: it is the id of the trust domain itself, and of no workload.
    #[must_use]
    pub fn path(&self) -> &str {
        self.text.get(self.path_start..).unwrap_or_default()
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts() {
        for (text, domain, path) in [
            (
                "spiffe://example.org/ns/pay/sa/web",
                "example.org",
                "/ns/pay/sa/web",
            ),
            ("spiffe://a-b_c.1/A.b_c-9/...", "a-b_c.1", "/A.b_c-9/..."),
            ("spiffe://example.org", "example.org", ""),
        ] {
            let id = SpiffeId::parse(text).unwrap();
            assert_eq!((id.trust_domain(), id.path()), (domain, path));
            assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn what_is_none() {
        let domain = "a".repeat(TRUST_DOMAIN_BYTES_MAX);
        assert!(SpiffeId::parse(&format!("spiffe://{domain}/a")).is_ok());
        let long_domain = format!("spiffe://{domain}a/a");
        let path = "a".repeat(SPIFFE_ID_BYTES_MAX - "spiffe://a/".len());
        assert!(SpiffeId::parse(&format!("spiffe://a/{path}")).is_ok());
        let long = format!("spiffe://a/{path}a");
        for (text, expected) in [
            (long.as_str(), SpiffeIdError::TooLong),
            ("", SpiffeIdError::Scheme),
            ("https://example.org/a", SpiffeIdError::Scheme),
            ("SPIFFE://example.org/a", SpiffeIdError::Scheme),
            ("spiffe:/example.org/a", SpiffeIdError::Scheme),
            (&long_domain, SpiffeIdError::TrustDomain),
            ("spiffe:///a", SpiffeIdError::TrustDomain),
            ("spiffe://Example.org/a", SpiffeIdError::TrustDomain),
            ("spiffe://example.org:80/a", SpiffeIdError::TrustDomain),
            ("spiffe://user@example.org/a", SpiffeIdError::TrustDomain),
            ("spiffe://example.org?a", SpiffeIdError::TrustDomain),
            ("spiffe://example.org/", SpiffeIdError::Path),
            ("spiffe://example.org/a/", SpiffeIdError::Path),
            ("spiffe://example.org//a", SpiffeIdError::Path),
            ("spiffe://example.org/a/../b", SpiffeIdError::Path),
            ("spiffe://example.org/./b", SpiffeIdError::Path),
            ("spiffe://example.org/%61", SpiffeIdError::Path),
            ("spiffe://example.org/a?b", SpiffeIdError::Path),
            ("spiffe://example.org/a#b", SpiffeIdError::Path),
            ("spiffe://example.org/ä", SpiffeIdError::Path),
        ] {
            assert_eq!(SpiffeId::parse(text), Err(expected), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_id_is_its_parts(rest in "[a-zA-Z0-9./_%:@-]{0,30}") {
            let text = format!("spiffe://{rest}");
            if let Ok(id) = SpiffeId::parse(&text) {
                prop_assert_eq!(format!("spiffe://{}{}", id.trust_domain(), id.path()), text);
                prop_assert!(id.path().is_empty() || id.path().starts_with('/'));
            }
        }
    }
}
