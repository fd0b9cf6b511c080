//! A JSON object on one line, member by member, without building a tree: what a tool does not ask
//! for is passed over at the speed of finding its end. Numbers and nested values are not checked.

use std::borrow::Cow;

use super::names::Names;

/// The first eight bytes of a name as one word; zeros follow a shorter one. Tells names apart at the
/// cost of comparing numbers.
pub(super) const fn head(name: &[u8]) -> u64 {
    match name.first_chunk::<8>() {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => {
            let mut word = 0;
            let mut rest = name;
            while let [before @ .., last] = rest {
                word = (word << 8) | *last as u64;
                rest = before;
            }
            word
        }
    }
}

/// A member's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'l> {
    /// What stands between the quotes.
    Text(Raw<'l>),
    /// A number, a word, an array or an object, as it stands there.
    Other(&'l [u8]),
}

/// A string with its escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Raw<'l> {
    bytes: &'l [u8],
    has_escapes: bool,
}

impl<'l> Raw<'l> {
    /// The bytes that are meant. `None` for an escape that is none (RFC 8259 section 7).
    #[inline]
    pub(super) fn decode(self) -> Option<Cow<'l, [u8]>> {
        if self.has_escapes {
            self.unescaped()
        } else {
            Some(Cow::Borrowed(self.bytes))
        }
    }

    fn unescaped(self) -> Option<Cow<'l, [u8]>> {
        let text = [b"\"", self.bytes, b"\""].concat();
        let text: String = serde_json::from_slice(&text).ok()?;
        Some(Cow::Owned(text.into_bytes()))
    }
}

/// Calls `visit` with each member of the object that the line is; `None` when it is no object.
/// `meaning` says what a name, as it stands between the quotes, is to the caller; it is asked about
/// those that `names` does not expect.
pub(super) fn members<'l, T: Clone>(
    line: &'l [u8],
    names: &mut Names<T>,
    meaning: impl Fn(&[u8]) -> T,
    mut visit: impl FnMut(T, Value<'l>) -> Option<()>,
) -> Option<()> {
    names.restart();
    let line = line.trim_ascii();
    let mut rest = line;
    loop {
        let (key, after) = match names.expected(rest) {
            Some(found) => found,
            None => match name_or_end(rest, rest.len() == line.len())? {
                (None, _) => return Some(()),
                (Some(name), after) => {
                    let key = meaning(name);
                    names.learn(name, &key);
                    (key, after)
                }
            },
        };
        rest = blank(after);
        let value = match rest.split_first()? {
            (b'"', quoted) => {
                let (text, after) = string(quoted)?;
                rest = after;
                Value::Text(text)
            }
            _ => {
                let (value, after) = rest.split_at_checked(other_len(rest)?)?;
                rest = after;
                Value::Other(value.trim_ascii_end())
            }
        };
        visit(key, value)?;
        if rest == b"}" {
            return Some(());
        }
    }
}

/// The next name, as it stands between its quotes, and what follows its colon; `None` for the name:
/// the object ends.
fn name_or_end(text: &[u8], is_first: bool) -> Option<(Option<&[u8]>, &[u8])> {
    let text = if is_first {
        text.strip_prefix(b"{")?
    } else {
        text
    };
    let mut rest = blank(text);
    match rest.split_first()? {
        (b'}', after) => return after.is_empty().then_some((None, after)),
        (b',', after) => rest = blank(after),
        _ => {}
    }
    let (name, after) = string(rest.strip_prefix(b"\"")?)?;
    Some((Some(name.bytes), blank(after).strip_prefix(b":")?))
}

/// The strings of an array of strings.
pub(super) fn strings(array: &[u8]) -> Option<Vec<Raw<'_>>> {
    let mut rest = blank(array.strip_prefix(b"[")?);
    let mut found = Vec::new();
    while let Some(quoted) = rest.strip_prefix(b"\"") {
        let (text, after) = string(quoted)?;
        found.push(text);
        rest = blank(after);
        rest = rest.strip_prefix(b",").map_or(rest, blank);
    }
    (rest == b"]").then_some(found)
}

