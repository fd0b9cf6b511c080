//! Clients that are slow, many, greedy or gone.

use std::net::Shutdown;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::access_log::assert_fields;
use crate::common::proxy::Setup;
use crate::common::wait::wait_for;
use crate::common::{ALLOW_ALL, Origin, Proxy, ScriptedOrigin};

/// A slow head is cut by its deadline, however steadily it trickles.
#[test]
fn a_head_that_trickles_is_cut() {
    let proxy = Setup::new()
        .key("timeouts.head", "\"300ms\"")
        .start(ALLOW_ALL);
    let mut client = proxy.connection();
    let started = Instant::now();
    client
        .stream
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    client.send("GET http://a.test/ HTTP/1.1\r\nX: ");
    let mut byte = [0];
    while client.stream.peek(&mut byte).is_err() {
        client.send_in_vain("a");
        assert!(started.elapsed() < Duration::from_secs(10), "never cut");
    }
    client
        .stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let response = client.response();
    response.assert_refusal(408, "http_request_error");
    assert!(response.says_close());
    assert!(
        started.elapsed() >= Duration::from_millis(250),
        "{:?}",
        started.elapsed()
    );
    assert_fields(
        &proxy.log.transaction(),
        &json!({ "status": 408, "error": "http_request_error" }),
    );
}

/// Nothing was asked, so nothing is answered, and nothing is logged.
#[test]
fn idle_connections_end_silently() {
    let origin = Origin::start();
    let proxy = Setup::new()
        .key("timeouts.keep_alive", "\"200ms\"")
        .start(ALLOW_ALL);
    proxy.connection().assert_closed();
    let mut client = proxy.connection();
    assert_eq!(client.get(&origin.url("/")).status, 200);
    client.assert_closed();
    proxy.log.transactions(1);
}

#[test]
fn a_body_that_stalls_is_given_up() {
    let origin = ScriptedOrigin::start(|mut accepted, _| drop(accepted.connection.rest()));
    let proxy = Setup::new()
        .key("timeouts.body_idle", "\"250ms\"")
        .start(ALLOW_ALL);
    let (authority, url) = (origin.address, origin.url("/"));
    let mut client = proxy.connection();
    client.send(format!(
        "POST {url} HTTP/1.1\r\nHost: {authority}\r\nContent-Length: 100\r\n\r\nhalf"
    ));
    let response = client.response();
    assert_eq!(response.status, 408, "{response:?}");
    assert!(response.says_close());
    assert_fields(
        &proxy.log.transaction(),
        &json!({ "status": 408, "error": "http_request_error" }),
    );
}

/// A client that goes away within its request: one line, and the origin learns of it.
#[test]
fn clients_that_vanish_are_logged_and_their_origins_released() {
    let proxy = Proxy::open();
    let (authority, url) = ("a.test", "http://a.test/");
    // Within the head.
    let mut client = proxy.connection();
    client.send(format!("GET {url} HTTP/1.1\r\nHost: {authority}"));
    drop(client);
    let line = proxy.log.transaction();
    assert_eq!(line["error"], "http_request_error", "{line}");
    // Within the request body.
    let origin = ScriptedOrigin::start(|mut accepted, notebook| {
        accepted.connection.head();
        accepted.connection.rest();
        notebook.note(seen("released"));
    });
    let (authority, url) = (origin.address, origin.url("/"));
    let mut client = proxy.connection();
    client.send(format!(
        "POST {url} HTTP/1.1\r\nHost: {authority}\r\nContent-Length: 100\r\n\r\nhalf"
    ));
    drop(client);
    origin.requests(1);
    let line = proxy.log.transactions(2).remove(1);
    assert!(line["error"].is_string(), "{line}");
}

