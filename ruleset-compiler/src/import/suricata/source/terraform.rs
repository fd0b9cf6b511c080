//! Terraform's resources in the form of the API: `rules_string` is `RulesString`, and blocks that
//! list what the API has as an array or a map become one.

use super::super::super::json::{Json, Kind};

/// Blocks that may be repeated, and the array of the API.
const ARRAYS: [(&str, &str); 4] = [
    ("stateful_rule", "StatefulRules"),
    ("rule_option", "RuleOptions"),
    (
        "stateful_rule_group_reference",
        "StatefulRuleGroupReferences",
    ),
    (
        "stateless_rule_group_reference",
        "StatelessRuleGroupReferences",
    ),
];

/// Names with letters that are not made by the rule.
const NAMES: [(&str, &str); 3] = [
    ("ip_sets", "IPSets"),
    ("port_sets", "PortSets"),
    ("ip_set_references", "IPSetReferences"),
];

/// The tree as the API has it: resources under their labels.
pub(super) fn as_api(value: Json) -> Json {
    let line = value.line;
    let kind = match value.kind {
        Kind::Array(elements) => Kind::Array(elements.into_iter().map(as_api).collect()),
        Kind::Object(members) => {
            let members = members.into_iter().map(member);
            Kind::Object(members.collect())
        }
        kind => kind,
    };
    Json { line, kind }
}

fn member((name, value): (String, Json)) -> (String, Json) {
    if let Some((_, array)) = ARRAYS.iter().find(|(block, _)| *block == name) {
        return ((*array).to_owned(), as_api(value));
    }
    if matches!(name.as_str(), "resource" | "module" | "data" | "locals") {
        return (name, as_api(value));
    }
    let is_block = matches!(&value.kind, Kind::Array(elements)
        if elements.iter().all(|element| matches!(element.kind, Kind::Object(_))) && !elements.is_empty());
    let api_name = api_name(&name);
    if !is_block {
        return (api_name, as_api(value));
    }
    if value
        .elements()
        .iter()
        .all(|block| block.get("key").is_some())
    {
        return (api_name, keyed(value));
    }
    let line = value.line;
    let Kind::Array(mut blocks) = value.kind else {
        return (api_name, value);
    };
    let value = if blocks.len() == 1 {
        blocks.pop().map(as_api)
    } else {
        None
    };
    let several = Json {
        line,
        kind: Kind::Array(blocks.into_iter().map(as_api).collect()),
    };
    (api_name, value.unwrap_or(several))
}

/// `ip_sets { key = "A", ip_set { definition = […] } }` as `{"A": {"Definition": […]}}`.
fn keyed(blocks: Json) -> Json {
    let members = blocks.elements().iter().filter_map(|block| {
        let key = block.get("key")?.text()?.to_owned();
        let sets = ["ip_set", "port_set", "ip_set_reference"];
        let set = sets.iter().find_map(|name| block.get(name))?;
        let set = set.elements().first().unwrap_or(set);
        Some((key, as_api(set.clone())))
    });
    Json {
        line: blocks.line,
        kind: Kind::Object(members.collect()),
    }
}

fn api_name(name: &str) -> String {
    if let Some((_, api)) = NAMES.iter().find(|(known, _)| *known == name) {
        return (*api).to_owned();
    }
    if name.starts_with('#') || name.chars().any(|c| c.is_ascii_uppercase()) {
        return name.to_owned();
    }
    let words = name.split('_').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    words.collect()
}
