//! A JWKS document (RFC 7517 section 5): the public keys of an issuer.

use serde_json::Value;
use thiserror::Error;

use super::json::{self, JsonError};
use super::key::{self, Key, KeyError};
use crate::limits::{KEY_SET_BYTES_MAX, KEYS_MAX};

/// The keys of one issuer that verify tokens; at least one.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<Key>,
    passed_over: Vec<PassedOver>,
}

/// A key of the document that verifies no tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("key {place}: {error}")]
pub struct PassedOver {
    /// Its place in the document, from 1.
    pub place: usize,
    /// Why.
    pub error: KeyError,
}

/// Why a document gives no keys.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeySetError {
    /// Longer than [`KEY_SET_BYTES_MAX`].
    #[error("a key set longer than {KEY_SET_BYTES_MAX} bytes")]
    TooLong,
    /// It is no JSON.
    #[error("expected a key set in JSON (RFC 7517)")]
    Syntax,
    /// Some object of it has two members of one name.
    #[error("expected no object with two members of one name")]
    RepeatedMember,
    /// It is no object with a list of keys.
    #[error("expected an object whose member `keys` is a list")]
    NoSet,
    /// More than [`KEYS_MAX`].
    #[error("a key set of more than {KEYS_MAX} keys")]
    TooMany,
    /// A private or shared key: whoever has read the document can issue tokens.
    #[error("key {place} is private: expected public keys")]
    Private {
        /// Its place in the document, from 1.
        place: usize,
    },
    /// There is none, or none that verifies tokens.
    #[error("no key that verifies tokens{}", listed(.0))]
    NoKey(Vec<PassedOver>),
}

impl KeySet {
    /// Reads a document. A key that is not understood, or is for something else, is passed over, as RFC
    /// 7517 section 5 asks: issuers publish such keys beside others.
    ///
    /// # Errors
    /// See [`KeySetError`].
    pub fn parse(document: &[u8]) -> Result<Self, KeySetError> {
        if document.len() > KEY_SET_BYTES_MAX {
            return Err(KeySetError::TooLong);
        }
        let members = json::object(document).map_err(|error| match error {
            JsonError::Syntax => KeySetError::Syntax,
            JsonError::RepeatedMember => KeySetError::RepeatedMember,
            JsonError::NoObject => KeySetError::NoSet,
        })?;
        let Some(Value::Array(written)) = members.get("keys") else {
            return Err(KeySetError::NoSet);
        };
        if written.len() > KEYS_MAX {
            return Err(KeySetError::TooMany);
        }
        let (mut keys, mut passed_over) = (Vec::new(), Vec::new());
        for (index, key) in written.iter().enumerate() {
            let place = index + 1;
            let read = match key {
                Value::Object(members) if key::is_private(members) => {
                    return Err(KeySetError::Private { place });
                }
                Value::Object(members) => Key::read(members),
                _ => Err(KeyError::NoObject),
            };
            match read {
                Ok(key) => keys.push(key),
                Err(error) => passed_over.push(PassedOver { place, error }),
            }
        }
        if keys.is_empty() {
            return Err(KeySetError::NoKey(passed_over));
        }
        Ok(Self { keys, passed_over })
    }

    /// How many keys verify tokens.
    #[must_use]
    pub fn keys_count(&self) -> usize {
        self.keys.len()
    }

    /// The other keys of the document, in its order, to be told.
    #[must_use]
    pub fn passed_over(&self) -> &[PassedOver] {
        &self.passed_over
    }

    /// The keys that a token may mean.
    pub(crate) fn meant_by<'a>(&'a self, id: Option<&'a str>) -> impl Iterator<Item = &'a Key> {
        self.keys.iter().filter(move |key| key.is_meant_by(id))
    }
}

