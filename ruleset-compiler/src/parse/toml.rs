//! The TOML form of rulesets and groups: from text to [`ir`], with all mistakes of shape reported.
//!
//! Knows which tables and keys there are, not what condition keys and operators mean.

use sallyport_ruleset::Action;
use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::ir::{self, PHASES, phase_key};
use crate::limits::{DESCRIPTION_BYTES_MAX, NAME_BYTES_MAX};
use crate::source::{FileId, Located, Span};
use crate::suggest::did_you_mean;

type Key<'i> = Spanned<DeString<'i>>;
type Node<'i> = Spanned<DeValue<'i>>;

/// Parses a ruleset file. Problems are reported, and what can be understood is returned.
pub fn ruleset(file: FileId, text: &str, diagnostics: &mut Diagnostics) -> ir::Ruleset {
    Reader { file, diagnostics }.document(text, |reader, table, _| reader.ruleset(table))
}

/// Parses a group file. Problems are reported, and what can be understood is returned.
pub fn group(file: FileId, text: &str, diagnostics: &mut Diagnostics) -> ir::Group {
    Reader { file, diagnostics }.document(text, |reader, table, span| {
        let mut group = GroupReader::default();
        for (key, value) in in_source_order(table) {
            if !reader.group_key(&mut group, key, value) {
                reader.unknown_key(key, "a group file", &GroupReader::KEYS);
            }
        }
        reader.finish_group(group, span)
    })
}

struct Reader<'d> {
    file: FileId,
    diagnostics: &'d mut Diagnostics,
}

/// A group's keys as they come in.
#[derive(Default)]
struct GroupReader {
    name: Option<Located<String>>,
    /// A name was given but is bad: its absence need not be reported.
    name_seen: bool,
    rules: ir::PerPhase<Vec<ir::Rule>>,
}

impl GroupReader {
    const KEYS: [&'static str; 4] = ["name", "pre_dns", "pre_request", "post_response"];
}

impl Reader<'_> {
    fn document<T>(
        &mut self,
        text: &str,
        read: impl FnOnce(&mut Self, &DeTable<'_>, Span) -> T,
    ) -> T {
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let span = self.span(error.span().unwrap_or(0..0));
            let (found, expected) = match error.message().split_once(", expected ") {
                Some((found, expected)) => (found, Some(expected)),
                None => (error.message(), None),
            };
            let mut diagnostic = Diagnostic::error(span, format!("bad TOML: {found}"));
            diagnostic.expected = expected.map(str::to_owned);
            self.report(diagnostic);
        }
        let start = self.span(0..0);
        read(self, document.get_ref(), start)
    }

    fn ruleset(&mut self, table: &DeTable<'_>) -> ir::Ruleset {
        let mut ruleset = ir::Ruleset::default();
        let mut defaults_seen = false;
        for (key, value) in in_source_order(table) {
            match key.get_ref().as_ref() {
                "defaults" => {
                    defaults_seen = true;
                    if let Some(table) = self.table(key, value) {
                        ruleset.defaults = self.defaults(key, table);
                    }
                }
                "lists" => {
                    if let Some(table) = self.table(key, value) {
                        ruleset.lists = self.lists(table);
                    }
                }
                "group" => ruleset.groups = self.groups(key, value),
                _ => self.unknown_key(key, "a ruleset", &["defaults", "lists", "group"]),
            }
        }
        if !defaults_seen {
            let start = self.span(0..0);
            self.report(
                Diagnostic::error(start, "the ruleset has no `[defaults]`")
                    .expected("a table `[defaults]` with `pre_dns`, `pre_request` and `post_response`, each `allow`, `deny` or `alert`")
                    .help("`pre_dns = \"deny\"` lets only what rules allow reach the resolver"),
            );
        }
        ruleset
    }

    fn defaults(&mut self, at: &Key<'_>, table: &DeTable<'_>) -> ir::PerPhase<Option<Action>> {
        let mut defaults = ir::PerPhase::default();
        for (key, value) in in_source_order(table) {
            match PHASES
                .into_iter()
                .find(|phase| phase_key(*phase) == key.get_ref())
            {
                Some(phase) => *defaults.of_mut(phase) = self.action(value),
                None => self.unknown_key(key, "`[defaults]`", &PHASES.map(phase_key)),
            }
        }
        for phase in PHASES.map(phase_key) {
            if table.get(phase).is_none() {
                let span = self.span(at.span());
                self.report(
                    Diagnostic::error(span, format!("the default action of `{phase}` is missing"))
                        .expected(format!("`{phase} = \"allow\"`, `\"deny\"` or `\"alert\"`")),
                );
            }
        }
        defaults
    }

