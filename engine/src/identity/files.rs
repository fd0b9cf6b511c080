//! Reading the files of users, tokens and keys of issuers: at start and reload, on no shard.

use std::fs::File;
use std::io::{self, Read};

use sallyport_identity::{KeySet, PasswordFile, TokenFile};
use thiserror::Error;

use crate::config::checked::FileKey;
use crate::limits::IDENTITY_FILE_BYTES_MAX;

/// Why a file that says who clients are cannot be used, and where the configuration names it.
#[derive(Debug, Error)]
#[error("line {line}: {key}: {reason}")]
pub(crate) struct IdentityFileError {
    /// The key of the configuration.
    key: &'static str,
    /// The line of the key.
    line: usize,
    /// The file, and what is wrong with it.
    reason: String,
}

impl IdentityFileError {
    fn of(file: &FileKey, reason: impl ToString) -> Self {
        Self {
            key: file.key,
            line: file.line,
            reason: format!("{}: {}", file.path.display(), reason.to_string()),
        }
    }
}

/// Reads a file of users.
pub(super) fn users(file: &FileKey) -> Result<PasswordFile, IdentityFileError> {
    let text = text(file)?;
    PasswordFile::parse(&text).map_err(|errors| IdentityFileError::of(file, errors))
}

/// Reads a file of tokens.
pub(super) fn tokens(file: &FileKey) -> Result<TokenFile, IdentityFileError> {
    let text = text(file)?;
    TokenFile::parse(&text).map_err(|error| IdentityFileError::of(file, error))
}

/// Reads the keys of an issuer, and tells of those that are of no use here.
pub(super) fn keys(file: &FileKey) -> Result<KeySet, IdentityFileError> {
    let keys = KeySet::parse(&bytes(file)?).map_err(|error| IdentityFileError::of(file, error))?;
    for key in keys.passed_over() {
        tracing::info!(file = %file.path.display(), "a key of an issuer is not used: {key}");
    }
    Ok(keys)
}

fn text(file: &FileKey) -> Result<String, IdentityFileError> {
    String::from_utf8(bytes(file)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        IdentityFileError::of(file, format!("not UTF-8 at byte {at}"))
    })
}

fn bytes(file: &FileKey) -> Result<Vec<u8>, IdentityFileError> {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let bound = IDENTITY_FILE_BYTES_MAX as u64 + 1;
        File::open(&file.path)?
            .take(bound)
            .read_to_end(&mut bytes)?;
        if bytes.len() > IDENTITY_FILE_BYTES_MAX {
            let message = format!("larger than {IDENTITY_FILE_BYTES_MAX} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        Ok(bytes)
    };
    read().map_err(|error| IdentityFileError::of(file, format!("cannot be read: {error}")))
}
