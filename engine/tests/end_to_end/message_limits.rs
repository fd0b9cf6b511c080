//! Limits of heads and bodies: at each of them, and one past it.

use crate::common::proxy::Setup;
use crate::common::{ALLOW_ALL, Origin, Proxy, ScriptedOrigin};
use crate::curl::Curl;

/// Sends `request` on a connection of its own; the status.
fn status(proxy: &Proxy, request: &str) -> u16 {
    let mut client = proxy.connection();
    client.send_in_vain(request);
    client.response().status
}

fn fields(count: usize) -> String {
    (0..count)
        .map(|number| format!("X-{number}: v\r\n"))
        .collect()
}

/// An origin without limits of its own.
fn patient() -> ScriptedOrigin {
    ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
}

/// A request with so many fields, `Host` included.
fn request(origin: &ScriptedOrigin, count: usize) -> String {
    let (url, authority) = (origin.url("/"), origin.address);
    let rest = fields(count - 1);
    format!("GET {url} HTTP/1.1\r\nHost: {authority}\r\n{rest}\r\n")
}

#[test]
fn fields_of_a_head() {
    for most in [16, 128, 200, 256] {
        let proxy = Setup::new()
            .key("limits.headers", &most.to_string())
            .start(ALLOW_ALL);
        let origin = patient();
        assert_eq!(status(&proxy, &request(&origin, most)), 200, "{most}");
        assert_eq!(status(&proxy, &request(&origin, most + 1)), 431, "{most}");
        for (count, expected) in [(most, 200), (most + 1, 502)] {
            let rest = fields(count - 1);
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{rest}\r\n");
            let origin = ScriptedOrigin::answering_once(answer);
            let response = proxy.connection().get(&origin.url("/"));
            assert_eq!(response.status, expected, "{count} of {most} fields");
            if expected == 200 {
                assert_eq!(
                    response.header(&format!("x-{}", most - 2)).as_deref(),
                    Some("v")
                );
            }
        }
    }
}

/// The same in a stream: curl sends `:authority`, `user-agent` and `accept` besides.
#[test]
fn fields_of_a_head_over_http2() {
    let (setup, pki) = Setup::intercepting();
    let proxy = setup.key("limits.headers", "256").start(ALLOW_ALL);
    let Some(curl) = Curl::through(&proxy) else {
        return;
    };
    let origin = Origin::certified(&pki.origin(&["a.test"]));
    let url = format!("https://a.test:{}/", origin.port());
    for (count, code) in [(256, 200), (257, 431)] {
        let headers = (0..count - 3).map(|number| format!("X-{number}: v"));
        let headers: Vec<String> = headers.collect();
        let authority = pki.authority();
        let mut arguments = vec!["--http2", "--cacert", &authority, &url];
        arguments.extend(headers.iter().flat_map(|header| ["-H", header]));
        let outcome = curl.run(&arguments);
        assert_eq!(
            (outcome.exit, outcome.code),
            (Some(0), code),
            "{count} fields"
        );
    }
}

#[test]
fn bytes_of_a_head() {
    const HEAD_BYTES: usize = 8 * 1024;
    let proxy = Setup::new()
        .key("limits.head_bytes", "\"8KiB\"")
        .key("limits.uri_bytes", "300")
        .start(ALLOW_ALL);
    let origin = patient();
    for (bytes, expected) in [(HEAD_BYTES, 200), (HEAD_BYTES + 1, 431)] {
        let start = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nX: ",
            origin.url("/"),
            origin.address
        );
        let value = "a".repeat(bytes - start.len() - 4);
        assert_eq!(
            status(&proxy, &format!("{start}{value}\r\n\r\n")),
            expected,
            "{bytes}"
        );
        let start = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: ";
        let value = "a".repeat(bytes - start.len() - 4);
        let answering = ScriptedOrigin::answering_once(format!("{start}{value}\r\n\r\n"));
        let expected = if expected == 200 { 200 } else { 502 };
        let response = proxy.connection().get(&answering.url("/"));
        assert_eq!(response.status, expected, "{bytes}");
    }
    for (bytes, expected) in [(300, 200), (301, 414)] {
        let path = "a".repeat(bytes - origin.url("/").len());
        let (url, authority) = (origin.url(&format!("/{path}")), origin.address);
        assert_eq!(url.len(), bytes);
        let request = format!("GET {url} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
        assert_eq!(status(&proxy, &request), expected, "{bytes}");
    }
}

/// A chunked request with this body.
fn chunked(origin: &ScriptedOrigin, body: &str) -> String {
    let (url, authority) = (origin.url("/"), origin.address);
    format!("POST {url} HTTP/1.1\r\nHost: {authority}\r\nTransfer-Encoding: chunked\r\n\r\n{body}")
}

#[test]
fn bytes_of_chunk_extensions_and_trailers() {
    let origin = patient();
    for (extension, trailer) in [
        (0_usize, 0_usize),
        (1, 10),
        (256, 8192),
        (16 * 1024, 64 * 1024),
    ] {
        let proxy = Setup::new()
            .key("limits.chunk_extension_bytes", &extension.to_string())
            .key("limits.trailer_bytes", &trailer.to_string())
            .start(ALLOW_ALL);
        let plain = "5\r\nhello\r\n0\r\n\r\n";
        assert_eq!(
            status(&proxy, &chunked(&origin, plain)),
            200,
            "{extension} {trailer}"
        );
        for (bytes, expected) in [(extension, 200), (extension + 1, 400)] {
            if bytes > 0 {
                let body = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(bytes - 1));
                assert_eq!(
                    status(&proxy, &chunked(&origin, &body)),
                    expected,
                    "{bytes}"
                );
            }
        }
        for (bytes, expected) in [(trailer, 200), (trailer + 1, 400)] {
            if bytes > 6 || expected == 400 {
                let value = "v".repeat(bytes.saturating_sub(6).max(1));
                let body = format!("5\r\nhello\r\n0\r\nX-T:{value}\r\n\r\n");
                assert_eq!(
                    status(&proxy, &chunked(&origin, &body)),
                    expected,
                    "{bytes}"
                );
            }
        }
        // Of responses.
        let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
        let scripted = ScriptedOrigin::answering(answer);
        assert_eq!(proxy.connection().get(&scripted.url("/")).body, b"hello");
    }
}
