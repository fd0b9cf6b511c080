//! HTTP/2 at both ends: the meter and the origin against each other, and each against tools that
//! share nothing with them.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod common;
#[path = "../../engine/tests/skip.rs"]
mod skip;

use std::process::{Command, Output};

use common::{Certificate, Origin, connect_proxy, number, run};
use serde_json::{Value, json};
use skip::skip;

struct World {
    certificate: Certificate,
    origin: Origin,
}

impl World {
    fn start() -> Self {
        let certificate = Certificate::make();
        let origin = certificate.origin();
        Self {
            certificate,
            origin,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.origin.address.port())
    }

    fn ca(&self) -> &str {
        self.certificate.certificate.to_str().expect("a path")
    }

    fn run(&self, path: &str, extra: &[&str]) -> Value {
        let url = self.url(path);
        let args = ["--http", "2", "--url", &url, "--cacert", self.ca()];
        run(&[&args[..], extra].concat())
    }

    fn curl(&self, path: &str, extra: &[&str]) -> Output {
        let url = self.url(path);
        let args = ["-sS", "-i", "--http2", "--cacert", self.ca(), &url];
        let output = Command::new("curl").args(args).args(extra).output();
        output.expect("curl")
    }
}

fn assert_clean(report: &Value) {
    assert_eq!(number(report, "errors_total"), 0.0, "{report}");
}

#[test]
fn streams_share_connections() {
    let world = World::start();
    let report = world.run("/bytes/1000", &["-n", "500", "-c", "2", "--streams", "16"]);
    assert_clean(&report);
    assert_eq!(number(&report, "requests_total"), 500.0);
    assert_eq!(number(&report, "body_bytes_total"), 500_000.0);
    assert_eq!(number(&report, "connections_opened_total"), 2.0);
    assert_eq!(report["http"], "2");
    let report = world.run("/", &["-n", "20", "--new-connections"]);
    assert_clean(&report);
    assert_eq!(number(&report, "connections_opened_total"), 20.0);
    let report = world.run(
        "/",
        &["--rate", "500", "-d", "500ms", "-c", "2", "--streams", "8"],
    );
    assert_clean(&report);
    assert_eq!(number(&report, "latency_us.count"), 250.0);
}

#[test]
fn flow_control_lets_large_bodies_through() {
    let world = World::start();
    let large = ["-n", "6", "-c", "1", "--streams", "3"];
    assert_clean(&world.run("/bytes/20000000", &large));
    let upload = [
        "-n",
        "6",
        "-c",
        "1",
        "--streams",
        "3",
        "-X",
        "POST",
        "--body-bytes",
        "9000000",
    ];
    assert_clean(&world.run("/?digest=1", &upload));
}

#[test]
fn a_tunnel_carries_it_too() {
    let world = World::start();
    let proxy = format!("http://{}", connect_proxy());
    let args = ["--proxy", &proxy, "-n", "50", "-c", "2", "--streams", "4"];
    let report = world.run("/bytes/5000", &args);
    assert_clean(&report);
    assert_eq!(report["tunnel"], true);
}

#[test]
fn what_the_origin_is_asked_it_does() {
    let world = World::start();
    for path in [
        "/bytes/5000?chunked=1",
        "/bytes/5000?interim=103",
        "/bytes/5000?trailer=A:b",
        "/bytes/5000?trickle=1&piece=2500",
        "/bytes/5000?delay=20",
        "/bytes/5000?digest=1",
        "/bytes/0",
        "/echo",
        "/count",
    ] {
        assert_clean(&world.run(path, &["-n", "6", "--streams", "3"]));
    }
    for (path, kind) in [
        ("/?status=500", "bad_status_500"),
        ("/bytes/9000?corrupt=1", "body_mismatch"),
        ("/bytes/9000?close=before", "stream_reset"),
        ("/bytes/9000?close=body", "stream_reset"),
        ("/bytes/9000?close=body&reset=1", "stream_reset"),
    ] {
        let report = world.run(path, &["-n", "6", "--streams", "3"]);
        assert_eq!(report["errors"], json!({ kind: 6 }), "{path}: {report}");
    }
    let report = world.run(
        "/stall",
        &["-n", "3", "--streams", "3", "--timeout", "200ms"],
    );
    assert_eq!(report["errors"], json!({ "timeout": 3 }), "{report}");
}

#[test]
fn an_end_that_speaks_it_not_is_told_of() {
    // curl's server side is nobody's; a TLS server without ALPN is openssl's.
    let certificate = Certificate::make();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port")
        .port()
        .to_string();
    let child = Command::new("openssl")
        .args(["s_server", "-quiet", "-www", "-accept", &port, "-cert"])
        .arg(&certificate.certificate)
        .arg("-key")
        .arg(&certificate.key)
        .spawn();
    let Ok(mut child) = child else {
        return skip("openssl is not installed");
    };
    while std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_err() {
        assert!(child.try_wait().expect("a state").is_none(), "it has ended");
    }
    let url = format!("https://localhost:{port}/");
    let report = run(&["--http", "2", "--url", &url, "--insecure", "-n", "3"]);
    let _ = child.kill();
    let _ = child.wait();
    assert_eq!(report["errors"], json!({ "http2": 3 }), "{report}");
}

#[test]
fn curl_agrees_with_the_origin() {
    let world = World::start();
    let text = |output: Output| String::from_utf8(output.stdout).expect("text");
    let answer = text(world.curl("/bytes/10?header=X-Y:z&status=404", &[]));
    assert!(answer.starts_with("HTTP/2 404"), "{answer}");
    assert!(answer.contains("\r\nx-y: z\r\n"), "{answer}");
    let answer = text(world.curl("/echo", &["--data", "hello", "-H", "X-Long: y"]));
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    let echo: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(
        (&echo["method"], &echo["body"], &echo["version"]),
        (&json!("POST"), &json!("hello"), &json!("HTTP/2")),
        "{echo}"
    );
    assert!(
        echo["headers"].to_string().contains(r#"["x-long","y"]"#),
        "{echo}"
    );
    let crc = format!("x-received: 5 {:08x}", crc32c::crc32c(b"hello"));
    assert!(answer.contains(&crc), "{answer}");
    let large = world.curl(
        "/bytes/30000000",
        &["-o", "/dev/null", "-w", "%{size_download}"],
    );
    assert_eq!(text(large), "30000000");
}

#[test]
fn h2load_agrees_with_the_origin() {
    let world = World::start();
    let url = world.url("/bytes/20000");
    let output = Command::new("h2load")
        .args(["-n", "400", "-c", "2", "-m", "20", &url])
        .output();
    let Ok(output) = output else {
        return skip("h2load is not installed (Debian: nghttp2-client)");
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("400 succeeded, 0 failed, 0 errored"),
        "{text}"
    );
    assert!(text.contains("Application protocol: h2"), "{text}");
}
