//! Heads and chunked bodies, parsed for tests: slow, obvious, and not the code under test.

/// Start line and fields of a head, without its empty line.
pub(crate) fn parse_head(head: &[u8]) -> (String, Vec<(String, String)>) {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.trim_end_matches("\r\n").split("\r\n");
    let start = lines.next().unwrap_or_default().to_owned();
    (start, lines.map(parse_field).collect())
}

fn parse_field(line: &str) -> (String, String) {
    let (name, value) = line
        .split_once(':')
        .unwrap_or_else(|| panic!("no field line: {line:?}"));
    (name.to_owned(), value.trim().to_owned())
}

/// The values of a field, in order.
pub(crate) fn header_values(headers: &[(String, String)], name: &str) -> Vec<String> {
    let wanted = headers
        .iter()
        .filter(|(other, _)| other.eq_ignore_ascii_case(name));
    wanted.map(|(_, value)| value.clone()).collect()
}

/// The length of the head at the start of `bytes`, its empty line included.
pub(crate) fn head_end(bytes: &[u8]) -> Option<usize> {
    find(bytes, b"\r\n\r\n").map(|start| start + 4)
}

/// Where `needle` is first found.
pub(crate) fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes
        .windows(needle.len())
        .position(|window| window == needle)
}

/// A whole chunked body at the start of `bytes`.
#[derive(Debug)]
pub(crate) struct Chunked {
    pub(crate) data: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
    /// Bytes that it takes up.
    pub(crate) length: usize,
}

/// Decodes a chunked body (RFC 9112 section 7.1); `None` if it is not yet whole.
pub(crate) fn parse_chunked(bytes: &[u8]) -> Option<Chunked> {
    let mut data = Vec::new();
    let mut at = 0;
    loop {
        let line_end = at + find(&bytes[at..], b"\r\n")?;
        let line = std::str::from_utf8(&bytes[at..line_end]).expect("a chunk size");
        let digits = line.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("{line:?}"));
        at = line_end + 2;
        if size == 0 {
            break;
        }
        data.extend_from_slice(bytes.get(at..at + size)?);
        assert_eq!(
            bytes.get(at + size..at + size + 2)?,
            b"\r\n",
            "the end of a chunk"
        );
        at += size + 2;
    }
    let mut trailers = Vec::new();
    loop {
        let line_end = at + find(&bytes[at..], b"\r\n")?;
        let line = String::from_utf8_lossy(&bytes[at..line_end]);
        at = line_end + 2;
        if line.is_empty() {
            return Some(Chunked {
                data,
                trailers,
                length: at,
            });
        }
        trailers.push(parse_field(&line));
    }
}
