//! `url_regex`: Squid matches an expression against a whole URL; rules see host, port, and path
//! with query apart. Expressions that say which part they mean are taken apart; those that mean
//! any part are asked of both.
//!
//! A URL is `scheme://host[:port]/path?query`, and for CONNECT `host:port`.

use sallyport_ruleset::{Field, Protocol};

use super::super::condition::{Checker, Condition, Formula, Values, operator};
use super::super::regex::{Anchor, Part, alternatives};
use crate::operator::Question;

/// How the scheme of a URL may be written in an expression; each reaches to its last slash.
const SCHEMES: [(&str, Scheme); 12] = [
    ("http://", Scheme::Http),
    ("https://", Scheme::Https),
    ("https?://", Scheme::Any),
    ("(https?)://", Scheme::Any),
    ("(https|http)://", Scheme::Any),
    ("(http|https)://", Scheme::Any),
    ("http(s)?://", Scheme::Any),
    ("http(s|)://", Scheme::Any),
    ("[a-z]+://", Scheme::Any),
    ("[a-z]*://", Scheme::Any),
    (r"[^\:]+://", Scheme::Any),
    ("[^:]+://", Scheme::Any),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
    Any,
}

/// What one expression, in our syntax, asks of the parts of a URL. `name` and `origin` are those
/// of the values.
///
/// # Errors
/// Why it cannot be taken apart.
pub(super) fn formula(
    pattern: &str,
    ignore_case: bool,
    source: (&str, &str),
    checker: &mut Checker,
) -> Result<Formula, String> {
    let mut splitter = Splitter {
        ignore_case,
        source,
        checker,
    };
    let branches = alternatives(pattern)?;
    let formulas: Result<Vec<Formula>, String> = branches
        .iter()
        .map(|parts| splitter.branch(parts))
        .collect();
    Ok(Formula::any(formulas?))
}

struct Splitter<'a> {
    ignore_case: bool,
    source: (&'a str, &'a str),
    checker: &'a mut Checker,
}