    fn lists(&mut self, table: &DeTable<'_>) -> Vec<ir::ListReference> {
        let mut lists = Vec::new();
        for (key, value) in in_source_order(table) {
            let name = Located {
                value: key.get_ref().to_string(),
                span: self.span(key.span()),
            };
            if self.name_is_good(&name)
                && let Some(path) = self.text(value, "a path relative to this file")
            {
                lists.push(ir::ListReference { name, path });
            }
        }
        lists
    }

    fn groups(&mut self, key: &Key<'_>, value: &Node<'_>) -> Vec<ir::GroupEntry> {
        let tables = self.tables(key, value);
        tables
            .into_iter()
            .map(|(span, table)| self.group_entry(span, table))
            .collect()
    }

    fn group_entry(&mut self, span: Span, table: &DeTable<'_>) -> ir::GroupEntry {
        let file = table.get_key_value("file");
        let mut group = GroupReader::default();
        let mut priority = None;
        for (key, value) in in_source_order(table) {
            match key.get_ref().as_ref() {
                "priority" => priority = self.priority(value),
                "file" => {}
                _ if file.is_some() => self.beside_file(key),
                _ => {
                    if !self.group_key(&mut group, key, value) {
                        let known = [
                            "priority",
                            "file",
                            "name",
                            "pre_dns",
                            "pre_request",
                            "post_response",
                        ];
                        self.unknown_key(key, "a group", &known);
                    }
                }
            }
        }
        if table.get("priority").is_none() {
            self.report(
                Diagnostic::error(span, "the group has no priority")
                    .expected("`priority = NUMBER`; groups with lower numbers are evaluated first"),
            );
        }
        let body = match file {
            Some((_, value)) => match self.text(value, "a path relative to this file") {
                Some(path) => ir::GroupBody::File(path),
                None => ir::GroupBody::Inline(ir::Group {
                    name: None,
                    rules: ir::PerPhase::default(),
                }),
            },
            None => ir::GroupBody::Inline(self.finish_group(group, span)),
        };
        ir::GroupEntry {
            span,
            priority,
            body,
        }
    }

    fn beside_file(&mut self, key: &Key<'_>) {
        let span = self.span(key.span());
        let diagnostic = if GroupReader::KEYS.contains(&key.get_ref().as_ref()) {
            Diagnostic::error(span, format!("`{}` beside `file`", key.get_ref()))
                .expected("either `file`, or the group's name and rules")
                .help("name and rules of this group stand in its file")
        } else {
            Diagnostic::error(span, format!("unknown key `{}` in a group", key.get_ref()))
                .expected("`priority` and `file`")
        };
        self.report(diagnostic);
    }

