//! Lines of a filter: expressions or wildcard patterns over the host, or with `FilterURLs` over the URL
//! as the client wrote it; of a CONNECT that is `host:port`.

use super::super::book::{Book, Target, Targets, one, protocols};
use super::super::condition::{Formula, ValueError};
use super::super::regex::from_posix;
use super::super::report::{Difference, Effect};
use super::overlap::may_match_an_address;
use crate::operator::Question;
use sallyport_ruleset::{Action, Field, Protocol};

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

/// Why a line is not carried over. As text it is a phrase for the report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Unsupported {
    /// With `FilterCaseSensitive`.
    #[error("it asks for capitals, and names have none")]
    Capitals,
    /// Of `fnmatch(3)`.
    #[error("brackets and backslashes in patterns are not carried over")]
    Brackets,
    /// A value that the compiler would refuse.
    #[error(transparent)]
    Value(#[from] ValueError),
}

/// What a filter's lines became.
#[derive(Debug, Default)]
pub(super) struct Filtered {
    pub(super) targets: Targets,
    pub(super) entries: Vec<usize>,
    /// Lines that may match addresses as well.
    pub(super) about_addresses: Vec<usize>,
    /// With `FilterURLs`: expressions over the URL.
    urls: Vec<String>,
}

impl Filtered {
    /// What the lines ask. A CONNECT is judged by itself, whatever it holds.
    pub(super) fn formula(&self) -> Formula {
        if self.urls.is_empty() {
            return self.targets.formula("filter");
        }
        let connect = || protocols(&[Protocol::Connect]);
        let asked = |field| one(field, Question::Matches, "filter", &self.urls);
        Formula::any([
            Formula::all([connect().negated(), asked(Field::Url)]),
            Formula::all([connect(), asked(Field::Authority)]),
        ])
    }
}

const NORMAL_FORM: &str = "Tinyproxy asks it of the URL as the client wrote it, here it is asked of the normal form: the host in lower case, the scheme's own port left out, escapes of letters decoded, dot segments removed";

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
        if filter.urls {
            read_url(book, number, pattern, filter, &mut filtered);
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
                Err(why) => leave(book, number, pattern, filter, why.into()),
            },
            Err(why) => leave(book, number, pattern, filter, why),
        }
    }
    filtered
}

fn read_url(
    book: &mut Book,
    number: usize,
    pattern: &str,
    filter: Filter,
    filtered: &mut Filtered,
) {
    let expression = url_expression(pattern, filter).and_then(|expression| {
        book.check(&Field::Url, Question::Matches, &expression)?;
        Ok(expression)
    });
    match expression {
        Ok(expression) => {
            let entry = book.carried(number, pattern, "filter");
            filtered.entries.push(entry);
            filtered.urls.push(expression);
            book.differ(entry, Effect::Either, NORMAL_FORM);
        }
        Err(why) => leave(book, number, pattern, filter, why),
    }
}

/// An expression over the whole URL.
fn url_expression(pattern: &str, filter: Filter) -> Result<String, Unsupported> {
    let expression = match filter.kind {
        Kind::Basic => from_posix(&from_basic(pattern)),
        Kind::Extended => from_posix(pattern),
        Kind::Wildcard => wildcard_expression(pattern)?,
    };
    Ok(if filter.case_sensitive {
        expression
    } else {
        format!("(?i){expression}")
    })
}

fn leave(book: &mut Book, number: usize, pattern: &str, filter: Filter, why: Unsupported) {
    let why = Difference::new(Effect::of_leaving(filter.action), why);
    book.left(number, pattern, "filter", why);
}

/// The target, and whether it may also be about hosts that are addresses.
fn target(pattern: &str, filter: Filter) -> Result<(Target, bool), Unsupported> {
    if filter.kind == Kind::Wildcard {
        return wildcard(pattern);
    }
    let expression = match filter.kind {
        Kind::Basic => from_posix(&from_basic(pattern)),
        Kind::Extended | Kind::Wildcard => from_posix(pattern),
    };
    // Names have small letters here.
    let has_capital = expression.chars().any(|c| c.is_ascii_uppercase());
    if filter.case_sensitive && has_capital {
        return Err(Unsupported::Capitals);
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

/// A pattern of `fnmatch`, which spans the whole text.
fn wildcard_expression(pattern: &str) -> Result<String, Unsupported> {
    if pattern.contains(['[', '\\']) {
        return Err(Unsupported::Brackets);
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
    Ok(expression)
}

fn wildcard(pattern: &str) -> Result<(Target, bool), Unsupported> {
    let expression = wildcard_expression(pattern)?;
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
    fn expressions_over_urls() {
        let of = |kind, case_sensitive, pattern| {
            let filter = Filter {
                kind,
                urls: true,
                case_sensitive,
                action: Action::Deny,
            };
            url_expression(pattern, filter).unwrap()
        };
        assert_eq!(
            of(Kind::Extended, true, r"^http://a\.test/"),
            r"^http://a\.test/"
        );
        assert_eq!(of(Kind::Basic, false, r"\(a\|b\)$"), "(?i)(a|b)$");
        assert_eq!(
            of(Kind::Wildcard, false, "http://*/x?"),
            "(?i)^http://.*/x.$"
        );
    }
}
