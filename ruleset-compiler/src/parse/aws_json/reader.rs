//! Objects, arrays and strings of a JSON document, each with its place; what is not of the expected
//! kind is reported.
//!
//! serde_json decides what is JSON; jsonc-parser, which takes more, then tells where each value is.

use std::collections::HashMap;

use jsonc_parser::ast::{Array, Object, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use sallyport_ruleset::{Action, Phase};
use serde::de::IgnoredAny;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::source::{FileId, Located, Span};
use crate::suggest::did_you_mean;

/// Members that say nothing about rules: identity, bookkeeping, and what SDKs add.
const BESIDE_THE_POINT: [&str; 6] = [
    "CreateTime",
    "DeleteTime",
    "Description",
    "ResponseMetadata",
    "Tags",
    "UpdateToken",
];

/// Reads one document.
pub(super) struct Reader<'d> {
    file: FileId,
    diagnostics: &'d mut Diagnostics,
    /// Bytes before the text that the parser was given.
    offset: usize,
}

/// A member of an object.
#[derive(Clone, Debug)]
pub(super) struct Member<'v, 'i> {
    pub(super) name: Located<String>,
    pub(super) value: &'v Value<'i>,
}

impl<'d> Reader<'d> {
    pub(super) const fn new(file: FileId, diagnostics: &'d mut Diagnostics) -> Self {
        Self {
            file,
            diagnostics,
            offset: 0,
        }
    }

    /// Reads the object that the text is; the span is where it begins.
    pub(super) fn document<T: Default>(
        &mut self,
        text: &str,
        read: impl FnOnce(&mut Self, &Object<'_>) -> T,
    ) -> T {
        let json = text.strip_prefix('\u{feff}').unwrap_or(text);
        self.offset = text.len() - json.len();
        if let Err(error) = serde_json::from_str::<IgnoredAny>(json) {
            let at = place(json, error.line(), error.column());
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or(&message);
            self.bad_json(self.span(at..at + 1), message);
            return T::default();
        }
        let parsed = parse_to_ast(json, &CollectOptions::default(), &strict());
        match parsed.map(|parsed| parsed.value) {
            Ok(Some(Value::Object(object))) => read(self, &object),
            Ok(other) => {
                let found = other.as_ref().map_or("nothing", kind_of);
                let span = self.span(0..1);
                self.wrong_type(span, found, "an object: `{ … }`");
                T::default()
            }
            Err(error) => {
                let range = error.range();
                self.bad_json(self.span(range.start..range.end), &error.kind().to_string());
                T::default()
            }
        }
    }

    /// The members of an object in source order, without those that are null. One that occurs twice
    /// is reported.
    pub(super) fn members<'v, 'i>(&mut self, object: &'v Object<'i>) -> Vec<Member<'v, 'i>> {
        let mut seen: HashMap<String, Span> = HashMap::new();
        let mut members = Vec::with_capacity(object.properties.len());
        for property in &object.properties {
            let name = Located {
                value: property.name.as_str().to_owned(),
                span: self.span_of(&property.name),
            };
            if let Some(first) = seen.insert(name.value.clone(), name.span) {
                self.report(
                    Diagnostic::new(
                        Code::DuplicateKey,
                        name.span,
                        format!("a second `{}` in the object", name.value),
                    )
                    .expected("each key once: readers of JSON differ in which one they take")
                    .related(first, "the first is"),
                );
                continue;
            }
            if !matches!(property.value, Value::NullKeyword(_)) {
                members.push(Member {
                    name,
                    value: &property.value,
                });
            }
        }
        members
    }

    /// Reports a member that its object does not have.
    pub(super) fn unknown(&mut self, member: &Member<'_, '_>, place: &str, known: &[&str]) {
        let word = member.name.value.as_str();
        if BESIDE_THE_POINT.contains(&word) {
            return;
        }
        let list: Vec<_> = known.iter().map(|key| format!("`{key}`")).collect();
        self.report(
            Diagnostic::new(
                Code::UnknownKey,
                member.name.span,
                format!("unknown key `{word}` in {place}"),
            )
            .expected(format!("one of {}", list.join(", ")))
            .help_if(did_you_mean(word, known.iter().copied())),
        );
    }

    pub(super) fn text(&mut self, value: &Value<'_>, expected: &str) -> Option<Located<String>> {
        let span = self.span_of(value);
        if let Value::StringLit(text) = value {
            return Some(Located {
                value: text.value.to_string(),
                span,
            });
        }
        self.wrong_type(span, kind_of(value), expected);
        None
    }

    pub(super) fn object<'v, 'i>(
        &mut self,
        value: &'v Value<'i>,
        expected: &str,
    ) -> Option<&'v Object<'i>> {
        if let Value::Object(object) = value {
            return Some(object);
        }
        let span = self.span_of(value);
        self.wrong_type(span, kind_of(value), expected);
        None
    }

    pub(super) fn array<'v, 'i>(
        &mut self,
        value: &'v Value<'i>,
        expected: &str,
    ) -> Option<&'v Array<'i>> {
        if let Value::Array(array) = value {
            return Some(array);
        }
        let span = self.span_of(value);
        self.wrong_type(span, kind_of(value), expected);
        None
    }

    /// A whole number, such as a position.
    pub(super) fn number(&mut self, value: &Value<'_>, code: Code) -> Option<Located<u32>> {
        let span = self.span_of(value);
        let number = match value {
            Value::NumberLit(number) => number.value.parse().ok(),
            _ => None,
        };
        if number.is_none() {
            let found = kind_of(value);
            self.report(
                Diagnostic::new(code, span, format!("found {found}"))
                    .expected(format!("a whole number from 0 to {}", u32::MAX)),
            );
        }
        number.map(|value| Located { value, span })
    }

    pub(super) fn action(&mut self, value: &Value<'_>) -> Option<Action> {
        let text = self.text(value, "`\"ALLOW\"`, `\"DENY\"` or `\"ALERT\"`")?;
        let action = match text.value.to_ascii_uppercase().as_str() {
            "ALLOW" => Some(Action::Allow),
            // As firewalls call it.
            "DENY" | "DROP" => Some(Action::Deny),
            "ALERT" => Some(Action::Alert),
            _ => None,
        };
        if action.is_none() {
            self.report(
                Diagnostic::new(
                    Code::UnknownAction,
                    text.span,
                    format!("unknown action `{}`", text.value),
                )
                .expected("`ALLOW`, `DENY` or `ALERT`")
                .help_if(did_you_mean(&text.value, ["ALLOW", "DENY", "ALERT"])),
            );
        }
        action
    }

    /// The phase that a key names, in any of the spellings of that API.
    pub(super) fn phase(&mut self, name: &Located<String>) -> Option<Phase> {
        const KNOWN: [&str; 3] = ["PreDNS", "PreREQUEST", "PostRESPONSE"];
        let phase = phase_of(&name.value);
        if phase.is_none() {
            self.report(
                Diagnostic::new(
                    Code::UnknownPhase,
                    name.span,
                    format!("unknown phase `{}`", name.value),
                )
                .expected("`PreDNS`, `PreREQUEST` or `PostRESPONSE`")
                .help_if(did_you_mean(&name.value, KNOWN)),
            );
        }
        phase
    }

    pub(super) fn span_of(&self, node: &impl Ranged) -> Span {
        self.span(node.start()..node.end())
    }

    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.report(diagnostic);
    }

