//! Why a ruleset cannot become a bundle, and which condition is at fault.

use super::tables::Overflow;
use crate::Phase;
use crate::limits::VALUE_BYTES_MAX;
use crate::matcher::regex::RegexError;

/// Which condition is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Position of the group in the ruleset.
    pub group: usize,
    /// The phase.
    pub phase: Phase,
    /// Position of the rule in the group's list for the phase.
    pub rule: usize,
    /// Position of the condition in the rule.
    pub condition: usize,
}

/// Why a ruleset cannot become a bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// A regular expression.
    #[error("group {}, {} rule {}, condition {}: value {value:?}: {cause}", at.group, at.phase, at.rule, at.condition)]
    Regex {
        /// Where.
        at: Place,
        /// The expression.
        value: String,
        /// What is wrong with it.
        cause: RegexError,
    },
    /// The test does not fit the type of the field.
    #[error("group {}, {} rule {}, condition {}: the test does not fit the field", at.group, at.phase, at.rule, at.condition)]
    TestDoesNotFit {
        /// Where.
        at: Place,
    },
    /// A value is longer than [`VALUE_BYTES_MAX`].
    #[error("group {}, {} rule {}, condition {}: a value is longer than {VALUE_BYTES_MAX} bytes", at.group, at.phase, at.rule, at.condition)]
    ValueTooLong {
        /// Where.
        at: Place,
    },
    /// A pattern that would cost too much, by itself or with all others.
    #[error("group {}, {} rule {}, condition {}: value {value:?}: {why}", at.group, at.phase, at.rule, at.condition)]
    TooCostly {
        /// Where.
        at: Place,
        /// The pattern.
        value: String,
        /// Which bound it is over.
        why: &'static str,
    },
    /// More rules than [`crate::limits::RULES_MAX`], or more than 4 GiB of one kind of content.
    #[error("the ruleset is too large for a bundle")]
    TooLarge,
}

impl From<Overflow> for WriteError {
    fn from(_: Overflow) -> Self {
        Self::TooLarge
    }
}
