//! Faults of origins that are let pass, always or where the configuration says so, and what the client
//! then gets: a head that is written anew. Requests with the same faults are refused.

use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::proxy::Setup;
use crate::common::{ALLOW_ALL, Proxy, ScriptedOrigin};

/// Asks an origin that answers so; what the client gets to the end of its connection.
fn answer(proxy: &Proxy, response: &[u8]) -> String {
    let origin = ScriptedOrigin::answering(response.to_vec());
    let (authority, url) = (origin.address, origin.url("/"));
    let mut client = proxy.connection();
    client.send(format!(
        "GET {url} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
    ));
    let (answer, _) = client.rest();
    // Bytes beyond ASCII, each as the character of its number.
    answer.into_iter().map(char::from).collect()
}

#[test]
fn what_can_be_read_in_one_way_only_is_taken() {
    let proxy = Proxy::open();
    let cases: [(&[u8], &str, Option<&str>); 8] = [
        (
            b"HTTP/1.1 200 OK\r\nX-A : 1\r\nX-B\t:2\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nX-A: 1\r\nX-B: 2\r\nDate: ",
            Some("the origin's response has blanks around a field"),
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            Some("the origin's response has blanks around a field"),
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
            "\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
            Some("the origin's response has repeated Content-Length"),
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
            "\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
            Some("the origin's response has repeated Content-Length"),
        ),
        (
            b"HTTP/1.1 200 OK\r\nX-A : 1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nX-A: 1\r\nDate: ",
            Some("the origin's response has blanks around a field; repeated Content-Length"),
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2  \r\nok\r\n0\t\r\n\r\n",
            "\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            None,
        ),
        (
            b"HTTP/1.1 200 Tr\xe8s bien\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 Tr\u{e8}s bien\r\n",
            None,
        ),
        (
            b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 \r\n",
            None,
        ),
    ];
    for (index, (response, expected, detail)) in cases.into_iter().enumerate() {
        let got = answer(&proxy, response);
        assert!(got.contains(expected), "{got:?} lacks {expected:?}");
        let line = proxy.log.wait("transaction", index + 1).remove(index);
        assert_fields(
            &line,
            &json!({ "status": 200, "error": null, "detail": detail }),
        );
    }
}

const BARE_LF: &[u8] = b"HTTP/1.1 200 OK\nX-A: 1\r\nX-B : 2\nContent-Length: 2\n\nok";
const LENGTH_WITH_CHUNKED: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";

#[test]
fn more_is_taken_where_the_configuration_says_so() {
    let strict = Proxy::open();
    let lenient = Setup::new()
        .key(
            "http.origin_leniency",
            "[\"bare-lf\", \"length-with-chunked\"]",
        )
        .start(ALLOW_ALL);
    for response in [BARE_LF, LENGTH_WITH_CHUNKED] {
        assert!(answer(&strict, response).starts_with("HTTP/1.1 502 "));
    }
    let got = answer(&lenient, BARE_LF);
    assert!(
        got.starts_with("HTTP/1.1 200 OK\r\nX-A: 1\r\nX-B: 2\r\nDate: "),
        "{got:?}"
    );
    assert!(
        got.ends_with("\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"),
        "{got:?}"
    );
    let got = answer(&lenient, LENGTH_WITH_CHUNKED);
    assert!(!got.contains("Content-Length"), "{got:?}");
    assert!(got.ends_with("\r\n\r\n2\r\nok\r\n0\r\n\r\n"), "{got:?}");
    let lines = lenient.log.transactions(2);
    let details = lines.iter().map(|line| line["detail"].clone());
    assert_eq!(
        details.collect::<Vec<_>>(),
        [
            "the origin's response has blanks around a field; lines that end in LF",
            "the origin's response has Transfer-Encoding with Content-Length",
        ]
    );
}

/// RFC 9112 section 6.3: what follows such a response could be anything.
#[test]
fn a_connection_with_both_framings_is_not_used_again() {
    let proxy = Setup::new()
        .key("http.origin_leniency", "[\"length-with-chunked\"]")
        .start(ALLOW_ALL);
    let origin = ScriptedOrigin::answering(LENGTH_WITH_CHUNKED);
    let mut client = proxy.connection();
    for _ in 0..2 {
        assert_eq!(client.get(&origin.url("/")).body, b"ok");
    }
    assert_eq!(origin.connections(), 2);
}

#[test]
fn a_scope_is_lenient_to_some_origins() {
    let (one, other) = (
        ScriptedOrigin::answering(BARE_LF),
        ScriptedOrigin::answering(BARE_LF),
    );
    let scope = |condition: String| {
        format!("[[http.scope]]\n{condition}\norigin_leniency = [\"bare-lf\"]\n")
    };
    for (condition, host) in [
        (format!("ports = [{}]", one.port()), "old.test"),
        ("domains = [\"*.test\"]".to_owned(), "old.test"),
        ("destinations = [\"127.0.0.0/8\"]".to_owned(), "old.test"),
    ] {
        let proxy = Setup::new()
            .host("old.test", "127.0.0.1")
            .host("example.org", "127.0.0.1")
            .append(&scope(condition.clone()))
            .start(ALLOW_ALL);
        let ask = |host: &str, origin: &ScriptedOrigin| {
            let url = format!("http://{host}:{}/", origin.port());
            proxy.connection().get(&url).status
        };
        assert_eq!(ask(host, &one), 200, "{condition}");
        let others = match &*condition {
            "domains = [\"*.test\"]" => ask("example.org", &one),
            "destinations = [\"127.0.0.0/8\"]" => 502,
            _ => ask(host, &other),
        };
        assert_eq!(others, 502, "{condition}");
    }
}

#[test]
fn requests_stay_strict() {
    let proxy = Setup::new()
        .key(
            "http.origin_leniency",
            "[\"bare-lf\", \"length-with-chunked\"]",
        )
        .start(ALLOW_ALL);
    let origin = ScriptedOrigin::silent();
    let (authority, url) = (origin.address, origin.url("/"));
    for lines in [
        "X-A : 1\r\n\r\n",
        "X-A: 1\n\n",
        "Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        "Content-Length: 2, 2\r\n\r\nok",
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let mut client = proxy.connection();
        client.send(format!(
            "POST {url} HTTP/1.1\r\nHost: {authority}\r\n{lines}"
        ));
        let response = client.response();
        response.assert_refusal(400, "http_request_error");
    }
    assert_eq!(origin.connections(), 0);
    let origin = ScriptedOrigin::start(|mut accepted, _| drop(accepted.connection.rest()));
    let mut client = proxy.connection();
    let (authority, url) = (origin.address, origin.url("/"));
    client.send(format!(
        "POST {url} HTTP/1.1\r\nHost: {authority}\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\nok\r\n0\r\n\r\n"
    ));
    client.response().assert_refusal(400, "http_request_error");
}