fn blank(text: &[u8]) -> &[u8] {
    // The log has no blanks: one comparison, mostly.
    match text.first() {
        Some(b' ' | b'\t' | b'\r') => text.trim_ascii_start(),
        _ => text,
    }
}

/// Behind an opening quote: the string, and what follows its closing quote.
#[inline]
fn string(text: &[u8]) -> Option<(Raw<'_>, &[u8])> {
    let at = quote_or_escape(text)?;
    let (bytes, after) = text.split_at_checked(at)?;
    match after.split_first()? {
        (b'"', after) => Some((
            Raw {
                bytes,
                has_escapes: false,
            },
            after,
        )),
        _ => escaped_string(text, at),
    }
}

/// The same; the first backslash is known.
#[cold]
fn escaped_string(text: &[u8], backslash: usize) -> Option<(Raw<'_>, &[u8])> {
    let mut at = backslash;
    while text.get(at) != Some(&b'"') {
        at += 2;
        at += quote_or_escape(text.get(at..)?)?;
    }
    let raw = Raw {
        bytes: text.get(..at)?,
        has_escapes: true,
    };
    Some((raw, text.get(at + 1..)?))
}

/// Words that are looked at here; longer strings are worth a call.
const WORDS_MAX: usize = 4;

/// Where the first quote or backslash is. Most strings of a log have a few bytes.
#[inline]
fn quote_or_escape(text: &[u8]) -> Option<usize> {
    let (words, _) = text.as_chunks::<8>();
    for (number, word) in words.iter().take(WORDS_MAX).enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = first_of(word, b'"') | first_of(word, b'\\');
        if found != 0 {
            return Some(number * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let behind = words.len().min(WORDS_MAX) * 8;
    memchr::memchr2(b'"', b'\\', text.get(behind..)?).map(|at| behind + at)
}

/// The lowest set bit is the upper one of the first byte of the word that is the wanted one; none is
/// set if no byte is. Bits above it mean nothing.
const fn first_of(word: u64, wanted: u8) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let zero_where_wanted = word ^ (ONES * wanted as u64);
    zero_where_wanted.wrapping_sub(ONES) & !zero_where_wanted & (ONES << 7)
}

/// How long a value that is no string is: up to the comma or brace that ends it.
fn other_len(text: &[u8]) -> Option<usize> {
    if let Some(bytes) = digits_len(text) {
        return Some(bytes);
    }
    let mut depth = 0_u32;
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => {
                let (_, after) = string(text.get(at + 1..)?)?;
                at = text.len() - after.len();
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b',' if depth == 0 => return (at > 0).then_some(at),
            b'}' | b']' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        at += 1;
    }
}

/// How long a number of up to seven digits is that a comma or brace ends. `None`: something else.
fn digits_len(text: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let word = u64::from_le_bytes(*text.first_chunk::<8>()?);
    // A digit becomes 0 to 9; adding 0x76 sets the upper bit of what is larger, and does not carry.
    let values = word ^ (ONES * b'0' as u64);
    let others = (((values & (ONES * 0x7f)) + ONES * 0x76) | values) & (ONES << 7);
    let bytes = others.trailing_zeros() as usize / 8;
    (bytes > 0 && matches!(text.get(bytes), Some(b',' | b'}')) && bytes < 8).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown_after(names: &mut Names<String>, line: &str) -> Option<Vec<(String, String)>> {
        let mut found = Vec::new();
        let owned = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        members(line.as_bytes(), names, owned, |key, value| {
            let value = match value {
                Value::Text(raw) => owned(&raw.decode()?),
                Value::Other(raw) => format!("<{}>", owned(raw)),
            };
            found.push((key, value));
            Some(())
        })?;
        Some(found)
    }

    fn shown(line: &str) -> Option<Vec<(String, String)>> {
        shown_after(&mut Names::new(), line)
    }

    #[test]
    fn lines() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(shown("{}"), Some(vec![]));
        assert_eq!(
            shown(r#"{"a":"x\"\u0041\\","b":12,"c":["]",{"d":"}"}],"e":true}"#),
            Some(vec![
                pair("a", "x\"A\\"),
                pair("b", "<12>"),
                pair("c", r#"<["]",{"d":"}"}]>"#),
                pair("e", "<true>"),
            ])
        );
        assert_eq!(
            shown(" { \"a\" : 1 , \"b\" : \"\" } \r\n"),
            Some(vec![pair("a", "<1>"), pair("b", "")])
        );
        for bad in [
            "",
            "{",
            "[]",
            "{\"a\"}",
            "{\"a\":",
            "{\"a\":\"x",
            "{\"a\":}",
            "{\"a\":1}x",
            r#"{"a":"\x"}"#,
            "{\"a\":[1}",
            "{a:1}",
        ] {
            assert_eq!(shown(bad), None, "{bad}");
        }
    }

    #[test]
    fn arrays_of_strings() {
        let read = |text: &str| {
            strings(text.as_bytes()).map(|found| {
                let decoded = found.into_iter().map(|raw| raw.decode().unwrap());
                decoded
                    .map(|bytes| String::from_utf8(bytes.into_owned()).unwrap())
                    .collect::<Vec<_>>()
            })
        };
        assert_eq!(read("[]"), Some(vec![]));
        assert_eq!(
            read(r#"["a", "b\"c"]"#),
            Some(vec!["a".into(), "b\"c".into()])
        );
        assert_eq!(read("[1]"), None);
    }

    proptest! {
        #[test]
        fn strings_end_where_a_walk_says(text in proptest::collection::vec(prop_oneof![4 => Just(b'a'), 1 => Just(b'"'), 1 => Just(b'\\'), 1 => Just(b'#'), 1 => any::<u8>()], 0..50)) {
            let expected = text.iter().position(|byte| matches!(byte, b'"' | b'\\'));
            prop_assert_eq!(quote_or_escape(&text), expected);
        }

        #[test]
        fn numbers_end_where_a_walk_says(text in "[0-9]{0,9}[,}\\]e. -]?[0-9]{0,3}[,}]?.{0,4}") {
            let digits = text.bytes().take_while(u8::is_ascii_digit).count();
            let is_number = matches!(digits, 1..8) && text.len() >= 8 && matches!(text.as_bytes().get(digits), Some(b',' | b'}'));
            prop_assert_eq!(digits_len(text.as_bytes()), is_number.then_some(digits));
        }

        #[test]
        fn lines_before_do_not_matter(lines in proptest::collection::vec("\\{(\"(a|b|ab|a_b|upstream_reused|client_ip|client_ipx|a\\\\\"|a name that is longer)\" ?:(1|12345678|\"x\"|\\[\"y\"\\]),?){0,6}\\}", 1..12)) {
            let mut names = Names::new();
            for line in &lines {
                prop_assert_eq!(shown_after(&mut names, line), shown(line), "{}", line);
            }
        }

        #[test]
        fn reads_what_a_json_library_writes(texts in proptest::collection::vec((".{0,12}|[a-z\"]{30,50}", "[a-y_]{0,12}"), 0..5), number in any::<i32>()) {
            let mut object = serde_json::Map::new();
            let mut expected = Vec::new();
            for (at, (text, name)) in texts.iter().enumerate() {
                object.insert(format!("{at}{name}"), text.clone().into());
                expected.push((format!("{at}{name}"), text.clone()));
            }
            object.insert("z".into(), number.into());
            expected.push(("z".into(), format!("<{number}>")));
            let line = serde_json::Value::Object(object).to_string();
            prop_assert_eq!(shown(&line), Some(expected));
        }

        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(prop_oneof![Just(b'{'), Just(b'"'), Just(b':'), Just(b','), Just(b'['), Just(b']'), Just(b'}'), Just(b'\\'), any::<u8>()], 0..40)) {
            members(&bytes, &mut Names::new(), |_| (), |(), value| { if let Value::Text(raw) = value { raw.decode(); } Some(()) });
            strings(&bytes);
        }
    }
}
