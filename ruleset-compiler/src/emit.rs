//! From the optimized ruleset to a bundle, and from there to a file that appears whole or not at
//! all.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sallyport_ruleset::bundle::{self, Sizes};
use sallyport_ruleset::cost::{CostlyRule, InputLimits};
use sallyport_ruleset::{BuildRecord, Bundle, BundleError, Phase, WriteError};

use crate::optimize::Optimized;
use crate::source::Sources;

/// A bundle in memory.
#[derive(Debug)]
pub struct Emitted {
    /// The file's content.
    pub bytes: Vec<u8>,
    /// Its identity, in hex.
    pub id: String,
    /// What is inside.
    pub sizes: Sizes,
    /// What a request can cost at worst, by [`sallyport_ruleset::Phase::index`].
    pub worst: [Worst; 3],
}

/// The worst that a phase can cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worst {
    /// Steps through automata and globs, with the input limits of the engine.
    pub steps: u64,
    /// The rule that costs most of them.
    pub costliest: Option<CostlyRule>,
}

impl Worst {
    fn of(bundle: &Bundle, phase: Phase) -> Self {
        let cost = bundle.certificate().phase(phase);
        let costly = cost.costly.iter().filter(|rule| rule.steps_per_byte > 0);
        Self {
            steps: cost.worst(&InputLimits::default()).steps,
            costliest: costly.max_by_key(|rule| rule.steps_per_byte).copied(),
        }
    }
}

/// Why a checked ruleset did not become a bundle.
#[derive(Debug, thiserror::Error)]
pub enum EmitError {
    /// It cannot be written; a limit of the format.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// What was written does not load: our fault.
    #[error("the bundle does not load, which is a fault of the compiler: {0}")]
    Load(#[from] BundleError),
}

/// Writes the bundle, and loads it as the engine will.
///
/// # Errors
/// See [`EmitError`].
pub fn bundle(optimized: &Optimized, sources: &Sources) -> Result<Emitted, EmitError> {
    let record = BuildRecord {
        tool_version: concat!("sallyport-rules ", env!("CARGO_PKG_VERSION")).to_owned(),
        source_digest: hex(&sources.digest()),
    };
    let bytes = bundle::write_reachable(&optimized.ruleset, &optimized.unreachable, &record)?;
    let loaded = Bundle::load(bytes.clone())?;
    Ok(Emitted {
        id: loaded.id().to_owned(),
        sizes: loaded.sizes(),
        worst: Phase::ALL.map(|phase| Worst::of(&loaded, phase)),
        bytes,
    })
}

/// Writes `bytes` to a new file beside `path` and puts it in the place of `path`: a reader sees
/// the old file or the new one, also after a crash.
///
/// # Errors
/// When the folder cannot be written; the new file is then removed again.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::other("the path does not name a file"))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.new", std::process::id()));
    let new = folder.join(hidden);
    let written = write_and_rename(&new, path, bytes);
    if written.is_err() {
        // The first error is the one to tell; there may be nothing to remove.
        let _ = std::fs::remove_file(&new);
    }
    written?;
    // The new name must survive a crash too.
    File::open(folder)?.sync_all()
}

fn write_and_rename(new: &PathBuf, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(new, path)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules.spb");
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let onto_folder = write_atomically(folder.path(), b"three");
        assert!(onto_folder.is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
