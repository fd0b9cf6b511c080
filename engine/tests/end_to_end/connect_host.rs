//! `Host` beside a target that names a host: the target says where a request goes and what the origin
//! and the rules get to see, whatever stands there.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::common::access_log::assert_fields;
use crate::common::programs::system;
use crate::common::proxy::Setup;
use crate::common::{Origin, Proxy, Rules, ScriptedOrigin};
use crate::hyper_client;

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
    let detail = format!("Host is not that of the target: \"{}\"", proxy.address);
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
        ("Host:\r\n".to_owned(), 200),
        (String::new(), 200),
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

/// It sends none.
#[test]
fn hyper_connects() {
    let (proxy, origin) = (Proxy::open(), Origin::start());
    let target = origin.address.to_string();
    assert_eq!(hyper_client::connect(proxy.address, &target), 200);
    let expected = json!({ "method": "CONNECT", "status": 200, "domain": "127.0.0.1" });
    assert_fields(&proxy.log.transaction(), &expected);
    let nowhere = proxy.connection().connect("nowhere.test:443").unwrap_err();
    let status = hyper_client::connect(proxy.address, "nowhere.test:443");
    assert_eq!(status, nowhere.status);
}

/// What an origin in absolute form gets is the authority of the target, and rules see the same.
#[test]
fn an_absolute_target_counts_for_origin_and_rules() {
    let rules = r#"
[[group]]
priority = 1
name = "hosts"
[[group.pre_request]]
name = "no-elsewhere"
action = "deny"
when."request:Http:Host" = { StringLike = "elsewhere.test*" }
[[group.pre_request]]
name = "no-elsewhere-header"
action = "deny"
when."request:Http:Header/Host" = { StringLike = "elsewhere.test*" }
[[group.pre_request]]
name = "no-secret"
action = "deny"
when."request:Http:Header/Host" = { StringLike = "secret.test*" }
[[group.post_response]]
name = "still-no-elsewhere"
action = "deny"
when."request:Http:Header/host" = { StringLike = "elsewhere.test*" }
"#;
    let proxy = Setup::new()
        .host("a.test", "127.0.0.1")
        .host("secret.test", "127.0.0.1")
        .start(Rules(rules));
    let origin = ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let target = format!("a.test:{}", origin.port());
    let hosts = [
        "elsewhere.test".to_owned(),
        "secret.test".to_owned(),
        proxy.address.to_string(),
        "a.test:1".to_owned(),
        "a.test".to_owned(),
    ];
    let mut client = proxy.connection();
    for (index, host) in hosts.iter().enumerate() {
        client.send(format!(
            "GET http://{target}/ HTTP/1.1\r\nHost: {host}\r\n\r\n"
        ));
        assert_eq!(client.response().status, 200, "{host}");
        let seen = origin.requests(index + 1).remove(index);
        assert_eq!(seen.header("host").as_deref(), Some(&*target), "{host}");
        let line = proxy.log.transactions(index + 1).remove(index);
        let detail = format!("Host is not that of the target: \"{host}\"");
        assert_fields(&line, &json!({ "domain": "a.test", "detail": detail }));
    }
    // The other way round nothing is hidden either, and an HTTP/1.0 client needs no Host at all.
    for fields in ["Host: a.test\r\n", "Host:\r\n", ""] {
        let mut client = proxy.connection();
        client.send(format!(
            "GET http://secret.test:{}/ HTTP/1.0\r\n{fields}\r\n",
            origin.port()
        ));
        assert_eq!(client.response().status, 403, "{fields:?}");
    }
    // In a tunnel the target is held to the host of the CONNECT.
    let mut client = proxy.connection();
    client.connect(&target).unwrap();
    client.send(format!(
        "GET http://{target}/ HTTP/1.1\r\nHost: elsewhere.test\r\n\r\n"
    ));
    assert_eq!(client.response().body, b"ok");
    client.send(format!(
        "GET http://secret.test/ HTTP/1.1\r\nHost: {target}\r\n\r\n"
    ));
    client.response().assert_refusal(421, "http_request_denied");
    let seen = origin.requests(hosts.len() + 1).remove(hosts.len());
    assert_eq!(seen.header("host").as_deref(), Some(&*target));
}

/// Node sends the proxy's name with a target in absolute form.
#[test]
fn node_gets() {
    let Some(node) = system("node") else { return };
    let (proxy, origin) = (Proxy::open(), Origin::start());
    let script = format!(
        "require('node:http').get({{ agent: false, host: '127.0.0.1', port: {}, path: '{}' }}, \
         (answer) => process.stdout.write(String(answer.resume().statusCode)))",
        proxy.address.port(),
        origin.url("/bytes/10")
    );
    let output = Command::new(node).args(["-e", &script]).output().unwrap();
    assert_eq!(output.stdout, b"200", "{output:?}");
    let detail = format!("Host is not that of the target: \"{}\"", proxy.address);
    assert_fields(&proxy.log.transaction(), &json!({ "detail": detail }));
}
