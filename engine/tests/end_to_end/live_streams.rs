//! Connections that are silent for long and alive, and those whose other end is gone.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::connection::End;
use crate::common::proxy::Setup;
use crate::common::vanishing::{VanishingOrigin, vanish_after};
use crate::common::{ALLOW_ALL, Origin, Proxy, ScriptedOrigin};
use crate::http2::run;

/// No timer of the proxy's own ends anything in these tests.
fn patient() -> Setup {
    Setup::new()
        .key("timeouts.body_idle", "\"1h\"")
        .key("timeouts.response", "\"1h\"")
        .key("tunnel.idle_timeout", "\"1h\"")
        .key("tcp.keepalive_idle", "\"1s\"")
        .key("tcp.keepalive_interval", "\"1s\"")
}

/// An origin that says that it is at work is waited for.
#[test]
fn interim_responses_extend_the_wait() {
    let origin = ScriptedOrigin::start(|mut accepted, _| {
        accepted.request();
        for _ in 0..6 {
            sleep(Duration::from_millis(300));
            accepted.send("HTTP/1.1 103 Early Hints\r\n\r\n");
        }
        accepted.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    let proxy = Setup::new()
        .key("timeouts.response", "\"1s\"")
        .start(ALLOW_ALL);
    let mut client = proxy.connection();
    let mut response = client.get(&origin.url("/"));
    while response.status == 103 {
        response = client.response();
    }
    assert_eq!(response.status, 200);
}

/// No timer of ours is due: the kernel ends a connection on which nothing that was sent arrives, here since
/// its window is closed.
#[test]
fn what_is_not_taken_ends_when_the_kernel_is_told_so() {
    let origin = Origin::start();
    let proxy = patient().key("tcp.user_timeout", "\"1s\"").start(ALLOW_ALL);
    let mut client = proxy.connection();
    let (url, host) = (origin.url("/bytes/100000000"), origin.address);
    client.send(format!("GET {url} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    let line = proxy.log.transaction();
    let broken = json!({ "status": 200, "error": "connection_terminated" });
    assert_fields(&line, &broken);
    drop(client);
}

/// An origin whose machine forgot a stream: the kernel asks, and the client learns of it.
#[test]
fn an_origin_that_vanishes_within_a_stream_is_noticed() {
    let Some(origin) = VanishingOrigin::start() else {
        return;
    };
    let proxy = patient().start(ALLOW_ALL);
    let mut client = proxy.connection();
    let (url, port) = (origin.url("/stream"), origin.port);
    client.send(format!(
        "GET {url} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
    ));
    let (received, end) = client.rest();
    let received = String::from_utf8(received).unwrap();
    assert!(received.contains("data: 1"), "{received}");
    assert!(!received.ends_with("0\r\n\r\n"), "{received}");
    assert!(matches!(end, End::Closed | End::Reset));
    let expected = json!({ "status": 200, "error": "connection_terminated" });
    assert_fields(&proxy.log.transaction(), &expected);
}

/// A client whose machine forgot it, in a stream, in a tunnel, and between two requests.
#[test]
fn a_client_that_vanishes_is_noticed() {
    let origin = ScriptedOrigin::start(|mut accepted, _| {
        accepted.request();
        accepted.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
        // Until the proxy ends it.
        accepted.connection.rest();
    });
    let host = origin.address;
    let stream = format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let inside = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let tunnel = format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n{inside}");
    for (text, lines) in [(stream, 1), (tunnel, 2)] {
        let proxy = patient().start(ALLOW_ALL);
        if !vanish_after(proxy.address.port(), &text) {
            return;
        }
        for line in proxy.log.transactions(lines) {
            assert_fields(&line, &json!({ "status": 200 }));
        }
    }
}

/// PING asks who is silent with streams open, on both sides; who answers may go on being silent.
#[test]
fn http2_peers_that_do_not_answer_a_ping_are_given_up() {
    let proxy = patient()
        .key("http2.ping_interval", "\"300ms\"")
        .key("http2.ping_timeout", "\"700ms\"")
        .start(ALLOW_ALL);
    let Some(outcome) = run("http2_pings.py", &[], &[&proxy.address.port().to_string()]) else {
        return;
    };
    let expected = json!({ "alive": "done", "deaf origin": "reset", "deaf client": "closed" });
    assert_eq!(outcome, expected);
}

/// Memory runs short: streams that wait hold no buffers, so that others are served.
#[test]
fn silent_streams_hold_no_buffers_when_memory_runs_short() {
    let origin = ScriptedOrigin::start(|mut accepted, _| {
        accepted.request();
        accepted.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
        accepted.connection.rest();
    });
    let proxy = Setup::new()
        .key("limits.buffer_bytes", "\"4MiB\"")
        .start(ALLOW_ALL);
    let streams: Vec<_> = (0..400).map(|_| open_stream(&proxy, &origin)).collect();
    assert_eq!(streams.len(), 400);
}

fn open_stream(proxy: &Proxy, origin: &ScriptedOrigin) -> crate::common::Connection {
    let mut client = proxy.connection();
    let (url, host) = (origin.url("/"), origin.address);
    client.send(format!("GET {url} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    let started = Instant::now();
    let head = String::from_utf8(client.head()).unwrap();
    assert!(
        head.starts_with("HTTP/1.1 200"),
        "{head} {:?}",
        started.elapsed()
    );
    client
}
