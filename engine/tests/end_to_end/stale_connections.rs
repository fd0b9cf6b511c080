//! Connections to origins that die before they answer: what is sent again, with its content, and what
//! is not.

use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::proxy::Setup;
use crate::common::vanishing::VanishingOrigin;
use crate::common::{ALLOW_ALL, Proxy, ScriptedOrigin};

/// Answers the first request of each connection; reads the second one and closes, if `takes` says so
/// for the number of the connection.
fn dying(takes: impl Fn(usize) -> bool + Send + Sync + 'static) -> ScriptedOrigin {
    ScriptedOrigin::start(move |mut accepted, notebook| {
        loop {
            let request = accepted.request();
            notebook.note(request);
            accepted.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            if !accepted.has_more() {
                return;
            }
            if takes(accepted.index) {
                let request = accepted.request();
                notebook.note(request);
                return;
            }
        }
    })
}

/// A request and the content that arrives.
fn with_content(method: &str, url: &str, content: &[u8], is_chunked: bool) -> Vec<u8> {
    let head = match is_chunked {
        true => "Transfer-Encoding: chunked".to_owned(),
        false => format!("Content-Length: {}", content.len()),
    };
    let mut text = format!("{method} {url} HTTP/1.1\r\nHost: h\r\n{head}\r\n\r\n").into_bytes();
    let host = url.strip_prefix("http://").unwrap();
    let host = host.split('/').next().unwrap();
    let at = text.windows(7).position(|part| part == b"Host: h").unwrap();
    text.splice(at..at + 7, format!("Host: {host}").into_bytes());
    if !is_chunked {
        text.extend_from_slice(content);
        return text;
    }
    for chunk in content.chunks(7_000) {
        text.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        text.extend_from_slice(chunk);
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"0\r\n\r\n");
    text
}

fn exchange(proxy: &Proxy, origin: &ScriptedOrigin, request: &[u8]) -> u16 {
    let mut client = proxy.connection();
    assert_eq!(client.get(&origin.url("/first")).status, 200);
    client.send(request);
    client.response().status
}

/// RFC 9110 section 9.2.2: PUT and DELETE are idempotent; what was sent of them is kept.
#[test]
fn content_of_what_is_idempotent_is_sent_again() {
    for method in ["PUT", "DELETE"] {
        for (bytes, is_chunked) in [(1, false), (5, true), (60_000, false), (60_000, true)] {
            let content: Vec<u8> = (0_u8..251).cycle().take(bytes).collect();
            let origin = dying(|index| index == 0);
            let proxy = Proxy::open();
            let request = with_content(method, &origin.url("/"), &content, is_chunked);
            assert_eq!(exchange(&proxy, &origin, &request), 200, "{method} {bytes}");
            let seen = origin.requests(3);
            assert_eq!(seen.len(), 3);
            for again in &seen[1..] {
                assert!(again.line.starts_with(method), "{}", again.line);
                assert!(again.body == content, "{method} {bytes} {is_chunked}");
            }
            let line = proxy.log.transactions(2).remove(1);
            assert_fields(&line, &json!({ "status": 200, "upstream_reused": false }));
        }
    }
}

/// What an origin has read may have been done: a POST is not sent twice.
#[test]
fn a_request_that_may_have_been_processed_is_not_sent_again() {
    let origin = dying(|index| index == 0);
    let proxy = Proxy::open();
    let request = with_content("POST", &origin.url("/"), b"order", false);
    assert_eq!(exchange(&proxy, &origin, &request), 502);
    assert_eq!(origin.requests(2).len(), 2);
    assert_eq!(origin.connections(), 1);
    let line = proxy.log.transactions(2).remove(1);
    let expected = json!({ "status": 502, "error": "connection_terminated" });
    assert_fields(&line, &expected);
}

/// The bound of `http.retry_body_bytes`, at it and one past it.
#[test]
fn only_so_much_content_is_kept() {
    for (kept, bytes, status) in [("1000B", 1000, 200), ("1000B", 1001, 502), ("0B", 1, 502)] {
        let origin = dying(|index| index == 0);
        let proxy = Setup::new()
            .key("http.retry_body_bytes", &format!("\"{kept}\""))
            .start(ALLOW_ALL);
        let request = with_content("PUT", &origin.url("/"), &vec![b'x'; bytes], false);
        assert_eq!(
            exchange(&proxy, &origin, &request),
            status,
            "{kept} {bytes}"
        );
    }
}

/// An origin that has begun to answer has begun to process.
#[test]
fn after_an_interim_response_nothing_is_sent_again() {
    let origin = ScriptedOrigin::start(|mut accepted, notebook| {
        loop {
            let request = accepted.request();
            let is_put = request.line.starts_with("PUT");
            notebook.note(request);
            if is_put {
                accepted.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
                return;
            }
            accepted.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    let proxy = Proxy::open();
    let mut client = proxy.connection();
    assert_eq!(client.get(&origin.url("/first")).status, 200);
    client.send(with_content("PUT", &origin.url("/"), b"x", false));
    assert_eq!(client.response().status, 103);
    assert_eq!(client.response().status, 502);
    assert_eq!(origin.connections(), 1);
}

/// A POST on a connection that its origin had closed: no byte of it was received, so it is sent again.
#[test]
fn what_no_byte_has_arrived_of_is_sent_again() {
    let Some(origin) = VanishingOrigin::start() else {
        return;
    };
    let proxy = Setup::new()
        .key("pool.non_idempotent_idle", "\"10s\"")
        .start(ALLOW_ALL);
    let requests = [(0, false), (5, false), (50_000, false)];
    for (number, (bytes, is_chunked)) in (1..).zip(requests) {
        let mut client = proxy.connection();
        assert_eq!(client.get(&origin.url("/vanish")).status, 200);
        origin.wait_vanished(number);
        let content = vec![b'x'; bytes];
        client.send(with_content(
            "POST",
            &origin.url("/order"),
            &content,
            is_chunked,
        ));
        let response = client.response_to("POST");
        assert_eq!(response.status, 200, "{bytes} {response:?}");
        assert_eq!(response.body.len(), "POST /order ".len() + bytes);
    }
}

/// A request that is not idempotent takes a connection that idled for a moment, and no other.
#[test]
fn what_is_not_idempotent_goes_where_the_origin_was_heard_of_lately() {
    for (idle, connections) in [("10s", 1), ("0s", 2)] {
        let origin = ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        let proxy = Setup::new()
            .one_shard()
            .key("pool.non_idempotent_idle", &format!("\"{idle}\""))
            .start(ALLOW_ALL);
        let request = with_content("POST", &origin.url("/"), b"order", false);
        assert_eq!(exchange(&proxy, &origin, &request), 200);
        assert_eq!(origin.connections(), connections, "{idle}");
        // What is idempotent takes any.
        let mut client = proxy.connection();
        assert_eq!(client.get(&origin.url("/")).status, 200);
        assert_eq!(origin.connections(), connections, "{idle}");
    }
}
