//! What each format that is imported takes on the command line.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::import::report::Report;
use crate::import::{DefaultAction, hosts, suricata};

/// What all imports take.
#[derive(Clone, Debug, Args)]
pub struct ImportArgs {
    /// The file to import
    pub(super) source: PathBuf,
    /// The folder for the ruleset and the report; it must not exist, or be empty
    #[arg(short, long, value_name = "DIR")]
    pub(super) out: PathBuf,
    /// Replace an earlier import in that folder
    #[arg(long)]
    pub(super) force: bool,
    /// Exit with status 1 if anything was left, or just if the ruleset allows more than the source
    #[arg(long, value_enum, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_missing_value = "left")]
    pub(super) strict: Option<Strict>,
    /// The report for programs
    #[arg(long)]
    pub(super) json: bool,
}

/// What `--strict` does not put up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Strict {
    /// Anything that was left
    Left,
    /// A line because of which the ruleset allows what the source refused
    AllowsMore,
}

impl Strict {
    pub(super) fn is_satisfied(self, report: &Report) -> bool {
        match self {
            Self::Left => report.count("left") == 0,
            Self::AllowsMore => report.allows_more_count() == 0,
        }
    }
}

/// A proxy configuration or a rule group to import.
#[derive(Debug, Args)]
pub struct AwsArgs {
    #[command(flatten)]
    pub(super) common: ImportArgs,
    /// StringEquals ".example.com" over a domain means the names under example.com
    #[arg(long)]
    pub(super) aws_suffix_equals: bool,
    /// What a rule group alone does not say: what happens where no rule of it decides [default: deny]
    #[arg(long, value_enum)]
    pub(super) default: Option<DefaultAction>,
}

impl AwsArgs {
    /// Of a file that was recognized.
    pub(super) const fn recognized(common: ImportArgs) -> Self {
        Self {
            common,
            aws_suffix_equals: false,
            default: None,
        }
    }
}

/// A Squid configuration to import.
#[derive(Debug, Args)]
pub struct SquidArgs {
    #[command(flatten)]
    pub(super) common: ImportArgs,
    /// The time zone of the machine that Squid ran on [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub(super) zone: Option<String>,
    /// Requests inside decrypted tunnels are judged too, as with `ssl_bump`
    #[arg(long)]
    pub(super) decrypt: bool,
    /// The file of the authority that signs for names that are intercepted, for sallyport.toml
    #[arg(long, value_name = "PEM")]
    pub(super) ca: Option<String>,
    /// Where absolute paths in the configuration are looked for
    #[arg(long, value_name = "DIR")]
    pub(super) root: Option<PathBuf>,
}

impl SquidArgs {
    /// Of a file that was recognized.
    pub(super) const fn recognized(common: ImportArgs, root: Option<PathBuf>) -> Self {
        Self {
            common,
            zone: None,
            decrypt: false,
            ca: None,
            root,
        }
    }
}

/// Suricata rules to import.
#[derive(Debug, Args)]
pub struct SuricataArgs {
    #[command(flatten)]
    pub(super) common: ImportArgs,
    /// Which rule is asked first [default: as the rule group says, else action]
    #[arg(long, value_enum)]
    pub(super) order: Option<suricata::Order>,
    /// What happens where no rule decides [default: allow by action, deny in strict order]
    #[arg(long, value_enum)]
    pub(super) default: Option<suricata::Default>,
    /// A variable of the rules, without its `$`; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub(super) var: Vec<(String, String)>,
    /// The firewall decrypts TLS: http rules are about requests inside it too
    #[arg(long)]
    pub(super) tls_inspection: bool,
}

impl SuricataArgs {
    /// Of a file that was recognized.
    pub(super) const fn recognized(common: ImportArgs) -> Self {
        Self {
            common,
            order: None,
            default: None,
            var: Vec::new(),
            tls_inspection: false,
        }
    }
}

/// A text is no assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected NAME=VALUE")]
struct NoAssignment;

fn variable(text: &str) -> Result<(String, String), NoAssignment> {
    let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = parts.ok_or(NoAssignment)?;
    let name = name.trim_start_matches('$').to_owned();
    // A list may be given without its brackets.
    let is_list = value.contains(',') && !value.starts_with(['[', '!']);
    let value = if is_list {
        format!("[{value}]")
    } else {
        value.to_owned()
    };
    Ok((name, value))
}

/// A list of names to import.
#[derive(Debug, Args)]
pub struct HostsArgs {
    #[command(flatten)]
    pub(super) common: ImportArgs,
    /// How the list is written [default: told from its lines]
    #[arg(long, value_enum)]
    pub(super) format: Option<hosts::Format>,
    /// What becomes of the names
    #[arg(long, value_enum, default_value = "deny")]
    pub(super) action: hosts::Action,
    /// Of a plain list: names under those on it are not meant
    #[arg(long)]
    pub(super) exact: bool,
}

impl HostsArgs {
    /// Of a file that was recognized.
    pub(super) const fn recognized(common: ImportArgs, action: hosts::Action) -> Self {
        Self {
            common,
            format: None,
            action,
            exact: false,
        }
    }
}

/// A file of any kind to import.
#[derive(Debug, Args)]
pub struct AutoArgs {
    #[command(flatten)]
    pub(super) common: ImportArgs,
    /// Of a list that does not say it: what becomes of what is on it
    #[arg(long, value_enum)]
    pub(super) action: Option<DefaultAction>,
    /// Where absolute paths in the file are looked for
    #[arg(long, value_name = "DIR")]
    pub(super) root: Option<PathBuf>,
}
