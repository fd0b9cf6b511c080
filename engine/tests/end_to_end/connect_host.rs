//! `Host` of a CONNECT: the target says where the tunnel leads, whatever stands there.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::common::access_log::assert_fields;
use crate::common::programs::system;
use crate::common::{Origin, Proxy, ScriptedOrigin};

/// Node puts the authority of the proxy there.
#[test]
fn node_connects() {
    let Some(node) = system("node") else { return };
    let (proxy, origin) = (Proxy::open(), Origin::start());
    let script = "tests/end_to_end/data/connect_client.js";
    let output = Command::new(node)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(script))
        .arg(proxy.address.port().to_string())
        .arg(origin.address.to_string())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(seen, json!([200, 200, 1234, 0]));
    let lines = proxy.log.transactions(2);
    let of = |method: &str| lines.iter().find(|line| line["method"] == method).unwrap();
    let detail = format!(
        "Host is not the target of the CONNECT: \"{}\"",
        proxy.address
    );
    let expected =
        json!({ "domain": "127.0.0.1", "port": origin.port(), "error": null, "detail": detail });
    assert_fields(of("CONNECT"), &expected);
    assert_fields(of("GET"), &json!({ "status": 200, "detail": null }));
}

/// It goes nowhere, and opens nothing: inside, `Host` is held to the target.
#[test]
fn host_is_not_heeded() {
    let proxy = Proxy::open();
    let origin = ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let other = ScriptedOrigin::silent();
    let (target, other_authority) = (origin.address.to_string(), other.address.to_string());
    let cases = [
        (format!("Host: {target}\r\n"), 200),
        (format!("Host: {}\r\n", origin.address.ip()), 200),
        (format!("Host: {other_authority}\r\n"), 200),
        ("Host: elsewhere.test\r\n".to_owned(), 200),
        ("Host:\r\n".to_owned(), 400),
        (String::new(), 400),
        ("Host: a b\r\n".to_owned(), 400),
        ("Host: user@a.test\r\n".to_owned(), 400),
        ("Host: a.test:99999\r\n".to_owned(), 400),
        (format!("Host: {target}\r\nHost: {target}\r\n"), 400),
    ];
    for (host, status) in cases {
        let mut client = proxy.connection();
        client.send(format!("CONNECT {target} HTTP/1.1\r\n{host}\r\n"));
        assert_eq!(client.response_to("CONNECT").status, status, "{host:?}");
        if status == 200 {
            client.send(format!("GET / HTTP/1.1\r\nHost: {other_authority}\r\n\r\n"));
            client.response().assert_refusal(421, "http_request_denied");
            client.assert_closed();
            let mut client = proxy.connection();
            client.send(format!("CONNECT {target} HTTP/1.1\r\n{host}\r\n"));
            client.response_to("CONNECT");
            client.send(format!("GET / HTTP/1.1\r\nHost: {target}\r\n\r\n"));
            assert_eq!(client.response().body, b"ok");
        }
    }
    assert_eq!(other.connections(), 0);
}
