//! Forwarded heads: exact texts, and the end-to-end fields of random heads.
#![cfg(test)]

use proptest::prelude::*;
use sallyport_wire::http1::{
    BodyFraming, HeadLimits, HeaderEdits, MethodKind, Parse, RequestForward, RequestHead,
    ResponseForward, ResponseHead, Version, encode_request, encode_response, is_hop_by_hop,
};

struct How {
    upgrade: bool,
    framing: Option<BodyFraming>,
    edits: HeaderEdits,
}

const PLAIN: How = How {
    upgrade: false,
    framing: None,
    edits: HeaderEdits {
        strip: Vec::new(),
        set: Vec::new(),
    },
};

fn forward_request(text: &str, how: &How) -> String {
    let mut head = RequestHead::new();
    let parsed = head.parse(text.as_bytes(), &HeadLimits::default());
    assert_eq!(
        parsed,
        Ok(Parse::Complete {
            head_bytes: text.len()
        }),
        "{text:?}"
    );
    let mut out = Vec::new();
    encode_request(
        &mut out,
        &RequestForward {
            head: &head,
            buf: text.as_bytes(),
            path_and_query: b"/p?q",
            authority: b"origin:8080",
            via: b"gate",
            framing: how.framing.unwrap_or(head.framing),
            upgrade: how.upgrade,
            websocket_key: None,
            edits: &how.edits,
        },
    );
    String::from_utf8(out).expect("text")
}

#[test]
fn a_request_loses_what_concerns_its_connection_only() {
    let sent = forward_request(
        "GET http://origin:8080/p?q HTTP/1.1\r\nAccept: */*\r\nHost: origin:8080\r\n\
         Proxy-Authorization: Basic c2VjcmV0\r\nproxy-connection: keep-alive\r\nKeep-Alive: 5\r\n\
         X-Named: 1\r\nX-Kept:  two  \r\nConnection: keep-alive, X-Named\r\nCookie: a=b\r\n\
         Upgrade: h2c\r\nHTTP2-Settings: AAAA\r\nTE: gzip\r\nTrailer: x\r\nExpect: 100-continue\r\n\
         Proxy-Authenticate: Basic\r\n\r\n",
        &PLAIN,
    );
    assert_eq!(
        sent,
        "GET /p?q HTTP/1.1\r\nHost: origin:8080\r\nAccept: */*\r\nX-Kept:  two  \r\nCookie: a=b\r\n\
         Expect: 100-continue\r\nVia: 1.1 gate\r\n\r\n"
    );
}

