//! What every command is given and gives: where answers go, how a command ended, and why it could not be
//! carried out. Not here: what can be asked (`cli.rs`).

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::diagnostic::Colors;
use crate::import::{FolderError, ImportError};
use crate::pipeline::RootError;
use crate::source::{BundleFileError, NoFileName};
use crate::tools::request::RequestError;

/// Where answers go.
#[expect(missing_debug_implementations, reason = "writers have no debug form")]
pub struct Terminal<'a> {
    /// Results.
    pub out: &'a mut dyn Write,
    /// Problems.
    pub err: &'a mut dyn Write,
    /// For problems.
    pub colors: Colors,
    /// A person watches standard error: progress may be shown there.
    pub is_watched: bool,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All is well.
    Good,
    /// The ruleset has problems; what was asked for does not hold.
    Problems,
    /// It could not be found out whether what was asked for holds.
    Undecided,
}

/// A command could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// An argument that makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A path that names no file.
    #[error(transparent)]
    NoFileName(#[from] NoFileName),
    /// A request that cannot be understood.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The ruleset file cannot be read.
    #[error(transparent)]
    Root(#[from] RootError),
    /// A bundle cannot be read, or is none.
    #[error(transparent)]
    Bundle(#[from] BundleFileError),
    /// A file cannot be read.
    #[error("cannot read `{}`: {error}", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file does not hold what it should.
    #[error("`{}`: {problem}", path.display())]
    Content {
        /// Its path.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Nothing can be imported.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The folder of an import was not written.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file cannot be written.
    #[error("cannot write `{}`: {error}", path.display())]
    Write {
        /// Its path.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The terminal cannot be written.
    #[error("cannot write the answer: {0}")]
    Terminal(#[from] io::Error),
}

impl CliError {
    /// A file has lines, and none of them is one of an access log.
    pub(crate) fn no_log(path: &Path, offset: u64, why: &str) -> Self {
        Self::Content {
            path: path.to_owned(),
            problem: format!("this is no access log: at byte {offset}: {why}"),
        }
    }
}

/// How problems are said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For editors and CI
    Json,
}
