//! A JSON object on one line, member by member, without building a tree: what a tool does not ask
//! for is passed over at the speed of finding its end. Numbers and nested values are not checked.

use std::borrow::Cow;

/// A member's name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<'l> {
    /// As it stands between the quotes.
    pub(super) name: &'l [u8],
    /// The first eight bytes of it, as [`head`] has them.
    pub(super) head: u64,
}

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
    pub(super) fn decode(self) -> Option<Cow<'l, [u8]>> {
        if !self.has_escapes {
            return Some(Cow::Borrowed(self.bytes));
        }
        let text = [b"\"", self.bytes, b"\""].concat();
        let text: String = serde_json::from_slice(&text).ok()?;
        Some(Cow::Owned(text.into_bytes()))
    }
}

/// Calls `visit` with each member of the object that the line is; `None` when it is no object.
pub(super) fn members<'l>(
    line: &'l [u8],
    mut visit: impl FnMut(Key<'l>, Value<'l>) -> Option<()>,
) -> Option<()> {
    let mut rest = line.trim_ascii().strip_prefix(b"{")?;
    loop {
        rest = blank(rest);
        match rest.split_first()? {
            (b'}', after) => return after.is_empty().then_some(()),
            (b',', after) => rest = blank(after),
            _ => {}
        }
        let (key, after) = key(rest.strip_prefix(b"\"")?)?;
        rest = blank(blank(after).strip_prefix(b":")?);
        let value = match rest.strip_prefix(b"\"") {
            Some(quoted) => {
                let (text, after) = string(quoted)?;
                rest = after;
                Value::Text(text)
            }
            None => {
                let (value, after) = rest.split_at_checked(other_len(rest)?)?;
                rest = after;
                Value::Other(value.trim_ascii_end())
            }
        };
        visit(key, value)?;
    }
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

/// Behind an opening quote: the name, and what follows its closing quote.
fn key(text: &[u8]) -> Option<(Key<'_>, &[u8])> {
    let (Raw { bytes: name, .. }, after) = string(text)?;
    // What follows the name is in the word that is there anyway, and is masked out.
    let head = match (text.first_chunk::<8>(), name.len()) {
        (Some(word), len @ 0..8) => u64::from_le_bytes(*word) & !(u64::MAX << (8 * len)),
        _ => head(name),
    };
    Some((Key { name, head }, after))
}

/// Behind an opening quote: the string, and what follows its closing quote.
fn string(text: &[u8]) -> Option<(Raw<'_>, &[u8])> {
    let mut at = quote_or_escape(text)?;
    let mut has_escapes = false;
    loop {
        if text.get(at) == Some(&b'"') {
            let bytes = text.get(..at)?;
            return Some((Raw { bytes, has_escapes }, text.get(at + 1..)?));
        }
        has_escapes = true;
        at += 2;
        at += quote_or_escape(text.get(at..)?)?;
    }
}

/// Words that are looked at here; longer strings are worth a call.
const WORDS_MAX: usize = 4;

/// Where the first quote or backslash is. Most strings of a log have a few bytes.
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(line: &str) -> Option<Vec<(String, String)>> {
        let mut found = Vec::new();
        members(line.as_bytes(), |key, value| {
            let value = match value {
                Value::Text(raw) => String::from_utf8_lossy(&raw.decode()?).into_owned(),
                Value::Other(raw) => format!("<{}>", String::from_utf8_lossy(raw)),
            };
            assert_eq!(key.head, head(key.name));
            found.push((String::from_utf8_lossy(key.name).into_owned(), value));
            Some(())
        })?;
        Some(found)
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
            members(&bytes, |_, value| { if let Value::Text(raw) = value { raw.decode(); } Some(()) });
            strings(&bytes);
        }
    }
}
