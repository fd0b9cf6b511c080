//! The names of problems. They are stable: editors, CI and documentation refer to them.
//!
//! `docs/rules.md` has an example for each, and a test that the example provokes it.

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// No bundle is made.
    Error,
    /// A bundle is made, but it may not do what its author wanted.
    Warning,
}

impl Severity {
    /// The word in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident $severity:ident $name:literal,)+) => {
        /// What kind of problem it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Code {
            /// All codes, errors first.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name in output.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// How bad it is.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self {
                    $(Self::$variant => Severity::$severity,)+
                }
            }
        }
    };
}

codes! {
    /// The file is no TOML.
    BadToml Error "bad-toml",
    /// The file is no JSON.
    BadJson Error "bad-json",
    /// A file cannot be read.
    UnreadableFile Error "unreadable-file",
    /// The file holds something else than its place asks for.
    WrongFile Error "wrong-file",
    /// A key that the language does not have.
    UnknownKey Error "unknown-key",
    /// A key that occurs twice in a JSON object.
    DuplicateKey Error "duplicate-key",
    /// A value of the wrong kind, such as a number for a string.
    WrongType Error "wrong-type",
    /// The default action of a phase is missing.
    MissingDefault Error "missing-default",
    /// A group or rule without a name.
    MissingName Error "missing-name",
    /// A rule without an action.
    MissingAction Error "missing-action",
    /// A group without a priority.
    MissingPriority Error "missing-priority",
    /// A condition without a key, in JSON.
    MissingConditionKey Error "missing-condition-key",
    /// A condition without an operator.
    MissingOperator Error "missing-operator",
    /// A condition without a value.
    NoValue Error "no-value",
    /// A name with characters that names do not have.
    BadName Error "bad-name",
    /// A priority that is no whole number in range.
    BadPriority Error "bad-priority",
    /// A description that is too long.
    DescriptionTooLong Error "description-too-long",
    /// A group with a file and rules beside it.
    FileAndRules Error "file-and-rules",
    /// Two rules of a group, or two groups, of one name.
    DuplicateName Error "duplicate-name",
    /// Two groups of one priority.
    DuplicatePriority Error "duplicate-priority",
    /// More rules in a group than allowed.
    TooManyRules Error "too-many-rules",
    /// A phase that does not exist, in JSON.
    UnknownPhase Error "unknown-phase",
    /// Positions of rules that are not 0, 1, 2, and so on, in JSON.
    BadPosition Error "bad-position",
    /// An action that does not exist.
    UnknownAction Error "unknown-action",
    /// A condition key that does not exist.
    UnknownConditionKey Error "unknown-condition-key",
    /// A condition key that is not known in the phase.
    KeyNotInPhase Error "key-not-in-phase",
    /// An operator that does not exist.
    UnknownOperator Error "unknown-operator",
    /// An operator that does not fit the type of the key.
    OperatorDoesNotFit Error "operator-does-not-fit",
    /// A list that `[lists]` does not name.
    UnknownList Error "unknown-list",
    /// Lists are used in so many conditions that they would fill the memory.
    TooManyListValues Error "too-many-list-values",
    /// A value longer than values may be.
    ValueTooLong Error "value-too-long",
    /// A value that is no domain name.
    BadDomain Error "bad-domain",
    /// A wildcard pattern that no value can match.
    BadPattern Error "bad-pattern",
    /// A value that is no path.
    BadUri Error "bad-uri",
    /// A host, a host with a port, or a URL that is none.
    BadUrl Error "bad-url",
    /// A value that is no HTTP method.
    BadMethod Error "bad-method",
    /// A value that is no JA4 fingerprint.
    BadJa4 Error "bad-ja4",
    /// A value that is no SHA-256 fingerprint.
    BadFingerprint Error "bad-fingerprint",
    /// A protocol or TLS version that does not exist.
    UnknownWord Error "unknown-word",
    /// A regular expression that does not parse or is too large.
    BadRegex Error "bad-regex",
    /// A value that is no address or network.
    BadNetwork Error "bad-network",
    /// A value that is no number of the key.
    BadNumber Error "bad-number",
    /// A value that is no range of numbers.
    BadRange Error "bad-range",
    /// A value that is no date.
    BadDate Error "bad-date",
    /// A value that is no weekly schedule.
    BadSchedule Error "bad-schedule",
    /// A time zone that does not exist.
    UnknownTimeZone Error "unknown-time-zone",
    /// `Null` with something else than yes or no.
    BadNull Error "bad-null",
    /// The ruleset does not fit into a bundle.
    BundleLimit Error "bundle-limit",
    /// A request can cost more than `--max-steps` allows.
    OverBudget Error "over-budget",
    /// A rule that is never reached.
    UnreachableRule Warning "unreachable-rule",
    /// A rule with the conditions of an earlier one.
    DuplicateRule Warning "duplicate-rule",
    /// A value that another one of the condition covers or repeats.
    CoveredValue Warning "covered-value",
    /// A pattern that matches every value.
    MatchesEverything Warning "matches-everything",
    /// A pattern such as `*example.com`, which also matches `notexample.com`.
    LooseSuffix Warning "loose-suffix",
    /// A deny rule that also denies where a field is absent.
    DeniesAbsent Warning "denies-absent",
    /// A pattern for a path that lets requests pass, and that a query can meet.
    QueryCanMatch Warning "query-can-match",
    /// A method that no request has: in another case than the known one, or CONNECT.
    OddMethod Warning "odd-method",
    /// A request that is made to be costly takes long.
    CostlyPatterns Warning "costly-patterns",
    /// A list without an entry.
    EmptyList Warning "empty-list",
    /// A key that is not seen inside TLS that is passed through.
    UnseenInTunnel Warning "unseen-in-tunnel",
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_words() {
        let names: BTreeSet<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for name in names {
            assert!(
                name.bytes()
                    .all(|b| b.is_ascii_lowercase() || b"-34".contains(&b)),
                "{name}"
            );
        }
    }
}
