//! What the access log says while something lives, of what never became a request, and of every phase.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::common::access_log::assert_fields;
use crate::common::certificates::client_hello;
use crate::common::proxy::Setup;
use crate::common::tls_bridge::{ClientAuth, tls_before, tls_tunnel};
use crate::common::wait::wait_for;
use crate::common::{ALLOW_ALL, Connection, Origin, Proxy, Rules, ScriptedOrigin};
use crate::intercepted_clients::with_https;

const PHASES: &str = r#"
[[group]]
priority = 10
name = "g"

[[group.pre_dns]]
name = "host"
action = "allow"
when."request:DestinationDomain" = { StringEquals = "a.test" }

[[group.pre_request]]
name = "method"
action = "allow"
when."request:Http:Method" = { StringEquals = "GET" }

[[group.post_response]]
name = "answer"
action = "deny"
when."response:Http:StatusCode" = { NumericEquals = 404 }
"#;

fn decision(phase: &str, action: &str, rule: Option<&str>) -> Value {
    match rule {
        Some(rule) => json!({ "phase": phase, "action": action, "rule": rule, "group": "g" }),
        None => json!({ "phase": phase, "action": action }),
    }
}

/// An origin that keeps a connection open and says what it is told to.
fn talking_origin() -> (ScriptedOrigin, std::sync::mpsc::Sender<&'static str>) {
    let (say, words) = std::sync::mpsc::channel::<&'static str>();
    let words = std::sync::Mutex::new(words);
    let origin = ScriptedOrigin::start(move |mut accepted, notebook| {
        let request = accepted.request();
        notebook.note(request);
        while let Ok(word) = words.lock().unwrap().recv() {
            accepted.send(word);
        }
    });
    (origin, say)
}

#[test]
fn each_phase_that_ran_is_in_the_line() {
    let setup = Setup::new()
        .host("a.test", "127.0.0.1")
        .host("b.test", "127.0.0.1");
    let proxy = setup.start(Rules(PHASES));
    let origin = Origin::start();
    let port = origin.port();
    let mut client = proxy.connection();
    assert_eq!(
        client.get(&format!("http://a.test:{port}/bytes/1")).status,
        200
    );
    assert_eq!(
        client
            .get(&format!("http://a.test:{port}/bytes/1?status=404"))
            .status,
        403
    );
    client.send(format!(
        "HEAD http://b.test:{port}/ HTTP/1.1\r\nHost: b.test:{port}\r\n\r\n"
    ));
    client.response_to("HEAD");
    let lines = proxy.log.transactions(3);
    let host = decision("PreDNS", "allow", Some("host"));
    let method = decision("PreREQUEST", "allow", Some("method"));
    assert_eq!(
        lines[0]["decisions"],
        json!([host, method, decision("PostRESPONSE", "allow", None)])
    );
    let denied = json!([
        host,
        method,
        decision("PostRESPONSE", "deny", Some("answer"))
    ]);
    assert_eq!(lines[1]["decisions"], denied);
    assert_eq!(proxy.log.of("deny")[0]["decisions"], denied);
    let defaults =
        ["PreDNS", "PreREQUEST", "PostRESPONSE"].map(|phase| decision(phase, "allow", None));
    assert_eq!(lines[2]["decisions"], json!(defaults));
}

/// The rule that let the host in is that of the tunnel, and stands in the lines of what is inside.
#[test]
fn requests_in_tunnels_name_the_decision_that_let_the_tunnel_in() {
    let host = decision("PreDNS", "allow", Some("host"));
    let inside = json!([
        host,
        decision("PreREQUEST", "allow", Some("method")),
        decision("PostRESPONSE", "allow", None)
    ]);
    let origin = Origin::start();
    // Plain.
    let proxy = Setup::new()
        .host("a.test", "127.0.0.1")
        .start(Rules(PHASES));
    let authority = format!("a.test:{}", origin.port());
    let mut client = proxy.connection();
    client.connect(&authority).unwrap();
    for _ in 0..2 {
        client.send(format!(
            "GET /bytes/3 HTTP/1.1\r\nHost: {authority}\r\n\r\n"
        ));
        assert_eq!(client.response().body.len(), 3);
    }
    drop(client);
    let lines = proxy.log.transactions(3);
    assert_eq!(lines[0]["decisions"], inside);
    assert_eq!(lines[1]["decisions"], inside);
    assert_eq!(lines[2]["decisions"][0], host);
    // Intercepted.
    let (setup, pki) = Setup::intercepting();
    let proxy = setup.start(Rules(PHASES));
    let identity = pki.origin(&["a.test"]);
    let port = tls_before(origin.address, &identity, &pki, ClientAuth::Nobody).port();
    let authority = format!("a.test:{port}");
    let mut client = tls_tunnel(&proxy, &pki, &authority, "a.test");
    client.send(format!(
        "GET /bytes/3 HTTP/1.1\r\nHost: {authority}\r\n\r\n"
    ));
    assert_eq!(client.response().body.len(), 3);
    drop(client);
    let lines = proxy.log.transactions(2);
    assert_eq!(lines[0]["decisions"], inside);
    assert_eq!(lines[1]["decisions"][0], host);
}

