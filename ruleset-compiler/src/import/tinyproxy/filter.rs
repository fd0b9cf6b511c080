//! Lines of a filter: expressions or wildcard patterns over the host.

use super::super::book::{Book, Target, Targets};
use super::super::regex::from_posix;
use super::super::report::{Difference, Effect};
use super::overlap::may_match_an_address;
use sallyport_ruleset::Action;

/// How a filter's lines are written and what they are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) kind: Kind,
    /// `FilterURLs`: they are asked of the URL instead of the host.
    pub(super) urls: bool,
    pub(super) case_sensitive: bool,
    /// What is done with what a line matches.
    pub(super) action: Action,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// POSIX basic expressions.
    Basic,
    /// POSIX extended expressions.
    Extended,
    /// `fnmatch(3)`.
    Wildcard,
}

/// What a filter's lines became.
#[derive(Debug, Default)]
pub(super) struct Filtered {
    pub(super) targets: Targets,
    pub(super) entries: Vec<usize>,
    /// Lines that may match addresses as well.
    pub(super) about_addresses: Vec<usize>,
}

/// The text that a line asks for: blanks at its start do not count, and it ends at the first blank or
/// at a `#` that no backslash protects.
fn content(line: &str) -> &str {
    let line = line.trim_start();
    let mut before = None;
    for (at, c) in line.char_indices() {
        if c.is_whitespace() || (c == '#' && before != Some('\\')) {
            return line.get(..at).unwrap_or(line);
        }
        before = Some(c);
    }
    line
}

/// Reads all lines into `book`.
pub(super) fn read(book: &mut Book, text: &str, filter: Filter) -> Filtered {
    let mut filtered = Filtered::default();
    for (line, number) in text.lines().zip(1..) {
        let pattern = content(line);
        if pattern.is_empty() {
            continue;
        }
        match target(pattern, filter) {
            Ok((target, is_about_addresses)) => match book.add(&mut filtered.targets, target) {
                Ok(()) => {
                    let entry = book.carried(number, pattern, "filter");
                    filtered.entries.push(entry);
                    if is_about_addresses {
                        filtered.about_addresses.push(entry);
                        let note = match filter.action {
                            Action::Allow => {
                                "it may match hosts that are addresses: those are not allowed by it here"
                            }
                            _ => {
                                "it may match hosts that are addresses: all of those are denied here"
                            }
                        };
                        book.differ(entry, Effect::Narrower, note);
                    }
                }
                Err(why) => leave(book, number, pattern, filter, why),
            },
            Err(why) => leave(book, number, pattern, filter, why),
        }
    }
    filtered
}

fn leave(book: &mut Book, number: usize, pattern: &str, filter: Filter, why: String) {
    let why = Difference::new(Effect::of_leaving(filter.action), why);
    book.left(number, pattern, "filter", why);
}

/// The target, and whether it may also be about hosts that are addresses.
fn target(pattern: &str, filter: Filter) -> Result<(Target, bool), String> {
    if filter.kind == Kind::Wildcard {
        if filter.urls {
            return Err("it is asked of the whole URL: give the host".to_owned());
        }
        return wildcard(pattern);
    }
    let expression = match filter.kind {
        Kind::Basic => from_posix(&from_basic(pattern)),
        Kind::Extended | Kind::Wildcard => from_posix(pattern),
    };
    let expression = if filter.urls {
        of_host(&expression)?
    } else {
        expression
    };
    // Names have small letters here.
    let has_capital = expression.chars().any(|c| c.is_ascii_uppercase());
    if filter.case_sensitive && has_capital {
        return Err("it asks for capitals, and names have none".to_owned());
    }
    let about_addresses = may_match_an_address(&expression);
    let plain = literal(&expression);
    let target = plain.unwrap_or_else(|| Target::Matches(format!("(?i){expression}")));
    Ok((target, about_addresses))
}

/// `^www\.example\.com$` and `(^|\.)example\.com$` are just names.
fn literal(expression: &str) -> Option<Target> {
    let (is_tree, rest) = match expression.strip_prefix(r"(^|\.)") {
        Some(rest) => (true, rest),
        None => (false, expression.strip_prefix('^')?),
    };
    let mut name = String::new();
    let mut chars = rest.strip_suffix('$')?.chars();
    while let Some(c) = chars.next() {
        match (c, c.is_ascii_alphanumeric() || c == '-') {
            (_, true) => name.push(c.to_ascii_lowercase()),
            ('\\', _) if chars.next() == Some('.') => name.push('.'),
            _ => return None,
        }
    }
    Some(if is_tree {
        Target::Tree(name)
    } else {
        Target::Exact(name)
    })
}

