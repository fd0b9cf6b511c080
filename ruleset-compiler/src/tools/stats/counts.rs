//! Hits of the rules of a bundle, wherever they come from.

use std::collections::HashMap;

use sallyport_ruleset::{Bundle, Phase, RuleIndex};
use serde_json::Value;

/// Hits of the rules of a bundle.
#[derive(Debug)]
pub(super) struct Counts {
    /// By [`Phase::index`] and rule.
    pub(super) rules: [Vec<Count>; 3],
    /// What the counts are of.
    pub(super) notes: Vec<String>,
    /// What came of the lines of a log, for programs.
    pub(super) lines: Option<Value>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Count {
    pub(super) hits: u64,
    /// Lines that name the rule and are not counted among the hits: those of a transaction that goes on,
    /// or of another bundle that was decided otherwise here. A rule that has some is not unused.
    pub(super) mentions: usize,
    pub(super) last_hit: Option<String>,
}

impl Counts {
    pub(super) fn new(bundle: &Bundle) -> Self {
        Self {
            rules: Phase::ALL.map(|phase| vec![Count::default(); bundle.rules_count(phase)]),
            notes: Vec::new(),
            lines: None,
        }
    }

    pub(super) fn of(&mut self, phase: Phase, rule: RuleIndex) -> Option<&mut Count> {
        self.rules.get_mut(phase.index())?.get_mut(rule.0 as usize)
    }
}

impl Count {
    /// Nothing says that it ever matched.
    pub(super) const fn is_unused(&self) -> bool {
        self.hits == 0 && self.mentions == 0
    }
}

/// Where a rule is that is called by the names of its phase, its group and itself.
pub(super) type Places<'b> = HashMap<(&'b str, &'b str, &'b str), (Phase, RuleIndex)>;

pub(super) fn places(bundle: &Bundle) -> Places<'_> {
    let mut places = HashMap::new();
    for phase in Phase::ALL {
        for rule in (0..).map(RuleIndex).take(bundle.rules_count(phase)) {
            let key = (
                phase.name(),
                bundle.rule_group(phase, rule),
                bundle.rule_name(phase, rule),
            );
            places.insert(key, (phase, rule));
        }
    }
    places
}
