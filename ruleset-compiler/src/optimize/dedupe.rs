//! Says nothing twice: conditions of a rule that follow from its other conditions go, values of a
//! condition that another of its values covers go, and conditions with the same values in another
//! order become one, which the whole bundle shares.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use foldhash::fast::FixedState;
use sallyport_ruleset::{Condition, Field, Phase, Ruleset, Test, ValueList};

use crate::cover::{Assumption, Oracle};

/// Longer lists are not sorted to find others that say the same.
const SORTED_VALUES_MAX: usize = 10_000;

/// Drops what is said twice.
pub(super) fn run(ruleset: &mut Ruleset) {
    let mut seen = Seen::default();
    for group in &mut ruleset.groups {
        for phase in Phase::ALL {
            for rule in group.rules_mut(phase) {
                for condition in &mut rule.conditions {
                    if let Some(test) = seen.shortened(&condition.test) {
                        condition.test = test;
                    }
                    if let Some(test) = seen.representative(condition) {
                        condition.test = test;
                    }
                }
                drop_implied(&mut rule.conditions);
            }
        }
    }
}

/// Drops conditions that hold wherever those before them, or those that are kept, do. Both look at
/// the same field, so that neither is known before the other.
fn drop_implied(conditions: &mut Vec<Condition>) {
    if conditions.len() < 2 {
        return;
    }
    let mut is_kept = vec![true; conditions.len()];
    for at in 0..conditions.len() {
        let others: Vec<Assumption<'_>> = conditions
            .iter()
            .zip(&is_kept)
            .enumerate()
            .filter(|(other, (_, is_kept))| **is_kept && *other != at)
            .map(|(_, (condition, _))| Assumption::of(condition))
            .collect();
        let follows = conditions
            .get(at)
            .is_some_and(|condition| follows_from_field(&others, condition));
        if follows && let Some(is_kept) = is_kept.get_mut(at) {
            *is_kept = false;
        }
    }
    let mut is_kept = is_kept.into_iter();
    conditions.retain(|_| is_kept.next().unwrap_or(true));
}

/// Whether the condition follows, and not because the others contradict each other.
fn follows_from_field<'c>(others: &[Assumption<'c>], condition: &'c Condition) -> bool {
    let mut oracle = Oracle::default();
    let mut of_field = others.iter().filter(|fact| fact.field == &condition.field);
    of_field.next().is_some()
        && oracle.follows(others, condition)
        && !oracle.contradicts(others, Assumption::of(condition))
}

/// The name without its first label.
fn above_of(name: &str) -> Option<&str> {
    name.split_once('.').map(|(_, above)| above)
}

/// What was met so far.
#[derive(Default)]
struct Seen {
    shortened: HashMap<(Kind, ValueList), ValueList, FixedState>,
    representatives: HashMap<(Field, Kind, Vec<String>), Test, FixedState>,
}

/// What decides how values may be dropped.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Exact,
    IgnoreCase,
    Pattern,
    Domain,
    Regex,
}

fn kind(test: &Test) -> Option<(Kind, &ValueList)> {
    match test {
        Test::Exact {
            values,
            ignore_case: false,
        } => Some((Kind::Exact, values)),
        Test::Exact {
            values,
            ignore_case: true,
        } => Some((Kind::IgnoreCase, values)),
        Test::Glob(values) => Some((Kind::Pattern, values)),
        Test::Regex(values) => Some((Kind::Regex, values)),
        Test::Domain(values) => Some((Kind::Domain, values)),
        _ => None,
    }
}

const fn with_values(kind: Kind, values: ValueList) -> Test {
    match kind {
        Kind::Exact => Test::Exact {
            values,
            ignore_case: false,
        },
        Kind::IgnoreCase => Test::Exact {
            values,
            ignore_case: true,
        },
        Kind::Pattern => Test::Glob(values),
        Kind::Regex => Test::Regex(values),
        Kind::Domain => Test::Domain(values),
    }
}

impl Seen {
    /// The test without the values that others of it cover; `None` when all are needed.
    fn shortened(&mut self, test: &Test) -> Option<Test> {
        let (kind, values) = kind(test)?;
        if let Some(shorter) = self.shortened.get(&(kind, values.clone())) {
            return Some(with_values(kind, shorter.clone()));
        }
        let mut seen: HashSet<Cow<'_, str>, FixedState> = HashSet::default();
        let mut needed: Vec<&str> = Vec::with_capacity(values.len());
        for value in values.iter() {
            let is_new = seen.insert(match kind {
                Kind::IgnoreCase => Cow::Owned(value.to_ascii_lowercase()),
                _ => Cow::Borrowed(value),
            });
            if is_new {
                needed.push(value);
            }
        }
        if kind == Kind::Domain {
            needed.retain(|name| {
                !std::iter::successors(above_of(name), |name| above_of(name))
                    .any(|name| seen.contains(name))
            });
        }
        if needed.len() == values.len() {
            return None;
        }
        let shorter: ValueList = needed.into_iter().collect();
        self.shortened
            .insert((kind, values.clone()), shorter.clone());
        Some(with_values(kind, shorter))
    }

    /// The first test that had the same values in whatever order.
    fn representative(&mut self, condition: &Condition) -> Option<Test> {
        let (kind, values) = kind(&condition.test)?;
        if !(2..=SORTED_VALUES_MAX).contains(&values.len()) {
            return None;
        }
        let mut sorted: Vec<String> = values.iter().map(str::to_owned).collect();
        sorted.sort_unstable();
        let first = self
            .representatives
            .entry((condition.field.clone(), kind, sorted))
            .or_insert_with(|| condition.test.clone());
        (*first != condition.test).then(|| first.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sallyport_ruleset::generate::single_rule;

    fn domain(names: &[&str]) -> Condition {
        Condition {
            field: Field::DestinationDomain,
            negated: false,
            test: Test::Domain(names.iter().collect()),
        }
    }

    #[test]
    fn values_under_others_go() {
        let mut ruleset = single_rule(vec![domain(&[
            "a.example.com",
            "b.org",
            "example.com",
            "b.org",
        ])]);
        run(&mut ruleset);
        assert_eq!(
            ruleset,
            single_rule(vec![domain(&["b.org", "example.com"])])
        );
    }

    #[test]
    fn conditions_that_follow_go() {
        let mut ruleset = single_rule(vec![domain(&["example.com"]), domain(&["a.example.com"])]);
        run(&mut ruleset);
        assert_eq!(ruleset, single_rule(vec![domain(&["a.example.com"])]));
    }

    #[test]
    fn the_same_values_in_another_order_are_shared() {
        let mut ruleset = single_rule(vec![domain(&["a", "b"])]);
        ruleset
            .groups
            .extend(single_rule(vec![domain(&["b", "a"])]).groups);
        run(&mut ruleset);
        let conditions: Vec<_> = ruleset
            .rules(Phase::PreDns)
            .map(|(_, rule)| rule.conditions.clone())
            .collect();
        assert_eq!(conditions, vec![vec![domain(&["a", "b"])]; 2]);
    }
}
