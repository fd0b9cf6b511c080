//! Content of requests that comes slowly or not at all, and conversations, in which that is nothing bad.

use std::path::{Path, PathBuf};
use std::thread::{self, sleep};
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::connection::End;
use crate::common::programs::node_with;
use crate::common::proxy::Setup;
use crate::common::{ALLOW_ALL, Connection, Proxy, ScriptedOrigin};
use crate::http2::run;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// How content is framed: what the head says, one piece of it, and its end.
struct Framing {
    field: &'static str,
    piece: &'static str,
    end: &'static str,
}

const DECLARED: Framing = Framing {
    field: "Content-Length: 120",
    piece: "sixsix",
    end: "",
};
const CHUNKED: Framing = Framing {
    field: "Transfer-Encoding: chunked",
    piece: "1\r\nx\r\n",
    end: "0\r\n\r\n",
};

fn data(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/end_to_end/data");
    folder.join(name)
}

fn start(upload_idle: &str, rate: &str) -> Proxy {
    Setup::new()
        .key("timeouts.upload_idle", &format!("\"{upload_idle}\""))
        .key("limits.upload_rate_min", &format!("\"{rate}\""))
        .start(ALLOW_ALL)
}

fn post(proxy: &Proxy, origin: &ScriptedOrigin, fields: &str) -> Connection {
    let mut client = proxy.connection();
    let (url, host) = (origin.url("/"), origin.address);
    client.send(format!(
        "POST {url} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n\r\n"
    ));
    client
}

/// At the beginning nothing pays for silence.
#[test]
fn uploads_that_stop_are_given_up() {
    for framing in [DECLARED, CHUNKED] {
        let origin = ScriptedOrigin::answering(OK);
        let proxy = start("300ms", "128B");
        let mut client = post(&proxy, &origin, framing.field);
        client.send(framing.piece);
        assert_eq!(client.response().status, 408, "{}", framing.field);
    }
}

/// A byte now and then does not keep an upload open for ever, and what keeps up the rate is not cut.
#[test]
fn uploads_keep_up_a_rate() {
    thread::scope(|scope| {
        for (rate, status) in [("1KiB", 408), ("20B", 200), ("0B", 200)] {
            scope.spawn(move || trickle(&DECLARED, rate, status));
            scope.spawn(move || trickle(&CHUNKED, rate, status));
        }
    });
}

/// Sends 30 bytes a second, for longer than nothing is asked of it.
fn trickle(framing: &Framing, rate: &str, status: u16) {
    let origin = ScriptedOrigin::answering(OK);
    let proxy = start("2s", rate);
    let mut client = post(&proxy, &origin, framing.field);
    for _ in 0..20 {
        sleep(Duration::from_millis(200));
        client.send_in_vain(framing.piece);
    }
    client.send_in_vain(framing.end);
    assert_eq!(client.response().status, status, "{rate} {}", framing.field);
}

/// What is made while it is sent may pause for as long as it was faster before; what was there may not.
#[test]
fn what_was_sent_before_pays_for_a_pause() {
    let chunked = "Transfer-Encoding: chunked";
    let (begin, rest) = ("190\r\n", "\r\n0\r\n\r\n");
    let cases = [
        ("Content-Length: 401", "", "x", 408),
        (chunked, begin, rest, 200),
    ];
    for (field, begin, rest, status) in cases {
        let origin = ScriptedOrigin::answering(OK);
        let proxy = start("300ms", "100B");
        let mut client = post(&proxy, &origin, field);
        client.send(format!("{begin}{}", "x".repeat(400)));
        sleep(Duration::from_millis(1000));
        client.send_in_vain(rest);
        assert_eq!(client.response().status, status, "{field}");
    }
}

/// The origin tells it to go on, which is written between two waits for it.
#[test]
fn who_is_told_to_go_on_and_does_not_is_given_up() {
    for field in ["Content-Length: 10", "Transfer-Encoding: chunked"] {
        let origin = ScriptedOrigin::start(|mut accepted, _| {
            accepted.connection.head();
            accepted.send("HTTP/1.1 100 Continue\r\n\r\n");
            accepted.connection.rest();
        });
        let proxy = start("500ms", "128B");
        let fields = format!("Expect: 100-continue\r\n{field}");
        let mut client = post(&proxy, &origin, &fields);
        assert_eq!(client.response().status, 100);
        assert_eq!(client.response().status, 408, "{field}");
    }
}

/// An answer that came early and whole leaves nothing to talk about.
#[test]
fn who_has_been_answered_must_end_its_upload() {
    for framing in [DECLARED, CHUNKED] {
        let origin = ScriptedOrigin::start(|mut accepted, _| {
            accepted.connection.head();
            accepted.send(OK);
            accepted.connection.rest();
        });
        let proxy = start("2s", "128B");
        let mut client = post(&proxy, &origin, framing.field);
        client.send(framing.piece);
        assert_eq!(client.response().status, 200);
        let (received, end) = client.rest();
        assert!(received.is_empty(), "{received:?}");
        assert!(matches!(end, End::Closed | End::Reset));
    }
}

/// Both sides may be silent once the response has begun, and the client may then say little.
#[test]
fn a_conversation_may_be_silent() {
    let origin = ScriptedOrigin::start(|mut accepted, _| {
        accepted.connection.head();
        accepted.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
        accepted
            .connection
            .bytes(3 * CHUNKED.piece.len() + CHUNKED.end.len());
        accepted.send("3\r\nbye\r\n0\r\n\r\n");
        accepted.connection.rest();
    });
    let proxy = start("2s", "1KiB");
    let mut client = post(&proxy, &origin, CHUNKED.field);
    client.send(CHUNKED.piece);
    let head = String::from_utf8(client.head()).unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    for _ in 0..2 {
        sleep(Duration::from_millis(2500));
        client.send(CHUNKED.piece);
    }
    client.send(CHUNKED.end);
    let body = "2\r\nhi\r\n3\r\nbye\r\n0\r\n\r\n";
    assert_eq!(client.bytes(body.len()), body.as_bytes());
}

/// HTTP/2 needs no framing to say nothing about the length. To an origin of HTTP/1.1 there is no gRPC, whatever the
/// client says.
#[test]
fn streams_of_http2_keep_up_the_rate_too() {
    let Some(mut node) = node_with("http2") else {
        return;
    };
    let (setup, pki) = Setup::intercepting();
    let identity = pki.origin(&["a.test"]);
    let proxy = setup
        .key("timeouts.upload_idle", "\"2s\"")
        .key("limits.upload_rate_min", "\"1KiB\"")
        .start(ALLOW_ALL);
    let output = node
        .env("NODE_EXTRA_CA_CERTS", pki.authority())
        .arg(data("http2_slow_uploads.js"))
        .arg(proxy.address.port().to_string())
        .arg("a.test")
        .args([&identity.certificate, &identity.key])
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(seen, json!({ "trickle": 408, "grpc": 408, "whole": 200 }));
}

/// Calls of gRPC in which the client has little to say, before the server has said anything and after.
#[test]
fn silent_calls_of_grpc_live_on() {
    let proxy = Setup::new()
        .key("timeouts.upload_idle", "\"300ms\"")
        .key("limits.upload_rate_min", "\"1KiB\"")
        .host("a.test", "127.0.0.1")
        .start(ALLOW_ALL);
    let Some(seen) = run("grpc_silence.py", &["grpc"], &[&proxy.url()]) else {
        return;
    };
    let expected = json!({ "client_streaming": 2, "bidirectional": ["ONE", "TWO"] });
    assert_eq!(seen, expected);
}
