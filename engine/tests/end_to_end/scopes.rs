//! Scopes by destination where a name has several addresses: the tunnel may go to any of them.

use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::pki::{Flaw, Pki};
use crate::common::proxy::Setup;
use crate::common::tls_bridge::tls_tunnel;
use crate::common::{ALLOW_ALL, Origin, Proxy};
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
