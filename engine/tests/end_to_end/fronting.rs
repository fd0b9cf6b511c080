//! Requests and server names that are not the host of their CONNECT.

use serde_json::json;

use crate::common::ScriptedOrigin;
use crate::common::access_log::assert_fields;
use crate::common::certificates::client_hello;
use crate::tunnels::{ACCESS_DENIED, RULES, start};

/// A fatal alert, `handshake_failure`: TLS, by which the origin shows that it was asked.
const GOT_IT: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];

/// SNI that is not the host of the CONNECT.
#[test]
fn fronting_by_sni() {
    let origin = ScriptedOrigin::start(|mut accepted, _| {
        accepted.connection.bytes(5);
        accepted.send(GOT_IT);
        accepted.connection.finish();
        accepted.connection.rest();
    });
    let cases = [
        // SNI of the hello, fronting, whether it passes, alert lines
        ("a.test", "deny", true, 0),
        ("A.TEST", "deny", true, 0),
        ("x.test", "deny", false, 0),
        ("x.test", "alert", true, 1),
        ("x.test", "allow", true, 0),
        // With `allow` PreDNS judges the new name.
        ("bad.test", "allow", false, 0),
    ];
    for (sni, fronting, passes, alerts) in cases {
        let quoted = format!("\"{fronting}\"");
        let proxy = start(
            &RULES
                .replace("watch-tls", "watch")
                .replace("\"https\"", "\"ws\""),
            &[("tunnel.fronting", &quoted)],
        );
        let before = origin.connections();
        let mut client = proxy.connection();
        client
            .connect(&format!("a.test:{}", origin.port()))
            .unwrap();
        client.send(client_hello(sni)).finish();
        let (answer, _) = client.rest();
        let expected: &[u8] = if passes { &GOT_IT } else { &ACCESS_DENIED };
        assert_eq!(answer, expected, "{sni} with fronting = {fronting}");
        assert_eq!(origin.connections() - before, usize::from(passes));
        proxy.log.transaction();
        assert_eq!(
            proxy.log.of("alert").len(),
            alerts,
            "{sni} with fronting = {fronting}"
        );
    }
}

/// `Host` that is not the host of the CONNECT.
#[test]
fn fronting_by_host() {
    let cases = [
        ("a.test", "deny", 200, 0),
        ("A.Test", "deny", 200, 0),
        ("b.test", "deny", 421, 0),
        ("b.test", "alert", 200, 1),
        ("b.test", "allow", 200, 0),
        ("bad.test", "allow", 403, 0),
    ];
    for (host, fronting, status, alerts) in cases {
        let origin = ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        let quoted = format!("\"{fronting}\"");
        let proxy = start(RULES, &[("tunnel.fronting", &quoted)]);
        let what = format!("{host} with fronting = {fronting}");
        let mut client = proxy.connection();
        client
            .connect(&format!("a.test:{}", origin.port()))
            .unwrap();
        client.send(format!(
            "GET / HTTP/1.1\r\nHost: {host}:{}\r\n\r\n",
            origin.port()
        ));
        let response = client.response();
        assert_eq!(response.status, status, "{what}");
        if status == 421 {
            response.assert_refusal(421, "http_request_denied");
            client.assert_closed();
        }
        drop(client);
        let line = proxy.log.transactions(2).remove(0);
        assert_fields(&line, &json!({ "method": "GET", "status": status }));
        assert_eq!(proxy.log.of("alert").len(), alerts, "{what}");
        if status != 200 {
            assert!(origin.requests(0).is_empty(), "{what}");
        }
    }
}
