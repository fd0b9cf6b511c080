//! Forms of messages: versions, methods, upgrades with content, dates, and faults that are found before
//! the client has seen anything.

use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::wait::wait_for;
use crate::common::{Proxy, ScriptedOrigin};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// RFC 9110 section 2.5: a later minor version is served as the highest that is known.
#[test]
fn versions() {
    let proxy = Proxy::open();
    let origin = ScriptedOrigin::answering(OK);
    let (url, host) = (origin.url("/"), origin.address);
    let mut client = proxy.connection();
    for (index, version) in ["1.2", "1.9"].into_iter().enumerate() {
        client.send(format!("GET {url} HTTP/{version}\r\nHost: {host}\r\n\r\n"));
        assert_eq!(client.response().body, b"ok", "{version}");
        let line = proxy.log.transactions(index + 1).remove(index);
        assert_fields(&line, &json!({ "http_version": "1.1" }));
    }
    let seen = origin.requests(2).remove(1);
    assert!(seen.line.ends_with(" HTTP/1.1"), "{}", seen.line);
    for (start, status) in [
        (format!("GET {url} HTTP/1.22"), 400),
        (format!("GET {url} HTTP/1"), 400),
        (format!("GET {url} HTTP/2"), 400),
        (format!("GET {url} HTTP/0.9"), 400),
        (format!("GET {url} HTTP/2.0"), 505),
        (format!("GET {url}"), 400),
        (format!("{} {url} HTTP/1.1", "M".repeat(100_000)), 501),
        (format!("GET {url}{} HTTP/1.1", "x".repeat(100_000)), 414),
    ] {
        let mut client = proxy.connection();
        client.send_in_vain(format!("{start}\r\nHost: {host}\r\n\r\n"));
        let response = client.response();
        response.assert_refusal(status, "http_request_error");
        assert!(response.says_close(), "{response:?}");
    }
    let lines = proxy.log.transactions(10);
    assert_fields(&lines[8], &json!({ "detail": "method too long" }));
}

/// A response in a later version is one of HTTP/1.1.
#[test]
fn versions_of_origins() {
    let proxy = Proxy::open();
    for (version, status) in [("1.2", 200), ("1.10", 502), ("2.0", 502), ("0.9", 502)] {
        let answer = format!("HTTP/{version} 200 OK\r\nContent-Length: 2\r\n\r\nok");
        let origin = ScriptedOrigin::answering(answer);
        let response = proxy.connection().get(&origin.url("/"));
        assert_eq!(response.status, status, "{version}");
        assert_eq!(response.version, "HTTP/1.1");
    }
}

/// What an upgraded connection would begin with, the rest of the content or the other protocol, nobody
/// could tell: the wish is dropped and the request served.
#[test]
fn an_upgrade_with_content_is_dropped() {
    let proxy = Proxy::open();
    let origin = ScriptedOrigin::answering(OK);
    let cases = [
        ("Content-Length: 2\r\n\r\nhi", false),
        ("Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false),
        ("Content-Length: 0\r\n\r\n", true),
    ];
    for (index, (framing, passes)) in cases.into_iter().enumerate() {
        let mut client = proxy.connection();
        client.send(format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: upgrade\r\nUpgrade: websocket\r\n{framing}",
            origin.url("/"),
            origin.address
        ));
        assert_eq!(client.response().body, b"ok");
        let seen = origin.requests(1).pop().unwrap();
        assert_eq!(seen.header("upgrade").is_some(), passes, "{framing:?}");
        let proto = if passes { "ws" } else { "http" };
        let line = proxy.log.transactions(index + 1).remove(index);
        assert_fields(&line, &json!({ "proto": proto }));
    }
}

/// RFC 9110 section 6.6.1.
#[test]
fn a_response_without_a_date_gets_one() {
    let proxy = Proxy::open();
    let origin = ScriptedOrigin::answering(OK);
    let date = proxy
        .connection()
        .get(&origin.url("/"))
        .header("date")
        .unwrap();
    let is_form = date.len() == 29 && date.ends_with(" GMT") && date.contains(", ");
    assert!(is_form, "{date}");
    let own = "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:01 GMT\r\nContent-Length: 0\r\n\r\n";
    let origin = ScriptedOrigin::answering(own);
    let date = proxy.connection().get(&origin.url("/")).header("date");
    assert_eq!(date.as_deref(), Some("Thu, 01 Jan 1970 00:00:01 GMT"));
}

/// A chunk that is malformed and came with the head: the client has seen nothing, and is told.
#[test]
fn a_fault_that_is_found_before_the_head_was_sent_is_a_502() {
    let proxy = Proxy::open();
    let bodies = [
        "xyz\r\n",
        "2\r\nokxx",
        "ffffffffffffffffff\r\n",
        "2\r\nok\r\n0\r\nbad trailer\r\n\r\n",
    ];
    for (index, body) in bodies.into_iter().enumerate() {
        let origin = ScriptedOrigin::answering_once(format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
        ));
        let mut client = proxy.connection();
        let response = client.get(&origin.url("/"));
        response.assert_refusal(502, "http_protocol_error");
        // Lines of two shards have no order: those of the good requests may be later.
        let line = wait_for("the line of the bad response", || {
            let lines = proxy.log.of("transaction").into_iter();
            lines.filter(|line| line["status"] == 502).nth(index)
        });
        assert_fields(
            &line,
            &json!({ "error": "http_protocol_error", "status": 502 }),
        );
        // The connection with the client goes on.
        let good = ScriptedOrigin::answering(OK);
        assert_eq!(client.get(&good.url("/")).body, b"ok");
    }
}
