//! Files that an import reads: the one that is named, and those that it names in turn. Files are
//! read through `source`; only folders are looked through here, for `include` with wildcards.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sallyport_ruleset::matcher::glob;

use crate::source::{DiskFiles, ReadError, SourceFiles};

/// Gives text by path.
pub trait InputFiles {
    /// The text of a file; bytes that are no UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// Why it cannot be read, in words.
    fn text(&self, path: &str) -> Result<String, ReadError>;

    /// Paths that match a pattern with wildcards in its last part, sorted.
    ///
    /// # Errors
    /// Why the folder cannot be read, in words.
    fn matching(&self, pattern: &str) -> Result<Vec<String>, ReadError>;
}

/// Files on the disk.
#[derive(Debug)]
pub struct DiskInput {
    files: DiskFiles,
    folder: PathBuf,
    root: Option<PathBuf>,
}

impl DiskInput {
    /// Relative paths are looked for in `folder`, absolute ones below `root` if that is given: a
    /// configuration may have been copied from another machine with all that it names.
    #[must_use]
    pub fn new(folder: &Path, root: Option<&Path>) -> Self {
        Self {
            files: DiskFiles::new(folder),
            folder: folder.to_owned(),
            root: root.map(Path::to_owned),
        }
    }

    fn place(&self, path: &str) -> PathBuf {
        match (&self.root, path.strip_prefix('/')) {
            (Some(root), Some(below)) => root.join(below),
            _ => self.folder.join(path),
        }
    }
}

impl InputFiles for DiskInput {
    fn text(&self, path: &str) -> Result<String, ReadError> {
        let place = self.place(path);
        let bytes = match (&self.root, place.to_str()) {
            (Some(_), Some(place)) => DiskFiles::new("").read(place)?,
            _ => self.files.read(path)?,
        };
        if bytes.len() > crate::limits::SOURCE_FILE_BYTES_MAX {
            return Err(ReadError::TooLarge);
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn matching(&self, pattern: &str) -> Result<Vec<String>, ReadError> {
        let (folder, last) = split(pattern);
        let place = self.place(if folder.is_empty() { "." } else { folder });
        let mut found = Vec::new();
        for entry in std::fs::read_dir(place)? {
            if let Some(name) = entry?.file_name().to_str()
                && !name.starts_with('.')
                && glob::matches(last.as_bytes(), name.as_bytes())
            {
                found.push(format!("{folder}{name}"));
            }
        }
        found.sort();
        Ok(found)
    }
}

/// Files in memory, for tests and fuzzing.
#[derive(Clone, Debug, Default)]
pub struct MemoryInput {
    files: BTreeMap<String, String>,
}

impl MemoryInput {
    /// Adds a file.
    #[must_use]
    pub fn with(mut self, path: impl Into<String>, text: impl Into<String>) -> Self {
        self.files.insert(path.into(), text.into());
        self
    }
}

impl InputFiles for MemoryInput {
    fn text(&self, path: &str) -> Result<String, ReadError> {
        let text = self.files.get(path).cloned();
        text.ok_or(ReadError::NoSuchFile)
    }

    fn matching(&self, pattern: &str) -> Result<Vec<String>, ReadError> {
        let fits = |path: &&String| glob::matches(pattern.as_bytes(), path.as_bytes());
        Ok(self.files.keys().filter(fits).cloned().collect())
    }
}

/// The folder with its slash, and the last part.
fn split(path: &str) -> (&str, &str) {
    path.split_at(path.rfind('/').map_or(0, |slash| slash + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_paths_may_live_below_a_root() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("etc/conf.d")).unwrap();
        for name in ["b.conf", "a.conf", "c.txt", ".d.conf"] {
            std::fs::write(root.path().join("etc/conf.d").join(name), name).unwrap();
        }
        let input = DiskInput::new(Path::new("nowhere"), Some(root.path()));
        let found = input.matching("/etc/conf.d/*.conf").unwrap();
        assert_eq!(found, ["/etc/conf.d/a.conf", "/etc/conf.d/b.conf"]);
        assert_eq!(input.text("/etc/conf.d/c.txt").as_deref(), Ok("c.txt"));
        assert!(input.text("relative").is_err());
        let plain = DiskInput::new(&root.path().join("etc"), None);
        assert_eq!(plain.matching("conf.d/c*").unwrap(), ["conf.d/c.txt"]);
        assert_eq!(plain.text("conf.d/c.txt").as_deref(), Ok("c.txt"));
    }
}
