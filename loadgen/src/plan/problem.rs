//! What is wrong with a plan, and where: file, line and key, or the flag it came from.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Where a plan came from.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    file: Option<(PathBuf, String)>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Key with its tables, as in `request.2.url`; empty if only the place is known.
    key: String,
    span: Option<Range<usize>>,
    message: String,
}

impl Problem {
    /// A problem with the value of a key.
    pub(crate) fn of(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            span: None,
            message: message.into(),
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
}

impl Place {
    /// A command line.
    pub(crate) fn command_line() -> Self {
        Self { file: None }
    }

    /// A file and its text.
    pub(crate) fn file(path: PathBuf, text: String) -> Self {
        Self {
            file: Some((path, text)),
        }
    }

    /// The text of the file; empty for a command line.
    pub(crate) fn text(&self) -> &str {
        self.file.as_ref().map_or("", |(_, text)| text)
    }

    fn describe(&self, problem: &Problem) -> String {
        let found = self.file.as_ref().and_then(|(path, text)| {
            let span = problem.span.clone();
            let span = span.or_else(|| span_of(text, &problem.key))?;
            let before = text.get(..span.start).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            Some(format!("{}:{line}: ", path.display()))
        });
        let name = match (&found, problem.key.as_str()) {
            (_, "") => String::new(),
            (Some(_), key) => format!("{key}: "),
            (None, key) => format!("{}: ", flag(key)),
        };
        format!("{}{name}{}", found.unwrap_or_default(), problem.message)
    }
}

/// The flag that fills a key.
fn flag(key: &str) -> String {
    let name = match key {
        "arrivals.rate" => "rate",
        "tls.ca" => "cacert",
        "pids" => "pid",
        "sources" => "source",
        _ => key.rsplit('.').next().unwrap_or(key),
    };
    let name = if name == "headers" { "header" } else { name };
    format!("--{}", name.replace('_', "-"))
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
    /// Describes problems by their place.
    pub(crate) fn new(place: &Place, problems: Vec<Problem>) -> Self {
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
        let place = Place::file("p.toml".into(), text.to_owned());
        let line = |key: &str| place.describe(&Problem::of(key, "m"));
        assert_eq!(line("threads"), "p.toml:1: threads: m");
        assert_eq!(line("tls.ca"), "p.toml:3: tls.ca: m");
        assert_eq!(line("request.1.url"), "p.toml:8: request.1.url: m");
        assert_eq!(line("request.1.method"), "p.toml:7: request.1.method: m");
        assert_eq!(line("duration"), "--duration: m");
        let place = Place::command_line();
        assert_eq!(
            place.describe(&Problem::of("arrivals.rate", "m")),
            "--rate: m"
        );
    }
}
