//! Reading the certificate authority, roots and revocation lists: the only room of `tls` that opens
//! files. At start and reload, on no shard.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use sallyport_pki::pem::{self, PemError};
use sallyport_pki::{Authority, AuthorityError};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::limits::PEM_FILE_BYTES_MAX;

/// Why a file of certificates or keys cannot be used.
#[derive(Debug, Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It is larger than such files are.
    #[error("{} has more than {PEM_FILE_BYTES_MAX} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Others may read the private key in it.
    #[error("{} holds a private key and others may read it (mode {mode:03o}): run chmod 600 {}", path.display(), path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is not a certificate authority that can be used.
    #[error("{}: {error}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// Why.
        error: AuthorityError,
    },
    /// There is neither a certificate nor a revocation list in it, or its text is damaged.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: PemError,
    },
}

/// Reads the authority of `tls.ca`. The key is in `key` if that is given, else in the same file, else
/// in the file beside it whose name ends in `.key` instead: `ca.pem`, `ca.key`.
///
/// # Errors
/// If a file cannot be read, if others may read the one with the key, or if the authority would be
/// refused by clients.
pub fn read_authority(
    certificate: &Path,
    key: Option<&Path>,
    now: UnixTime,
) -> Result<Authority, FileError> {
    let certificates = read(certificate)?;
    let beside = certificate.with_extension("key");
    let key = match key {
        Some(key) => key,
        None if pem::holds_key(&certificates) || !beside.exists() => certificate,
        None => &beside,
    };
    let key_pem = read(key)?;
    if pem::holds_key(&key_pem) {
        refuse_exposed(key)?;
    }
    for (path, bytes) in [(certificate, &certificates), (key, &key_pem)] {
        pem::refuse_other_kind(bytes).map_err(|reason| content(path, reason))?;
    }
    Authority::load(&certificates, &key_pem, now).map_err(|error| FileError::Authority {
        path: blamed(&error, certificate, key).to_owned(),
        error,
    })
}

/// Reads certificates, PEM or DER.
///
/// # Errors
/// If the file cannot be read or has no certificate.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    pem::certificates(&read(path)?).map_err(|reason| content(path, reason))
}

/// Reads certificate revocation lists, PEM or DER.
///
/// # Errors
/// If the file cannot be read or has no list.
pub fn read_revocation_lists(
    path: &Path,
) -> Result<Vec<CertificateRevocationListDer<'static>>, FileError> {
    pem::revocation_lists(&read(path)?).map_err(|reason| content(path, reason))
}

/// Reads a private key in PEM: PKCS#8, PKCS#1 or SEC1.
///
/// # Errors
/// If the file cannot be read, if others may read it, or if it has no such key.
pub fn read_private_key(path: &Path) -> Result<PrivateKeyDer<'static>, FileError> {
    let bytes = read(path)?;
    if pem::holds_key(&bytes) {
        refuse_exposed(path)?;
    }
    pem::private_key(&bytes).map_err(|reason| content(path, reason))
}

fn content(path: &Path, reason: PemError) -> FileError {
    FileError::Content {
        path: path.to_owned(),
        reason,
    }
}

/// The file that an error of the authority is about.
fn blamed<'p>(error: &AuthorityError, certificate: &'p Path, key: &'p Path) -> &'p Path {
    match error {
        AuthorityError::NoKey(_)
        | AuthorityError::EncryptedKey
        | AuthorityError::UnsupportedKey(_)
        | AuthorityError::OtherKey(_) => key,
        _ => certificate,
    }
}

/// What may hold a key is cleared when it is dropped.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let failed = |error| FileError::Read {
        path: path.to_owned(),
        error,
    };
    let file = File::open(path).map_err(failed)?;
    // At once as large as it gets: a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(PEM_FILE_BYTES_MAX + 1));
    let limit = u64::try_from(PEM_FILE_BYTES_MAX + 1).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > PEM_FILE_BYTES_MAX {
        let path = path.to_owned();
        return Err(FileError::TooLarge { path });
    }
    Ok(bytes)
}

/// A file of root's may be read by its group, which is how mounted secrets come; any other by its
/// owner only.
fn refuse_exposed(path: &Path) -> Result<(), FileError> {
    let metadata = fs::metadata(path).map_err(|error| FileError::Read {
        path: path.to_owned(),
        error,
    })?;
    let mode = metadata.mode() & 0o777;
    let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    if mode & forbidden != 0 {
        return Err(FileError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}