    fn priority(&mut self, value: &Node<'_>) -> Option<Located<u32>> {
        let span = self.span(value.span());
        let number = match value.get_ref() {
            DeValue::Integer(number) => u32::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        if number.is_none() {
            let found = kind_of(value.get_ref());
            self.report(
                Diagnostic::error(span, format!("found {found} as a priority"))
                    .expected(format!("a whole number from 0 to {}", u32::MAX)),
            );
        }
        number.map(|value| Located { value, span })
    }

    /// Takes a key that belongs to a group's body; false if it does not.
    fn group_key(&mut self, group: &mut GroupReader, key: &Key<'_>, value: &Node<'_>) -> bool {
        let word = key.get_ref().as_ref();
        if word == "name" {
            group.name_seen = true;
            group.name = self.name(value);
        } else if let Some(phase) = PHASES.into_iter().find(|phase| phase_key(*phase) == word) {
            let rules = self.rules(key, value);
            group.rules.of_mut(phase).extend(rules);
        } else {
            return false;
        }
        true
    }

    fn finish_group(&mut self, group: GroupReader, span: Span) -> ir::Group {
        if !group.name_seen {
            self.report(
                Diagnostic::error(span, "the group has no name")
                    .expected("`name = \"…\"`, unique in the ruleset; it appears in the log"),
            );
        }
        ir::Group {
            name: group.name,
            rules: group.rules,
        }
    }

    fn rules(&mut self, key: &Key<'_>, value: &Node<'_>) -> Vec<ir::Rule> {
        let tables = self.tables(key, value);
        tables
            .into_iter()
            .filter_map(|(span, table)| self.rule(span, table))
            .collect()
    }

    fn rule(&mut self, span: Span, table: &DeTable<'_>) -> Option<ir::Rule> {
        let (mut name, mut action) = (None, None);
        let (mut description, mut conditions) = (String::new(), Vec::new());
        for (key, value) in in_source_order(table) {
            match key.get_ref().as_ref() {
                "name" => name = self.name(value),
                "action" => action = self.action(value),
                "description" => description = self.description(value),
                "when" => conditions = self.conditions(key, value),
                _ => self.unknown_key(key, "a rule", &["name", "description", "action", "when"]),
            }
        }
        if table.get("name").is_none() {
            self.report(
                Diagnostic::error(span, "the rule has no name")
                    .expected("`name = \"…\"`, unique in its group; it appears in the log"),
            );
        }
        if table.get("action").is_none() {
            let at = name.as_ref().map_or(span, |name| name.span);
            self.report(
                Diagnostic::error(at, "the rule has no action")
                    .expected("`action = \"allow\"`, `\"deny\"` or `\"alert\"`"),
            );
        }
        // A nameless rule is still checked; its place stands in for the name.
        let name = name.unwrap_or(Located {
            value: String::new(),
            span,
        });
        Some(ir::Rule {
            name,
            description,
            action,
            conditions,
        })
    }

    fn description(&mut self, value: &Node<'_>) -> String {
        let Some(text) = self.text(value, "a sentence for people") else {
            return String::new();
        };
        if text.value.len() > DESCRIPTION_BYTES_MAX {
            let found = format!("the description has {} bytes", text.value.len());
            self.report(
                Diagnostic::error(text.span, found)
                    .expected(format!("at most {DESCRIPTION_BYTES_MAX} bytes")),
            );
        }
        text.value
    }

    fn conditions(&mut self, key: &Key<'_>, value: &Node<'_>) -> Vec<ir::Condition> {
        let mut conditions = Vec::new();
        let Some(table) = self.table(key, value) else {
            return conditions;
        };
        for (key, value) in in_source_order(table) {
            let key = Located {
                value: key.get_ref().to_string(),
                span: self.span(key.span()),
            };
            let DeValue::Table(operators) = value.get_ref() else {
                let found = kind_of(value.get_ref());
                let span = self.span(value.span());
                self.report(
                    Diagnostic::error(span, format!("found {found} after a condition key"))
                        .expected("an operator and its values: `{ StringEquals = [\"…\"] }`"),
                );
                continue;
            };
            if operators.is_empty() {
                self.report(
                    Diagnostic::error(key.span, format!("`{}` has no operator", key.value))
                        .expected("an operator and its values: `{ StringEquals = [\"…\"] }`"),
                );
            }
            for (operator, values) in in_source_order(operators) {
                let span = self.span(operator.span());
                let operator = Located {
                    value: operator.get_ref().to_string(),
                    span,
                };
                let values = self.values(&operator, values);
                if !values.is_empty() {
                    conditions.push(ir::Condition {
                        key: key.clone(),
                        operator,
                        values,
                    });
                }
            }
        }
        conditions
    }

    fn values(&mut self, operator: &Located<String>, node: &Node<'_>) -> Vec<Located<ir::Value>> {
        match node.get_ref() {
            DeValue::Array(values) if values.is_empty() => {
                let span = self.span(node.span());
                self.report(
                    Diagnostic::error(span, format!("`{}` has no value", operator.value)).expected(
                        "at least one value; a condition without values could never hold",
                    ),
                );
                Vec::new()
            }
            DeValue::Array(values) => values
                .iter()
                .filter_map(|value| self.value(value))
                .collect(),
            _ => self.value(node).into_iter().collect(),
        }
    }

    fn value(&mut self, node: &Node<'_>) -> Option<Located<ir::Value>> {
        let span = self.span(node.span());
        let value = match node.get_ref() {
            DeValue::String(text) => Some(ir::Value::Text(text.to_string())),
            DeValue::Array(values) => pair(values),
            other => bare(other).map(ir::Value::Bare),
        };
        if value.is_none() {
            let found = kind_of(node.get_ref());
            self.report(
                Diagnostic::error(span, format!("found {found} as a value"))
                    .expected("a string, a whole number, a boolean or a date"),
            );
        }
        value.map(|value| Located { value, span })
    }

    fn action(&mut self, value: &Node<'_>) -> Option<Action> {
        let text = self.text(value, "`\"allow\"`, `\"deny\"` or `\"alert\"`")?;
        let action = match text.value.as_str() {
            "allow" => Some(Action::Allow),
            "deny" => Some(Action::Deny),
            "alert" => Some(Action::Alert),
            _ => None,
        };
        if action.is_none() {
            self.report(
                Diagnostic::error(text.span, format!("unknown action `{}`", text.value))
                    .expected("`allow`, `deny` or `alert`")
                    .help_if(did_you_mean(&text.value, ["allow", "deny", "alert"])),
            );
        }
        action
    }

    fn name(&mut self, value: &Node<'_>) -> Option<Located<String>> {
        let name = self.text(value, "a name")?;
        self.name_is_good(&name).then_some(name)
    }

    fn name_is_good(&mut self, name: &Located<String>) -> bool {
        let good = (1..=NAME_BYTES_MAX).contains(&name.value.len())
            && name
                .value
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if !good {
            self.report(
                Diagnostic::error(name.span, format!("`{}` is not a name", name.value)).expected(
                    format!("1 to {NAME_BYTES_MAX} of the characters `A-Z a-z 0-9 - _ .`"),
                ),
            );
        }
        good
    }

    fn text(&mut self, value: &Node<'_>, expected: &str) -> Option<Located<String>> {
        let span = self.span(value.span());
        if let DeValue::String(text) = value.get_ref() {
            return Some(Located {
                value: text.to_string(),
                span,
            });
        }
        let found = kind_of(value.get_ref());
        self.report(Diagnostic::error(span, format!("found {found}")).expected(expected));
        None
    }

    fn table<'v, 'i>(&mut self, key: &Key<'_>, value: &'v Node<'i>) -> Option<&'v DeTable<'i>> {
        if let DeValue::Table(table) = value.get_ref() {
            return Some(table);
        }
        let found = kind_of(value.get_ref());
        let span = self.span(value.span());
        self.report(
            Diagnostic::error(span, format!("found {found} for `{}`", key.get_ref()))
                .expected("a table"),
        );
        None
    }

    /// The tables of an array of tables, each with the place that stands for it.
    fn tables<'v, 'i>(
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
                Diagnostic::error(span, format!("found {found} for `{word}`")).expected(expected),
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
                self.report(Diagnostic::error(span, message).expected(expected.clone()));
            }
        }
        tables
    }

    fn unknown_key(&mut self, key: &Key<'_>, place: &str, known: &[&str]) {
        let span = self.span(key.span());
        let word = key.get_ref();
        let list: Vec<_> = known.iter().map(|key| format!("`{key}`")).collect();
        self.report(
            Diagnostic::error(span, format!("unknown key `{word}` in {place}"))
                .expected(format!("one of {}", list.join(", ")))
                .help_if(did_you_mean(word, known.iter().copied())),
        );
    }

    fn span(&self, range: std::ops::Range<usize>) -> Span {
        Span::new(self.file, range)
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.report(diagnostic);
    }
}

/// A table's entries as they stand in the text; the table itself is sorted by key.
fn in_source_order<'v, 'i>(table: &'v DeTable<'i>) -> Vec<(&'v Key<'i>, &'v Node<'i>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

fn pair(values: &DeArray<'_>) -> Option<ir::Value> {
    let mut values = values.iter();
    let (from, to) = (values.next()?, values.next()?);
    if values.next().is_some() {
        return None;
    }
    Some(ir::Value::Pair(bare(from.get_ref())?, bare(to.get_ref())?))
}

fn bare(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .map(|n| n.to_string()),
        DeValue::Boolean(value) => Some(value.to_string()),
        DeValue::Datetime(date) => Some(date.to_string()),
        DeValue::String(_) | DeValue::Float(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

const fn kind_of(value: &DeValue<'_>) -> &'static str {
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
