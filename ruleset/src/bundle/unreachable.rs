//! Rules that an earlier stage has proven never to decide and never to alert: they are written, but
//! not looked for.

use std::collections::BTreeSet;

use crate::{Phase, RuleIndex};

/// A set of rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unreachable([BTreeSet<RuleIndex>; 3]);

impl Unreachable {
    /// Adds a rule.
    pub fn insert(&mut self, phase: Phase, rule: RuleIndex) {
        if let Some(rules) = self.0.get_mut(phase.index()) {
            rules.insert(rule);
        }
    }

    /// Whether a rule is in the set.
    #[must_use]
    pub fn contains(&self, phase: Phase, rule: RuleIndex) -> bool {
        self.0
            .get(phase.index())
            .is_some_and(|rules| rules.contains(&rule))
    }

    /// How many rules there are in a phase.
    #[must_use]
    pub fn count(&self, phase: Phase) -> usize {
        self.0.get(phase.index()).map_or(0, BTreeSet::len)
    }
}
