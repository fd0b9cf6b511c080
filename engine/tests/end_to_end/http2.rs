//! HTTP/2 on both legs: RFC 9113 frame by frame, floods, gRPC, and real clients and servers.
//!
//! Mostly without TLS, in tunnels whose client begins with the preface of HTTP/2.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::common::pki::Identity;
use crate::common::process::Process;
use crate::common::programs::{python_with, system};
use crate::common::proxy::Setup;
use crate::common::wait::wait_for;
use crate::common::{ALLOW_ALL, Origin, Proxy, Rules};
use crate::intercepted_clients::with_https;

/// Runs a script of the `data` folder; what it prints is JSON.
pub(crate) fn run(script: &str, packages: &[&str], arguments: &[&str]) -> Option<Value> {
    let python = python_with(packages)?;
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
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// All cases of a script came to nothing bad, and there were some.
pub(crate) fn assert_cases(outcome: &Value, at_least: usize) {
    let cases = outcome.as_object().unwrap();
    let failed: Vec<_> = cases.iter().filter(|(_, why)| !why.is_null()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(cases.len() >= at_least, "{} cases", cases.len());
}

/// A server of nghttp2 that serves the files of a folder, in HTTP/2 without TLS.
struct Nghttpd {
    port: u16,
    _process: Process,
}

impl Nghttpd {
    fn start(folder: &Path) -> Option<Self> {
        Self::start_with(folder, None)
    }

    /// The same, with TLS if there is an identity.
    fn start_with(folder: &Path, identity: Option<&Identity>) -> Option<Self> {
        let program = system("nghttpd")?;
        let root = folder.join("www");
        fs::create_dir_all(&root).unwrap();
        fs::write(root.join("index.html"), "hello\n").unwrap();
        fs::write(root.join("post"), "posted\n").unwrap();
        fs::File::create(root.join("large"))
            .and_then(|file| file.set_len(LARGE_BYTES))
            .unwrap();
        // It cannot choose a port itself: take a free one, and another if someone was faster.
        let server = wait_for("nghttpd on a free port", || {
            let port = TcpListener::bind("127.0.0.1:0")
                .and_then(|free| free.local_addr())
                .unwrap()
                .port();
            let mut command = Command::new(&program);
            command.args(["--address=127.0.0.1", "--htdocs"]).arg(&root);
            match identity {
                None => command.arg("--no-tls").arg(port.to_string()),
                Some(identity) => command
                    .arg(port.to_string())
                    .arg(&identity.key)
                    .arg(&identity.certificate),
            };
            let mut process = Process::start(&mut command);
            let is_up = wait_for("nghttpd", || {
                match std::net::TcpStream::connect(("127.0.0.1", port)) {
                    Ok(_) => Some(true),
                    Err(_) if !process.is_running() => Some(false),
                    Err(_) => None,
                }
            });
            is_up.then_some(Self {
                port,
                _process: process,
            })
        });
        Some(server)
    }

    fn target(&self) -> String {
        format!("a.test:{}", self.port)
    }
}

const LARGE_BYTES: u64 = 200_000_000;

fn proxy() -> Setup {
    Setup::new()
        .host("a.test", "127.0.0.1")
        .host("evil.test", "127.0.0.1")
}

#[test]
fn requirements_on_a_server() {
    let proxy = proxy().start(ALLOW_ALL);
    let Some(origin) = Nghttpd::start(proxy.folder()) else {
        return;
    };
    let arguments = [&*proxy.address.to_string(), &*origin.target()];
    if let Some(outcome) = run("http2_client_side.py", &["hpack"], &arguments) {
        assert_cases(&outcome, 138);
        assert_lines_of_what_was_refused(&proxy);
    }
}

/// What is refused before it is a request has a line as well.
fn assert_lines_of_what_was_refused(proxy: &Proxy) {
    for (status, detail) in [
        (json!(431), "head too large"),
        (
            json!(null),
            ": reset, PROTOCOL_ERROR: an invalid field name",
        ),
        (
            json!(null),
            ": reset, PROTOCOL_ERROR: a pseudo-header field is missing",
        ),
        (json!(null), "ended: a field block that cannot be decoded"),
        (json!(null), "ended: a frame on a stream that has ended"),
    ] {
        let line = wait_for(detail, || {
            let mut lines = proxy.log.of("transaction");
            lines.retain(|line| {
                let said = line["detail"].as_str();
                said.is_some_and(|said| said.ends_with(detail))
            });
            lines.pop()
        });
        assert_eq!(line["error"], "http_request_error", "{line}");
        assert_eq!(line["status"], status, "{line}");
        assert_eq!(line["http_version"], "2", "{line}");
        assert_eq!(line["client_ip"], "127.0.0.1", "{line}");
        assert!(line["listener"].is_string(), "{line}");
    }
}

/// The same requirements inside an intercepted tunnel, HTTP/2 on both legs.
#[test]
fn requirements_on_a_server_inside_tls() {
    let (setup, pki) = Setup::intercepting();
    let proxy = setup.host("evil.test", "127.0.0.1").start(ALLOW_ALL);
    let identity = pki.origin(&["a.test"]);
    let Some(origin) = Nghttpd::start_with(proxy.folder(), Some(&identity)) else {
        return;
    };
    let (address, authority) = (proxy.address.to_string(), pki.authority());
    let arguments = [&*address, &*origin.target(), &*authority];
    if let Some(outcome) = run("http2_client_side.py", &["hpack"], &arguments) {
        assert_cases(&outcome, 138);
    }
}

#[test]
fn requirements_on_a_client() {
    let proxy = proxy().one_shard().start(ALLOW_ALL);
    let arguments = [&*proxy.address.to_string(), "a.test"];
    if let Some(outcome) = run("http2_origin_side.py", &["hpack"], &arguments) {
        assert_cases(&outcome, 65);
        assert_lines_of_what_origins_broke(&proxy);
    }
}

/// The log has what an origin did, also where the client has begun to get the response: by the names of RFC
/// 9113, not in the words of the codec.
fn assert_lines_of_what_origins_broke(proxy: &Proxy) {
    let lines = proxy.log.of("transaction");
    for detail in [
        "the origin reset the stream: INTERNAL_ERROR",
        "the origin ended its connection: ENHANCE_YOUR_CALM",
    ] {
        let of_content = lines
            .iter()
            .find(|line| line["status"] == 200 && line["detail"] == detail);
        let line = of_content.unwrap_or_else(|| panic!("no line says {detail:?}"));
        assert_eq!(line["error"], "http_protocol_error", "{line}");
    }
    for line in &lines {
        let detail = line["detail"].as_str().unwrap_or_default();
        let is_codec = ["detected", "stream error", "connection error"];
        assert!(!is_codec.iter().any(|word| detail.contains(word)), "{line}");
    }
}

/// The same where the first requests dial, and not the CONNECT: they share what they dial.
#[test]
fn requirements_on_a_client_that_dials_for_requests() {
    let rules = r#"
[[group]]
priority = 1
name = "late"
[[group.pre_request]]
name = "no-secrets"
action = "deny"
when."request:Http:Uri" = { StringLike = "/secret*" }
"#;
    let proxy = proxy().one_shard().start(Rules(rules));
    let arguments = [&*proxy.address.to_string(), "a.test", "late"];
    if let Some(outcome) = run("http2_origin_side.py", &["hpack"], &arguments) {
        assert_cases(&outcome, 65);
    }
}

/// CONNECT on an https listener, and a WebSocket whose origin speaks HTTP/1.1.
#[test]
fn tunnels_in_streams() {
    let (setup, pki) = Setup::intercepting();
    pki.origin(&["proxy.test"]);
    let (setup, https) = with_https(setup, "");
    let proxy = setup.start(ALLOW_ALL);
    let identity = pki.origin(&["a.test"]);
    let plain = Origin::start();
    let arguments = [
        &*format!("127.0.0.1:{https}"),
        &*pki.roots(),
        &*proxy.address.to_string(),
        &*pki.authority(),
        &*format!("a.test:{}", plain.port()),
        identity.certificate.to_str().unwrap(),
        identity.key.to_str().unwrap(),
    ];
    if let Some(outcome) = run("http2_tunnels.py", &["hpack", "websockets"], &arguments) {
        assert_cases(&outcome, 6);
    }
}

#[test]
fn floods_end_the_connection_and_nothing_else() {
    let proxy = proxy().start(ALLOW_ALL);
    let Some(origin) = Nghttpd::start(proxy.folder()) else {
        return;
    };
    let arguments = [&*proxy.address.to_string(), &*origin.target()];
    if let Some(outcome) = run("http2_floods.py", &["hpack"], &arguments) {
        assert_cases(&outcome, 13);
    }
}

#[test]
fn grpc_calls_of_all_four_kinds() {
    assert_grpc(&proxy().start(ALLOW_ALL), &[]);
}

/// TLS on both legs, minted certificates, trailers through both.
#[test]
fn grpc_calls_inside_tls() {
    let (setup, pki) = Setup::intercepting();
    let proxy = setup.start(ALLOW_ALL);
    let identity = pki.origin(&["a.test"]);
    let files = [
        identity.certificate.to_str().unwrap(),
        identity.key.to_str().unwrap(),
        &pki.authority(),
    ];
    assert_grpc(&proxy, &files);
}

/// What each kind of call comes to, and that each has a line.
fn assert_grpc(proxy: &Proxy, files: &[&str]) {
    let url = proxy.url();
    let arguments = [&[&*url], files].concat();
    let Some(seen) = run("http2_grpc.py", &["grpc"], &arguments) else {
        return;
    };
    let expected = json!({
        "unary": ["cba", "behind"],
        "large": 3_000_000,
        "failed": ["FAILED_PRECONDITION", "as asked"],
        "server_streaming": 1000,
        "client_streaming": 500_000,
        "bidirectional": ["ONE", "TWO", "THREE"],
        "unknown": "UNIMPLEMENTED",
        "parallel": 200,
    });
    assert_eq!(seen, expected);
    let mode = if files.is_empty() {
        "none"
    } else {
        "intercept"
    };
    wait_for("the line of each call", || {
        let mut calls = proxy.log.of("transaction");
        calls.retain(|line| line["method"] == "POST" && line["tls_mode"] == mode);
        (calls.len() == 207).then_some(())
    });
}

/// Each stream is decided and logged on its own, and refused as an HTTP/2 response.
#[test]
fn streams_are_decided_one_by_one() {
    let Some(curl) = system("curl") else { return };
    let rules = r#"
[[group]]
priority = 1
name = "streams"
[[group.pre_request]]
name = "no-secrets"
action = "deny"
when."request:Http:Uri" = { StringLike = "/secret*" }
when."request:Protocol" = { StringEquals = "h2" }
[[group.post_response]]
name = "no-posts"
action = "deny"
when."response:Http:ContentLength" = { NumericEquals = 7 }
"#;
    let proxy = proxy().start(Rules(rules));
    let Some(origin) = Nghttpd::start(proxy.folder()) else {
        return;
    };
    let get = |path: &str| {
        let output = Command::new(&curl)
            .args(["--silent", "--http2-prior-knowledge", "--proxytunnel"])
            .args(["--proxy", &proxy.url(), "--output", "/dev/null"])
            .args([
                "--write-out",
                "%{http_code} %{http_version} %{size_download}",
            ])
            .arg(format!("http://{}{path}", origin.target()))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(get("/"), "200 2 6");
    let denied = get("/secret/1");
    assert!(denied.starts_with("403 2 "), "{denied}");
    let withheld = get("/post");
    assert!(withheld.starts_with("403 2 "), "{withheld}");
    assert_eq!(get("/large"), format!("200 2 {LARGE_BYTES}"));
    let seen = wait_for("a line for each stream", || {
        let mut lines = proxy.log.of("transaction");
        lines.retain(|line| line["method"] == "GET");
        (lines.len() == 4).then_some(lines)
    });
    assert_eq!(seen[0]["http_version"], "2");
    assert_eq!(seen[0]["upstream_http_version"], "2");
    assert_eq!(seen[1]["upstream_http_version"], Value::Null);
    assert_eq!(seen[1]["rule"], "no-secrets");
    assert_eq!(seen[1]["phase"], "PreREQUEST");
    assert_eq!(seen[2]["rule"], "no-posts");
    assert_eq!(seen[2]["phase"], "PostRESPONSE");
}

/// Windows are opened only for what was passed on: a client that does not read costs little.
#[test]
fn a_client_that_does_not_read_costs_little() {
    let proxy = proxy().start(ALLOW_ALL);
    let Some(origin) = Nghttpd::start(proxy.folder()) else {
        return;
    };
    let Some(python) = python_with(&["hpack"]) else {
        return;
    };
    let before = proxy.process.memory_bytes("VmRSS:");
    let mut client = Command::new(python)
        .arg("-B")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/end_to_end/data/http2_unread.py"))
        .args([&*proxy.address.to_string(), &*origin.target(), "50"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 6];
    client.stdout.take().unwrap().read_exact(&mut said).unwrap();
    let after = proxy.process.memory_bytes("VmRSS:");
    drop(client.stdin.take());
    client.wait().unwrap();
    // 50 streams of 200 MB each; the windows of 256 KiB and the buffers of 64 KiB make 16 MB.
    let grown = after.saturating_sub(before);
    assert!(grown < 40_000_000, "grew by {grown} bytes");
}

/// A drain lets open streams finish, and says GOAWAY.
#[test]
fn a_drain_says_goaway_and_lets_streams_finish() {
    let Some(curl) = system("curl") else { return };
    let mut proxy = proxy().start(ALLOW_ALL);
    let Some(origin) = Nghttpd::start(proxy.folder()) else {
        return;
    };
    let url = format!("http://{}/large", origin.target());
    let received = proxy.folder().join("received");
    let client = Command::new(curl)
        .args(["--silent", "--http2-prior-knowledge", "--proxytunnel"])
        .args(["--limit-rate", "100M", "--proxy", &proxy.url(), "--output"])
        .arg(&received)
        .args(["--write-out", "%{size_download}"])
        .arg(url)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for("the stream to flow", || {
        let bytes = fs::metadata(&received).map_or(0, |file| file.len());
        (bytes > 1_000_000).then_some(())
    });
    proxy.signal(Signal::SIGTERM);
    let output = client.wait_with_output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        LARGE_BYTES.to_string()
    );
    assert!(proxy.process.wait_end().success());
}
