//! Ruleset files, group files, and what stands in them beside rules.

use sallyport_ruleset::Action;
use toml::de::{DeTable, DeValue};

use super::reader::{Key, Node, Reader, in_source_order, kind_of};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::ir::{self, PHASES, phase_key};
use crate::source::{FileId, Located, Span};

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
                Diagnostic::new(Code::MissingDefault, start, "the ruleset has no `[defaults]`")
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
                    Diagnostic::new(
                        Code::MissingDefault,
                        span,
                        format!("the default action of `{phase}` is missing"),
                    )
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
                Diagnostic::new(Code::MissingPriority, span, "the group has no priority")
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
            Diagnostic::new(
                Code::FileAndRules,
                span,
                format!("`{}` beside `file`", key.get_ref()),
            )
            .expected("either `file`, or the group's name and rules")
            .help("name and rules of this group stand in its file")
        } else {
            Diagnostic::new(
                Code::UnknownKey,
                span,
                format!("unknown key `{}` in a group", key.get_ref()),
            )
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
                Diagnostic::new(
                    Code::BadPriority,
                    span,
                    format!("found {found} as a priority"),
                )
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
                Diagnostic::new(Code::MissingName, span, "the group has no name")
                    .expected("`name = \"…\"`, unique in the ruleset; it appears in the log"),
            );
        }
        ir::Group {
            name: group.name,
            rules: group.rules,
        }
    }
}
