//! What is forwarded and how: framing, connections, interim responses, hop-by-hop fields.

use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::proxy::Setup;
use crate::common::{ALLOW_ALL, Connection, Origin, Proxy, ScriptedOrigin};

#[test]
fn a_connection_serves_one_request_after_another() {
    let (proxy, origin) = (Proxy::open(), Origin::start());
    let mut client = proxy.connection();
    for bytes in [0, 1, 1000, 300_000] {
        let response = client.get(&origin.url(&format!("/bytes/{bytes}")));
        assert_eq!((response.status, response.body.len()), (200, bytes));
        assert!(!response.says_close());
    }
    let lines = proxy.log.transactions(4);
    assert!(
        lines.iter().all(|line| line["conn"] == lines[0]["conn"]),
        "one client connection"
    );
    let reused: Vec<_> = lines
        .iter()
        .map(|line| line["upstream_reused"].clone())
        .collect();
    assert_eq!(
        reused,
        [json!(false), json!(true), json!(true), json!(true)]
    );
    assert_eq!(origin.count(), (1, 4), "one upstream connection");
    assert_fields(
        &lines[2],
        &json!({
            "event": "transaction", "proto": "http", "method": "GET", "domain": "127.0.0.1",
            "port": origin.port(), "dst_ip": "127.0.0.1", "uri": "/bytes/1000", "status": 200,
            "phase": "PostRESPONSE", "action": "allow", "rule": null, "client_ip": "127.0.0.1",
            "listener": proxy.address.to_string(), "tls_mode": "none", "error": null, "cache": "off",
        }),
    );
}

/// What the head and the origin say comes as it was sent, and `Via` tells of the way.
#[test]
fn requests_and_responses_are_reframed_not_copied() {
    let proxy = Proxy::open();
    let origin = ScriptedOrigin::answering(
        "HTTP/1.1 200 Fine\r\nX-Kept: a, b\r\nConnection: close-ish, X-Hop\r\nX-Hop: 1\r\n\
         Keep-Alive: timeout=5\r\nContent-Length: 2\r\nVia: 1.1 elsewhere\r\n\r\nok",
    );
    let (authority, url) = (origin.address.to_string(), origin.url("/p?q=1"));
    let mut client = proxy.connection();
    client.send(format!(
        "GET {url} HTTP/1.1\r\nhost: {authority}\r\nX-Kept: 1\r\nX-Kept: 2\r\n\
         Connection: keep-alive, X-Secret-Hop\r\nX-Secret-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\n\
         Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic c2VjcmV0OnNlY3JldA==\r\n\r\n"
    ));
    let response = client.response();
    let seen = origin.requests(1).remove(0);
    assert_eq!(seen.line, "GET /p?q=1 HTTP/1.1");
    assert_eq!(seen.header("host").as_deref(), Some(&*authority));
    assert_eq!(seen.header("x-kept").as_deref(), Some("1, 2"));
    assert_eq!(seen.header("via").as_deref(), Some("1.1 sallyport"));
    for name in [
        "x-secret-hop",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
    ] {
        assert_eq!(seen.header(name), None, "{name} went on: {seen:?}");
    }
    assert_eq!(response.status, 200);
    assert_eq!(response.header("x-kept").as_deref(), Some("a, b"));
    assert_eq!(
        response.header("via").as_deref(),
        Some("1.1 elsewhere, 1.1 sallyport")
    );
    for name in ["x-hop", "keep-alive"] {
        assert_eq!(response.header(name), None, "{name} went on: {response:?}");
    }
    assert_eq!(response.body, b"ok");
    let log = std::fs::read_to_string(&proxy.log.path).unwrap_or_default();
    proxy.log.transaction();
    for secret in ["c2VjcmV0", "secret:secret"] {
        assert!(!log.contains(secret), "credentials in the log: {log}");
    }
}

