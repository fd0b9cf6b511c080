//! The real binary: what it prints, what it writes, how it exits.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot run the binary has failed"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn rules(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sallyport-rules"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .join("examples")
}

fn compiled(name: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("rules.spb");
    let output = rules(
        &examples(),
        &["compile", name, "-q", "-o", bundle.to_str().unwrap()],
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
    (folder, bundle)
}

/// Phase outcomes, alerts and the decision for a request.
fn explained(bundle: &Path, arguments: &[&str]) -> Value {
    let mut all = vec!["explain", bundle.to_str().unwrap(), "--json"];
    all.extend(arguments);
    let output = rules(Path::new("."), &all);
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn compiling_writes_a_bundle_and_says_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("rules.spb");
    let output = rules(
        &examples(),
        &["compile", "ruleset.toml", "-o", bundle.to_str().unwrap()],
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(
        said.contains("PreDNS 8, PreREQUEST 9, PostRESPONSE 5"),
        "{said}"
    );
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing is left over"
    );

    let inspected = rules(folder.path(), &["inspect", "rules.spb", "--json"]);
    let inspected: Value = serde_json::from_slice(&inspected.stdout).unwrap();
    let id = inspected["id"].as_str().unwrap();
    assert!(said.contains(id), "{said}");
    assert_eq!(inspected["phases"][1]["rules"], 9);
    assert_eq!(
        inspected["bytes"],
        std::fs::metadata(&bundle).unwrap().len()
    );
    let shown = text(&rules(folder.path(), &["inspect", "rules.spb"]).stdout);
    assert!(
        shown.contains(id) && shown.contains("PreDNS deny"),
        "{shown}"
    );
}

#[test]
fn the_folder_has_no_part_in_the_bundle() {
    let (_first, bundle) = compiled("ruleset.toml");
    let copy = tempfile::tempdir().unwrap();
    for part in ["groups", "lists"] {
        std::fs::create_dir(copy.path().join(part)).unwrap();
        for file in std::fs::read_dir(examples().join(part)).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), copy.path().join(part).join(file.file_name())).unwrap();
        }
    }
    std::fs::copy(
        examples().join("ruleset.toml"),
        copy.path().join("other-name.toml"),
    )
    .unwrap();
    let output = rules(
        copy.path(),
        &["compile", "other-name.toml", "-o", "there.spb", "--quiet"],
    );
    assert!(output.status.success() && output.stdout.is_empty());
    let there = std::fs::read(copy.path().join("there.spb")).unwrap();
    assert_eq!(there, std::fs::read(bundle).unwrap());
}

#[test]
fn problems_are_shown_and_no_bundle_is_written() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("bad.toml"),
        "[defaults]\npre_dns = \"block\"\n",
    )
    .unwrap();
    std::fs::write(folder.path().join("old.spb"), "old").unwrap();
    let output = rules(folder.path(), &["compile", "bad.toml", "-o", "old.spb"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("--> bad.toml:2:11"), "{said}");
    assert!(
        said.ends_with("3 errors, 0 warnings; no bundle\n"),
        "{said}"
    );
    assert!(!said.contains('\u{1b}'), "no colors into a pipe");
    assert_eq!(
        std::fs::read(folder.path().join("old.spb")).unwrap(),
        b"old"
    );
    assert_eq!(
        rules(folder.path(), &["check", "bad.toml", "-q"])
            .status
            .code(),
        Some(1)
    );
}

#[test]
fn warnings_pass_unless_they_are_denied() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let passed = rules(&cases, &["check", "denied_warnings.toml"]);
    assert_eq!(passed.status.code(), Some(0));
    assert!(text(&passed.stderr).contains("notfacebook.com"));
    let quiet = rules(&cases, &["check", "--quiet", "denied_warnings.toml"]);
    assert!(quiet.stderr.is_empty() && quiet.stdout.is_empty());
    let denied = rules(
        &cases,
        &["check", "--deny-warnings", "denied_warnings.toml"],
    );
    assert_eq!(denied.status.code(), Some(1));
    let many = rules(&cases, &["check", "good.toml", "--max-group-rules", "0"]);
    assert_eq!(many.status.code(), Some(1));
    let passthrough = rules(&cases, &["check", "good.toml", "--tls", "passthrough"]);
    assert!(text(&passthrough.stderr).contains("is not seen inside TLS"));
}

