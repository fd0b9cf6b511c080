//! What cannot be said exactly: to which side it errs.

use sallyport_ruleset::Action;

use super::super::report::Matching;

/// To which side what is matched may differ from what the rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// It may match more: a rule that blocks or tells.
    Wider,
    /// It may match less: a rule that lets pass.
    Narrower,
}

impl Bound {
    pub(super) const fn of(action: Action) -> Self {
        match action {
            Action::Allow => Self::Narrower,
            Action::Deny | Action::Alert => Self::Wider,
        }
    }

    pub(super) const fn of_negated(self, negated: bool) -> Self {
        match (self, negated) {
            (bound, false) => bound,
            (Self::Wider, true) => Self::Narrower,
            (Self::Narrower, true) => Self::Wider,
        }
    }
}

/// What is different here, for the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) note: String,
    /// Which requests match that the rule does not say, or do not match that it says.
    pub(super) matching: Matching,
}

impl Difference {
    /// The same requests match.
    pub(super) fn plain(note: &str) -> Self {
        Self::new(Matching::Same, note)
    }

    pub(super) fn wider(note: &str) -> Self {
        Self::new(Matching::More, note)
    }

    pub(super) fn narrower(note: &str) -> Self {
        Self::new(Matching::Fewer, note)
    }

    /// More or fewer match, and which of them cannot be told.
    pub(super) fn either(note: &str) -> Self {
        Self::new(Matching::Other, note)
    }

    fn new(matching: Matching, note: &str) -> Self {
        Self {
            note: note.to_owned(),
            matching,
        }
    }

    pub(super) fn turned(mut self, negated: bool) -> Self {
        if negated {
            self.matching = self.matching.negated();
        }
        self
    }
}
