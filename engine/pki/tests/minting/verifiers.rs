//! Minted certificates before OpenSSL, GnuTLS, Go and Java, each in its strictest mode. Each must
//! accept them for their name and refuse them for another.

use std::path::Path;
use std::process::{Command, Output};

use crate::minted::{self, Case};
use crate::programs;

/// No certificate is for this name.
const OTHER: &str = "other.example";

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// Runs `verify` for each case with its own name and with another.
fn check(verify: impl Fn(&Case, &str) -> Output) {
    let folder = tempfile::tempdir().unwrap();
    for case in minted::cases(folder.path()) {
        let output = verify(&case, &case.name);
        let what = format!("{} {}", case.chain.display(), case.name);
        assert!(output.status.success(), "{what}\n{}", text(&output));
        let output = verify(&case, OTHER);
        assert!(!output.status.success(), "{what} is for {OTHER} too");
    }
}

#[test]
fn openssl_accepts_them() {
    let Some(openssl) = programs::system("openssl") else {
        return;
    };
    check(|case, name| {
        let kind = if case.is_address() && name != OTHER {
            "-verify_ip"
        } else {
            "-verify_hostname"
        };
        Command::new(&openssl)
            .args([
                "verify",
                "-x509_strict",
                "-purpose",
                "sslserver",
                "-check_ss_sig",
            ])
            .args(["-policy_check", "-no-CApath", "-no-CAstore", "-CAfile"])
            .arg(&case.root)
            .arg("-untrusted")
            .arg(&case.chain)
            .args([kind, name])
            .arg(&case.chain)
            .output()
            .unwrap()
    });
}

#[test]
fn gnutls_accepts_them() {
    let Some(certtool) = programs::system("certtool") else {
        return;
    };
    check(|case, name| {
        Command::new(&certtool)
            .args([
                "--verify",
                "--verify-profile=medium",
                "--verify-purpose=1.3.6.1.5.5.7.3.1",
            ])
            .arg(format!("--verify-hostname={name}"))
            .arg("--load-ca-certificate")
            .arg(&case.root)
            .arg("--infile")
            .arg(&case.chain)
            .output()
            .unwrap()
    });
}

/// Runs a program that takes root, chain and name of each case and tells of each verdict on a line.
fn check_in_one_run(program: &mut Command) {
    let folder = tempfile::tempdir().unwrap();
    let cases = minted::cases(folder.path());
    let mut expected = Vec::new();
    for case in &cases {
        for name in [case.name.as_str(), OTHER] {
            program.arg(&case.root).arg(&case.chain).arg(name);
            expected.push(if name == OTHER { "refused" } else { "accepted" });
        }
    }
    let output = program.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let said = String::from_utf8_lossy(&output.stdout);
    let verdicts: Vec<&str> = said
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(verdicts, expected, "{said}");
}

fn data(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/minting/data")
        .join(name)
}

#[test]
fn go_accepts_them() {
    let Some(go) = programs::system("go") else {
        return;
    };
    let cache = tempfile::tempdir().unwrap();
    let program = cache.path().join("verify");
    let built = Command::new(go)
        .args(["build", "-o"])
        .arg(&program)
        .arg(data("verify.go"))
        .env("GOCACHE", cache.path().join("cache"))
        .env("GOPATH", cache.path().join("path"))
        .env("GO111MODULE", "off")
        .env("CGO_ENABLED", "0")
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", text(&built));
    check_in_one_run(&mut Command::new(program));
}

#[test]
fn java_accepts_them() {
    let Some(java) = programs::system("java") else {
        return;
    };
    if programs::system("javac").is_none() {
        return;
    }
    check_in_one_run(
        Command::new(java)
            .args(["-Xshare:auto", "-XX:TieredStopAtLevel=1"])
            .args(["--add-exports", "java.base/sun.security.util=ALL-UNNAMED"])
            .arg(data("Verify.java")),
    );
}
