//! What a log comes from: a file, standard input or another pipe, as text or compressed. What it is
//! compressed with is told by its first bytes, whatever its name. Not here: its lines (`lines.rs`).

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::lines::{Part, portions};

/// First bytes of what is no log as it stands, and what that is. The first two can be read.
const KINDS: [(&[u8], Kind); 9] = [
    (b"\x1f\x8b", Kind::Gzip),
    (b"\x28\xb5\x2f\xfd", Kind::Zstd),
    (b"\xfd7zXZ\0", Kind::Other("compressed by xz")),
    (b"BZh", Kind::Other("compressed by bzip2")),
    (b"PK\x03\x04", Kind::Other("a zip archive")),
    (b"\x04\x22\x4d\x18", Kind::Other("compressed by lz4")),
    (b"\xff\xfe", Kind::Other("text in UTF-16")),
    (b"\xfe\xff", Kind::Other("text in UTF-16")),
    (b"\x1f\x9d", Kind::Other("compressed by compress")),
];
/// As long as the longest of them.
const MAGIC_BYTES: u64 = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Gzip,
    Zstd,
    Other(&'static str),
}

impl Kind {
    fn of(start: &[u8]) -> Self {
        let found = KINDS.iter().find(|(magic, _)| start.starts_with(magic));
        found.map_or(Self::Text, |(_, kind)| *kind)
    }
}

/// Whether a path stands for standard input.
#[must_use]
pub fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Opens a log; `-` is standard input. A plain file is cut into `parts_max` parts, which may be read side
/// by side; anything else is one.
///
/// # Errors
/// When it cannot be read, or is compressed by what is not read here.
pub fn open(path: &Path, parts_max: usize) -> io::Result<Vec<Part>> {
    if is_standard_input(path) {
        return Ok(vec![stream(io::stdin())?]);
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Ok(vec![stream(file)?]);
    }
    let mut start = Vec::new();
    (&file).take(MAGIC_BYTES).read_to_end(&mut start)?;
    match Kind::of(&start) {
        Kind::Text => portions(path, parts_max),
        _ => Ok(vec![stream(File::open(path)?)?]),
    }
}

fn stream(mut reader: impl Read + Send + 'static) -> io::Result<Part> {
    let mut start = Vec::new();
    reader.by_ref().take(MAGIC_BYTES).read_to_end(&mut start)?;
    let kind = Kind::of(&start);
    let whole = io::Cursor::new(start).chain(reader);
    Ok(Part::Stream(match kind {
        Kind::Text => Box::new(whole),
        // Rotated logs are often put together from several members, of gzip as of zstd.
        Kind::Gzip => Box::new(MultiGzDecoder::new(whole)),
        Kind::Zstd => Box::new(zstd::Decoder::new(whole)?),
        Kind::Other(what) => {
            let said = format!("it is {what}; what is read is text in UTF-8, gzip and zstd");
            return Err(io::Error::new(io::ErrorKind::InvalidData, said));
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn lines(bytes: &[u8]) -> io::Result<Vec<(u64, String)>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("log");
        std::fs::write(&path, bytes)?;
        let mut found = Vec::new();
        for part in open(&path, 3)? {
            part.for_each_line(|offset, line| {
                found.push((offset, String::from_utf8(line.to_vec()).unwrap()));
            })?;
        }
        Ok(found)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(text).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn what_is_compressed_has_the_lines_of_its_text() {
        let text = "one\ntwo\n\nthree".as_bytes();
        let expected =
            [(0, "one"), (4, "two"), (9, "three")].map(|(at, line)| (at, line.to_owned()));
        let zstd = |text: &[u8]| zstd::encode_all(text, 1).unwrap();
        let (first, second) = text.split_at(5);
        for bytes in [
            text.to_vec(),
            gzip(text),
            zstd(text),
            [gzip(first), gzip(second)].concat(),
            [zstd(first), zstd(second)].concat(),
        ] {
            assert_eq!(lines(&bytes).unwrap(), expected);
        }
        for short in ["", "a", "\n"] {
            assert_eq!(
                lines(&gzip(short.as_bytes())).unwrap().len(),
                short.trim().len()
            );
            assert_eq!(lines(short.as_bytes()).unwrap().len(), short.trim().len());
        }
    }

    #[test]
    fn what_is_cut_or_not_read_here_is_an_error() {
        let whole = gzip("a line\n".repeat(1_000).as_bytes());
        assert!(lines(&whole[..whole.len() / 2]).is_err());
        let whole = zstd::encode_all("a line\n".repeat(1_000).as_bytes(), 1).unwrap();
        assert!(lines(&whole[..whole.len() / 2]).is_err());
        for (bytes, expected) in [
            (&b"\xfd7zXZ\0rest"[..], "xz"),
            (b"PK\x03\x04", "zip"),
            (b"\xff\xfe{\0", "UTF-16"),
        ] {
            assert!(lines(bytes).unwrap_err().to_string().contains(expected));
        }
        assert!(open(Path::new("/"), 1).is_err());
    }
}
