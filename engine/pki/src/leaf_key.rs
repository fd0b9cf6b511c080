//! The keys of minted certificates: one of each kind for the whole process, for a day.
//!
//! `mint` writes certificates for them; the engine makes new ones when the day is over, off the shards:
//! an RSA key takes a tenth of a second or more.

use std::sync::Arc;

use rcgen::{KeyPair, PublicKeyData};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::SigningKey;
use zeroize::{Zeroize, Zeroizing};

use crate::certificate::key_identifier_of;

/// Which kind of key a client is shown a certificate for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LeafKey {
    /// ECDSA on P-256, which every client of today takes.
    #[default]
    Ecdsa,
    /// RSA with 2048 bits, for clients that take no ECDSA (`tls.rsa_leaf`).
    Rsa,
}

/// A key pair; the private half is cleared when it is dropped.
pub(crate) struct LeafKeyPair {
    pkcs8: Zeroizing<Vec<u8>>,
    /// SubjectPublicKeyInfo in DER.
    pub(crate) public_key_info: Vec<u8>,
    pub(crate) key_identifier: Vec<u8>,
}

impl LeafKeyPair {
    pub(crate) fn generate(kind: LeafKey) -> Result<Self, rcgen::Error> {
        let algorithm = match kind {
            LeafKey::Ecdsa => &rcgen::PKCS_ECDSA_P256_SHA256,
            LeafKey::Rsa => &rcgen::PKCS_RSA_SHA256,
        };
        let mut pair = KeyPair::generate_for(algorithm)?;
        let made = Self {
            pkcs8: Zeroizing::new(pair.serialized_der().to_vec()),
            public_key_info: pair.subject_public_key_info(),
            key_identifier: key_identifier_of(pair.der_bytes()),
        };
        pair.zeroize();
        Ok(made)
    }

    /// For the TLS of one shard, so that shards share no reference count.
    pub(crate) fn load(&self) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        let pkcs8 = PrivatePkcs8KeyDer::from(self.pkcs8.as_slice());
        any_supported_type(&PrivateKeyDer::Pkcs8(pkcs8))
    }
}