/// A tunnel has a line when it begins and one each interval, silent or not, so that a killed process
/// takes no more than that with it.
#[test]
fn a_tunnel_is_told_while_it_lives() {
    let setup = Setup::new()
        .host("a.test", "127.0.0.1")
        // What this origin answers is no TLS.
        .key("tunnel.unknown_protocol", "\"allow\"")
        .key("log.progress", "\"1s\"");
    let mut proxy = setup.start(ALLOW_ALL);
    let (origin, _say) = {
        let (say, words) = std::sync::mpsc::channel::<()>();
        let words = std::sync::Mutex::new(words);
        let origin = ScriptedOrigin::start(move |mut accepted, _| {
            accepted.connection.bytes(100);
            accepted.send("0123456789");
            let _ = words.lock().unwrap().recv();
        });
        (origin, say)
    };
    let mut client = proxy.connection();
    client
        .connect(&format!("a.test:{}", origin.port()))
        .unwrap();
    let hello = client_hello("a.test");
    client.send(&hello);
    client.bytes(10);
    let start = proxy.log.wait("start", 1).remove(0);
    let expected = json!({
        "method": "CONNECT", "domain": "a.test", "status": 200, "tls_mode": "passthrough",
        "sni": "a.test", "dst_ip": "127.0.0.1", "error": null,
    });
    assert_fields(&start, &expected);
    assert_eq!(start["decisions"][0], decision("PreDNS", "allow", None));
    let progress = proxy.log.wait("progress", 2);
    for line in &progress {
        let expected = json!({
            "txn": start["txn"], "conn": start["conn"], "status": 200,
            "bytes_up": hello.len(), "bytes_down": 10,
        });
        assert_fields(line, &expected);
    }
    let lived = |line: &Value| line["t_total"].as_u64().unwrap();
    assert!(lived(&progress[1]) >= lived(&progress[0]) + 500_000);
    assert!(proxy.log.of("transaction").is_empty());
    proxy.signal(Signal::SIGKILL);
    proxy.process.wait_end();
    assert_eq!(proxy.log.of("start").len(), 1, "what was told stays");
}

/// A response that goes on, a WebSocket, and a request that the origin thinks about.
#[test]
fn streams_and_upgrades_are_told_while_they_live() {
    let setup = Setup::new().key("log.progress", "\"1s\"");
    let proxy = setup.start(ALLOW_ALL);
    let (origin, say) = talking_origin();
    let url = origin.url("/events");
    let mut client = proxy.connection();
    client.send(format!(
        "GET {url} HTTP/1.1\r\nHost: {}\r\n\r\n",
        origin.address
    ));
    origin.requests(1);
    let thinking = proxy.log.wait("start", 1).remove(0);
    assert_fields(
        &thinking,
        &json!({ "uri": "/events", "status": null, "bytes_down": 0 }),
    );
    say.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        .unwrap();
    client.head();
    let count = proxy.log.of("progress").len();
    let streaming = proxy.log.wait("progress", count + 1).pop().unwrap();
    assert_fields(
        &streaming,
        &json!({ "txn": thinking["txn"], "status": 200 }),
    );
    assert!(streaming["bytes_down"].as_u64().unwrap() > 5, "{streaming}");
    assert_eq!(streaming["decisions"].as_array().unwrap().len(), 3);
    say.send("0\r\n\r\n").unwrap();
    drop(say);
    let end = proxy.log.transaction();
    assert_eq!(end["txn"], thinking["txn"]);
    assert_eq!(proxy.log.of("start").len(), 1);
    // An upgrade is told at once.
    let (origin, say) = talking_origin();
    say.send(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    )
    .unwrap();
    let mut client = proxy.connection();
    client.send(format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        origin.url("/chat"),
        origin.address
    ));
    client.head();
    let start = proxy.log.wait("start", 2).remove(1);
    assert_fields(&start, &json!({ "uri": "/chat", "status": 101 }));
}

