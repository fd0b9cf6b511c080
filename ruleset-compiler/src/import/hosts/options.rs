//! What a list does not say itself, as a user says it.

use clap::ValueEnum;

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// An address and names on a line
    Hosts,
    /// A name on a line
    Plain,
    /// Filters of an ad blocker
    Adblock,
}

/// What becomes of the names on a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Action {
    /// They are denied, and everything else is allowed
    #[default]
    Deny,
    /// They are allowed, and everything else is denied
    Allow,
}

impl Action {
    /// The action of rules.
    pub(super) const fn ours(self) -> sallyport_ruleset::Action {
        match self {
            Self::Deny => sallyport_ruleset::Action::Deny,
            Self::Allow => sallyport_ruleset::Action::Allow,
        }
    }
}

/// What a list does not say.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostsOptions {
    /// `None`: it is told from the lines.
    pub format: Option<Format>,
    /// What becomes of the names.
    pub action: Action,
    /// Names under those on the list are not meant; a hosts file means that anyway.
    pub exact: bool,
}
