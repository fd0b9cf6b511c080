//! What a file looks like, told from its lines: for `import auto`, and for the message when a file was
//! given to an importer that has no use for it.

use std::net::IpAddr;

/// Lines that are looked at.
const LOOKED_AT_MAX: usize = 2_000;

/// What importers read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Squid's configuration.
    Squid,
    /// Rules in Suricata's language.
    Suricata,
    /// The JSON of the AWS Network Firewall Proxy.
    Aws,
    /// A domain list of AWS Network Firewall.
    AwsDomainList,
    /// A hosts file, or the filters of an ad blocker: both deny.
    Hosts,
    /// Names, one a line.
    Names,
    /// Addresses, one a line.
    Addresses,
    /// `host:port`, one a line, or the inputs of harden-runner.
    Endpoints,
    /// `iptables` and `ipset` in a script.
    FirewallScript,
    /// Network policies of Cilium.
    Cilium,
    /// Service entries of Istio.
    Istio,
    /// Tinyproxy's configuration.
    Tinyproxy,
    /// An access list of Smokescreen.
    Smokescreen,
    /// SquidGuard's configuration.
    Squidguard,
    /// A URL list of Google's Secure Web Proxy.
    GoogleSwp,
    /// Rule collections of Azure Firewall.
    AzureFirewall,
    /// Envoy's RBAC filter.
    EnvoyRbac,
}

/// What a file looks like, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Likeness {
    /// In words, with the command that imports it.
    pub what: &'static str,
    /// Which importer reads it; `None`: none does.
    pub kind: Option<Kind>,
    /// The line that shows it, from one.
    pub line: usize,
    /// What stands there.
    pub text: String,
}

/// All that a file looks like. What no importer reads comes first.
#[must_use]
pub fn likenesses(text: &str) -> Vec<Likeness> {
    let text = text.trim_start_matches('\u{feff}');
    let found = SIGNS.iter().filter_map(|sign| {
        let (line, shown) = (sign.shown_by)(text)?;
        Some(Likeness {
            what: sign.what,
            kind: sign.kind,
            line,
            text: shown.chars().take(80).collect(),
        })
    });
    found.collect()
}

/// What shows that a file is of some kind.
struct Sign {
    what: &'static str,
    kind: Option<Kind>,
    shown_by: fn(&str) -> Option<(usize, String)>,
}

const fn sign(
    what: &'static str,
    kind: Option<Kind>,
    shown_by: fn(&str) -> Option<(usize, String)>,
) -> Sign {
    Sign {
        what,
        kind,
        shown_by,
    }
}

