//! One request that a rule matches, to ask earlier rules about it: whoever covers the rule, alone or
//! with others, must be among those that match it. Asking costs a fraction of the proof that follows,
//! and nearly always spares it. Not here: that proof (`region.rs`, `search.rs`).

use sallyport_ruleset::matcher::glob;
use sallyport_ruleset::{Condition, Field, Rule, Test};

use super::region::{Assumption, Oracle, Point};

/// What a field of the request is.
#[derive(Clone, Debug)]
enum Is {
    /// It has this value.
    Value(Value),
    /// That cannot be told: the rule asks for it in a way that no value was found for.
    Anything,
}

#[derive(Clone, Debug)]
enum Value {
    Number(u128),
    Address(std::net::IpAddr),
    Text(String),
}

impl Value {
    fn point(&self) -> Point<'_> {
        match self {
            Self::Number(number) => Point::Number(*number),
            Self::Address(address) => Point::Address(*address),
            Self::Text(text) => Point::Text(text),
        }
    }
}

/// A request. Fields that the rule does not ask for are absent.
#[derive(Debug)]
pub(super) struct Witness<'r> {
    fields: Vec<(&'r Field, Is)>,
}

impl<'r> Witness<'r> {
    /// A request that the rule matches.
    pub(super) fn of(rule: &'r Rule, oracle: &mut Oracle<'r>) -> Self {
        let mut fields: Vec<(&Field, Is)> = Vec::with_capacity(rule.conditions.len());
        for Condition { field, .. } in &rule.conditions {
            if fields.iter().any(|(known, _)| *known == field) {
                continue;
            }
            let of_field = || rule.conditions.iter().filter(|c| c.field == *field);
            let mut values = of_field().filter_map(value);
            let found = values.find(|value| {
                let mut assumptions = of_field().map(Assumption::of);
                assumptions
                    .all(|assumption| oracle.holds_at(assumption, value.point()) == Some(true))
            });
            fields.push((field, found.map_or(Is::Anything, Is::Value)));
        }
        Self { fields }
    }

    /// Whether another rule matches the request, or that cannot be told.
    pub(super) fn may_match(&self, rule: &'r Rule, oracle: &mut Oracle<'r>) -> bool {
        rule.conditions.iter().all(|condition| {
            let known = self.fields.iter().find(|(f, _)| **f == condition.field);
            let assumption = Assumption::of(condition);
            let holds = match known {
                Some((_, Is::Value(value))) => oracle.holds_at(assumption, value.point()),
                Some((_, Is::Anything)) => None,
                None => Some(assumption.holds_if_absent()),
            };
            holds != Some(false)
        })
    }
}

/// A value that the condition lets through, if one is at hand.
fn value(condition: &Condition) -> Option<Value> {
    if condition.negated || condition.field.has_several_values() {
        return None;
    }
    let first = |values: &sallyport_ruleset::ValueList| values.iter().next().map(str::to_owned);
    match &condition.test {
        Test::Number(ranges) => ranges.first().map(|r| Value::Number((*r.start()).into())),
        Test::Ip(networks) => networks.first().map(|n| Value::Address(n.network())),
        Test::Exact { values, .. } | Test::Domain(values) => first(values).map(Value::Text),
        Test::Glob(values) => values
            .iter()
            .next()
            .map(|pattern| Value::Text(sample(pattern))),
        _ => None,
    }
}

/// A text that the glob matches.
fn sample(pattern: &str) -> String {
    let text = pattern.replace('*', "").replace('?', "x");
    debug_assert!(glob::matches(pattern.as_bytes(), text.as_bytes()));
    text
}
