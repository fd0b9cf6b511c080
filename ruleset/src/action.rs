//! What rules do, and what an evaluation answers.

use std::fmt;

/// What a rule does when all its conditions hold; also the default of a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Ends this phase; later phases still run.
    Allow,
    /// Ends the transaction.
    Deny,
    /// Logs. As a rule: evaluation goes on. As a phase's default: logs and allows.
    Alert,
}

impl Action {
    /// Lower-case word, as in rule text and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Alert => "alert",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The end of a phase: an [`Action`] that is not an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Go on to what follows the phase.
    Allow,
    /// Refuse the transaction.
    Deny,
}

impl Decision {
    /// Lower-case word, as in logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl From<Decision> for Action {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Allow => Self::Allow,
            Decision::Deny => Self::Deny,
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A rule of one phase: its position in the order of evaluation of that phase, from 0.
///
/// It means nothing without the bundle (or ruleset) and the phase that it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleIndex(pub u32);

/// The decision of a phase and what made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What happens.
    pub action: Decision,
    /// The deciding rule; `None` when the phase's default decided.
    pub rule: Option<RuleIndex>,
    /// The default decided, and it is `alert`: log, although nothing matched.
    pub default_alert: bool,
}

impl Verdict {
    /// The verdict of a phase's default action.
    #[must_use]
    pub const fn of_default(default: Action) -> Self {
        Self {
            action: match default {
                Action::Deny => Decision::Deny,
                Action::Allow | Action::Alert => Decision::Allow,
            },
            rule: None,
            default_alert: matches!(default, Action::Alert),
        }
    }
}

/// The answer of an evaluation over facts of which some may be unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No further fact can change the decision, the deciding rule or the alerts.
    Decided(Verdict),
    /// Some unknown fact matters: ask again when more is known.
    Undetermined,
}
