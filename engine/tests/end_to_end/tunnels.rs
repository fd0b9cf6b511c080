//! CONNECT: what is decided before 200, by the ClientHello, by the requests inside, and what the
//! client and the origin see of it.

use std::io::{Read, Write};

use serde_json::{Value, json};

use crate::common::access_log::assert_fields;
use crate::common::certificates::client_hello;
use crate::common::proxy::Setup;
use crate::common::{ALLOW_ALL, Certificate, Connection, Origin, Proxy, Rules, ScriptedOrigin};

/// RFC 8446 section 6: a fatal alert record, `access_denied`.
pub(crate) const ACCESS_DENIED: [u8; 7] = [21, 3, 3, 0, 2, 2, 49];

pub(crate) fn start(rules: &str, keys: &[(&str, &str)]) -> Proxy {
    let setup = Setup::new()
        .host("a.test", "127.0.0.1")
        .host("b.test", "127.0.0.1")
        .host("bad.test", "127.0.0.1");
    keys.iter()
        .fold(setup, |setup, (key, value)| setup.key(key, value))
        .start(Rules(rules))
}

pub(crate) const RULES: &str = r#"
[[group]]
priority = 10
name = "tunnels"

[[group.pre_dns]]
name = "bad-name"
action = "deny"
when."request:DestinationDomain" = { StringEquals = "bad.test" }

[[group.pre_request]]
name = "bad-address"
action = "deny"
when."request:DestinationIp" = { IpAddress = "127.66.0.0/16" }

[[group.pre_request]]
name = "bad-sni"
action = "deny"
when."request:TlsSni" = { StringEquals = "b.test" }

[[group.pre_request]]
name = "watch-tls"
action = "alert"
when."request:Protocol" = { StringEquals = "https" }
"#;

