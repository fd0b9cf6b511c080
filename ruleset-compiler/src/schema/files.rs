//! Ruleset files and group files.

use sallyport_ruleset::Phase;
use serde_json::{Map, Value, json};

use super::conditions::{conditions_name, definitions, of_phase, phases, rule_name};
use crate::limits::{DESCRIPTION_BYTES_MAX, NAME_BYTES_MAX};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of ruleset files.
#[must_use]
pub fn ruleset() -> Value {
    let actions = phases().map(|(phase, key)| {
        let description = format!("When no rule of {phase} decides; alert logs and allows.");
        (
            key,
            json!({ "description": description, "$ref": "#/$defs/action" }),
        )
    });
    let actions: Map<String, Value> = actions
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    let keys: Vec<&str> = phases().map(|(_, key)| key).collect();
    let mut group = group_properties();
    group.insert(
        "priority".to_owned(),
        json!({
            "description": "Groups with lower numbers are evaluated first.",
            "type": "integer",
            "minimum": 0,
            "maximum": u32::MAX,
        }),
    );
    group.insert(
        "file".to_owned(),
        json!({ "description": "The group's file, relative to this one.", "type": "string" }),
    );
    let in_place: Vec<Value> = keys
        .iter()
        .chain(&["name"])
        .map(|key| json!({ "required": [key] }))
        .collect();
    json!({
        "$schema": DIALECT,
        "title": "Sallyport ruleset",
        "type": "object",
        "required": ["defaults"],
        "additionalProperties": false,
        "properties": {
            "defaults": {
                "description": "What happens when no rule of a phase decides.",
                "type": "object",
                "required": keys,
                "properties": actions,
                "additionalProperties": false,
            },
            "lists": {
                "description": "Files of values, one a line; @NAME in a condition stands for all of them.",
                "type": "object",
                "propertyNames": { "$ref": "#/$defs/name" },
                "additionalProperties": { "type": "string" },
            },
            "group": {
                "description": "Rule groups.",
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["priority"],
                    "properties": group,
                    "additionalProperties": false,
                    "oneOf": [
                        { "required": ["file"], "not": { "anyOf": in_place } },
                        { "required": ["name"], "not": { "required": ["file"] } },
                    ],
                },
            },
        },
        "$defs": all_definitions(),
    })
}

/// The schema of group files.
#[must_use]
pub fn group() -> Value {
    json!({
        "$schema": DIALECT,
        "title": "Sallyport rule group",
        "type": "object",
        "required": ["name"],
        "additionalProperties": false,
        "properties": group_properties(),
        "$defs": all_definitions(),
    })
}

fn group_properties() -> Map<String, Value> {
    let mut properties = Map::new();
    properties.insert("name".to_owned(), json!({ "$ref": "#/$defs/name" }));
    for (phase, key) in phases() {
        let rules = json!({
            "description": format!("Rules of {phase}, in the order of evaluation."),
            "type": "array",
            "items": { "$ref": format!("#/$defs/{}", rule_name(phase)) },
        });
        properties.insert(key.to_owned(), rules);
    }
    properties
}

fn all_definitions() -> Map<String, Value> {
    let mut all = definitions();
    all.insert(
        "name".to_owned(),
        json!({ "type": "string", "pattern": format!("^[A-Za-z0-9._-]{{1,{NAME_BYTES_MAX}}}$") }),
    );
    all.insert(
        "action".to_owned(),
        json!({ "enum": ["allow", "deny", "alert"] }),
    );
    for (phase, _) in phases() {
        all.insert(rule_name(phase), rule(phase));
        all.insert(conditions_name(phase), of_phase(phase));
    }
    all
}

fn rule(phase: Phase) -> Value {
    json!({
        "type": "object",
        "required": ["name", "action"],
        "additionalProperties": false,
        "properties": {
            "name": {
                "description": "Unique in the group; appears in the log.",
                "$ref": "#/$defs/name",
            },
            "description": {
                "description": "For people.",
                "type": "string",
                "maxLength": DESCRIPTION_BYTES_MAX,
            },
            "action": {
                "description": "deny ends the request, allow ends the phase, alert logs and goes on.",
                "$ref": "#/$defs/action",
            },
            "when": {
                "description": "All conditions must hold. An array of tables may ask one thing of a key several times.",
                "anyOf": [
                    { "$ref": format!("#/$defs/{}", conditions_name(phase)) },
                    {
                        "type": "array",
                        "items": { "$ref": format!("#/$defs/{}", conditions_name(phase)) },
                    },
                ],
            },
        },
    })
}
