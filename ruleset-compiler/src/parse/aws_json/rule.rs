//! Rules, their conditions and values.

use jsonc_parser::ast::{Object, Value};
use sallyport_ruleset::{Field, FieldType};

use super::dialect::JsonDialect;
use super::reader::{Member, Reader, kind_of};
use crate::diagnostic::{Code, Diagnostic};
use crate::ir;
use crate::limits::DESCRIPTION_BYTES_MAX;
use crate::operator::{ALL_PREFIX, ANY_PREFIX, Operator, Question};
use crate::source::Located;

const RULE: [&str; 5] = [
    "ProxyRuleName",
    "Description",
    "Action",
    "Conditions",
    "InsertPosition",
];
const CONDITION: [&str; 3] = ["ConditionKey", "ConditionOperator", "ConditionValues"];

impl Reader<'_> {
    /// A rule, and the position that it asks for.
    pub(super) fn rule(
        &mut self,
        object: &Object<'_>,
        dialect: JsonDialect,
    ) -> (ir::Rule, Option<Located<u32>>) {
        let span = self.span_of(object);
        let (mut name, mut action, mut position) = (None, None, None);
        let (mut description, mut conditions) = (String::new(), Vec::new());
        let members = self.members(object);
        for member in &members {
            match member.name.value.as_str() {
                "ProxyRuleName" => name = self.rule_name(member),
                "Action" => action = self.action(member.value),
                "Description" => description = self.description(member),
                "Conditions" => conditions = self.conditions(member, dialect),
                "InsertPosition" => position = self.number(member.value, Code::BadPosition),
                _ => self.unknown(member, "a rule", &RULE),
            }
        }
        let has = |name: &str| members.iter().any(|member| member.name.value == name);
        if !has("ProxyRuleName") {
            self.report(
                Diagnostic::new(Code::MissingName, span, "the rule has no name").expected(
                    "`\"ProxyRuleName\": \"…\"`, unique in its group; it appears in the log",
                ),
            );
        }
        // A nameless rule is still checked; its place stands in for the name.
        let name = name.unwrap_or(Located {
            value: String::new(),
            span,
        });
        if !has("Action") {
            self.report(
                Diagnostic::new(Code::MissingAction, name.span, "the rule has no action")
                    .expected("`\"Action\": \"ALLOW\"`, `\"DENY\"` or `\"ALERT\"`"),
            );
        }
        let rule = ir::Rule {
            name,
            description,
            action,
            conditions,
        };
        (rule, position)
    }

    fn rule_name(&mut self, member: &Member<'_, '_>) -> Option<Located<String>> {
        let name = self.text(member.value, "a name")?;
        self.name_is_good(&name).then_some(name)
    }

    fn description(&mut self, member: &Member<'_, '_>) -> String {
        let Some(text) = self.text(member.value, "a sentence for people") else {
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

    fn conditions(&mut self, member: &Member<'_, '_>, dialect: JsonDialect) -> Vec<ir::Condition> {
        let Some(array) = self.array(member.value, "an array of conditions") else {
            return Vec::new();
        };
        let mut conditions = Vec::with_capacity(array.elements.len());
        for element in &array.elements {
            if let Some(object) = self.object(element, "a condition")
                && let Some(mut condition) = self.condition(object)
            {
                if dialect.suffix_equals {
                    take_as_suffixes(&mut condition);
                }
                conditions.push(condition);
            }
        }
        conditions
    }

    fn condition(&mut self, object: &Object<'_>) -> Option<ir::Condition> {
        let span = self.span_of(object);
        let (mut key, mut operator, mut values) = (None, None, None);
        let members = self.members(object);
        for member in &members {
            match member.name.value.as_str() {
                "ConditionKey" => key = self.text(member.value, "a condition key"),
                "ConditionOperator" => operator = self.text(member.value, "an operator"),
                "ConditionValues" => values = Some(self.values(member)),
                _ => self.unknown(member, "a condition", &CONDITION),
            }
        }
        for (name, code) in [
            ("ConditionKey", Code::MissingConditionKey),
            ("ConditionOperator", Code::MissingOperator),
            ("ConditionValues", Code::NoValue),
        ] {
            if !members.iter().any(|member| member.name.value == name) {
                self.report(
                    Diagnostic::new(code, span, format!("the condition has no `{name}`"))
                        .expected("`ConditionKey`, `ConditionOperator` and `ConditionValues`"),
                );
            }
        }
        let values = values.filter(|values| !values.is_empty())?;
        Some(ir::Condition {
            key: key?,
            operator: operator?,
            values,
        })
    }

    fn values(&mut self, member: &Member<'_, '_>) -> Vec<Located<ir::Value>> {
        let Some(array) = self.array(member.value, "an array of values") else {
            return Vec::new();
        };
        if array.elements.is_empty() {
            let span = self.span_of(member.value);
            self.report(
                Diagnostic::new(Code::NoValue, span, "the condition has no value")
                    .expected("at least one value; a condition without values could never hold"),
            );
        }
        let values = array.elements.iter();
        values.filter_map(|value| self.value(value)).collect()
    }

    fn value(&mut self, value: &Value<'_>) -> Option<Located<ir::Value>> {
        let span = self.span_of(value);
        let value = match value {
            // That API has no lists: an `@` is one.
            Value::StringLit(text) if text.value.starts_with('@') => {
                ir::Value::Text(format!("@{}", text.value))
            }
            Value::StringLit(text) => ir::Value::Text(text.value.to_string()),
            Value::NumberLit(number) => ir::Value::Bare(number.value.to_owned()),
            Value::BooleanLit(boolean) => ir::Value::Bare(boolean.value.to_string()),
            other => {
                self.wrong_type(span, kind_of(other), "a string");
                return None;
            }
        };
        Some(Located { value, span })
    }
}

/// Turns `StringEquals ".example.com"` over a domain into `DomainMatch "example.com"`: the name and
/// all names under it. Beside other values, which mean just themselves, it becomes two wildcards.
fn take_as_suffixes(condition: &mut ir::Condition) {
    let is_domain = Field::parse(&condition.key.value)
        .is_some_and(|field| field.field_type() == FieldType::Domain);
    let Some(operator) = Operator::parse(&condition.operator.value) else {
        return;
    };
    let asks_equality = matches!(
        operator.question,
        Question::Equals | Question::EqualsIgnoreCase
    );
    let text = |value: &Located<ir::Value>| match &value.value {
        ir::Value::Text(text) => Some(text.clone()),
        ir::Value::Bare(_) | ir::Value::Pair(..) => None,
    };
    let texts: Option<Vec<String>> = condition.values.iter().map(text).collect();
    let Some(texts) = texts.filter(|_| is_domain && asks_equality) else {
        return;
    };
    let suffixes_count = texts.iter().filter(|text| text.starts_with('.')).count();
    let has_wildcard = texts.iter().any(|text| text.contains(['*', '?']));
    if suffixes_count == 0 || has_wildcard {
        return;
    }
    let prefix = [ANY_PREFIX, ALL_PREFIX]
        .into_iter()
        .find(|prefix| condition.operator.value.starts_with(prefix));
    let are_all_suffixes = suffixes_count == texts.len();
    let word = match (are_all_suffixes, operator.negated) {
        (true, false) => "DomainMatch",
        (true, true) => "NotDomainMatch",
        (false, false) => "StringLike",
        (false, true) => "StringNotLike",
    };
    condition.operator.value = format!("{}{word}", prefix.unwrap_or_default());
    let values = condition
        .values
        .iter()
        .zip(texts)
        .flat_map(|(value, text)| {
            let span = value.span;
            let meant = match text.strip_prefix('.') {
                Some(name) if are_all_suffixes => vec![name.to_owned()],
                Some(name) => vec![name.to_owned(), format!("*.{name}")],
                None => vec![text],
            };
            meant.into_iter().map(move |text| Located {
                value: ir::Value::Text(text),
                span,
            })
        });
    condition.values = values.collect();
}