/// What is short has its one line, and with `"off"` everything has.
#[test]
fn nothing_is_told_of_what_is_short_or_unwanted() {
    let proxy = Proxy::open();
    let origin = Origin::start();
    let mut client = proxy.connection();
    for _ in 0..3 {
        assert_eq!(client.get(&origin.url("/bytes/1")).status, 200);
    }
    proxy.log.transactions(3);
    assert_eq!(proxy.log.lines().len(), 3);
    let proxy = Setup::new().key("log.progress", "\"off\"").start(ALLOW_ALL);
    let mut client = proxy.connection();
    client.connect(&origin.address.to_string()).unwrap();
    client.send(format!(
        "GET /bytes/1?delay=2500 HTTP/1.1\r\nHost: {}\r\n\r\n",
        origin.address
    ));
    assert_eq!(client.response().status, 200);
    drop(client);
    proxy.log.transactions(2);
    assert_eq!(proxy.log.lines().len(), 2);
}

/// A connection that ends before a request: by default where something went wrong, by key always or never.
#[test]
fn connections_without_a_request_have_lines() {
    for (kinds, failed, unused) in [
        ("failed", true, false),
        ("all", true, true),
        ("off", false, false),
    ] {
        let (proxy, https) = one_at_a_time(kinds);
        let wait = |count: usize| {
            if failed {
                proxy.log.wait("connection", count);
            }
        };
        let garbage = |bytes: &[u8]| {
            let mut client = Connection::over(TcpStream::connect(&https).unwrap());
            client.send(bytes).rest();
        };
        garbage(b"GET / HTTP/1.1\r\n\r\n");
        wait(1);
        garbage(&client_hello("proxy.test")[..20]);
        wait(2);
        let mut first = proxy.connection();
        first.get("http://127.0.0.1:1/");
        let refused = proxy.connection().get("http://127.0.0.1:1/");
        refused.assert_refusal(429, "connection_limit_reached");
        wait(3);
        drop(first);
        // Waits until that connection is gone, and asks nothing.
        wait_for("room for a connection", || {
            let mut probe = TcpStream::connect(proxy.address).unwrap();
            let short = Some(Duration::from_millis(50));
            probe.set_read_timeout(short).unwrap();
            let is_served = probe.read(&mut [0]).is_err();
            is_served.then_some(())
        });
        let is_unused = |line: &Value| line["detail"] == "the connection ended before a request";
        let lines = wait_for("the last line", || {
            let lines = proxy.log.of("connection");
            (lines.iter().any(is_unused) || !unused).then_some(lines)
        });
        assert_eq!(lines.iter().any(is_unused), unused, "{kinds}: {lines:#?}");
        match failed {
            true => assert_failed(&lines, &https),
            false => assert!(lines.is_empty(), "{kinds}: {lines:#?}"),
        }
    }
}

/// A proxy with an `https` listener, of which one address may have one connection.
fn one_at_a_time(kinds: &str) -> (Proxy, String) {
    let (setup, pki) = Setup::intercepting();
    pki.origin(&["proxy.test"]);
    let setup = setup
        .key("shards", "1")
        .key("log.connections", &format!("\"{kinds}\""))
        .key("timeouts.tls_handshake", "\"300ms\"")
        .key("limits.connections_per_client", "1");
    let (setup, https) = with_https(setup, "");
    (setup.start(ALLOW_ALL), format!("127.0.0.1:{https}"))
}

fn assert_failed(lines: &[Value], https: &str) {
    let has_ids = |line: &Value| line["txn"].is_null() && line["conn"].is_string();
    assert!(lines.iter().all(has_ids), "{lines:#?}");
    let no_tls = json!({
        "error": "tls_protocol_error", "listener": https, "client_ip": "127.0.0.1", "status": null,
    });
    assert_fields(&lines[0], &no_tls);
    assert_fields(&lines[1], &json!({ "error": "connection_read_timeout" }));
    let over_limit = json!({
        "error": "connection_limit_reached", "status": 429,
        "detail": "over limits.connections_per_client",
    });
    assert_fields(&lines[2], &over_limit);
}

/// A head that is cut by a reset is a request that failed.
#[test]
fn half_a_request_head_has_a_line_however_it_ends() {
    let proxy = Proxy::open();
    let mut half = TcpStream::connect(proxy.address).unwrap();
    half.write_all(b"GET http://a.test/ HTTP/1.1\r\nHost: a.t")
        .unwrap();
    let origin = Origin::start();
    // The first half has been read by now: one shard takes turns.
    assert_eq!(proxy.connection().get(&origin.url("/")).status, 200);
    proxy.log.transactions(1);
    socket2::SockRef::from(&half)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(half);
    let line = proxy.log.transactions(2).remove(1);
    assert_fields(&line, &json!({ "error": "http_request_error" }));
}