#[test]
fn bad_usage_and_files_that_cannot_be_used_exit_with_two() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("no.spb"), "no bundle").unwrap();
    let (_kept, bundle) = compiled("ruleset.toml");
    let bundle = bundle.to_str().unwrap();
    let ruleset = examples().join("ruleset.toml");
    let ruleset = ruleset.to_str().unwrap();
    for arguments in [
        &["compile"][..],
        &["check", "gone.toml"],
        &["compile", ruleset, "-o", "no/such/folder/rules.spb"],
        &["inspect", "gone.spb"],
        &["inspect", "no.spb"],
        &["explain", bundle, "--url", "example.com"],
        &[
            "explain",
            bundle,
            "--url",
            "http://x.test/",
            "--time",
            "noon",
        ],
        &[
            "explain",
            bundle,
            "--url",
            "http://x.test/",
            "--header",
            "no header",
        ],
        &[
            "explain",
            bundle,
            "--url",
            "http://x.test/",
            "--why",
            "no-such-rule",
        ],
    ] {
        let output = rules(folder.path(), arguments);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
        assert!(text(&output.stderr).starts_with("error: "), "{arguments:?}");
    }
}

#[test]
fn explaining_tells_who_decides_and_what_is_missing() {
    let (_folder, bundle) = compiled("ruleset.toml");
    let working_hours = ["--from", "10.20.1.5", "--time", "2026-11-20T12:00:00Z"];
    let with = |more: &[&'static str]| explained(&bundle, &[&working_hours, more].concat());

    let open = with(&["--url", "https://pypi.org/simple/"]);
    assert_eq!(open["phases"][0]["by"]["rule"], "allow-package-registries");
    assert_eq!(open["phases"][1]["outcome"], "undetermined");
    assert_eq!(open["phases"][1]["depends_on"][0], "request:DestinationIp");
    assert_eq!(open["phases"][2]["outcome"], "not_evaluated");
    assert_eq!(open["decision"], "undetermined");

    let inside = with(&["--url", "https://pypi.org/", "--dst-ip", "10.0.0.1"]);
    assert_eq!(inside["phases"][1]["by"]["rule"], "no-private-networks");
    assert_eq!(inside["decision"], "deny");

    let outside = with(&["--url", "https://pypi.org/", "--dst-ip", "151.101.0.223"]);
    assert_eq!(outside["decision"], "allow");

    let unlisted = with(&["--url", "http://unlisted.example:8080/"]);
    assert_eq!(unlisted["phases"][0]["by_default"], true);
    assert_eq!(unlisted["phases"][0]["alerts"][0]["rule"], "unusual-port");
    assert_eq!(unlisted["phases"][1]["outcome"], "not_reached");

    let upload = [
        "--url",
        "https://paste.github.com/",
        "--method",
        "POST",
        "--intercept",
    ];
    let why = with(
        &[
            &upload[..],
            &["--why", "guardrails/no-uploads-to-paste-sites"],
        ]
        .concat(),
    );
    assert_eq!(why["phases"][1]["by"]["rule"], "no-uploads-to-paste-sites");
    // The condition that costs less to ask comes first.
    assert_eq!(why["why"][0]["conditions"][0]["key"], "request:Http:Method");
    assert_eq!(why["why"][0]["conditions"][0]["holds"], true);
    let spelled = with(&["--url", "http://github.com/?a&PASSWORD=x&%70assword=x"]);
    assert_eq!(spelled["phases"][1]["by"]["rule"], "no-secrets-in-urls");
}

#[test]
fn explanations_read_well() {
    let (_folder, bundle) = compiled("demo.toml");
    let arguments = [
        "explain",
        bundle.to_str().unwrap(),
        "--url",
        "http://download.allowed.test:8080/a.zip",
        "--from",
        "127.0.0.1",
        "--dst-ip",
        "127.0.0.1",
        "--header",
        "User-Agent: curl/8.5",
        "--status",
        "200",
        "--response-header",
        "Content-Type: application/zip",
        "--why",
        "demo-curl",
    ];
    let said = text(&rules(Path::new("."), &arguments).stdout);
    let expected = "\
GET http://download.allowed.test:8080/a.zip

PreDNS        allow         demo/demo-allowed-hosts (allowed.test and all names under it; other names fall to the default, deny.)
PreREQUEST    alert         demo/demo-curl (Log requests of curl.)
              allow         demo/demo-on-loopback (Lets the demo's own names lead to loopback, before `networks` refuses that.)
PostRESPONSE  deny          demo/demo-no-archives (The origin answered; the client does not get to see it.)

decision: deny

PreREQUEST demo/demo-curl
  holds    request:DestinationDomain DomainMatch [\"test\"]; the field is \"download.allowed.test\"
  holds    request:Http:UserAgent StringLike [\"curl/*\"]; the field is \"curl/8.5\"
";
    assert_eq!(said, expected);
}

/// Arguments, then phase, what the phase says, and the rule.
const DEMO: &str = "
http://denied.test/                                                      | 0 | deny  | demo-denied-host
http://api.allowed.test/                                                 | 0 | allow | demo-allowed-hosts
http://watched.allowed.test/                                             | 0 | alert | demo-watched-host
http://api.allowed.test/x/../%61dmin/                                    | 1 | deny  | demo-no-admin
http://paste.allowed.test/ --method POST                                 | 1 | deny  | no-uploads-to-paste-sites
http://paste.allowed.test/                                               | 1 | allow | demo-on-loopback
http://api.allowed.test/ --header user-agent:curl/8                      | 1 | alert | demo-curl
http://api.allowed.test/ --status 503                                    | 2 | alert | demo-server-error
http://api.allowed.test/ --status 204                                    | 2 | allow | demo-responses
http://download.allowed.test/ --status 200 --response-header content-type:application/gzip  | 2 | deny | demo-no-archives
http://api.allowed.test/ --status 200 --response-header content-type:application/x-dosexec  | 2 | deny | no-executables
";

#[test]
fn the_demo_meets_every_phase_and_action() {
    let (_folder, bundle) = compiled("demo.toml");
    for case in DEMO.lines().filter(|line| !line.is_empty()) {
        let parts: Vec<&str> = case.split('|').map(str::trim).collect();
        let mut arguments = vec![
            "--from",
            "127.0.0.1",
            "--dst-ip",
            "127.0.0.1",
            "--time",
            "0",
            "--url",
        ];
        arguments.extend(parts[0].split_whitespace());
        let answer = explained(&bundle, &arguments);
        let phase: usize = parts[1].parse().unwrap();
        let said = &answer["phases"][phase];
        if parts[2] == "alert" {
            assert_eq!(said["alerts"][0]["rule"], parts[3], "{case}: {answer:#}");
        } else {
            assert_eq!(said["outcome"], parts[2], "{case}: {answer:#}");
            assert_eq!(said["by"]["rule"], parts[3], "{case}: {answer:#}");
        }
    }
}

#[test]
fn problems_as_json_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.toml");
    std::fs::write(
        &path,
        "[defaults]\npre_dns = \"deny\"\npre_reqest = \"allow\"\n",
    )
    .unwrap();
    let output = rules(folder.path(), &["check", "r.toml", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    let found: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let codes: Vec<&str> = found
        .iter()
        .map(|line| line["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["missing-default", "missing-default", "unknown-key"]);
    let last = found.last().unwrap();
    assert_eq!(
        (&last["file"], &last["line"], &last["column"]),
        (&"r.toml".into(), &3.into(), &1.into())
    );
    assert_eq!(last["help"], "did you mean `pre_request`?");

    let output = rules(folder.path(), &["check", "gone.toml", "--format", "json"]);
    assert_eq!(output.status.code(), Some(2));
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&line["file"], &line["code"]),
        (&"gone.toml".into(), &"unreadable-file".into())
    );

    let output = rules(&examples(), &["check", "ruleset.toml", "--format", "json"]);
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), String::new())
    );
}

#[test]
fn a_configuration_of_the_aws_preview_from_text_to_decision() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, value: Value| {
        std::fs::write(folder.path().join(name), value.to_string()).unwrap();
    };
    write(
        "estate.json",
        serde_json::json!({
            "ProxyConfigurationName": "estate",
            "DefaultRulePhaseActions": { "PRE_DNS": "DENY", "PRE_REQ": "ALLOW", "POST_RES": "ALLOW" },
            "RuleGroupNames": ["platform"],
        }),
    );
    write(
        "platform.json",
        serde_json::json!({
            "ProxyRuleGroupName": "platform",
            "Rules": { "PreDNS": [{
                "ProxyRuleName": "allow-example",
                "Action": "ALLOW",
                "Conditions": [{
                    "ConditionOperator": "StringEquals",
                    "ConditionKey": "request:DestinationDomain",
                    "ConditionValues": [".example.com"],
                }],
            }] },
        }),
    );
    let compile = ["compile", "estate.json", "-q", "-o", "rules.spb"];
    let refused = rules(folder.path(), &compile);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("--aws-suffix-equals"));
    let arguments = [&compile[..], &["--aws-suffix-equals"]].concat();
    let output = rules(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let bundle = folder.path().join("rules.spb");
    for (url, expected) in [
        ("http://www.example.com/", "allow"),
        ("http://example.com/", "allow"),
        ("http://notexample.com/", "deny"),
    ] {
        let explained = explained(&bundle, &["--url", url]);
        assert_eq!(explained["decision"], expected, "{explained:#}");
    }
}

#[test]
fn schemas_are_printed() {
    for (arguments, title) in [
        (&["schema"][..], "Sallyport ruleset"),
        (&["schema", "group"], "Sallyport rule group"),
    ] {
        let output = rules(Path::new("."), arguments);
        let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(schema["title"], title);
    }
}
