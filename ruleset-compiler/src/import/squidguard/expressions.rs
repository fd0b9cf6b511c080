//! Lists of expressions. SquidGuard asks them of the URL without its scheme, `host:port/path?query`, in which
//! escapes are decoded but for that of a space, and several slashes of the path are one; of a CONNECT it is
//! `host:port`. Letters have no case.

use sallyport_ruleset::{Action, Field, Protocol};

use super::super::book::{Book, one};
use super::super::condition::Formula;
use super::super::escaped_regex::{ANY, over_escaped};
use super::super::regex::{Anchor, Part, alternatives, from_posix};
use super::super::report::{Difference, Effect};
use super::lists::{Destination, Use};
use super::unsupported::Unsupported;
use crate::operator::Question;

/// What stands before the text in `request:Url`; a tunnel that is not looked into has none there.
const SCHEME: &str = "^https?://";
/// A slash of a decoded text.
const SLASH: &str = "(?:/|%2F)";

const SLASHES: &str = "several slashes in a row are one on the paths there, and here where it is denied, wherever they stand";
const SPACES: &str = "a space in a URL is one character here, and `%20` there";

/// Reads all lines; they become two conditions, one over URLs and one over what a CONNECT asks for.
pub(super) fn read(book: &mut Book, text: &str, to: &mut Destination, used: Use) {
    let (mut urls, mut authorities) = (Vec::new(), Vec::new());
    for (line, number) in text.lines().zip(1..) {
        // No comments there: but no URL has a `#`.
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let found = translated(line, used).and_then(|found| {
            book.check(&Field::Url, Question::Matches, &found.url)?;
            if let Some(authority) = &found.authority {
                book.check(&Field::Authority, Question::Matches, authority)?;
            }
            Ok(found)
        });
        match found {
            Ok(found) => {
                let entry = book.carried(number, line, "expression");
                to.entries.push(entry);
                for (effect, note) in differences(line, used) {
                    book.differ(entry, effect, note);
                }
                urls.push(found.url);
                authorities.extend(found.authority);
            }
            Err(why) => {
                let why = Difference::new(used.of_leaving(), why);
                book.left(number, line, "expression", why);
            }
        }
    }
    if !urls.is_empty() {
        to.urls
            .push(one(Field::Url, Question::Matches, "expressions", &urls));
    }
    if !authorities.is_empty() {
        let connect = [Protocol::Connect.name().to_owned()];
        to.urls.push(Formula::all([
            one(Field::Protocol, Question::Equals, "connect", &connect),
            one(
                Field::Authority,
                Question::Matches,
                "expressions-connect",
                &authorities,
            ),
        ]));
    }
}

/// An expression for both keys.
#[derive(Debug, PartialEq, Eq)]
struct Translated {
    url: String,
    /// `None`: no CONNECT is like that.
    authority: Option<String>,
}

fn translated(line: &str, used: Use) -> Result<Translated, Unsupported> {
    if line.contains(['%', '#']) || line.contains(char::is_whitespace) {
        return Err(Unsupported::Escaped);
    }
    let (mut urls, mut authorities) = (Vec::new(), Vec::new());
    for parts in alternatives(&from_posix(line))? {
        let (is_anchored, body) = match parts.split_first() {
            Some((first, rest)) if first.anchor == Some(Anchor::Start) => (true, rest),
            _ => (false, parts.as_slice()),
        };
        let has_start = body.iter().any(Part::has_start);
        let body: String = body.iter().map(|part| part.text.as_str()).collect();
        if body.contains('^') && has_start {
            return Err(Unsupported::CaretWithin);
        }
        let mut ours = over_escaped(&body, true)?;
        if used.action == Some(Action::Deny) {
            ours = ours.replace(SLASH, "(?:/|%2F)+");
        }
        urls.push(if is_anchored {
            format!("{SCHEME}(?:{ours})")
        } else {
            format!("{SCHEME}{ANY}*(?:{ours})")
        });
        if !parts.iter().any(|part| part.literal == Some('/')) {
            authorities.push(
                parts
                    .iter()
                    .map(|part| part.text.as_str())
                    .collect::<String>(),
            );
        }
    }
    Ok(Translated {
        url: format!("(?i){}", urls.join("|")),
        authority: (!authorities.is_empty()).then(|| format!("(?i){}", authorities.join("|"))),
    })
}

/// What may match otherwise than there. One that is denied matches more, one that is allowed fewer, but for
/// the space.
fn differences(line: &str, used: Use) -> Vec<(Effect, &'static str)> {
    let mut found = Vec::new();
    let of_action = |action: Action| match action {
        Action::Deny | Action::Allow => Effect::Narrower,
        Action::Alert => Effect::Neither,
    };
    if line.contains('/') {
        found.push((used.action.map_or(Effect::Either, of_action), SLASHES));
    }
    if has_single_wildcard(line) {
        let effect = match used.action {
            Some(Action::Deny) => Effect::Narrower,
            Some(Action::Allow) => Effect::Wider,
            Some(Action::Alert) | None => Effect::Either,
        };
        found.push((effect, SPACES));
    }
    found
}

/// Whether a wildcard or a class stands for just one character, or for a number of them.
fn has_single_wildcard(line: &str) -> bool {
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '.' if !matches!(chars.peek(), Some('*' | '+')) => return true,
            '[' if chars.peek() == Some(&'^') => {
                while chars.next().is_some_and(|c| c != ']') {}
                if !matches!(chars.peek(), Some('*' | '+')) {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        let denied = Use {
            action: Some(Action::Deny),
        };
        let of = |line: &str| translated(line, denied).map(|found| (found.url, found.authority));
        assert_eq!(
            of(r"^ads\."),
            Ok((
                r"(?i)^https?://(?:ads\.)".to_owned(),
                Some(r"(?i)^ads\.".to_owned())
            ))
        );
        assert_eq!(
            of("a/b|:80"),
            Ok((
                "(?i)^https?://(?:[^%]|%[0-9A-F]{2})*(?:a(?:/|%2F)+b)|^https?://(?:[^%]|%[0-9A-F]{2})*(?:(?::|%3A)80)".to_owned(),
                Some("(?i):80".to_owned())
            ))
        );
        for left in ["a b", "%20", "a#", r"(a|^b)"] {
            assert!(of(left).is_err(), "{left}");
        }
    }

    #[test]
    fn wildcards() {
        for (line, expected) in [
            ("a.b", true),
            (r"a\.b", false),
            ("a.*b", false),
            ("[^/]x", true),
            ("[^/]*x", false),
            ("[ab]", false),
        ] {
            assert_eq!(has_single_wildcard(line), expected, "{line}");
        }
    }
}
