//! What a file looks like, told from its first lines: for `import auto`, and for the message when a
//! file was given to an importer that has no use for it.

/// Lines that are looked at.
const LOOKED_AT_MAX: usize = 2_000;

/// What a file looks like, as "a Squid configuration"; several if it has signs of several.
#[must_use]
pub fn looks_like(text: &str) -> Vec<&'static str> {
    let text = text.trim_start_matches('\u{feff}');
    let signs = SIGNS.iter().filter(|sign| (sign.holds)(text));
    signs.map(|sign| sign.what).collect()
}

/// What shows that a file is of some kind.
struct Sign {
    what: &'static str,
    holds: fn(&str) -> bool,
}

const SIGNS: [Sign; 12] = [
    Sign {
        what: "a compressed or binary file",
        holds: is_binary,
    },
    Sign {
        what: "a page in HTML",
        holds: |text| {
            let start: String = text.trim_start().chars().take(16).collect();
            let start = start.to_ascii_lowercase();
            start.starts_with("<!doctype html") || start.starts_with("<html")
        },
    },
    Sign {
        what: "a CloudFormation template",
        holds: |text| {
            text.contains("AWSTemplateFormatVersion")
                || any_line(text, |line| {
                    let line = line.trim_matches(['"', ',', ' ']);
                    line.starts_with("Type: AWS::") || line.starts_with("Type\": \"AWS::")
                })
        },
    },
    Sign {
        what: "Terraform",
        holds: |text| {
            any_line(text, |line| {
                let mut words = line.split_whitespace();
                matches!(
                    words.next(),
                    Some("resource" | "variable" | "module" | "data")
                ) && words.next().is_some_and(|word| word.starts_with('"'))
                    && line.trim_end().ends_with('{')
            })
        },
    },
    Sign {
        what: "a Squid configuration (`import squid`)",
        holds: |text| {
            any_line(text, |line| {
                let mut words = line.split_whitespace();
                match words.next() {
                    Some("http_access" | "http_reply_access") => {
                        matches!(words.next(), Some("allow" | "deny"))
                    }
                    Some("acl") => words.count() >= 2,
                    _ => false,
                }
            })
        },
    },
    Sign {
        what: "rules in Suricata's language (`import suricata`)",
        holds: |text| any_line(text, is_suricata_rule) || text.contains("\"RulesString\""),
    },
    Sign {
        what: "a proxy configuration or rule group of the AWS Network Firewall Proxy (`import aws`)",
        holds: |text| {
            let is_json = text.trim_start().starts_with('{');
            let words = [
                "\"DefaultRulePhaseActions\"",
                "\"PreDNS\"",
                "\"PreREQUEST\"",
            ];
            is_json && words.iter().any(|word| text.contains(word))
        },
    },
    Sign {
        what: "a domain list of AWS Network Firewall (`import aws-domain-list`)",
        holds: |text| text.contains("\"RulesSourceList\"") || text.contains("\"TargetTypes\""),
    },
    Sign {
        what: "a hosts file (`import hosts`)",
        holds: |text| {
            any_line(text, |line| {
                let mut words = line.split_whitespace();
                let address = words.next().unwrap_or("").parse::<std::net::IpAddr>();
                address.is_ok() && words.next().is_some_and(|name| !name.starts_with('#'))
            })
        },
    },
    Sign {
        what: "a filter list of an ad blocker (`import hosts`)",
        holds: |text| {
            any_line(text, |line| {
                line.starts_with("||") || line.starts_with("@@||")
            })
        },
    },
    Sign {
        what: "YAML",
        holds: |text| {
            let top = |line: &str| {
                let (name, rest) = line.split_once(':').unwrap_or(("", "x"));
                let is_name = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
                !name.is_empty()
                    && name.chars().all(is_name)
                    && (rest.is_empty() || rest.starts_with(' '))
            };
            text.lines()
                .take(LOOKED_AT_MAX)
                .filter(|line| top(line))
                .count()
                >= 2
        },
    },
    Sign {
        what: "JSON",
        holds: |text| {
            let text = text.trim_start();
            text.starts_with('{') && text.contains("\":")
        },
    },
];

fn any_line(text: &str, holds: impl Fn(&str) -> bool) -> bool {
    text.lines().take(LOOKED_AT_MAX).map(str::trim).any(holds)
}

/// Bytes that no text has.
fn is_binary(text: &str) -> bool {
    let start: Vec<char> = text.chars().take(1_024).collect();
    let strange = start
        .iter()
        .filter(|c| **c == '\0' || **c == '\u{fffd}')
        .count();
    strange * 20 > start.len()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_from_lines() {
        for (text, expected) in [
            ("\u{1f}\u{fffd}\u{8}\0\0\0", "a compressed or binary file"),
            ("<!DOCTYPE html>\n<html>", "a page in HTML"),
            (
                "AWSTemplateFormatVersion: '2010-09-09'\nResources:\n  A:\n    Type: AWS::NetworkFirewall::RuleGroup\n",
                "a CloudFormation template",
            ),
            (
                "resource \"aws_networkfirewall_rule_group\" \"x\" {\n}\n",
                "Terraform",
            ),
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
            ("a: 1\nb:\n  - c\n", "YAML"),
            ("{\"a\": 1}", "JSON"),
        ] {
            assert_eq!(looks_like(text).first(), Some(&expected), "{text}");
        }
        assert!(looks_like("example.com\n").is_empty());
    }
}