#[test]
fn tls_flows_untouched_and_its_hello_is_logged() {
    let proxy = start(RULES, &[]);
    let certificate = Certificate::for_names(&["a.test"], proxy.folder());
    let origin = Origin::start_tls(&certificate);
    let mut client = proxy.connection();
    client
        .connect(&format!("a.test:{}", origin.port()))
        .unwrap();
    let mut session = certificate.client("a.test");
    let mut tls = rustls::Stream::new(&mut session, &mut client.stream);
    tls.write_all(b"GET /bytes/100000 HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut response = Vec::new();
    tls.read_to_end(&mut response).unwrap();
    assert!(response.starts_with(b"HTTP/1.1 200"));
    assert!(response.len() > 100_000);
    assert!(
        !String::from_utf8_lossy(&response[..500]).contains("sallyport,"),
        "untouched"
    );
    drop(client);
    let line = proxy.log.transaction();
    let expected = json!({
        "proto": "connect", "method": "CONNECT", "domain": "a.test", "port": origin.port(),
        "dst_ip": "127.0.0.1", "sni": "a.test", "tls_mode": "passthrough", "status": 200,
        "phase": "PreREQUEST", "action": "allow", "alerts": ["watch-tls"], "error": null,
    });
    assert_fields(&line, &expected);
    assert!(line["ja4"].as_str().unwrap().starts_with("t13d"), "{line}");
    assert!(line["bytes_down"].as_u64().unwrap() > 100_000);
    let alert = proxy.log.wait("alert", 1).remove(0);
    assert_fields(
        &alert,
        &json!({ "rule": "watch-tls", "sni": "a.test", "txn": line["txn"] }),
    );
}

/// What is known before the client's first byte is enough for these: no 200, no packet.
#[test]
fn tunnels_that_are_denied_before_they_open() {
    let cases = [
        ("bad.test", "127.0.0.1", "PreDNS", "bad-name"),
        ("inside.test", "127.66.0.1", "PreREQUEST", "bad-address"),
    ];
    for (name, address, phase, rule) in cases {
        let origin = ScriptedOrigin::silent();
        let proxy = Setup::new().host(name, address).start(Rules(RULES));
        let mut client = proxy.connection();
        let refusal = client
            .connect(&format!("{name}:{}", origin.port()))
            .unwrap_err();
        refusal.assert_refusal(403, "http_request_denied");
        let line = proxy.log.transaction();
        assert_eq!(line["txn"].as_str().unwrap(), refusal.transaction());
        let expected = json!({
            "method": "CONNECT", "status": 403, "phase": phase, "action": "deny", "rule": rule,
            "group": "tunnels", "error": "http_request_denied",
        });
        assert_fields(&line, &expected);
        assert_fields(
            &proxy.log.wait("deny", 1)[0],
            &json!({ "txn": line["txn"], "rule": rule }),
        );
        assert_eq!(origin.connections(), 0);
    }
}

/// Only the ClientHello shows it: 200 has been sent, so TLS says no, and no packet went out.
#[test]
fn tunnels_that_are_denied_by_their_client_hello() {
    // The SNI may differ from the CONNECT here: the rules are to judge it.
    for (fronting, rule, phase) in [
        ("allow", json!("bad-sni"), json!("PreREQUEST")),
        ("deny", Value::Null, Value::Null),
    ] {
        let quoted = format!("\"{fronting}\"");
        let proxy = start(RULES, &[("tunnel.fronting", &quoted)]);
        let origin = ScriptedOrigin::silent();
        let mut client = proxy.connection();
        client
            .connect(&format!("a.test:{}", origin.port()))
            .unwrap();
        client.send(client_hello("b.test"));
        let (answer, _) = client.rest();
        assert_eq!(answer, ACCESS_DENIED, "fronting = {fronting}");
        drop(client);
        let line = proxy.log.transaction();
        assert_fields(
            &line,
            &json!({ "status": 200, "error": "http_request_denied", "sni": "b.test" }),
        );
        if fronting == "allow" {
            assert_fields(
                &line,
                &json!({ "rule": rule, "phase": phase, "action": "deny" }),
            );
            assert_fields(
                &proxy.log.wait("deny", 1)[0],
                &json!({ "rule": rule, "txn": line["txn"] }),
            );
        }
        assert_eq!(origin.connections(), 0, "fronting = {fronting}");
    }
}

/// A ClientHello in many small pieces is judged like one in a single packet.
#[test]
fn a_client_hello_may_come_in_pieces() {
    let proxy = start(RULES, &[]);
    let origin = ScriptedOrigin::silent();
    let mut client = proxy.connection();
    client
        .connect(&format!("b.test:{}", origin.port()))
        .unwrap();
    for piece in client_hello("b.test").chunks(7) {
        client.send(piece);
    }
    assert_eq!(client.rest().0, ACCESS_DENIED);
    assert_eq!(origin.connections(), 0);
}

/// RFC 8446 section 5.1: a handshake message may be cut over records; the name is seen anyway.
#[test]
fn a_client_hello_may_be_cut_over_records() {
    let proxy = start(RULES, &[]);
    let origin = ScriptedOrigin::silent();
    let hello = client_hello("b.test");
    let (header, message) = hello.split_at(5);
    let records: Vec<u8> = message
        .chunks(40)
        .flat_map(|part| {
            let length = u16::try_from(part.len()).unwrap().to_be_bytes();
            [&header[..3], &length, part].concat()
        })
        .collect();
    let mut client = proxy.connection();
    client
        .connect(&format!("b.test:{}", origin.port()))
        .unwrap();
    client.send(records);
    assert_eq!(client.rest().0, ACCESS_DENIED);
    drop(client);
    assert_fields(
        &proxy.log.transaction(),
        &json!({ "sni": "b.test", "rule": "bad-sni" }),
    );
    assert_eq!(origin.connections(), 0);
}

/// A hello without a name (a client that was given an address) has no SNI: no rule on it holds.
#[test]
fn a_client_hello_may_have_no_name() {
    let proxy = start(RULES, &[]);
    let origin = ScriptedOrigin::start(|mut accepted, _| {
        accepted.connection.bytes(5);
        accepted.send(ACCESS_DENIED);
        accepted.connection.finish();
        accepted.connection.rest();
    });
    let mut client = proxy.connection();
    client.connect(&origin.address.to_string()).unwrap();
    client.send(client_hello("127.0.0.1")).finish();
    assert_eq!(client.rest().0, ACCESS_DENIED);
    drop(client);
    let expected = json!({ "sni": null, "tls_mode": "passthrough", "alerts": ["watch-tls"] });
    assert_fields(&proxy.log.transaction(), &expected);
}

/// What begins like TLS but is none opens nothing.
#[test]
fn malformed_client_hellos_end_their_tunnel() {
    let origin = ScriptedOrigin::silent();
    let mut broken = client_hello("a.test");
    // The length of the handshake message: more than the records can hold.
    broken[6..9].copy_from_slice(&[0xff; 3]);
    let mut lying = client_hello("a.test");
    // The length of the session id: beyond the message.
    lying[43] = 0xff;
    for bytes in [broken, lying] {
        let proxy = start(
            RULES,
            &[
                ("tunnel.sniff_timeout", "\"200ms\""),
                ("tunnel.unknown_protocol", "\"allow\""),
            ],
        );
        let mut client = proxy.connection();
        client
            .connect(&format!("b.test:{}", origin.port()))
            .unwrap();
        client.send_in_vain(bytes);
        client.rest();
        drop(client);
        assert!(proxy.log.transaction()["error"].is_string());
    }
    assert!(origin.requests(0).is_empty());
    assert_eq!(origin.connections(), 0);
}

/// Requests of one tunnel are judged one by one.
#[test]
fn a_tunnel_carries_many_requests() {
    let rules = r#"
[[group]]
priority = 1
name = "one"
[[group.pre_request]]
name = "no-secret"
action = "deny"
when."request:Http:Uri" = { StringLike = "/secret*" }
"#;
    let (proxy, origin) = (start(rules, &[]), Origin::start());
    let mut client = proxy.connection();
    client
        .connect(&format!("a.test:{}", origin.port()))
        .unwrap();
    for (path, status) in [
        ("/bytes/10", 200),
        ("/secret/1", 403),
        ("/a/../%73ecret/2", 403),
        ("/bytes/11", 200),
    ] {
        client.send(format!(
            "GET {path} HTTP/1.1\r\nHost: a.test:{}\r\n\r\n",
            origin.port()
        ));
        assert_eq!(client.response().status, status, "{path}");
    }
    client.send("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n");
    assert_eq!(client.response().status, 405, "no tunnel in a tunnel");
    drop(client);
    let lines = proxy.log.transactions(6);
    assert_eq!(lines[1]["rule"], "no-secret");
    assert_eq!(lines[5]["method"], "CONNECT");
    assert_eq!(origin.count().1, 2);
}

/// What is neither TLS nor HTTP of any version, and servers that speak first.
#[test]
fn unknown_protocols_follow_the_configuration() {
    let cases = [
        ("SSH-2.0-client\r\n", "deny", false),
        ("SSH-2.0-client\r\n", "allow", true),
        ("\u{1}\u{2}\u{3}", "deny", false),
        ("", "deny", false),
        ("", "allow", true),
    ];
    for (first, policy, passes) in cases {
        let origin = ScriptedOrigin::start(|mut accepted, _| drop(accepted.connection.rest()));
        let banner = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let speaks_first = first.is_empty();
        let port = if speaks_first {
            banner.local_addr().unwrap().port()
        } else {
            origin.port()
        };
        let quoted = format!("\"{policy}\"");
        let keys = [
            ("tunnel.unknown_protocol", &*quoted),
            ("tunnel.sniff_timeout", "\"100ms\""),
        ];
        let proxy = start("", &keys);
        let mut client = proxy.connection();
        let opened = client.connect(&format!("a.test:{port}"));
        assert!(opened.is_ok(), "{first:?} {policy}: {opened:?}");
        if speaks_first && passes {
            let (mut server, _) = banner.accept().unwrap();
            server.write_all(b"220 ready\r\n").unwrap();
            assert_eq!(client.bytes(11), b"220 ready\r\n");
            drop(server);
        } else {
            client.send_in_vain(first);
            if passes {
                client.finish();
            }
        }
        client.rest();
        drop(client);
        let line = proxy.log.transaction();
        let error = if passes {
            Value::Null
        } else {
            json!("http_request_denied")
        };
        assert_eq!(line["error"], error, "{first:?} {policy}: {line}");
        // The rules allow everything, so the origin may have been dialed; nothing was sent to it.
        if !speaks_first {
            assert!(origin.requests(0).is_empty());
        }
    }
}

fn speaking_first(greeting: &'static str) -> ScriptedOrigin {
    ScriptedOrigin::greeting(greeting, |mut accepted, _| {
        let line = accepted.connection.bytes(6);
        accepted.send([&b"heard "[..], &line].concat());
        accepted.connection.finish();
        accepted.connection.rest();
    })
}

/// Not after `tunnel.sniff_timeout`, and however long its client is silent.
#[test]
fn a_server_that_speaks_first_is_heard_at_once() {
    let keys = [
        ("tunnel.unknown_protocol", "\"allow\""),
        ("tunnel.sniff_timeout", "\"30s\""),
    ];
    let proxy = start("", &keys);
    let origin = speaking_first("220 ready\r\n");
    let mut client = proxy.connection();
    client.connect(&origin.address.to_string()).unwrap();
    let before = std::time::Instant::now();
    assert_eq!(client.bytes(11), b"220 ready\r\n");
    assert!(before.elapsed().as_secs() < 15);
    client.send("QU").send("IT\r\n");
    assert_eq!(client.rest().0, b"heard QUIT\r\n");
    drop(client);
    let expected = json!({ "error": null, "bytes_up": 6, "bytes_down": 23 });
    assert_fields(&proxy.log.transaction(), &expected);
}

/// Nor can it switch inspection off by speaking first, nor its client by waiting.
#[test]
fn tls_and_http_behind_a_greeting_are_not_let_pass() {
    let rules = r#"
[[group]]
priority = 1
name = "one"
[[group.pre_request]]
name = "needs-the-content"
action = "deny"
when."request:Http:Uri" = { StringLike = "/secret*" }
"#;
    // With the first, the connection is made before the client has spoken; with the second after.
    for rules in ["", rules] {
        let keys = [
            ("tunnel.unknown_protocol", "\"allow\""),
            ("tunnel.sniff_timeout", "\"100ms\""),
        ];
        let proxy = start(rules, &keys);
        let origin = speaking_first("220 ready\r\n");
        let contents = [
            b"GET /secret HTTP/1.1\r\nHost: a.test\r\n\r\n".to_vec(),
            client_hello("a.test"),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        ];
        for (index, content) in contents.into_iter().enumerate() {
            let mut client = proxy.connection();
            client
                .connect(&format!("a.test:{}", origin.port()))
                .unwrap();
            assert_eq!(client.bytes(11), b"220 ready\r\n");
            client.send(content);
            assert_eq!(client.rest().0, b"");
            let line = proxy.log.transactions(index + 1).remove(index);
            let expected =
                json!({ "error": "http_request_denied", "action": "deny", "bytes_up": 0 });
            assert_fields(&line, &expected);
        }
    }
}

/// A silent client is waited for, and what it then says is judged as ever.
#[test]
fn a_client_that_is_silent_for_long_is_still_inspected() {
    let keys = [
        ("tunnel.unknown_protocol", "\"allow\""),
        ("tunnel.sniff_timeout", "\"100ms\""),
    ];
    let proxy = start("", &keys);
    let origin = Origin::start();
    let mut client = proxy.connection();
    let target = format!("a.test:{}", origin.port());
    client.connect(&target).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(400));
    client.send(format!("GET /bytes/9 HTTP/1.1\r\nHost: {target}\r\n\r\n"));
    assert_eq!(client.response().body.len(), 9);
    assert_fields(
        &proxy.log.transaction(),
        &json!({ "proto": "http", "uri": "/bytes/9" }),
    );
}

