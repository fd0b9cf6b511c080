//! Connections that switch protocols: WebSockets pass, what would hide HTTP does not.

use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::proxy::Setup;
use crate::common::tls_bridge::{ClientAuth, tls_before, tls_tunnel};
use crate::common::{ALLOW_ALL, Connection, Rules, ScriptedOrigin};

/// An origin that switches and then answers each line with itself, twice.
fn echoing_origin() -> ScriptedOrigin {
    ScriptedOrigin::start(|mut accepted, notebook| {
        let request = accepted.request();
        let protocol = request.header("upgrade").unwrap_or_default();
        notebook.note(request);
        // What follows the 101 at once is data already.
        accepted.send(format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\nwelcome"
        ));
        while accepted.has_more() {
            let said = accepted.connection.bytes(5);
            accepted.send(&said).send(&said);
        }
    })
}

fn upgrade(client: &mut Connection, target: &str, authority: &str, protocol: &str) {
    client.send(format!(
        "GET {target} HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ));
}

/// Inside TLS: two Close frames are an end, whatever the connection does after them; without both of
/// them it has been cut.
#[test]
fn a_close_handshake_ends_a_websocket() {
    const CLOSE: &[u8] = &[0x88, 2, 3, 0xe8];
    const MASKED_CLOSE: &[u8] = &[0x88, 0x82, 0, 0, 0, 0, 3, 0xe8];
    const DATA: &[u8] = &[0x82, 3, 0x88, 0, 0];
    for (said, error) in [(CLOSE, None), (DATA, Some("connection_terminated"))] {
        let (setup, pki) = Setup::intercepting();
        let proxy = setup.start(ALLOW_ALL);
        let origin = ScriptedOrigin::start(move |mut accepted, _| {
            accepted.request();
            accepted.send([
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
                said,
            ].concat());
            assert_eq!(accepted.connection.bytes(MASKED_CLOSE.len()), MASKED_CLOSE);
            // No close_notify: what is before it ends without a word.
            let socket = socket2::SockRef::from(&accepted.connection.stream);
            socket.set_linger(Some(std::time::Duration::ZERO)).unwrap();
        });
        let identity = pki.origin(&["a.test"]);
        let port = tls_before(origin.address, &identity, &pki, ClientAuth::Nobody).port();
        let authority = format!("a.test:{port}");
        let mut client = tls_tunnel(&proxy, &pki, &authority, "a.test");
        upgrade(&mut client, "/chat", &authority, "websocket");
        assert_eq!(client.response().status, 101);
        assert_eq!(client.bytes(said.len()), said);
        client.send(MASKED_CLOSE);
        client.rest();
        let lines = proxy.log.transactions(2);
        let line = lines.iter().find(|line| line["method"] == "GET").unwrap();
        assert_fields(line, &json!({ "status": 101, "error": error }));
    }
}

#[test]
fn websockets_pass_in_absolute_form_and_in_tunnels() {
    for is_tunnel in [false, true] {
        let origin = echoing_origin();
        let proxy = Setup::new().start(ALLOW_ALL);
        let authority = origin.address.to_string();
        let mut client = proxy.connection();
        if is_tunnel {
            client.connect(&authority).unwrap();
        }
        let target = if is_tunnel {
            "/chat".to_owned()
        } else {
            origin.url("/chat")
        };
        upgrade(&mut client, &target, &authority, "websocket");
        let answer = client.response();
        assert_eq!(answer.status, 101);
        assert_eq!(answer.header("upgrade").as_deref(), Some("websocket"));
        let seen = origin.requests(1).remove(0);
        assert_eq!(seen.header("upgrade").as_deref(), Some("websocket"));
        assert_eq!(seen.header("sec-websocket-version").as_deref(), Some("13"));
        assert_eq!(client.bytes(7), b"welcome");
        for said in ["hello", "again"] {
            client.send(said);
            assert_eq!(client.bytes(10), said.repeat(2).as_bytes());
        }
        client.finish();
        client.assert_closed();
        let line = proxy.log.wait("transaction", 1).remove(0);
        let expected =
            json!({ "status": 101, "proto": "ws", "method": "GET", "uri": "/chat", "error": null });
        assert_fields(&line, &expected);
    }
}

#[test]
fn rules_judge_websockets() {
    let origin = echoing_origin();
    let rules = r#"
[[group]]
priority = 1
name = "sockets"
[[group.pre_request]]
name = "no-websockets"
action = "deny"
when."request:Protocol" = { StringEquals = "ws" }
"#;
    let proxy = Setup::new().start(Rules(rules));
    let mut client = proxy.connection();
    upgrade(
        &mut client,
        &origin.url("/"),
        &origin.address.to_string(),
        "websocket",
    );
    client.response().assert_refusal(403, "http_request_denied");
    assert_fields(
        &proxy.log.transaction(),
        &json!({ "rule": "no-websockets", "phase": "PreREQUEST" }),
    );
    assert_eq!(origin.connections(), 0);
}

/// An unknown protocol is one that nobody inspects: the policy for tunnels holds for it.
#[test]
fn other_protocols_follow_the_configuration() {
    let origin = echoing_origin();
    let proxy = Setup::new()
        .key("tunnel.unknown_protocol", "\"allow\"")
        .start(ALLOW_ALL);
    let mut client = proxy.connection();
    upgrade(
        &mut client,
        &origin.url("/"),
        &origin.address.to_string(),
        "custom/1",
    );
    assert_eq!(client.response().status, 101);
    assert_eq!(client.bytes(7), b"welcome");
    let answering = ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let proxy = Setup::new().start(ALLOW_ALL);
    let mut client = proxy.connection();
    upgrade(
        &mut client,
        &answering.url("/"),
        &answering.address.to_string(),
        "custom/1",
    );
    assert_eq!(client.response().status, 200);
    assert_eq!(answering.requests(1)[0].header("upgrade"), None);
}

/// A 101 for something else than was asked for, or that nothing has asked for, is no answer: what
/// follows it would be a tunnel past the rules.
#[test]
fn a_101_must_answer_what_was_asked() {
    let get = |protocol: &str| {
        format!("GET {{}} HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: {protocol}\r\n")
    };
    let post =
        "POST {} HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n";
    let put =
        "PUT {} HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: custom/1\r\nContent-Length: 2\r\n";
    let two = "websocket\r\nUpgrade: custom/1";
    for (policy, request, answer, status) in [
        ("deny", get("websocket"), "websocket", 101),
        ("deny", get("websocket"), "WebSocket", 101),
        ("deny", get("websocket"), "h2c", 502),
        ("deny", get("websocket"), "websocket, h2c", 502),
        ("deny", get("websocket"), "websocket\r\nUpgrade: h2c", 502),
        ("deny", get("websocket"), "", 502),
        ("deny", get(two), "websocket", 502),
        ("deny", post.to_owned(), "websocket", 502),
        ("deny", "GET {} HTTP/1.1\r\n".to_owned(), "websocket", 502),
        ("allow", get("custom/1"), "custom/1", 101),
        ("allow", get("custom/1"), "custom/2", 502),
        ("allow", get(two), "custom/1", 101),
        ("allow", get("custom/1"), "websocket", 502),
        ("allow", post.to_owned(), "websocket", 502),
        ("allow", put.to_owned(), "custom/1", 502),
    ] {
        let origin = ScriptedOrigin::answering_once(format!(
            "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: {answer}\r\n\r\nfree bytes"
        ));
        let proxy = Setup::new()
            .key("tunnel.unknown_protocol", &format!("\"{policy}\""))
            .start(ALLOW_ALL);
        let mut client = proxy.connection();
        let request = request.replace("{}", &origin.url("/"));
        let host = origin.address;
        client.send(format!("{request}Host: {host}\r\n\r\n"));
        if request.starts_with("PUT") {
            client.send("ok");
        }
        let response = client.response();
        assert_eq!(
            response.status, status,
            "{policy}: {request} answered by {answer}"
        );
        if status == 101 {
            assert_eq!(client.bytes(10), b"free bytes");
        } else {
            client.finish();
            client.assert_closed();
        }
    }
}

/// An origin that does not want to switch answers as usual, and the connection goes on.
#[test]
fn an_upgrade_may_be_declined() {
    let origin = ScriptedOrigin::answering("HTTP/1.1 426 No\r\nContent-Length: 2\r\n\r\nno");
    let proxy = Setup::new().start(ALLOW_ALL);
    let mut client = proxy.connection();
    for _ in 0..2 {
        upgrade(
            &mut client,
            &origin.url("/"),
            &origin.address.to_string(),
            "websocket",
        );
        let response = client.response();
        assert_eq!((response.status, &*response.body), (426, &b"no"[..]));
    }
}

/// h2c and other upgrades would take HTTP out of sight: the origin is not asked for them.
#[test]
fn upgrades_that_hide_http_are_not_forwarded() {
    let origin = ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    for policy in ["\"deny\"", "\"allow\""] {
        for upgrade in ["h2c", "HTTP/2.0", "TLS/1.2", "websocket, h2c"] {
            let proxy = Setup::new()
                .key("tunnel.unknown_protocol", policy)
                .start(ALLOW_ALL);
            let (authority, url) = (origin.address, origin.url("/"));
            let before = origin.requests(0).len();
            let mut client = proxy.connection();
            client.send(format!(
                "GET {url} HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade, HTTP2-Settings\r\n\
                 Upgrade: {upgrade}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
            ));
            assert_eq!(client.response().status, 200, "{upgrade}");
            let seen = origin.requests(before + 1).remove(before);
            for name in ["upgrade", "http2-settings"] {
                assert_eq!(seen.header(name), None, "{upgrade} with {policy}: {seen:?}");
            }
        }
    }
}
