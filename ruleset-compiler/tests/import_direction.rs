//! An import that lost something says which way that errs, and none lets everything pass in silence.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its cases has failed"
)]

use std::fs;

use clap::Parser;
use sallyport_rules::cli::{Cli, Terminal};
use sallyport_rules::diagnostic::Colors;

/// Imports a file with this text: exit status, output and complaints, and the ruleset if there is one.
fn import(arguments: &str, file: &str, text: &str) -> (u8, String, String, Option<String>) {
    let folder = tempfile::tempdir().unwrap();
    let (source, out_folder) = (folder.path().join(file), folder.path().join("out"));
    fs::write(&source, text).unwrap();
    let mut words = vec!["sallyport-rules", "import"];
    words.extend(arguments.split_whitespace());
    words.extend([source.to_str().unwrap(), "-o", out_folder.to_str().unwrap()]);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = Cli::try_parse_from(words).unwrap().run(&mut Terminal {
        out: &mut out,
        err: &mut err,
        is_watched: false,
        colors: Colors::NONE,
    });
    let ruleset = fs::read_to_string(out_folder.join("ruleset.toml")).ok();
    let [out, err] = [out, err].map(|bytes| String::from_utf8(bytes).unwrap());
    (status, out, err, ruleset)
}

fn is_refused(arguments: &str, file: &str, text: &str, why: &str) {
    let (status, out, err, ruleset) = import(arguments, file, text);
    assert_eq!(
        (status, out.as_str(), ruleset),
        (2, "", None),
        "{arguments} {file}: {err}"
    );
    assert!(err.contains(why), "{arguments} {file}: {err}");
}

const CLOUD_FORMATION: &str = "AWSTemplateFormatVersion: '2010-09-09'
Resources:
  Gateway:
    Type: AWS::EC2::InternetGateway
    Properties:
      Tags: []
";

#[test]
fn a_file_of_the_wrong_kind_is_refused_and_told_what_it_is() {
    let template = "looks like a CloudFormation template";
    is_refused("squid", "template.yaml", CLOUD_FORMATION, template);
    is_refused("aws", "template.yaml", CLOUD_FORMATION, template);
    is_refused(
        "aws-domain-list",
        "template.yaml",
        CLOUD_FORMATION,
        template,
    );
    is_refused("suricata", "template.yaml", CLOUD_FORMATION, template);
    let squid = "acl bad dstdomain .bad.test\nhttp_access deny bad\n";
    is_refused("suricata", "squid.conf", squid, "`import squid`");
    is_refused("hosts", "squid.conf", squid, "`import squid`");
    let rules = "drop tls any any -> any any (tls.sni; content:\"bad.test\"; sid:1;)\n";
    is_refused("squid", "x.rules", rules, "`import suricata`");
    is_refused("hosts", "x.rules", rules, "`import suricata`");
    is_refused("suricata", "list.gz", "\u{1f}\0\0\0\0\0\0\0", "binary file");
    is_refused("hosts", "index.html", "<!doctype html>\n<p>x</p>\n", "HTML");
}

#[test]
fn an_empty_file_is_no_ruleset() {
    for format in ["squid", "suricata", "hosts", "aws", "aws-domain-list"] {
        for text in ["", "\n", "# nothing\n"] {
            let (status, _, err, ruleset) = import(format, "empty", text);
            assert_eq!((status, ruleset), (2, None), "{format} {text:?}: {err}");
        }
    }
}

#[test]
fn what_only_lost_lines_would_deny_is_refused() {
    is_refused(
        "hosts",
        "list.txt",
        "||ads.test/banner/\n||b.test^$badfilter\n",
        "because of 1 of its lines",
    );
    let squid = "acl bad dstdomain \"/nowhere/bad\"\nhttp_access deny bad\nhttp_access allow all\n";
    is_refused(
        "squid",
        "squid.conf",
        squid,
        "`/nowhere/bad` cannot be read",
    );
    let rules = "drop tcp any any -> any any (content:\"x\"; sid:1;)\npass tls any any -> any any (tls.sni; content:\"a.test\"; startswith; endswith; sid:2;)\n";
    is_refused("suricata", "x.rules", rules, "x.rules:1: left");
}

#[test]
fn what_nobody_said_is_not_taken_for_allow() {
    let passes =
        "pass tls any any -> any any (tls.sni; content:\"a.test\"; startswith; endswith; sid:2;)\n";
    is_refused("suricata", "x.rules", passes, "`--default deny`");
    let (status, _, err, ruleset) = import("suricata --default allow", "x.rules", passes);
    assert_eq!(status, 0, "{err}");
    assert!(ruleset.unwrap().contains("pre_request = \"allow\""));
    let group = r#"{"ProxyRuleGroupName": "g", "Rules": {"PreDNS": [{"ProxyRuleName": "a", "Action": "ALLOW",
        "Conditions": [{"ConditionOperator": "StringEquals", "ConditionKey": "request:DestinationDomain", "ConditionValues": ["a.test"]}]}]}}"#;
    let (status, out, err, ruleset) = import("aws", "group.json", group);
    assert_eq!(status, 0, "{err}");
    assert!(ruleset.unwrap().contains("pre_dns = \"deny\""));
    assert!(out.contains("`--default allow`"), "{out}");
    let (_, _, _, ruleset) = import("aws --default allow", "group.json", group);
    assert!(ruleset.unwrap().contains("pre_dns = \"allow\""));
}

