//! `trusted_keys`: rules that nobody trusted has signed are not taken up, neither at the start nor
//! by a reload.

use std::path::Path;

use nix::sys::signal::Signal;

use crate::common::process::Process;
use crate::common::programs::{sallyport, sallyport_rules};
use crate::common::proxy::Setup;
use crate::common::wait::wait_for;
use crate::common::{ALLOW_ALL, Origin, Proxy, Rules};

const DENY_ALL: Rules<'_> =
    Rules("[defaults]\npre_dns = \"deny\"\npre_request = \"allow\"\npost_response = \"allow\"\n");

/// Keys `ops` and `other`, of which the first is trusted, and an unsigned ruleset.
fn setup() -> Setup {
    let setup = Setup::new().key("trusted_keys", "[\"ops.pub.pem\"]");
    for name in ["ops.pem", "other.pem"] {
        run(setup.folder.path(), &["keygen", name]);
    }
    ALLOW_ALL.compile(&setup.path("rules.spb"));
    setup
}

fn run(folder: &Path, arguments: &[&str]) {
    let output = sallyport_rules()
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn sign(folder: &Path, key: &str) {
    run(folder, &["sign", "rules.spb", "--key", key]);
}

/// Sends SIGHUP and waits until the rules were refused for a reason.
fn refuses(proxy: &mut Proxy, reason: &str) {
    proxy.signal(Signal::SIGHUP);
    proxy.wait_message(reason, |level, text| {
        level == "ERROR" && text.contains(reason)
    });
}

/// Neither `run` nor `check` is content with the rules, for a reason.
fn does_not_start(setup: &Setup, reason: &str) {
    let config = setup.write();
    for command in ["run", "check"] {
        let mut process = Process::start(sallyport().args([command, "--config"]).arg(&config));
        process.wait_line(reason, |line| line.contains(reason).then_some(()));
        assert!(!process.wait_end().success());
    }
}

#[test]
fn unsigned_rules_are_not_started_with() {
    let setup = setup();
    does_not_start(&setup, "the bundle is not signed");
    sign(setup.folder.path(), "other.pem");
    does_not_start(&setup, "which is not trusted");
}

#[test]
fn a_reload_takes_only_signed_rules() {
    let setup = setup();
    sign(setup.folder.path(), "ops.pem");
    let mut proxy = setup.start_with(&mut sallyport());
    let origin = Origin::start();
    let mut client = proxy.connection();
    assert_eq!(client.get(&origin.url("/")).status, 200);

    let signed = std::fs::read(proxy.bundle()).unwrap();
    DENY_ALL.compile(&proxy.bundle());
    refuses(&mut proxy, "the bundle is not signed");
    let unsigned = std::fs::read(proxy.bundle()).unwrap();
    // The signature of other rules.
    let trailer = &signed[signed.len() - 104..];
    std::fs::write(proxy.bundle(), [&unsigned, trailer].concat()).unwrap();
    refuses(&mut proxy, "does not fit the bundle");
    std::fs::write(proxy.bundle(), &unsigned).unwrap();
    sign(proxy.folder(), "other.pem");
    refuses(&mut proxy, "which is not trusted");
    assert_eq!(
        client.get(&origin.url("/")).status,
        200,
        "the old rules stay"
    );

    sign(proxy.folder(), "ops.pem");
    proxy.signal(Signal::SIGHUP);
    wait_for("the new rules", || {
        (client.get(&origin.url("/")).status == 403).then_some(())
    });
}
