//! What is different in the rules as they are written: defaults, groups, rules, conditions, values.
//! Not here: what that means for requests (`regions.rs`).

use std::collections::{BTreeMap, HashSet};

use sallyport_ruleset::{Condition, Phase, Rule, Ruleset, Test};
use serde_json::{Value, json};

/// Values that are named for one condition; more are counted.
const VALUES_SHOWN_MAX: usize = 10;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The phase and what it is about: a rule, a group, the default.
    pub(super) what: String,
    pub(super) kind: Kind,
    /// Lines that say more.
    pub(super) details: Vec<String>,
}

/// How something is different.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Added,
    Removed,
    Changed,
    Moved,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Moved => "moved",
        }
    }

    pub(super) const fn sign(self) -> char {
        match self {
            Self::Added => '+',
            Self::Removed => '-',
            Self::Changed => '~',
            Self::Moved => '>',
        }
    }
}

impl Change {
    fn new(what: String, kind: Kind, details: Vec<String>) -> Self {
        Self {
            what,
            kind,
            details,
        }
    }

    pub(super) fn as_value(&self) -> Value {
        json!({ "what": self.what, "change": self.kind.name(), "details": self.details })
    }
}

/// All differences, phase by phase.
pub(super) fn compare(old: &Ruleset, new: &Ruleset) -> Vec<Change> {
    let mut changes = groups(old, new);
    for phase in Phase::ALL {
        let defaults = [old, new].map(|side| side.defaults.action(phase));
        if let [before, after] = defaults
            && before != after
        {
            let details = vec![format!("{before} -> {after}")];
            changes.push(Change::new(
                format!("{phase} default"),
                Kind::Changed,
                details,
            ));
        }
        changes.extend(rules(old, new, phase));
    }
    changes
}

fn groups(old: &Ruleset, new: &Ruleset) -> Vec<Change> {
    let of = |side: &Ruleset| -> BTreeMap<String, u32> {
        let groups = side.groups.iter();
        groups
            .map(|group| (group.name.clone(), group.priority))
            .collect()
    };
    let (before, after) = (of(old), of(new));
    let mut changes = Vec::new();
    for (name, priority) in &before {
        let what = format!("group {name}");
        match after.get(name) {
            None => changes.push(Change::new(what, Kind::Removed, Vec::new())),
            Some(now) if now != priority => {
                let details = vec![format!("priority {priority} -> {now}")];
                changes.push(Change::new(what, Kind::Changed, details));
            }
            Some(_) => {}
        }
    }
    let added = after.keys().filter(|name| !before.contains_key(*name));
    changes.extend(added.map(|name| Change::new(format!("group {name}"), Kind::Added, Vec::new())));
    changes
}

/// Rules of a phase by title, in their order.
fn titled(side: &Ruleset, phase: Phase) -> Vec<(String, &Rule)> {
    let rules = side.rules(phase);
    rules
        .map(|(group, rule)| (format!("{}/{}", group.name, rule.name), rule))
        .collect()
}

fn rules(old: &Ruleset, new: &Ruleset, phase: Phase) -> Vec<Change> {
    let (before, after) = (titled(old, phase), titled(new, phase));
    let old_rules: BTreeMap<&str, &Rule> = before
        .iter()
        .map(|(title, rule)| (title.as_str(), *rule))
        .collect();
    let new_rules: BTreeMap<&str, &Rule> = after
        .iter()
        .map(|(title, rule)| (title.as_str(), *rule))
        .collect();
    let moved = moved(&before, &after);
    let mut changes = Vec::new();
    for (title, _) in before
        .iter()
        .filter(|(title, _)| !new_rules.contains_key(title.as_str()))
    {
        changes.push(Change::new(
            format!("{phase} {title}"),
            Kind::Removed,
            Vec::new(),
        ));
    }
    for (title, rule) in &after {
        let what = format!("{phase} {title}");
        let Some(old_rule) = old_rules.get(title.as_str()) else {
            let conditions = rule.conditions.iter().map(title_of_condition);
            let details = [rule.action.to_string()].into_iter().chain(conditions);
            changes.push(Change::new(what, Kind::Added, details.collect()));
            continue;
        };
        let details = rule_details(old_rule, rule);
        if !details.is_empty() {
            changes.push(Change::new(what.clone(), Kind::Changed, details));
        }
        if moved.contains(title.as_str()) {
            changes.push(Change::new(what, Kind::Moved, Vec::new()));
        }
    }
    changes
}

