//! Certificates, revocation lists and private keys out of the bytes of a file, PEM or DER.
//!
//! Who reads the file stands outside. `authority` reads its own two files, whose faults are told in
//! more detail.

use memchr::memmem;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use thiserror::Error;

use crate::file_kind::{is_pkcs12, other_blocks, other_kind};

/// Why the bytes of a file do not hold what was wanted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PemError {
    /// It is a file of another kind; the words say which, and how it becomes PEM.
    #[error("{0}")]
    OtherKind(&'static str),
    /// A block has no end, or its content is not base64.
    #[error("the PEM text is damaged: {0}")]
    Damaged(String),
    /// There is no block of the kind that was wanted.
    #[error("there is no {wanted}{instead}")]
    Missing {
        /// What was wanted.
        wanted: &'static str,
        /// What is there in its place, as the end of the sentence; may be empty.
        instead: &'static str,
    },
}

/// All certificates of a PEM text, or the one of a DER file.
///
/// # Errors
/// If there is none.
pub fn certificates(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    objects(bytes, "certificate", CertificateDer::from)
}

/// All certificate revocation lists of a PEM text, or the one of a DER file.
///
/// # Errors
/// If there is none.
pub fn revocation_lists(
    bytes: &[u8],
) -> Result<Vec<CertificateRevocationListDer<'static>>, PemError> {
    objects(
        bytes,
        "certificate revocation list",
        CertificateRevocationListDer::from,
    )
}

/// The first private key of a PEM text: PKCS#8, PKCS#1 or SEC1.
///
/// # Errors
/// If there is none.
pub fn private_key(bytes: &[u8]) -> Result<PrivateKeyDer<'static>, PemError> {
    refuse_other_kind(bytes)?;
    PrivateKeyDer::from_pem_slice(bytes).map_err(|error| match error {
        pem::Error::NoItemsFound => PemError::Missing {
            wanted: "private key",
            instead: other_blocks(bytes),
        },
        error => PemError::Damaged(damage(&error)),
    })
}

/// Whether a private key of any form is in the text, encrypted ones too.
#[must_use]
pub fn holds_key(bytes: &[u8]) -> bool {
    memmem::find(bytes, b"PRIVATE KEY-----").is_some()
}

/// Tells a file that is no PEM text at all from one that may be.
///
/// # Errors
/// [`PemError::OtherKind`].
pub fn refuse_other_kind(bytes: &[u8]) -> Result<(), PemError> {
    other_kind(bytes).map_or(Ok(()), |words| Err(PemError::OtherKind(words)))
}

/// What is wrong with a PEM text, for people.
pub(crate) fn damage(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { end_marker } => {
            let kind = String::from_utf8_lossy(end_marker);
            format!("a block has no line `-----END {kind}-----`")
        }
        pem::Error::IllegalSectionStart { line } => {
            let line = String::from_utf8_lossy(line);
            format!("a block begins with `{}`", line.trim_end().escape_debug())
        }
        other => other.to_string(),
    }
}

fn objects<T: PemObject>(
    bytes: &[u8],
    wanted: &'static str,
    from_der: impl FnOnce(Vec<u8>) -> T,
) -> Result<Vec<T>, PemError> {
    // A DER file is one SEQUENCE; no PEM text begins with that byte.
    if bytes.first() == Some(&0x30) && !is_pkcs12(bytes) {
        return Ok(vec![from_der(bytes.to_vec())]);
    }
    refuse_other_kind(bytes)?;
    let found: Result<Vec<T>, _> = T::pem_slice_iter(bytes).collect();
    let found = found.map_err(|error| PemError::Damaged(damage(&error)))?;
    if found.is_empty() {
        let instead = other_blocks(bytes);
        return Err(PemError::Missing { wanted, instead });
    }
    Ok(found)
}
