//! Why the program could not do what it was asked; one enum for the whole binary.
//!
//! Failures of single exchanges are not errors of the program: they are counted, see
//! `worker::failure`.

use std::io;
use std::path::PathBuf;

use crate::plan::problem::PlanErrors;

/// What ends the program with a message and a failing exit status.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The command line asks for something that cannot be.
    #[error("{0}")]
    Usage(String),
    /// The plan asks for something that cannot be; one line for each problem.
    #[error("{0}")]
    Plan(PlanErrors),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A certificate or key file is unusable.
    #[error("{}: {reason}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The TLS library refused the set-up.
    #[error("tls: {0}")]
    Tls(#[from] rustls::Error),
    /// The operating system refused something.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A thread of the meter or the origin ended abnormally.
    #[error("a thread ended abnormally")]
    Thread,
}

impl LoadError {
    /// Wraps an operating-system error with what was being done.
    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}
