//! Texts that a test lets through, cut into elements such that another test holds for all of an
//! element, for none of it, or for what cannot be told.

use sallyport_ruleset::matcher::glob;
use sallyport_ruleset::{Field, Test, ValueList};

/// Globs longer than this are not compared with each other.
const COMPARED_GLOB_BYTES_MAX: usize = 256;

/// A set of texts of one field.
#[derive(Clone, Copy, Debug)]
pub(super) enum Element<'r> {
    /// What equals the value, in the form that the value is compared with.
    Whole(&'r str),
    /// The same without regard to the case of ASCII letters.
    Folded(&'r str),
    /// All names under the value.
    Below(&'r str),
    /// What the glob matches.
    Glob(&'r str),
    /// What the regular expression matches.
    Regex(&'r str),
}

/// The elements that a value of a text test stands for.
pub(super) fn of_value<'r>(test: &Test, value: &'r str, field: &Field) -> Vec<Element<'r>> {
    match test {
        Test::Exact {
            ignore_case: true, ..
        } if value.bytes().any(|byte| byte.is_ascii_alphabetic()) => vec![Element::Folded(value)],
        Test::Domain(_) => vec![Element::Whole(value), Element::Below(value)],
        Test::Regex(_) => vec![Element::Regex(value)],
        Test::Glob(_) if glob::has_wildcard(value) => match parent(value) {
            Some(parent) if is_domain(field) => vec![Element::Below(parent)],
            _ => vec![Element::Glob(value)],
        },
        _ => vec![Element::Whole(value)],
    }
}

/// `example.com` of `*.example.com`.
fn parent(value: &str) -> Option<&str> {
    value
        .strip_prefix("*.")
        .filter(|parent| !glob::has_wildcard(parent))
}

fn is_domain(field: &Field) -> bool {
    matches!(field, Field::DestinationDomain | Field::TlsSni)
}

/// Whether all values are compared with one and the same form of the text.
pub(super) const fn has_one_form(field: &Field) -> bool {
    !matches!(
        field,
        Field::HttpUri | Field::HttpContentType | Field::ResponseContentType
    )
}

/// Whether the value is compared with the whole text, query or parameters included.
fn is_full(field: &Field, value: &str) -> bool {
    match field {
        Field::HttpUri => value.contains('?'),
        Field::HttpContentType | Field::ResponseContentType => value.contains(';'),
        _ => false,
    }
}

impl Element<'_> {
    /// Whether one value of a text test holds for all texts of the element (`Some(true)`), for
    /// none (`Some(false)`), or that is not known. Not for tests over tables: see `region.rs`.
    pub(super) fn fits(self, test: &Test, value: &str, field: &Field) -> Option<bool> {
        match (test, self) {
            (Test::Exact { ignore_case, .. }, _) => self.equals(value, *ignore_case, field),
            (Test::Domain(_), _) => self.lies_under(value),
            (Test::Glob(_), _) if is_any(value) => Some(true),
            (Test::Glob(_), Self::Whole(text)) => whole_fits(text, value, field),
            (Test::Glob(_), Self::Below(name)) => {
                glob_covers(value, &format!("*.{name}")).then_some(true)
            }
            (Test::Glob(_), Self::Glob(narrow)) => {
                // Each pattern for a URI sees the path, and path and query.
                let same_form =
                    is_full(field, narrow) == is_full(field, value) || *field == Field::HttpUri;
                (same_form && glob_covers(value, narrow)).then_some(true)
            }
            (Test::Regex(_), Self::Regex(same)) if same == value => Some(true),
            _ => None,
        }
    }

    fn equals(self, value: &str, ignore_case: bool, field: &Field) -> Option<bool> {
        let same = |text: &str| {
            if ignore_case {
                text.eq_ignore_ascii_case(value)
            } else {
                text == value
            }
        };
        match self {
            Self::Whole(text) if is_full(field, text) == is_full(field, value) => Some(same(text)),
            Self::Folded(text) if is_full(field, text) == is_full(field, value) => {
                if !text.eq_ignore_ascii_case(value) {
                    Some(false)
                } else if ignore_case {
                    Some(true)
                } else {
                    None
                }
            }
            Self::Below(name) if !ignore_case && !is_under(value, name) => Some(false),
            _ => None,
        }
    }

    fn lies_under(self, value: &str) -> Option<bool> {
        match self {
            Self::Whole(name) => Some(name == value || is_under(name, value)),
            Self::Below(name) if name == value || is_under(name, value) => Some(true),
            Self::Below(name) if !is_under(value, name) => Some(false),
            _ => None,
        }
    }
}

fn whole_fits(text: &str, pattern: &str, field: &Field) -> Option<bool> {
    let fits = glob::matches(pattern.as_bytes(), text.as_bytes());
    match (is_full(field, text), is_full(field, pattern)) {
        // The pattern is tried on the path and on all of the text, and what is behind the path is not known.
        _ if *field == Field::HttpUri && glob::has_wildcard(pattern) => fits.then_some(true),
        (false, false) | (true, true) => Some(fits),
        _ => None,
    }
}

/// Whether a name is below another one.
pub(super) fn is_under(name: &str, parent: &str) -> bool {
    name.strip_suffix(parent)
        .is_some_and(|rest| rest.ends_with('.'))
}

/// Whether `wide` surely matches whatever `narrow` matches: its literals stand against the same
/// literals, its `?` against one symbol that is no `*`, its `*` against any run of symbols.
fn glob_covers(wide: &str, narrow: &str) -> bool {
    if wide.len().max(narrow.len()) > COMPARED_GLOB_BYTES_MAX {
        return wide == narrow;
    }
    let (mut wide, mut narrow) = (wide.as_bytes(), narrow.as_bytes());
    // What stands before the first `*` and behind the last one has one place only; most globs differ
    // there.
    while let Some((symbol, rest)) = wide.split_first().filter(|(symbol, _)| **symbol != b'*') {
        match narrow.split_first() {
            Some((other, behind)) if stands_against(*symbol, *other) => narrow = behind,
            _ => return false,
        }
        wide = rest;
    }
    while let Some((symbol, rest)) = wide.split_last().filter(|(symbol, _)| **symbol != b'*') {
        match narrow.split_last() {
            Some((other, before)) if stands_against(*symbol, *other) => narrow = before,
            _ => return false,
        }
        wide = rest;
    }
    match wide {
        [] => narrow.is_empty(),
        [b'*'] => true,
        _ => run_covers(wide, narrow),
    }
}

/// Whether a symbol of the wider glob surely matches what one of the narrower does.
const fn stands_against(symbol: u8, other: u8) -> bool {
    match symbol {
        b'?' => other != b'*',
        literal => other == literal,
    }
}

/// The same with `*` at both ends of `wide`.
fn run_covers(wide: &[u8], narrow: &[u8]) -> bool {
    // Positions in `narrow` up to which the symbols of `wide` so far can reach.
    let mut reached = vec![false; narrow.len() + 1];
    let mut next = reached.clone();
    if let Some(start) = reached.first_mut() {
        *start = true;
    }
    for symbol in wide {
        let mut run = false;
        let mut before = false;
        for (position, (here, slot)) in reached.iter().zip(&mut next).enumerate() {
            let other = position.checked_sub(1).and_then(|at| narrow.get(at));
            let passed = other.is_some_and(|other| stands_against(*symbol, *other));
            run |= *here;
            *slot = if *symbol == b'*' {
                run
            } else {
                before && passed
            };
            before = *here;
        }
        std::mem::swap(&mut reached, &mut next);
    }
    reached.last() == Some(&true)
}

/// Whether the glob matches every text.
pub(super) fn is_any(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte == b'*')
}

