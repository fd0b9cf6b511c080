//! What a request carries: so many octets of the fixed content, or a file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::pattern;

/// Longest body of the fixed content, octets: its checksum is computed before the run.
pub(super) const BODY_BYTES_MAX: u64 = 1 << 36;
/// Longest file, octets: it is held in memory, once for all requests.
pub(super) const BODY_FILE_BYTES_MAX: u64 = 1 << 30;

/// The body of a request; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// So many octets of `pattern`.
    Pattern(u64),
    /// The content of a file.
    File(Arc<[u8]>),
}

impl Default for Body {
    fn default() -> Self {
        Self::Pattern(0)
    }
}

/// A file cannot be sent as a body.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyFileError {
    #[error("{}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}: {bytes} bytes, more than 1 GiB", path.display())]
    TooLong { path: PathBuf, bytes: u64 },
}

impl Body {
    /// Reads a file, or says why it cannot be sent.
    pub(super) fn read(path: &Path) -> Result<Self, BodyFileError> {
        let wrong = |source| BodyFileError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let bytes = std::fs::metadata(path).map_err(wrong)?.len();
        if bytes > BODY_FILE_BYTES_MAX {
            let path = path.to_owned();
            return Err(BodyFileError::TooLong { path, bytes });
        }
        let content = std::fs::read(path).map_err(wrong)?;
        Ok(Self::File(content.into()))
    }

    /// Its length, octets.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Pattern(bytes) => *bytes,
            Self::File(content) => content.len() as u64,
        }
    }

    /// What follows from `offset` on: at least one octet unless there are none or `limit` is 0, at most
    /// `limit`.
    pub(crate) fn slice(&self, offset: u64, limit: usize) -> &[u8] {
        let left = usize::try_from(self.bytes().saturating_sub(offset)).unwrap_or(usize::MAX);
        let limit = limit.min(left);
        match self {
            Self::Pattern(_) => pattern::slice(offset, limit),
            Self::File(content) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let from = content.get(start..).unwrap_or_default();
                from.get(..limit).unwrap_or(from)
            }
        }
    }

    /// CRC-32C of all of it.
    pub(super) fn crc32c(&self) -> u32 {
        match self {
            Self::Pattern(bytes) => pattern::crc32c((*bytes).min(BODY_BYTES_MAX)),
            Self::File(content) => crc32c::crc32c(content),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_make_the_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("body");
        std::fs::write(&path, pattern::slice(0, 60_000)).unwrap();
        let bodies = [Body::Pattern(60_000), Body::read(&path).unwrap()];
        let mut wholes = bodies.iter().map(|body| {
            let mut whole = Vec::new();
            while (whole.len() as u64) < body.bytes() {
                whole.extend_from_slice(body.slice(whole.len() as u64, 7_001));
            }
            assert!(body.slice(60_000, 10).is_empty() && body.slice(0, 0).is_empty());
            (whole, body.crc32c())
        });
        assert_eq!(wholes.next(), wholes.next());
        assert!(Body::read(&folder.path().join("none")).is_err());
        assert!(Body::read(folder.path()).is_err());
    }
}
