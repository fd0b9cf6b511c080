//! The certificate authority that interception mints with: loading it, and every check that can be
//! made before the first client sees a certificate of it.
//!
//! Bytes come in. `mint` signs with it. The key never leaves this room but as
//! signatures, and its memory is cleared when it is dropped.

use std::fmt;
use std::time::Duration;

use rcgen::{KeyPair, PublicKeyData, SigningKey};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{ParsedExtension, X509Extension};
use x509_parser::oid_registry::OID_X509_EXT_SUBJECT_KEY_IDENTIFIER;
use x509_parser::prelude::FromDer;
use zeroize::{Zeroize, Zeroizing};

use crate::authority_chain::{chain, check, common_validity, is_root};
use crate::authority_error::AuthorityError;
use crate::certificate::key_identifier_of;
use crate::directory_name::DirectoryName;
use crate::distinguished_name;
use crate::file_kind::other_blocks;
use crate::limits::{CA_CHAIN_MAX, CA_EXPIRY_WARNING, RSA_KEY_BITS_MIN};
use crate::name::CertificateName;
use crate::name_constraints::NameConstraints;
use crate::pem::damage;

/// A certificate authority: its certificate, its key and what is sent along with a leaf.
pub struct Authority {
    key: Key,
    certificate: CertificateDer<'static>,
    subject_text: String,
    subject: Vec<u8>,
    key_identifier: Vec<u8>,
    not_before: UnixTime,
    not_after: UnixTime,
    constraints: NameConstraints,
    chain: Vec<CertificateDer<'static>>,
}

impl Authority {
    /// Takes the authority from PEM text: its certificate, those above it in any order, and the
    /// key, which may stand in the same text (pass it twice) or in another.
    ///
    /// # Errors
    /// Whatever would make clients refuse its certificates, see [`AuthorityError`].
    pub fn load(
        certificates_pem: &[u8],
        key_pem: &[u8],
        now: UnixTime,
    ) -> Result<Self, AuthorityError> {
        let ders = certificates(certificates_pem)?;
        let mut parsed = Vec::new();
        for (index, der) in ders.iter().enumerate() {
            parsed.push(parse(der, index + 1)?);
        }
        let key = Key::load(key_pem)?;
        let chain = chain(&parsed, key.pair.der_bytes())?;
        check(&chain, now)?;
        let own = chain.first().ok_or(AuthorityError::NoCertificate(""))?;
        let mut constraints = NameConstraints::default();
        for certificate in &chain {
            if !constraints.add(certificate) {
                let subject = distinguished_name::rfc_4514(certificate.subject());
                return Err(AuthorityError::BadNameConstraints(subject));
            }
        }
        let (not_before, not_after) = common_validity(&chain);
        let owned = |certificate: &&X509Certificate<'_>| {
            CertificateDer::from(certificate.as_raw().to_vec())
        };
        Ok(Self {
            certificate: owned(own),
            subject_text: distinguished_name::rfc_4514(own.subject()),
            subject: own.subject().as_raw().to_vec(),
            key_identifier: key_identifier(own),
            not_before,
            not_after,
            constraints,
            // A root is known to the client or it is of no use to send it.
            chain: chain
                .iter()
                .filter(|certificate| !is_root(certificate))
                .map(owned)
                .collect(),
            key,
        })
    }

    /// Its own certificate.
    #[must_use]
    pub const fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Its subject as text (RFC 4514).
    #[must_use]
    pub fn subject_text(&self) -> &str {
        &self.subject_text
    }

    /// The certificates that are sent after a leaf: none for a root.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// Begin of its validity, and of that of all above it.
    #[must_use]
    pub const fn not_before(&self) -> UnixTime {
        self.not_before
    }

    /// End of its validity, or of that of a certificate above it if that is sooner.
    #[must_use]
    pub const fn not_after(&self) -> UnixTime {
        self.not_after
    }

    /// What is left of its validity if that is so little that somebody should act: under 30 days.
    #[must_use]
    pub fn expires_soon(&self, now: UnixTime) -> Option<Duration> {
        let left = Duration::from_secs(self.not_after.as_secs().saturating_sub(now.as_secs()));
        (left < CA_EXPIRY_WARNING).then_some(left)
    }

    /// Whether its name constraints let it vouch for `name`.
    #[must_use]
    pub fn may_vouch_for(&self, name: &CertificateName) -> bool {
        self.constraints.permit(name)
    }

    /// Whether what it signs may have a subject of this common name and nothing else.
    pub(crate) fn permits_common_name(&self, name: &str) -> bool {
        let name = DirectoryName::of_common_name(name);
        self.constraints.permit_subject(&name)
    }

    /// Its subject in DER, which is the issuer of what it signs, byte by byte.
    pub(crate) fn subject_der(&self) -> &[u8] {
        &self.subject
    }

    /// The identifier of its key, as its own certificate has it.
    pub(crate) fn key_identifier(&self) -> &[u8] {
        &self.key_identifier
    }

    /// What it signs with.
    pub(crate) const fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm
    }

    /// Signs.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.key.pair.sign(message)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Authority")
            .field("subject", &self.subject_text)
            .field("algorithm", &self.key.algorithm)
            .finish_non_exhaustive()
    }
}

