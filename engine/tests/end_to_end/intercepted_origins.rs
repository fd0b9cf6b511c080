//! Origins that are not to be believed, or that want to know who asks.

use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::pki::{Flaw, Pki};
use crate::common::proxy::Setup;
use crate::common::tls_bridge::{ClientAuth, tls_before, tls_tunnel};
use crate::common::{ALLOW_ALL, Proxy, ScriptedOrigin};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What is wrong, for which names, and the word for it.
const FLAWS: [(Flaw, &str, &str); 7] = [
    (Flaw::None, "a.test", ""),
    (Flaw::None, "other.test", "name mismatch"),
    (Flaw::Expired, "a.test", "expired"),
    (Flaw::NotYetValid, "a.test", "not yet valid"),
    (Flaw::SelfSigned, "a.test", "self-signed"),
    (Flaw::UnknownIssuer, "a.test", "unknown issuer"),
    (Flaw::WrongUsage, "a.test", "wrong usage"),
];

fn get(proxy: &Proxy, pki: &Pki, port: u16) -> (u16, String, Option<String>) {
    let authority = format!("a.test:{port}");
    let mut client = tls_tunnel(proxy, pki, &authority, "a.test");
    client.send(format!(
        "GET / HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
    ));
    let response = client.response();
    let error = response.proxy_error();
    let body = String::from_utf8(response.body).unwrap();
    (response.status, body, error)
}

/// Refused with a page that says why, over a certificate that the client believes.
#[test]
fn bad_certificates_are_refused_with_the_cause() {
    let (setup, pki) = Setup::intercepting();
    let proxy = setup.start(ALLOW_ALL);
    for (index, (flaw, name, words)) in FLAWS.into_iter().enumerate() {
        let origin = ScriptedOrigin::answering(OK);
        let identity = pki.flawed(&[name], flaw);
        let address = tls_before(origin.address, &identity, &pki, ClientAuth::Nobody);
        let (status, body, error) = get(&proxy, &pki, address.port());
        let lines = proxy.log.transactions(2 * (index + 1));
        if words.is_empty() {
            assert_eq!((status, body.as_str()), (200, "ok"));
            continue;
        }
        assert_eq!(status, 502, "{flaw:?}: {body}");
        assert_eq!(error.as_deref(), Some("tls_certificate_error"));
        assert!(body.contains(words), "{flaw:?}: {body}");
        let inner = lines.iter().rfind(|line| line["method"] == "GET").unwrap();
        assert_fields(
            inner,
            &json!({ "status": 502, "error": "tls_certificate_error" }),
        );
        assert!(inner["detail"].as_str().unwrap().contains(words), "{inner}");
        assert!(origin.requests(0).is_empty());
    }
}

/// `upstream_verify = "alert"`: forwarded, and the log says what was let pass.
#[test]
fn bad_certificates_are_let_pass_where_a_scope_says_so() {
    let (setup, pki) = Setup::intercepting();
    let scope = r#"[{ domains = ["a.test"], mode = "intercept", upstream_verify = "alert" }]"#;
    let proxy = setup.key("tls.scope", scope).start(ALLOW_ALL);
    let mut alerts = 0;
    for (flaw, name, words) in FLAWS {
        let origin = ScriptedOrigin::answering(OK);
        let identity = pki.flawed(&[name], flaw);
        let address = tls_before(origin.address, &identity, &pki, ClientAuth::Nobody);
        let (status, body, _) = get(&proxy, &pki, address.port());
        assert_eq!((status, body.as_str()), (200, "ok"), "{flaw:?}");
        if !words.is_empty() {
            alerts += 1;
            let line = proxy.log.wait("alert", alerts).remove(alerts - 1);
            assert!(line["detail"].as_str().unwrap().contains(words), "{line}");
        }
    }
    assert_eq!(proxy.log.of("alert").len(), alerts);
}

/// The certificate of the scope is shown to those who ask.
#[test]
fn origins_that_ask_are_shown_the_certificate_of_the_scope() {
    let (setup, pki) = Setup::intercepting();
    pki.client("us");
    let scope = r#"[{ mode = "intercept", client_certificate = "us.pem", client_key = "us.key" }]"#;
    let proxy = setup.key("tls.scope", scope).start(ALLOW_ALL);
    let origin = ScriptedOrigin::answering(OK);
    let identity = pki.origin(&["a.test"]);
    let address = tls_before(origin.address, &identity, &pki, ClientAuth::Everybody);
    for _ in 0..2 {
        assert_eq!(get(&proxy, &pki, address.port()).0, 200);
    }
    assert!(proxy.log.of("alert").is_empty());
}

/// What an origin sends before it was asked answers nothing (RFC 9112 section 9.2).
#[test]
fn an_answer_before_its_question_is_not_believed() {
    let (setup, pki) = Setup::intercepting();
    let proxy = setup.start(ALLOW_ALL);
    let origin = ScriptedOrigin::start(|mut accepted, notebook| {
        while accepted.has_more() {
            let request = accepted.request();
            accepted.send(OK);
            if accepted.index == 0 {
                accepted.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
            }
            notebook.note(request);
        }
    });
    let identity = pki.origin(&["a.test"]);
    let address = tls_before(origin.address, &identity, &pki, ClientAuth::Nobody);
    let authority = format!("a.test:{}", address.port());
    let mut client = tls_tunnel(&proxy, &pki, &authority, "a.test");
    let request = format!("GET / HTTP/1.1\r\nHost: {authority}\r\n\r\n");
    client.send(&request);
    assert_eq!(client.response().body, b"ok");
    origin.requests(1);
    // What has left the origin is behind what this asks for.
    assert_eq!(get(&proxy, &pki, address.port()).1, "ok");
    client.send(&request);
    assert_eq!(client.response().body, b"ok");
}

/// An origin that speaks no TLS, or nothing.
#[test]
fn origins_that_speak_no_tls() {
    let (setup, pki) = Setup::intercepting();
    let proxy = setup
        .key("timeouts.tls_handshake", "\"500ms\"")
        .start(ALLOW_ALL);
    let plain = ScriptedOrigin::start(|mut accepted, _| {
        accepted.connection.bytes(5);
        accepted.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        accepted.connection.finish();
        accepted.connection.rest();
    });
    let silent = ScriptedOrigin::silent();
    let closing = ScriptedOrigin::start(|accepted, _| drop(accepted));
    let cases = [
        (plain.port(), 502, "tls_protocol_error"),
        (silent.port(), 504, "connection_timeout"),
        (closing.port(), 502, "connection_terminated"),
    ];
    for (port, expected, token) in cases {
        let (status, body, error) = get(&proxy, &pki, port);
        assert_eq!(
            (status, error.as_deref()),
            (expected, Some(token)),
            "{body}"
        );
    }
}
