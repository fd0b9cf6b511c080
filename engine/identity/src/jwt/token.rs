//! A token: read, then verified.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Number, Value};

use super::algorithm::Algorithm;
use super::issuer::JwtIssuer;
use super::json::{self, from_base64url};
use super::jwt_error::{JwtError, JwtPart};
use super::key_set::KeySet;
use crate::limits::{
    JWT_BYTES_MAX, KEY_ID_BYTES_MAX, KEYS_TRIED_MAX, LEEWAY_SECONDS_MAX, REMEMBERED_SECONDS_MAX,
};
use crate::spiffe_id::SpiffeId;

/// The last second of the year 9999: times behind it are mistakes (milliseconds, for one).
const TIME_MAX: i64 = 253_402_300_799;

/// Media types in `typ`, without `application/` (RFC 7519 section 5.1, RFC 9068 section 2.1, JWT-SVID.md
/// section 2.3).
const TYPES: [&str; 3] = ["jwt", "at+jwt", "jose"];

/// A token as it was presented. Nothing is verified yet, so what it says can be seen in no way but by
/// [`Jwt::verify`].
pub struct Jwt<'t> {
    /// `None`: one that is never taken.
    algorithm: Option<Algorithm>,
    key_id: Option<String>,
    claims: Map<String, Value>,
    /// Header and claims as they are written.
    signed: &'t str,
    signature: Vec<u8>,
}

/// Who has presented a token that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedJwt {
    /// The principal.
    pub principal: String,
    /// The same, if a trust domain has vouched for it. What merely looks like one is none.
    pub spiffe_id: Option<SpiffeId>,
    /// What rules may ask for; each has a value.
    pub labels: BTreeMap<String, Vec<String>>,
    /// Seconds of Unix time from which on the token has to be verified again: its end, or
    /// [`REMEMBERED_SECONDS_MAX`] from now. Sooner if the issuer's keys are replaced.
    pub remembered_until: i64,
}