    pub(super) fn wrong_type(&mut self, span: Span, found: &str, expected: &str) {
        let diagnostic = Diagnostic::new(Code::WrongType, span, format!("found {found}"));
        self.report(diagnostic.expected(expected));
    }

    fn span(&self, range: std::ops::Range<usize>) -> Span {
        Span::new(
            self.file,
            range.start + self.offset..range.end + self.offset,
        )
    }

    fn bad_json(&mut self, span: Span, message: &str) {
        let message = format!("bad JSON: {message}");
        self.report(Diagnostic::new(Code::BadJson, span, message));
    }
}

/// The phase of this name, in any of the spellings of that API.
pub(super) fn phase_of(name: &str) -> Option<Phase> {
    let letters: String = name
        .chars()
        .filter(|c| !matches!(c, '_' | '-' | ' '))
        .map(|c| c.to_ascii_lowercase())
        .collect();
    match letters.as_str() {
        "predns" => Some(Phase::PreDns),
        "prereq" | "prerequest" => Some(Phase::PreRequest),
        "postres" | "postresponse" => Some(Phase::PostResponse),
        _ => None,
    }
}

const fn strict() -> ParseOptions {
    ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_extended_string_escapes: false,
        allow_non_finite_numbers: false,
    }
}

/// The byte at a line and column, both from one, columns in bytes.
fn place(text: &str, line: usize, column: usize) -> usize {
    let mut lines = text.split_inclusive('\n');
    let before: usize = lines
        .by_ref()
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    (before + column.saturating_sub(1)).min(text.len())
}

pub(super) const fn kind_of(value: &Value<'_>) -> &'static str {
    match value {
        Value::StringLit(_) => "a string",
        Value::NumberLit(_) => "a number",
        Value::BooleanLit(_) => "a boolean",
        Value::Object(_) => "an object",
        Value::Array(_) => "an array",
        Value::NullKeyword(_) => "null",
    }
}
