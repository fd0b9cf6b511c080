//! Origins of HTTP/2 that do not process what they were sent, and say so: what is sent again, and how.

use std::path::Path;

use serde_json::{Value, json};

use crate::common::pki::{Identity, Pki};
use crate::common::process::Process;
use crate::common::programs::node_with;
use crate::common::proxy::Setup;
use crate::common::wait::wait_for;
use crate::common::{ALLOW_ALL, Proxy};

fn script(name: &str) -> std::path::PathBuf {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/end_to_end/data");
    data.join(name)
}

/// Node's server, which leaves early or wants another version.
struct Leaving {
    port: u16,
    process: Process,
}

impl Leaving {
    fn start(identity: &Identity) -> Option<Self> {
        let mut command = node_with("http2")?;
        command.arg(script("http2_leaving_origin.js"));
        command.arg(&identity.key).arg(&identity.certificate);
        let mut process = Process::start(&mut command);
        let port = process.wait_line("the port", |line| line.strip_prefix("port ")?.parse().ok());
        Some(Self { port, process })
    }

    /// How many requests it has served, over this version.
    fn served(&self, version: &str) -> usize {
        let lines = self.process.lines();
        let mut served: Vec<_> = lines
            .iter()
            .filter(|line| line.starts_with("served ") && line.ends_with(&format!(" {version}")))
            .collect();
        let all = served.len();
        served.sort();
        served.dedup();
        assert_eq!(served.len(), all, "a request was served twice");
        all
    }
}

/// What Node's client sees of `count` requests at once.
fn requests(proxy: &Proxy, pki: &Pki, origin: &Leaving, what: [&str; 4]) -> Value {
    let output = node_with("http2")
        .unwrap()
        .env("NODE_EXTRA_CA_CERTS", pki.authority())
        .arg(script("http2_requests.js"))
        .arg(proxy.address.port().to_string())
        .arg(format!("a.test:{}", origin.port))
        .args(what)
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn start() -> Option<(Proxy, Pki, Leaving)> {
    let (setup, pki) = Setup::intercepting();
    let origin = Leaving::start(&pki.origin(&["a.test"]))?;
    Some((setup.one_shard().start(ALLOW_ALL), pki, origin))
}

/// What is behind the last stream of a GOAWAY, or refused, was not processed: it is sent again, whatever
/// the method and the code, and nothing is processed twice.
#[test]
fn what_was_not_processed_is_sent_again() {
    let Some((proxy, pki, origin)) = start() else {
        return;
    };
    let mut served = 0;
    for (method, path, bytes) in [
        ("DELETE", "/refused", "0"),
        ("DELETE", "/ten", "0"),
        ("POST", "/refused?p", "3"),
        ("POST", "/ten?p", "3"),
        ("POST", "/angry?p", "20000"),
    ] {
        let seen = requests(&proxy, &pki, &origin, [method, path, "60", bytes]);
        assert_eq!(seen, json!({ format!("200 {bytes}"): 60 }), "{path}");
        served += 60;
        assert_eq!(origin.served("2"), served, "{path}");
    }
}

/// An origin that wants HTTP/1.1 for a request gets it so, and further ones at once.
#[test]
fn http1_is_spoken_to_those_who_require_it() {
    for path in ["/http1", "/http1-all"] {
        let Some((proxy, pki, origin)) = start() else {
            return;
        };
        let seen = requests(&proxy, &pki, &origin, ["GET", path, "1", "0"]);
        assert_eq!(seen, json!({ "200 0": 1 }), "{path}");
        let seen = requests(&proxy, &pki, &origin, ["POST", path, "5", "3"]);
        assert_eq!(seen, json!({ "200 3": 5 }), "{path}");
        assert_eq!(origin.served("1.1"), 6, "{path}");
        let lines = wait_for("the lines", || {
            let mut lines = proxy.log.of("transaction");
            lines.retain(|line| line["method"] != "CONNECT");
            (lines.len() == 6).then_some(lines)
        });
        for line in lines {
            assert_eq!(line["upstream_http_version"], "1.1", "{line}");
            assert_eq!(line["http_version"], "2", "{line}");
        }
    }
}

/// What cannot be sent again is refused to clients that can send it again themselves.
#[test]
fn what_is_not_kept_is_refused_to_the_client() {
    let Some((proxy, pki, origin)) = start() else {
        return;
    };
    // Node cannot say that it has processed none at all: this one it has.
    let seen = requests(&proxy, &pki, &origin, ["GET", "/", "1", "0"]);
    assert_eq!(seen, json!({ "200 0": 1 }));
    let seen = requests(&proxy, &pki, &origin, ["POST", "/large", "1", "1000000"]);
    let refused = "Stream closed with error code NGHTTP2_REFUSED_STREAM";
    assert_eq!(seen, json!({ refused: 1 }));
    let line = wait_for("the line", || {
        let mut lines = proxy.log.of("transaction");
        lines.retain(|line| line["method"] == "POST");
        lines.pop()
    });
    assert_eq!(line["status"], Value::Null, "{line}");
    assert_eq!(line["error"], "connection_terminated", "{line}");
}
