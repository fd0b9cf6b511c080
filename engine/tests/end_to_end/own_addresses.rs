//! Addresses that the proxy's machine gets while it runs are its own from then on.

use std::os::unix::fs::MetadataExt;
use std::process::Command;

use crate::common::ALLOW_ALL;
use crate::common::programs::{skip, system};
use crate::common::proxy::Setup;

#[test]
fn an_address_that_comes_later_is_guarded() {
    let (Some(unshare), Some(python)) = (system("unshare"), system("python3")) else {
        return;
    };
    // Root needs no user namespace, which not every system lets one make.
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    let own: &[_] = if is_root {
        &[]
    } else {
        &["--user", "--map-root-user"]
    };
    let inside = || {
        let mut inside = Command::new(&unshare);
        inside.args(own).arg("--net");
        inside
    };
    if !inside().arg("true").status().unwrap().success() {
        return skip("network namespaces cannot be made here");
    }
    let setup = Setup::new()
        .host("later.test", "198.51.100.77")
        .listener("127.0.0.1:3128".parse().unwrap());
    ALLOW_ALL.compile(&setup.path("rules.spb"));
    let config = setup.write();
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/end_to_end/data/own_addresses.py"
    );
    let output = inside()
        .arg(python)
        .args(["-B", script, "198.51.100.77", "http://later.test/"])
        .arg(env!("CARGO_BIN_EXE_sallyport"))
        .args(["run", "--config"])
        .arg(config)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let why = String::from_utf8_lossy(&output.stderr);
    let statuses: Vec<_> = said
        .lines()
        .filter(|line| line.starts_with("HTTP/"))
        .collect();
    let [before, after] = &*statuses else {
        panic!("{said}\n{why}")
    };
    assert!(before.starts_with("HTTP/1.1 502 "), "{before}\n{why}");
    assert!(after.starts_with("HTTP/1.1 403 "), "{after}\n{why}");
}
