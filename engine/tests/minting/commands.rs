//! `sallyport ca` as a person types it.

use std::fs;
use std::process::Output;

use rustls::pki_types::UnixTime;
use sallyport::tls::read_authority;

use crate::minted;
use crate::openssl::{OpenSsl, RSA};
use crate::programs;

fn ca(arguments: &[&str]) -> Output {
    programs::sallyport()
        .arg("ca")
        .args(arguments)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[test]
fn an_authority_for_trials_is_made_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("ca");
    let out = out.to_str().unwrap();
    let made = ca(&[
        "init",
        "--out",
        out,
        "--name",
        "Trial CA",
        "--key-type",
        "p384",
        "--days",
        "30",
    ]);
    assert!(made.status.success(), "{}", said(&made));
    assert!(
        said(&made).contains("Subject      CN=Trial CA"),
        "{}",
        said(&made)
    );
    let certificate = format!("{out}/ca.pem");
    let shown = ca(&["show", &certificate]);
    assert!(
        shown.status.success() && said(&shown).contains("keytool"),
        "{}",
        said(&shown)
    );
    let again = ca(&["init", "--out", out]);
    assert!(!again.status.success(), "{}", said(&again));
    assert!(
        said(&again).contains("exists and is not overwritten"),
        "{}",
        said(&again)
    );
    for wrong in [
        &["init"][..],
        &["init", "--out", out, "--days", "0"],
        &["show", "/nowhere/ca.pem"],
    ] {
        let output = ca(wrong);
        assert!(!output.status.success(), "{wrong:?}");
    }
}

/// The way of a company that has a root of its own.
#[test]
fn a_request_is_signed_by_another_authority_and_then_used() {
    let Some(openssl) = OpenSsl::find() else {
        return;
    };
    openssl.root("root", RSA);
    let out = openssl.folder().to_str().unwrap();
    let made = ca(&["sign-request", "--out", out, "--name", "Acme Proxy CA"]);
    assert!(made.status.success(), "{}", said(&made));
    // The commands that it tells, word by word.
    let told = said(&made);
    let script: Vec<&str> = told
        .lines()
        .filter(|line| line.starts_with("printf ") || line.starts_with("openssl "))
        .collect();
    assert_eq!(script.len(), 2, "{told}");
    let ran = std::process::Command::new("sh")
        .args(["-ec", &script.join("\n")])
        .current_dir(openssl.folder())
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", said(&ran));
    let authority = read_authority(&openssl.path("ca.pem"), None, UnixTime::now()).unwrap();
    assert_eq!(authority.subject_text(), "CN=Acme Proxy CA");
    assert_eq!(authority.chain().len(), 1);
    openssl.write(
        "leaf.pem",
        minted::mint(&minted::minter(authority), "a.test", None),
    );
    openssl.run(
        "verify -x509_strict -purpose sslserver -CAfile root.pem -untrusted leaf.pem -verify_hostname a.test leaf.pem",
    );
    let file = openssl.path("ca.pem");
    let file = file.to_str().unwrap();
    let shown = said(&ca(&["show", file]));
    assert!(shown.contains("Issuer       CN=root"), "{shown}");
    assert!(
        shown.contains("above CN=root, which is not in the file"),
        "{shown}"
    );
    assert!(shown.contains("NODE_EXTRA_CA_CERTS=root.pem"), "{shown}");
    let without = ca(&["show", "--root", file]);
    assert!(!without.status.success(), "{}", said(&without));
    // With the root in the file it is named, and taken out by what is printed. The order is free.
    openssl.write(
        "ca.pem",
        [openssl.read("root.pem"), openssl.read("ca.pem")].concat(),
    );
    let shown = said(&ca(&["show", file]));
    assert!(shown.contains("Subject      CN=Acme Proxy CA"), "{shown}");
    assert!(
        shown.contains("Root         CN=root (certificate 1 of the file)"),
        "{shown}"
    );
    let taken = ca(&["show", "--root", file]);
    assert_eq!(
        said(&taken).trim(),
        String::from_utf8_lossy(&openssl.read("root.pem")).trim()
    );
    fs::metadata(openssl.path("ca.csr")).unwrap();
}
