//! Every behavior of the origin, seen by a client that speaks raw bytes, and by curl.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod common;
#[path = "../../engine/tests/skip.rs"]
mod skip;

use std::io::{ErrorKind, Read, Write};
use std::process::Command;
use std::time::{Duration, Instant};

use common::{Certificate, Origin};
use serde_json::Value;
use skip::skip;

/// Head and body of a response.
fn parts(response: &str) -> (&str, &str) {
    response
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no head: {response:?}"))
}

#[test]
fn bodies_and_statuses() {
    let origin = Origin::start(&[]);
    let response = origin.get("/");
    let (head, body) = parts(&response);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\nDate: "), "{head}");
    assert!(
        head.contains("GMT\r\nContent-Type: text/plain\r\nContent-Length: 23\r\n"),
        "{head}"
    );
    assert_eq!(body, "Hello from the origin.\n");

    let plain = origin.get("/bytes/100000");
    assert_eq!(parts(&plain).1.len(), 100_000);
    let response = origin.get("/bytes/10?status=404&type=a/b&header=X-Y:z%20z");
    let (head, body) = parts(&response);
    assert!(head.starts_with("HTTP/1.1 404 Not Found\r\n"), "{head}");
    assert!(
        head.contains("\r\nContent-Type: a/b\r\n") && head.contains("\r\nX-Y: z z"),
        "{head}"
    );
    assert_eq!(body, &parts(&plain).1[..10]);

    let response = origin.get("/bytes/10?chunk=6&trailer=T:1");
    let (head, body) = parts(&response);
    let (first, second) = (&parts(&plain).1[..6], &parts(&plain).1[6..10]);
    assert!(head.contains("\r\nTransfer-Encoding: chunked"), "{head}");
    assert_eq!(
        body,
        format!("6\r\n{first}\r\n4\r\n{second}\r\n0\r\nT: 1\r\n\r\n")
    );

    let response = origin.get("/bytes/9?corrupt=1");
    assert_ne!(parts(&response).1, &parts(&plain).1[..9]);
    let response = origin.get("/?interim=103");
    assert!(
        response.starts_with("HTTP/1.1 103 Interim\r\n\r\nHTTP/1.1 200 OK\r\n"),
        "{response}"
    );
}

#[test]
fn responses_without_a_body() {
    let origin = Origin::start(&[]);
    let response =
        origin.exchange("HEAD /bytes/77 HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n");
    let (head, body) = parts(&response);
    assert!(
        head.contains("\r\nContent-Length: 77\r\n") && body.is_empty(),
        "{response}"
    );
    for status in [204, 304] {
        let response = origin.get(&format!("/?status={status}"));
        assert!(parts(&response).1.is_empty(), "{response}");
    }
}

#[test]
fn echo_shows_what_arrived() {
    let origin = Origin::start(&[]);
    let request = "POST http://o.test/echo?a=%41 HTTP/1.1\r\nHost: o.test\r\nX-a:  b \r\n\
                   Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let response = origin.exchange(request);
    let echo: Value = serde_json::from_str(parts(&response).1).unwrap();
    assert_eq!(echo["method"], "POST");
    assert_eq!(echo["target"], "http://o.test/echo?a=%41");
    assert_eq!(echo["version"], "HTTP/1.1");
    assert_eq!(echo["headers"][1], serde_json::json!(["X-a", "b"]));
    assert_eq!(
        (&echo["body"], &echo["body_bytes"]),
        (&"abc".into(), &3.into())
    );

    let raw = request.replace("/echo?a=%41", "/echo?raw=1");
    let response = origin.exchange(&raw);
    assert_eq!(
        parts(&response).1,
        raw.replace("3\r\nabc\r\n0\r\n\r\n", "abc")
    );
}

#[test]
fn counts_connections_and_requests() {
    let origin = Origin::start(&["--threads", "2"]);
    origin.get("/");
    origin.exchange(
        "GET / HTTP/1.1\r\nHost: o\r\n\r\nGET / HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(origin.count(), (3, 4));
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let origin = Origin::start(&[]);
    let one = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: o\r\n\r\n");
    let last = "GET /?status=503 HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n";
    let all = one("/?status=201&delay=20") + &one("/bytes/70000?status=202") + last;
    let response = origin.exchange(&all);
    let found: Vec<usize> = ["HTTP/1.1 201", "HTTP/1.1 202", "HTTP/1.1 503"]
        .iter()
        .filter_map(|s| response.find(s))
        .collect();
    assert!(found.len() == 3 && found.is_sorted(), "{found:?}");
}

#[test]
fn old_clients() {
    let origin = Origin::start(&[]);
    let response = origin.exchange("GET /?chunked=1 HTTP/1.0\r\n\r\n");
    assert!(
        !response.contains("chunked") && response.ends_with("origin.\n"),
        "{response}"
    );
    let response = origin.exchange(
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /?status=404 HTTP/1.0\r\n\r\n",
    );
    assert!(
        response.contains("HTTP/1.1 200") && response.contains("HTTP/1.1 404"),
        "{response}"
    );
}

#[test]
fn a_client_that_asks_first_is_told_to_go_on() {
    let origin = Origin::start(&[]);
    let mut stream = origin.connect();
    let head = "POST /echo HTTP/1.1\r\nHost: o\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\
                Connection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"ok").unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(
        rest.starts_with("HTTP/1.1 200") && rest.contains("\"body\":\"ok\""),
        "{rest}"
    );
}

