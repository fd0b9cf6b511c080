//! Why one of these commands failed.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Each text says what to do about it.
#[derive(Debug, Error)]
pub(crate) enum AccountError {
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It is there, and is no such file.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// What would be written could not be read.
    #[error("{0}")]
    Refused(String),
    /// There is no such user.
    #[error("{}: no user {name}", path.display())]
    NoUser {
        /// The file.
        path: PathBuf,
        /// Who is looked for.
        name: String,
    },
    /// The password cannot be read.
    #[error("cannot read the password: {0}")]
    Input(io::Error),
    /// There is none.
    #[error("the password is empty: give it as the first line of standard input, or on a terminal")]
    Empty,
    /// It was not the same twice.
    #[error("the two passwords differ; nothing was changed")]
    Differ,
    /// No random numbers.
    #[error("no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}
