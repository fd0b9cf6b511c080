//! Why a `ca` command failed.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::tls::FileError;

/// Each text says what to do about it.
#[derive(Debug, Error)]
pub(crate) enum CaError {
    /// There is one already.
    #[error("{} exists and is not overwritten: clients may trust it; choose another folder", .0.display())]
    Exists(PathBuf),
    /// A file or folder cannot be written.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] FileError),
    /// It is no certificate.
    #[error("{}: {reason}", path.display())]
    NotACertificate {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        reason: String,
    },
    /// The key or certificate could not be made.
    #[error("cannot make the key or certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// No random numbers.
    #[error("no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    /// The end of the validity lies beyond what dates can say.
    #[error("a validity of {0} days is not possible")]
    Days(u32),
}