fn listed(keys: &[PassedOver]) -> String {
    let keys = keys.iter().map(|key| format!("; {key}"));
    keys.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::algorithm::Algorithm;
    use super::super::test_keys::{
        ED25519_X, P256_X, P256_Y, RSA_N, base64url, document, ed25519_members, p256_members,
        rsa_members,
    };
    use super::*;

    fn passed_over(members: &str) -> Result<(), KeyError> {
        let text = document(&[members.to_owned(), ed25519_members()]);
        let set = KeySet::parse(text.as_bytes()).unwrap();
        match set.passed_over() {
            [] => Ok(()),
            [one] => {
                assert_eq!((one.place, set.keys_count()), (1, 1));
                Err(one.error)
            }
            more => panic!("{more:?}"),
        }
    }

    fn algorithms(members: &str) -> Vec<Algorithm> {
        let set = KeySet::parse(document(&[members.to_owned()]).as_bytes()).unwrap();
        let key = set.meant_by(None).next().unwrap();
        let mut all = Algorithm::ALL.to_vec();
        all.retain(|algorithm| key.verifier(*algorithm).is_some());
        all
    }

    #[test]
    fn a_key_is_for_the_algorithms_of_its_kind() {
        let rsa = rsa_members();
        assert_eq!(algorithms(&rsa), Algorithm::RSA);
        let pinned = algorithms(&format!(r#"{rsa},"alg":"RS384""#));
        assert_eq!(pinned, [Algorithm::Rs384]);
        assert_eq!(algorithms(&p256_members()), [Algorithm::Es256]);
        assert_eq!(algorithms(&ed25519_members()), [Algorithm::EdDsa]);
    }

    #[test]
    fn purposes() {
        let rsa = rsa_members();
        for more in [
            r#""use":"sig""#,
            r#""key_ops":["verify"]"#,
            r#""key_ops":["sign","verify"]"#,
            r#""alg":"PS512""#,
            r#""kid":"a""#,
            r#""x5c":["MII"],"x5t":"a","nbf":0,"other":{}"#,
        ] {
            assert_eq!(passed_over(&format!("{rsa},{more}")), Ok(()), "{more}");
        }
        let long = format!(r#""kid":"{}""#, "x".repeat(257));
        for (more, expected) in [
            (r#""use":"enc""#, KeyError::Use),
            (r#""use":"Sig""#, KeyError::Use),
            (r#""use":null"#, KeyError::Use),
            (r#""key_ops":["sign"]"#, KeyError::Operations),
            (r#""key_ops":[]"#, KeyError::Operations),
            (r#""key_ops":"verify""#, KeyError::Operations),
            (r#""alg":"RSA-OAEP""#, KeyError::Algorithm),
            (r#""alg":"HS256""#, KeyError::Algorithm),
            (r#""alg":"none""#, KeyError::Algorithm),
            (r#""alg":"ES256""#, KeyError::Algorithm),
            (r#""alg":null"#, KeyError::Algorithm),
            (r#""kid":5"#, KeyError::KeyId),
            (r#""kid":"""#, KeyError::KeyId),
            (long.as_str(), KeyError::KeyId),
        ] {
            let found = passed_over(&format!("{rsa},{more}"));
            assert_eq!(found, Err(expected), "{more}");
        }
        let other_curve = format!(r#"{},"alg":"ES384""#, p256_members());
        assert_eq!(passed_over(&other_curve), Err(KeyError::Algorithm));
    }

    #[test]
    fn rsa_numbers() {
        let key = |n: &str, e: &str| passed_over(&format!(r#""kty":"RSA","n":"{n}","e":"{e}""#));
        let of_bits = |bits: usize| {
            let mut number = vec![0xff; bits.div_ceil(8)];
            number[0] >>= (8 - bits % 8) % 8;
            base64url(number)
        };
        assert_eq!(key(&of_bits(2048), "AQAB"), Ok(()));
        assert_eq!(key(&of_bits(8192), "AQAB"), Ok(()));
        assert_eq!(key(RSA_N, "Aw"), Ok(()));
        // A zero before the number.
        assert_eq!(key(RSA_N, "AAEAAQ"), Ok(()));
        let even = base64url([0xfe; 256]);
        for n in [
            "",
            "AQ",
            "====",
            of_bits(1024).as_str(),
            of_bits(2047).as_str(),
            of_bits(8193).as_str(),
            even.as_str(),
            &format!("{RSA_N}="),
        ] {
            assert_eq!(key(n, "AQAB"), Err(KeyError::Modulus), "{n}");
        }
        for e in ["", "AA", "AQ", "Ag", "BA", "AgAAAAE", "A", "AQAB\\n"] {
            assert_eq!(key(RSA_N, e), Err(KeyError::Exponent), "{e}");
        }
        let lacking = format!(r#""kty":"RSA","n":"{RSA_N}""#);
        assert_eq!(passed_over(&lacking), Err(KeyError::Exponent));
    }

    #[test]
    fn points() {
        let key = |kind: &str, curve: &str, x: &str, y: &str| {
            passed_over(&format!(
                r#""kty":"{kind}","crv":"{curve}","x":"{x}","y":"{y}""#
            ))
        };
        assert_eq!(key("EC", "P-256", P256_X, P256_Y), Ok(()));
        assert_eq!(key("EC", "P-256", P256_Y, P256_X), Err(KeyError::Invalid));
        let coordinates = Err(KeyError::Coordinates);
        assert_eq!(key("EC", "P-256", P256_X, ""), coordinates);
        assert_eq!(key("EC", "P-256", &P256_X[..42], P256_Y), coordinates);
        assert_eq!(key("EC", "P-384", P256_X, P256_Y), coordinates);
        assert_eq!(key("OKP", "Ed25519", ED25519_X, ""), Ok(()));
        assert_eq!(key("OKP", "Ed25519", &ED25519_X[..42], ""), coordinates);
        for (kind, curve) in [
            ("EC", "P-521"),
            ("EC", "secp256k1"),
            ("EC", "Ed25519"),
            ("OKP", "Ed448"),
            ("OKP", "X25519"),
            ("OKP", "P-256"),
        ] {
            let found = key(kind, curve, P256_X, P256_Y);
            assert_eq!(found, Err(KeyError::Curve), "{kind} {curve}");
        }
        for kind in ["ec", "AKP", "oct", ""] {
            assert_eq!(key(kind, "P-256", P256_X, P256_Y), Err(KeyError::KeyType));
        }
        assert_eq!(passed_over(""), Err(KeyError::KeyType));
    }

    #[test]
    fn documents() {
        let parse = |text: &str| KeySet::parse(text.as_bytes()).map(|set| set.keys_count());
        let key = ed25519_members();
        assert_eq!(parse(&format!(r#"{{"keys":[{{{key}}}],"more":1}}"#)), Ok(1));
        assert_eq!(parse(&document(&vec![key.clone(); KEYS_MAX])), Ok(KEYS_MAX));
        for (text, expected) in [
            (String::new(), KeySetError::Syntax),
            (
                document(std::slice::from_ref(&key)) + "x",
                KeySetError::Syntax,
            ),
            ("[]".to_owned(), KeySetError::NoSet),
            ("{}".to_owned(), KeySetError::NoSet),
            (format!("{{{key}}}"), KeySetError::NoSet),
            (r#"{"keys":{}}"#.to_owned(), KeySetError::NoSet),
            (r#"{"keys":[]}"#.to_owned(), KeySetError::NoKey(vec![])),
            (
                document(&vec![key.clone(); KEYS_MAX + 1]),
                KeySetError::TooMany,
            ),
            (" ".repeat(KEY_SET_BYTES_MAX + 1), KeySetError::TooLong),
            (" ".repeat(KEY_SET_BYTES_MAX), KeySetError::Syntax),
            (
                document(&[format!(r#"{key},"x":"a""#)]),
                KeySetError::RepeatedMember,
            ),
        ] {
            assert_eq!(parse(&text), Err(expected), "{text}");
        }
        let error = parse(r#"{"keys":[5,{"kty":"AKP"}]}"#).unwrap_err();
        let expected = "no key that verifies tokens; key 1: expected an object; \
                        key 2: expected `kty` RSA, EC or OKP";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn private_keys_are_refused() {
        for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
            let private = format!(r#"{},"{name}":"sesame""#, rsa_members());
            let text = document(&[ed25519_members(), private]);
            let error = KeySet::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error, KeySetError::Private { place: 2 }, "{name}");
            assert!(!error.to_string().contains("sesame"));
        }
        let shared = document(&[r#""kty":"oct","k":"AA""#.to_owned()]);
        let error = KeySet::parse(shared.as_bytes()).unwrap_err();
        assert_eq!(error, KeySetError::Private { place: 1 });
    }

    proptest! {
        #[test]
        fn any_change_of_a_document(at: prop::sample::Index, byte: u8) {
            let keys = [rsa_members(), p256_members(), ed25519_members()];
            let mut text = document(&keys).into_bytes();
            let at = at.index(text.len());
            text[at] = byte;
            if let Ok(set) = KeySet::parse(&text) {
                prop_assert_eq!(set.keys_count() + set.passed_over().len(), 3);
            }
        }

        #[test]
        fn any_bytes(bytes: Vec<u8>) {
            prop_assert!(KeySet::parse(&bytes).is_err());
        }
    }
}