/// The signature of an authority, which its key decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignatureAlgorithm {
    /// ecdsa-with-SHA256, a key on P-256.
    EcdsaP256Sha256,
    /// ecdsa-with-SHA384, a key on P-384.
    EcdsaP384Sha384,
    /// sha256WithRSAEncryption.
    RsaSha256,
}

/// A private key, cleared when it is dropped. (aws-lc clears its own copy.)
struct Key {
    pair: KeyPair,
    algorithm: SignatureAlgorithm,
}

impl Key {
    fn load(pem: &[u8]) -> Result<Self, AuthorityError> {
        let der = Zeroizing::new(private_key(pem)?);
        let unsupported = |error: rcgen::Error| AuthorityError::UnsupportedKey(error.to_string());
        // aws-lc takes no short keys, and does not say that it is the length.
        if let Some(bits) = rsa_bits(&der).filter(|bits| *bits < RSA_KEY_BITS_MIN) {
            return Err(AuthorityError::WeakKey(bits));
        }
        let pair = KeyPair::try_from(&*der).map_err(unsupported)?;
        let algorithm = if pair.is_compatible(&rcgen::PKCS_ECDSA_P256_SHA256) {
            SignatureAlgorithm::EcdsaP256Sha256
        } else if pair.is_compatible(&rcgen::PKCS_ECDSA_P384_SHA384) {
            SignatureAlgorithm::EcdsaP384Sha384
        } else if pair.is_compatible(&rcgen::PKCS_RSA_SHA256) {
            SignatureAlgorithm::RsaSha256
        } else {
            let reason = "it is of another kind".to_owned();
            return Err(AuthorityError::UnsupportedKey(reason));
        };
        Ok(Self { pair, algorithm })
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.pair.zeroize();
    }
}

fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, AuthorityError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let found = found.map_err(|error| AuthorityError::Pem(damage(&error)))?;
    match found.len() {
        0 => Err(AuthorityError::NoCertificate(other_blocks(text))),
        1..=CA_CHAIN_MAX => Ok(found),
        many => Err(AuthorityError::LongChain(many)),
    }
}

fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, AuthorityError> {
    let has = |mark: &[u8]| memchr::memmem::find(text, mark).is_some();
    if has(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || has(b"Proc-Type: 4,ENCRYPTED") {
        return Err(AuthorityError::EncryptedKey);
    }
    match PrivateKeyDer::from_pem_slice(text) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) => Err(AuthorityError::NoKey(other_blocks(text))),
        Err(error) => Err(AuthorityError::Pem(damage(&error))),
    }
}

/// The bits of an RSA key, PKCS#1 (RFC 8017 appendix A.1.2) or PKCS#8; `None` for other keys.
fn rsa_bits(key: &PrivateKeyDer<'_>) -> Option<usize> {
    let pkcs1 = match key {
        PrivateKeyDer::Pkcs1(key) => Zeroizing::new(key.secret_pkcs1_der().to_vec()),
        PrivateKeyDer::Pkcs8(key) => {
            let inner = yasna::parse_der(key.secret_pkcs8_der(), |reader| {
                reader.read_sequence(|fields| {
                    fields.next().read_der()?;
                    fields.next().read_der()?;
                    let key = fields.next().read_bytes()?;
                    // Attributes.
                    fields.read_optional(|attributes| attributes.read_der())?;
                    Ok(key)
                })
            });
            Zeroizing::new(inner.ok()?)
        }
        _ => return None,
    };
    let modulus = yasna::parse_der(&pkcs1, |reader| {
        reader.read_sequence(|fields| {
            fields.next().read_der()?;
            let (modulus, _) = fields.next().read_bigint_bytes()?;
            for _ in 0..7 {
                fields.next().read_der()?;
            }
            Ok(modulus)
        })
    });
    let modulus = modulus.ok()?;
    let first = modulus.iter().position(|byte| *byte != 0)?;
    let leading = modulus.get(first)?.leading_zeros() as usize;
    Some((modulus.len() - first) * 8 - leading)
}

fn parse(der: &[u8], number: usize) -> Result<X509Certificate<'_>, AuthorityError> {
    match X509Certificate::from_der(der) {
        Ok((_, certificate)) => Ok(certificate),
        Err(error) => Err(AuthorityError::BadCertificate {
            number,
            reason: error.to_string(),
        }),
    }
}

/// The one that the certificate says, or one of our own making: then nobody can compare it.
fn key_identifier(certificate: &X509Certificate<'_>) -> Vec<u8> {
    let extension = certificate.get_extension_unique(&OID_X509_EXT_SUBJECT_KEY_IDENTIFIER);
    match extension
        .ok()
        .flatten()
        .map(X509Extension::parsed_extension)
    {
        Some(ParsedExtension::SubjectKeyIdentifier(identifier)) => identifier.0.to_vec(),
        _ => key_identifier_of(certificate.public_key().subject_public_key.as_ref()),
    }
}
