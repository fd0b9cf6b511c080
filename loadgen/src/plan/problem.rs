//! What is wrong with a plan, and where: file, line, column and key, or the flag it came from.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Where a plan came from.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    file: Option<(PathBuf, String)>,
    /// Keys that flags have filled, whatever the file says.
    pub(super) flags: BTreeSet<&'static str>,
    /// What is known to be wrong already: it fits no key, or not its key.
    pub(super) known: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Key with its tables, as in `request.2.url`; empty if only the place is known.
    pub(super) key: String,
    span: Option<Range<usize>>,
    message: String,
}

impl Problem {
    /// A problem with the value of a key.
    pub(crate) fn of(key: impl Into<String>, message: impl ToString) -> Self {
        Self {
            key: key.into(),
            span: None,
            message: message.to_string(),
        }
    }

    /// A problem at a place of the text.
    pub(crate) fn at(span: Option<Range<usize>>, message: String) -> Self {
        Self {
            key: String::new(),
            span,
            message,
        }
    }

    /// The same at a place that is known.
    pub(super) fn spanning(self, span: Option<Range<usize>>) -> Self {
        Self { span, ..self }
    }

    /// Whether this follows from `other`: the same key, one above it, or one below.
    pub(super) fn follows_from(&self, other: &Self) -> bool {
        let is_below = |key: &str, above: &str| {
            key.strip_prefix(above)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        is_below(&self.key, &other.key) || is_below(&other.key, &self.key)
    }
}

/// Flags, and the keys that they fill where those have other names. Keys of `[[request]]` stand for all
/// of its entries.
const RENAMED: [(&str, &str); 14] = [
    ("arrivals.rate", "--rate"),
    ("arrivals.spacing", "--poisson"),
    ("form", "--connect"),
    ("pids", "--pid"),
    ("request", "--url"),
    ("request.body_bytes", "--body-bytes"),
    ("request.body_file", "--body-file"),
    ("request.check_body", "--no-body-check"),
    ("request.headers", "--header"),
    ("request.url", "--url"),
    ("sources", "--source"),
    ("tls.ca", "--cacert"),
    ("tls.insecure", "--insecure"),
    ("tls.resumption", "--no-resumption"),
];

/// The key as flags know it: without the number of a request.
fn general(key: &str) -> String {
    let parts = key.split('.').filter(|part| part.parse::<usize>().is_err());
    parts.collect::<Vec<_>>().join(".")
}

/// The flag that fills a key.
fn flag(key: &str) -> String {
    let key = general(key);
    let renamed = RENAMED.iter().find(|(name, _)| *name == key);
    renamed.map_or_else(
        || {
            let name = key.rsplit('.').next().unwrap_or_default();
            format!("--{}", name.replace('_', "-"))
        },
        |(_, flag)| (*flag).to_owned(),
    )
}

impl Place {
    /// A command line.
    pub(crate) fn command_line() -> Self {
        Self {
            file: None,
            flags: BTreeSet::new(),
            known: Vec::new(),
        }
    }

    /// A file and its text.
    pub(crate) fn file(path: PathBuf, text: String) -> Self {
        Self {
            file: Some((path, text)),
            ..Self::command_line()
        }
    }

    /// What was wrong with keys that flags have filled is no problem any more.
    pub(super) fn forget_overridden(&mut self) {
        let flags = &self.flags;
        self.known
            .retain(|problem| !flags.contains(general(&problem.key).as_str()));
    }

    /// The text of the file; empty for a command line.
    pub(crate) fn text(&self) -> &str {
        self.file.as_ref().map_or("", |(_, text)| text)
    }