/// With `FilterURLs` an expression is asked of `http://host:port/path`, or of `host:port` for CONNECT.
/// One that says where the host begins and ends is about the host.
///
/// # Errors
/// For all others: the parts of a URL cannot be told apart in it.
fn of_host(expression: &str) -> Result<String, String> {
    const WHY: &str = "with `FilterURLs` it is asked of the whole URL, and it does not say where the host begins and ends";
    let start = [
        "^https?://",
        "^http://",
        "^(http|https)://",
        "^(https?://)?",
        "^(http://)?",
    ];
    let (_, rest) = start
        .iter()
        .find_map(|start| expression.strip_prefix(start).map(|rest| (start, rest)))
        .ok_or(WHY)?;
    let end = [
        "(:[0-9]+)?(/|$)",
        "(/|$)",
        "(:[0-9]+)?(/.*)?$",
        "(/.*)?$",
        "([:/]|$)",
        "(:|/|$)",
        "/",
    ];
    let host = end
        .iter()
        .find_map(|end| rest.strip_suffix(end))
        .ok_or(WHY)?;
    let within = !host.is_empty()
        && !host.contains(['/', ':', '^', '$'])
        && !host.contains(".*")
        && !host.contains(".+");
    if within {
        Ok(format!("^{host}$"))
    } else {
        Err(WHY.to_owned())
    }
}

/// POSIX basic to extended: there `\(`, `\{`, `\|`, `\+` and `\?` are what they are here without the
/// backslash, and the other way round.
fn from_basic(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    let mut in_brackets = false;
    let mut is_first = true;
    while let Some(c) = chars.next() {
        let first = std::mem::replace(&mut is_first, false);
        match c {
            '[' if !in_brackets => {
                in_brackets = true;
                out.push(c);
                for next in ['^', ']'] {
                    if chars.peek() == Some(&next) {
                        chars.next();
                        out.push(next);
                    }
                }
            }
            ']' if in_brackets => {
                in_brackets = false;
                out.push(c);
            }
            _ if in_brackets => out.push(c),
            '\\' => match chars.next() {
                Some(next @ ('(' | ')' | '{' | '}' | '|' | '+' | '?')) => {
                    out.push(next);
                    is_first = matches!(next, '(' | '|');
                }
                Some(next) => {
                    out.push('\\');
                    out.push(next);
                }
                None => out.push_str("\\\\"),
            },
            '*' if first => out.push_str("\\*"),
            '(' | ')' | '{' | '}' | '|' | '+' | '?' => {
                out.push('\\');
                out.push(c);
            }
            '^' => {
                is_first = true;
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

/// A pattern of `fnmatch`, which spans the whole host.
fn wildcard(pattern: &str) -> Result<(Target, bool), String> {
    if pattern.contains(['[', '\\']) {
        return Err("brackets and backslashes in patterns are not carried over".to_owned());
    }
    let mut expression = String::from("^");
    for c in pattern.chars() {
        match c {
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            other => expression.push_str(&regex_syntax::escape(&other.to_string())),
        }
    }
    expression.push('$');
    let about_addresses = may_match_an_address(&expression);
    let target = if pattern.contains(['*', '?']) {
        Target::Like(pattern.to_ascii_lowercase())
    } else {
        Target::Exact(pattern.to_ascii_lowercase())
    };
    Ok((target, about_addresses))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_blanks_and_comments() {
        assert_eq!(content("  a\\.test  # why"), "a\\.test");
        assert_eq!(content("a\\#b#c"), "a\\#b");
        assert_eq!(content("# all"), "");
    }

    #[test]
    fn basic_expressions() {
        for (basic, extended) in [
            (r"^a\.b$", r"^a\.b$"),
            (r"a+b?c{2}", r"a\+b\?c\{2\}"),
            (r"\(a\|b\)\+", "(a|b)+"),
            ("*a", r"\*a"),
            ("[*+?]x*", "[*+?]x*"),
        ] {
            assert_eq!(from_basic(basic), extended, "{basic}");
        }
    }

    #[test]
    fn names_are_seen_in_expressions() {
        assert_eq!(
            literal(r"^www\.a-b\.test$"),
            Some(Target::Exact("www.a-b.test".to_owned()))
        );
        assert_eq!(
            literal(r"(^|\.)a\.test$"),
            Some(Target::Tree("a.test".to_owned()))
        );
        assert_eq!(literal(r"^a.test$"), None);
        assert_eq!(literal(r"a\.test$"), None);
    }

    #[test]
    fn hosts_within_urls() {
        let host = |text: &str| of_host(text);
        assert_eq!(
            host(r"^https?://a\.test(:[0-9]+)?(/|$)").as_deref(),
            Ok(r"^a\.test$")
        );
        assert!(
            host(r"a\.test").is_err()
                && host(r"^http://.*a\.test/").is_err()
                && host(r"^http://a\.test/x").is_err()
        );
    }
}
