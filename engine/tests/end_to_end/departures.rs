//! Clients that go away, wholly or by half, while the origin thinks.

use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::access_log::assert_fields;
use crate::common::origin::SeenRequest;
use crate::common::proxy::Setup;
use crate::common::tls_bridge::{ClientAuth, tls_before, tls_tunnel};
use crate::common::wait::wait_for;
use crate::common::{ALLOW_ALL, Connection, Proxy, ScriptedOrigin};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// An origin that answers no request for `/think`, and notes when such a connection ends.
fn thinker() -> ScriptedOrigin {
    ScriptedOrigin::start(|mut accepted, notebook| {
        while accepted.has_more() {
            let request = accepted.request();
            let thinks = request.line.contains("/think");
            notebook.note(request);
            if thinks {
                accepted.connection.rest();
                notebook.note(ended());
                return;
            }
            accepted.send(OK);
        }
    })
}

/// An origin that answers each request when it is told to.
fn told() -> (ScriptedOrigin, Sender<()>) {
    let (tell, told) = channel();
    let told = Mutex::new(told);
    let origin = ScriptedOrigin::start(move |mut accepted, notebook| {
        while accepted.has_more() {
            let request = accepted.request();
            notebook.note(request);
            if told.lock().unwrap().recv().is_err() {
                return;
            }
            accepted.send(OK);
        }
    });
    (origin, tell)
}

fn ended() -> SeenRequest {
    SeenRequest {
        line: "ended".to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        trailers: Vec::new(),
    }
}

fn request(origin: &ScriptedOrigin, path: &str) -> String {
    let (url, authority) = (origin.url(path), origin.address);
    format!("GET {url} HTTP/1.1\r\nHost: {authority}\r\n\r\n")
}

/// Closes so that the other side sees a reset.
fn reset(client: Connection) {
    let socket = socket2::SockRef::from(&client.stream);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
}

fn assert_departed(line: &Value) {
    let expected = json!({ "status": null, "error": "connection_terminated",
        "detail": "the client closed the connection before the response" });
    assert_fields(line, &expected);
    let total = line["t_total"].as_u64().unwrap();
    assert!(total < 10_000_000, "noticed, not timed out: {line}");
}

/// Closed or reset: the origin is released, nothing of the connection is used again, the limits are
/// free, and there is one line.
#[test]
fn clients_that_go_away_are_noticed_at_once() {
    for leave in [drop::<Connection>, reset] {
        let proxy = Setup::new()
            .key("limits.connections_per_client", "1")
            .key("limits.tunnels_per_client", "1")
            .start(ALLOW_ALL);
        let origin = thinker();
        let mut client = proxy.connection();
        assert_eq!(client.get(&origin.url("/")).status, 200);
        client.send(request(&origin, "/think"));
        origin.requests(2);
        leave(client);
        assert_eq!(origin.requests(3)[2].line, "ended");
        assert_departed(&proxy.log.transactions(2)[1]);
        wait_for("room for another connection", || {
            let mut next = proxy.connection();
            next.send_in_vain(request(&origin, "/"));
            (next.response().status == 200).then_some(())
        });
        assert_eq!(origin.connections(), 2);
    }
}

/// The same with a body that was sent whole, and with requests sent ahead.
#[test]
fn whatever_they_have_sent() {
    let proxy = Proxy::open();
    let origin = thinker();
    let (url, authority) = (origin.url("/think"), origin.address);
    let post =
        format!("POST {url} HTTP/1.1\r\nHost: {authority}\r\nContent-Length: 5\r\n\r\nhello");
    let ahead = request(&origin, "/think") + &request(&origin, "/");
    for (index, sent) in [post, ahead].into_iter().enumerate() {
        for (second, leave) in [drop::<Connection>, reset].into_iter().enumerate() {
            let before = 2 * (2 * index + second);
            let mut client = proxy.connection();
            client.send(&sent);
            origin.requests(before + 1);
            leave(client);
            assert_eq!(origin.requests(before + 2)[before + 1].line, "ended");
            assert_departed(&proxy.log.transactions(before / 2 + 1)[before / 2]);
        }
    }
}

/// Who has nothing more to say may still listen. Its answer begins early, which is how it is told from
/// one that has gone.
#[test]
fn clients_that_finish_sending_are_answered() {
    let proxy = Proxy::open();
    let (origin, tell) = told();
    let mut client = proxy.connection();
    client.send(request(&origin, "/")).finish();
    let begin = client.bytes(1);
    assert_eq!(begin, b"H");
    tell.send(()).unwrap();
    client.received.splice(0..0, begin);
    let response = client.response();
    assert_eq!((response.status, &*response.body), (200, &b"ok"[..]));
    client.assert_closed();
    assert_fields(
        &proxy.log.transaction(),
        &json!({ "status": 200, "error": null }),
    );
}

/// The same when the answer is ours.
#[test]
fn clients_that_finish_sending_are_told_of_failures() {
    let proxy = Proxy::open();
    let (origin, tell) = told();
    let mut client = proxy.connection();
    client.send(request(&origin, "/")).finish();
    let begin = client.bytes(1);
    drop(tell);
    client.received.splice(0..0, begin);
    client
        .response()
        .assert_refusal(502, "connection_terminated");
    client.assert_closed();
}

/// What was sent ahead is neither lost nor taken for an end, finished or not.
#[test]
fn requests_sent_ahead_are_kept() {
    for finishes in [false, true] {
        let proxy = Proxy::open();
        let (origin, tell) = told();
        let mut client = proxy.connection();
        client.send(request(&origin, "/1"));
        origin.requests(1);
        client.send(request(&origin, "/2"));
        if finishes {
            client.finish();
            let begin = client.bytes(1);
            client.received.splice(0..0, begin);
        } else {
            // Longer than it takes until somebody looks.
            std::thread::sleep(Duration::from_millis(500));
        }
        tell.send(()).unwrap();
        tell.send(()).unwrap();
        for _ in 0..2 {
            assert_eq!(client.response().status, 200);
        }
        assert!(origin.requests(2)[1].line.contains("/2"));
        assert_eq!(origin.connections(), 1);
        let lines = proxy.log.transactions(2);
        assert!(lines.iter().all(|line| line["error"] == Value::Null));
    }
}

/// Inside interception: closed, or by half.
#[test]
fn inside_interception() {
    let (setup, pki) = Setup::intercepting();
    let proxy = setup.start(ALLOW_ALL);
    let plain = thinker();
    let identity = pki.origin(&["a.test"]);
    let port = tls_before(plain.address, &identity, &pki, ClientAuth::Nobody).port();
    let authority = format!("a.test:{port}");
    let of = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
    let mut client = tls_tunnel(&proxy, &pki, &authority, "a.test");
    client.send(of("/think"));
    plain.requests(1);
    // Its side of the bridge then closes the tunnel's connection.
    reset(client);
    assert_eq!(plain.requests(2)[1].line, "ended");
    let lines = proxy.log.transactions(2);
    assert_departed(lines.iter().find(|line| line["method"] == "GET").unwrap());
    let (plain, tell) = told();
    let port = tls_before(plain.address, &identity, &pki, ClientAuth::Nobody).port();
    let authority = format!("a.test:{port}");
    let mut client = tls_tunnel(&proxy, &pki, &authority, "a.test");
    client.send(format!("GET / HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
    client.finish();
    let begin = client.bytes(1);
    assert_eq!(begin, b"H");
    tell.send(()).unwrap();
    client.received.splice(0..0, begin);
    assert_eq!(client.response().status, 200);
    client.assert_closed();
}