const SIGNS: [Sign; 24] = [
    sign("a compressed or binary file", None, binary),
    sign("a page in HTML", None, html),
    sign("a CloudFormation template", None, |text| {
        first_line(text, |line| {
            let line = line.trim_matches(['"', ',', ' ']);
            line.starts_with("AWSTemplateFormatVersion")
                || line.starts_with("Type: AWS::")
                || line.starts_with("Type\": \"AWS::")
        })
    }),
    sign("Terraform", None, |text| first_line(text, is_terraform)),
    sign(
        "a Squid configuration (`import squid`)",
        Some(Kind::Squid),
        |text| first_line(text, is_squid),
    ),
    sign(
        "rules in Suricata's language (`import suricata`)",
        Some(Kind::Suricata),
        |text| {
            first_line(text, |line| {
                is_suricata_rule(line)
                    || line.contains("RulesString")
                    || line.contains("rules_string")
                    || line.starts_with("Type: AWS::NetworkFirewall::RuleGroup")
                    || line.contains("\"aws_networkfirewall_rule_group\"")
            })
        },
    ),
    sign(
        "a proxy configuration or rule group of the AWS Network Firewall Proxy (`import aws`)",
        Some(Kind::Aws),
        |text| {
            let words = [
                "\"DefaultRulePhaseActions\"",
                "\"PreDNS\"",
                "\"PreREQUEST\"",
                "\"PostRESPONSE\"",
            ];
            if text.contains("RulesSourceList") || text.contains("RulesString") {
                return None;
            }
            first_line(text, |line| words.iter().any(|word| line.contains(word)))
        },
    ),
    sign(
        "a domain list of AWS Network Firewall (`import aws-domain-list`)",
        Some(Kind::AwsDomainList),
        |text| {
            first_line(text, |line| {
                line.contains("\"RulesSourceList\"") || line.contains("\"TargetTypes\"")
            })
        },
    ),
    sign(
        "policies of Cilium (`import cilium`)",
        Some(Kind::Cilium),
        |text| {
            first_member(text, "kind", |value| {
                value.starts_with("Cilium") && value.ends_with("NetworkPolicy")
            })
        },
    ),
    sign(
        "resources of Istio (`import istio`)",
        Some(Kind::Istio),
        |text| first_member(text, "apiVersion", |value| value.contains(".istio.io/")),
    ),
    sign(
        "an access list of Smokescreen (`import smokescreen`)",
        Some(Kind::Smokescreen),
        |text| {
            let has_action = first_member(text, "action", |value| {
                ["open", "report", "enforce"].contains(&value)
            });
            let is_list = text.contains("services") || text.contains("allowed_domains");
            has_action.filter(|_| is_list)
        },
    ),
    sign(
        "rule collections of Azure Firewall (`import azure-firewall`)",
        Some(Kind::AzureFirewall),
        |text| {
            let words = [
                "applicationrulecollections",
                "networkrulecollections",
                "rulecollections",
            ];
            first_line(text, |line| {
                let line = line.to_ascii_lowercase();
                words
                    .iter()
                    .any(|word| line.contains(&format!("\"{word}\"")))
            })
        },
    ),
    sign(
        "a filter of Envoy (`import envoy-rbac`)",
        Some(Kind::EnvoyRbac),
        |text| {
            let has_policies = text.contains("permissions") && text.contains("principals");
            first_line(text, |line| {
                line.trim_start_matches(['"', '-', ' '])
                    .starts_with("policies")
            })
            .filter(|_| has_policies)
        },
    ),
    sign(
        "a URL list of Secure Web Proxy (`import google-swp`)",
        Some(Kind::GoogleSwp),
        |text| first_member(text, "name", |value| value.contains("/urlLists/")),
    ),
    sign(
        "a workflow with harden-runner (`import endpoints`)",
        Some(Kind::Endpoints),
        |text| first_line(text, |line| line.starts_with("allowed-endpoints:")),
    ),
    sign(
        "SquidGuard's configuration (`import squidguard`)",
        Some(Kind::Squidguard),
        |text| {
            first_line(text, |line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                matches!(
                    words.as_slice(),
                    ["dbhome", _] | ["dest" | "destination" | "src" | "source", _, "{", ..]
                )
            })
        },
    ),
    sign(
        "Tinyproxy's configuration (`import tinyproxy`)",
        Some(Kind::Tinyproxy),
        |text| first_line(text, is_tinyproxy),
    ),
    sign(
        "a firewall script (`import firewall-script`)",
        Some(Kind::FirewallScript),
        |text| {
            first_line(text, |line| {
                let line = line.strip_prefix("sudo ").unwrap_or(line);
                let first = line.split_whitespace().next().unwrap_or("");
                let program = first.rsplit('/').next().unwrap_or(first);
                ["iptables", "ip6tables", "ipset"].contains(&program) && line.contains(" -")
            })
        },
    ),
    sign("a hosts file (`import hosts`)", Some(Kind::Hosts), |text| {
        first_line(text, |line| {
            let mut words = line.split_whitespace();
            let address = words.next().unwrap_or("").parse::<IpAddr>();
            address.is_ok()
                && words
                    .next()
                    .is_some_and(|name| !name.starts_with(['#', ';']))
        })
    }),
    sign(
        "a filter list of an ad blocker (`import hosts`)",
        Some(Kind::Hosts),
        |text| {
            first_line(text, |line| {
                line.starts_with("||") || line.starts_with("@@||")
            })
        },
    ),
    sign(
        "a list of addresses (`import addresses --action …`)",
        Some(Kind::Addresses),
        |text| {
            most_lines(text, |line| {
                let mut words = line.split(';').next().unwrap_or("").split_whitespace();
                let first = words.next().unwrap_or("");
                let is_saved = ["create", "add"].contains(&first);
                is_saved || (is_network(first) && words.next().is_none())
            })
        },
    ),
    sign(
        "a list of endpoints (`import endpoints`)",
        Some(Kind::Endpoints),
        |text| {
            most_lines(text, |line| {
                let (host, port) = line.rsplit_once(':').unwrap_or(("", ""));
                is_name(host.trim_start_matches("*.")) && port.parse::<u16>().is_ok()
            })
        },
    ),
    sign(
        "a list of names (`import hosts --action …`)",
        Some(Kind::Names),
        |text| {
            most_lines(text, |line| {
                is_name(line.trim_start_matches("*.").trim_start_matches('.'))
            })
        },
    ),
    sign(
        "YAML or JSON of no kind that is known here",
        None,
        structured,
    ),
];

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().take(LOOKED_AT_MAX).zip(1..);
    lines.map(|(line, number)| (number, line.trim()))
}

