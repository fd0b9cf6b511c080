//! What is known of an origin from the certificate that it sent: facts for rules and the log, and
//! the names that a minted certificate takes over.
//!
//! It reads; whether the certificate is to be believed is for `verify` to say. The transaction makes
//! one per upstream connection and keeps it as long as that.

use std::fmt::Write as _;

use rustls::pki_types::UnixTime;
use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::certificate::{address, unix_time};
use crate::distinguished_name;
use crate::limits::{MINTED_NAMES_BYTES_MAX, MINTED_NAMES_MAX};
use crate::name::CertificateName;

/// The facts of an origin's own certificate.
///
/// Bytes that are no certificate have a fingerprint and nothing else.
#[derive(Debug, Clone)]
pub struct OriginCertificate {
    sha256: [u8; 32],
    sha256_hex: String,
    issuer: String,
    common_name: Option<String>,
    names: Vec<CertificateName>,
    not_after: Option<UnixTime>,
}

impl OriginCertificate {
    /// Reads the first certificate of a chain (`peer_certificates()[0]`).
    #[must_use]
    pub fn read(der: &[u8]) -> Self {
        let sha256: [u8; 32] = Sha256::digest(der).into();
        let mut facts = Self {
            sha256,
            sha256_hex: hex(&sha256),
            issuer: String::new(),
            common_name: None,
            names: Vec::new(),
            not_after: None,
        };
        if let Ok((_, certificate)) = X509Certificate::from_der(der) {
            facts.issuer = distinguished_name::rfc_4514(certificate.issuer());
            facts.common_name = distinguished_name::common_name(certificate.subject());
            facts.names = names(&certificate).unwrap_or_default();
            facts.not_after = unix_time(certificate.validity().not_after.timestamp());
        }
        facts
    }

    /// Fingerprint of the whole certificate.
    #[must_use]
    pub const fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// The same as 64 lower-case hexadecimal digits: `response:TlsSha256`.
    #[must_use]
    pub fn sha256_hex(&self) -> &str {
        &self.sha256_hex
    }

    /// The issuer as in RFC 4514, most specific part first: `response:TlsIssuer`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The hosts that it names. Empty if there are more than a minted certificate takes over.
    #[must_use]
    pub fn names(&self) -> &[CertificateName] {
        &self.names
    }

    /// The common name of its subject.
    #[must_use]
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }

    /// End of its validity.
    #[must_use]
    pub const fn not_after(&self) -> Option<UnixTime> {
        self.not_after
    }
}

/// `None` if there are too many to take over.
fn names(certificate: &X509Certificate<'_>) -> Option<Vec<CertificateName>> {
    let extension = certificate.subject_alternative_name().ok()??;
    let mut names = Vec::new();
    let mut bytes = 0;
    for name in &extension.value.general_names {
        let name = match name {
            GeneralName::DNSName(name) => CertificateName::dns(name),
            GeneralName::IPAddress(octets) => address(octets).map(CertificateName::Address),
            _ => None,
        };
        let Some(name) = name else {
            continue;
        };
        bytes += name.encoded_len();
        names.push(name);
        if names.len() > MINTED_NAMES_MAX || bytes > MINTED_NAMES_BYTES_MAX {
            return None;
        }
    }
    Some(names)
}

/// Lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
