//! The output folder: it appears whole or not at all, and replaces nothing that an import did not
//! write.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::outcome::{REPORT_FILE, RULESET_FILE};

/// The folder was not written.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// There is something already.
    #[error("`{}` is there already; `--force` replaces the ruleset in it", .0.display())]
    Exists(PathBuf),
    /// What is there did not come from an import, so it is not replaced.
    #[error("`{}` holds `{}`, which no import wrote: it is not replaced", folder.display(), file.display())]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// What is in it.
        file: PathBuf,
    },
    /// It cannot be written.
    #[error("cannot write `{}`: {error}", path.display())]
    Write {
        /// What cannot be written.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// Writes the files into `folder`: into a new folder beside it first, which then takes its place.
/// An empty folder may be there; one with an earlier import in it is replaced if `force` says so.
///
/// # Errors
/// See [`FolderError`]; what was there before is then still there.
pub fn write(folder: &Path, files: &[(String, String)], force: bool) -> Result<(), FolderError> {
    let holds_import = match first_foreign(folder) {
        Ok(Contents::Nothing) => false,
        Ok(Contents::Import) if force => true,
        Ok(Contents::Foreign(file)) if force => {
            return Err(FolderError::Foreign {
                folder: folder.to_owned(),
                file,
            });
        }
        Ok(Contents::Import | Contents::Foreign(_)) => {
            return Err(FolderError::Exists(folder.to_owned()));
        }
        Err(error) => return Err(failed(folder, error)),
    };
    let new = beside(folder, "new");
    let placed = fill(&new, files).and_then(|()| place(&new, folder, holds_import));
    if placed.is_err() {
        // The first error is the one to tell; there may be nothing to remove.
        let _ = fs::remove_dir_all(&new);
    }
    placed
}

/// What a folder holds.
enum Contents {
    /// It is empty, or not there.
    Nothing,
    /// Files of an earlier import.
    Import,
    /// Something else, named.
    Foreign(PathBuf),
}

fn first_foreign(folder: &Path) -> io::Result<Contents> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Contents::Nothing),
        Err(error) => return Err(error),
    };
    let mut contents = Contents::Nothing;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let is_folder = entry.file_type()?.is_dir();
        let foreign = match (is_folder, name.to_str()) {
            (false, Some(RULESET_FILE | REPORT_FILE | "sallyport.toml" | "ruleset.spb")) => None,
            (true, Some("groups")) => other_than(&entry.path(), "toml")?,
            (true, Some("lists")) => other_than(&entry.path(), "txt")?,
            _ => Some(entry.path()),
        };
        if let Some(path) = foreign {
            return Ok(Contents::Foreign(path));
        }
        contents = Contents::Import;
    }
    Ok(contents)
}

/// Something in the folder that is no file with this ending.
fn other_than(folder: &Path, extension: &str) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let fits = path.extension().is_some_and(|found| found == extension);
        if !fits || !entry.file_type()?.is_file() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn fill(new: &Path, files: &[(String, String)]) -> Result<(), FolderError> {
    fs::create_dir(new).map_err(|error| failed(new, error))?;
    for (name, text) in files {
        let path = new.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| failed(parent, error))?;
        }
        fs::write(&path, text).map_err(|error| failed(&path, error))?;
    }
    Ok(())
}

fn place(new: &Path, folder: &Path, holds_import: bool) -> Result<(), FolderError> {
    if !holds_import {
        // An empty folder is replaced by the system itself.
        return fs::rename(new, folder).map_err(|error| failed(folder, error));
    }
    let old = beside(folder, "old");
    fs::rename(folder, &old).map_err(|error| failed(&old, error))?;
    if let Err(error) = fs::rename(new, folder) {
        // Back to where it was; the error to tell is the first one.
        let _ = fs::rename(&old, folder);
        return Err(failed(folder, error));
    }
    fs::remove_dir_all(&old).map_err(|error| failed(&old, error))
}

/// A hidden neighbor of the folder, on the same file system.
fn beside(folder: &Path, what: &str) -> PathBuf {
    let name = folder
        .file_name()
        .map_or_else(|| "import".into(), std::ffi::OsStr::to_os_string);
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.{what}", std::process::id()));
    folder.with_file_name(hidden)
}

fn failed(path: &Path, error: io::Error) -> FolderError {
    FolderError::Write {
        path: path.to_owned(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(text: &str) -> Vec<(String, String)> {
        vec![
            (RULESET_FILE.to_owned(), text.to_owned()),
            ("groups/g.toml".to_owned(), text.to_owned()),
        ]
    }

    #[test]
    fn a_folder_is_replaced_whole_and_only_when_asked() {
        let parent = tempfile::tempdir().unwrap();
        let out = parent.path().join("out");
        write(&out, &files("one"), false).unwrap();
        let again = write(&out, &files("two"), false);
        assert!(matches!(again, Err(FolderError::Exists(_))));
        fs::write(out.join("lists.txt"), "mine").unwrap();
        let foreign = write(&out, &files("two"), true);
        assert!(matches!(foreign, Err(FolderError::Foreign { .. })));
        assert_eq!(fs::read(out.join("groups/g.toml")).unwrap(), b"one");
        fs::remove_file(out.join("lists.txt")).unwrap();
        fs::write(out.join("groups/old.toml"), "").unwrap();
        write(&out, &files("two"), true).unwrap();
        assert_eq!(fs::read(out.join("groups/g.toml")).unwrap(), b"two");
        assert!(!out.join("groups/old.toml").exists());
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_empty_folder_is_taken_and_a_missing_parent_is_told() {
        let parent = tempfile::tempdir().unwrap();
        write(parent.path().join("a/b").as_path(), &files(""), false).unwrap_err();
        fs::create_dir(parent.path().join("empty")).unwrap();
        write(&parent.path().join("empty"), &files("x"), false).unwrap();
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
    }
}
