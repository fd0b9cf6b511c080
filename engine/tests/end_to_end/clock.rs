//! A machine whose clock is decades behind.

use std::process::Command;

use nix::sys::signal::Signal;

use crate::common::programs::{sallyport, system};
use crate::common::proxy::Setup;
use crate::common::{ALLOW_ALL, Origin};

/// To 1956, as seen from today.
const BACK: &str = "-70y";

/// Before 1970, what counts seconds from there must not panic: not at the start, not in a request, not at a
/// reload.
#[test]
fn a_clock_before_1970_stops_nothing() {
    let Some(faketime) = system("faketime") else {
        return;
    };
    // It would run a child, which signals do not reach: what it preloads will do.
    let preload = Command::new(faketime)
        .args(["-f", BACK, "printenv", "LD_PRELOAD"])
        .output()
        .unwrap();
    let preload = String::from_utf8(preload.stdout).unwrap();
    let setup = Setup::new();
    ALLOW_ALL.compile(&setup.path("rules.spb"));
    let mut command = sallyport();
    command
        .env("LD_PRELOAD", preload.trim())
        .env("FAKETIME", BACK)
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let mut proxy = setup.start_with(&mut command);
    let origin = Origin::start();
    for _ in 0..2 {
        let response = proxy.connection().get(&origin.url("/bytes/3"));
        assert_eq!(response.status, 200);
        proxy.signal(Signal::SIGHUP);
        proxy.wait_message("the reload", |_, text| text.starts_with("reloaded"));
    }
    let line = proxy.log.transactions(2).remove(0);
    assert!(
        line["ts"]
            .as_str()
            .unwrap()
            .starts_with("1970-01-01T00:00:00"),
        "{line}"
    );
}
