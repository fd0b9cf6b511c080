//! The tools around a bundle, through the real binary, on real files.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot run the binary has failed"
)]

#[path = "../../engine/tests/skip.rs"]
mod skip;

mod common;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use common::{compiled, ends, root, succeeds, text, write};
use skip::skip;

const CASES: &str = r#"
[request]
from = "10.20.1.5"
time = "2026-11-20T12:00:00Z"

[[case]]
name = "registries are open"
request = { url = "https://pypi.org/simple/", dst_ip = "151.101.0.223" }
expect = "allow"
pre_dns = { expect = "allow", rule = "allow-package-registries", alerts = [] }
pre_request = { rule = "default" }
post_response = { expect = "not_evaluated" }

[[case]]
name = "names inside are refused"
request = { url = "https://pypi.org/", dst_ip = "10.0.0.1" }
expect = "deny"
rule = "no-private-networks"

[[case]]
name = "odd ports are logged"
request = { url = "http://unlisted.example:8080/" }
expect = "deny"
rule = "default"
alerts = ["unusual-port"]
pre_request = { expect = "not_reached" }

[[case]]
name = "the address matters"
request = { url = "https://pypi.org/" }
expect = "undetermined"
"#;

#[test]
fn policies_have_unit_tests() {
    let folder = compiled("ruleset.toml");
    let folder = folder.path();
    write(folder, "cases.toml", CASES);
    let said = succeeds(folder, &["test", "rules.spb", "cases.toml"]);
    assert!(said.starts_with("ok      registries are open\n"), "{said}");
    assert!(said.ends_with("\n4 passed, 0 failed\n"), "{said}");
    let json = succeeds(
        folder,
        &["test", "rules.spb", "cases.toml", "--format", "json"],
    );
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["passed"], 4);
    assert_eq!(json["cases"][1]["line"], 14);
}