impl<'t> Jwt<'t> {
    /// Reads a token in the compact serialization (RFC 7515 section 7.1).
    ///
    /// # Errors
    /// What is wrong with its form; see [`JwtError`].
    pub fn parse(token: &'t str) -> Result<Self, JwtError> {
        if token.len() > JWT_BYTES_MAX {
            return Err(JwtError::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(JwtError::Parts)?;
        let (header, claims) = signed.split_once('.').ok_or(JwtError::Parts)?;
        let decoded = |part| from_base64url(part).ok_or(JwtError::Parts);
        let (header, claims, signature) = (decoded(header)?, decoded(claims)?, decoded(signature)?);
        let header = json::object(&header).map_err(|error| JwtPart::Header.error(error))?;
        let claims = json::object(&claims).map_err(|error| JwtPart::Claims.error(error))?;
        check_header(&header)?;
        let algorithm = header.get("alg").and_then(Value::as_str);
        Ok(Self {
            algorithm: algorithm.and_then(Algorithm::from_name),
            key_id: key_id(&header)?,
            claims,
            signed,
            signature,
        })
    }

    /// Whether the token says that it is this issuer's, for choosing with whose keys it is to be verified.
    #[must_use]
    pub fn claims_to_be_of(&self, issuer: &JwtIssuer) -> bool {
        issuer.authority.is_named_by(&self.claims)
    }

    /// Who presents the token at `now`, in seconds of Unix time, if it is by the issuer and for us. `keys`
    /// are that issuer's, and nobody else's. Keys that the token itself brings or points to (`jwk`, `x5c`,
    /// `jku`, `x5u`) are never looked at.
    ///
    /// # Errors
    /// See [`JwtError`].
    pub fn verify(
        &self,
        issuer: &JwtIssuer,
        keys: &KeySet,
        now: i64,
    ) -> Result<VerifiedJwt, JwtError> {
        let algorithm = self.algorithm.filter(|own| issuer.algorithms.contains(own));
        let algorithm = algorithm.ok_or_else(|| JwtError::Algorithm {
            expected: issuer.algorithms.clone(),
        })?;
        self.verify_signature(algorithm, keys)?;
        if !issuer.authority.is_named_by(&self.claims) {
            return Err(issuer.authority.expected());
        }
        issuer.check_audience(&self.claims)?;
        let leeway = i64::from(issuer.leeway_seconds.min(LEEWAY_SECONDS_MAX));
        let end = self.check_times(leeway, now)?;
        let subject = issuer.authority.subject(&self.claims)?;
        Ok(VerifiedJwt {
            principal: subject.principal,
            spiffe_id: subject.spiffe_id,
            labels: issuer.labels(&self.claims)?,
            remembered_until: end.min(now.saturating_add(REMEMBERED_SECONDS_MAX.into())),
        })
    }

    fn verify_signature(&self, algorithm: Algorithm, keys: &KeySet) -> Result<(), JwtError> {
        let mut meant = keys.meant_by(self.key_id.as_deref()).peekable();
        if meant.peek().is_none() {
            return Err(JwtError::UnknownKey);
        }
        let verifiers: Vec<_> = meant.filter_map(|key| key.verifier(algorithm)).collect();
        if verifiers.is_empty() {
            return Err(JwtError::KeyAlgorithm);
        }
        if verifiers.len() > KEYS_TRIED_MAX {
            return Err(JwtError::TooManyKeys);
        }
        let has_signed = verifiers.iter().any(|key| {
            key.verify_sig(self.signed.as_bytes(), &self.signature)
                .is_ok()
        });
        if has_signed {
            Ok(())
        } else {
            Err(JwtError::Signature)
        }
    }

    /// Whether the token counts at `now`; then from when on it counts no more.
    fn check_times(&self, leeway: i64, now: i64) -> Result<i64, JwtError> {
        let end = self.seconds("exp")?.ok_or(JwtError::NoExpiry)?;
        // RFC 7519 section 4.1.4: "on or after", so the second of the end is outside.
        if now >= end + leeway {
            let seconds = now.saturating_sub(end);
            return Err(JwtError::Expired { seconds });
        }
        let until = |start: i64| start.saturating_sub(now);
        match self.seconds("nbf")?.map(until) {
            Some(seconds) if seconds > leeway => return Err(JwtError::NotYetValid { seconds }),
            _ => {}
        }
        match self.seconds("iat")?.map(until) {
            Some(seconds) if seconds > leeway => Err(JwtError::IssuedInFuture { seconds }),
            _ => Ok(end + leeway),
        }
    }

    /// A NumericDate (RFC 7519 section 2); fractions are cut off.
    fn seconds(&self, claim: &'static str) -> Result<Option<i64>, JwtError> {
        let Some(value) = self.claims.get(claim) else {
            return Ok(None);
        };
        let seconds = value.as_number().and_then(whole_seconds);
        match seconds {
            Some(seconds) => Ok(Some(seconds)),
            None => Err(JwtError::Time { claim }),
        }
    }
}

impl fmt::Debug for Jwt<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Jwt(…)")
    }
}

fn check_header(header: &Map<String, Value>) -> Result<(), JwtError> {
    if header.contains_key("crit") {
        return Err(JwtError::Critical);
    }
    let Some(kind) = header.get("typ") else {
        return Ok(());
    };
    let kind = kind.as_str().ok_or(JwtError::Type)?.to_ascii_lowercase();
    // RFC 7515 section 4.1.9: letters of either case, and `application/` may be left out.
    let kind = kind.strip_prefix("application/").unwrap_or(&kind);
    if TYPES.contains(&kind) {
        Ok(())
    } else {
        Err(JwtError::Type)
    }
}

fn key_id(header: &Map<String, Value>) -> Result<Option<String>, JwtError> {
    match header.get("kid") {
        None => Ok(None),
        Some(Value::String(id)) if (1..=KEY_ID_BYTES_MAX).contains(&id.len()) => {
            Ok(Some(id.clone()))
        }
        Some(_) => Err(JwtError::KeyId),
    }
}

fn whole_seconds(number: &Number) -> Option<i64> {
    let whole = match number.as_i64() {
        Some(whole) => whole,
        None => {
            let seconds = number.as_f64().filter(|seconds| *seconds <= 1e12)?;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "far from the bounds of i64, and a cast keeps to those"
            )]
            let whole = seconds as i64;
            whole
        }
    };
    (0..=TIME_MAX).contains(&whole).then_some(whole)
}