/// RFC 9110 section 9.3.6: the target is host and port, and the ports are guarded.
#[test]
fn connect_targets() {
    let proxy = start("", &[("guard.ports", "[80, 443]")]);
    let cases = [
        ("a.test:22", "Host: a.test:22\r\n", 403),
        ("a.test:8443", "Host: a.test:8443\r\n", 403),
        ("a.test", "Host: a.test\r\n", 400),
        ("a.test:", "Host: a.test\r\n", 400),
        ("a.test:0", "Host: a.test:0\r\n", 400),
        ("a.test:65536", "Host: a.test\r\n", 400),
        ("http://a.test:443/", "Host: a.test\r\n", 400),
        ("/a.test:443", "Host: a.test\r\n", 400),
        ("user@a.test:443", "Host: a.test:443\r\n", 400),
        (
            "a.test:443",
            "Host: a.test:443\r\nContent-Length: 4\r\n",
            400,
        ),
        (
            "a.test:443",
            "Host: a.test:443\r\nTransfer-Encoding: chunked\r\n",
            400,
        ),
    ];
    for (target, headers, status) in cases {
        let mut client = proxy.connection();
        client.send(format!("CONNECT {target} HTTP/1.1\r\n{headers}\r\n"));
        let response = client.response_to("CONNECT");
        assert_eq!(response.status, status, "{target} {headers}: {response:?}");
    }
    proxy.log.transactions(cases.len());
}

