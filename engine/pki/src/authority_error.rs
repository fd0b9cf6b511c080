//! Why a certificate authority cannot be used, in words that say what to do about it.
//!
//! `authority` and `authority_chain` find it; start-up, reload and `sallyport check` print it.

use rustls::pki_types::UnixTime;
use thiserror::Error;

use crate::certificate::date;
use crate::limits::{CA_CHAIN_MAX, RSA_KEY_BITS_MIN};

/// Why a certificate authority cannot be used. Each text says what to do about it.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// The PEM text is damaged.
    #[error("the PEM text is damaged: {0}")]
    Pem(String),
    /// There is no certificate in the file.
    #[error("there is no certificate: expected a block `-----BEGIN CERTIFICATE-----`{0}")]
    NoCertificate(&'static str),
    /// There are more certificates than a chain has.
    #[error(
        "there are {0} certificates, more than the {CA_CHAIN_MAX} that a chain may have; give the authority and those above it only"
    )]
    LongChain(usize),
    /// A certificate does not parse.
    #[error("certificate {number} of the file is not a well-formed X.509 certificate: {reason}")]
    BadCertificate {
        /// Its place in the file, from 1.
        number: usize,
        /// What the parser says.
        reason: String,
    },
    /// There is no private key in the file.
    #[error(
        "there is no private key: expected a block `-----BEGIN PRIVATE KEY-----`, `-----BEGIN EC PRIVATE KEY-----` or `-----BEGIN RSA PRIVATE KEY-----`{0}"
    )]
    NoKey(&'static str),
    /// The private key is protected by a passphrase.
    #[error(
        "the private key is encrypted; decrypt it with `openssl pkey -in KEY -out ca.key` and protect the file with chmod 600"
    )]
    EncryptedKey,
    /// The private key does not parse, or is of another kind.
    #[error(
        "the private key cannot be used: ECDSA P-256, P-384 and RSA keys in PKCS#8, SEC1 or PKCS#1 form are supported ({0})"
    )]
    UnsupportedKey(String),
    /// The RSA key is too short.
    #[error("the RSA key has {0} bits; clients refuse less than {RSA_KEY_BITS_MIN}")]
    WeakKey(usize),
    /// No certificate of the file has this key.
    #[error(
        "the private key does not belong to the certificate `{0}` nor to any other in the file"
    )]
    OtherKey(String),
    /// The certificate is not one of an authority.
    #[error(
        "`{0}` is not a certificate authority: its basic constraints lack CA:TRUE; `sallyport ca init` makes one"
    )]
    NotAnAuthority(String),
    /// Its key may not sign certificates.
    #[error("`{subject}` may not sign certificates for servers: {lacks}")]
    MayNotSign {
        /// The subject.
        subject: String,
        /// Which usage is missing.
        lacks: &'static str,
    },
    /// It, or one above it, is expired.
    #[error("`{subject}` expired on {}", date(*not_after))]
    Expired {
        /// The subject.
        subject: String,
        /// When.
        not_after: UnixTime,
    },
    /// It, or one above it, is not valid yet.
    #[error("`{subject}` is not valid before {}; is the clock right?", date(*not_before))]
    NotYetValid {
        /// The subject.
        subject: String,
        /// From when.
        not_before: UnixTime,
    },
    /// A signature in its chain has a hash that clients refuse.
    #[error(
        "`{subject}` is signed with {algorithm}, which clients refuse: have it signed again with SHA-256"
    )]
    WeakSignature {
        /// The subject.
        subject: String,
        /// The algorithm of the signature.
        algorithm: &'static str,
    },
    /// A certificate of the file is not above it, and the chain ends below a certificate that is missing.
    #[error(
        "`{subject}` was issued by `{issuer}`, whose certificate is not in the file, though `{stranger}` is: add what stands between them, or remove what does not belong there"
    )]
    Gap {
        /// The last of the chain.
        subject: String,
        /// Who is missing.
        issuer: String,
        /// The one that cannot be placed.
        stranger: String,
    },
    /// The certificate above has the right name and another key.
    #[error(
        "`{issuer}` in the file has not signed `{subject}`: the name is the same, the key another; give the certificate of the key that signed it"
    )]
    OtherIssuer {
        /// The last of the chain.
        subject: String,
        /// The name of both.
        issuer: String,
    },
    /// A certificate of the file is not above it.
    #[error(
        "certificate {number} of the file, `{subject}`, does not stand above the authority: remove it"
    )]
    Stranger {
        /// Its place in the file, from 1.
        number: usize,
        /// Its subject.
        subject: String,
    },
    /// The path length of a certificate above it forbids it to sign.
    #[error("`{0}` allows fewer certificate authorities below it than there are")]
    PathLength(String),
    /// The name constraints cannot be read.
    #[error("the name constraints of `{0}` cannot be read")]
    BadNameConstraints(String),
}
