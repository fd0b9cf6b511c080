//! `import auto`: what a file is, and which importer takes it with which options.

use super::args::{AutoArgs, AwsArgs, HostsArgs, SquidArgs, SuricataArgs};
use super::format::Format;
use super::lists::{ListFormat, NoAction, Recognized};
use crate::import::recognize::{Kind, Likeness, likenesses};
use crate::import::{DefaultAction, hosts};
use crate::terminal::CliError;

/// The importer for a file, and what was taken for what, in words.
///
/// # Errors
/// When no importer reads the file, or several might.
pub(super) fn recognized(args: &AutoArgs, text: &str) -> Result<(Format, String), CliError> {
    let all = likenesses(text);
    let mut found: Vec<&Likeness> = all.iter().filter(|one| one.kind.is_some()).collect();
    found.dedup_by_key(|one| one.kind);
    let name = args.common.source.display();
    match found.as_slice() {
        [] => {
            let looks = all.first().map_or_else(
                || "it looks like nothing that is known here".to_owned(),
                |one| format!("it looks like {}", shown(one)),
            );
            let why =
                format!("no importer reads `{name}`: {looks}; `import --help` lists the formats");
            Err(CliError::Usage(why))
        }
        [only] => {
            let told = format!("taken for {}", shown(only));
            let kind = only.kind.unwrap_or(Kind::Names);
            let format = format(kind, args)
                .map_err(|why| CliError::Usage(format!("`{name}` is {}: {why}", only.what)))?;
            Ok((format, told))
        }
        several => {
            let several: Vec<String> = several.iter().map(|one| shown(one)).collect();
            let why = format!("`{name}` may be {}: say which", several.join(", or "));
            Err(CliError::Usage(why))
        }
    }
}

fn shown(likeness: &Likeness) -> String {
    let Likeness {
        what, line, text, ..
    } = likeness;
    format!("{what}, by line {line}: `{text}`")
}

fn format(kind: Kind, args: &AutoArgs) -> Result<Format, NoAction> {
    let common = args.common.clone();
    let recognized = Recognized {
        common: args.common.clone(),
        action: args.action,
        root: args.root.clone(),
    };
    Ok(match kind {
        Kind::Squid => Format::Squid(SquidArgs::recognized(common, args.root.clone())),
        Kind::Suricata => Format::Suricata(SuricataArgs::recognized(common)),
        Kind::Aws => Format::Aws(AwsArgs::recognized(common)),
        Kind::AwsDomainList => Format::AwsDomainList(common),
        Kind::Hosts => Format::Hosts(HostsArgs::recognized(common, hosts::Action::Deny)),
        Kind::Names => {
            let action = match args.action {
                Some(DefaultAction::Allow) => hosts::Action::Allow,
                Some(DefaultAction::Deny) => hosts::Action::Deny,
                None => {
                    return recognized
                        .list()
                        .map(|list| Format::Lists(ListFormat::Addresses(list)));
                }
            };
            Format::Hosts(HostsArgs::recognized(common, action))
        }
        Kind::Addresses => Format::Lists(ListFormat::Addresses(recognized.list()?)),
        Kind::GoogleSwp => Format::Lists(ListFormat::GoogleSwp(recognized.list()?)),
        Kind::Endpoints => Format::Lists(ListFormat::Endpoints(recognized.endpoints())),
        Kind::FirewallScript => Format::Lists(recognized.firewall_script()),
        Kind::Squidguard => Format::Lists(recognized.squidguard()),
        Kind::Tinyproxy => Format::Lists(recognized.tinyproxy()),
        Kind::Cilium => Format::Lists(ListFormat::Cilium(common)),
        Kind::Istio => Format::Lists(ListFormat::Istio(common)),
        Kind::Smokescreen => Format::Lists(ListFormat::Smokescreen(common)),
        Kind::AzureFirewall => Format::Lists(ListFormat::AzureFirewall(common)),
        Kind::EnvoyRbac => Format::Lists(ListFormat::EnvoyRbac(common)),
    })
}