impl Splitter<'_> {
    fn branch(&mut self, parts: &[Part]) -> Result<Formula, String> {
        if parts
            .iter()
            .skip(1)
            .any(|part| part.anchor == Some(Anchor::Start))
        {
            return Err("it has a `^` that is not at the start".to_owned());
        }
        let (anchored, rest) = match parts.split_first() {
            Some((first, rest)) if first.anchor == Some(Anchor::Start) => (true, rest),
            _ => (false, parts),
        };
        if anchored {
            let (scheme, rest) = scheme(rest).ok_or(
                "it begins with `^` and not with `http://`, so it is not clear what it is about",
            )?;
            let below = self.after_scheme(rest)?;
            return Ok(Formula::all([scheme_formula(scheme), below]));
        }
        if let Some((host, port)) = tunnel(rest) {
            return self.tunnel(host, &port);
        }
        self.anywhere(rest)
    }

    /// `host-expression/path-expression`, from the start of the host on.
    fn after_scheme(&mut self, parts: &[Part]) -> Result<Formula, String> {
        let slash = parts.iter().position(|part| part.literal == Some('/'));
        let (host, path) = parts.split_at(slash.unwrap_or(parts.len()));
        if host.iter().any(|part| part.may_match(b'/')) {
            return Err("a part of it may match within the host or beyond it".to_owned());
        }
        if host.iter().any(|part| part.literal == Some(':')) {
            return Err("it asks for a port inside the URL; use an ACL of type `port`".to_owned());
        }
        let ends = slash.is_some();
        if !ends && host.iter().any(|part| part.anchor.is_some()) {
            // A URL has a path, if only `/`: it never ends with its host.
            return Ok(Formula::Never);
        }
        let host_formula = if host.is_empty() {
            Formula::Always
        } else {
            let end = if ends { "$" } else { "" };
            self.matches(Field::DestinationDomain, &format!("^{}{end}", text(host)))?
        };
        let path_formula = match path {
            [] => Formula::Always,
            [only] if only.literal == Some('/') => Formula::Always,
            path => self.matches(Field::HttpUri, &format!("^{}", text(path)))?,
        };
        Ok(Formula::all([host_formula, path_formula]))
    }

    /// `host:443`, as a CONNECT is written.
    fn tunnel(&mut self, host: &[Part], port: &str) -> Result<Formula, String> {
        if host.iter().any(|part| part.may_match(b'/')) {
            return Err("a part of it may match within the host or beyond it".to_owned());
        }
        self.checker.check(
            &Field::DestinationPort,
            Question::Between,
            &format!("{port}-{port}"),
        )?;
        let name = self.matches(Field::DestinationDomain, &format!("{}$", text(host)))?;
        let port = self.condition(
            Field::DestinationPort,
            Question::Number(crate::operator::Comparison::Equal),
            port,
        );
        Ok(Formula::all([protocol(&[Protocol::Connect]), name, port]))
    }

    /// Not anchored at the start.
    fn anywhere(&mut self, parts: &[Part]) -> Result<Formula, String> {
        let slash = parts.iter().position(|part| part.literal == Some('/'));
        let ends = parts.iter().any(|part| part.anchor == Some(Anchor::End));
        let in_uri = self.matches(Field::HttpUri, &text(parts))?;
        let Some(slash) = slash else {
            // A URL has a path, so what ends it is in the path.
            if ends {
                return Ok(in_uri);
            }
            let in_host = self.matches(Field::DestinationDomain, &text(parts))?;
            return Ok(Formula::any([in_host, in_uri]));
        };
        let (host, path) = parts.split_at(slash);
        if path.get(1).is_some_and(|part| part.literal == Some('/')) {
            return Err("it asks for `//`, which is in the scheme as well as in paths".to_owned());
        }
        let across_host = host.is_empty() || host.iter().any(|part| part.may_match(b'/'));
        if across_host {
            return Ok(in_uri);
        }
        let name = self.matches(Field::DestinationDomain, &format!("{}$", text(host)))?;
        let below = match path {
            [_] => Formula::Always,
            path => self.matches(Field::HttpUri, &format!("^{}", text(path)))?,
        };
        Ok(Formula::any([Formula::all([name, below]), in_uri]))
    }

    fn matches(&mut self, field: Field, pattern: &str) -> Result<Formula, String> {
        let pattern = in_case(pattern, self.ignore_case);
        let pattern = if field == Field::HttpUri {
            with_query(pattern)
        } else {
            pattern
        };
        self.checker.check(&field, Question::Matches, &pattern)?;
        Ok(self.condition(field, Question::Matches, &pattern))
    }

    fn condition(&self, field: Field, question: Question, item: &str) -> Formula {
        let values = Values {
            name: self.source.0.to_owned(),
            origin: self.source.1.to_owned(),
            items: vec![item.to_owned()],
        };
        Condition::new(field, operator(question, false), values).into()
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

/// An expression that is asked of the path and of path and query: rules ask it of the path alone
/// unless it has a question mark.
pub(super) fn with_query(pattern: String) -> String {
    if pattern.contains('?') {
        pattern
    } else {
        format!("(?:{pattern})")
    }
}

fn text(parts: &[Part]) -> String {
    parts.iter().map(|part| part.text.as_str()).collect()
}

/// The scheme that the parts begin with, and what follows it.
fn scheme(parts: &[Part]) -> Option<(Scheme, &[Part])> {
    SCHEMES.iter().find_map(|(spelling, scheme)| {
        let mut spelled = String::new();
        for (at, part) in parts.iter().enumerate() {
            // An escaped slash or colon is one all the same.
            match part.literal {
                Some(c) => spelled.push(c),
                None => spelled.push_str(&part.text),
            }
            if spelled == *spelling {
                return parts.get(at + 1..).map(|rest| (*scheme, rest));
            }
        }
        None
    })
}

fn scheme_formula(scheme: Scheme) -> Formula {
    match scheme {
        // Squid sees `http://` in plain requests only; a CONNECT has no scheme.
        Scheme::Http => plain_http(),
        Scheme::Https => protocol(&[Protocol::Https, Protocol::Wss]),
        Scheme::Any => Formula::any([plain_http(), protocol(&[Protocol::Https, Protocol::Wss])]),
    }
}

/// Plain requests that do not come through a tunnel.
pub(super) fn plain_http() -> Formula {
    Formula::all([
        protocol(&[Protocol::Http, Protocol::Ws]),
        protocol(&[Protocol::Connect]).negated(),
    ])
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

/// The host's part and the port of an expression that ends with `:port`.
fn tunnel(parts: &[Part]) -> Option<(&[Part], String)> {
    let body = match parts.split_last() {
        Some((last, body)) if last.anchor == Some(Anchor::End) => body,
        _ => parts,
    };
    let colon = body.iter().rposition(|part| part.literal == Some(':'))?;
    let digits = body.get(colon + 1..)?;
    let port: Option<String> = digits.iter().map(|part| part.literal).collect();
    let port =
        port.filter(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some((body.get(..colon)?, port))
}

#[cfg(test)]
mod tests {
    use super::super::super::regex::from_posix;
    use super::*;

    fn shown(pattern: &str) -> String {
        let mut checker = Checker::default();
        let formula = formula(&from_posix(pattern), false, ("n", "o"), &mut checker);
        let formula = match formula {
            Ok(formula) => formula,
            Err(why) => return format!("left: {why}"),
        };
        let show = |condition: &Condition| {
            let items = condition.values.items.join(" ");
            let negated = if condition.operator.negated { "!" } else { "" };
            let field = condition.field.to_string();
            let field = field.rsplit(':').next().unwrap_or_default();
            format!("{negated}{field}~{items}")
        };
        let rules: Vec<String> = formula
            .alternatives()
            .unwrap()
            .iter()
            .map(|conditions| conditions.iter().map(show).collect::<Vec<_>>().join(" & "))
            .collect();
        rules.join(" | ")
    }

    #[test]
    fn expressions_are_taken_apart() {
        for (squid, ours) in [
            (
                r"^http://www\.a\.test/x",
                r"Protocol~http ws & !Protocol~connect & DestinationDomain~^www\.a\.test$ & Uri~(?:^/x)",
            ),
            (
                r"^https://a\.test/",
                r"Protocol~https wss & DestinationDomain~^a\.test$",
            ),
            (
                r"^https:\/\/a",
                r"Protocol~https wss & DestinationDomain~^a",
            ),
            (r"sex", r"DestinationDomain~sex | Uri~(?:sex)"),
            (r"\.exe$", r"Uri~(?:\.exe$)"),
            (r"/ads/", r"Uri~(?:/ads/)"),
            (
                r"a\.test/x?",
                r"DestinationDomain~a\.test$ & Uri~^/x? | Uri~a\.test/x?",
            ),
            (
                r"mail\.test:443",
                r"Protocol~connect & DestinationDomain~mail\.test$ & DestinationPort~443",
            ),
            (
                r"^http://.*ads",
                "left: a part of it may match within the host or beyond it",
            ),
            (
                r"^ftp:",
                "left: it begins with `^` and not with `http://`, so it is not clear what it is about",
            ),
            (
                r"//x",
                "left: it asks for `//`, which is in the scheme as well as in paths",
            ),
        ] {
            assert_eq!(shown(squid), ours, "{squid}");
        }
        assert_eq!(
            shown(r"\.exe$|^http://a$").split(" | ").count(),
            1,
            "no URL ends with its host"
        );
    }
}
