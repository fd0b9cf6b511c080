//! The file as it is: tables and values with their places, read key by key.
//!
//! A section asks for its keys and gets a checked value or the default; whatever is wrong is
//! reported and reading goes on, so that one run tells every problem. What nobody asked for is an
//! unknown key.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigErrors, Place, Problem};
use super::keys;
use super::values::{self, Wrong};

/// A place in the text, in bytes.
pub(super) type Span = Range<usize>;

/// Where problems are gathered.
#[derive(Debug)]
pub(super) struct Report<'t> {
    file: PathBuf,
    text: &'t str,
    problems: RefCell<Vec<(usize, Problem)>>,
    /// Every key that was asked for, whole.
    asked: RefCell<BTreeSet<String>>,
}

impl<'t> Report<'t> {
    /// An empty report about `text`, which was read from `file`.
    pub(super) fn new(file: &Path, text: &'t str) -> Self {
        let (problems, asked) = (RefCell::default(), RefCell::default());
        Self {
            file: file.to_owned(),
            text,
            problems,
            asked,
        }
    }

    /// Parses the text. All faults of the syntax are reported; then there is no table.
    pub(super) fn parse(&self) -> Option<Spanned<DeTable<'t>>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let span = error.span().unwrap_or_default();
            self.add(None, Some(span), error.message().to_owned(), None);
        }
        errors.is_empty().then_some(table)
    }

    /// Reports that `key` has a value that is not what was expected.
    pub(super) fn wrong(&self, key: &str, span: Option<Span>, wrong: &Wrong) {
        let message = format!("found {}, expected {}", wrong.found, wrong.expected);
        self.add(Some(key), span, message, None);
    }

    fn add(&self, key: Option<&str>, span: Option<Span>, message: String, help: Option<String>) {
        let order = span.as_ref().map_or(usize::MAX, |span| span.start);
        let place = span.map(|span| Place::new(self.text, &span));
        let file = self.file.clone();
        let problem = Problem {
            file,
            place,
            key: key.map(str::to_owned),
            message,
            help,
        };
        self.problems.borrow_mut().push((order, problem));
    }

    /// Every key that was asked for.
    #[cfg(test)]
    pub(super) fn asked(&self) -> BTreeSet<String> {
        self.asked.borrow().clone()
    }

    /// `value`, unless there was any problem.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, ConfigErrors> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|&(order, _)| order);
        let problems: Vec<_> = problems.into_iter().map(|(_, problem)| problem).collect();
        match value {
            Some(value) if problems.is_empty() => Ok(value),
            _ => Err(ConfigErrors {
                problems,
                is_unreadable: false,
            }),
        }
    }
}

/// A value and its place; no place if it is a default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) span: Option<Span>,
}

