//! What a configuration depends on beside its text.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What the command line says in place of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--ruleset`; relative to the current folder, unlike paths in the file.
    pub ruleset: Option<PathBuf>,
}

/// All that a configuration depends on beside its text.
pub struct Environment<'a> {
    /// The file; paths in it are relative to its folder, and problems name it.
    pub file: &'a Path,
    /// What the command line says.
    pub overrides: &'a Overrides,
    /// The default of `shards`.
    pub cores: usize,
    /// Reads a file that the configuration names, or `/etc/resolv.conf`.
    pub read: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
}

impl Environment<'_> {
    /// What paths in the file are relative to.
    pub(super) fn base_dir(&self) -> PathBuf {
        self.file.parent().map(Path::to_owned).unwrap_or_default()
    }
}

impl fmt::Debug for Environment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("file", &self.file)
            .field("overrides", &self.overrides)
            .field("cores", &self.cores)
            .finish_non_exhaustive()
    }
}
