//! What streams hold that nobody takes: it counts against `limits.buffer_bytes`, and is given up there.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::programs::python_with;
use crate::common::proxy::Setup;
use crate::common::{ALLOW_ALL, Origin};

const MIB: u64 = 1024 * 1024;

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
    let before = proxy.process.memory_bytes("VmHWM:");
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
    let grown = proxy.process.memory_bytes("VmHWM:").saturating_sub(before);
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
