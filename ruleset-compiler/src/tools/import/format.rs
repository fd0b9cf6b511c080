//! The formats that can be imported, each with what it takes.

use clap::Subcommand;

use super::args::{AutoArgs, AwsArgs, HostsArgs, ImportArgs, SquidArgs, SuricataArgs};
use super::lists::ListFormat;

/// Where rules come from.
#[derive(Debug, Subcommand)]
pub enum Format {
    /// The JSON of the AWS Network Firewall Proxy preview, to TOML
    Aws(AwsArgs),
    /// A Squid configuration: acl, http_access and http_reply_access lines
    Squid(SquidArgs),
    /// Rules in Suricata's language, as AWS Network Firewall takes them: a file, or a rule group's JSON
    Suricata(SuricataArgs),
    /// A domain list of AWS Network Firewall: the JSON of a rule group with a RulesSourceList
    AwsDomainList(ImportArgs),
    /// A hosts file, a list of domains, or a filter list of an ad blocker
    Hosts(HostsArgs),
    /// Lists and policies of other products.
    #[command(flatten)]
    Lists(ListFormat),
    /// A file of any of these kinds: it is recognized, and told what it was taken for
    Auto(AutoArgs),
}

impl Format {
    /// What is written behind `import`.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Aws(_) => "aws",
            Self::Squid(_) => "squid",
            Self::Suricata(_) => "suricata",
            Self::AwsDomainList(_) => "aws-domain-list",
            Self::Hosts(_) => "hosts",
            Self::Lists(format) => format.name(),
            Self::Auto(_) => "auto",
        }
    }

    pub(super) const fn args(&self) -> &ImportArgs {
        match self {
            Self::Aws(args) => &args.common,
            Self::Squid(args) => &args.common,
            Self::Suricata(args) => &args.common,
            Self::AwsDomainList(args) => args,
            Self::Hosts(args) => &args.common,
            Self::Lists(format) => format.args(),
            Self::Auto(args) => &args.common,
        }
    }
}