/// The origin's status, headers that a body would have, and no body.
#[test]
fn responses_without_a_body() {
    let proxy = Proxy::open();
    let cases = [
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n",
            200,
            Some("1234"),
        ),
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            200,
            None,
        ),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, None),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\nETag: \"x\"\r\n\r\n",
            304,
            Some("99"),
        ),
        (
            "HEAD",
            "HTTP/1.1 404 Gone\r\nContent-Length: 7\r\n\r\n",
            404,
            Some("7"),
        ),
    ];
    for (method, answer, status, length) in cases {
        let origin = ScriptedOrigin::answering(answer);
        let (authority, url) = (origin.address, origin.url("/"));
        let mut client = proxy.connection();
        // Twice on one connection: a body that was awaited or invented would show in the second.
        for _ in 0..2 {
            client.send(format!(
                "{method} {url} HTTP/1.1\r\nHost: {authority}\r\n\r\n"
            ));
            let response = client.response_to(method);
            assert_eq!(response.status, status, "{method} {answer}");
            assert_eq!(
                response.header("content-length").as_deref(),
                length,
                "{method} {answer}"
            );
        }
        assert_eq!(
            origin.connections(),
            1,
            "the upstream connection is reused: {answer}"
        );
    }
}

#[test]
fn uploads_of_either_framing_arrive_whole() {
    let proxy = Proxy::open();
    let origin = ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let (authority, url) = (origin.address, origin.url("/up"));
    let big: Vec<u8> = (0..=255).cycle().take(700_000).collect();
    let mut client = proxy.connection();
    client.send(format!(
        "POST {url} HTTP/1.1\r\nHost: {authority}\r\nContent-Length: {}\r\n\r\n",
        big.len()
    ));
    client.send(&big);
    assert_eq!(client.response().status, 200);
    client.send(format!(
        "PUT {url} HTTP/1.1\r\nHost: {authority}\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
         5;name=\"value\"\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\nX-Sum: 42\r\n\r\n"
    ));
    assert_eq!(client.response().status, 200);
    let seen = origin.requests(2);
    assert!(seen[0].body == big, "the upload differs");
    assert_eq!(seen[0].header("content-length").as_deref(), Some("700000"));
    assert_eq!(seen[1].body, b"hello world");
    assert_eq!(seen[1].trailers, [("X-Sum".to_owned(), "42".to_owned())]);
    let lines = proxy.log.transactions(2);
    assert!(lines[0]["bytes_up"].as_u64().unwrap() > 700_000);
}

#[test]
fn trailers_of_a_response_are_forwarded() {
    let (proxy, origin) = (Proxy::open(), Origin::start());
    let mut client = proxy.connection();
    let response = client.get(&origin.url("/bytes/5000?chunk=100&trailer=X-Sum:7"));
    assert_eq!(response.body.len(), 5000);
    assert_eq!(response.trailers, [("X-Sum".to_owned(), "7".to_owned())]);
    assert_eq!(client.get(&origin.url("/")).status, 200);
}

