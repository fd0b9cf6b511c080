//! Smuggling and malformed heads: each vector of `data/hostile_requests.txt` is refused with its
//! status, on a connection that then ends, with one line in the log, and reaches no origin.

use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::{Proxy, ScriptedOrigin};
use crate::vectors::{Vector, parse_vectors};

#[test]
fn ambiguous_requests_reach_no_origin() {
    let vectors = parse_vectors(include_str!("data/hostile_requests.txt"));
    assert!(vectors.len() > 70);
    let proxy = Proxy::open();
    let failures: Vec<String> = vectors
        .iter()
        .enumerate()
        .filter_map(|(index, vector)| check(&proxy, vector, index).err())
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {}:\n{}",
        failures.len(),
        vectors.len(),
        failures.join("\n")
    );
}

fn check(proxy: &Proxy, vector: &Vector, index: usize) -> Result<(), String> {
    let origin = ScriptedOrigin::start(|mut accepted, notebook| {
        // A malformed body is found when its head has gone on; a whole request must not arrive.
        let request = accepted.request();
        notebook.note(request);
    });
    let bytes = vector.bytes(&origin.address.to_string());
    let mut client = proxy.connection();
    client.send_in_vain(&bytes);
    let response = client.response();
    let line = proxy.log.transactions(index + 1).remove(index);
    let name = &vector.name;
    let wrong = |what: &str| Err(format!("{name}: {what}\n  {response:?}\n  {line}"));
    if response.status != vector.status {
        return wrong(&format!("expected {}", vector.status));
    }
    if response.proxy_error().as_deref() != Some("http_request_error") || !response.says_close() {
        return wrong("expected http_request_error and Connection: close");
    }
    let (rest, _) = client.rest();
    if !rest.is_empty() {
        return wrong(&format!(
            "the connection goes on: {:?}",
            String::from_utf8_lossy(&rest)
        ));
    }
    if line["detail"].as_str().is_none_or(str::is_empty) || response.transaction() != line["txn"] {
        return wrong("expected the reason and the transaction in the log");
    }
    assert_fields(
        &line,
        &json!({ "status": vector.status, "error": "http_request_error" }),
    );
    let is_body_fault = !vector.is_head_fault();
    if !is_body_fault && origin.connections() > 0 {
        return wrong("something reached the origin");
    }
    if !origin.requests(0).is_empty() {
        return wrong("a whole request reached the origin");
    }
    Ok(())
}

/// Values from the network cannot make a second line, or a second field, in the log.
#[test]
fn the_log_cannot_be_injected_into() {
    let proxy = Proxy::open();
    let origin = ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let (authority, url) = (origin.address, origin.url("/a\",\"status\":1,\"x\":\""));
    let mut client = proxy.connection();
    client.send(format!(
        "GET {url} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: a\"}}\\n\t{{\"event\":\"transaction\"\u{e9}\u{2028}\r\n\r\n"
    ));
    let status = client.response().status;
    let line = proxy.log.transaction();
    assert_eq!(line["status"], status, "{line}");
    assert!(
        line["user_agent"]
            .as_str()
            .is_none_or(|agent| agent.contains("event")),
        "{line}"
    );
}

/// Whoever sends one bad request gets an answer to the good one before it.
#[test]
fn a_bad_request_does_not_spoil_the_good_one_before() {
    let proxy = Proxy::open();
    let origin = ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let (authority, url) = (origin.address, origin.url("/"));
    let mut client = proxy.connection();
    client.send(format!(
        "GET {url} HTTP/1.1\r\nHost: {authority}\r\n\r\nGET {url} HTTP/1.1\r\nHost : {authority}\r\n\r\n\
         GET {url} HTTP/1.1\r\nHost: {authority}\r\n\r\n"
    ));
    assert_eq!(client.response().status, 200);
    assert_eq!(client.response().status, 400);
    client.assert_closed();
    proxy.log.transactions(2);
    assert_eq!(origin.requests(1).len(), 1);
}