fn first_line(text: &str, holds: impl Fn(&str) -> bool) -> Option<(usize, String)> {
    let found = lines(text).find(|(_, line)| holds(line));
    found.map(|(number, line)| (number, line.to_owned()))
}

/// The first line that fits, if at least two of three lines that are no comments do.
fn most_lines(text: &str, fits: impl Fn(&str) -> bool) -> Option<(usize, String)> {
    let content = lines(text)
        .map(|(number, line)| (number, line.split('#').next().unwrap_or("").trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with(';'));
    let (mut first, mut all_count, mut fitting_count) = (None, 0_usize, 0_usize);
    for (number, line) in content {
        all_count += 1;
        if fits(line) {
            fitting_count += 1;
            first = first.or_else(|| Some((number, line.to_owned())));
        }
    }
    first.filter(|_| fitting_count * 3 >= all_count * 2)
}

/// A member of YAML or JSON that stands on a line of its own.
fn first_member(text: &str, name: &str, fits: impl Fn(&str) -> bool) -> Option<(usize, String)> {
    first_line(text, |line| {
        let (key, value) = line.split_once(':').unwrap_or(("", ""));
        let key = key.trim_start_matches("- ").trim().trim_matches('"');
        key == name && fits(value.trim().trim_end_matches(',').trim_matches(['"', '\'']))
    })
}

fn is_network(text: &str) -> bool {
    let (address, rest) = text.split_once(['/', '-']).unwrap_or((text, ""));
    address.parse::<IpAddr>().is_ok()
        && (rest.is_empty() || rest.parse::<u8>().is_ok() || rest.parse::<IpAddr>().is_ok())
}

fn is_name(text: &str) -> bool {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.contains('.') && text.chars().all(is_fit) && text.chars().any(|c| c.is_ascii_alphabetic())
}

/// Bytes that no text has.
fn binary(text: &str) -> Option<(usize, String)> {
    let start: Vec<char> = text.chars().take(1_024).collect();
    let strange = start
        .iter()
        .filter(|c| **c == '\0' || **c == '\u{fffd}')
        .count();
    (strange * 20 > start.len()).then(|| (1, "bytes that no text has".to_owned()))
}

fn html(text: &str) -> Option<(usize, String)> {
    let start: String = text.trim_start().chars().take(16).collect();
    let lower = start.to_ascii_lowercase();
    (lower.starts_with("<!doctype html") || lower.starts_with("<html")).then_some((1, start))
}

fn is_terraform(line: &str) -> bool {
    let mut words = line.split_whitespace();
    matches!(
        words.next(),
        Some("resource" | "variable" | "module" | "data")
    ) && words.next().is_some_and(|word| word.starts_with('"'))
        && line.ends_with('{')
}

fn is_squid(line: &str) -> bool {
    let mut words = line.split_whitespace();
    match words.next() {
        Some("http_access" | "http_reply_access") => matches!(words.next(), Some("allow" | "deny")),
        Some("acl") => words.count() >= 2 && !line.contains('{'),
        _ => false,
    }
}

fn is_tinyproxy(line: &str) -> bool {
    const WORDS: [&str; 11] = [
        "filterdefaultdeny",
        "filterurls",
        "filterextended",
        "filtertype",
        "filtercasesensitive",
        "connectport",
        "maxclients",
        "startservers",
        "minspareservers",
        "disableviaheader",
        "viaproxyname",
    ];
    let word = line
        .split_whitespace()
        .next()
        .unwrap_or("")
        .to_ascii_lowercase();
    WORDS.contains(&word.as_str())
}

/// `action protocol source port -> destination port (options)`
fn is_suricata_rule(line: &str) -> bool {
    let action = line.split_whitespace().next().unwrap_or("");
    let actions = [
        "pass",
        "drop",
        "alert",
        "reject",
        "rejectsrc",
        "rejectdst",
        "rejectboth",
    ];
    actions.contains(&action) && (line.contains("->") || line.contains("<>")) && line.contains('(')
}

/// Names with colons at the start of lines, or a brace.
fn structured(text: &str) -> Option<(usize, String)> {
    let start = text.trim_start();
    if start.starts_with('{') && start.contains("\":") {
        return first_line(text, |line| !line.is_empty());
    }
    let is_top = |line: &str| {
        let (name, rest) = line.split_once(':').unwrap_or(("", "x"));
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        !name.is_empty() && name.chars().all(is_name) && (rest.is_empty() || rest.starts_with(' '))
    };
    let count = text
        .lines()
        .take(LOOKED_AT_MAX)
        .filter(|line| is_top(line))
        .count();
    if count < 2 {
        None
    } else {
        first_line(text, is_top)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> Option<&'static str> {
        likenesses(text).first().map(|found| found.what)
    }

    #[test]
    fn kinds_are_told_from_lines() {
        for (text, expected) in [
            ("\u{1f}\u{fffd}\u{8}\0\0\0", "a compressed or binary file"),
            ("<!DOCTYPE html>\n<html>", "a page in HTML"),
            (
                "Resources:\n  A:\n    Type: AWS::EC2::VPC\n",
                "a CloudFormation template",
            ),
            ("resource \"aws_vpc\" \"x\" {\n}\n", "Terraform"),
            (
                "# c\nacl all src 0/0\nhttp_access deny all\n",
                "a Squid configuration (`import squid`)",
            ),
            (
                "pass tls any any -> any any (sid:1;)\n",
                "rules in Suricata's language (`import suricata`)",
            ),
            ("0.0.0.0 ads.test\n", "a hosts file (`import hosts`)"),
            (
                "! x\n||ads.test^\n",
                "a filter list of an ad blocker (`import hosts`)",
            ),
            (
                "a: 1\nb:\n  - c\n",
                "YAML or JSON of no kind that is known here",
            ),
            ("{\"a\": 1}", "YAML or JSON of no kind that is known here"),
        ] {
            assert_eq!(first(text), Some(expected), "{text}");
        }
        assert_eq!(first("hello world\n"), None);
    }

    #[test]
    fn lists_are_told_apart() {
        let kinds = |text: &str| -> Vec<Option<Kind>> {
            likenesses(text)
                .into_iter()
                .map(|found| found.kind)
                .collect()
        };
        assert_eq!(
            kinds("# x\n192.0.2.0/24 ; why\n2001:db8::/32\n"),
            [Some(Kind::Addresses)]
        );
        assert_eq!(kinds("a.test:443\n*.b.test:80\n"), [Some(Kind::Endpoints)]);
        assert_eq!(kinds("a.test\n.b.test\n"), [Some(Kind::Names)]);
        assert_eq!(kinds("a.test\nsome words\n"), []);
    }
}
