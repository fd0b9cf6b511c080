//! What a file of rules does not say: in which order they are asked, and what happens where none decides.

use std::collections::BTreeMap;

use clap::ValueEnum;

/// Which rule is asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// As they stand
    Strict,
    /// All pass rules, then drop, reject and alert
    Action,
}

/// What happens where no rule decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Default {
    /// It passes
    Allow,
    /// It passes and is told
    Alert,
    /// It is refused
    Deny,
}

/// What a file of rules does not say.
#[derive(Clone, Debug, std::default::Default)]
pub struct SuricataOptions {
    /// `None`: what the rule group says, else by action.
    pub order: Option<Order>,
    /// `None`: what the policy says, else allow in order of actions, deny in strict order.
    pub default: Option<Default>,
    /// Variables without their `$`; they take the place of those in the file.
    pub variables: BTreeMap<String, String>,
    /// The firewall decrypted TLS: `http` rules are about requests in TLS too.
    pub tls_inspection: bool,
}
