//! Rules, rule groups and the ruleset: what the compiler lowers rule text to, and what the
//! reference evaluator walks. Not here: the compiled form (`bundle`).

use crate::{Action, Condition, Phase};

/// Everything that decides, in evaluation order.
#[derive(Clone, Debug, PartialEq)]
pub struct Ruleset {
    /// What happens in each phase when no rule decides.
    pub defaults: Defaults,
    /// Rule groups in the order of their priorities; the vector's order is the one that counts.
    pub groups: Vec<RuleGroup>,
}

impl Ruleset {
    /// The rules of a phase in evaluation order; the position is the `RuleIndex`.
    pub fn rules(&self, phase: Phase) -> impl Iterator<Item = (&RuleGroup, &Rule)> {
        self.groups
            .iter()
            .flat_map(move |group| group.rules(phase).iter().map(move |rule| (group, rule)))
    }
}

/// The default action of each phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// For [`Phase::PreDns`].
    pub pre_dns: Action,
    /// For [`Phase::PreRequest`].
    pub pre_request: Action,
    /// For [`Phase::PostResponse`].
    pub post_response: Action,
}

impl Defaults {
    /// The same action in each phase.
    #[must_use]
    pub const fn all(action: Action) -> Self {
        Self {
            pre_dns: action,
            pre_request: action,
            post_response: action,
        }
    }

    /// The default action of `phase`.
    #[must_use]
    pub const fn action(&self, phase: Phase) -> Action {
        match phase {
            Phase::PreDns => self.pre_dns,
            Phase::PreRequest => self.pre_request,
            Phase::PostResponse => self.post_response,
        }
    }
}

/// A named list of rules per phase.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleGroup {
    /// Unique within a ruleset.
    pub name: String,
    /// Lower numbers come first; kept for display, the order is that of [`Ruleset::groups`].
    pub priority: u32,
    /// Rules by [`Phase::index`], in their order.
    pub rules: [Vec<Rule>; 3],
}

impl RuleGroup {
    /// The rules of one phase.
    #[must_use]
    pub fn rules(&self, phase: Phase) -> &[Rule] {
        let [pre_dns, pre_request, post_response] = &self.rules;
        match phase {
            Phase::PreDns => pre_dns,
            Phase::PreRequest => pre_request,
            Phase::PostResponse => post_response,
        }
    }

    /// The rules of one phase, to add to.
    pub fn rules_mut(&mut self, phase: Phase) -> &mut Vec<Rule> {
        let [pre_dns, pre_request, post_response] = &mut self.rules;
        match phase {
            Phase::PreDns => pre_dns,
            Phase::PreRequest => pre_request,
            Phase::PostResponse => post_response,
        }
    }
}

/// A rule: when all conditions hold (none: always), its action is taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Unique within its group.
    pub name: String,
    /// Free text, may be empty.
    pub description: String,
    /// What the rule does.
    pub action: Action,
    /// All of them must hold.
    pub conditions: Vec<Condition>,
}
