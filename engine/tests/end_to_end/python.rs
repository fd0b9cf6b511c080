//! Python's `requests` and `websockets` through the proxy.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::common::access_log::assert_fields;
use crate::common::programs::python_with;
use crate::common::proxy::Setup;
use crate::common::{Certificate, Origin, Proxy, Rules};

/// Runs a script of the `data` folder; what it prints is JSON.
pub(crate) fn run(python: &Path, script: &str, arguments: &[&str]) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/end_to_end/data")
        .join(script);
    let output = Command::new(python)
        .arg("-B")
        .arg(path)
        .args(arguments)
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}:\n{complaint}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn requests() {
    let Some(python) = python_with(&["requests"]) else {
        return;
    };
    let rules = r#"
[[group]]
priority = 1
name = "python"
[[group.pre_dns]]
name = "no-denied"
action = "deny"
when."request:DestinationDomain" = { StringEquals = "denied.test" }
[[group.pre_request]]
name = "watch-python"
action = "alert"
when."request:Http:UserAgent" = { StringLike = "python-requests/*" }
"#;
    let proxy = Setup::new()
        .host("a.test", "127.0.0.1")
        .host("denied.test", "127.0.0.1")
        .start(Rules(rules));
    let certificate = Certificate::for_names(&["a.test"], proxy.folder());
    let (plain, tls) = (Origin::start(), Origin::start_tls(&certificate));
    let seen = run(
        &python,
        "requests_client.py",
        &[
            &proxy.url(),
            &format!("http://a.test:{}", plain.port()),
            &format!("https://a.test:{}", tls.port()),
            certificate.certificate.to_str().unwrap(),
            &format!("http://denied.test:{}/", plain.port()),
        ],
    );
    for scheme in ["http", "https"] {
        let via = (scheme == "http").then_some("1.1 sallyport");
        let expected = json!({
            "status": 200, "bytes": 100_000, "posted": 5000, "put": "onetwo", "streamed": 3_000_000,
            "head": "12", "via": via,
        });
        assert_eq!(seen[scheme], expected, "{scheme}");
    }
    assert_eq!(seen["denied"]["status"], 403);
    assert!(
        seen["denied"]["proxy_status"]
            .as_str()
            .unwrap()
            .contains("http_request_denied")
    );
    assert_eq!(seen["denied"]["tunnel"], true);
    // Five requests each way, of which those in TLS are one tunnel; and two that were denied.
    let lines = proxy.log.wait("transaction", 8);
    let tunnel = lines.iter().find(|line| line["sni"] == "a.test").unwrap();
    assert_fields(
        tunnel,
        &json!({ "method": "CONNECT", "status": 200, "tls_mode": "passthrough" }),
    );
    assert_eq!(
        proxy.log.of("alert").len(),
        5,
        "HTTP keys see plain requests only"
    );
    assert_eq!(proxy.log.of("deny").len(), 2);
}

#[test]
fn websockets() {
    let Some(python) = python_with(&["websockets"]) else {
        return;
    };
    let proxy = Proxy::open();
    let seen = run(&python, "websocket_client.py", &[&proxy.url()]);
    assert_eq!(seen["tunnel"], json!([5, 200_000, 70_000]));
    assert_eq!(seen["absolute"], json!(["hello"]));
    let lines = proxy.log.transactions(3);
    let sockets: Vec<_> = lines.iter().filter(|line| line["status"] == 101).collect();
    assert_eq!(sockets.len(), 2);
    for line in sockets {
        assert_fields(line, &json!({ "proto": "ws", "method": "GET" }));
    }
}
