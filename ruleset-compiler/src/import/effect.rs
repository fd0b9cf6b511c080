//! What became of a line, and which way it errs that the ruleset is not what the source was.

use std::fmt;

use sallyport_ruleset::Action;

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It means the same here.
    Carried,
    /// It is there, with a difference in meaning that a note tells.
    Changed(Effect),
    /// It is not there; a note tells why.
    Left(Effect),
    /// Nothing has to be there for it.
    Unneeded,
}

impl Fate {
    /// The words in reports, in the order of the summary.
    pub const WORDS: [&'static str; 4] = ["carried", "changed", "left", "unneeded"];

    /// The word in reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Carried => "carried",
            Self::Changed(_) => "changed",
            Self::Left(_) => "left",
            Self::Unneeded => "unneeded",
        }
    }

    /// What the ruleset does that the source did not, because of this.
    #[must_use]
    pub const fn effect(self) -> Effect {
        match self {
            Self::Carried | Self::Unneeded => Effect::Neither,
            Self::Changed(effect) | Self::Left(effect) => effect,
        }
    }

    /// The same with one more thing that is different. What is left stays left.
    #[must_use]
    pub const fn and(self, effect: Effect) -> Self {
        match self {
            Self::Carried | Self::Unneeded => Self::Changed(effect),
            Self::Changed(before) => Self::Changed(before.and(effect)),
            Self::Left(before) => Self::Left(before.and(effect)),
        }
    }
}

/// What the ruleset does that the source did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It allows more.
    Wider,
    /// It denies more.
    Narrower,
    /// It allows some more and denies some more, or which of them cannot be told.
    Either,
    /// It decides the same; something else is different.
    Neither,
}

impl Effect {
    /// Of leaving a rule with this action; an alert decides nothing.
    #[must_use]
    pub const fn of_leaving(action: Action) -> Self {
        Matching::Fewer.under(action)
    }

    /// Of both at once.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (effect, Self::Neither) | (Self::Neither, effect) => effect,
            (Self::Wider, Self::Wider) => Self::Wider,
            (Self::Narrower, Self::Narrower) => Self::Narrower,
            _ => Self::Either,
        }
    }

    /// Whether something may pass that the source refused.
    #[must_use]
    pub const fn allows_more(self) -> bool {
        matches!(self, Self::Wider | Self::Either)
    }

    /// Whether something may be refused that the source let pass.
    #[must_use]
    pub const fn denies_more(self) -> bool {
        matches!(self, Self::Narrower | Self::Either)
    }

    /// The line under an entry with this fate; none if nothing is decided differently.
    pub(super) const fn words(fate: Fate) -> Option<&'static str> {
        let left = matches!(fate, Fate::Left(_));
        Some(match (fate.effect(), left) {
            (Self::Wider, true) => "the ruleset allows more without it",
            (Self::Narrower, true) => "the ruleset denies more without it",
            (Self::Either, true) => "the ruleset may allow or deny more without it",
            (Self::Wider, false) => "the ruleset allows more by this",
            (Self::Narrower, false) => "the ruleset denies more by this",
            (Self::Either, false) => "the ruleset may allow or deny more by this",
            (Self::Neither, _) => return None,
        })
    }

    /// The word in JSON.
    pub(super) const fn word(self) -> Option<&'static str> {
        match self {
            Self::Wider => Some("wider"),
            Self::Narrower => Some("narrower"),
            Self::Either => Some("either"),
            Self::Neither => None,
        }
    }
}

/// How what a condition matches here differs from what it matched in the source. What that does
/// depends on the action of the rule that asks it, and on whether it asks for the contrary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matching {
    /// It matches requests that it did not match.
    More,
    /// It does not match some that it did.
    Fewer,
    /// Both, or which of them cannot be told.
    Other,
    /// It matches the same.
    Same,
}

impl Matching {
    /// Of the condition that holds where this one does not.
    #[must_use]
    pub const fn negated(self) -> Self {
        match self {
            Self::More => Self::Fewer,
            Self::Fewer => Self::More,
            other => other,
        }
    }

    /// What it does in a rule with this action.
    #[must_use]
    pub const fn under(self, action: Action) -> Effect {
        match (self, action) {
            (Self::Same, _) | (_, Action::Alert) => Effect::Neither,
            (Self::Other, _) => Effect::Either,
            (Self::More, Action::Allow) | (Self::Fewer, Action::Deny) => Effect::Wider,
            (Self::Fewer, Action::Allow) | (Self::More, Action::Deny) => Effect::Narrower,
        }
    }
}

/// Something that is different here, and which way it errs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What the ruleset does by it.
    pub effect: Effect,
    /// In words.
    pub note: String,
}

impl Difference {
    /// A difference in words.
    #[must_use]
    pub fn new(effect: Effect, note: impl fmt::Display) -> Self {
        Self {
            effect,
            note: note.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_condition_misses_errs_by_its_rule() {
        for (matching, action, effect) in [
            (Matching::More, Action::Allow, Effect::Wider),
            (Matching::Fewer, Action::Allow, Effect::Narrower),
            (Matching::More, Action::Deny, Effect::Narrower),
            (Matching::Fewer, Action::Deny, Effect::Wider),
            (Matching::Fewer.negated(), Action::Deny, Effect::Narrower),
            (Matching::Other, Action::Deny, Effect::Either),
            (Matching::More, Action::Alert, Effect::Neither),
        ] {
            assert_eq!(matching.under(action), effect, "{matching:?} {action:?}");
        }
    }
}
