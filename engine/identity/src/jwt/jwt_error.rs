//! Why a token is refused.

use std::fmt;

use thiserror::Error;

use super::algorithm::Algorithm;
use super::json::JsonError;
use crate::limits::{JWT_BYTES_MAX, KEY_ID_BYTES_MAX, KEYS_TRIED_MAX, NAME_BYTES_MAX};

/// Why a token says nothing that can be relied on. All lead to a 407; the texts say what was expected, and
/// nothing that the token says but times.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JwtError {
    /// Longer than [`JWT_BYTES_MAX`].
    #[error("a token longer than {JWT_BYTES_MAX} bytes")]
    TooLong,
    /// It is no JWS in its compact serialization (RFC 7515 section 7.1); five parts: it is encrypted.
    #[error("expected three parts in base64url with dots between them")]
    Parts,
    /// A part is no object in JSON.
    #[error("expected a JSON object as {0}")]
    NoObject(JwtPart),
    /// An object in it has two members of one name.
    #[error("expected no member twice in {0}")]
    RepeatedMember(JwtPart),
    /// It demands what is not understood (RFC 7515 section 4.1.11).
    #[error("expected no `crit` in the header")]
    Critical,
    /// It is for something else: a logout, a security event (RFC 8725 section 3.11).
    #[error("expected `typ` to be JWT, at+jwt or JOSE, or no `typ`")]
    Type,
    /// It names a key, and not by a text, or by too long a one.
    #[error("expected a `kid` of 1 to {KEY_ID_BYTES_MAX} bytes, or no `kid`")]
    KeyId,
    /// It is not signed, signed with a shared secret, or with something else that is not configured.
    #[error("expected `alg` to be one of {}", listed(expected))]
    Algorithm {
        /// Those that are configured.
        expected: Vec<Algorithm>,
    },
    /// No key has its `kid`: it is forged, or the keys are older than it. The keys may be fetched anew, if
    /// that has not just been done.
    #[error("expected the `kid` of a key of the issuer")]
    UnknownKey,
    /// The key that it names, or all of them, are not for its algorithm.
    #[error("expected the algorithm of the issuer's key")]
    KeyAlgorithm,
    /// It does not say which, and too many would have to be tried.
    #[error("expected a `kid` that at most {KEYS_TRIED_MAX} keys have")]
    TooManyKeys,
    /// None of the keys that it may mean has signed it.
    #[error("expected a signature by the issuer's key")]
    Signature,
    /// It has no `iss`, or another one.
    #[error("expected `iss` to be {expected}")]
    Issuer {
        /// The one that is configured.
        expected: String,
    },
    /// It has no `sub`, or one of another trust domain, or one that is no workload's.
    #[error("expected `sub` to be the SPIFFE id of a workload of {expected}")]
    TrustDomain {
        /// The one that is configured.
        expected: String,
    },
    /// It has no `aud`, or is for somebody else.
    #[error("expected `aud` to name one of: {expected}")]
    Audience {
        /// Those that are configured.
        expected: String,
    },
    /// It has no `exp`, and would count for ever.
    #[error("expected `exp`, seconds of Unix time")]
    NoExpiry,
    /// A time is none.
    #[error("expected `{claim}` to be seconds of Unix time before the year 10000")]
    Time {
        /// `exp`, `nbf` or `iat`.
        claim: &'static str,
    },
    /// Its end has come.
    #[error("expired {seconds} s ago")]
    Expired {
        /// Since then; 0 in the very second.
        seconds: i64,
    },
    /// Its beginning has not.
    #[error("valid only in {seconds} s, by `nbf`")]
    NotYetValid {
        /// Until then.
        seconds: i64,
    },
    /// It is from the future: a clock is wrong.
    #[error("issued {seconds} s from now, by `iat`")]
    IssuedInFuture {
        /// Until then.
        seconds: i64,
    },
    /// The claim is not there, or is nothing that logs and rules can take.
    #[error(
        "expected a text of 1 to {NAME_BYTES_MAX} bytes without control characters at `{claim}`, \
         the principal"
    )]
    Principal {
        /// As configured.
        claim: String,
    },
    /// The claim is an object, or holds what logs and rules cannot take.
    #[error(
        "expected texts of 1 to {NAME_BYTES_MAX} bytes without control characters, whole numbers or \
         booleans at `{claim}`, the label {label}"
    )]
    Label {
        /// As configured.
        label: String,
        /// As configured.
        claim: String,
    },
}

/// A part of a token that is JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwtPart {
    /// How it is signed.
    Header,
    /// What it says.
    Claims,
}

impl JwtPart {
    /// What is wrong with this part.
    pub(crate) const fn error(self, error: JsonError) -> JwtError {
        match error {
            JsonError::Syntax | JsonError::NoObject => JwtError::NoObject(self),
            JsonError::RepeatedMember => JwtError::RepeatedMember(self),
        }
    }
}

impl fmt::Display for JwtPart {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Header => "the header",
            Self::Claims => "the claims",
        })
    }
}

fn listed(algorithms: &[Algorithm]) -> String {
    let names: Vec<&str> = algorithms.iter().map(|known| known.name()).collect();
    names.join(", ")
}
