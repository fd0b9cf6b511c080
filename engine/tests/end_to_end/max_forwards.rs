//! OPTIONS and TRACE that may be forwarded a number of times only (RFC 9110 section 7.6.2).

use serde_json::{Value, json};

use crate::common::access_log::assert_fields;
use crate::common::proxy::Setup;
use crate::common::tls_bridge::{ClientAuth, tls_before, tls_tunnel};
use crate::common::{Proxy, Rules, ScriptedOrigin};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn the_last_recipient_answers() {
    let proxy = Proxy::open();
    let origin = ScriptedOrigin::silent();
    let (url, authority) = (origin.url("/x?y=1"), origin.address);
    let mut client = proxy.connection();
    client.send(format!(
        "OPTIONS {url} HTTP/1.1\r\nHost: {authority}\r\nMax-Forwards: 0\r\n\r\n"
    ));
    let response = client.response();
    assert_eq!((response.status, response.body.len()), (200, 0));
    assert!(response.header("allow").unwrap().contains("GET"));
    // The connection serves on.
    let trace = format!(
        "TRACE {url} HTTP/1.1\r\nHost: {authority}\r\nMax-Forwards: 0\r\nX-Own: yes\r\n\r\n"
    );
    client.send(trace.replace("X-Own", "Cookie: a=b\r\nAuthorization: Basic eA==\r\nX-Own"));
    let response = client.response();
    assert_eq!(
        response.header("content-type").as_deref(),
        Some("message/http")
    );
    assert_eq!(String::from_utf8(response.body).unwrap(), trace);
    assert_eq!(origin.connections(), 0);
    for (line, method) in proxy.log.transactions(2).iter().zip(["OPTIONS", "TRACE"]) {
        let expected = json!({ "status": 200, "method": method, "error": null, "dst_ip": null,
            "detail": "answered here: Max-Forwards is 0", "phase": "PreREQUEST", "action": "allow" });
        assert_fields(line, &expected);
    }
    // What has a body is not read to its end.
    client.send(format!(
        "OPTIONS {url} HTTP/1.1\r\nHost: {authority}\r\nMax-Forwards: 0\r\nContent-Length: 3\r\n\r\nabc"
    ));
    let response = client.response();
    assert_eq!(response.status, 200);
    assert!(response.says_close());
    client.assert_closed();
}

#[test]
fn every_other_request_is_forwarded_with_one_less() {
    let proxy = Proxy::open();
    let origin = ScriptedOrigin::answering(OK);
    let (url, authority) = (origin.url("/"), origin.address);
    let cases = [
        ("OPTIONS", "3", Some("2")),
        ("TRACE", "1", Some("0")),
        ("GET", "0", Some("0")),
        ("OPTIONS", "+0", None),
        ("OPTIONS", "none", None),
    ];
    let mut client = proxy.connection();
    for (index, (method, sent, seen)) in cases.into_iter().enumerate() {
        client.send(format!(
            "{method} {url} HTTP/1.1\r\nHost: {authority}\r\nMax-Forwards: {sent}\r\n\r\n"
        ));
        assert_eq!(client.response().body, b"ok");
        let request = &origin.requests(index + 1)[index];
        assert_eq!(
            request.header("max-forwards").as_deref(),
            seen,
            "{method} {sent}"
        );
    }
}

/// What the rules deny is denied to them as well, on the connection and inside TLS.
#[test]
fn rules_come_first() {
    const RULES: Rules<'_> = Rules(
        r#"
[[group]]
priority = 1
name = "methods"
[[group.pre_request]]
name = "no-trace"
action = "deny"
when."request:Http:Method" = { StringEquals = "TRACE" }
"#,
    );
    let (setup, pki) = Setup::intercepting();
    let proxy = setup.start(RULES);
    let origin = ScriptedOrigin::silent();
    let (url, authority) = (origin.url("/"), origin.address);
    let mut client = proxy.connection();
    let of = |method: &str, target: &str, host: &str| {
        format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nMax-Forwards: 0\r\n\r\n")
    };
    client.send(of("TRACE", &url, &authority.to_string()));
    client.response().assert_refusal(403, "http_request_denied");
    client.send(of("OPTIONS", &url, &authority.to_string()));
    assert_eq!(client.response().status, 200);
    assert_eq!(origin.connections(), 0);
    let origin = ScriptedOrigin::answering(OK);
    let identity = pki.origin(&["a.test"]);
    let port = tls_before(origin.address, &identity, &pki, ClientAuth::Nobody).port();
    let authority = format!("a.test:{port}");
    let mut client = tls_tunnel(&proxy, &pki, &authority, "a.test");
    client.send(of("TRACE", "/", &authority));
    client.response().assert_refusal(403, "http_request_denied");
    client.send(of("OPTIONS", "/", &authority));
    assert!(client.response().header("allow").is_some());
    // The next one goes to the origin, the first that does.
    client.send(format!("GET /last HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
    assert_eq!(client.response().body, b"ok");
    assert!(origin.requests(1)[0].line.contains("/last"));
    let lines = proxy.log.of("deny");
    assert!(lines.iter().all(|line| line["rule"] != Value::Null));
}
