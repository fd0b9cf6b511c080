//! What may help against bad TOML: quotes that are missing, and where a key was before. The parser says
//! what it met, and not what people mostly did.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// Characters that end a bare word.
const DELIMITERS: &[char] = &[
    ' ', '\t', '\r', '\n', '=', ',', '[', ']', '{', '}', '"', '\'', '#',
];

/// Says to quote a word that stands bare where the parser stopped: a value, or a key with a colon.
pub(super) fn quote(text: &str, at: &Range<usize>) -> Option<String> {
    let start = text.get(..at.start)?.rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(start..)?.lines().next()?;
    if let Some(key) = bare_key(line)
        && at.start < start + line.find(['=']).unwrap_or(line.len())
    {
        return Some(format!("quote the key, as it has a colon: `\"{key}\"`"));
    }
    let word = word_at(line, at.start - start)?;
    let is_text = |c: char| c.is_alphabetic() || "@*/:".contains(c);
    let is_address = word.matches('.').count() > 1;
    let is_meant = is_address || word.contains(is_text);
    let before = line.get(..line.find(word)?)?;
    (is_meant && before.contains('=')).then(|| format!("quote it: `\"{word}\"`"))
}

/// A condition key without quotes, before the `=`.
fn bare_key(line: &str) -> Option<&str> {
    let key = line.split('=').next()?;
    let at = ["request:", "response:"]
        .iter()
        .find_map(|word| key.find(word))?;
    let is_quoted = key.get(..at)?.ends_with(['"', '\'']);
    let word = key.get(at..)?.split(DELIMITERS).next()?;
    (!is_quoted).then_some(word)
}

/// The bare word around a place; `None` within quotes or between words.
fn word_at(line: &str, at: usize) -> Option<&str> {
    let at = at.min(line.len());
    let before = line.get(..at)?;
    let start = before.rfind(DELIMITERS).map_or(0, |end| {
        let width = before.get(end..).and_then(|rest| rest.chars().next());
        end + width.map_or(1, char::len_utf8)
    });
    let quotes = before.matches('"').count();
    let word = line.get(start..)?.split(DELIMITERS).next()?;
    (!word.is_empty() && quotes.is_multiple_of(2)).then_some(word)
}

/// Where the key of a duplicate was first: the same name in the table that was being filled.
pub(super) fn first_of(
    document: &DeTable<'_>,
    text: &str,
    again: &Range<usize>,
) -> Option<Range<usize>> {
    let written = text.get(again.clone())?;
    let name = written.trim_matches(['"', '\'']);
    let mut best: Option<(usize, Range<usize>)> = None;
    visit(document, &mut |table| {
        let Some((key, _)) = table.get_key_value(name) else {
            return;
        };
        let starts = table.iter().map(|(key, _)| key.span().start);
        let nearest = starts.filter(|start| *start < again.start).max();
        let (Some(nearest), true) = (nearest, key.span().start < again.start) else {
            return;
        };
        if best.as_ref().is_none_or(|(other, _)| nearest >= *other) {
            best = Some((nearest, key.span()));
        }
    });
    best.map(|(_, span)| span)
}

fn visit(table: &DeTable<'_>, look: &mut impl FnMut(&DeTable<'_>)) {
    look(table);
    for (_, value) in table {
        visit_value(value.get_ref(), look);
    }
}

fn visit_value(value: &DeValue<'_>, look: &mut impl FnMut(&DeTable<'_>)) {
    match value {
        DeValue::Table(table) => visit(table, look),
        DeValue::Array(values) => {
            for value in values {
                visit_value(value.get_ref(), look);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_quoted() {
        for (text, at, expected) in [
            ("a = allow", 4, Some("quote it: `\"allow\"`")),
            ("a = allow", 6, Some("quote it: `\"allow\"`")),
            (
                "x = 1\na = [10.0.0.0/8]",
                16,
                Some("quote it: `\"10.0.0.0/8\"`"),
            ),
            ("a = [\"x\", @list]", 10, Some("quote it: `\"@list\"`")),
            ("a = 12", 4, None),
            ("a = \"b c", 7, None),
            (
                "when.request:Http:Uri = 1",
                12,
                Some("quote the key, as it has a colon: `\"request:Http:Uri\"`"),
            ),
            (
                "when.\"request:Http:Uri\" = x",
                26,
                Some("quote it: `\"x\"`"),
            ),
            ("ä = ö", 5, Some("quote it: `\"ö\"`")),
            ("", 0, None),
        ] {
            assert_eq!(
                quote(text, &(at..at)).as_deref(),
                expected,
                "{text} at {at}"
            );
        }
    }

    #[test]
    fn the_first_of_two_keys() {
        for text in [
            "[x]\na = 1\n[y]\n«a» = 1\nb = 2\n*a* = 2\n",
            "«x»._ = 1\ny = 1\n*x* = 2\n",
            "[y]\na = 1\n[[g]]\n«a» = 1\n*a* = 1\n",
            "w = { «a» = 1, *a* = 2 }\n",
            "w.\"a\" = 1\n«b» = 3\n*\"b\"* = 2\n",
        ] {
            let plain: String = text.chars().filter(|c| !"«»*".contains(*c)).collect();
            let place = |open: char, close: char| {
                let clean = |end: usize| {
                    text[..end]
                        .chars()
                        .filter(|c| !"«»*".contains(*c))
                        .map(char::len_utf8)
                        .sum::<usize>()
                };
                let from = text.find(open).unwrap();
                let to = from
                    + 1
                    + text[from + open.len_utf8()..].find(close).unwrap()
                    + open.len_utf8()
                    - 1;
                clean(from)..clean(to)
            };
            let (document, errors) = DeTable::parse_recoverable(&plain);
            assert_eq!(errors.len(), 1, "{plain}");
            let again = errors[0].span().unwrap();
            assert_eq!(again, place('*', '*'), "{plain}");
            assert_eq!(
                first_of(document.get_ref(), &plain, &again),
                Some(place('«', '»')),
                "{plain}"
            );
        }
    }
}
