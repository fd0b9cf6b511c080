//! `url_regex` and `urlpath_regex`: Squid decodes the escapes of a URL and matches the whole text,
//! `http://host:port/path?query`, or of the path with its query. Rules see the same text with its
//! escapes (`request:Url`, `request:Http:Uri`), and expressions are rewritten for that.

use sallyport_ruleset::{Field, Protocol};

use super::super::condition::{Condition, Formula, Values, operator};
use super::super::escaped_regex::{ANY, may_begin_with_digit, over_escaped};
use super::super::regex::{Anchor, Part, alternatives};
use super::unsupported::Unsupported;
use crate::operator::Question;

/// What stands before the path in `request:Url`.
const BEFORE_PATH: &str = "^[a-z]+://[^/]*";

/// An expression about whole URLs, for `request:Authority`: a CONNECT is host and port, and has no
/// slash. Empty: it matches none.
///
/// # Errors
/// When it does not parse; why.
pub(super) fn authority(pattern: &str, ignore_case: bool) -> Result<String, Unsupported> {
    let branches = alternatives(pattern)?;
    let may_match = |parts: &&Vec<Part>| !parts.iter().any(|part| part.literal == Some('/'));
    let kept: Vec<String> = branches
        .iter()
        .filter(may_match)
        .map(|parts| text(parts))
        .collect();
    if kept.is_empty() && !branches.is_empty() {
        return Ok(String::new());
    }
    Ok(in_case(&kept.join("|"), ignore_case))
}

/// An expression about whole URLs, for `request:Url`. Empty: it matches none.
///
/// # Errors
/// What cannot be said.
pub(super) fn url(pattern: &str, ignore_case: bool) -> Result<String, Unsupported> {
    let mut branches = Vec::new();
    for parts in alternatives(pattern)? {
        let (front, rest) = parts.split_at(front(&parts));
        if is_other_scheme(front, ignore_case) {
            continue;
        }
        if !front.is_empty() {
            branches.push(text(front) + &grouped(&over_escaped(&text(rest), ignore_case)?));
            continue;
        }
        let branch = text(rest);
        let ours = over_escaped(&branch, ignore_case)?;
        let is_anchored =
            parts.iter().any(|part| part.anchor == Some(Anchor::Start)) || branch.contains('^');
        branches.push(if may_begin_with_digit(&branch) && !is_anchored {
            // A match must not begin in the middle of an escape.
            format!("^{ANY}*(?:{ours})")
        } else {
            ours
        });
    }
    if branches.is_empty() {
        return Ok(String::new());
    }
    Ok(in_case(&branches.join("|"), ignore_case))
}

/// Whether what stands before `://` is a word, and not that of a URL that comes here.
fn is_other_scheme(front: &[Part], ignore_case: bool) -> bool {
    let word = front.get(1..).unwrap_or_default();
    let word = word
        .iter()
        .map_while(|part| part.literal.filter(|c| *c != ':'));
    let word: String = word.collect();
    let is_whole = front
        .get(word.chars().count() + 1)
        .is_some_and(|part| part.literal == Some(':'));
    let is_known = if ignore_case {
        ["http", "https"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(&word))
    } else {
        ["http", "https"].contains(&word.as_str())
    };
    is_whole && !is_known
}

/// How many parts are about scheme and host, where nothing is escaped: `^https?://[^/]*\.test/`.
fn front(parts: &[Part]) -> usize {
    let is = |at: usize, c: char| parts.get(at).is_some_and(|part| part.literal == Some(c));
    let is_anchored = parts
        .first()
        .is_some_and(|part| part.anchor == Some(Anchor::Start));
    let colon = parts.iter().position(|part| part.may_match(b':'));
    let Some(colon) = colon.filter(|at| is_anchored && is(*at, ':')) else {
        return 0;
    };
    if !is(colon + 1, '/') || !is(colon + 2, '/') {
        return 0;
    }
    let host = parts.get(colon + 3..).unwrap_or_default();
    let ends_at = host.iter().position(|part| part.may_match(b'/'));
    match ends_at {
        Some(at) if is(colon + 3 + at, '/') => colon + 4 + at,
        Some(at) => colon + 3 + at,
        None => parts.len(),
    }
}

/// An expression about path and query, and the key that it is asked of. Empty: it matches none.
///
/// # Errors
/// What cannot be said.
pub(super) fn path(pattern: &str, ignore_case: bool) -> Result<(Field, String), Unsupported> {
    let branches = alternatives(pattern)?;
    let asks_for_end = branches
        .iter()
        .flatten()
        .any(|part| part.anchor == Some(Anchor::End) || (part.anchor.is_none() && part.has_end()));
    if !asks_for_end {
        let ours = over_escaped(pattern, ignore_case)?;
        let ours = if may_begin_with_digit(pattern) && !pattern.contains('^') {
            format!("^{ANY}*(?:{ours})")
        } else {
            ours
        };
        // With a question mark it is asked of path and query, else of the path alone.
        return Ok((Field::HttpUri, in_case(&format!("(?:{ours})"), ignore_case)));
    }
    // The key for path and query also matches the path alone: `$` would match before a query.
    let mut wholes = Vec::new();
    for parts in &branches {
        wholes.extend(after_host(parts, ignore_case)?);
    }
    if wholes.is_empty() {
        return Ok((Field::Url, String::new()));
    }
    Ok((Field::Url, in_case(&wholes.join("|"), ignore_case)))
}