#[test]
fn a_request_is_framed_anew() {
    let text = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\nTrailer: x\r\n\r\n";
    assert_eq!(
        forward_request(text, &PLAIN),
        "POST /p?q HTTP/1.1\r\nHost: origin:8080\r\nVia: 1.1 gate\r\nContent-Length: 7\r\n\r\n"
    );
    let chunked = How {
        framing: Some(BodyFraming::Chunked),
        ..PLAIN
    };
    assert_eq!(
        forward_request(text, &chunked),
        "POST /p?q HTTP/1.1\r\nHost: origin:8080\r\nTrailer: x\r\nVia: 1.1 gate\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    );
}

#[test]
fn upgrades_and_te_come_with_their_connection_options() {
    let text = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, TE\r\nUpgrade: websocket\r\n\
                TE: trailers, gzip\r\nSec-WebSocket-Key: k\r\n\r\n";
    assert_eq!(
        forward_request(
            text,
            &How {
                upgrade: true,
                ..PLAIN
            }
        ),
        "GET /p?q HTTP/1.1\r\nHost: origin:8080\r\nSec-WebSocket-Key: k\r\nVia: 1.1 gate\r\n\
         Upgrade: websocket\r\nTE: trailers\r\nConnection: upgrade, TE\r\n\r\n"
    );
    assert_eq!(
        forward_request(text, &PLAIN),
        "GET /p?q HTTP/1.1\r\nHost: origin:8080\r\nSec-WebSocket-Key: k\r\nVia: 1.1 gate\r\n\
         TE: trailers\r\nConnection: TE\r\n\r\n"
    );
}

#[test]
fn via_becomes_one_list_that_connection_cannot_hide() {
    let text = "GET / HTTP/1.0\r\nVia: 1.1 x, 1.0 y\r\nA: b\r\nvia: 2 z (c)\r\nVia:\r\n\
                Connection: Via\r\n\r\n";
    assert_eq!(
        forward_request(text, &PLAIN),
        "GET /p?q HTTP/1.1\r\nHost: origin:8080\r\nA: b\r\nVia: 1.1 x, 1.0 y, 2 z (c), 1.0 gate\r\n\r\n"
    );
}

#[test]
fn max_forwards_goes_down_where_it_means_something() {
    let with = |method: &str| {
        let text = format!("{method} / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 3\r\n\r\n");
        forward_request(&text, &PLAIN)
    };
    assert!(with("TRACE").contains("\r\nMax-Forwards: 2\r\n"));
    assert!(with("OPTIONS").contains("\r\nMax-Forwards: 2\r\n"));
    assert!(with("GET").contains("\r\nMax-Forwards: 3\r\n"));
}

fn edits(strip: &[&str], set: &[(&str, &str)]) -> HeaderEdits {
    HeaderEdits {
        strip: strip.iter().map(|name| (*name).into()).collect(),
        set: set
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
    }
}

#[test]
fn edits_strip_and_replace_but_not_what_frames_or_routes() {
    let how = How {
        edits: edits(
            &["cookie", "host", "via", "content-length", "expect"],
            &[
                ("x-set", "new"),
                ("content-length", "1"),
                ("x-evil", "a\r\nX-Injected: b"),
                ("x bad", "c"),
            ],
        ),
        ..PLAIN
    };
    let text = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nCookie: c\r\nX-Set: old\r\nX-Evil: kept\r\n\
                Content-Length: 3\r\nx-set: older\r\n\r\n";
    assert_eq!(
        forward_request(text, &how),
        "POST /p?q HTTP/1.1\r\nHost: origin:8080\r\nExpect: 100-continue\r\nX-Evil: kept\r\nx-set: new\r\nVia: 1.1 gate\r\n\
         Content-Length: 3\r\n\r\n"
    );
    assert_eq!(how.edits.first_invalid(), Some("host"));
    assert_eq!(edits(&[], &[("x", "a\nb")]).first_invalid(), Some("x"));
    assert_eq!(edits(&["x-a"], &[("x-b", "c")]).first_invalid(), None);
}

#[test]
fn a_target_without_a_path_gets_one() {
    let text = b"GET http://a?x HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut head = RequestHead::new();
    head.parse(text, &HeadLimits::default()).expect("a head");
    for (path, line) in [
        (&b"?x"[..], "GET /?x "),
        (b"", "GET / "),
        (b"/y", "GET /y "),
        (b"*", "GET * "),
    ] {
        let mut out = Vec::new();
        encode_request(
            &mut out,
            &RequestForward {
                head: &head,
                buf: text,
                path_and_query: path,
                authority: b"a",
                via: b"",
                framing: BodyFraming::None,
                upgrade: false,
                websocket_key: None,
                edits: &HeaderEdits::default(),
            },
        );
        assert_eq!(out, format!("{line}HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
    }
}

struct Answer {
    method: MethodKind,
    client_version: Version,
    framing: Option<BodyFraming>,
    close: bool,
    upgrade: bool,
    date: Option<&'static [u8]>,
}

const GET: Answer = Answer {
    method: MethodKind::Get,
    client_version: Version::Http11,
    framing: None,
    close: false,
    upgrade: false,
    date: None,
};

fn forward_response(text: &str, how: &Answer) -> String {
    let mut head = ResponseHead::new();
    let parsed = head.parse(text.as_bytes(), &HeadLimits::default(), how.method);
    assert_eq!(
        parsed,
        Ok(Parse::Complete {
            head_bytes: text.len()
        }),
        "{text:?}"
    );
    let mut out = Vec::new();
    encode_response(
        &mut out,
        &ResponseForward {
            head: &head,
            buf: text.as_bytes(),
            via: b"gate",
            framing: how.framing.unwrap_or(head.framing),
            close: how.close,
            client_version: how.client_version,
            session_auth: false,
            upgrade: how.upgrade,
            websocket_accept: None,
            date: how.date,
            edits: &edits(&["x-stripped"], &[]),
        },
    );
    String::from_utf8(out).expect("text")
}

#[test]
fn responses_are_framed_for_their_client() {
    let text = "HTTP/1.0 200 Fine\r\nServer: s\r\nContent-Length: 5\r\nX-Stripped: 1\r\n\
                Connection: keep-alive\r\nKeep-Alive: 3\r\nProxy-Authenticate: Basic\r\n\r\n";
    assert_eq!(
        forward_response(text, &GET),
        "HTTP/1.1 200 Fine\r\nServer: s\r\nVia: 1.0 gate\r\nContent-Length: 5\r\n\r\n"
    );
    let chunked = Answer {
        framing: Some(BodyFraming::Chunked),
        ..GET
    };
    assert_eq!(
        forward_response(text, &chunked),
        "HTTP/1.1 200 Fine\r\nServer: s\r\nVia: 1.0 gate\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    assert_eq!(
        forward_response(
            text,
            &Answer {
                client_version: Version::Http10,
                ..chunked
            }
        ),
        "HTTP/1.1 200 Fine\r\nServer: s\r\nVia: 1.0 gate\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(
        forward_response("HTTP/1.1 200\r\n\r\n", &GET),
        "HTTP/1.1 200 \r\nVia: 1.1 gate\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(
        forward_response(
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            &Answer { close: true, ..GET }
        ),
        "HTTP/1.1 200 OK\r\nVia: 1.1 gate\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
}

#[test]
fn responses_without_a_body_say_only_what_they_may() {
    let head = Answer {
        method: MethodKind::Head,
        ..GET
    };
    assert_eq!(
        forward_response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", &head),
        "HTTP/1.1 200 OK\r\nVia: 1.1 gate\r\nContent-Length: 5\r\n\r\n"
    );
    assert_eq!(
        forward_response(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            &head
        ),
        "HTTP/1.1 200 OK\r\nVia: 1.1 gate\r\n\r\n"
    );
    assert_eq!(
        forward_response(
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
            &GET
        ),
        "HTTP/1.1 304 Not Modified\r\nVia: 1.1 gate\r\nContent-Length: 5\r\n\r\n"
    );
    assert_eq!(
        forward_response("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", &GET),
        "HTTP/1.1 204 No Content\r\nVia: 1.1 gate\r\n\r\n"
    );
    assert_eq!(
        forward_response(
            "HTTP/1.1 100 Continue\r\n\r\n",
            &Answer { close: true, ..GET }
        ),
        "HTTP/1.1 100 Continue\r\nVia: 1.1 gate\r\n\r\n"
    );
    let switching =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    assert_eq!(
        forward_response(
            switching,
            &Answer {
                upgrade: true,
                close: true,
                ..GET
            }
        ),
        "HTTP/1.1 101 Switching Protocols\r\nVia: 1.1 gate\r\nUpgrade: websocket\r\n\
         Connection: upgrade\r\n\r\n"
    );
}

/// RFC 9110 section 6.6.1.
#[test]
fn a_response_that_does_not_say_when_it_was_made_is_dated() {
    let now = Answer {
        date: Some(b"now"),
        ..GET
    };
    for (text, expected) in [
        (
            "HTTP/1.1 204 N\r\nX: y\r\n\r\n",
            "HTTP/1.1 204 N\r\nX: y\r\nDate: now\r\nVia: 1.1 gate\r\n\r\n",
        ),
        (
            "HTTP/1.1 204 N\r\ndate: then\r\n\r\n",
            "HTTP/1.1 204 N\r\ndate: then\r\nVia: 1.1 gate\r\n\r\n",
        ),
        (
            "HTTP/1.1 103 E\r\n\r\n",
            "HTTP/1.1 103 E\r\nVia: 1.1 gate\r\n\r\n",
        ),
    ] {
        assert_eq!(forward_response(text, &now), expected);
    }
}

/// Name in lower case and value of each field that should arrive.
fn end_to_end(head: &RequestHead, buf: &[u8], named: &[String]) -> Vec<(String, Vec<u8>)> {
    let fields = head.headers.iter().map(|field| {
        let name = String::from_utf8_lossy(field.name.of(buf)).to_ascii_lowercase();
        (name, field.value.of(buf).to_vec())
    });
    let ours = ["host", "via", "content-length", "trailer"];
    fields
        .filter(|(name, _)| {
            !is_hop_by_hop(name.as_bytes())
                && !ours.contains(&name.as_str())
                && !named.iter().any(|other| other.eq_ignore_ascii_case(name))
        })
        .collect()
}

proptest! {
    /// What the origin parses is what the client sent, less what is ours.
    #[test]
    fn end_to_end_fields_arrive_unchanged(
        fields in prop::collection::vec(
            (
                prop_oneof![
                    prop::sample::select(vec![
                        "Keep-Alive", "TE", "Via", "Upgrade", "Proxy-Authorization", "Cookie",
                        "X-A", "x-a", "X-B", "Trailer", "User-Agent", "Content-Type",
                    ]).prop_map(String::from),
                    "[A-Za-z!#$%&'*+.^_`|~0-9-]{1,10}",
                ],
                "[ \t]{0,2}([!-~][ -~]{0,16}[!-~])?[ \t]{0,2}",
            ),
            0..20,
        ),
        named in prop::collection::vec("[Xx]-[A-Ba-b]", 0..3),
        length in prop::option::of(0..u64::from(u32::MAX)),
    ) {
        let mut text = String::from("POST http://a/ HTTP/1.1\r\nHost: a\r\n");
        for (name, value) in &fields {
            let lower = name.to_ascii_lowercase();
            if ["host", "content-length", "transfer-encoding", "connection", "expect"].contains(&&*lower) {
                continue;
            }
            text.push_str(&format!("{name}:{value}\r\n"));
        }
        if let Some(length) = length {
            text.push_str(&format!("Content-Length: {length}\r\n"));
        }
        text.push_str(&format!("Connection: {}\r\n\r\n", named.join(", ")));

        let mut head = RequestHead::new();
        head.parse(text.as_bytes(), &HeadLimits::default()).expect("a valid head");
        let sent = forward_request(&text, &PLAIN);
        let mut arrived = RequestHead::new();
        let parsed = arrived.parse(sent.as_bytes(), &HeadLimits::default());
        prop_assert_eq!(parsed, Ok(Parse::Complete { head_bytes: sent.len() }));
        prop_assert_eq!(arrived.framing, head.framing);
        prop_assert_eq!(
            end_to_end(&arrived, sent.as_bytes(), &[]),
            end_to_end(&head, text.as_bytes(), &named)
        );
        prop_assert!(!sent.to_ascii_lowercase().contains("\r\nproxy-authorization"));
    }
}
