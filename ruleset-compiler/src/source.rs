//! Source files: the only room that reads from the disk.
//!
//! A ruleset names its group files and lists by paths relative to itself. [`SourceFiles`] turns
//! such a path into bytes: [`DiskFiles`] for people, [`MemoryFiles`] for tests and fuzzing.
//! [`Sources`] keeps every file that was read, so that a [`Span`] can be shown later, and digests
//! their contents. What the text means is the business of `parse`.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sallyport_ruleset::{Bundle, BundleError};
use sha2::{Digest, Sha256};

use crate::limits::SOURCE_FILE_BYTES_MAX;

/// Gives the contents of a source file by its path relative to the ruleset file.
pub trait SourceFiles {
    /// Reads one file whole.
    ///
    /// # Errors
    /// Why it cannot be read, in words for the person who wrote the path.
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError>;
}

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// What the system says.
    #[error("{0}")]
    System(String),
    /// There is none of that name.
    #[error("no such file")]
    NoSuchFile,
    /// It is larger than [`SOURCE_FILE_BYTES_MAX`].
    #[error("it is too large")]
    TooLarge,
}

impl From<std::io::Error> for ReadError {
    fn from(error: std::io::Error) -> Self {
        Self::System(error.to_string())
    }
}

/// A path does not end in a file name that is valid UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` does not name a file", .0.display())]
pub struct NoFileName(pub PathBuf);

/// Files on the disk, relative to one folder.
#[derive(Debug)]
pub struct DiskFiles {
    folder: PathBuf,
}

impl DiskFiles {
    /// Files relative to `folder`; absolute paths are taken as they are.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Splits the path of a ruleset file into the files beside it and its own name among them.
    ///
    /// # Errors
    /// When the path does not end in one that is valid UTF-8.
    pub fn beside(ruleset: &Path) -> Result<(Self, String), NoFileName> {
        let name = ruleset
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| NoFileName(ruleset.to_owned()))?;
        Ok((
            Self::new(ruleset.parent().unwrap_or_else(|| Path::new(""))),
            name.to_owned(),
        ))
    }
}

impl SourceFiles for DiskFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        Ok(std::fs::read(self.folder.join(path))?)
    }
}

/// Reads and checks a bundle.
///
/// # Errors
/// When the file cannot be read, or is no good bundle.
pub fn load_bundle(path: &Path) -> Result<Bundle, BundleFileError> {
    let bytes = std::fs::read(path).map_err(|error| BundleFileError::Unreadable {
        path: path.to_owned(),
        error,
    })?;
    Bundle::load(bytes).map_err(|error| BundleFileError::Bad {
        path: path.to_owned(),
        error,
    })
}

/// A file is not there or no good bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleFileError {
    /// It cannot be read.
    #[error("cannot read `{}`: {error}", path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is no good bundle.
    #[error("`{}`: {error}", path.display())]
    Bad {
        /// Its path.
        path: PathBuf,
        /// Why.
        error: BundleError,
    },
}

/// Files held in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles {
    files: BTreeMap<String, Vec<u8>>,
}

impl MemoryFiles {
    /// Adds or replaces a file.
    #[must_use]
    pub fn with(mut self, path: impl Into<String>, contents: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.into(), contents.into());
        self
    }
}

impl SourceFiles for MemoryFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        self.files.get(path).cloned().ok_or(ReadError::NoSuchFile)
    }
}

/// One file among the [`Sources`] of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

/// A run of bytes in one source file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file it lies in.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// What was written.
    pub value: T,
    /// Where.
    pub span: Span,
}

/// The files read by one run, in the order they were read.
#[derive(Debug, Default)]
pub struct Sources {
    files: Vec<SourceText>,
}

#[derive(Debug)]
struct SourceText {
    name: String,
    text: String,
    /// Byte offset of each line's start; computed when a diagnostic first points into the file.
    line_starts: OnceCell<Vec<usize>>,
}

