//! From a bundle file to a loaded bundle.
//!
//! The file is copied into an anonymous mapping that all shards share. Mapping the file itself would
//! save the copy (a millisecond for a large bundle), but then whoever truncates or overwrites the
//! file in place ends this process, or changes rules that have been validated.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::{Mmap, MmapMut};

use sallyport_ruleset::{Bundle, BundleError, PublicKey, SignatureError};
use thiserror::Error;

use crate::config::Config;
use crate::limits::BUNDLE_BYTES_MAX;

/// Why a bundle cannot be used.
#[derive(Debug, Error)]
pub(crate) enum BundleStoreError {
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: {bytes} bytes are more than a bundle may have ({BUNDLE_BYTES_MAX})", path.display())]
    TooLarge { path: PathBuf, bytes: u64 },
    #[error("{}: not a usable bundle: {source}; compile it again with sallyport-rules", path.display())]
    Invalid { path: PathBuf, source: BundleError },
    #[error("{}: {source} (trusted_keys)", path.display())]
    NotTrusted {
        path: PathBuf,
        source: SignatureError,
    },
}

/// Tells one content of a file from the next without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Fingerprint {
    fn new(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }

    /// The file as it is now, if it can be seen.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        path.metadata().ok().as_ref().map(Self::new)
    }
}

impl Fingerprint {
    /// The files that say who clients are.
    pub(crate) fn of_identity(config: &Config) -> Vec<Option<Self>> {
        let auth = &config.auth;
        let keys = auth.issuers.iter().map(|issuer| &issuer.jwks);
        let files = auth.users.iter().chain(&auth.tokens).chain(keys);
        files.map(|file| Self::of(&file.path)).collect()
    }
}

/// Loads and validates the bundle at `path`. If there are trusted keys, one of them must have
/// signed it.
pub(crate) fn load(path: &Path, trusted: &[PublicKey]) -> Result<Arc<Bundle>, BundleStoreError> {
    let unreadable = |source| BundleStoreError::Read {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let bytes = file.metadata().map_err(unreadable)?.len();
    let length = match usize::try_from(bytes) {
        Ok(length) if bytes <= BUNDLE_BYTES_MAX => length,
        _ => {
            return Err(BundleStoreError::TooLarge {
                path: path.to_owned(),
                bytes,
            });
        }
    };
    let mapping = copy(&mut file, length).map_err(unreadable)?;
    let bundle = Bundle::load(mapping).map_err(|source| BundleStoreError::Invalid {
        path: path.to_owned(),
        source,
    })?;
    if !trusted.is_empty() {
        let not_trusted = |source| BundleStoreError::NotTrusted {
            path: path.to_owned(),
            source,
        };
        bundle.verify(trusted).map_err(not_trusted)?;
    }
    Ok(Arc::new(bundle))
}

fn copy(file: &mut File, length: usize) -> io::Result<Mmap> {
    // A mapping of nothing is an error; the loader says better what is wrong with an empty file.
    let mut mapping = MmapMut::map_anon(length.max(1))?;
    if let Some(content) = mapping.get_mut(..length) {
        file.read_exact(content)?;
    }
    mapping.make_read_only()
}
