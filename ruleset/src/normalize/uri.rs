//! The path and query of a request target in one spelling, so that `/a/%62/../c` cannot pass a
//! rule for `/a/c`. Not here: splitting a target into its parts (the wire crate's).

/// Brings path and query into their normal form (RFC 3986 section 6.2.2), into `out`, which is
/// overwritten and grows to at most three times the input:
///
/// * escapes of unreserved characters are decoded, the hex digits of others are upper-case;
/// * a `%` that begins no escape becomes `%25`, bytes that must be escaped (controls, space, and
///   those above 0x7e) are: without this the form would not be a fixed point;
/// * dot segments of a path that begins with `/` are removed; an empty path becomes `/`.
pub fn normalize_uri(input: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let path_bytes = memchr::memchr(b'?', input).unwrap_or(input.len());
    let (path, query) = input.split_at_checked(path_bytes).unwrap_or((input, b""));
    if path.is_empty() {
        out.push(b'/');
    }
    normalize_escapes(path, out);
    if out.first() == Some(&b'/') && has_dot_segment(out) {
        remove_dot_segments(out);
    }
    normalize_escapes(query, out);
}

/// Brings the escapes of a glob for a URI into their normal form, into `out`. Dot segments stay:
/// a `*` may stand for anything, so what `..` would remove is not known.
pub fn normalize_uri_pattern(input: &[u8], out: &mut Vec<u8>) {
    out.clear();
    normalize_escapes(input, out);
}

/// Whether a segment begins with a dot; most that do are dot segments.
fn has_dot_segment(path: &[u8]) -> bool {
    let behind = path.get(1..).unwrap_or_default();
    path.iter().zip(behind).fold(false, |any, (byte, next)| {
        any | (*byte == b'/') & (*next == b'.')
    })
}

fn normalize_escapes(input: &[u8], out: &mut Vec<u8>) {
    // Without a way out on the way this becomes vector instructions.
    if input.iter().fold(true, |all, byte| all & is_plain(*byte)) {
        out.extend_from_slice(input);
        return;
    }
    let mut rest = input;
    while let [first, after @ ..] = rest {
        rest = after;
        match (*first, after) {
            (b'%', [high, low, tail @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                push(hex_value(*high) << 4 | hex_value(*low), is_unreserved, out);
                rest = tail;
            }
            (byte, _) => push(byte, is_plain, out),
        }
    }
}

/// Appends a byte, as an escape unless `stands_for_itself`.
fn push(byte: u8, stands_for_itself: fn(u8) -> bool, out: &mut Vec<u8>) {
    if stands_for_itself(byte) {
        out.push(byte);
    } else {
        out.extend([b'%', hex_digit(byte >> 4), hex_digit(byte & 0x0f)]);
    }
}

const fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e) && byte != b'%'
}

/// RFC 3986 section 2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

const fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

const fn hex_digit(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0' + nibble,
        _ => b'A' + nibble - 10,
    }
}

/// RFC 3986 section 5.2.4 for a path that begins with `/`, in place: segments are copied towards
/// the front; `..` takes the last one back.
fn remove_dot_segments(path: &mut Vec<u8>) {
    let mut kept = 0;
    let mut start = 1;
    let is_directory = loop {
        let tail = path.get(start..).unwrap_or_default();
        let bytes = memchr::memchr(b'/', tail).unwrap_or(tail.len());
        let end = start + bytes;
        let segment = tail.get(..bytes).unwrap_or_default();
        let is_directory = match segment {
            b"." => true,
            b".." => {
                let before = path.get(..kept).unwrap_or_default();
                kept = memchr::memrchr(b'/', before).unwrap_or(0);
                true
            }
            _ => {
                // The slash before the segment moves with it.
                path.copy_within(start - 1..end, kept);
                kept += bytes + 1;
                false
            }
        };
        if end >= path.len() {
            break is_directory;
        }
        start = end + 1;
    };
    path.truncate(kept);
    if is_directory {
        path.push(b'/');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn uri(input: &str) -> String {
        let mut out = b"left over".to_vec();
        normalize_uri(input.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn normal_forms() {
        for (input, expected) in [
            ("/a/%62/../c", "/a/c"),
            ("/a/b/c/./../../g", "/a/g"),
            ("/%2e%2E/x", "/x"),
            ("/..", "/"),
            ("/a/..", "/"),
            ("/a/.", "/a/"),
            ("/a/b/..", "/a/"),
            ("/../../etc/passwd", "/etc/passwd"),
            ("/a//../b", "/a/b"),
            ("//", "//"),
            ("/.hidden/..x", "/.hidden/..x"),
            ("/%7euser/%2f%c3%a9", "/~user/%2F%C3%A9"),
            ("/é x", "/%C3%A9%20x"),
            ("/100%", "/100%25"),
            ("/%%36%31", "/%2561"),
            ("/a?b=/../%41", "/a?b=/../A"),
            ("?q", "/?q"),
            ("", "/"),
            ("*", "*"),
        ] {
            assert_eq!(uri(input), expected, "{input:?}");
        }
    }

    #[test]
    fn patterns_keep_their_dots() {
        let mut out = Vec::new();
        normalize_uri_pattern(b"*/../%62", &mut out);
        assert_eq!(out, b"*/../b");
    }

    /// RFC 3986 section 5.2.4, written with a stack of segments.
    fn naive_path(path: &str) -> String {
        let mut stack: Vec<&str> = Vec::new();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        for (position, segment) in segments.iter().enumerate() {
            let is_last = position + 1 == segments.len();
            match *segment {
                "." | ".." => {
                    if *segment == ".." {
                        stack.pop();
                    }
                    if is_last {
                        stack.push("");
                    }
                }
                other => stack.push(other),
            }
        }
        format!("/{}", stack.join("/"))
    }

    proptest! {
        #[test]
        fn dot_segments_are_those_of_the_naive_twin(path in "/[./a]{0,12}") {
            prop_assert_eq!(uri(&path), naive_path(&path));
        }

        #[test]
        fn normal_forms_are_normal(input in "[/.%2eEa?61]{0,16}|\\PC{0,8}") {
            let once = uri(&input);
            prop_assert_eq!(uri(&once), once);
        }
    }
}
