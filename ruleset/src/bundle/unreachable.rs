//! Rules that an earlier stage has proven never to decide and never to alert: they are written, but
//! not looked for.

use std::collections::BTreeSet;

use crate::invariant::Invariant;
use crate::{Phase, RuleIndex};

/// A set of rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unreachable([BTreeSet<RuleIndex>; 3]);

impl Unreachable {
    /// Adds a rule.
    pub fn insert(&mut self, phase: Phase, rule: RuleIndex) {
        let rules = self.0.get_mut(phase.index()).or_broken("a phase");
        rules.insert(rule);
    }

    /// Whether a rule is in the set.
    #[must_use]
    pub fn contains(&self, phase: Phase, rule: RuleIndex) -> bool {
        self.of(phase).contains(&rule)
    }

    /// How many rules there are in a phase.
    #[must_use]
    pub fn count(&self, phase: Phase) -> usize {
        self.of(phase).len()
    }

    fn of(&self, phase: Phase) -> &BTreeSet<RuleIndex> {
        self.0.get(phase.index()).or_broken("a phase")
    }
}
