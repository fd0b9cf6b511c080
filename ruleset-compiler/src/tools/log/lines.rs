//! The lines of a log, in large reads. A plain file may be read in portions, each by a thread of its
//! own: a line belongs to the portion in which it begins. What comes from a pipe or is compressed is one
//! part (`input.rs` finds out).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Read at once: what was read is still in a core's own cache when it is looked at.
const CHUNK_BYTES: usize = 1 << 18;
/// A longer line is none of an access log.
const LINE_BYTES_MAX: usize = 1 << 24;

/// A part of a log that one thread reads.
pub enum Part {
    /// Bytes of a plain file.
    Portion(PathBuf, Range<u64>),
    /// All of what is no plain file.
    Stream(Box<dyn Read + Send>),
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Portion(path, range) => {
                f.debug_tuple("Portion").field(path).field(range).finish()
            }
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// Cuts a file into so many portions of about the same size.
///
/// # Errors
/// When its size cannot be found out.
pub(super) fn portions(path: &Path, count: usize) -> io::Result<Vec<Part>> {
    let bytes = std::fs::metadata(path)?.len();
    let count = count.max(1) as u64;
    let step = bytes.div_ceil(count).max(1);
    Ok((0..count)
        .map(|number| {
            let range = (number * step).min(bytes)..((number + 1) * step).min(bytes);
            Part::Portion(path.to_owned(), range)
        })
        .collect())
}

impl Part {
    /// Calls `visit` with each line that begins in this part, without its end, and its offset in the
    /// log as text. Empty lines are passed over.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn for_each_line(self, visit: impl FnMut(u64, &[u8])) -> io::Result<()> {
        match self {
            Self::Portion(path, range) => {
                let mut file = File::open(path)?;
                // From the byte before: if it ends a line, the portion begins with a whole one.
                file.seek(SeekFrom::Start(range.start.saturating_sub(1)))?;
                lines(file, range, visit)
            }
            Self::Stream(stream) => lines(stream, 0..u64::MAX, visit),
        }
    }
}

/// The lines that begin in a range; the reader stands one byte before it, or at the very start.
fn lines(
    mut reader: impl Read,
    range: Range<u64>,
    mut visit: impl FnMut(u64, &[u8]),
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    let (mut filled, mut offset) = (0, range.start.saturating_sub(1));
    let mut is_partial = range.start > 0;
    loop {
        if filled == buffer.len() {
            if buffer.len() >= LINE_BYTES_MAX {
                return Err(io::Error::other("a line is longer than 16 MiB"));
            }
            buffer.resize(buffer.len() * 2, 0);
        }
        let read = match reader.read(buffer.get_mut(filled..).unwrap_or_default()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        filled += read;
        let mut rest = buffer.get(..filled).unwrap_or_default();
        while let Some(end) = memchr::memchr(b'\n', rest) {
            if offset >= range.end {
                return Ok(());
            }
            let (line, after) = rest.split_at(end);
            if !is_partial && !line.is_empty() {
                visit(offset, line);
            }
            is_partial = false;
            rest = after.get(1..).unwrap_or_default();
            offset += end as u64 + 1;
        }
        let left = rest.len();
        if read == 0 {
            if left > 0 && offset < range.end && !is_partial {
                visit(offset, rest);
            }
            return Ok(());
        }
        buffer.copy_within(filled - left..filled, 0);
        filled = left;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn portions_give_each_line_once(text in "[ab\n]{0,60}", count in 1..6_usize) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log");
            std::fs::write(&path, &text).unwrap();
            let mut found = Vec::new();
            for portion in portions(&path, count).unwrap() {
                portion.for_each_line(|offset, line| {
                    let at = usize::try_from(offset).unwrap();
                    assert_eq!(text.as_bytes().get(at..at + line.len()), Some(line));
                    found.push(String::from_utf8(line.to_vec()).unwrap());
                }).unwrap();
            }
            let expected: Vec<_> = text.split('\n').filter(|line| !line.is_empty()).collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn lines_longer_than_a_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let long = "x".repeat(CHUNK_BYTES * 2 + 5);
        std::fs::write(&path, format!("a\n{long}\nb")).unwrap();
        let mut lengths = Vec::new();
        let whole = portions(&path, 1).unwrap().pop().unwrap();
        whole
            .for_each_line(|_, line| lengths.push(line.len()))
            .unwrap();
        assert_eq!(lengths, [1, long.len(), 1]);
    }
}