/// A table of the file, which may be absent: then every key has its default.
#[derive(Debug)]
pub(super) struct Section<'a> {
    report: &'a Report<'a>,
    /// The whole key of the table; empty for the root.
    path: String,
    table: Option<&'a DeTable<'a>>,
    asked: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Section<'a> {
    /// The whole file.
    pub(super) fn root(report: &'a Report<'a>, table: &'a DeTable<'a>) -> Self {
        Self {
            report,
            path: String::new(),
            table: Some(table),
            asked: RefCell::default(),
        }
    }

    /// A table of no entries, as if the file had it.
    pub(super) fn absent(&self, name: &'static str) -> Self {
        Self {
            report: self.report,
            path: self.key(name),
            table: None,
            asked: RefCell::default(),
        }
    }

    /// The table `name` of this one.
    pub(super) fn section(&self, name: &'static str) -> Self {
        let table = self.lookup(name).and_then(|value| {
            let table = value.get_ref().as_table();
            if table.is_none() {
                let wrong = Wrong::value(value.get_ref(), format!("a table: [{}]", self.key(name)));
                self.report
                    .wrong(&self.key(name), Some(value.span()), &wrong);
            }
            table
        });
        Self {
            table,
            ..self.absent(name)
        }
    }

    /// The tables of the list `name`, each with its place.
    pub(super) fn sections(&self, name: &'static str) -> Vec<(Self, Span)> {
        let Some(value) = self.lookup(name) else {
            return Vec::new();
        };
        let expected = || format!("a list of tables: [[{}]]", self.key(name));
        let Some(list) = value.get_ref().as_array() else {
            let wrong = Wrong::value(value.get_ref(), expected());
            self.report
                .wrong(&self.key(name), Some(value.span()), &wrong);
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in list.iter() {
            if let Some(table) = item.get_ref().as_table() {
                sections.push((
                    Self {
                        table: Some(table),
                        ..self.absent(name)
                    },
                    item.span(),
                ));
            } else {
                let wrong = Wrong::value(item.get_ref(), expected());
                self.report
                    .wrong(&self.key(name), Some(item.span()), &wrong);
            }
        }
        sections
    }

    /// The entries of the table `name`, whose names are free, in the order of the file.
    pub(super) fn entries(&self, name: &'static str) -> Vec<Entry<'a>> {
        self.note(name);
        let table = self.section(name).table;
        let mut entries: Vec<_> = table
            .into_iter()
            .flat_map(DeTable::iter)
            .map(|(key, value)| Entry {
                name: key.get_ref().as_ref(),
                name_span: key.span(),
                key: format!("{}.{}", self.key(name), key.get_ref()),
                value,
            })
            .collect();
        entries.sort_by_key(|entry: &Entry<'_>| entry.name_span.start);
        entries
    }

    /// The value of `name` as `parse` makes it; `None` if it is absent, or wrong and reported.
    pub(super) fn read<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&'a DeValue<'a>) -> Result<T, Wrong>,
    ) -> Option<Placed<T>> {
        self.note(name);
        let value = self.lookup(name)?;
        match parse(value.get_ref()) {
            Ok(parsed) => Some(Placed {
                value: parsed,
                span: Some(value.span()),
            }),
            Err(wrong) => {
                self.report
                    .wrong(&self.key(name), Some(value.span()), &wrong);
                None
            }
        }
    }

    /// The values of the list `name`, each made by `parse`; those that are wrong are reported.
    /// `None` if the list is absent.
    pub(super) fn list<T>(
        &self,
        name: &'static str,
        counts: RangeInclusive<usize>,
        expected: &str,
        parse: impl Fn(&'a DeValue<'a>) -> Result<T, Wrong>,
    ) -> Option<Vec<Placed<T>>> {
        let list = self.read(name, |value| {
            let (low, high) = (counts.start(), counts.end());
            let expected = format!("a list of {low} to {high} {expected}");
            let list = value
                .as_array()
                .ok_or_else(|| Wrong::value(value, &*expected))?;
            let found = format!("a list of {}", list.len());
            if counts.contains(&list.len()) {
                Ok(list)
            } else {
                Err(Wrong { found, expected })
            }
        })?;
        let mut values = Vec::new();
        for item in list.value.iter() {
            match parse(item.get_ref()) {
                Ok(value) => values.push(Placed {
                    value,
                    span: Some(item.span()),
                }),
                Err(wrong) => self
                    .report
                    .wrong(&self.key(name), Some(item.span()), &wrong),
            }
        }
        Some(values)
    }

    /// A truth value.
    pub(super) fn flag(&self, name: &'static str, default: bool) -> Placed<bool> {
        let flag = self.read(name, |value| {
            value
                .as_bool()
                .ok_or_else(|| Wrong::value(value, "`true` or `false`"))
        });
        flag.unwrap_or(Placed {
            value: default,
            span: None,
        })
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(
        &self,
        name: &'static str,
        default: T,
        choices: &[(&str, T)],
    ) -> T {
        let choice = self.read(name, |value| {
            let chosen = choices
                .iter()
                .find(|(word, _)| value.as_str() == Some(word));
            let words: Vec<_> = choices
                .iter()
                .map(|(word, _)| format!("{word:?}"))
                .collect();
            let expected = || Wrong::value(value, words.join(" or "));
            chosen.map(|&(_, choice)| choice).ok_or_else(expected)
        });
        choice.map_or(default, |placed| placed.value)
    }

    /// A duration within `bounds`.
    pub(super) fn duration(
        &self,
        name: &'static str,
        default: Duration,
        bounds: RangeInclusive<Duration>,
    ) -> Placed<Duration> {
        let duration = self.read(name, |value| {
            let duration = values::duration(value)?;
            within(duration, &bounds, value, values::show_duration)
        });
        duration.unwrap_or(Placed {
            value: default,
            span: None,
        })
    }

    /// A size in bytes within `bounds`.
    pub(super) fn size(
        &self,
        name: &'static str,
        default: usize,
        bounds: RangeInclusive<usize>,
    ) -> Placed<usize> {
        let size = self.read(name, |value| {
            let bytes = usize::try_from(values::size(value)?).unwrap_or(usize::MAX);
            within(bytes, &bounds, value, |bytes| {
                values::show_size(bytes as u64)
            })
        });
        size.unwrap_or(Placed {
            value: default,
            span: None,
        })
    }

    /// A number of things within `bounds`.
    pub(super) fn count(
        &self,
        name: &'static str,
        default: usize,
        bounds: RangeInclusive<usize>,
    ) -> Placed<usize> {
        let count = self.read(name, |value| {
            let expected = format!("an integer from {} to {}", bounds.start(), bounds.end());
            let count = values::integer(value, &expected)?;
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            if bounds.contains(&count) {
                Ok(count)
            } else {
                Err(Wrong::value(value, expected))
            }
        });
        count.unwrap_or(Placed {
            value: default,
            span: None,
        })
    }

    /// Whether the file has a value for `name`, right or wrong.
    pub(super) fn is_present(&self, name: &'static str) -> bool {
        self.lookup(name).is_some()
    }

    /// Whether `name` is the word `word`.
    pub(super) fn is_text(&self, name: &'static str, word: &str) -> bool {
        self.note(name);
        self.lookup(name)
            .is_some_and(|value| value.get_ref().as_str() == Some(word))
    }

    /// The line of a value of this table, from 1; 0 for what is not there.
    pub(super) fn line(&self, span: Option<&Span>) -> usize {
        span.map_or(0, |span| Place::new(self.report.text, span).line)
    }

    /// Reports a fault of a value that is right on its own.
    pub(super) fn wrong(&self, name: &str, span: Option<Span>, wrong: &Wrong) {
        self.report.wrong(&self.key(name), span, wrong);
    }

    /// Reports the keys of this table that nobody asked for. To be called after all others.
    pub(super) fn finish(self) {
        let asked = self.asked.into_inner();
        for (key, _) in self.table.into_iter().flat_map(DeTable::iter) {
            let name: &str = key.get_ref();
            if !asked.contains(name) {
                let whole = join(&self.path, name);
                let help = keys::help_for(&whole);
                self.report.add(
                    Some(&whole),
                    Some(key.span()),
                    "unknown key".to_owned(),
                    help,
                );
            }
        }
    }

    fn lookup(&self, name: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().insert(name);
        self.table.and_then(|table| table.get(name))
    }

    fn note(&self, name: &str) {
        self.report.asked.borrow_mut().insert(self.key(name));
    }

    fn key(&self, name: &str) -> String {
        join(&self.path, name)
    }
}

/// An entry of a table with free names.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// As written.
    pub(super) name: &'a str,
    /// Where the name stands.
    pub(super) name_span: Span,
    /// The whole key.
    pub(super) key: String,
    /// The value.
    pub(super) value: &'a Spanned<DeValue<'a>>,
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn within<T: PartialOrd + Copy>(
    found: T,
    bounds: &RangeInclusive<T>,
    value: &DeValue<'_>,
    show: impl Fn(T) -> String,
) -> Result<T, Wrong> {
    if bounds.contains(&found) {
        return Ok(found);
    }
    let (low, high) = (show(*bounds.start()), show(*bounds.end()));
    Err(Wrong::value(value, format!("{low} to {high}")))
}
