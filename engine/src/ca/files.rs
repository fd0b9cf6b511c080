//! Writing keys and certificates: never over another file, keys for nobody else to read.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::error::CaError;

/// A file to be written.
pub(super) struct Output<'a> {
    pub(super) path: PathBuf,
    pub(super) text: &'a str,
    /// Permission bits, whatever the umask.
    pub(super) mode: u32,
}

/// Only its owner may read it.
pub(super) const SECRET: u32 = 0o600;
/// Everyone may read it.
pub(super) const PUBLIC: u32 = 0o644;

/// Writes all of them or, if one is there already or cannot be written, none.
pub(super) fn write_new(folder: &Path, outputs: &[Output<'_>]) -> Result<(), CaError> {
    if let Some(present) = outputs.iter().find(|output| output.path.exists()) {
        return Err(CaError::Exists(present.path.clone()));
    }
    let failed = |path: &Path, error| CaError::Write {
        path: path.to_owned(),
        error,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(folder)
        .map_err(|error| failed(folder, error))?;
    for (index, output) in outputs.iter().enumerate() {
        if let Err(error) = write(output) {
            for written in outputs.iter().take(index) {
                drop(fs::remove_file(&written.path));
            }
            return Err(match error.kind() {
                io::ErrorKind::AlreadyExists => CaError::Exists(output.path.clone()),
                _ => failed(&output.path, error),
            });
        }
    }
    Ok(())
}

fn write(output: &Output<'_>) -> io::Result<()> {
    let mut file: File = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(SECRET)
        .open(&output.path)?;
    file.set_permissions(fs::Permissions::from_mode(output.mode))?;
    file.write_all(output.text.as_bytes())?;
    file.sync_all()
}