/// Why a file could not become source text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// It could not be read.
    #[error(transparent)]
    Unreadable(#[from] ReadError),
    /// It is larger than [`SOURCE_FILE_BYTES_MAX`].
    #[error("the file is larger than {} MiB", SOURCE_FILE_BYTES_MAX / (1024 * 1024))]
    TooLarge,
    /// It is UTF-16, as some editors and shells write.
    #[error("the file is UTF-16: save it as UTF-8")]
    Utf16,
    /// It is not UTF-8.
    #[error("line {line} is not valid UTF-8")]
    NotUtf8 {
        /// First line with a bad byte, from one.
        line: usize,
    },
}

/// One line of a file, and where in it a span lies.
#[derive(Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// From one.
    pub line_number: usize,
    /// In characters, from one.
    pub column: usize,
    /// The line without its end.
    pub line: &'a str,
    /// Bytes of the line that the span covers; cut at the line's end.
    pub covered: std::ops::Range<usize>,
}

/// By its mark, or as every other byte of the beginning is zero: no rule text and no list begins so.
fn is_utf16(bytes: &[u8]) -> bool {
    let has_mark = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    let is_pair = |pair: &[u8]| matches!(pair, [a, b] if (*a == 0) != (*b == 0));
    has_mark
        || bytes
            .get(..4)
            .is_some_and(|start| start.chunks(2).all(is_pair))
}

impl Sources {
    /// Reads a file through `files` and keeps it.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn load(&mut self, files: &dyn SourceFiles, path: &str) -> Result<FileId, LoadError> {
        let bytes = files.read(path)?;
        if bytes.len() > SOURCE_FILE_BYTES_MAX {
            return Err(LoadError::TooLarge);
        }
        if is_utf16(&bytes) {
            return Err(LoadError::Utf16);
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = error
                .as_bytes()
                .get(..error.utf8_error().valid_up_to())
                .unwrap_or(&[]);
            LoadError::NotUtf8 {
                line: 1 + valid.iter().filter(|byte| **byte == b'\n').count(),
            }
        })?;
        Ok(self.add(path.to_owned(), text))
    }

    fn add(&mut self, name: String, text: String) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(SourceText {
            name,
            text,
            line_starts: OnceCell::new(),
        });
        id
    }

    /// The file's path as the ruleset spells it.
    #[must_use]
    pub fn name(&self, file: FileId) -> &str {
        self.file(file).map_or("", |file| &file.name)
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self, file: FileId) -> &str {
        self.file(file).map_or("", |file| &file.text)
    }

    /// The text that a span covers.
    #[must_use]
    pub fn snippet(&self, span: Span) -> &str {
        self.text(span.file)
            .get(span.start as usize..span.end as usize)
            .unwrap_or("")
    }

    /// Line and column of a span's start.
    #[must_use]
    pub fn place(&self, span: Span) -> Place<'_> {
        let text = self.text(span.file);
        let starts = self.line_starts(span.file);
        let start = floor_char_boundary(text, span.start as usize);
        let line_number = starts
            .partition_point(|line_start| *line_start <= start)
            .max(1);
        let line_start = starts.get(line_number - 1).copied().unwrap_or(0);
        let rest = text.get(line_start..).unwrap_or("");
        let line = rest.split('\n').next().unwrap_or("").trim_end_matches('\r');
        let from = (start - line_start).min(line.len());
        let to = floor_char_boundary(text, span.end as usize).saturating_sub(line_start);
        let column = 1 + line.get(..from).unwrap_or("").chars().count();
        Place {
            line_number,
            column,
            line,
            covered: from..to.clamp(from, line.len()),
        }
    }

    /// The start of the first file, for problems that belong to the ruleset as a whole.
    #[must_use]
    pub const fn start(&self) -> Span {
        Span {
            file: FileId(0),
            start: 0,
            end: 0,
        }
    }

    /// SHA-256 over the contents of all files in the order they were read, each after its length,
    /// so that no two sets of contents give the same input. Names and paths are not part of it.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for file in &self.files {
            hash.update((file.text.len() as u64).to_le_bytes());
            hash.update(file.text.as_bytes());
        }
        hash.finalize().into()
    }

    fn file(&self, file: FileId) -> Option<&SourceText> {
        self.files.get(file.0 as usize)
    }

    fn line_starts(&self, file: FileId) -> &[usize] {
        self.file(file).map_or(&[], |file| {
            file.line_starts.get_or_init(|| {
                let after_ends = file.text.match_indices('\n').map(|(end, _)| end + 1);
                std::iter::once(0).chain(after_ends).collect()
            })
        })
    }
}

