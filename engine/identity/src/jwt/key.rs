//! One key of a set (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2), public and fit for
//! verifying signatures.

use std::fmt;

use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};
use serde_json::{Map, Value};
use thiserror::Error;

use super::algorithm::{Algorithm, Verification};
use super::json::from_base64url;
use crate::limits::{KEY_ID_BYTES_MAX, RSA_BITS_MAX, RSA_BITS_MIN};

/// What only the owner of a key may know: of RSA, EC and OKP keys, of secrets that are shared, and of
/// kinds to come that are registered so far.
const PRIVATE_MEMBERS: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// A key with the algorithms that it may verify. One is pinned by the key's kind, or by its `alg`: what a
/// token says of itself only chooses among them (RFC 8725 section 3.1).
pub(crate) struct Key {
    id: Option<String>,
    verifiers: Vec<(Algorithm, ParsedPublicKey)>,
}

/// Why a key verifies no tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// It is no object.
    #[error("expected an object")]
    NoObject,
    /// Another kind, or none is told.
    #[error("expected `kty` RSA, EC or OKP")]
    KeyType,
    /// Another curve, or none is told.
    #[error("expected `crv` P-256 or P-384 for EC, Ed25519 for OKP")]
    Curve,
    /// It is for encryption.
    #[error("expected `use` to be sig, or no `use`")]
    Use,
    /// It is for other operations.
    #[error("expected `key_ops` with verify, or no `key_ops`")]
    Operations,
    /// It is for an algorithm that is not known, or does not fit the kind of key.
    #[error("expected `alg` to be a signature by this kind of key, or no `alg`")]
    Algorithm,
    /// It is no text, or too long.
    #[error("expected a `kid` of 1 to {KEY_ID_BYTES_MAX} bytes, or no `kid`")]
    KeyId,
    /// Missing, malformed, too weak or too large.
    #[error("expected `n` in base64url, an odd number of {RSA_BITS_MIN} to {RSA_BITS_MAX} bits")]
    Modulus,
    /// Missing or malformed, or 1, which signs nothing.
    #[error("expected `e` in base64url, an odd number from 3 and below 2^33")]
    Exponent,
    /// Missing, malformed or of another length (RFC 7518 section 6.2.1.2).
    #[error("expected coordinates in base64url, of the full length of their curve")]
    Coordinates,
    /// The numbers are well-formed and make no key: a point that is not on its curve.
    #[error("expected a point on the curve, or numbers that make an RSA key")]
    Invalid,
}

impl Key {
    /// Reads a key. What it says beside (`x5c`, for one) is of no matter.
    pub(crate) fn read(members: &Map<String, Value>) -> Result<Self, KeyError> {
        check_purpose(members)?;
        let id = match members.get("kid") {
            None => None,
            Some(Value::String(id)) if (1..=KEY_ID_BYTES_MAX).contains(&id.len()) => {
                Some(id.clone())
            }
            Some(_) => return Err(KeyError::KeyId),
        };
        let material = Material::read(members)?;
        let mut algorithms = material.algorithms().to_vec();
        if let Some(pinned) = members.get("alg") {
            let pinned = pinned.as_str().and_then(Algorithm::from_name);
            algorithms.retain(|algorithm| Some(*algorithm) == pinned);
        }
        if algorithms.is_empty() {
            return Err(KeyError::Algorithm);
        }
        let verifiers = algorithms.into_iter().map(|algorithm| {
            let key = material.for_algorithm(algorithm)?;
            Ok((algorithm, key))
        });
        let verifiers = verifiers.collect::<Result<_, _>>()?;
        Ok(Self { id, verifiers })
    }

    /// Whether a token that names a key, or none, may mean this one.
    pub(crate) fn is_meant_by(&self, id: Option<&str>) -> bool {
        id.is_none() || self.id.as_deref() == id
    }

    /// What verifies signatures of an algorithm, if the key may.
    pub(crate) fn verifier(&self, algorithm: Algorithm) -> Option<&ParsedPublicKey> {
        let mut verifiers = self.verifiers.iter();
        verifiers
            .find(|(own, _)| *own == algorithm)
            .map(|(_, key)| key)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithms: Vec<_> = self.verifiers.iter().map(|(own, _)| own).collect();
        out.debug_struct("Key")
            .field("id", &self.id)
            .field("algorithms", &algorithms)
            .finish_non_exhaustive()
    }
}

