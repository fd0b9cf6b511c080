//! Changing a file in one step: whoever reads it sees it as it was, or as it is to be.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::error::AccountError;

/// The text of a file; empty if there is none.
pub(super) fn text(path: &Path) -> Result<String, AccountError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(failed(path, error)),
    }
}

/// Puts `text` in place of what the file has. A new one is for its owner only; one that is there keeps its
/// permissions.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), AccountError> {
    let replaced = || -> io::Result<()> {
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or_else(|| Path::new(".")))?;
        let mode = fs::metadata(path).map_or(0o600, |metadata| metadata.permissions().mode());
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        let permissions = fs::Permissions::from_mode(mode & 0o777);
        file.as_file().set_permissions(permissions)?;
        file.persist(path)?;
        Ok(())
    };
    replaced().map_err(|error| failed(path, error))
}

fn failed(path: &Path, error: io::Error) -> AccountError {
    AccountError::File {
        path: path.to_owned(),
        error,
    }
}
