//! `Proxy-Authorization`: a scheme and what the client says by it (RFC 9110 section 11.4).

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use thiserror::Error;

use crate::limits::AUTHORIZATION_BYTES_MAX;
use crate::secret::Secret;

/// Some clients leave the padding off, which cannot be misread.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a client says of itself. Nothing is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// RFC 7617.
    Basic {
        /// Without a colon and without control characters; may be empty.
        user: String,
        /// Without control characters; may be empty.
        password: Secret,
    },
    /// RFC 6750 section 2.1: a token of ours, or a JWT.
    Bearer(Secret),
}

/// Why a value says nothing. All lead to a 407.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AuthorizationError {
    /// Longer than [`AUTHORIZATION_BYTES_MAX`].
    #[error("credentials longer than {AUTHORIZATION_BYTES_MAX} bytes")]
    TooLong,
    /// Neither Basic nor Bearer, or nothing.
    #[error("expected the scheme Basic or Bearer")]
    Scheme,
    /// What follows `Basic` is not in base64.
    #[error("expected credentials in base64 behind Basic")]
    Base64,
    /// The bytes are no text in UTF-8.
    #[error("expected user and password in UTF-8")]
    Utf8,
    /// There is no colon.
    #[error("expected a colon between user and password")]
    NoColon,
    /// RFC 7617 section 2 forbids them.
    #[error("expected no control characters in user and password")]
    ControlCharacter,
    /// What follows `Bearer` is not one token.
    #[error("expected one token behind Bearer")]
    Token,
}

impl Authorization {
    /// Reads the value of the field.
    ///
    /// # Errors
    /// See [`AuthorizationError`].
    pub fn parse(value: &[u8]) -> Result<Self, AuthorizationError> {
        if value.len() > AUTHORIZATION_BYTES_MAX {
            return Err(AuthorizationError::TooLong);
        }
        let value = value.trim_ascii();
        let end = value.iter().position(|byte| *byte == b' ');
        let (scheme, said) = end
            .and_then(|end| value.split_at_checked(end))
            .ok_or(AuthorizationError::Scheme)?;
        let said = said.trim_ascii_start();
        if scheme.eq_ignore_ascii_case(b"basic") {
            Self::basic(said)
        } else if scheme.eq_ignore_ascii_case(b"bearer") {
            Self::bearer(said)
        } else {
            Err(AuthorizationError::Scheme)
        }
    }

    fn basic(said: &[u8]) -> Result<Self, AuthorizationError> {
        let bytes = BASE64
            .decode(said)
            .map_err(|_| AuthorizationError::Base64)?;
        let both = String::from_utf8(bytes).map_err(|_| AuthorizationError::Utf8)?;
        let both = Secret::new(both);
        if both.expose().contains(char::is_control) {
            return Err(AuthorizationError::ControlCharacter);
        }
        let (user, password) = both
            .expose()
            .split_once(':')
            .ok_or(AuthorizationError::NoColon)?;
        Ok(Self::Basic {
            user: user.to_owned(),
            password: Secret::new(password.to_owned()),
        })
    }

    fn bearer(said: &[u8]) -> Result<Self, AuthorizationError> {
        let token = str::from_utf8(said).map_err(|_| AuthorizationError::Token)?;
        if !is_token68(token) {
            return Err(AuthorizationError::Token);
        }
        Ok(Self::Bearer(Secret::new(token.to_owned())))
    }

    /// The token, be it written as one or as the user of a proxy's URL without a password, as sandboxes
    /// that know only URLs write it.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        match self {
            Self::Bearer(token) => Some(token.expose()),
            Self::Basic { user, password } => {
                Some(user.as_str()).filter(|user| password.expose().is_empty() && is_token68(user))
            }
        }
    }
}

/// RFC 9110 section 11.2; `b64token` of RFC 6750.
fn is_token68(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let is_of_tokens = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !body.is_empty() && body.bytes().all(is_of_tokens)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn basic(credentials: &[u8]) -> Result<Authorization, AuthorizationError> {
        let value = format!("Basic {}", BASE64.encode(credentials));
        Authorization::parse(value.as_bytes())
    }

    fn of(user: &str, password: &str) -> Authorization {
        Authorization::Basic {
            user: user.to_owned(),
            password: Secret::new(password.to_owned()),
        }
    }

    #[test]
    fn examples_of_the_specifications() {
        for (value, expected) in [
            (
                "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
                of("Aladdin", "open sesame"),
            ),
            (
                "basic   QWxhZGRpbjpvcGVuIHNlc2FtZQ",
                of("Aladdin", "open sesame"),
            ),
            ("BASIC dGVzdDoxMjPCow== ", of("test", "123£")),
        ] {
            assert_eq!(Authorization::parse(value.as_bytes()), Ok(expected));
        }
        let bearer = Authorization::parse(b"Bearer mF_9.B5f-4.1JqM").unwrap();
        assert_eq!(bearer.token(), Some("mF_9.B5f-4.1JqM"));
    }

    #[test]
    fn where_the_colon_stands() {
        assert_eq!(basic(b"a:b:c"), Ok(of("a", "b:c")));
        assert_eq!(basic(b":"), Ok(of("", "")));
        assert_eq!(basic(b"a"), Err(AuthorizationError::NoColon));
    }

    #[test]
    fn what_says_nothing() {
        let long = format!("Bearer {}", "a".repeat(AUTHORIZATION_BYTES_MAX));
        for (value, expected) in [
            (long.as_bytes(), AuthorizationError::TooLong),
            (b"", AuthorizationError::Scheme),
            (b"Basic", AuthorizationError::Scheme),
            (b"Digest username=\"a\"", AuthorizationError::Scheme),
            (b"Basic\tQTpi", AuthorizationError::Scheme),
            (b"Basic QT pi", AuthorizationError::Base64),
            (b"Basic ???", AuthorizationError::Base64),
            (b"Bearer a b", AuthorizationError::Token),
            (b"Bearer =", AuthorizationError::Token),
            (b"Bearer a=b", AuthorizationError::Token),
            (b"Bearer \xff", AuthorizationError::Token),
        ] {
            let found = Authorization::parse(value);
            assert_eq!(found, Err(expected), "{}", value.escape_ascii());
        }
        assert_eq!(basic(b"a\xff:b"), Err(AuthorizationError::Utf8));
        for credentials in [&b"a\n:b"[..], b"a:b\0", b"a:\x7f", "a:\u{85}".as_bytes()] {
            assert_eq!(
                basic(credentials),
                Err(AuthorizationError::ControlCharacter)
            );
        }
    }

    #[test]
    fn a_token_may_be_the_user_of_a_url() {
        assert_eq!(of("token-1", "").token(), Some("token-1"));
        assert_eq!(of("token-1", "x").token(), None);
        assert_eq!(of("", "").token(), None);
        assert_eq!(of("a b", "").token(), None);
    }

    #[test]
    fn no_secret_is_shown() {
        let shown = format!(
            "{:?} {:?}",
            of("a", "sesame"),
            Secret::new("sesame".to_owned())
        );
        assert!(!shown.contains("sesame"), "{shown}");
    }

    proptest! {
        #[test]
        fn any_bytes(value: Vec<u8>) {
            let _ = Authorization::parse(&value);
        }

        #[test]
        fn any_user_and_password(user in "[^:\\p{Cc}]{0,20}", password in "\\P{Cc}{0,20}") {
            let found = basic(format!("{user}:{password}").as_bytes());
            prop_assert_eq!(found, Ok(of(&user, &password)));
        }
    }
}