    /// Place, key and message, on one line.
    fn describe(&self, problem: &Problem) -> String {
        let (key, message) = (problem.key.as_str(), &problem.message);
        let Some((path, text)) = self.file.as_ref() else {
            return format!("{}: {message}", flag(key));
        };
        if self.flags.contains(general(key).as_str()) {
            return format!("{}: {message}", flag(key));
        }
        let span = problem.span.clone().or_else(|| span_of(text, key));
        let place = span.map_or_else(String::new, |span| {
            let before = text.get(..span.start).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let line_start = before.rfind('\n').map_or(0, |at| at + 1);
            let column = before.get(line_start..).unwrap_or_default();
            format!(":{line}:{}", column.chars().count() + 1)
        });
        let name = if key.is_empty() {
            String::new()
        } else {
            format!(" {key}:")
        };
        format!("{}{place}:{name} {message}", path.display())
    }

    /// Where a problem stands, for sorting: those of the file in its order, then the others.
    fn order(&self, problem: &Problem) -> usize {
        let span = problem.span.clone();
        span.or_else(|| span_of(self.text(), &problem.key))
            .map_or(usize::MAX, |span| span.start)
    }
}

/// Where the value of a key stands; of the nearest table above it if the key itself is not there.
fn span_of(text: &str, key: &str) -> Option<Range<usize>> {
    let (table, _) = DeTable::parse_recoverable(text);
    let mut found = None;
    let mut here: Option<&Spanned<DeValue<'_>>> = None;
    for (depth, part) in key.split('.').enumerate() {
        let next = match (depth, here.map(Spanned::get_ref)) {
            (0, _) => table.get_ref().get(part),
            (_, Some(DeValue::Table(table))) => table.get(part),
            (_, Some(DeValue::Array(items))) => part
                .parse::<usize>()
                .ok()
                .and_then(|index| items.get(index)),
            _ => None,
        };
        let Some(next) = next else { break };
        found = Some(next.span());
        here = Some(next);
    }
    found
}

/// All that is wrong with a plan.
#[derive(Debug)]
pub(crate) struct PlanErrors(Vec<String>);

impl PlanErrors {
    /// Describes problems by their place, in the order of the file.
    pub(crate) fn new(place: &Place, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| place.order(problem));
        let describe = |problem: &Problem| place.describe(problem);
        Self(problems.iter().map(describe).collect())
    }
}

impl fmt::Display for PlanErrors {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let text = "threads = 1\n[tls]\nca = \"x\"\n\n[[request]]\nurl = \"a\"\n[[request]]\nurl = \"b\"\n";
        let mut place = Place::file("p.toml".into(), text.to_owned());
        let line = |place: &Place, key: &str| place.describe(&Problem::of(key, "m"));
        assert_eq!(line(&place, "threads"), "p.toml:1:11: threads: m");
        assert_eq!(line(&place, "tls.ca"), "p.toml:3:6: tls.ca: m");
        assert_eq!(
            line(&place, "request.1.url"),
            "p.toml:8:7: request.1.url: m"
        );
        assert_eq!(
            line(&place, "request.1.method"),
            "p.toml:7:1: request.1.method: m"
        );
        // Not in the file, and no flag has filled it.
        assert_eq!(line(&place, "duration"), "p.toml: duration: m");
        // What a flag says is the flag's fault, wherever else the key stands.
        place.flags = BTreeSet::from(["threads", "request.method"]);
        assert_eq!(line(&place, "threads"), "--threads: m");
        assert_eq!(line(&place, "request.1.method"), "--method: m");
        assert_eq!(
            line(&place, "request.1.url"),
            "p.toml:8:7: request.1.url: m"
        );
        let place = Place::command_line();
        for (key, flag) in [
            ("arrivals.rate", "--rate"),
            ("request.0.headers", "--header"),
            ("request", "--url"),
            ("tls.ca", "--cacert"),
            ("keep_alive", "--keep-alive"),
        ] {
            assert_eq!(line(&place, key), format!("{flag}: m"));
        }
    }

    #[test]
    fn what_follows_from_a_fault_is_no_second_one() {
        let follows =
            |key: &str, other: &str| Problem::of(key, "").follows_from(&Problem::of(other, ""));
        assert!(follows("request", "request.0.url") && follows("request.0.url", "request"));
        assert!(
            follows("hosts", "hosts") && !follows("host", "hosts") && !follows("hosts", "host")
        );
    }
}
