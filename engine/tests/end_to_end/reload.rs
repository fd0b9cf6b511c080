//! New rules and configuration while it runs: nothing is dropped, nothing bad is taken up.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::common::proxy::Setup;
use crate::common::wait::wait_for;
use crate::common::{ALLOW_ALL, Origin, Proxy, Rules};
use crate::operation::held_origin;

const DENY_ALL: Rules<'_> =
    Rules("[defaults]\npre_dns = \"deny\"\npre_request = \"allow\"\npost_response = \"allow\"\n");

/// New rules for the next request of each connection; what is in flight ends as it began.
#[test]
fn sighup_swaps_rules_without_dropping_anything() {
    let mut proxy = Setup::new().key("shards", "2").start(ALLOW_ALL);
    let origin = Origin::start();
    let (held, release) = held_origin();
    let mut idle = proxy.connection();
    assert_eq!(idle.get(&origin.url("/")).status, 200);
    let before = proxy.log.transaction();
    let mut busy = proxy.connection();
    busy.send(format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\n\r\n",
        held.url("/"),
        held.address
    ));
    held.requests(1);
    busy.head();
    DENY_ALL.compile(&proxy.bundle());
    proxy.signal(Signal::SIGHUP);
    let message = proxy.wait_message("the reload", |_, text| text.starts_with("reloaded"));
    // Each shard takes it up at its next tick.
    let refused = wait_for("the new rules", || {
        let response = idle.get(&origin.url("/"));
        (response.status == 403).then_some(response)
    });
    assert!(!refused.says_close(), "the connection goes on");
    release.send(()).unwrap();
    assert_eq!(
        busy.bytes(8),
        b"halfhalf",
        "the response in flight was finished"
    );
    wait_for("the new rules on the other connection", || {
        (busy.get(&origin.url("/")).status == 403).then_some(())
    });
    let lines = wait_for("the line of the request that was in flight", || {
        let lines = proxy.log.of("transaction");
        let has_it = lines.iter().any(|line| line["port"] == held.port());
        has_it.then_some(lines)
    });
    for line in &lines {
        // It ended under the rules that it began with.
        let is_old = line["status"] == 200;
        let bundle = if is_old { &before } else { &message };
        assert_eq!(line["bundle"], bundle["bundle"], "{line}");
    }
    assert_ne!(message["bundle"], before["bundle"]);
}

#[test]
fn a_bad_bundle_is_refused_and_the_old_one_stays() {
    let mut proxy = Proxy::open();
    let origin = Origin::start();
    let good = std::fs::read(proxy.bundle()).unwrap();
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let corrupt = [
        good[..good.len() - 1].to_vec(),
        flipped,
        b"not a bundle".to_vec(),
        Vec::new(),
    ];
    let mut client = proxy.connection();
    for (index, bytes) in corrupt.iter().enumerate() {
        replace(&proxy.bundle(), bytes);
        proxy.signal(Signal::SIGHUP);
        wait_for("the refusal", || {
            let lines = proxy.process.lines();
            let refusals = lines.iter().filter(|line| line.contains("reload refused"));
            (refusals.count() > index).then_some(())
        });
        assert_eq!(client.get(&origin.url("/")).status, 200);
    }
    proxy.wait_message("an error", |level, text| {
        level == "ERROR" && text.contains("not a usable bundle")
    });
    // And a good one is taken up again.
    DENY_ALL.compile(&proxy.bundle());
    proxy.signal(Signal::SIGHUP);
    wait_for("the new rules", || {
        (client.get(&origin.url("/")).status == 403).then_some(())
    });
}

/// A file that another takes the place of, as `sallyport-rules compile` does it.
fn replace(path: &Path, bytes: &[u8]) {
    let new = path.with_extension("new");
    std::fs::write(&new, bytes).unwrap();
    std::fs::rename(new, path).unwrap();
}

#[test]
fn a_replaced_ruleset_is_noticed() {
    let proxy = Proxy::open();
    let origin = Origin::start();
    let mut client = proxy.connection();
    assert_eq!(client.get(&origin.url("/")).status, 200);
    DENY_ALL.compile(&proxy.bundle());
    wait_for("the new rules", || {
        (client.get(&origin.url("/")).status == 403).then_some(())
    });
}

/// A changed configuration is taken up as well; a wrong one changes nothing.
#[test]
fn sighup_reads_the_configuration_again() {
    let mut proxy = Proxy::open();
    let origin = Origin::start();
    let config = proxy.folder().join("sallyport.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let mut client = proxy.connection();
    std::fs::write(&config, format!("nonsense = 1\n{text}")).unwrap();
    proxy.signal(Signal::SIGHUP);
    proxy.wait_message("the refusal", |level, text| {
        level == "ERROR" && text.contains("nonsense") && text.contains("sallyport.toml")
    });
    assert_eq!(client.get(&origin.url("/")).status, 200);
    std::fs::write(
        &config,
        text.replace("guard.allow = [\"127.0.0.0/8\"]", "guard.allow = []"),
    )
    .unwrap();
    proxy.signal(Signal::SIGHUP);
    wait_for("the new guard", || {
        (client.get(&origin.url("/")).status == 403).then_some(())
    });
}

/// A reload each few milliseconds under load: not one request fails.
#[test]
fn reloads_under_load_lose_nothing() {
    let mut proxy = Setup::new().key("shards", "2").start(ALLOW_ALL);
    let origin = Origin::start();
    let running = &proxy;
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = running.connection();
                    for _ in 0..150 {
                        assert_eq!(client.get(&origin.url("/bytes/100")).status, 200);
                    }
                })
            })
            .collect();
        while clients.iter().any(|client| !client.is_finished()) {
            running.signal(Signal::SIGHUP);
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    for _ in 0..3 {
        proxy.wait_message("a reload", |_, text| text.starts_with("reloaded"));
    }
    assert!(
        proxy
            .log
            .transactions(900)
            .iter()
            .all(|line| line["status"] == 200)
    );
}
