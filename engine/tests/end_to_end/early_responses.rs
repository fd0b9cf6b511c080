//! Responses that begin, or end, before all content of their request was sent: the connection of the
//! client goes on where nothing of it can be misread.

use std::time::Duration;

use crate::common::{Proxy, ScriptedOrigin};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A POST of `length` bytes whose second half is sent when the response has come.
fn post_in_halves(proxy: &Proxy, origin: &ScriptedOrigin, length: usize) -> (bool, Vec<u8>) {
    let mut client = proxy.connection();
    client.send(format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Length: {length}\r\n\r\n{}",
        origin.url("/"),
        origin.address,
        "x".repeat(length / 2)
    ));
    let response = client.response();
    assert_eq!(response.status, 200);
    if response.says_close() {
        client.assert_closed();
        return (false, response.body);
    }
    // It must be read as content, and the request behind it as a request.
    let rest = "GET http://evil.test/ HTTP/1.1\r\n\r\n".repeat(length / 2 / 33 + 1);
    client.send(&rest[..length - length / 2]);
    let next = client.get(&origin.url("/next"));
    assert_eq!(next.status, 200, "{next:?}");
    (true, response.body)
}

/// An origin that answers as soon as it sees a head and reads on: so do echo servers, and many that
/// authenticate first.
#[test]
fn both_connections_go_on() {
    let proxy = Proxy::open();
    for whole in [true, false] {
        let origin = ScriptedOrigin::start(move |mut accepted, notebook| {
            let head = String::from_utf8(accepted.connection.head()).unwrap();
            let answer = if whole {
                OK
            } else {
                "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok"
            };
            accepted.send(answer);
            let length = head.split("Content-Length: ").nth(1).unwrap();
            let length = length.split("\r\n").next().unwrap().parse().unwrap();
            if whole {
                accepted.connection.bytes(length);
            } else {
                accepted.connection.bytes(length / 2);
                accepted.send("ok");
                accepted.connection.bytes(length - length / 2);
            }
            let next = accepted.request();
            notebook.note(next);
            accepted.send(OK);
            accepted.connection.rest();
        });
        let (kept, _) = post_in_halves(&proxy, &origin, 100_000);
        assert!(kept, "whole = {whole}");
        assert_eq!(origin.requests(1)[0].line, "GET /next HTTP/1.1");
        assert_eq!(origin.connections(), 1);
    }
}

/// One that answers and closes without a word: what the client still sends is dropped, if it is little.
#[test]
fn an_origin_that_closes_costs_the_client_nothing() {
    let proxy = Proxy::open();
    let origin = ScriptedOrigin::start(|mut accepted, _| {
        accepted.connection.head();
        accepted.send(OK);
        accepted.connection.finish();
        if accepted.index == 0 {
            return;
        }
        accepted.connection.rest();
    });
    assert!(post_in_halves(&proxy, &origin, 10_000).0);
}

/// One that says so: the client is told, and need not send the rest.
#[test]
fn an_origin_that_says_close_ends_both() {
    let proxy = Proxy::open();
    let origin = ScriptedOrigin::start(|mut accepted, _| {
        accepted.connection.head();
        accepted.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
        accepted.connection.finish();
        accepted.connection.rest();
    });
    assert!(!post_in_halves(&proxy, &origin, 100_000).0);
}

/// A client that waits for 100 and gets a final response may send its content or not: nobody can tell
/// what comes next.
#[test]
fn a_client_that_was_not_told_to_go_on_is_closed() {
    let proxy = Proxy::open();
    for (interim, closes) in [("", true), ("HTTP/1.1 100 Continue\r\n\r\n", false)] {
        let origin = ScriptedOrigin::start(move |mut accepted, _| {
            accepted.connection.head();
            accepted.send(interim).send(OK);
            accepted.connection.rest();
        });
        let mut client = proxy.connection();
        client.send(format!(
            "PUT {} HTTP/1.1\r\nHost: {}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
            origin.url("/"),
            origin.address
        ));
        if !closes {
            assert_eq!(client.response().status, 100);
        }
        assert_eq!(client.response().says_close(), closes, "{interim:?}");
    }
}

/// Content that never ends holds nobody for long once the origin is gone.
#[test]
fn what_is_too_much_to_drop_ends_the_connection() {
    let proxy = Proxy::open();
    let origin = ScriptedOrigin::start(|mut accepted, _| {
        accepted.connection.head();
        accepted.send(OK);
    });
    let mut client = proxy.connection();
    client.send(format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Length: 100000000\r\n\r\n",
        origin.url("/"),
        origin.address
    ));
    assert_eq!(client.response().body, b"ok");
    let timeout = Some(Duration::from_secs(10));
    client.stream.set_write_timeout(timeout).unwrap();
    for _ in 0..1000 {
        client.send_in_vain(vec![b'x'; 10_000]);
    }
    client.rest();
}
