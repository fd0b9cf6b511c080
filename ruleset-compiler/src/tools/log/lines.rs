//! The lines of a log file, in large reads. A file may be read in portions, each by a thread of
//! its own: a line belongs to the portion in which it begins.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

/// Read at once: what was read is still in a core's own cache when it is looked at.
const CHUNK_BYTES: usize = 1 << 18;
/// A longer line is none of an access log.
const LINE_BYTES_MAX: usize = 1 << 24;

/// A part of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portion(Range<u64>);

/// Cuts a file into so many portions of about the same size.
///
/// # Errors
/// When its size cannot be found out.
pub fn portions(path: &Path, count: usize) -> io::Result<Vec<Portion>> {
    let bytes = std::fs::metadata(path)?.len();
    let count = count.max(1) as u64;
    let step = bytes.div_ceil(count).max(1);
    Ok((0..count)
        .map(|number| Portion((number * step).min(bytes)..((number + 1) * step).min(bytes)))
        .collect())
}

/// Calls `visit` with each line that begins in the portion, without its end, and its offset.
/// Empty lines are passed over.
///
/// # Errors
/// When the file cannot be read.
pub fn for_each_line(
    path: &Path,
    portion: &Portion,
    mut visit: impl FnMut(u64, &[u8]),
) -> io::Result<()> {
    let Portion(range) = portion;
    let mut file = File::open(path)?;
    // From the byte before: if it ends a line, the portion begins with a whole one.
    let first = range.start.saturating_sub(1);
    file.seek(SeekFrom::Start(first))?;
    let mut buffer = vec![0; CHUNK_BYTES];
    let (mut filled, mut offset) = (0, first);
    let mut is_partial = range.start > 0;
    loop {
        if filled == buffer.len() {
            if buffer.len() >= LINE_BYTES_MAX {
                return Err(io::Error::other("a line is longer than 16 MiB"));
            }
            buffer.resize(buffer.len() * 2, 0);
        }
        let read = file.read(buffer.get_mut(filled..).unwrap_or_default())?;
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
                for_each_line(&path, &portion, |offset, line| {
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
        let whole = portions(&path, 1).unwrap();
        for_each_line(&path, &whole[0], |_, line| lengths.push(line.len())).unwrap();
        assert_eq!(lengths, [1, long.len(), 1]);
    }
}
