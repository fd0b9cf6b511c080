//! `import auto`: every example file is taken for what it is, and what may be several kinds or none is
//! refused with a reason. And every difference that a report tells has one.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its cases has failed"
)]

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use sallyport_rules::cli::{Cli, Terminal};
use sallyport_rules::diagnostic::Colors;
use serde_json::Value;

/// Runs the command line in this process: its exit status, output and complaints.
fn run(arguments: &[&str]) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let cli = Cli::try_parse_from([&["sallyport-rules"], arguments].concat()).unwrap();
    let status = cli.run(&mut Terminal {
        out: &mut out,
        err: &mut err,
        is_watched: false,
        colors: Colors::NONE,
    });
    let [out, err] = [out, err].map(|bytes| String::from_utf8(bytes).unwrap());
    (status, out, err)
}

/// Imports a file with `auto`.
fn auto(source: &Path, options: &[&str]) -> (u8, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mut arguments = vec!["import", "auto", source.to_str().unwrap(), "--json"];
    arguments.extend(["-o", out.to_str().unwrap()]);
    arguments.extend(options);
    run(&arguments)
}

fn text(name: &str, text: &str, options: &[&str]) -> (u8, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join(name);
    fs::write(&source, text).unwrap();
    auto(&source, options)
}

fn example(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/import").join(path)
}

/// An example, options, and how what it was taken for begins.
const EXAMPLES: [(&str, &[&str], &str); 21] = [
    ("squid/debian/squid.conf", &[], "a Squid configuration"),
    ("suricata/strict/egress.rules", &[], "rules in Suricata"),
    (
        "suricata/rule-group/rule-group.json",
        &[],
        "rules in Suricata",
    ),
    (
        "aws/configuration/configuration.json",
        &[],
        "a proxy configuration",
    ),
    (
        "aws-domain-list/allow/rule-group.json",
        &[],
        "a domain list of AWS",
    ),
    ("hosts/adblock/list.txt", &[], "a filter list"),
    ("hosts/blocklist/hosts", &[], "a hosts file"),
    (
        "addresses/blocklist/drop.txt",
        &["--action", "deny"],
        "a list of addresses",
    ),
    (
        "addresses/ipset/saved.txt",
        &["--action", "allow"],
        "a list of addresses",
    ),
    (
        "azure-firewall/policy/policy.json",
        &[],
        "rule collections of Azure",
    ),
    (
        "azure-firewall/classic/firewall.json",
        &[],
        "rule collections of Azure",
    ),
    ("cilium/egress/policy.yaml", &[], "policies of Cilium"),
    ("cilium/world/policies.json", &[], "policies of Cilium"),
    ("envoy-rbac/allow/filter.yaml", &[], "a filter of Envoy"),
    ("envoy-rbac/deny/rbac.json", &[], "a filter of Envoy"),
    (
        "firewall-script/devcontainer/init-firewall.sh",
        &[],
        "a firewall script",
    ),
    (
        "google-swp/list/url-list.yaml",
        &["--action", "allow"],
        "a URL list",
    ),
    (
        "istio/entries/service-entries.yaml",
        &[],
        "resources of Istio",
    ),
    (
        "smokescreen/services/acl.yaml",
        &[],
        "an access list of Smokescreen",
    ),
    ("squidguard/office/squidGuard.conf", &[], "SquidGuard"),
    ("tinyproxy/allowlist/tinyproxy.conf", &[], "Tinyproxy"),
];

#[test]
fn examples_are_taken_for_what_they_are() {
    for (path, options, taken_for) in EXAMPLES {
        let (status, out, err) = auto(&example(path), options);
        // Lists that are named by absolute paths are not there.
        assert!(status < 2, "{path}: {err}");
        let report: Value = serde_json::from_str(&out).unwrap();
        let remarks = report["remarks"].as_array().unwrap();
        let told = remarks
            .iter()
            .filter_map(Value::as_str)
            .find(|remark| remark.starts_with("taken for "));
        assert!(
            told.is_some_and(|told| told.contains(taken_for)),
            "{path}: {remarks:?}"
        );
    }
}

#[test]
fn what_may_be_several_kinds_or_none_is_refused() {
    let both = "acl bad dstdomain .bad.test\nhttp_access deny bad\n||ads.test^\n";
    let (status, _, err) = text("both", both, &[]);
    assert_eq!(status, 2);
    assert!(
        err.contains("`import squid`") && err.contains("`import hosts`"),
        "{err}"
    );
    let (status, _, err) = text("poem", "roses are red\n", &[]);
    assert_eq!(status, 2);
    assert!(err.contains("nothing that is known here"), "{err}");
    let (status, _, err) = text("x.yaml", "a: 1\nb: 2\n", &[]);
    assert_eq!(status, 2);
    assert!(err.contains("YAML or JSON of no kind"), "{err}");
    for list in ["192.0.2.0/24\n", "a.test\nb.test\n"] {
        let (status, _, err) = text("list", list, &[]);
        assert_eq!(status, 2, "{list}");
        assert!(err.contains("`--action allow` or `--action deny`"), "{err}");
        assert_eq!(text("list", list, &["--action", "deny"]).0, 0, "{list}");
    }
}

/// A list that says nothing about ports or paths is not confused with one that does.
#[test]
fn a_missing_filter_never_opens_the_proxy() {
    let closed = "Port 8888\nFilterDefaultDeny Yes\nFilter \"/nowhere/filter\"\n";
    assert_eq!(text("tinyproxy.conf", closed, &[]).0, 1);
    let open = "Port 8888\nConnectPort 443\nFilterURLs Off\nFilter \"/nowhere/filter\"\n";
    let (status, out, err) = text("tinyproxy.conf", open, &[]);
    assert_eq!(status, 1, "{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["counts"]["allows_more"], 1);
    let nothing = "Port 8888\nFilterURLs Off\nFilter \"/nowhere/filter\"\n";
    let (status, _, err) = text("tinyproxy.conf", nothing, &[]);
    assert_eq!(status, 2);
    assert!(err.contains("would allow everything"), "{err}");
}

#[test]
fn every_difference_is_explained() {
    let mut differences_count = 0;
    for format in fs::read_dir(example("")).unwrap() {
        for case in fs::read_dir(format.unwrap().path()).unwrap() {
            let report = case.unwrap().path().join("expected/import-report.txt");
            let report = fs::read_to_string(report).unwrap();
            let lines: Vec<&str> = report.lines().collect();
            for (at, line) in lines.iter().enumerate() {
                let is_entry = !line.starts_with(' ')
                    && (line.contains(": changed: ") || line.contains(": left: "));
                if !is_entry {
                    continue;
                }
                let notes = lines[at + 1..]
                    .iter()
                    .take_while(|line| line.starts_with("    "));
                let reasons = notes.filter(|note| {
                    !note.starts_with("    rules: ") && !note.starts_with("    the ruleset ")
                });
                assert!(reasons.count() > 0, "{line}");
                differences_count += 1;
            }
        }
    }
    assert!(differences_count > 80, "only {differences_count} found");
}