/// What the client sends along with the CONNECT belongs to the tunnel.
#[test]
fn bytes_that_follow_the_connect_at_once_are_not_lost() {
    let (proxy, origin) = (Proxy::open(), Origin::start());
    let authority = origin.address;
    let mut client = proxy.connection();
    client.send(format!(
        "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n\
         GET /bytes/9 HTTP/1.1\r\nHost: {authority}\r\n\r\nGET /bytes/8 HTTP/1.1\r\nHost: {authority}\r\n\r\n"
    ));
    assert_eq!(client.response_to("CONNECT").status, 200);
    assert_eq!(client.response().body.len(), 9);
    assert_eq!(client.response().body.len(), 8);
}

/// Half-closed tunnels deliver what is still under way (RFC 9110 section 9.3.6).
#[test]
fn either_side_may_finish_first() {
    let origin = ScriptedOrigin::start(|mut accepted, _| {
        let (upload, _) = accepted.connection.rest();
        accepted.send(format!("{} bytes", upload.len()));
    });
    let proxy = Setup::new()
        .key("tunnel.unknown_protocol", "\"allow\"")
        .start(ALLOW_ALL);
    let mut client = proxy.connection();
    client.connect(&origin.address.to_string()).unwrap();
    client.send(vec![0xff; 3_000_000]).finish();
    assert_eq!(String::from_utf8(client.rest().0).unwrap(), "3000000 bytes");
    let line = proxy.log.transaction();
    assert_fields(&line, &json!({ "bytes_up": 3_000_000, "bytes_down": 13 }));
}

#[test]
fn tunnels_end_when_idle_or_old() {
    let rules = "";
    for (key, value) in [
        ("tunnel.idle_timeout", "\"150ms\""),
        ("tunnel.lifetime_max", "\"150ms\""),
    ] {
        let proxy = start(
            rules,
            &[(key, value), ("tunnel.unknown_protocol", "\"allow\"")],
        );
        let origin = ScriptedOrigin::silent();
        let mut client: Connection = proxy.connection();
        client
            .connect(&format!("a.test:{}", origin.port()))
            .unwrap();
        client.send([0, 1, 2]);
        client.rest();
        let line = proxy.log.transaction();
        assert_eq!(line["error"], "connection_terminated", "{key}: {line}");
    }
}
