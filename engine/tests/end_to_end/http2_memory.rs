//! What streams hold that nobody takes: it counts against `limits.buffer_bytes`, and is given up there.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::programs::python_with;
use crate::common::proxy::Setup;
use crate::common::{ALLOW_ALL, Origin, Proxy};

const MIB: u64 = 1024 * 1024;

/// A number of bytes that the kernel tells of a process.
fn status_bytes(proxy: &Proxy, what: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", proxy.process.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with(what));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.unwrap().parse::<u64>().unwrap() * 1024
}

/// How much a proxy with a budget of 8 MiB grows while 64 MiB are sent to it that nobody takes.
fn growth(direction: &str, connections: &str, streams: &str) -> Option<u64> {
    let python = python_with(&["hpack"])?;
    let proxy = Setup::new()
        .one_shard()
        .host("a.test", "127.0.0.1")
        .key("limits.buffer_bytes", "\"8MiB\"")
        // All come from one address.
        .key("limits.client_share", "100")
        .start(ALLOW_ALL);
    let before = status_bytes(&proxy, "VmHWM:");
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/end_to_end/data");
    let mut script = Command::new(python)
        .arg("-B")
        .arg(data.join("http2_stalled.py"))
        .args([&*proxy.address.to_string(), "a.test", direction])
        .args([connections, streams])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut output = BufReader::new(script.stdout.take().unwrap());
    output.read_line(&mut said).unwrap();
    assert_eq!(said, "held\n");
    let grown = status_bytes(&proxy, "VmHWM:").saturating_sub(before);
    // Others are served meanwhile.
    let origin = Origin::start();
    let url = format!("http://a.test:{}/", origin.port());
    let mut other = proxy.connection();
    other.send(format!(
        "GET {url} HTTP/1.1\r\nHost: a.test:{}\r\n\r\n",
        origin.port()
    ));
    assert_eq!(other.response().status, 200);
    drop(script.stdin.take());
    script.wait().unwrap();
    let lines = proxy.log.of("transaction");
    let given_up = lines.iter().filter(|line| {
        let detail = line["detail"].as_str();
        detail.is_some_and(|detail| detail.starts_with("over limits.buffer_bytes"))
    });
    assert!(given_up.count() > 50, "{direction}");
    Some(grown)
}

#[test]
fn uploads_that_no_origin_takes_are_bounded() {
    // A connection of a client may send 1 MiB.
    if let Some(grown) = growth("up", "64", "4") {
        assert!(grown < 24 * MIB, "grew by {grown} bytes");
    }
}

#[test]
fn responses_that_no_client_takes_are_bounded() {
    if let Some(grown) = growth("down", "4", "64") {
        assert!(grown < 24 * MIB, "grew by {grown} bytes");
    }
}