/// Within a response that is far larger than any buffer.
#[test]
fn a_download_that_nobody_reads_is_ended() {
    let proxy = Setup::new()
        .key("timeouts.body_idle", "\"250ms\"")
        .start(ALLOW_ALL);
    let origin = Origin::start();
    let (authority, url) = (origin.address, origin.url("/bytes/200000000"));
    // One that goes away.
    let mut client = proxy.connection();
    client.send(format!("GET {url} HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
    client.bytes(100_000);
    drop(client);
    let line = proxy.log.transaction();
    assert_fields(
        &line,
        &json!({ "status": 200, "error": "connection_terminated" }),
    );
    // One that stays but does not read.
    let mut client = proxy.connection();
    client.send(format!("GET {url} HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
    let line = proxy.log.transactions(2).remove(1);
    assert_fields(&line, &json!({ "status": 200 }));
    assert!(line["error"].is_string(), "{line}");
    assert!(line["bytes_down"].as_u64().unwrap() < 200_000_000);
    let (_, _) = client.rest();
}

fn seen(line: &str) -> crate::common::origin::SeenRequest {
    crate::common::origin::SeenRequest {
        line: line.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        trailers: Vec::new(),
    }
}

/// RFC 9112 section 9.6: a client that has finished sending still gets its answer.
#[test]
fn half_closed_clients_are_answered() {
    let (proxy, origin) = (Proxy::open(), Origin::start());
    let (authority, url) = (origin.address, origin.url("/bytes/1000?delay=50"));
    let mut client = proxy.connection();
    client.send(format!("GET {url} HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.response().body.len(), 1000);
    client.assert_closed();
}

#[test]
fn limits_on_connections() {
    let cases = [
        ("limits.connections", "2", 503),
        ("limits.connections_per_client", "2", 429),
    ];
    let origin = Origin::start();
    for (key, value, status) in cases {
        // Connections of the process are divided over the shards.
        let setup = Setup::new()
            .one_shard()
            .key("limits.connections_per_client", "2")
            .key("limits.tunnels_per_client", "2")
            .key(key, value);
        let proxy = setup.start(ALLOW_ALL);
        let mut held: Vec<_> = (0..2).map(|_| proxy.connection()).collect();
        for client in &mut held {
            assert_eq!(client.get(&origin.url("/")).status, 200);
        }
        let mut refused = proxy.connection();
        refused.send(format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\n\r\n",
            origin.url("/"),
            origin.address
        ));
        let response = refused.response();
        response.assert_refusal(status, "connection_limit_reached");
        assert!(response.header("retry-after").is_some(), "{response:?}");
        refused.rest();
        // One that ends makes room for another.
        held.pop();
        wait_for("room for another connection", || {
            let mut next = proxy.connection();
            (next.get(&origin.url("/")).status == 200).then_some(())
        });
    }
}

#[test]
fn limits_on_tunnels() {
    let proxy = Setup::new()
        .key("limits.tunnels_per_client", "1")
        .start(ALLOW_ALL);
    let origin = Origin::start();
    let authority = origin.address.to_string();
    let mut first = proxy.connection();
    first.connect(&authority).unwrap();
    let refusal = proxy.connection().connect(&authority).unwrap_err();
    refusal.assert_refusal(429, "connection_limit_reached");
    assert!(refusal.header("retry-after").is_some());
    drop(first);
    wait_for("room for another tunnel", || {
        proxy.connection().connect(&authority).ok()
    });
}

#[test]
fn limits_on_requests() {
    let proxy = Setup::new()
        .key("limits.requests_per_second_per_client", "5")
        .start(ALLOW_ALL);
    let origin = Origin::start();
    let mut client = proxy.connection();
    let responses: Vec<_> = (0..20).map(|_| client.get(&origin.url("/"))).collect();
    let refused: Vec<_> = responses
        .iter()
        .filter(|response| response.status == 429)
        .collect();
    // The second may turn over once or twice while they are sent.
    assert!(refused.len() >= 5, "{} of 20 refused", refused.len());
    assert!(
        responses
            .iter()
            .take(5)
            .all(|response| response.status == 200)
    );
    refused[0].assert_refusal(429, "connection_limit_reached");
    assert!(refused[0].header("retry-after").is_some());
    assert_eq!(
        origin.count().1,
        20 - refused.len() as u64,
        "refused requests stay here"
    );
}

/// At the limit no new request is read; what is under way goes on, and makes room when it ends.
#[test]
fn limits_on_buffers() {
    const BYTES: usize = 12_000_000;
    let proxy = Setup::new()
        .key("limits.buffer_bytes", "\"4MiB\"")
        .key("limits.client_share", "100")
        .start(ALLOW_ALL);
    let origin = Origin::start();
    // Downloads that nobody reads hold what has come and cannot go on.
    let mut held = Vec::new();
    let refusal = wait_for("the limit", || {
        let mut slow = proxy.connection();
        let url = origin.url(&format!("/bytes/{BYTES}"));
        let authority = origin.address;
        slow.send(format!("GET {url} HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
        held.push(slow);
        let response = proxy.connection().get(&origin.url("/"));
        (response.status != 200).then_some(response)
    });
    refusal.assert_refusal(503, "connection_limit_reached");
    assert!(refusal.header("retry-after").is_some());
    assert!(refusal.says_close());
    // Each holds what has come: one buffer at least, and at most a large one and one more.
    let downloads = held.len();
    assert!((25..=246).contains(&downloads), "{downloads} downloads");
    let refused = wait_for("the line of the refusal", || {
        let mut lines = proxy.log.of("transaction").into_iter();
        lines.find(|line| line["status"] == 503)
    });
    assert_eq!(refused["detail"], "over limits.buffer_bytes", "{refused}");
    // The last one may have been refused itself.
    let whole = held.swap_remove(0).response();
    assert_eq!((whole.status, whole.body.len()), (200, BYTES));
    drop(held);
    wait_for("room for another request", || {
        let response = proxy.connection().get(&origin.url("/"));
        (response.status == 200).then_some(())
    });
}

#[test]
fn limits_on_heads_are_configurable() {
    let proxy = Setup::new()
        .key("limits.head_bytes", "\"8KiB\"")
        .key("limits.uri_bytes", "300")
        .key("limits.headers", "16")
        .start(ALLOW_ALL);
    let origin = Origin::start();
    let authority = origin.address;
    let cases = [
        (format!("/{}", "a".repeat(400)), String::new(), 414),
        ("/".to_owned(), format!("X: {}\r\n", "a".repeat(9000)), 431),
        ("/".to_owned(), "X: 1\r\n".repeat(20), 431),
        ("/".to_owned(), "X: 1\r\n".repeat(10), 200),
    ];
    for (path, headers, status) in cases {
        let url = origin.url(&path);
        let mut client = proxy.connection();
        client.send_in_vain(format!(
            "GET {url} HTTP/1.1\r\nHost: {authority}\r\n{headers}\r\n"
        ));
        assert_eq!(client.response().status, status, "{path:.20} {headers:.20}");
    }
}

/// Many at once, on two shards: each gets its own answer, and each has its own line.
#[test]
fn many_clients_at_once() {
    const CLIENTS: usize = 40;
    const REQUESTS: usize = 15;
    let proxy = Setup::new().key("shards", "2").start(ALLOW_ALL);
    let origin = Origin::start();
    std::thread::scope(|scope| {
        for index in 0..CLIENTS {
            let (proxy, origin) = (&proxy, &origin);
            scope.spawn(move || {
                let mut client = proxy.connection();
                for request in 0..REQUESTS {
                    let bytes = index * 100 + request;
                    let response = client.get(&origin.url(&format!("/bytes/{bytes}")));
                    assert_eq!((response.status, response.body.len()), (200, bytes));
                }
            });
        }
    });
    let lines = proxy.log.transactions(CLIENTS * REQUESTS);
    let ids: std::collections::HashSet<_> =
        lines.iter().map(|line| line["txn"].to_string()).collect();
    assert_eq!(ids.len(), lines.len(), "ids are unique");
    assert!(
        lines
            .iter()
            .all(|line| line["status"] == 200 && line["error"] == Value::Null)
    );
}
