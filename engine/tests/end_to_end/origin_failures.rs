//! Origins that refuse, stall, trickle, hang up and die: what the client gets, what the log says,
//! and that the next request works.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::socket::{Backlog, listen};
use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::connection::End;
use crate::common::proxy::Setup;
use crate::common::{ALLOW_ALL, Origin, Proxy, ScriptedOrigin};

/// An address that is taken, so that nobody else can listen there, but does not listen itself.
pub(crate) fn taken_address() -> (socket2::Socket, SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

#[test]
fn refused_connections() {
    let proxy = Proxy::open();
    let (_taken, address) = taken_address();
    let authority = address.to_string();
    let mut client = proxy.connection();
    let response = client.get(&format!("http://{authority}/"));
    response.assert_refusal(502, "connection_refused");
    let expected = json!({ "status": 502, "error": "connection_refused", "dst_ip": "127.0.0.1", "action": "allow" });
    let line = proxy.log.transaction();
    assert_fields(&line, &expected);
    assert_eq!(line["txn"].as_str().unwrap(), response.transaction());
    // The same connection still serves.
    assert_eq!(client.get(&Origin::start().url("/")).status, 200);
    let refusal = client.connect(&authority).unwrap_err();
    refusal.assert_refusal(502, "connection_refused");
}

/// A listener whose queue is full: the kernel drops every further SYN.
pub(crate) struct FullListener {
    address: SocketAddr,
    _listener: TcpListener,
    _queue: Vec<socket2::Socket>,
}

impl FullListener {
    fn new() -> Self {
        Self::on("127.0.0.1:0")
    }

    pub(crate) fn on(address: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        listen(&listener, Backlog::new(0).unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let queue = (0..4).map(|_| {
            let socket =
                socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            // In progress, for ever once the queue is full.
            let _ = socket.connect(&address.into());
            socket
        });
        let queue = queue.collect();
        Self {
            address,
            _listener: listener,
            _queue: queue,
        }
    }

    fn is_full(&self) -> bool {
        TcpStream::connect_timeout(&self.address, Duration::from_millis(50)).is_err()
    }
}

#[test]
fn connections_that_time_out() {
    let full = FullListener::new();
    assert!(full.is_full(), "the kernel drops SYNs to a full queue");
    let proxy = Setup::new()
        .key("timeouts.connect", "\"300ms\"")
        .start(ALLOW_ALL);
    let mut client = proxy.connection();
    let started = Instant::now();
    let response = client.get(&format!("http://{}/", full.address));
    response.assert_refusal(504, "connection_timeout");
    assert!(
        started.elapsed() >= Duration::from_millis(250),
        "{:?}",
        started.elapsed()
    );
    assert_fields(
        &proxy.log.transaction(),
        &json!({ "status": 504, "error": "connection_timeout" }),
    );
    client
        .connect(&full.address.to_string())
        .unwrap_err()
        .assert_refusal(504, "connection_timeout");
}

/// RFC 8305: an address that does not answer delays, but does not fail, a name with another one.
#[test]
fn the_next_address_is_tried_when_one_fails() {
    let origin = Origin::start();
    let port = origin.port();
    // Bound to one address of loopback only: 127.0.0.9 refuses.
    let proxy = Setup::new()
        .key("hosts.\"two.test\"", "[\"127.0.0.9\", \"127.0.0.1\"]")
        .start(ALLOW_ALL);
    let mut client = proxy.connection();
    assert_eq!(client.get(&format!("http://two.test:{port}/")).status, 200);
    assert_fields(
        &proxy.log.transaction(),
        &json!({ "status": 200, "dst_ip": "127.0.0.1" }),
    );
}

/// Linux gives TCP no route to a broadcast address, so that nothing leaves the machine.
#[test]
fn addresses_without_a_route() {
    let proxy = Setup::new()
        .key("guard.allow", "[\"255.255.255.255/32\"]")
        .host("far.test", "255.255.255.255")
        .start(ALLOW_ALL);
    let mut client = proxy.connection();
    client
        .get("http://far.test/")
        .assert_refusal(502, "destination_ip_unroutable");
    let expected =
        json!({ "status": 502, "error": "destination_ip_unroutable", "dst_ip": "255.255.255.255" });
    assert_fields(&proxy.log.transaction(), &expected);
}

#[test]
fn origins_that_close_before_they_answer() {
    let cases = [
        ("close=before", "connection_terminated"),
        ("close=head", "connection_terminated"),
        ("reset=1", "connection_terminated"),
    ];
    let origin = Origin::start();
    for (query, error) in cases {
        let proxy = Proxy::open();
        let mut client = proxy.connection();
        client
            .get(&origin.url(&format!("/bytes/100?{query}")))
            .assert_refusal(502, error);
        assert_fields(
            &proxy.log.transaction(),
            &json!({ "status": 502, "error": error }),
        );
        assert_eq!(client.get(&origin.url("/")).status, 200, "after {query}");
    }
}

/// The client must see that something is missing.
#[test]
fn origins_that_close_within_the_body() {
    let origin = Origin::start();
    for query in ["close=body", "close=body&chunked=1", "close=body&reset=1"] {
        let proxy = Proxy::open();
        let mut client = proxy.connection();
        let url = origin.url(&format!("/bytes/100000?{query}"));
        client.send(format!(
            "GET {url} HTTP/1.1\r\nHost: {}\r\n\r\n",
            origin.address
        ));
        let (answer, end) = client.rest();
        assert!(answer.len() < 100_000, "{query}: {} bytes", answer.len());
        assert!(
            !answer.ends_with(b"0\r\n\r\n"),
            "{query}: the client was told that it is whole"
        );
        assert!(matches!(end, End::Closed | End::Reset));
        assert_fields(
            &proxy.log.transaction(),
            &json!({ "status": 200, "error": "connection_terminated" }),
        );
    }
}

#[test]
fn origins_that_stall() {
    let origin = Origin::start();
    let proxy = Setup::new()
        .key("timeouts.response", "\"200ms\"")
        .key("timeouts.body_idle", "\"200ms\"")
        .start(ALLOW_ALL);
    let mut client = proxy.connection();
    client
        .get(&origin.url("/stall"))
        .assert_refusal(504, "http_response_timeout");
    assert_fields(
        &proxy.log.transaction(),
        &json!({ "status": 504, "error": "http_response_timeout" }),
    );
    assert_eq!(client.get(&origin.url("/")).status, 200);
    // Within the body.
    let stalling = ScriptedOrigin::start(|mut accepted, _| {
        accepted.request();
        accepted.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        accepted.connection.rest();
    });
    client.send(format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\n\r\n",
        stalling.url("/"),
        stalling.address
    ));
    let (answer, _) = client.rest();
    assert!(answer.ends_with(b"half"));
    let line = proxy.log.transactions(3).remove(2);
    assert_fields(
        &line,
        &json!({ "status": 200, "error": "connection_read_timeout" }),
    );
}

/// Slow is not stalled: each byte is another chance.
#[test]
fn origins_that_trickle_are_waited_for() {
    let origin = Origin::start();
    let proxy = Setup::new()
        .key("timeouts.body_idle", "\"400ms\"")
        .start(ALLOW_ALL);
    let response = proxy.connection().get(&origin.url("/bytes/12?trickle=60"));
    assert_eq!((response.status, response.body.len()), (200, 12));
    assert_fields(
        &proxy.log.transaction(),
        &json!({ "status": 200, "error": null }),
    );
}

/// An origin that answers the first request of each connection, then closes on the next one.
fn dying_origin() -> ScriptedOrigin {
    ScriptedOrigin::start(|mut accepted, notebook| {
        let request = accepted.request();
        notebook.note(request);
        accepted.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        // The next request arrives on a connection that ends without a byte of an answer.
        if accepted.has_more() {
            let request = accepted.request();
            notebook.note(request);
        }
    })
}

/// RFC 9110 section 9.2.2: what is idempotent is sent again, once; the rest is not.
#[test]
fn a_pooled_connection_that_dies_is_replaced_for_safe_requests() {
    let cases = [
        ("GET", "", 200),
        ("HEAD", "", 200),
        ("POST", "Content-Length: 0\r\n", 502),
    ];
    for (method, header, status) in cases {
        let origin = dying_origin();
        let proxy = Proxy::open();
        let (authority, url) = (origin.address, origin.url("/"));
        let mut client = proxy.connection();
        assert_eq!(client.get(&url).status, 200);
        client.send(format!(
            "{method} {url} HTTP/1.1\r\nHost: {authority}\r\n{header}\r\n"
        ));
        let response = client.response_to(method);
        assert_eq!(response.status, status, "{method}: {response:?}");
        let again = usize::from(status == 200);
        let seen = origin.requests(2 + again);
        assert_eq!(
            seen.len(),
            2 + again,
            "{method} was sent {} times",
            seen.len() - 1
        );
        let line = proxy.log.transactions(2).remove(1);
        let error = (status == 502).then_some("connection_terminated");
        assert_fields(
            &line,
            &json!({ "status": status, "error": error, "upstream_reused": status == 502 }),
        );
    }
}

/// A connection that was closed while it idled is noticed before anything is risked on it.
#[test]
fn a_closed_idle_connection_is_not_used() {
    let (close, closed) = std::sync::mpsc::channel::<()>();
    let closed = std::sync::Mutex::new(closed);
    let origin = ScriptedOrigin::start(move |mut accepted, notebook| {
        let request = accepted.request();
        accepted.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        if accepted.index == 0 {
            closed.lock().unwrap().recv().unwrap();
            accepted.connection.finish();
        }
        notebook.note(request);
        accepted.connection.rest();
    });
    let proxy = Proxy::open();
    let (authority, url) = (origin.address, origin.url("/"));
    let mut client = proxy.connection();
    assert_eq!(client.get(&url).status, 200);
    close.send(()).unwrap();
    origin.requests(1);
    client.send(format!(
        "POST {url} HTTP/1.1\r\nHost: {authority}\r\nContent-Length: 5\r\n\r\nhello"
    ));
    assert_eq!(
        client.response().status,
        200,
        "a POST is not lost to a connection that has closed"
    );
    assert_eq!(origin.requests(2)[1].body, b"hello");
}

/// An origin that answers before it has seen the whole body, and stops reading.
#[test]
fn an_early_answer_reaches_a_client_that_still_uploads() {
    let origin = ScriptedOrigin::start(|mut accepted, _| {
        accepted.connection.head();
        accepted
            .send("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
        accepted.connection.finish();
    });
    let proxy = Proxy::open();
    let (authority, url) = (origin.address, origin.url("/"));
    let mut client = proxy.connection();
    client.send(format!(
        "POST {url} HTTP/1.1\r\nHost: {authority}\r\nContent-Length: 50000000\r\n\r\n"
    ));
    client.send_in_vain(vec![b'x'; 100_000]);
    let response = client.response();
    assert_eq!((response.status, &*response.body), (413, &b"big"[..]));
    assert!(
        response.says_close(),
        "what follows cannot be told from the body: {response:?}"
    );
}