/// Whether a key says what nobody may know but its owner.
pub(crate) fn is_private(members: &Map<String, Value>) -> bool {
    PRIVATE_MEMBERS
        .iter()
        .any(|name| members.contains_key(*name))
}

/// RFC 7517 sections 4.2 and 4.3.
fn check_purpose(members: &Map<String, Value>) -> Result<(), KeyError> {
    if members.get("use").is_some_and(|value| value != "sig") {
        return Err(KeyError::Use);
    }
    let may_verify = |operations: &Value| {
        let operations = operations.as_array().map_or(&[][..], Vec::as_slice);
        operations.iter().any(|operation| operation == "verify")
    };
    match members.get("key_ops") {
        Some(operations) if !may_verify(operations) => Err(KeyError::Operations),
        _ => Ok(()),
    }
}

/// The numbers of a key.
enum Material {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// Of the one algorithm of its curve: a point without compression, or Ed25519's own form.
    Point(Algorithm, Vec<u8>),
}

impl Material {
    fn read(members: &Map<String, Value>) -> Result<Self, KeyError> {
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        match (text("kty"), text("crv")) {
            (Some("RSA"), _) => Self::rsa(text("n"), text("e")),
            (Some("EC"), Some("P-256")) => Self::point(Algorithm::Es256, 32, text("x"), text("y")),
            (Some("EC"), Some("P-384")) => Self::point(Algorithm::Es384, 48, text("x"), text("y")),
            (Some("OKP"), Some("Ed25519")) => {
                let point = coordinate(text("x"), 32)?;
                Ok(Self::Point(Algorithm::EdDsa, point))
            }
            (Some("EC" | "OKP"), _) => Err(KeyError::Curve),
            _ => Err(KeyError::KeyType),
        }
    }

    fn rsa(modulus: Option<&str>, exponent: Option<&str>) -> Result<Self, KeyError> {
        let number = |text: Option<&str>| {
            let bytes = from_base64url(text?)?;
            // Some libraries write a zero before the number, which RFC 7518 section 6.3.1.1 advises to
            // expect.
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            let bytes = bytes.get(zeros..)?.to_vec();
            let is_odd = bytes.last()? % 2 == 1;
            is_odd.then_some(bytes)
        };
        let modulus = number(modulus).ok_or(KeyError::Modulus)?;
        if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits(&modulus)) {
            return Err(KeyError::Modulus);
        }
        let exponent = number(exponent).ok_or(KeyError::Exponent)?;
        if !(2..=33).contains(&bits(&exponent)) {
            return Err(KeyError::Exponent);
        }
        Ok(Self::Rsa { modulus, exponent })
    }

    fn point(
        algorithm: Algorithm,
        bytes: usize,
        x: Option<&str>,
        y: Option<&str>,
    ) -> Result<Self, KeyError> {
        let (x, y) = (coordinate(x, bytes)?, coordinate(y, bytes)?);
        // SEC 1 section 2.3.3: both coordinates behind a 4.
        let point = [&[4][..], &x, &y].concat();
        Ok(Self::Point(algorithm, point))
    }

    const fn algorithms(&self) -> &[Algorithm] {
        match self {
            Self::Rsa { .. } => &Algorithm::RSA,
            Self::Point(algorithm, _) => std::slice::from_ref(algorithm),
        }
    }

    fn for_algorithm(&self, algorithm: Algorithm) -> Result<ParsedPublicKey, KeyError> {
        let key = match (self, algorithm.verification()) {
            (Self::Rsa { modulus, exponent }, Verification::Rsa(parameters)) => {
                let components = RsaPublicKeyComponents {
                    n: modulus,
                    e: exponent,
                };
                components.to_parsed_public_key(parameters)
            }
            (Self::Point(_, point), Verification::Other(verification)) => {
                ParsedPublicKey::new(verification, point)
            }
            _ => return Err(KeyError::Algorithm),
        };
        key.map_err(|_| KeyError::Invalid)
    }
}

fn coordinate(text: Option<&str>, bytes: usize) -> Result<Vec<u8>, KeyError> {
    let coordinate = text.and_then(from_base64url);
    coordinate
        .filter(|coordinate| coordinate.len() == bytes)
        .ok_or(KeyError::Coordinates)
}

/// Of a number without leading zero bytes.
fn bits(number: &[u8]) -> usize {
    let zeros = number
        .first()
        .map_or(0, |first| first.leading_zeros() as usize);
    number.len() * 8 - zeros
}
