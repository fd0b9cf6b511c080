//! The path and query of a request target in one spelling, so that `/a/%62/../c` cannot pass a
//! rule for `/a/c`. Not here: splitting a target into its parts (the wire crate's).

/// Brings path and query into their normal form (RFC 3986 section 6.2.2), into `out`, which is
/// overwritten and grows to at most three times the input:
///
/// * escapes of unreserved characters are decoded, the hex digits of others are upper-case;
/// * a `%` that begins no escape becomes `%25`; bytes that neither a path nor a query can hold
///   (controls, space, those above 0x7e, and `"<>[\]^{|}` with the backquote) are escaped, so that
///   `/a|b` and `/a%7Cb` are the same;
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

/// Escapes what no path or query can hold, and a `%` that begins no escape: recipients differ in what
/// they make of such bytes, and the form that rules see has them escaped. All else stays as it was
/// written. `out` is overwritten if there is something to escape; without, the input is returned.
pub fn escape_uri<'a>(input: &'a [u8], out: &'a mut Vec<u8>) -> &'a [u8] {
    if all_are(Use::SENDABLE, input) {
        return input;
    }
    out.clear();
    let mut rest = input;
    while let [first, after @ ..] = rest {
        let is_escape =
            matches!(after, [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit());
        match *first {
            b'%' if is_escape => out.push(b'%'),
            byte => push(byte, is_sendable, out),
        }
        rest = after;
    }
    out
}

/// Makes one slash of several in the path of a normal form.
pub fn merge_slashes(uri: &mut Vec<u8>) {
    let path_bytes = memchr::memchr(b'?', uri).unwrap_or(uri.len());
    let mut kept: usize = 0;
    for at in 0..uri.len() {
        let byte = uri.get(at).copied();
        let before = kept.checked_sub(1).and_then(|before| uri.get(before));
        let is_repeated = at < path_bytes && byte == Some(b'/') && before == Some(&b'/');
        if let (Some(byte), Some(place)) = (byte, uri.get_mut(kept))
            && !is_repeated
        {
            *place = byte;
            kept += 1;
        }
    }
    uri.truncate(kept);
}

/// Whether the path of a normal form holds an escaped slash or backslash, which some recipients
/// take for one that divides segments.
#[must_use]
pub fn has_escaped_slash(uri: &[u8]) -> bool {
    let path_bytes = memchr::memchr(b'?', uri).unwrap_or(uri.len());
    let path = uri.get(..path_bytes).unwrap_or(uri);
    memchr::memchr_iter(b'%', path)
        .any(|at| matches!(path.get(at + 1..at + 3), Some(b"2F" | b"5C")))
}

/// Whether a segment begins with a dot; most that do are dot segments.
fn has_dot_segment(path: &[u8]) -> bool {
    let behind = path.get(1..).unwrap_or_default();
    path.iter().zip(behind).fold(false, |any, (byte, next)| {
        any | (*byte == b'/') & (*next == b'.')
    })
}

fn normalize_escapes(input: &[u8], out: &mut Vec<u8>) {
    if all_are(Use::URI, input) {
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
            (byte, _) => push(byte, is_uri_byte, out),
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

/// What stands for itself in a path or query (RFC 3986 sections 3.3 and 3.4), and `#`, which is in no
/// request target.
#[must_use]
pub const fn is_uri_byte(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(byte, b'/' | b'?' | b'#' | b':' | b'@' | b'!' | b'$')
        || matches!(byte, b'&'..=b',' | b';' | b'=')
}

/// What a byte may be used for, as bits.
struct Use;

impl Use {
    const URI: u8 = 1;
    const SENDABLE: u8 = 2;
}

/// Of each byte; nearly every URI is looked through and found to be in order.
const USES: [u8; 256] = uses();

#[expect(
    clippy::indexing_slicing,
    reason = "runs only while the program is compiled"
)]
const fn uses() -> [u8; 256] {
    let mut uses = [0; 256];
    let mut byte = u8::MAX;
    loop {
        uses[byte as usize] =
            (Use::URI * is_uri_byte(byte) as u8) | (Use::SENDABLE * is_sendable(byte) as u8);
        if byte == 0 {
            return uses;
        }
        byte -= 1;
    }
}

/// Whether all bytes may be used so.
fn all_are(wanted: u8, bytes: &[u8]) -> bool {
    let uses = bytes.iter().fold(wanted, |all, byte| {
        all & USES.get(usize::from(*byte)).copied().unwrap_or(0)
    });
    uses == wanted
}

/// What may be sent as it was written. Browsers send `[` and `]` in queries as they are, and
/// recipients take them for what they take `%5B` and `%5D` for.
const fn is_sendable(byte: u8) -> bool {
    is_uri_byte(byte) || matches!(byte, b'[' | b']')
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

/// RFC 3986 section 5.2.4 for a path that begins with `/`, in place: segments are copied toward
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
            ("/a|b", "/a%7Cb"),
            ("/\"\\^`{}<>[]", "/%22%5C%5E%60%7B%7D%3C%3E%5B%5D"),
            ("/?{\"a\":[1]}", "/?%7B%22a%22:%5B1%5D%7D"),
            ("/:@!$&'()*+,;=-._~", "/:@!$&'()*+,;=-._~"),
            ("/a%7cb%7Cc", "/a%7Cb%7Cc"),
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

    #[test]
    fn what_is_sent_is_as_written_but_for_what_must_be_escaped() {
        for (input, expected) in [
            ("/a/../%7euser/%2f?[x]=%c3", "/a/../%7euser/%2f?[x]=%c3"),
            ("/a|b", "/a%7Cb"),
            ("/\\..\\x", "/%5C..%5Cx"),
            ("/é", "/%C3%A9"),
            ("/100%", "/100%25"),
            ("/%%36", "/%25%36"),
        ] {
            let mut out = b"left over".to_vec();
            let sent = escape_uri(input.as_bytes(), &mut out);
            assert_eq!(sent, expected.as_bytes(), "{input}");
        }
    }

    #[test]
    fn slashes() {
        for (input, expected) in [
            ("//a///b/?x=//", "/a/b/?x=//"),
            ("/", "/"),
            ("/a", "/a"),
            ("///", "/"),
        ] {
            let mut uri = input.as_bytes().to_vec();
            merge_slashes(&mut uri);
            assert_eq!(uri, expected.as_bytes(), "{input}");
        }
        for escaped in ["/a%2Fb", "/%5C", "/a%252F%2F"] {
            assert!(has_escaped_slash(escaped.as_bytes()), "{escaped}");
        }
        for other in ["/a/b", "/?%2F", "/%252F", "/%2", "/%"] {
            assert!(!has_escaped_slash(other.as_bytes()), "{other}");
        }
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
        fn what_is_sent_means_what_rules_see(input in "[/.%2eEa?61|\\\\\\[{}^`]{0,16}|\\PC{0,8}") {
            let mut out = Vec::new();
            let sent = escape_uri(input.as_bytes(), &mut out);
            let sent = str::from_utf8(sent).unwrap();
            prop_assert_eq!(uri(sent), uri(&input));
        }

        #[test]
        fn normal_forms_are_normal(input in "[/.%2eEa?61|]{0,16}|\\PC{0,8}") {
            let once = uri(&input);
            prop_assert_eq!(uri(&once), once);
        }
    }
}
