//! `https` targets in absolute form: TLS to the origin is ours, and nothing of the request is hidden.

use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::pki::{Flaw, Pki};
use crate::common::proxy::Setup;
use crate::common::{ALLOW_ALL, Connection, Origin, Rules, ScriptedOrigin};

/// Origins of the `Pki` are believed; tunnels are passed through, and there is no authority.
fn passing() -> (Setup, Pki) {
    let setup = Setup::new();
    let pki = Pki::new(setup.folder.path());
    let setup = setup
        .key("tls.upstream.roots", "[\"roots.pem\"]")
        .host("a.test", "127.0.0.1")
        .host("b.test", "127.0.0.1");
    (setup, pki)
}

fn get(client: &mut Connection, url: &str, fields: &str) -> u16 {
    let authority = url.split('/').nth(2).unwrap();
    client.send(format!(
        "GET {url} HTTP/1.1\r\nHost: {authority}\r\n{fields}\r\n"
    ));
    client.response().status
}

#[test]
fn they_are_served_without_interception_and_with_it() {
    let intercepting = Setup::intercepting();
    for (setup, pki) in [passing(), intercepting] {
        let proxy = setup.start(ALLOW_ALL);
        let origin = Origin::certified(&pki.origin(&["a.test"]));
        let url = format!("https://a.test:{}/bytes/100", origin.port());
        let mut client = proxy.connection();
        for _ in 0..2 {
            assert_eq!(get(&mut client, &url, ""), 200);
        }
        let lines = proxy.log.transactions(2);
        let expected = json!({
            "proto": "https", "method": "GET", "domain": "a.test", "port": origin.port(),
            "uri": "/bytes/100", "status": 200, "tls_mode": "none", "upstream_reused": true,
        });
        assert_fields(&lines[1], &expected);
        assert!(lines[0]["t_tls_origin"].is_u64(), "{}", lines[0]);
    }
}

#[test]
fn all_three_phases_judge_them() {
    let rules = r#"
[[group]]
priority = 1
name = "one"
[[group.pre_dns]]
name = "no-tls-to-b"
action = "deny"
when."request:DestinationDomain" = { StringEquals = "b.test" }
when."request:Protocol" = { StringEquals = "https" }
[[group.pre_request]]
name = "no-secret"
action = "deny"
when."request:Http:Uri" = { StringLike = "/secret*" }
[[group.pre_request]]
name = "no-sockets"
action = "deny"
when."request:Protocol" = { StringEquals = "wss" }
[[group.post_response]]
name = "not-that-large"
action = "deny"
when."response:Http:ContentLength" = { NumericGreaterThan = "1000" }
when."request:Protocol" = { StringEquals = "https" }
"#;
    let (setup, pki) = passing();
    let proxy = setup.start(Rules(rules));
    let origin = Origin::certified(&pki.origin(&["a.test", "b.test"]));
    let (a, port) = (format!("https://a.test:{}", origin.port()), origin.port());
    let upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    let cases = [
        (
            format!("https://b.test:{port}/"),
            "",
            403,
            Some("no-tls-to-b"),
        ),
        (format!("{a}/secret"), "", 403, Some("no-secret")),
        (
            format!("wss://a.test:{port}/"),
            upgrade,
            403,
            Some("no-sockets"),
        ),
        (format!("{a}/bytes/1001"), "", 403, Some("not-that-large")),
        (format!("{a}/bytes/1000"), "", 200, None),
    ];
    let mut client = proxy.connection();
    for (index, (url, fields, status, rule)) in cases.iter().enumerate() {
        assert_eq!(get(&mut client, url, fields), *status, "{url}");
        let line = proxy.log.transactions(index + 1).remove(index);
        let proto = url.split(':').next().unwrap();
        let proto = if fields.is_empty() { proto } else { "wss" };
        assert_fields(&line, &json!({ "rule": rule, "proto": proto }));
    }
}

/// What would be refused in a tunnel is refused here, and let pass where the scope says so.
#[test]
fn origins_are_verified_by_their_scope() {
    let (setup, pki) = passing();
    let setup = setup.append(
        "[[tls.scope]]\ndomains = [\"b.test\"]\nmode = \"passthrough\"\nupstream_verify = \"alert\"\n",
    );
    let proxy = setup.start(ALLOW_ALL);
    let identity = pki.flawed(&["a.test", "b.test"], Flaw::Expired);
    let origin = Origin::certified(&identity);
    let mut client = proxy.connection();
    client.send(format!(
        "GET https://a.test:{0}/ HTTP/1.1\r\nHost: a.test:{0}\r\n\r\n",
        origin.port()
    ));
    let response = client.response();
    response.assert_refusal(502, "tls_certificate_error");
    assert!(response.text().contains("expired"), "{}", response.text());
    let url = format!("https://b.test:{}/", origin.port());
    assert_eq!(get(&mut client, &url, ""), 200);
    let mismatch = Origin::certified(&pki.origin(&["b.test"]));
    let url = format!("https://a.test:{}/", mismatch.port());
    assert_eq!(get(&mut client, &url, ""), 502);
    // Who speaks no TLS gets no request.
    let plain = ScriptedOrigin::start(|mut accepted, _| {
        accepted.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        accepted.connection.rest();
    });
    let url = format!("https://a.test:{}/", plain.port());
    assert_eq!(get(&mut client, &url, ""), 502);
}

#[test]
fn they_can_be_turned_off() {
    let (setup, _) = passing();
    let proxy = setup.key("http.https_targets", "false").start(ALLOW_ALL);
    let origin = ScriptedOrigin::silent();
    for scheme in ["https", "wss"] {
        let url = format!("{scheme}://a.test:{}/", origin.port());
        assert_eq!(get(&mut proxy.connection(), &url, ""), 400);
    }
    let detail = "https and wss are reached through CONNECT (http.https_targets)";
    let lines = proxy.log.transactions(2);
    assert_fields(&lines[1], &json!({ "detail": detail }));
    assert_eq!(origin.connections(), 0);
}
