//! Origins that break the protocol: the client gets a 502, or sees that something is missing, and
//! never a byte that could be read in two ways.

use std::sync::{Arc, Barrier};

use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::connection::End;
use crate::common::{Proxy, ScriptedOrigin};
use crate::vectors::{Vector, parse_vectors};

#[test]
fn ambiguous_responses_reach_no_client() {
    let vectors = parse_vectors(include_str!("data/hostile_responses.txt"));
    assert!(vectors.len() > 25);
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
    let origin = ScriptedOrigin::answering_once(vector.bytes(""));
    let mut client = proxy.connection();
    let mut response = client.get(&origin.url("/"));
    while response.status < 200 {
        response = client.response();
    }
    let line = proxy
        .log
        .wait("transaction", 2 * index + 1)
        .remove(2 * index);
    let is_refusal = response.proxy_error().as_deref() == Some("http_protocol_error");
    if response.status != vector.status || !is_refusal || line["error"] != "http_protocol_error" {
        return Err(format!("{}: {response:?}\n  {line}", vector.name));
    }
    if response.header("set-cookie").is_some() || response.transaction() != line["txn"] {
        return Err(format!("{}: {response:?}\n  {line}", vector.name));
    }
    // The client did nothing wrong: its connection goes on.
    let good = ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.get(&good.url("/")).status, 200, "{}", vector.name);
    Ok(())
}

/// When the head has gone on, only the end of the connection can tell of the fault.
#[test]
fn faults_within_a_body_end_the_connection() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let cases = [
        ("5\r\nhello\r\nxyz\r\n", "http_protocol_error"),
        ("5\r\nhelloworld\r\n", "http_protocol_error"),
        ("5\r\nhello\n0\r\n\r\n", "http_protocol_error"),
        ("5\r\nhello\r\n-1\r\n", "http_protocol_error"),
        ("5\r\nhello\r\n10000000000000000\r\n", "http_protocol_error"),
        ("5\r\nhello\r\n0\r\nX A: 1\r\n\r\n", "http_protocol_error"),
        ("5\r\nhello\r\n", "connection_terminated"),
        ("5\r\nhel", "connection_terminated"),
    ];
    for (body, error) in cases {
        let proxy = Proxy::open();
        // The fault comes when the client has the begin already: before that it would be a 502.
        let begun = Arc::new(Barrier::new(2));
        let at_client = Arc::clone(&begun);
        let origin = ScriptedOrigin::start(move |mut accepted, _| {
            let (first, rest) = body.split_at(body.len().min(8));
            accepted.request();
            accepted.send(format!("{HEAD}{first}"));
            begun.wait();
            accepted.connection.send_in_vain(rest);
            accepted.connection.finish();
            accepted.connection.rest();
        });
        let mut client = proxy.connection();
        client.send(format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\n\r\n",
            origin.url("/"),
            origin.address
        ));
        client.head();
        at_client.wait();
        let (answer, _) = client.rest();
        assert!(
            !answer.ends_with(b"0\r\n\r\n"),
            "{body:?}: the client was told that it is whole"
        );
        assert_fields(
            &proxy.log.transaction(),
            &json!({ "status": 200, "error": error }),
        );
    }
}

/// More than was announced is no part of the response, and such a connection is not used again.
#[test]
fn surplus_bytes_are_dropped_with_their_connection() {
    let origin = ScriptedOrigin::start(|mut accepted, _| {
        accepted.request();
        accepted.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nX-Evil: 1\r\nContent-Length: 4\r\n\r\nevil");
        accepted.connection.rest();
    });
    let proxy = Proxy::open();
    let mut client = proxy.connection();
    for _ in 0..3 {
        let response = client.get(&origin.url("/"));
        assert_eq!(
            (response.header("x-evil"), &*response.body),
            (None, &b"ok"[..])
        );
    }
    assert_eq!(
        origin.connections(),
        3,
        "no connection with surplus bytes was reused"
    );
}

/// A response that nobody asked for, on a pooled connection, answers no later request.
#[test]
fn a_response_before_its_request_is_not_believed() {
    let (poison, poisoned) = std::sync::mpsc::channel::<()>();
    let poisoned = std::sync::Mutex::new(poisoned);
    let origin = ScriptedOrigin::start(move |mut accepted, notebook| {
        accepted.request();
        accepted.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood");
        if accepted.index == 0 {
            poisoned.lock().unwrap().recv().unwrap();
            accepted.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
            notebook.note(crate::common::origin::SeenRequest {
                line: "poisoned".into(),
                headers: vec![],
                body: vec![],
                trailers: vec![],
            });
        }
        accepted.connection.rest();
    });
    let proxy = Proxy::open();
    let mut client = proxy.connection();
    assert_eq!(client.get(&origin.url("/1")).body, b"good");
    poison.send(()).unwrap();
    origin.requests(1);
    assert_eq!(client.get(&origin.url("/2")).body, b"good");
    assert_eq!(origin.connections(), 2);
}

/// A length that the body does not reach is visible to the client.
#[test]
fn a_body_that_is_cut_short_is_seen_to_be() {
    let proxy = Proxy::open();
    let origin =
        ScriptedOrigin::answering_once("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
    let mut client = proxy.connection();
    client.send(format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\n\r\n",
        origin.url("/"),
        origin.address
    ));
    let (answer, end) = client.rest();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains("Content-Length: 100"), "{answer}");
    assert!(answer.ends_with("only this"), "{answer}");
    assert!(matches!(end, End::Closed | End::Reset));
    assert_fields(
        &proxy.log.transaction(),
        &json!({ "status": 200, "error": "connection_terminated" }),
    );
}