/// RFC 9112 section 9.3.2: answers in the order of the requests, whatever they take.
#[test]
fn pipelined_requests_are_answered_in_order() {
    let (proxy, origin) = (Proxy::open(), Origin::start());
    let authority = origin.address;
    let targets = [
        "/bytes/70000?delay=60",
        "/bytes/3",
        "/echo",
        "/bytes/0",
        "/bytes/20?chunked=1",
    ];
    let mut requests = String::new();
    for target in targets {
        let url = origin.url(target);
        requests.push_str(&format!("GET {url} HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
    }
    let mut client = proxy.connection();
    client.send(requests);
    let bodies = targets.map(|_| client.response().body);
    assert_eq!(
        [0, 1, 3, 4].map(|index| bodies[index].len()),
        [70_000, 3, 0, 20]
    );
    assert!(String::from_utf8_lossy(&bodies[2]).contains("/echo"));
    let lines = proxy.log.transactions(5);
    let logged: Vec<_> = lines
        .iter()
        .map(|line| line["uri"].as_str().unwrap())
        .collect();
    let paths: Vec<_> = targets
        .iter()
        .map(|target| target.split('?').next().unwrap())
        .collect();
    assert_eq!(logged, paths);
}

/// Thousands of requests from a client that does not read: its answers wait, memory does not grow.
#[test]
fn a_flood_of_pipelined_requests_is_answered_at_the_pace_of_its_reader() {
    const REQUESTS: usize = 4000;
    let (proxy, origin) = (Proxy::open(), Origin::start());
    let url = origin.url("/bytes/3000");
    let request = format!("GET {url} HTTP/1.1\r\nHost: {}\r\n\r\n", origin.address);
    let mut client = proxy.connection();
    let mut writer = Connection::over(client.stream.try_clone().unwrap());
    let flood = request.repeat(REQUESTS);
    std::thread::scope(|scope| {
        scope.spawn(|| writer.send(flood));
        for _ in 0..REQUESTS {
            let response = client.response();
            assert_eq!((response.status, response.body.len()), (200, 3000));
        }
    });
    assert_eq!(origin.count(), (1, REQUESTS as u64));
    proxy.log.transactions(REQUESTS);
}

/// The target goes on as it was written; only the rules see its normal form.
#[test]
fn targets_are_not_rewritten() {
    let proxy = Proxy::open();
    let origin = ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let cases = [
        ("/a/%62/../c?x=%2F&y", "/a/%62/../c?x=%2F&y"),
        ("//double//slash", "//double//slash"),
        ("/;p=1,2/%e4?", "/;p=1,2/%e4?"),
        ("?only=query", "/?only=query"),
        ("", "/"),
    ];
    let mut client = proxy.connection();
    for (index, (written, sent)) in cases.into_iter().enumerate() {
        let (authority, url) = (origin.address, origin.url(written));
        client.send(format!("GET {url} HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
        assert_eq!(client.response().status, 200, "{written}");
        assert_eq!(
            origin.requests(index + 1)[index].line,
            format!("GET {sent} HTTP/1.1")
        );
    }
}

/// RFC 9110 section 15.2: interim responses go on to those who understand them.
#[test]
fn interim_responses_are_forwarded() {
    let (proxy, origin) = (Proxy::open(), Origin::start());
    let mut client = proxy.connection();
    let first = client.get(&origin.url("/bytes/3?interim=103"));
    assert_eq!(first.status, 103);
    let last = client.response();
    assert_eq!((last.status, last.body.len()), (200, 3));
    let (authority, url) = (origin.address, origin.url("/bytes/3?interim=103"));
    let mut old = proxy.connection();
    old.send(format!("GET {url} HTTP/1.0\r\nHost: {authority}\r\n\r\n"));
    assert_eq!(old.response().status, 200, "not to HTTP/1.0");
}

/// RFC 9110 section 10.1.1: the origin, not the proxy, says 100.
#[test]
fn expectations_reach_the_origin_and_its_answer_the_client() {
    let proxy = Proxy::open();
    let origin = ScriptedOrigin::start(|mut accepted, notebook| {
        let head = accepted.connection.head();
        let head = String::from_utf8(head).unwrap();
        if head.contains("/refuse") {
            accepted.send("HTTP/1.1 417 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            accepted.connection.finish();
            accepted.connection.rest();
            return;
        }
        assert!(
            head.to_ascii_lowercase().contains("expect: 100-continue"),
            "{head}"
        );
        accepted.send("HTTP/1.1 100 Continue\r\n\r\n");
        let body = accepted.connection.bytes(5);
        accepted.send("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
        notebook.note(crate::common::origin::SeenRequest {
            line: String::new(),
            headers: Vec::new(),
            body,
            trailers: Vec::new(),
        });
    });
    let authority = origin.address;
    let head = |path: &str| {
        let url = origin.url(path);
        format!(
            "POST {url} HTTP/1.1\r\nHost: {authority}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
    };
    let mut client = proxy.connection();
    client.send(head("/take"));
    assert_eq!(
        client.response().status,
        100,
        "before a byte of the body was sent"
    );
    client.send("hello");
    assert_eq!(client.response().status, 201);
    assert_eq!(origin.requests(1)[0].body, b"hello");
    let mut client = proxy.connection();
    client.send(head("/refuse"));
    let refused = client.response();
    assert_eq!(refused.status, 417, "without a body having been sent");
    client.assert_closed();
}

#[test]
fn http_1_0_clients_get_what_they_understand() {
    let (proxy, origin) = (Proxy::open(), Origin::start());
    let authority = origin.address;
    for (target, bytes) in [("/bytes/500", 500), ("/bytes/9000?chunk=100", 9000)] {
        let url = origin.url(target);
        let mut client = proxy.connection();
        client.send(format!("GET {url} HTTP/1.0\r\n\r\n"));
        let response = client.response();
        assert_eq!((response.status, response.body.len()), (200, bytes));
        assert_eq!(
            response.header("transfer-encoding"),
            None,
            "HTTP/1.0 knows no chunks"
        );
        client.assert_closed();
        let mut client = proxy.connection();
        client.send(format!(
            "GET {url} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
        ));
        let response = client.response();
        assert_eq!(response.body.len(), bytes);
        assert!(response.says_close());
        client.assert_closed();
    }
}

/// A body that ends with the origin's connection gets a frame that shows its end.
#[test]
fn responses_that_end_with_the_connection_are_chunked() {
    let proxy = Proxy::open();
    let origin =
        ScriptedOrigin::answering_once("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n\r\nall of it");
    let mut client = proxy.connection();
    let response = client.get(&origin.url("/"));
    assert_eq!(
        response.header("transfer-encoding").as_deref(),
        Some("chunked")
    );
    assert_eq!(response.body, b"all of it");
    assert_eq!(
        client.get(&origin.url("/")).body,
        b"all of it",
        "the connection goes on"
    );
    assert_eq!(origin.connections(), 2);
}

/// An HTTP/1.0 origin: close-delimited, and no connection to keep.
#[test]
fn http_1_0_origins_are_served_from() {
    let proxy = Proxy::open();
    let origin = ScriptedOrigin::answering_once("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold");
    let mut client = proxy.connection();
    for _ in 0..2 {
        let response = client.get(&origin.url("/"));
        assert_eq!(
            (&*response.version, &*response.body),
            ("HTTP/1.1", &b"old"[..])
        );
    }
    assert_eq!(origin.connections(), 2);
}

#[test]
fn configured_headers_are_stripped_and_set() {
    let origin = ScriptedOrigin::answering(
        "HTTP/1.1 200 OK\r\nServer: origin/1\r\nX-Inner: 1\r\nContent-Length: 0\r\n\r\n",
    );
    let proxy = Setup::new()
        .key("headers.request.strip", "[\"X-Internal\"]")
        .key("headers.request.set", "{ User-Agent = \"one for all\" }")
        .key("headers.response.strip", "[\"x-inner\"]")
        .key("headers.response.set", "{ Server = \"hidden\" }")
        .key("headers.forwarded", "true")
        .key("headers.x_forwarded_for", "true")
        .key("headers.via", "\"gate\"")
        .start(ALLOW_ALL);
    let (authority, url) = (origin.address, origin.url("/"));
    let mut client = proxy.connection();
    client.send(format!(
        "GET {url} HTTP/1.1\r\nHost: {authority}\r\nX-Internal: 1\r\nUser-Agent: a\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n"
    ));
    let response = client.response();
    let seen = origin.requests(1).remove(0);
    let expected = [
        ("x-internal", None),
        ("user-agent", Some("one for all")),
        ("x-forwarded-for", Some("9.9.9.9, 127.0.0.1")),
        ("forwarded", Some("for=127.0.0.1")),
        ("via", Some("1.1 gate")),
    ];
    for (name, value) in expected {
        assert_eq!(seen.header(name).as_deref(), value, "{name}");
    }
    let expected = [
        ("server", Some("hidden")),
        ("x-inner", None),
        ("via", Some("1.1 gate")),
    ];
    for (name, value) in expected {
        assert_eq!(response.header(name).as_deref(), value, "{name}");
    }
}

/// Large bodies in both directions at once, through slow readers, byte for byte.
#[test]
fn large_bodies_flow_with_bounded_memory() {
    const BYTES: usize = 64 << 20;
    let (proxy, origin) = (Proxy::open(), Origin::start());
    let mut client = proxy.connection();
    let direct = {
        let mut direct = Connection::open(origin.address);
        direct.send(format!(
            "GET /bytes/{BYTES} HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n"
        ));
        direct.response().body
    };
    let response = client.get(&origin.url(&format!("/bytes/{BYTES}")));
    assert!(response.body == direct, "the body differs");
    let peak_kib = proxy.process.memory_bytes("VmHWM:") >> 10;
    assert!(
        peak_kib < 48 << 10,
        "{peak_kib} KiB resident for a body of {BYTES} bytes"
    );
}