#[test]
fn ways_to_end_a_connection() {
    let origin = Origin::start(&[]);
    let ask = |query: &str| {
        origin.exchange(&format!(
            "GET /bytes/10?{query} HTTP/1.1\r\nHost: o\r\n\r\n"
        ))
    };
    assert_eq!(ask("close=before"), "");
    let head = ask("close=head");
    assert!(
        head.starts_with("HTTP/1.1 200") && !head.contains("\r\n\r\n"),
        "{head}"
    );
    let body = ask("close=body");
    assert!(
        body.contains("Content-Length: 10\r\n") && parts(&body).1.len() == 5,
        "{body}"
    );
    let chunked = ask("close=body&chunk=2");
    assert!(!chunked.ends_with("0\r\n\r\n"), "{chunked}");
    let after = ask("close=after");
    assert!(
        !after.contains("Connection") && parts(&after).1.len() == 10,
        "{after}"
    );
    for query in ["reset=1", "reset=1&close=body"] {
        let mut stream = origin.connect();
        write!(stream, "GET /bytes/10?{query} HTTP/1.1\r\nHost: o\r\n\r\n").unwrap();
        let error = stream.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{query}");
    }
}

#[test]
fn slow_answers() {
    let origin = Origin::start(&[]);
    let start = Instant::now();
    origin.get("/?delay=80");
    assert!(start.elapsed() >= Duration::from_millis(80));
    let start = Instant::now();
    let response = origin.get("/bytes/10?trickle=10&piece=2");
    assert_eq!(parts(&response).1.len(), 10);
    assert!(start.elapsed() >= Duration::from_millis(50));
    let mut stream = origin.connect();
    stream
        .set_read_timeout(Some(Duration::from_millis(150)))
        .unwrap();
    stream
        .write_all(b"GET /stall HTTP/1.1\r\nHost: o\r\n\r\n")
        .unwrap();
    assert_eq!(
        stream.read(&mut [0]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
}

#[test]
fn nonsense_is_refused() {
    let origin = Origin::start(&[]);
    for request in [
        "NONSENSE\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "GET /bytes/x HTTP/1.1\r\nHost: o\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
    ] {
        let response = origin.exchange(request);
        assert!(
            response.starts_with("HTTP/1.1 400"),
            "{request:?}: {response}"
        );
    }
    let response =
        origin.exchange("CONNECT a.test:443 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(response.starts_with("HTTP/1.1 405"), "{response}");
}

#[test]
fn a_head_in_many_pieces_is_understood() {
    let origin = Origin::start(&[]);
    let mut stream = origin.connect();
    for byte in b"GET /bytes/3 HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n" {
        stream.write_all(&[*byte]).unwrap();
        stream.flush().unwrap();
    }
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert_eq!(parts(&response).1.len(), 3);
}

#[test]
fn a_client_that_says_it_is_done_is_answered_and_released() {
    let origin = Origin::start(&[]);
    for path in ["/", "/?delay=30", "/bytes/100000"] {
        let mut stream = origin.connect();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: o\r\n\r\n").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        assert!(response.starts_with("HTTP/1.1 200 OK"), "{response}");
    }
}

#[test]
fn ends_in_order_when_told_to() {
    let mut origin = Origin::start(&[]);
    let mut stream = origin.connect();
    stream
        .write_all(b"GET /?delay=200 HTTP/1.1\r\nHost: o\r\n\r\n")
        .unwrap();
    // The request must have arrived before the signal does.
    while origin.count().1 < 2 {}
    let pid = nix::unistd::Pid::from_raw(i32::try_from(origin.child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.ends_with("Hello from the origin.\n"), "{response}");
    assert!(origin.child.wait().unwrap().success());
}

#[test]
fn curl_agrees() {
    if Command::new("curl").arg("--version").output().is_err() {
        return skip("curl is not installed");
    }
    let curl = |args: &[&str]| {
        let output = Command::new("curl")
            .args(["-sS", "--max-time", "10"])
            .args(args)
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let origin = Origin::start(&[]);
    let (status, plain) = curl(&[&origin.url("/bytes/300000")]);
    assert_eq!((status, plain.len()), (Some(0), 300_000));
    assert_eq!(
        curl(&[&origin.url("/bytes/300000?chunk=999")]),
        (Some(0), plain)
    );
    let (_, echo) = curl(&["-d", "x=y", &origin.url("/echo")]);
    assert!(echo.contains("\"body\":\"x=y\""), "{echo}");
    // curl's words for a partial file, an empty reply and a reset.
    assert_eq!(curl(&[&origin.url("/bytes/10?close=body")]).0, Some(18));
    assert_eq!(curl(&[&origin.url("/?close=before")]).0, Some(52));
    assert_eq!(curl(&[&origin.url("/?reset=1")]).0, Some(56));

    let certificate = Certificate::make();
    let secure = certificate.origin();
    let url = format!("https://localhost:{}/bytes/9", secure.address.port());
    let cacert = certificate.certificate.to_str().unwrap();
    let (status, body) = curl(&["--cacert", cacert, &url]);
    assert_eq!((status, body.len()), (Some(0), 9));
}
