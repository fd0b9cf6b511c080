//! Rules, their conditions and values.

use toml::de::{DeArray, DeTable, DeValue};

use super::reader::{Key, Node, Reader, in_source_order, kind_of};
use crate::diagnostic::{Code, Diagnostic};
use crate::ir;
use crate::limits::DESCRIPTION_BYTES_MAX;
use crate::source::{Located, Span};

impl Reader<'_> {
    pub(super) fn rules(&mut self, key: &Key<'_>, value: &Node<'_>) -> Vec<ir::Rule> {
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
                Diagnostic::new(Code::MissingName, span, "the rule has no name")
                    .expected("`name = \"…\"`, unique in its group; it appears in the log"),
            );
        }
        if table.get("action").is_none() {
            let at = name.as_ref().map_or(span, |name| name.span);
            self.report(
                Diagnostic::new(Code::MissingAction, at, "the rule has no action")
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
                Diagnostic::new(Code::DescriptionTooLong, text.span, found)
                    .expected(format!("at most {DESCRIPTION_BYTES_MAX} bytes")),
            );
        }
        text.value
    }

    /// One table of keys, or an array of such tables, which may ask the same twice. All must hold.
    fn conditions(&mut self, key: &Key<'_>, value: &Node<'_>) -> Vec<ir::Condition> {
        let DeValue::Array(tables) = value.get_ref() else {
            let table = self.table(key, value);
            return table.map_or_else(Vec::new, |table| self.condition_table(table));
        };
        let mut conditions = Vec::new();
        for table in tables.iter() {
            if let Some(table) = self.table(key, table) {
                conditions.extend(self.condition_table(table));
            }
        }
        conditions
    }

    fn condition_table(&mut self, table: &DeTable<'_>) -> Vec<ir::Condition> {
        let mut conditions = Vec::new();
        for (key, value) in in_source_order(table) {
            let key = Located {
                value: key.get_ref().to_string(),
                span: self.span(key.span()),
            };
            let DeValue::Table(operators) = value.get_ref() else {
                let found = kind_of(value.get_ref());
                let span = self.span(value.span());
                self.report(
                    Diagnostic::new(
                        Code::WrongType,
                        span,
                        format!("found {found} after a condition key"),
                    )
                    .expected("an operator and its values: `{ StringEquals = [\"…\"] }`"),
                );
                continue;
            };
            if operators.is_empty() {
                self.report(
                    Diagnostic::new(
                        Code::MissingOperator,
                        key.span,
                        format!("`{}` has no operator", key.value),
                    )
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
                    Diagnostic::new(
                        Code::NoValue,
                        span,
                        format!("`{}` has no value", operator.value),
                    )
                    .expected("at least one value; a condition without values could never hold"),
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
            let mut diagnostic =
                Diagnostic::new(Code::WrongType, span, format!("found {found} as a value"))
                    .expected("a string, a whole number, a boolean or a date");
            if matches!(node.get_ref(), DeValue::Integer(_)) {
                diagnostic = diagnostic.help("TOML has numbers of 63 bits: quote a larger one");
            }
            self.report(diagnostic);
        }
        value.map(|value| Located { value, span })
    }
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
