//! Formats that are lists and policies of other products: what each takes on the command line.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::args::ImportArgs;
use crate::import::endpoints::{self, EndpointsOptions};
use crate::import::input::InputFiles;
use crate::import::tinyproxy::{self, TinyproxyOptions};
use crate::import::{
    DefaultAction, Import, ImportError, addresses, azure, cilium, envoy_rbac, firewall_script,
    google_swp, istio, smokescreen, squidguard,
};

/// Where rules come from.
#[derive(Debug, Subcommand)]
pub enum ListFormat {
    /// Addresses and networks, one a line, and what `ipset save` prints
    Addresses(ListArgs),
    /// `host:port`, one a line, or the allowed-endpoints of a workflow with harden-runner
    Endpoints(EndpointsArgs),
    /// A script with iptables and ipset, as development containers have: `init-firewall.sh`
    FirewallScript(RootedArgs),
    /// Network policies of Cilium: toFQDNs, toCIDR, toCIDRSet, toEntities
    Cilium(ImportArgs),
    /// Service entries of Istio
    Istio(ImportArgs),
    /// Tinyproxy's configuration with its filter, or a filter alone
    Tinyproxy(TinyproxyArgs),
    /// An access list of Smokescreen: roles, and the hosts that they may ask for
    Smokescreen(ImportArgs),
    /// SquidGuard's configuration with its lists
    Squidguard(RootedArgs),
    /// URL lists of Google's Secure Web Proxy
    GoogleSwp(ListArgs),
    /// Rule collections of Azure Firewall, classic or of a policy, as JSON
    AzureFirewall(ImportArgs),
    /// Envoy's RBAC filter, as YAML or JSON
    EnvoyRbac(ImportArgs),
}

/// A list that does not say what becomes of what is on it.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    common: ImportArgs,
    /// What becomes of what is on the list; everything else gets the contrary
    #[arg(long, value_enum)]
    action: DefaultAction,
}

/// Endpoints to import.
#[derive(Debug, Args)]
pub struct EndpointsArgs {
    #[command(flatten)]
    common: ImportArgs,
    /// What becomes of what is on the list; everything else gets the contrary
    #[arg(long, value_enum, default_value = "allow")]
    action: DefaultAction,
    /// The job whose list is meant, where jobs have different ones
    #[arg(long, value_name = "JOB")]
    job: Option<String>,
}

/// A source that names files by absolute paths.
#[derive(Debug, Args)]
pub struct RootedArgs {
    #[command(flatten)]
    common: ImportArgs,
    /// Where absolute paths in it are looked for
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

/// A configuration of Tinyproxy, or a filter, to import.
#[derive(Debug, Args)]
pub struct TinyproxyArgs {
    #[command(flatten)]
    rooted: RootedArgs,
    /// Of a filter alone: what becomes of what it names
    #[arg(long, value_enum)]
    action: Option<DefaultAction>,
}

/// What a file that was recognized is imported with.
#[derive(Clone, Debug)]
pub(super) struct Recognized {
    pub(super) common: ImportArgs,
    pub(super) action: Option<DefaultAction>,
    pub(super) root: Option<PathBuf>,
}

impl ListFormat {
    /// What is written behind `import`.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Addresses(_) => "addresses",
            Self::Endpoints(_) => "endpoints",
            Self::FirewallScript(_) => "firewall-script",
            Self::Cilium(_) => "cilium",
            Self::Istio(_) => "istio",
            Self::Tinyproxy(_) => "tinyproxy",
            Self::Smokescreen(_) => "smokescreen",
            Self::Squidguard(_) => "squidguard",
            Self::GoogleSwp(_) => "google-swp",
            Self::AzureFirewall(_) => "azure-firewall",
            Self::EnvoyRbac(_) => "envoy-rbac",
        }
    }

    pub(super) const fn args(&self) -> &ImportArgs {
        match self {
            Self::Addresses(args) | Self::GoogleSwp(args) => &args.common,
            Self::Endpoints(args) => &args.common,
            Self::FirewallScript(args) | Self::Squidguard(args) => &args.common,
            Self::Tinyproxy(args) => &args.rooted.common,
            Self::Cilium(args)
            | Self::Istio(args)
            | Self::Smokescreen(args)
            | Self::AzureFirewall(args)
            | Self::EnvoyRbac(args) => args,
        }
    }

    /// Where absolute paths are looked for.
    pub(super) fn root(&self) -> Option<&Path> {
        match self {
            Self::FirewallScript(args) | Self::Squidguard(args) => args.root.as_deref(),
            Self::Tinyproxy(args) => args.rooted.root.as_deref(),
            _ => None,
        }
    }

    pub(super) fn import(&self, files: &dyn InputFiles, name: &str) -> Result<Import, ImportError> {
        match self {
            Self::Addresses(args) => addresses::import(files, name, args.action),
            Self::Endpoints(args) => {
                let options = EndpointsOptions {
                    action: args.action,
                    job: args.job.clone(),
                };
                endpoints::import(files, name, &options)
            }
            Self::FirewallScript(_) => firewall_script::import(files, name),
            Self::Cilium(_) => cilium::import(files, name),
            Self::Istio(_) => istio::import(files, name),
            Self::Tinyproxy(args) => {
                let action = args.action;
                tinyproxy::import(files, name, TinyproxyOptions { action })
            }
            Self::Smokescreen(_) => smokescreen::import(files, name),
            Self::Squidguard(_) => squidguard::import(files, name),
            Self::GoogleSwp(args) => google_swp::import(files, name, args.action),
            Self::AzureFirewall(_) => azure::import(files, name),
            Self::EnvoyRbac(_) => envoy_rbac::import(files, name),
        }
    }
}

/// A list that says nothing itself was given without an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the list does not say what becomes of what is on it: `--action allow` or `--action deny` does"
)]
pub(super) struct NoAction;

impl Recognized {
    fn rooted(self) -> RootedArgs {
        RootedArgs {
            common: self.common,
            root: self.root,
        }
    }

    /// As a list that says nothing itself.
    ///
    /// # Errors
    /// When there is no action.
    pub(super) fn list(self) -> Result<ListArgs, NoAction> {
        Ok(ListArgs {
            action: self.action.ok_or(NoAction)?,
            common: self.common,
        })
    }

    pub(super) fn endpoints(self) -> EndpointsArgs {
        EndpointsArgs {
            action: self.action.unwrap_or(DefaultAction::Allow),
            common: self.common,
            job: None,
        }
    }

    pub(super) fn tinyproxy(self) -> ListFormat {
        ListFormat::Tinyproxy(TinyproxyArgs {
            action: self.action,
            rooted: self.rooted(),
        })
    }

    pub(super) fn firewall_script(self) -> ListFormat {
        ListFormat::FirewallScript(self.rooted())
    }

    pub(super) fn squidguard(self) -> ListFormat {
        ListFormat::Squidguard(self.rooted())
    }
}