/// Expressions over whole URLs that match where the parts match within path and query.
fn after_host(parts: &[Part], ignore_case: bool) -> Result<Vec<String>, Unsupported> {
    let (is_anchored, body) = match parts.split_first() {
        Some((first, rest)) if first.anchor == Some(Anchor::Start) => (true, rest),
        _ => (false, parts),
    };
    if text(body).contains('^') && body.iter().any(Part::has_start) {
        return Err(Unsupported::CaretWithin);
    }
    let mut found = Vec::new();
    if !is_anchored {
        let ours = over_escaped(&text(body), ignore_case)?;
        found.push(format!("{BEFORE_PATH}/{ANY}*(?:{ours})"));
    }
    // A match that begins with the path begins with its slash.
    match body.split_first() {
        Some((first, rest)) if first.is_one_byte() => {
            if first.may_match(b'/') {
                let ours = over_escaped(&text(rest), ignore_case)?;
                found.push(format!("{BEFORE_PATH}/{}", grouped(&ours)));
            }
        }
        Some((first, _)) if !is_anchored && first.anchor.is_none() && !first.may_match(b'/') => {}
        // Only the end: it is there in every path.
        Some((first, [])) if first.anchor == Some(Anchor::End) && !is_anchored => {}
        _ => return Err(Unsupported::UnclearBegin),
    }
    Ok(found)
}

fn grouped(pattern: &str) -> String {
    if pattern.contains('|') {
        format!("(?:{pattern})")
    } else {
        pattern.to_owned()
    }
}

/// Without the wildcards at its start, which change nothing; Squid drops them too.
pub(super) fn lean(pattern: &str) -> &str {
    let mut rest = pattern.strip_prefix("^.*").unwrap_or(pattern);
    while let Some(after) = rest.strip_prefix(".*") {
        rest = after;
    }
    // A repetition sign would have repeated what was dropped.
    if rest.is_empty() || rest.starts_with(['?', '+', '*', '{', '|']) {
        pattern
    } else {
        rest
    }
}

/// An expression that matches letters in either case, or as it is.
pub(super) fn in_case(pattern: &str, ignore_case: bool) -> String {
    if ignore_case {
        format!("(?i){pattern}")
    } else {
        pattern.to_owned()
    }
}

fn text(parts: &[Part]) -> String {
    parts.iter().map(|part| part.text.as_str()).collect()
}

/// Any of these words of `request:Protocol`.
pub(super) fn protocol(words: &[Protocol]) -> Formula {
    let values = Values {
        name: "protocols".to_owned(),
        origin: String::new(),
        items: words.iter().map(|word| word.name().to_owned()).collect(),
    };
    Condition::new(Field::Protocol, operator(Question::Equals, false), values).into()
}

#[cfg(test)]
mod tests {
    use super::super::super::regex::from_posix;
    use super::*;

    #[test]
    fn whole_urls_stay_whole() {
        for (squid, ours) in [
            (r"^http://www\.a\.test/x", r"^http://www\.a\.test/x"),
            (r"^https?://[^/]+/a b", "^https?://[^/]+/a(?:%20)b"),
            (r"sex", "sex"),
            (r"evil\.test:8080", r"evil\.test(?::|%3A)8080"),
            (r"[0-9]x|y", "^(?:[^%]|%[0-9A-F]{2})*(?:[0-9]x)|y"),
        ] {
            assert_eq!(
                url(&from_posix(squid), false).as_deref(),
                Ok(ours),
                "{squid}"
            );
        }
    }

    #[test]
    fn what_no_url_is_like_is_dropped() {
        assert_eq!(url("^ftp://|^cache_object://", false).as_deref(), Ok(""));
        assert_eq!(url("^ftp://|x", false).as_deref(), Ok("x"));
        assert_eq!(authority("^https?://|a/b", false).as_deref(), Ok(""));
        assert_eq!(authority(r":443$|/x", true).as_deref(), Ok("(?i):443$"));
    }

    #[test]
    fn paths_are_asked_for_where_they_are() {
        for (squid, field, ours) in [
            ("^/x", Field::HttpUri, "(?:^(?:/|%2F)x)"),
            (
                r"\.exe$",
                Field::Url,
                r"^[a-z]+://[^/]*/(?:[^%]|%[0-9A-F]{2})*(?:\.exe$)",
            ),
            (
                r".exe$",
                Field::Url,
                "^[a-z]+://[^/]*/(?:[^%]|%[0-9A-F]{2})*(?:(?:[^%]|%[0-9A-F]{2})exe$)|^[a-z]+://[^/]*/exe$",
            ),
            ("^/$", Field::Url, "^[a-z]+://[^/]*/$"),
        ] {
            let found = path(&from_posix(squid), false);
            assert_eq!(found, Ok((field, ours.to_owned())), "{squid}");
        }
        assert_eq!(path("^a$", true), Ok((Field::Url, String::new())));
        assert!(path("[^?]*x$", false).is_err());
    }

    #[test]
    fn needless_wildcards_go() {
        for (pattern, lean_pattern) in [
            ("^.*ads", "ads"),
            (".*.*ads", "ads"),
            (".*", ".*"),
            (".*?x", ".*?x"),
            (".*|x", ".*|x"),
            ("^ads", "^ads"),
        ] {
            assert_eq!(lean(pattern), lean_pattern);
        }
    }
}
