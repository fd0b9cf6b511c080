//! Words, names and tables of a TOML document, each with its place; what is not of the expected
//! kind is reported.

use sallyport_ruleset::Action;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::hint;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::source::{FileId, Located, Span};
use crate::suggest::did_you_mean;

pub(super) type Key<'i> = Spanned<DeString<'i>>;
pub(super) type Node<'i> = Spanned<DeValue<'i>>;

/// Reads one document.
pub(super) struct Reader<'d> {
    pub(super) file: FileId,
    pub(super) diagnostics: &'d mut Diagnostics,
}

impl Reader<'_> {
    pub(super) fn document<T>(
        &mut self,
        text: &str,
        read: impl FnOnce(&mut Self, &DeTable<'_>, Span) -> T,
    ) -> T {
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let range = error.span().unwrap_or(0..0);
            let span = self.span(range.clone());
            let (found, expected) = match error.message().split_once(", expected ") {
                Some((found, expected)) => (found, Some(expected)),
                None => (error.message(), None),
            };
            let mut diagnostic = Diagnostic::new(Code::BadToml, span, format!("bad TOML: {found}"));
            diagnostic.expected = expected.map(str::to_owned);
            if found == "duplicate key" {
                let first = hint::first_of(document.get_ref(), text, &range);
                diagnostic.related =
                    first.map(|first| (self.span(first), "the first is".to_owned()));
            } else {
                diagnostic.help = hint::quote(text, &range);
            }
            self.report(diagnostic);
        }
        let start = self.span(0..0);
        read(self, document.get_ref(), start)
    }

    pub(super) fn name(&mut self, value: &Node<'_>) -> Option<Located<String>> {
        let name = self.text(value, "a name")?;
        self.name_is_good(&name).then_some(name)
    }

    pub(super) fn name_is_good(&mut self, name: &Located<String>) -> bool {
        let problem = crate::parse::name::check(name);
        let good = problem.is_none();
        problem.into_iter().for_each(|problem| self.report(problem));
        good
    }

    pub(super) fn text(&mut self, value: &Node<'_>, expected: &str) -> Option<Located<String>> {
        let span = self.span(value.span());
        if let DeValue::String(text) = value.get_ref() {
            return Some(Located {
                value: text.to_string(),
                span,
            });
        }
        let found = kind_of(value.get_ref());
        self.report(
            Diagnostic::new(Code::WrongType, span, format!("found {found}")).expected(expected),
        );
        None
    }

    pub(super) fn table<'v, 'i>(
        &mut self,
        key: &Key<'_>,
        value: &'v Node<'i>,
    ) -> Option<&'v DeTable<'i>> {
        if let DeValue::Table(table) = value.get_ref() {
            return Some(table);
        }
        let found = kind_of(value.get_ref());
        let span = self.span(value.span());
        self.report(
            Diagnostic::new(
                Code::WrongType,
                span,
                format!("found {found} for `{}`", key.get_ref()),
            )
            .expected("a table"),
        );
        None
    }

    /// The tables of an array of tables, each with the place that stands for it.
    pub(super) fn tables<'v, 'i>(
        &mut self,
        key: &Key<'_>,
        value: &'v Node<'i>,
    ) -> Vec<(Span, &'v DeTable<'i>)> {
        let word = key.get_ref();
        let expected = format!("`[[…]]` headers: `[[{word}]]` begins one");
        let DeValue::Array(array) = value.get_ref() else {
            let span = self.span(key.span());
            let found = kind_of(value.get_ref());
            self.report(
                Diagnostic::new(Code::WrongType, span, format!("found {found} for `{word}`"))
                    .expected(expected),
            );
            return Vec::new();
        };
        let mut tables = Vec::with_capacity(array.len());
        for item in array {
            let span = self.span(item.span());
            if let DeValue::Table(table) = item.get_ref() {
                tables.push((span, table));
            } else {
                let found = kind_of(item.get_ref());
                let message = format!("found {found} in `{word}`");
                self.report(
                    Diagnostic::new(Code::WrongType, span, message).expected(expected.clone()),
                );
            }
        }
        tables
    }

    pub(super) fn unknown_key(&mut self, key: &Key<'_>, place: &str, known: &[&str]) {
        let span = self.span(key.span());
        let word = key.get_ref();
        let list: Vec<_> = known.iter().map(|key| format!("`{key}`")).collect();
        self.report(
            Diagnostic::new(
                Code::UnknownKey,
                span,
                format!("unknown key `{word}` in {place}"),
            )
            .expected(format!("one of {}", list.join(", ")))
            .help_if(did_you_mean(word, known.iter().copied())),
        );
    }

    pub(super) fn span(&self, range: std::ops::Range<usize>) -> Span {
        Span::new(self.file, range)
    }

    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.report(diagnostic);
    }

    pub(super) fn action(&mut self, value: &Node<'_>) -> Option<Action> {
        let text = self.text(value, "`\"allow\"`, `\"deny\"` or `\"alert\"`")?;
        let action = match text.value.as_str() {
            "allow" => Some(Action::Allow),
            "deny" => Some(Action::Deny),
            "alert" => Some(Action::Alert),
            _ => None,
        };
        if action.is_none() {
            self.report(
                Diagnostic::new(
                    Code::UnknownAction,
                    text.span,
                    format!("unknown action `{}`", text.value),
                )
                .expected("`allow`, `deny` or `alert`")
                .help_if(did_you_mean(&text.value, ["allow", "deny", "alert"])),
            );
        }
        action
    }
}

/// A table's entries as they stand in the text; the table itself is sorted by key.
pub(super) fn in_source_order<'v, 'i>(table: &'v DeTable<'i>) -> Vec<(&'v Key<'i>, &'v Node<'i>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

pub(super) const fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
