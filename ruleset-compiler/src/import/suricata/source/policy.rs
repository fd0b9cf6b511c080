//! The firewall policy: in which order groups are asked, what happens where no rule decides, and
//! the variables that all groups share.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::super::json::Json;
use super::super::super::report::{Effect, Entry, Fate, Place, Report};
use super::super::settings::Default;
use super::content::{RuleGroup, Source};

/// What the policy of a tree says; groups are brought into its order.
pub(super) fn read(
    tree: &Json,
    groups: &mut [RuleGroup],
    file: &Rc<str>,
    report: &mut Report,
) -> Source {
    let mut source = Source::default();
    let mut policies = Vec::new();
    tree.holders("StatefulRuleGroupReferences", &mut policies);
    let policy = match policies.as_slice() {
        [only] => *only,
        [] => {
            tell_of_order(groups, "there is no policy", report);
            return source;
        }
        _ => {
            tell_of_order(groups, "there are several policies", report);
            return source;
        }
    };
    let order = policy
        .get("StatefulEngineOptions")
        .and_then(|options| single(options).get("RuleOrder"));
    source.strict_order = order
        .and_then(Json::text)
        .map(|order| order == "STRICT_ORDER");
    source.default = Some(default(policy));
    if let Some(sets) = policy
        .get("PolicyVariables")
        .and_then(|variables| single(variables).get("RuleVariables"))
    {
        variables(file, sets, &mut source.variables, report);
    }
    if source.strict_order == Some(true) {
        put_in_order(policy, groups, file, report);
    }
    source
}

fn default(policy: &Json) -> Default {
    let actions = policy
        .get("StatefulDefaultActions")
        .map_or(&[][..], Json::elements);
    let has = |start: &str| {
        let mut words = actions.iter().filter_map(Json::text);
        words.any(|word| word.starts_with(start))
    };
    // One that has to be evaluated may deny.
    let is_unknown = actions.iter().any(|action| action.text().is_none());
    if has("aws:drop") || is_unknown {
        Default::Deny
    } else if has("aws:alert") {
        Default::Alert
    } else {
        Default::Allow
    }
}

fn put_in_order(policy: &Json, groups: &mut [RuleGroup], file: &Rc<str>, report: &mut Report) {
    let references = policy.get("StatefulRuleGroupReferences");
    let references = references.map_or(&[][..], Json::elements);
    let mut places: BTreeMap<String, u64> = BTreeMap::new();
    for (reference, at) in references.iter().zip(0_u64..) {
        let arn = reference.get("ResourceArn").unwrap_or(reference).shown();
        let priority = reference.get("Priority").map(|priority| priority.shown());
        let priority = priority.and_then(|text| text.trim_matches('"').parse().ok());
        let named = groups
            .iter()
            .find(|group| !group.name.is_empty() && names(&arn, &group.name));
        match named {
            Some(group) => {
                places.insert(group.name.clone(), priority.unwrap_or(at));
            }
            None => {
                let place = Place {
                    file: Rc::clone(file),
                    line: reference.line,
                };
                let fate = Fate::Left(Effect::Either);
                report.push(
                    Entry::new(place, &arn, "rule group", fate)
                        .note("the rule group that the policy names is not in the file"),
                );
            }
        }
    }
    let is_unplaced =
        |group: &RuleGroup| !places.contains_key(&group.name) && !group.lines.is_empty();
    if groups.iter().any(is_unplaced) {
        tell_of_order(groups, "the policy does not name all of them", report);
    }
    groups.sort_by_key(|group| places.get(&group.name).copied().unwrap_or(u64::MAX));
}

/// Whether a reference holds a name as a word.
fn names(reference: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    reference.split(|c| !is_word(c)).any(|word| word == name)
}

fn tell_of_order(groups: &[RuleGroup], why: &str, report: &mut Report) {
    let groups_count = groups
        .iter()
        .filter(|group| !group.lines.is_empty())
        .count();
    if groups_count > 1 {
        report.remark(format!(
            "there are {groups_count} rule groups, and {why}: what it does not order is asked last, as it stands in the file"
        ));
    }
}

/// Sets of addresses or ports under their names.
pub(super) fn variables(
    file: &Rc<str>,
    sets: &Json,
    into: &mut BTreeMap<String, String>,
    report: &mut Report,
) {
    for (name, set) in sets.members() {
        let definition = set.get("Definition").unwrap_or(set);
        let items: Option<Vec<&str>> = definition.elements().iter().map(Json::text).collect();
        match items.filter(|items| !items.is_empty()) {
            Some(items) => {
                into.insert(name.clone(), format!("[{}]", items.join(",")));
            }
            None => {
                let place = Place {
                    file: Rc::clone(file),
                    line: definition.line,
                };
                let text = format!("{name} = {}", definition.shown());
                report.push(
                    Entry::new(place, &text, "variable", Fate::Left(Effect::Neither)).note(
                        format!("it has to be evaluated: `--var {name}=…` gives its value"),
                    ),
                );
            }
        }
    }
}

/// The only block where there may be several.
pub(super) fn single(value: &Json) -> &Json {
    match value.elements() {
        [only] => only,
        _ => value,
    }
}
