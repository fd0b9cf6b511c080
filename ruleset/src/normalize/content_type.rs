//! Content types: their normal form, and the several that one message can name.
//!
//! A message has one content type (RFC 9110 section 8.3). Where a sender repeats the field or
//! makes it a list, some recipients take the first, some the last, some all of it for one.

/// Most content types of one line; what is behind them stays together.
pub(crate) const CONTENT_TYPES_MAX: usize = 8;

/// Brings a content type into its normal form: lower case, no white space at the ends or around
/// `;`. `out` is overwritten; it grows to at most the length of the input.
pub fn normalize_content_type(input: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut parts = input.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    out.extend(parts.next().unwrap_or_default());
    for part in parts {
        out.push(b';');
        out.extend(part);
    }
    out.make_ascii_lowercase();
}

/// The members of a field line that is a list although it must be none. Commas in quoted strings
/// divide nothing, unless a quote is not closed: then all commas do. Empty members are left out, but
/// a line without others has the empty one. At most eight; the last holds what is left.
pub fn content_types(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let has_comma = memchr::memchr(b',', line).is_some();
    let heeds_quotes = has_comma && comma_outside(line).is_ok();
    let mut rest = Some(line);
    let mut count = 0;
    std::iter::from_fn(move || {
        loop {
            let here = rest?;
            let comma = match heeds_quotes {
                _ if !has_comma || count + 1 == CONTENT_TYPES_MAX => None,
                true => comma_outside(here).unwrap_or_default(),
                false => memchr::memchr(b',', here),
            };
            let (member, behind) = match comma.and_then(|comma| here.split_at_checked(comma)) {
                Some((member, behind)) => (member, behind.get(1..)),
                None => (here, None),
            };
            rest = behind;
            let member = member.trim_ascii();
            if !member.is_empty() || (rest.is_none() && count == 0) {
                count += 1;
                return Some(member);
            }
        }
    })
}

/// A quote that is not closed.
struct OpenQuote;

/// The first comma that is in no quoted string.
fn comma_outside(text: &[u8]) -> Result<Option<usize>, OpenQuote> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let mut first = None;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b',' if !is_quoted => first = first.or(Some(at)),
            _ => {}
        }
    }
    if is_quoted { Err(OpenQuote) } else { Ok(first) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn content_type(input: &[u8]) -> Vec<u8> {
        let mut out = b"left over".to_vec();
        normalize_content_type(input, &mut out);
        out
    }

    #[test]
    fn normal_forms() {
        assert_eq!(
            content_type(b" Text/HTML ; Charset=UTF-8 "),
            b"text/html;charset=utf-8"
        );
        assert_eq!(content_type(b"a/b"), b"a/b");
        assert_eq!(content_type(b""), b"");
    }

    #[test]
    fn a_line_can_list_several() {
        let check = |line: &str, expected: &[&str]| {
            let found: Vec<_> = content_types(line.as_bytes()).map(<[u8]>::to_vec).collect();
            let expected: Vec<_> = expected
                .iter()
                .map(|text| text.as_bytes().to_vec())
                .collect();
            assert_eq!(found, expected, "{line}");
        };
        check("text/plain", &["text/plain"]);
        check("text/plain;a=b , a/b", &["text/plain;a=b", "a/b"]);
        check("text/plain;a=\"b, c\"", &["text/plain;a=\"b, c\""]);
        check("a;b=\"\\\",\",c", &["a;b=\"\\\",\"", "c"]);
        check("a;b=\"c, d/e", &["a;b=\"c", "d/e"]);
        check("\"a,b\",\"c,d", &["\"a", "b\"", "\"c", "d"]);
        check("", &[""]);
        check(" , ,", &[""]);
        check(",a,,b,", &["a", "b"]);
        check(
            "a,b,c,d,e,f,g,h,i",
            &["a", "b", "c", "d", "e", "f", "g", "h,i"],
        );
    }

    proptest! {
        #[test]
        fn normal_forms_are_normal(input in proptest::collection::vec(any::<u8>(), 0..20)) {
            let once = content_type(&input);
            prop_assert_eq!(content_type(&once), once);
        }

        #[test]
        fn members_have_no_further_members(line in "[a,\"\\\\ ;]{0,12}") {
            for member in content_types(line.as_bytes()) {
                let again: Vec<_> = content_types(member).collect();
                prop_assert_eq!(again, vec![member]);
            }
        }
    }
}