impl Span {
    /// The place right after it.
    #[must_use]
    pub const fn end(self) -> Self {
        Self {
            file: self.file,
            start: self.end,
            end: self.end,
        }
    }

    /// A span from byte offsets; files are small enough that they fit.
    #[must_use]
    pub fn new(file: FileId, range: std::ops::Range<usize>) -> Self {
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self {
            file,
            start: offset(range.start),
            end: offset(range.end),
        }
    }
}

fn floor_char_boundary(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place_of(text: &str, range: std::ops::Range<usize>) -> (usize, usize, String, String) {
        let mut sources = Sources::default();
        let file = sources.add("f".into(), text.into());
        let place = sources.place(Span::new(file, range));
        let covered = place.line[place.covered.clone()].to_owned();
        (
            place.line_number,
            place.column,
            place.line.to_owned(),
            covered,
        )
    }

    #[test]
    fn places() {
        assert_eq!(place_of("ab\ncd", 3..5), (2, 1, "cd".into(), "cd".into()));
        assert_eq!(place_of("ab\r\ncd", 1..2), (1, 2, "ab".into(), "b".into()));
        assert_eq!(place_of("äöü x", 7..8), (1, 5, "äöü x".into(), "x".into()));
        assert_eq!(place_of("ab\ncd", 1..5), (1, 2, "ab".into(), "b".into()));
        assert_eq!(place_of("ab\n", 3..3), (2, 1, String::new(), String::new()));
        assert_eq!(place_of("", 0..9), (1, 1, String::new(), String::new()));
        assert_eq!(place_of("ä", 1..1), (1, 1, "ä".into(), String::new()));
    }

    #[test]
    fn utf16_is_named() {
        for (text, mark) in [
            ("[defaults]\n", true),
            ("[defaults]\n", false),
            ("é = 1\n", true),
        ] {
            let mark = if mark { "\u{feff}" } else { "" };
            let units: Vec<u16> = format!("{mark}{text}").encode_utf16().collect();
            let little = units.iter().flat_map(|unit| unit.to_le_bytes());
            let big = units.iter().flat_map(|unit| unit.to_be_bytes());
            for bytes in [little.collect::<Vec<u8>>(), big.collect()] {
                let files = MemoryFiles::default().with("f", bytes);
                let error = Sources::default().load(&files, "f").unwrap_err();
                assert_eq!(error, LoadError::Utf16);
            }
        }
        let files = MemoryFiles::default().with("f", b"a".to_vec());
        assert!(Sources::default().load(&files, "f").is_ok());
    }

    #[test]
    fn bad_bytes_are_named_by_line() {
        let files = MemoryFiles::default().with("f", b"a\nb\n\xff".to_vec());
        let error = Sources::default().load(&files, "f").unwrap_err();
        assert_eq!(error, LoadError::NotUtf8 { line: 3 });
    }

    #[test]
    fn the_digest_depends_on_where_a_file_ends() {
        let digest = |a: &str, b: &str| {
            let mut sources = Sources::default();
            sources.add("a".into(), a.into());
            sources.add("b".into(), b.into());
            sources.digest()
        };
        assert_ne!(digest("x", "yz"), digest("xy", "z"));
        assert_eq!(digest("x", "yz"), digest("x", "yz"));
    }
}
