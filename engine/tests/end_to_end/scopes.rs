//! Scopes by destination where a name has several addresses: the tunnel may go to any of them.

use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::pki::{Flaw, Pki};
use crate::common::proxy::Setup;
use crate::common::tls_bridge::{ClientAuth, tls_before, tls_tunnel, tls_tunnel_over};
use crate::common::{ALLOW_ALL, Connection, Origin, Proxy, ScriptedOrigin};
use crate::curl::Curl;

/// Nobody listens at 127.0.0.9: connections go on to 127.0.0.1.
const ADDRESSES: [&str; 2] = [
    r#"["127.0.0.9", "127.0.0.1"]"#,
    r#"["127.0.0.1", "127.0.0.9"]"#,
];

fn start(addresses: &str, keys: &[(&str, &str)], scopes: &str) -> (Proxy, Pki) {
    let (mut setup, pki) = Setup::intercepting();
    for (key, value) in keys {
        setup = setup.key(key, value);
    }
    let proxy = setup
        .key("hosts.\"two.test\"", addresses)
        .key("tls.scope", scopes)
        .start(ALLOW_ALL);
    (proxy, pki)
}

fn scope(address: &str, more: &str) -> String {
    format!("[{{ destinations = [\"{address}/32\"], {more} }}]")
}

/// Whichever address comes first, and whichever is the exception: what one of them asks for is done.
#[test]
fn a_tunnel_is_intercepted_if_it_might_go_where_that_is_asked_for() {
    for addresses in ADDRESSES {
        for exception in ["127.0.0.9", "127.0.0.1"] {
            for (mode, other) in [("passthrough", "intercept"), ("intercept", "passthrough")] {
                let mode_key = format!("\"{other}\"");
                let (proxy, pki) = start(
                    addresses,
                    &[("tls.mode", &mode_key)],
                    &scope(exception, &format!("mode = \"{mode}\"")),
                );
                let origin = Origin::certified(&pki.origin(&["two.test"]));
                let authority = format!("two.test:{}", origin.port());
                let mut client = tls_tunnel(&proxy, &pki, &authority, "two.test");
                client.send(format!(
                    "GET / HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
                ));
                assert_eq!(client.response().status, 200);
                drop(client);
                let lines = proxy.log.transactions(2);
                for line in &lines {
                    assert_fields(
                        line,
                        &json!({ "tls_mode": "intercept", "dst_ip": "127.0.0.1" }),
                    );
                }
            }
        }
    }
}

/// Where all of them are left alone, so is the tunnel.
#[test]
fn a_tunnel_is_left_alone_if_all_its_addresses_are() {
    let scopes = "[{ destinations = [\"127.0.0.9/32\"], mode = \"passthrough\" }, \
        { destinations = [\"127.0.0.1/32\"], mode = \"passthrough\" }]";
    let (proxy, pki) = start(ADDRESSES[0], &[], scopes);
    let Some(curl) = Curl::through(&proxy) else {
        return;
    };
    let origin = Origin::certified(&pki.origin(&["two.test"]));
    let url = format!("https://two.test:{}/", origin.port());
    let outcome = curl.run(&["--http1.1", "--cacert", &pki.roots(), &url]);
    assert_eq!((outcome.exit, outcome.code), (Some(0), 200));
    let expected = json!({ "tls_mode": "passthrough", "dst_ip": "127.0.0.1" });
    assert_fields(&proxy.log.transaction(), &expected);
}

/// What one scope lets pass is not let pass of an address that it does not speak of.
#[test]
fn the_strictest_verification_holds() {
    for addresses in ADDRESSES {
        let alert = "mode = \"intercept\", upstream_verify = \"alert\"";
        let (proxy, pki) = start(addresses, &[], &scope("127.0.0.9", alert));
        let origin = Origin::certified(&pki.flawed(&["two.test"], Flaw::SelfSigned));
        let authority = format!("two.test:{}", origin.port());
        let mut client = tls_tunnel(&proxy, &pki, &authority, "two.test");
        client.send(format!("GET / HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
        client
            .response()
            .assert_refusal(502, "tls_certificate_error");
    }
}

/// Whom a connection to an origin speaks for is part of what it is kept under: clients in the scope of a
/// certificate share connections with each other, and with nobody else.
#[test]
fn a_scope_with_a_certificate_keeps_its_connections_to_itself() {
    let (setup, pki) = Setup::intercepting();
    pki.client("us");
    let scopes = r#"[{ clients = ["127.0.0.2/31"], mode = "intercept", client_certificate = "us.pem", client_key = "us.key" }]"#;
    let proxy = setup
        .key("tls.scope", scopes)
        .key("tls.client_certificate_fallback", "false")
        .start(ALLOW_ALL);
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let origin = ScriptedOrigin::answering(ok);
    let identity = pki.origin(&["a.test"]);
    let address = tls_before(origin.address, &identity, &pki, ClientAuth::Everybody);
    let authority = format!("a.test:{}", address.port());
    let ask = |client: &str| {
        let connection = Connection::open_from(client, proxy.address);
        let mut tunnel = tls_tunnel_over(connection, &pki.authority(), &authority, "a.test");
        tunnel.send(format!("GET / HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
        tunnel.response().status
    };
    for _ in 0..2 {
        // Without the certificate: nothing is remembered that would serve or harm the others.
        assert_eq!(ask("127.0.0.5"), 502);
        assert_eq!(ask("127.0.0.2"), 200);
        assert_eq!(ask("127.0.0.3"), 200);
        assert_eq!(ask("127.0.0.5"), 502);
    }
    assert_eq!(origin.requests(4).len(), 4);
}
