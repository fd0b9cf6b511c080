//! A plan file into its shape, with everything that is wrong with it at once: a value that does not fit
//! is noted with its key and put aside, until the rest fits.

use std::ops::Range;
use std::path::Path;

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::PlanFile;
use super::problem::{Place, PlanErrors, Problem};
use crate::error::LoadError;

/// More would be no help, and each costs a pass over the file.
const PROBLEMS_MAX: usize = 100;

/// Reads a file. What does not fit is in the place's `known`, and absent from the plan.
///
/// # Errors
/// When the file cannot be read, or is not TOML.
pub(super) fn read(path: &Path) -> Result<(PlanFile, Place), LoadError> {
    let text = std::fs::read_to_string(path).map_err(|source| LoadError::File {
        path: path.to_owned(),
        source,
    })?;
    let mut place = Place::file(path.to_owned(), text);
    match shape(place.text()) {
        Ok((file, known)) => {
            place.known = known;
            Ok((file, place))
        }
        Err(problems) => Err(LoadError::Plan(PlanErrors::new(&place, problems))),
    }
}

fn shape(text: &str) -> Result<(PlanFile, Vec<Problem>), Vec<Problem>> {
    let (mut table, errors) = DeTable::parse_recoverable(text);
    let mut problems: Vec<_> = errors
        .iter()
        .map(|error| Problem::at(error.span(), error.message().to_owned()))
        .collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    loop {
        let error = match PlanFile::deserialize(toml::Deserializer::from(table.clone())) {
            Ok(file) => return Ok((file, problems)),
            Err(error) => error,
        };
        let message = error.message().to_owned();
        let path = error.span().and_then(|span| find(table.get_ref(), &span));
        let Some(path) = path.filter(|_| problems.len() < PROBLEMS_MAX) else {
            problems.push(Problem::at(error.span(), message));
            return Err(problems);
        };
        remove(table.get_mut(), &path);
        problems.push(Problem::of(join(&path), message).spanning(error.span()));
    }
}

/// A key, or a place in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

fn join(path: &[Step]) -> String {
    let names: Vec<_> = path
        .iter()
        .map(|step| match step {
            Step::Key(key) => key.clone(),
            Step::Index(index) => index.to_string(),
        })
        .collect();
    names.join(".")
}

/// The innermost entry whose key or value stands at `span`.
fn find(table: &DeTable<'_>, span: &Range<usize>) -> Option<Vec<Step>> {
    let within = |step: Step, value: &Spanned<DeValue<'_>>| {
        let inner = find_in(value, span);
        inner.map(|inner| [vec![step], inner].concat())
    };
    table.iter().find_map(|(key, value)| {
        let step = Step::Key(key.get_ref().to_string());
        if key.span() == *span {
            return Some(vec![step]);
        }
        within(step, value)
    })
}

/// The same inside a value; an empty path is the value itself.
fn find_in(value: &Spanned<DeValue<'_>>, span: &Range<usize>) -> Option<Vec<Step>> {
    let inner = match value.get_ref() {
        DeValue::Table(table) => find(table, span),
        DeValue::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            let inner = find_in(item, span)?;
            Some([vec![Step::Index(index)], inner].concat())
        }),
        _ => None,
    };
    let own = value.span();
    let is_here = own.start <= span.start && span.end <= own.end;
    inner.or_else(|| is_here.then(Vec::new))
}

/// Removes an entry. An element of a list keeps its place, for the sake of the others' names: the whole
/// list goes, unless the element is a table, of which all keys go.
fn remove(table: &mut DeTable<'_>, path: &[Step]) {
    let Some((Step::Key(key), rest)) = path.split_first() else {
        return;
    };
    let Some(value) = table.get_mut(key.as_str()) else {
        return;
    };
    let is_removed = match (value.get_mut(), rest) {
        (DeValue::Table(inner), [Step::Key(_), ..]) => {
            remove(inner, rest);
            true
        }
        (DeValue::Array(items), [Step::Index(index), rest @ ..]) if !rest.is_empty() => {
            match items.get_mut(*index).map(Spanned::get_mut) {
                Some(DeValue::Table(inner)) => {
                    remove(inner, rest);
                    true
                }
                _ => false,
            }
        }
        _ => false,
    };
    if !is_removed {
        table.remove(key.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let (_, problems) = shape(text).unwrap();
        problems.iter().map(|problem| problem.key.clone()).collect()
    }

    #[test]
    fn everything_that_does_not_fit_is_told_once() {
        let text = "conections = 1\nconnections = \"many\"\nduration = 5\n\n[tls]\ninsecure = 1\n\n\
                    [arrivals]\nspacing = \"odd\"\nsteps = [{ rate = 1 }, { rate = 2, duration = \"1s\" }]\n\n\
                    [[request]]\nurl = 1\n[[request]]\nurl = \"http://a/\"\nheaders = [1]\nmetod = \"GET\"\n\
                    [[client]]\nslow = { bytes = 1 }\n";
        let mut keys = told(text);
        keys.sort();
        assert_eq!(
            keys,
            [
                "arrivals.spacing",
                "arrivals.steps.0",
                "client.0.slow",
                "conections",
                "connections",
                "duration",
                "request.0.url",
                "request.1.headers.0",
                "request.1.metod",
                "tls.insecure",
            ]
        );
        let (file, _) = shape(text).unwrap();
        assert_eq!(file.request[1].url.as_deref(), Some("http://a/"));
    }

    #[test]
    fn tables_and_lists_that_are_none() {
        assert_eq!(
            told("request = 5\n[[client]]\nname = 1\n"),
            ["client.0.name", "request"]
        );
        assert_eq!(told("request = [5]\ntls = 5\n"), ["request.0", "tls"]);
        assert_eq!(told("[duration]\na = 1\n"), ["duration"]);
    }

    #[test]
    fn faults_of_the_syntax_are_told_together() {
        let problems = shape("a = \nb = 1 2\nc = \"x\n").unwrap_err();
        assert!(problems.len() >= 2, "{problems:?}");
    }
}
