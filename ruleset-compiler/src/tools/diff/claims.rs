//! The rules of two rulesets over one set of predicates, so that what both say is the same number;
//! and which decisive rules both have in the same order.

use std::collections::HashMap;

use sallyport_ruleset::{Action, Condition, Decision, Field, Phase, Ruleset, Test};

use super::fields::FieldSpace;

/// A predicate that holds or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Claim {
    pub(super) predicate: usize,
    pub(super) holds: bool,
}

/// A rule as what must hold.
#[derive(Clone, Debug)]
pub(super) struct RuleClaims {
    pub(super) title: String,
    pub(super) action: Action,
    /// Sorted, without repetitions.
    pub(super) claims: Vec<Claim>,
}

/// Where a predicate belongs.
#[derive(Clone, Copy, Debug)]
pub(super) struct PredicateOf {
    /// Position in [`Vocabulary::fields`].
    pub(super) field: usize,
    /// Position among the tests of the field.
    pub(super) test: usize,
}

/// All that two rulesets say in a phase.
#[derive(Debug)]
pub(super) struct Vocabulary {
    pub(super) fields: Vec<Field>,
    pub(super) spaces: Vec<FieldSpace>,
    pub(super) predicates: Vec<PredicateOf>,
    /// The rules of both, in their order.
    pub(super) rules: [Vec<RuleClaims>; 2],
}

/// What is collected while the rules are read.
#[derive(Default)]
struct Collector<'r> {
    fields: Vec<Field>,
    /// By field.
    tests: Vec<Vec<&'r Test>>,
    predicates: Vec<PredicateOf>,
    numbers: HashMap<(&'r Field, &'r Test), usize>,
}

impl Vocabulary {
    pub(super) fn new(rulesets: [&Ruleset; 2], phase: Phase) -> Self {
        let mut collector = Collector::default();
        let rules = rulesets.map(|ruleset| {
            let rules = ruleset.rules(phase);
            rules
                .map(|(group, rule)| RuleClaims {
                    title: format!("{}/{}", group.name, rule.name),
                    action: rule.action,
                    claims: collector.claims(&rule.conditions),
                })
                .collect()
        });
        let spaces = collector.fields.iter().zip(&collector.tests);
        let spaces = spaces.map(|(field, tests)| FieldSpace::new(field, tests));
        Self {
            spaces: spaces.collect(),
            fields: collector.fields,
            predicates: collector.predicates,
            rules,
        }
    }
}

impl<'r> Collector<'r> {
    fn claims(&mut self, conditions: &'r [Condition]) -> Vec<Claim> {
        let mut claims: Vec<Claim> = conditions
            .iter()
            .map(|condition| Claim {
                predicate: self.predicate(&condition.field, &condition.test),
                holds: !condition.negated,
            })
            .collect();
        claims.sort_unstable();
        claims.dedup();
        claims
    }

    fn predicate(&mut self, field: &'r Field, test: &'r Test) -> usize {
        if let Some(known) = self.numbers.get(&(field, test)) {
            return *known;
        }
        let number = self.field(field);
        let position = self.tests.get_mut(number).map_or(0, |tests| {
            tests.push(test);
            tests.len() - 1
        });
        self.predicates.push(PredicateOf {
            field: number,
            test: position,
        });
        let new = self.predicates.len() - 1;
        self.numbers.insert((field, test), new);
        new
    }

    fn field(&mut self, field: &Field) -> usize {
        let known = self.fields.iter().position(|known| known == field);
        known.unwrap_or_else(|| {
            self.fields.push(field.clone());
            self.tests.push(Vec::new());
            self.fields.len() - 1
        })
    }
}

impl RuleClaims {
    /// What the rule decides; `None` for an alert.
    pub(super) const fn decision(&self) -> Option<Decision> {
        match self.action {
            Action::Allow => Some(Decision::Allow),
            Action::Deny => Some(Decision::Deny),
            Action::Alert => None,
        }
    }
}

/// For each decisive rule of one ruleset the position of the same one in the other, such that the
/// order is the same in both. There may be a longer such sequence; any will do.
pub(super) fn in_common(old: &[RuleClaims], new: &[RuleClaims]) -> [Vec<Option<usize>>; 2] {
    let mut places: HashMap<(&[Claim], Action), Vec<usize>> = HashMap::new();
    for (position, rule) in new.iter().enumerate().rev() {
        if rule.action != Action::Alert {
            let key = (rule.claims.as_slice(), rule.action);
            places.entry(key).or_default().push(position);
        }
    }
    let mut pairs = Vec::new();
    for (position, rule) in old.iter().enumerate() {
        let key = (rule.claims.as_slice(), rule.action);
        if let Some(other) = places.get_mut(&key).and_then(Vec::pop) {
            pairs.push((position, other));
        }
    }
    let mut found = [vec![None; old.len()], vec![None; new.len()]];
    let [of_old, of_new] = &mut found;
    for (position, other) in longest_increasing(&pairs) {
        if let (Some(here), Some(there)) = (of_old.get_mut(position), of_new.get_mut(other)) {
            *here = Some(other);
            *there = Some(position);
        }
    }
    found
}

/// The longest part of the pairs in which the second numbers grow (patience sorting).
pub(super) fn longest_increasing(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut tops: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    let second = |at: &usize| pairs.get(*at).map(|(_, second)| *second);
    for (at, (_, value)) in pairs.iter().enumerate() {
        let pile = tops.partition_point(|top| second(top) < Some(*value));
        before.push(pile.checked_sub(1).and_then(|pile| tops.get(pile).copied()));
        match tops.get_mut(pile) {
            Some(top) => *top = at,
            None => tops.push(at),
        }
    }
    let mut chain = Vec::new();
    let mut at = tops.last().copied();
    while let Some(position) = at {
        chain.extend(pairs.get(position));
        at = before.get(position).copied().flatten();
    }
    chain.reverse();
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_grow() {
        let pairs: Vec<_> = [3, 0, 1, 4, 2, 5].into_iter().enumerate().collect();
        let chain: Vec<_> = longest_increasing(&pairs)
            .into_iter()
            .map(|(_, b)| b)
            .collect();
        assert_eq!(chain, [0, 1, 2, 5]);
        assert!(longest_increasing(&[]).is_empty());
    }
}
