//! Who vouches for a bundle: an ed25519 signature behind the content. It covers the identity, and
//! so every byte; it is not part of it, so that signing does not change what the log says.
//!
//! ```text
//! 0    magic "SPBSIGN1"
//! 8    public key                            32 bytes
//! 40   signature of a domain (`verify.rs`) and the identity   64 bytes
//! ```

use std::fmt;

use ed25519_dalek::VerifyingKey;
use ed25519_dalek::pkcs8::DecodePublicKey;

const MAGIC: &[u8; 8] = b"SPBSIGN1";
/// Length of a signature with its frame.
const TRAILER_BYTES: usize = 8 + 32 + 64;

/// A key that bundles are checked with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(pub(super) VerifyingKey);

/// A signature as it stands in a file; nothing is proven by its being there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    pub(super) key: [u8; 32],
    pub(super) signature: [u8; 64],
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
    /// A signature made elsewhere, of [`crate::Bundle::signed_message`].
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

pub(super) fn short(key: &[u8; 32]) -> String {
    key.iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