/// The values of a text test.
pub(super) const fn values(test: &Test) -> Option<&ValueList> {
    match test {
        Test::Exact { values, .. }
        | Test::Glob(values)
        | Test::Regex(values)
        | Test::Domain(values) => Some(values),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn globs_within_globs() {
        for (wide, narrow, expected) in [
            ("*", "a*b?", true),
            ("a*", "ab*c", true),
            ("a*", "*a", false),
            ("*.com", "*.example.com", true),
            ("*.example.com", "*.com", false),
            ("a?c", "abc", true),
            ("a?c", "a?c", true),
            ("a?c", "a*c", false),
            ("a*c", "a?c", true),
            ("a*a", "a", false),
            ("*a*b*", "*xa?b", true),
            ("*a*b*", "*xb?a", false),
            ("", "", true),
            ("", "*", false),
        ] {
            assert_eq!(glob_covers(wide, narrow), expected, "{wide} over {narrow}");
        }
    }

    proptest! {
        #[test]
        fn what_is_covered_matches(wide in "[ab*?]{0,6}", narrow in "[ab*?]{0,6}", text in "[ab]{0,8}") {
            if glob_covers(&wide, &narrow) && glob::matches(narrow.as_bytes(), text.as_bytes()) {
                prop_assert!(glob::matches(wide.as_bytes(), text.as_bytes()));
            }
        }
    }
}
