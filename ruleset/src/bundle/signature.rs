//! Who vouches for a bundle: an ed25519 signature behind the content. It covers the identity, and
//! so every byte; it is not part of it, so that signing does not change what the log says.
//!
//! ```text
//! 0    magic "SPBSIGN1"
//! 8    public key                            32 bytes
//! 40   signature of DOMAIN and the identity   64 bytes
//! ```

use std::fmt;

use ed25519_dalek::pkcs8::DecodePublicKey;
use ed25519_dalek::{Signature as Ed25519, VerifyingKey};

use super::Bundle;

const MAGIC: &[u8; 8] = b"SPBSIGN1";
/// What is signed begins with this, so that the signature can never be taken for one of another
/// thing that the same key signs.
const DOMAIN: &[u8] = b"sallyport bundle 1\0";
/// Length of a signature with its frame.
const TRAILER_BYTES: usize = 8 + 32 + 64;

/// A key that bundles are checked with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// A signature as it stands in a file; nothing is proven by its being there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    key: [u8; 32],
    signature: [u8; 64],
}

/// Why a bundle is not trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is no signature.
    #[error("the bundle is not signed")]
    Unsigned,
    /// It is signed with a key that is not among those given.
    #[error("the bundle is signed with key {key}, which is not trusted")]
    Untrusted {
        /// The first 16 hexadecimal digits of the key that it claims.
        key: String,
    },
    /// The signature is not one of this content by the key that it names.
    #[error("the signature of key {key} does not fit the bundle: one of them was changed")]
    Wrong {
        /// The first 16 hexadecimal digits of the key.
        key: String,
    },
}

/// Why a text is no public key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an ed25519 public key in PEM (`-----BEGIN PUBLIC KEY-----`)")]
pub struct PublicKeyError;

impl PublicKey {
    /// Reads a key in PEM (RFC 8410, `SubjectPublicKeyInfo`).
    ///
    /// # Errors
    /// When the text is none, or of another kind.
    pub fn from_pem(pem: &str) -> Result<Self, PublicKeyError> {
        VerifyingKey::from_public_key_pem(pem)
            .map(Self)
            .map_err(|_| PublicKeyError)
    }

    /// How people tell keys apart: the first 16 hexadecimal digits.
    #[must_use]
    pub fn short(&self) -> String {
        short(self.0.as_bytes())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.short())
    }
}

impl Signature {
    /// A signature made elsewhere, of [`Bundle::signed_message`].
    #[must_use]
    pub const fn new(public_key: [u8; 32], signature: [u8; 64]) -> Self {
        Self {
            key: public_key,
            signature,
        }
    }

    /// The key that the signature claims to be of, as [`PublicKey::short`] shows it.
    #[must_use]
    pub fn key(&self) -> String {
        short(&self.key)
    }

    /// As it stands behind the content.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [MAGIC.as_slice(), &self.key, &self.signature].concat()
    }

    /// Cuts the signature from what follows the content; `None` when that is something else.
    pub(super) fn read(trailer: &[u8]) -> Option<Self> {
        let rest = trailer
            .strip_prefix(MAGIC)
            .filter(|_| trailer.len() == TRAILER_BYTES)?;
        let (key, signature) = rest.split_first_chunk::<32>()?;
        Some(Self {
            key: *key,
            signature: *signature.first_chunk()?,
        })
    }
}

impl Bundle {
    /// The signature, if there is one. See [`Bundle::verify`] for what it is worth.
    #[must_use]
    pub const fn signature(&self) -> Option<&Signature> {
        self.signature.as_ref()
    }

    /// What a signature is made of.
    #[must_use]
    pub fn signed_message(&self) -> Vec<u8> {
        [DOMAIN, self.id_bytes()].concat()
    }

    /// Checks that one of the keys has signed exactly this content; gives that key.
    ///
    /// # Errors
    /// See [`SignatureError`].
    pub fn verify<'k>(&self, trusted: &'k [PublicKey]) -> Result<&'k PublicKey, SignatureError> {
        let signature = self.signature().ok_or(SignatureError::Unsigned)?;
        let key = || signature.key();
        let found = trusted
            .iter()
            .find(|trusted| *trusted.0.as_bytes() == signature.key)
            .ok_or_else(|| SignatureError::Untrusted { key: key() })?;
        let given = Ed25519::from_bytes(&signature.signature);
        match found.0.verify_strict(&self.signed_message(), &given) {
            Ok(()) => Ok(found),
            Err(_) => Err(SignatureError::Wrong { key: key() }),
        }
    }
}

fn short(key: &[u8; 32]) -> String {
    key.iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{BuildRecord, write};
    use crate::{Action, Defaults, Ruleset};
    use ed25519_dalek::{Signer, SigningKey};

    fn content() -> Vec<u8> {
        let ruleset = Ruleset {
            defaults: Defaults::all(Action::Deny),
            groups: Vec::new(),
        };
        write(&ruleset, &BuildRecord::default()).unwrap()
    }

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn signed(content: &[u8], key: &SigningKey) -> Vec<u8> {
        let bundle = Bundle::load(content.to_vec()).unwrap();
        let signature = key.sign(&bundle.signed_message());
        let trailer = Signature::new(key.verifying_key().to_bytes(), signature.to_bytes());
        [content, &trailer.to_bytes()].concat()
    }

    #[test]
    fn a_signature_is_checked_and_changes_no_id() {
        let unsigned = Bundle::load(content()).unwrap();
        let trusted = [
            PublicKey(key(1).verifying_key()),
            PublicKey(key(2).verifying_key()),
        ];
        assert_eq!(unsigned.verify(&trusted), Err(SignatureError::Unsigned));
        let bundle = Bundle::load(signed(&content(), &key(2))).unwrap();
        assert_eq!(bundle.id(), unsigned.id());
        assert_eq!(bundle.content(), unsigned.content());
        assert_eq!(bundle.verify(&trusted), Ok(&trusted[1]));
        let other = Bundle::load(signed(&content(), &key(3))).unwrap();
        let untrusted = SignatureError::Untrusted {
            key: short(key(3).verifying_key().as_bytes()),
        };
        assert_eq!(other.verify(&trusted), Err(untrusted));
    }

    #[test]
    fn no_bit_of_content_or_signature_can_be_changed() {
        let good = signed(&content(), &key(1));
        let trusted = [PublicKey(key(1).verifying_key())];
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            if let Ok(bundle) = Bundle::load(bytes) {
                assert!(at >= content().len() + 8, "byte {at}");
                assert!(bundle.verify(&trusted).is_err(), "byte {at}");
            }
        }
        for len in content().len() + 1..good.len() {
            assert!(Bundle::load(good[..len].to_vec()).is_err());
        }
        assert!(Bundle::load([good, vec![0]].concat()).is_err());
    }

    #[test]
    fn a_signature_of_other_rules_does_not_fit() {
        let good = signed(&content(), &key(1));
        let trailer = &good[content().len()..];
        let ruleset = Ruleset {
            defaults: Defaults::all(Action::Allow),
            groups: Vec::new(),
        };
        let other = write(&ruleset, &BuildRecord::default()).unwrap();
        let bundle = Bundle::load([&other, trailer].concat()).unwrap();
        let trusted = [PublicKey(key(1).verifying_key())];
        assert!(matches!(
            bundle.verify(&trusted),
            Err(SignatureError::Wrong { .. })
        ));
    }
}