/// Rules that both have and that are not in the longest part that both have in the same order.
fn moved<'t>(before: &'t [(String, &Rule)], after: &'t [(String, &Rule)]) -> HashSet<&'t str> {
    let places: BTreeMap<&str, usize> = (0..)
        .zip(after)
        .map(|(place, (title, _))| (title.as_str(), place))
        .collect();
    let shared: Vec<(usize, usize)> = before
        .iter()
        .enumerate()
        .filter_map(|(at, (title, _))| Some((at, *places.get(title.as_str())?)))
        .collect();
    let kept: HashSet<usize> = super::claims::longest_increasing(&shared)
        .into_iter()
        .map(|(at, _)| at)
        .collect();
    let gone = shared.iter().filter(|(at, _)| !kept.contains(at));
    gone.filter_map(|(at, _)| before.get(*at))
        .map(|(title, _)| title.as_str())
        .collect()
}

fn rule_details(old: &Rule, new: &Rule) -> Vec<String> {
    let mut details = Vec::new();
    if old.action != new.action {
        details.push(format!("action {} -> {}", old.action, new.action));
    }
    if old.description != new.description {
        details.push("its description is another".to_owned());
    }
    // Conditions on the same key with the same operator are the same one with other values.
    let mut left: Vec<&Condition> = new
        .conditions
        .iter()
        .filter(|condition| !old.conditions.contains(condition))
        .collect();
    for condition in old
        .conditions
        .iter()
        .filter(|one| !new.conditions.contains(one))
    {
        let title = title_of_condition(condition);
        let same = left
            .iter()
            .position(|other| title_of_condition(other) == title);
        match same.map(|at| left.remove(at)) {
            Some(other) => {
                details.push(format!("{title}: {}", values(&condition.test, &other.test)))
            }
            None => details.push(format!("- {title}")),
        }
    }
    details.extend(
        left.iter()
            .map(|condition| format!("+ {}", title_of_condition(condition))),
    );
    details
}

/// Key and operator, without values.
fn title_of_condition(condition: &Condition) -> String {
    let (every, test) = match &condition.test {
        Test::Every(test) => ("each ", &**test),
        test => ("", test),
    };
    let kind = match test {
        Test::Exact {
            ignore_case: false, ..
        } => "Equals",
        Test::Exact {
            ignore_case: true, ..
        } => "EqualsIgnoreCase",
        Test::Glob(_) => "Like",
        Test::Regex(_) => "Matches",
        Test::Domain(_) => "DomainMatch",
        Test::Number(_) => "Numeric",
        Test::Ip(_) => "IpAddress",
        Test::Time(_) => "Date",
        Test::TimeOfDay(_) => "TimeOfDay",
        Test::Absent(true) => "Null",
        Test::Absent(false) => "not Null",
        Test::Every(_) => "",
    };
    let not = if condition.negated { "not " } else { "" };
    format!("{} {not}{every}{kind}", condition.field)
}

/// What values came and went.
fn values(old: &Test, new: &Test) -> String {
    let (before, after) = (texts(old), texts(new));
    let only = |these: &[String], others: &[String]| -> Vec<String> {
        let others: HashSet<&String> = others.iter().collect();
        these
            .iter()
            .filter(|value| !others.contains(value))
            .cloned()
            .collect()
    };
    let listed = |sign: char, values: &[String]| {
        let shown = values.iter().take(VALUES_SHOWN_MAX);
        let mut parts: Vec<String> = shown.map(|value| format!("{sign}{value}")).collect();
        if let Some(more @ 1..) = values.len().checked_sub(VALUES_SHOWN_MAX) {
            parts.push(format!("{sign}… {more} more"));
        }
        parts
    };
    let (gone, come) = (only(&before, &after), only(&after, &before));
    if gone.is_empty() && come.is_empty() {
        return "the same values in another order".to_owned();
    }
    [listed('-', &gone), listed('+', &come)].concat().join(", ")
}

fn texts(test: &Test) -> Vec<String> {
    match test {
        Test::Exact { values, .. }
        | Test::Glob(values)
        | Test::Regex(values)
        | Test::Domain(values) => values.iter().map(str::to_owned).collect(),
        Test::Number(ranges) => ranges
            .iter()
            .map(|range| format!("{}-{}", range.start(), range.end()))
            .collect(),
        Test::Time(ranges) => ranges
            .iter()
            .map(|range| format!("{}-{}", range.start(), range.end()))
            .collect(),
        Test::Ip(networks) => networks.iter().map(ToString::to_string).collect(),
        Test::TimeOfDay(schedules) => schedules
            .iter()
            .map(|one| {
                format!(
                    "days {:07b} {}-{} s {}",
                    one.days.bits(),
                    one.from_second,
                    one.to_second,
                    one.zone.name
                )
            })
            .collect(),
        Test::Absent(expected) => vec![expected.to_string()],
        Test::Every(test) => texts(test),
    }
}