#[test]
fn failed_cases_are_explained() {
    let folder = compiled("ruleset.toml");
    let folder = folder.path();
    let wrong = CASES
        .replace(
            "rule = \"no-private-networks\"",
            "rule = \"no-executables\"",
        )
        .replace("alerts = [\"unusual-port\"]", "alerts = []")
        .replace("expect = \"undetermined\"", "expect = \"allow\"");
    write(folder, "cases.toml", &wrong);
    let (code, said, _) = ends(folder, &["test", "rules.spb", "cases.toml"]);
    assert_eq!(code, Some(1));
    assert!(said.ends_with("\n1 passed, 3 failed\n"), "{said}");
    for expected in [
        "FAILED  names inside are refused (cases.toml:14)\n",
        "expected rule `no-executables` to decide, found rule `networks/no-private-networks`\n",
        "expected the alerts [], found [",
        "/unusual-port]\n",
        "expected allow, found undetermined\n",
        "        | PreREQUEST    deny          networks/no-private-networks",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
}

#[test]
fn bad_cases_say_where() {
    let folder = compiled("ruleset.toml");
    let folder = folder.path();
    let request = "request = { url = \"http://x.test/\" }";
    for (content, expected) in [
        ("", "there is no `[[case]]`"),
        ("[[case]]\nname = \"a\"\n", "line 1"),
        (
            &format!("[[case]]\nname = \"a\"\n{request}\nexpect = \"maybe\"\n"),
            "line 4, column 10",
        ),
        (
            &format!("[[case]]\nname = \"a\"\n{request}\nexpect = \"deny\"\nrules = \"x\"\n"),
            "line 5",
        ),
        (
            "[[case]]\nname = \"a\"\nexpect = \"deny\"\nrequest = { url = \"x\" }\n",
            "line 1: case `a`: `x` is not a URL",
        ),
        (
            &format!("\n[[case]]\nname = \"a\"\nexpect = \"deny\"\nrule = \"gone\"\n{request}\n"),
            "line 2: case `a`: the bundle has no rule `gone`",
        ),
    ] {
        write(folder, "cases.toml", content);
        let (code, _, said) = ends(folder, &["test", "rules.spb", "cases.toml"]);
        assert_eq!(code, Some(2), "{content}");
        assert!(
            said.contains("cases.toml") && said.contains(expected),
            "{content}\n{said}"
        );
    }
}

#[test]
fn bundles_are_signed_and_verified() {
    let folder = compiled("ruleset.toml");
    let folder = folder.path();
    let id = |name: &str| {
        let json: Value =
            serde_json::from_str(&succeeds(folder, &["inspect", name, "--json"])).unwrap();
        json["id"].as_str().unwrap().to_owned()
    };
    let unsigned = id("rules.spb");
    for name in ["ops.pem", "other.pem"] {
        assert!(succeeds(folder, &["keygen", name]).contains("public key"));
    }
    let again = ends(folder, &["keygen", "ops.pem"]);
    assert_eq!(again.0, Some(2), "a key is not overwritten");
    let check = |key: &str| ends(folder, &["verify", "rules.spb", "--key", key]);
    let (code, _, said) = check("ops.pub.pem");
    assert_eq!(code, Some(1));
    assert!(said.contains("the bundle is not signed"), "{said}");

    succeeds(folder, &["sign", "rules.spb", "--key", "ops.pem"]);
    assert_eq!(id("rules.spb"), unsigned, "a signature changes no id");
    let (code, said, _) = check("ops.pub.pem");
    assert!(code == Some(0) && said.contains(&unsigned), "{said}");
    let (code, _, said) = check("other.pub.pem");
    assert_eq!(code, Some(1));
    assert!(said.contains("which is not trusted"), "{said}");
    let shown = succeeds(folder, &["inspect", "rules.spb"]);
    assert!(shown.contains("signed with key"), "{shown}");

    let mut bytes = std::fs::read(folder.join("rules.spb")).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(folder.join("rules.spb"), &bytes).unwrap();
    let (code, _, said) = check("ops.pub.pem");
    assert_eq!(code, Some(1));
    assert!(said.contains("does not fit the bundle"), "{said}");
    assert_eq!(
        ends(folder, &["verify", "rules.spb", "--key", "ops.pem"]).0,
        Some(2)
    );
}

#[test]
fn compiling_signs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    succeeds(folder, &["keygen", "ops.pem"]);
    let ruleset = root().join("examples/ruleset.toml");
    let ruleset = ruleset.to_str().unwrap();
    let arguments = [
        "compile",
        ruleset,
        "-q",
        "-o",
        "rules.spb",
        "--sign",
        "ops.pem",
    ];
    succeeds(folder, &arguments);
    succeeds(folder, &["verify", "rules.spb", "--key", "ops.pub.pem"]);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(folder.join("ops.pem"))
            .unwrap()
            .permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

/// Keys of other programs, and signatures that they check.
#[test]
fn keys_are_those_of_openssl() {
    let folder = compiled("demo.toml");
    let folder = folder.path();
    let openssl = |arguments: &[&str]| {
        Command::new("openssl")
            .args(arguments)
            .current_dir(folder)
            .output()
    };
    if openssl(&["version"]).is_err() {
        return skip("openssl is not installed");
    }
    for arguments in [
        &["genpkey", "-algorithm", "ed25519", "-out", "theirs.pem"][..],
        &[
            "pkey",
            "-in",
            "theirs.pem",
            "-pubout",
            "-out",
            "theirs.pub.pem",
        ],
    ] {
        assert!(openssl(arguments).unwrap().status.success());
    }
    succeeds(folder, &["sign", "rules.spb", "--key", "theirs.pem"]);
    succeeds(folder, &["verify", "rules.spb", "--key", "theirs.pub.pem"]);
    succeeds(folder, &["keygen", "ours.pem"]);
    for arguments in [
        &["pkey", "-in", "ours.pem", "-noout", "-text"][..],
        &["pkey", "-pubin", "-in", "ours.pub.pem", "-noout", "-text"],
    ] {
        let output = openssl(arguments).unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
}

/// The cases that the guide shows pass with the example rules.
#[test]
fn the_cases_of_the_guide_pass() {
    let guide = std::fs::read_to_string(root().join("docs/ruleset-tools.md")).unwrap();
    let (_, after) = guide.split_once("```toml cases\n").unwrap();
    let (cases, _) = after.split_once("```").unwrap();
    let folder = compiled("ruleset.toml");
    write(folder.path(), "cases.toml", cases);
    let said = succeeds(folder.path(), &["test", "rules.spb", "cases.toml"]);
    assert!(said.ends_with("3 passed, 0 failed\n"), "{said}");
}

/// Every command and option is described.
#[test]
fn the_guide_describes_the_tools() {
    let guide = std::fs::read_to_string(root().join("docs/ruleset-tools.md")).unwrap();
    for command in [
        "explain", "test", "diff", "replay", "stats", "inspect", "sign", "verify", "keygen",
    ] {
        assert!(
            guide.contains(&format!("sallyport-rules {command} "))
                || guide.contains(&format!("`{command} ")),
            "{command}"
        );
        let help = succeeds(Path::new("."), &[command, "--help"]);
        let options = help.split(|c: char| !(c.is_ascii_lowercase() || c == '-'));
        for option in options.filter(|word| word.starts_with("--") && word.len() > 2) {
            let known = ["--help", "--version"].contains(&option) || command == "explain";
            assert!(known || guide.contains(option), "{command} {option}");
        }
    }
}