#[test]
fn a_last_deny_that_is_left_denies_the_rest() {
    let squid = "acl ok dstdomain -n .ok.test\nacl odd external helper\nhttp_access allow ok\nhttp_access deny odd\n";
    let (status, out, err, ruleset) = import("squid", "squid.conf", squid);
    assert_eq!(status, 0, "{err}");
    assert!(ruleset.unwrap().contains("pre_dns = \"deny\""));
    assert!(out.ends_with("allows more: 0, denies more: 1\n"), "{out}");
}

#[test]
fn the_last_line_counts_and_strict_can_ask_for_just_that() {
    let narrower = "||a.test^\n@@||ok.test/path\n";
    let wider = "||a.test^\n||ok.test/path\n";
    for (text, counts, strict, allows_more) in [
        (narrower, "allows more: 0, denies more: 1", 1, 0),
        (wider, "allows more: 1, denies more: 0", 1, 1),
        ("||a.test^\n", "allows more: 0, denies more: 0", 0, 0),
    ] {
        let (status, out, err, _) = import("hosts", "list.txt", text);
        assert_eq!(status, 0, "{err}");
        assert!(out.lines().last().unwrap().ends_with(counts), "{out}");
        assert_eq!(
            import("hosts --strict", "list.txt", text).0,
            strict,
            "{text}"
        );
        let status = import("hosts --strict=allows-more", "list.txt", text).0;
        assert_eq!(status, allows_more, "{text}");
    }
}

#[test]
fn a_list_that_is_not_there_is_a_problem_whatever_else_there_is() {
    let squid = "acl bad dstdomain \"/nowhere/bad\"\nacl ok dstdomain .ok.test\nhttp_access deny bad\nhttp_access allow ok\nhttp_access deny all\n";
    let (status, out, err, ruleset) = import("squid", "squid.conf", squid);
    assert_eq!((status, ruleset.is_some()), (1, true), "{err}");
    assert!(out.contains("`/nowhere/bad` could not be read"), "{out}");
    let last = out.lines().last().unwrap();
    assert!(!last.contains("allows more: 0"), "{last}");
}

#[test]
fn a_table_from_the_console_is_refused_with_a_hint() {
    let table = "Rule name,Phase,Action,Conditions\nallow-aws,PreDNS,Allow,1\n";
    is_refused("aws", "rules.csv", table, "describe-proxy-rule-group");
}

#[test]
fn what_squid_looks_up_counts_by_its_direction() {
    let by_name = "acl x dstdomain .x.test\n";
    let by_expression = "acl x dstdom_regex x\\.test$\n";
    let by_address = "acl x dst 192.0.2.0/24\n";
    let without = "acl x dstdomain -n .x.test\n";
    let literal = "acl x dst -n 192.0.2.0/24\n";
    let denies = "http_access deny x\nhttp_access allow all\n";
    let allows = "http_access allow x\nhttp_access deny all\n";
    let denies_others = "http_access deny !x\nhttp_access allow all\n";
    let allows_others = "http_access allow !x\nhttp_access deny all\n";
    for acl in [by_name, by_expression, by_address, without, literal] {
        for (lines, allows_more) in [
            (denies, true),
            (allows, false),
            (denies_others, false),
            (allows_others, true),
        ] {
            let text = format!("{acl}{lines}");
            let (status, out, err, _) = import("squid", "squid.conf", &text);
            assert_eq!(status, 0, "{err}");
            let counts = match (acl.contains(" -n "), allows_more) {
                (true, _) => "allows more: 0, denies more: 0",
                (false, true) => "allows more: 1, denies more: 0",
                (false, false) => "allows more: 0, denies more: 1",
            };
            assert!(out.lines().last().unwrap().ends_with(counts), "{text}{out}");
            let strict = import("squid --strict=allows-more", "squid.conf", &text).0;
            assert_eq!(strict == 1, counts.starts_with("allows more: 1"), "{text}");
        }
    }
}

#[test]
fn scopes_miss_what_squid_looks_up() {
    let name = "acl x dstdomain .x.test\n";
    let address = "acl x dst 192.0.2.0/24\n";
    let both = "acl x dstdomain -n .x.test\n";
    let rest = "acl x_open port 443\nhttp_access allow x_open\nhttp_access deny all\n";
    for (acl, action, counts) in [
        (name, "bump", "allows more: 1, denies more: 0"),
        (name, "splice", "allows more: 0, denies more: 1"),
        (address, "bump", "allows more: 0, denies more: 0"),
        (address, "splice", "allows more: 0, denies more: 1"),
        (both, "bump", "allows more: 0, denies more: 0"),
        (both, "splice", "allows more: 0, denies more: 0"),
    ] {
        let text = format!("{acl}ssl_bump {action} x\n{rest}");
        let (status, out, err, _) = import("squid --ca ca.pem", "squid.conf", &text);
        assert_eq!(status, 0, "{err}");
        assert!(out.lines().last().unwrap().ends_with(counts), "{text}{out}");
    }
}
