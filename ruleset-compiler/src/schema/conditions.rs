//! Conditions: which keys a phase knows, which operators fit a key, what values an operator takes.

use sallyport_ruleset::{Field, FieldType, Phase};
use serde_json::{Map, Value, json};

use crate::ir::PHASES;
use crate::operator::{ALL_PREFIX, ANY_PREFIX, Comparison, Operator, Question, type_name};

const TYPES: [FieldType; 5] = [
    FieldType::String,
    FieldType::Domain,
    FieldType::Ip,
    FieldType::Number,
    FieldType::Time,
];

/// Definitions that [`of_phase`] refers to: the operators of each type with their values.
pub(super) fn definitions() -> Map<String, Value> {
    let types = TYPES
        .into_iter()
        .map(|field_type| (name(field_type), of_type(field_type)));
    types.collect()
}

/// The conditions of a rule of this phase.
pub(super) fn of_phase(phase: Phase) -> Value {
    let words: Map<String, Value> = Field::words()
        .filter(|(_, field)| field.is_available(phase))
        .map(|(word, field)| (word.to_owned(), of_field(field)))
        .collect();
    let named = Field::NAMED.into_iter().filter_map(|beginning| {
        let field = Field::parse(&format!("{beginning}name"))?;
        let pattern = format!("^{beginning}[!#$%&'*+.^_`|~0-9A-Za-z-]+$");
        field
            .is_available(phase)
            .then(|| (pattern, of_field(&field)))
    });
    json!({
        "type": "object",
        "properties": words,
        "patternProperties": named.collect::<Map<String, Value>>(),
        "additionalProperties": false,
    })
}

fn of_field(field: &Field) -> Value {
    let several = if field.has_several_values() {
        ", perhaps several at once"
    } else {
        ""
    };
    let (is, from) = (type_name(field.field_type()), field.first_phase());
    json!({
        "description": format!("Is {is}{several}; known from {from}."),
        "$ref": format!("#/$defs/{}", name(field.field_type())),
    })
}

fn name(field_type: FieldType) -> String {
    let name = match field_type {
        FieldType::String => "text",
        FieldType::Domain => "domain",
        FieldType::Ip => "address",
        FieldType::Number => "number",
        FieldType::Time => "time",
    };
    format!("{name}_conditions")
}

/// The operators for a type, those with a prefix among them.
fn of_type(field_type: FieldType) -> Value {
    let mut operators = Map::new();
    for operator in Operator::for_type(field_type) {
        for prefix in ["", ANY_PREFIX, ALL_PREFIX] {
            let word = format!("{prefix}{}", operator.name);
            if Operator::parse(&word).is_some() {
                operators.insert(word, of_operator(operator, prefix));
            }
        }
    }
    json!({
        "type": "object",
        "minProperties": 1,
        "properties": operators,
        "additionalProperties": false,
    })
}

fn of_operator(operator: Operator, prefix: &str) -> Value {
    let mut schema = values(operator.question);
    let not = if operator.negated { "Not: " } else { "" };
    let who = match prefix {
        ANY_PREFIX => "Some value of the field, if there is one. ",
        ALL_PREFIX => "Each value of the field, if there is any. ",
        _ => "",
    };
    let description = format!("{who}{not}{}", describe(operator.question));
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), description.into());
    }
    schema
}

fn describe(question: Question) -> &'static str {
    match question {
        Question::Equals => "the whole value is the same.",
        Question::EqualsIgnoreCase => "the same but for the case of ASCII letters.",
        Question::Like => "the whole value matches: * any run of characters, ? one byte.",
        Question::Matches => "a regular expression matches somewhere in the value.",
        Question::Domain => "it is that domain or a name under it.",
        Question::Number(comparison) | Question::Date(comparison) => match comparison {
            Comparison::Equal => "it is the same.",
            Comparison::Less => "it is less.",
            Comparison::LessOrEqual => "it is less or the same.",
            Comparison::Greater => "it is greater.",
            Comparison::GreaterOrEqual => "it is greater or the same.",
        },
        Question::Between => "it lies in the range, both ends included.",
        Question::Ip => "it is that address or lies in that network.",
        Question::TimeOfDay => "it lies in that weekly schedule: [DAYS] HH:MM-HH:MM [ZONE].",
        Question::Null => "true: the field is absent; false: it is there.",
    }
}

fn values(question: Question) -> Value {
    let text = json!({ "type": "string" });
    let number = json!({
        "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string", "pattern": "^(@.+|[0-9]+)$" }],
    });
    let date = json!({ "type": ["string", "integer"] });
    let range = json!({ "type": "string", "pattern": "^(@.+|[0-9]+ *- *[0-9]+)$" });
    let pair = json!({
        "type": "array",
        "items": { "type": "integer", "minimum": 0 },
        "minItems": 2,
        "maxItems": 2,
    });
    match question {
        Question::Equals
        | Question::EqualsIgnoreCase
        | Question::Like
        | Question::Matches
        | Question::Domain
        | Question::Ip
        | Question::TimeOfDay => one_or_more(&text),
        Question::Number(_) => one_or_more(&number),
        Question::Date(_) => one_or_more(&date),
        Question::Between => {
            let some = json!({
                "type": "array",
                "items": { "anyOf": [range, pair] },
                "minItems": 1,
            });
            json!({ "anyOf": [range, pair, some] })
        }
        Question::Null => json!({ "enum": [true, false, "true", "false"] }),
    }
}

fn one_or_more(value: &Value) -> Value {
    json!({ "anyOf": [value, { "type": "array", "items": value, "minItems": 1 }] })
}

/// The name of the definition of a phase's rules.
pub(super) fn rule_name(phase: Phase) -> String {
    format!("{}_rule", crate::ir::phase_key(phase))
}

/// The name of the definition of a phase's conditions.
pub(super) fn conditions_name(phase: Phase) -> String {
    format!("{}_conditions", crate::ir::phase_key(phase))
}

/// The phases, each with its key in TOML.
pub(super) fn phases() -> impl Iterator<Item = (Phase, &'static str)> {
    PHASES
        .into_iter()
        .map(|phase| (phase, crate::ir::phase_key(phase)))
}
