//! Messages: RFC 9113 section 8, RFC 8441, and what this proxy refuses beyond them.

use super::super::super::event::Event;
use super::super::super::frames::{END_HEADERS, END_STREAM, HEADERS};
use super::super::super::request::{Request, TargetForm};
use super::super::super::settings::ConnectionSettings;
use super::super::super::stream_fault::{RequestFault, StreamFault};
use super::super::send::{RequestStart, SendFault, SendField};
use super::super::state::Connection;
use super::support::{GET, POST, SETTINGS_USED, Tested, block, data, frame, get, headers, now};
use crate::http1::{
    BodyFraming, HeadError, HeaderEdits, MethodKind, RequestForward, TargetError, Version,
    encode_request,
};

/// A request whose fields are `GET` but for those of the same names in `changes`; a value of `-` takes one
/// away, and other fields come behind.
fn fields<'f>(changes: &[(&'f str, &'f str)]) -> Vec<(&'f str, &'f str)> {
    let mut all: Vec<(&str, &str)> = GET.to_vec();
    for (name, value) in changes {
        match all.iter_mut().find(|(known, _)| known == name) {
            Some(field) => field.1 = value,
            None => all.push((name, value)),
        }
    }
    all.retain(|(_, value)| *value != "-");
    all
}

fn outcome(fields: &[(&str, &str)]) -> String {
    let mut tested = Tested::server();
    let seen = tested.seen(&headers(1, END_STREAM, fields));
    let is_reset = tested.sent() == "reset:1:1";
    assert_eq!(is_reset, seen.starts_with("fault"), "{seen}");
    // The connection goes on.
    assert_eq!(tested.seen(&get(3)), "request:3.");
    seen
}

/// The head that fields are read as.
fn request(settings: ConnectionSettings, flags: u8, fields: &[(&str, &str)]) -> Box<Request> {
    let mut tested = Tested::server_with(settings);
    let bytes = headers(1, flags, fields);
    let mut input = &bytes[..];
    match tested.connection.receive(&mut input, now()) {
        Ok(Some(Event::Request { request, .. })) => request,
        other => panic!("{other:?}"),
    }
}

fn fault(fields: &[(&str, &str)]) -> Option<RequestFault> {
    request(SETTINGS_USED, END_STREAM, fields).fault
}

#[test]
fn rfc_9113_8_2_fields_that_are_malformed() {
    for (name, value, fault) in [
        ("X-Test", "ok", StreamFault::FieldName),
        ("", "x", StreamFault::FieldName),
        ("x y", "x", StreamFault::FieldName),
        ("x:y", "x", StreamFault::FieldName),
        ("x\u{e9}", "x", StreamFault::FieldName),
        ("x", "a\0b", StreamFault::FieldValue),
        ("x", "a\r\nb: c", StreamFault::FieldValue),
        ("x", "a\nb", StreamFault::FieldValue),
        ("x", "\u{7f}", StreamFault::FieldValue),
        ("connection", "keep-alive", StreamFault::ConnectionField),
        ("keep-alive", "1", StreamFault::ConnectionField),
        (
            "proxy-connection",
            "keep-alive",
            StreamFault::ConnectionField,
        ),
        ("transfer-encoding", "chunked", StreamFault::ConnectionField),
        ("upgrade", "websocket", StreamFault::ConnectionField),
        ("te", "trailers, deflate", StreamFault::Te),
        ("content-length", "x", StreamFault::ContentLength),
        ("content-length", "-1", StreamFault::ContentLength),
        ("content-length", "4", StreamFault::Length),
    ] {
        let expected = format!("fault:1:{fault:?}");
        assert_eq!(
            outcome(&fields(&[(name, value)])),
            expected,
            "{name}: {value:?}"
        );
    }
    for (name, value) in [
        ("te", "trailers"),
        ("x", "\u{e9}\t~"),
        ("content-length", "0"),
    ] {
        assert_eq!(outcome(&fields(&[(name, value)])), "request:1.", "{name}");
    }
    // Out of the table it is as malformed as before.
    let mut tested = Tested::server();
    let bad = [&block(&GET)[..], b"\x40\x01X\x01y"].concat();
    for (stream, block) in [(1, bad), (3, [&block(&GET)[..], b"\xbe"].concat())] {
        let seen = tested.seen(&frame(HEADERS, END_HEADERS | END_STREAM, stream, &block));
        assert_eq!(seen, format!("fault:{stream}:FieldName"));
    }
}

#[test]
fn rfc_9113_8_3_pseudo_header_fields() {
    let repeated = |name, value| {
        let mut all = GET.to_vec();
        all.push((name, value));
        all
    };
    let mut behind = vec![("x", "y")];
    behind.extend_from_slice(&GET);
    let mut behind_a_cookie = vec![("cookie", "y")];
    behind_a_cookie.extend_from_slice(&GET);
    for (all, fault) in [
        (fields(&[(":test", "ok")]), StreamFault::Pseudo),
        (fields(&[(":status", "200")]), StreamFault::Pseudo),
        (behind, StreamFault::Pseudo),
        (behind_a_cookie, StreamFault::Pseudo),
        (repeated(":method", "GET"), StreamFault::Pseudo),
        (repeated(":scheme", "https"), StreamFault::Pseudo),
        (repeated(":path", "/"), StreamFault::Pseudo),
        (repeated(":authority", "a.test"), StreamFault::Pseudo),
        (fields(&[(":method", "-")]), StreamFault::PseudoMissing),
        (fields(&[(":scheme", "-")]), StreamFault::PseudoMissing),
        (fields(&[(":path", "-")]), StreamFault::PseudoMissing),
        (
            fields(&[(":path", "-"), (":authority", "-")]),
            StreamFault::PseudoMissing,
        ),
        (fields(&[(":path", "")]), StreamFault::PathEmpty),
        (fields(&[(":method", "")]), StreamFault::Method),
        (fields(&[(":method", "G T")]), StreamFault::Method),
        (fields(&[(":method", "CONNECT")]), StreamFault::Connect),
        (
            fields(&[(":method", "CONNECT"), (":path", "-")]),
            StreamFault::Connect,
        ),
        (fields(&[(":protocol", "websocket")]), StreamFault::Connect),
        (
            fields(&[
                (":method", "CONNECT"),
                (":path", "-"),
                (":protocol", "websocket"),
            ]),
            StreamFault::PseudoMissing,
        ),
    ] {
        assert_eq!(outcome(&all), format!("fault:1:{fault:?}"), "{all:?}");
    }
}

#[test]
fn what_http2_permits_and_we_refuse() {
    let long_path = format!("/{}", "x".repeat(1024));
    let long_method = "X".repeat(49);
    for (changes, expected) in [
        (&[("x", " a")][..], RequestFault::Whitespace),
        (&[("x", "a\t")], RequestFault::Whitespace),
        (&[("cookie", "a ")], RequestFault::Whitespace),
        (&[("host", "evil.test")], RequestFault::HostDiffers),
        (&[("host", "a.test:80")], RequestFault::HostDiffers),
        (&[("host", "")], RequestFault::HostDiffers),
        (&[(":authority", "-")], RequestFault::AuthorityMissing),
        (&[(":authority", "u@a.test")], RequestFault::UserInformation),
        (
            &[(":authority", "a b")],
            RequestFault::Head(HeadError::HostInvalid),
        ),
        (
            &[(":authority", "")],
            RequestFault::Head(HeadError::HostInvalid),
        ),
        (
            &[(":authority", "127.1")],
            RequestFault::Head(HeadError::HostInvalid),
        ),
        (&[(":scheme", "ftp")], RequestFault::Scheme),
        (&[(":scheme", "http")], RequestFault::Scheme),
        (&[(":path", "*")], RequestFault::Path),
        (&[(":path", "*"), (":method", "POST")], RequestFault::Path),
        (&[(":path", "?x")], RequestFault::Path),
        (&[(":path", "a")], RequestFault::Path),
        (&[(":path", "https://b.test/")], RequestFault::Path),
        (&[(":path", "/a#b")], RequestFault::Fragment),
        (&[(":path", "/?a#")], RequestFault::Fragment),
        (&[(":path", "#b")], RequestFault::Fragment),
        (
            &[(":path", "/a b")],
            RequestFault::Target(TargetError::Path),
        ),
        (
            &[(":path", &long_path)],
            RequestFault::Head(HeadError::UriTooLong),
        ),
        (
            &[(":method", &long_method)],
            RequestFault::Head(HeadError::MethodTooLong),
        ),
        (
            &[(":method", "CONNECT"), (":protocol", "connect-udp")],
            RequestFault::Protocol,
        ),
    ] {
        assert_eq!(fault(&fields(changes)), Some(expected), "{changes:?}");
    }
    let mut two = fields(&[("content-length", "0")]);
    two.push(("content-length", "0"));
    assert_eq!(fault(&two), Some(RequestFault::LengthRepeated));
    let mut two = fields(&[(":authority", "-"), ("host", "a.test")]);
    two.push(("host", "a.test"));
    assert_eq!(fault(&two), Some(RequestFault::HostDiffers));
    for changes in [
        &[("host", "A.TEST")][..],
        &[("host", "a.test:443")],
        &[(":authority", "-"), ("host", "a.test")],
        &[(":path", "*"), (":method", "OPTIONS")],
        &[(":authority", "[::1]:8080"), ("host", "[0::1]:8080")],
    ] {
        assert_eq!(fault(&fields(changes)), None, "{changes:?}");
    }
}

/// The lines of a head, as the encoder of HTTP/1.1 copies them.
fn forwarded(request: &Request) -> String {
    let mut out = Vec::new();
    encode_request(
        &mut out,
        &RequestForward {
            head: &request.head,
            buf: &request.text,
            path_and_query: request.head.target.of(&request.text),
            authority: request.head.host.unwrap().of(&request.text),
            via: b"",
            framing: request.head.framing,
            upgrade: false,
            websocket_key: None,
            edits: &HeaderEdits::default(),
        },
    );
    String::from_utf8(out).unwrap()
}

#[test]
fn a_request_is_read_as_its_like_in_http1() {
    let all = fields(&[
        (":path", "/p?q"),
        ("cookie", "a=1"),
        ("x-one", "1"),
        ("host", "a.test"),
        ("te", "trailers"),
        ("expect", "100-Continue"),
    ]);
    let mut all = all;
    all.push(("cookie", "b=2"));
    all.push(("x-two", "2"));
    let request = request(SETTINGS_USED, END_STREAM, &all);
    let (head, text) = (&request.head, &request.text);
    assert_eq!(request.fault, None);
    assert_eq!(
        (head.method.of(text), head.method_kind),
        (&b"GET"[..], MethodKind::Get)
    );
    assert_eq!(head.target.of(text), b"/p?q");
    assert_eq!(request.absolute.of(text), b"https://a.test/p?q");
    assert_eq!(head.host.map(|host| host.of(text)), Some(&b"a.test"[..]));
    assert_eq!(
        (head.version, head.framing),
        (Version::Http2, BodyFraming::None)
    );
    assert!(head.te_trailers && head.expect_continue && head.keep_alive && !head.is_connect);
    let names: Vec<_> = head
        .headers
        .iter()
        .map(|field| field.name.of(text))
        .collect();
    let expected: [&[u8]; 6] = [b"x-one", b"te", b"expect", b"x-two", b"host", b"cookie"];
    assert_eq!(names, expected);
    assert_eq!(
        head.header_values(text, "cookie").collect::<Vec<_>>(),
        [b"a=1; b=2"]
    );
    assert_eq!(
        forwarded(&request),
        "GET /p?q HTTP/1.1\r\nHost: a.test\r\nx-one: 1\r\nexpect: 100-Continue\r\nx-two: 2\r\n\
         cookie: a=1; b=2\r\nTE: trailers\r\nConnection: TE\r\n\r\n"
    );
}

#[test]
fn a_request_says_how_its_content_is_framed() {
    for (method, length, trailer, flags, framing) in [
        ("GET", "-", "-", END_STREAM, BodyFraming::None),
        ("POST", "-", "-", END_STREAM, BodyFraming::Length(0)),
        ("PUT", "-", "-", END_STREAM, BodyFraming::Length(0)),
        ("PATCH", "-", "-", END_STREAM, BodyFraming::Length(0)),
        ("DELETE", "-", "-", END_STREAM, BodyFraming::None),
        ("POST", "-", "-", 0, BodyFraming::Chunked),
        ("POST", "5", "-", 0, BodyFraming::Length(5)),
        ("POST", "5", "x-sum", 0, BodyFraming::Chunked),
        ("POST", "0", "x-sum", END_STREAM, BodyFraming::Length(0)),
    ] {
        let all = fields(&[
            (":method", method),
            ("content-length", length),
            ("trailer", trailer),
        ]);
        let head = &request(SETTINGS_USED, flags, &all).head;
        assert_eq!(head.framing, framing, "{method} {length} {trailer}");
    }
}

#[test]
fn targets_of_clients_that_speak_to_a_proxy_are_absolute() {
    let settings = ConnectionSettings {
        form: TargetForm::Absolute,
        ..SETTINGS_USED
    };
    for (scheme, authority, path, method, target, fault) in [
        ("http", "a.test:81", "/p", "GET", "http://a.test:81/p", None),
        ("https", "a.test", "/", "GET", "https://a.test/", None),
        ("https", "a.test", "*", "OPTIONS", "https://a.test", None),
        (
            "ftp",
            "a.test",
            "/",
            "GET",
            "ftp://a.test/",
            Some(RequestFault::Target(TargetError::Scheme)),
        ),
    ] {
        let all = fields(&[
            (":scheme", scheme),
            (":authority", authority),
            (":path", path),
            (":method", method),
        ]);
        let request = request(settings, END_STREAM, &all);
        assert_eq!(request.head.target.of(&request.text), target.as_bytes());
        assert_eq!(request.fault, fault);
    }
}

#[test]
fn rfc_9113_8_5_connect() {
    let connect = fields(&[
        (":method", "CONNECT"),
        (":scheme", "-"),
        (":path", "-"),
        (":authority", "a.test:443"),
    ]);
    let tunnel = request(SETTINGS_USED, 0, &connect);
    assert_eq!(tunnel.fault, None);
    assert!(tunnel.head.is_connect);
    assert_eq!(tunnel.head.target.of(&tunnel.text), b"a.test:443");
    assert_eq!(tunnel.head.framing, BodyFraming::None);
    let mut tested = Tested::server();
    assert_eq!(
        tested.seen(&[headers(1, 0, &connect), data(1, 0, 9)].concat()),
        "request:1 data:1:9"
    );
    let mut with_length = connect.clone();
    with_length.push(("content-length", "5"));
    assert_eq!(
        fault(&with_length),
        Some(RequestFault::Head(HeadError::ConnectWithBody))
    );
    with_length[2].1 = "0";
    assert_eq!(fault(&with_length), None);
}

#[test]
fn rfc_8441_4_extended_connect() {
    let all = fields(&[
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-version", "13"),
    ]);
    let request = request(SETTINGS_USED, 0, &all);
    let (head, text) = (&request.head, &request.text);
    assert_eq!(request.fault, None);
    assert_eq!(
        (head.method.of(text), head.method_kind),
        (&b"GET"[..], MethodKind::Get)
    );
    assert_eq!(
        head.upgrade.map(|upgrade| upgrade.of(text)),
        Some(&b"websocket"[..])
    );
    assert_eq!(request.protocol, head.upgrade);
    assert!(!head.is_connect && head.framing == BodyFraming::None);
    assert_eq!(head.header_values(text, "sec-websocket-key").count(), 0);
    assert_eq!(head.header_values(text, "sec-websocket-version").count(), 1);
    let start = RequestStart {
        method: b"CONNECT",
        scheme: b"https",
        authority: b"a.test",
        path: b"/chat",
        protocol: Some(b"websocket"),
    };
    let mut client = Tested::client();
    assert!(client.connection.takes_extended_connect());
    assert_eq!(client.connection.send_request(&start, [], false), Ok(3));
    let answer = headers(3, 0, &[(":status", "200"), ("content-length", "5")]);
    assert_eq!(
        client.seen(&[answer, data(3, 0, 10)].concat()),
        "response:3:101 data:3:10"
    );
    client.connection.peer.takes_extended_connect = false;
    let sent = client.connection.send_request(&start, [], false);
    assert_eq!(sent, Err(SendFault::NoExtendedConnect));
}

#[test]
fn rfc_9113_8_1_1_content_is_as_long_as_declared() {
    let with_length = |length: &'static str| {
        let mut all = POST.to_vec();
        all.push(("content-length", length));
        headers(1, 0, &all)
    };
    for (length, frames, expected) in [
        ("4", data(1, END_STREAM, 4), "request:1 data:1:4."),
        ("1", data(1, END_STREAM, 4), "request:1 fault:1:Length"),
        ("10", data(1, END_STREAM, 4), "request:1 fault:1:Length"),
        ("10", data(1, 0, 4), "request:1 data:1:4"),
        (
            "3",
            [data(1, 0, 2), data(1, END_STREAM, 2)].concat(),
            "request:1 data:1:2 fault:1:Length",
        ),
        (
            "3",
            [data(1, 0, 2), data(1, END_STREAM, 0)].concat(),
            "request:1 data:1:2 fault:1:Length",
        ),
        (
            "3",
            [data(1, 0, 2), headers(1, END_STREAM, &[("a", "b")])].concat(),
            "request:1 data:1:2 fault:1:Length",
        ),
        (
            "2",
            [data(1, 0, 2), headers(1, END_STREAM, &[("a", "b")])].concat(),
            "request:1 data:1:2 trailers:1",
        ),
    ] {
        let mut tested = Tested::server();
        assert_eq!(
            tested.seen(&[with_length(length), frames].concat()),
            expected
        );
    }
}

#[test]
fn rfc_9113_8_1_trailers() {
    for (flags, fields, expected) in [
        (END_STREAM, &[("x", "y")][..], "trailers:1"),
        (0, &[("x", "y")], "fault:1:TrailersWithoutEnd"),
        (
            END_STREAM,
            &[(":method", "GET")],
            "fault:1:PseudoInTrailers",
        ),
        (
            END_STREAM,
            &[("x", "y"), (":status", "200")],
            "fault:1:PseudoInTrailers",
        ),
        (END_STREAM, &[("X", "y")], "fault:1:FieldName"),
        (
            END_STREAM,
            &[("connection", "close")],
            "fault:1:ConnectionField",
        ),
    ] {
        for before in [Vec::new(), data(1, 0, 4)] {
            let mut tested = Tested::server();
            tested.seen(&[headers(1, 0, &POST), before].concat());
            assert_eq!(tested.seen(&headers(1, flags, fields)), expected);
        }
    }
    let mut tested = Tested::server();
    tested.seen(&headers(1, 0, &POST));
    let bytes = headers(1, END_STREAM, &[("x-sum", " 5 "), ("y", "z")]);
    let mut input = &bytes[..];
    let Ok(Some(Event::Trailers { trailers, .. })) = tested.connection.receive(&mut input, now())
    else {
        panic!("no trailers");
    };
    assert_eq!(trailers.text, b"x-sum: 5\r\ny: z\r\n");
    assert_eq!(trailers.fields[1].value.of(&trailers.text), b"z");
}

type Case<'c> = (u8, &'c [(&'c str, &'c str)], &'c str);

const RESPONSES: &[Case<'_>] = &[
    (END_STREAM, &[(":status", "200")], "response:1:200."),
    (
        END_STREAM,
        &[(":status", "200"), ("x", " a ")],
        "response:1:200.",
    ),
    (END_STREAM, &[("x", "y")], "fault:1:Status"),
    (END_STREAM, &[(":status", "20")], "fault:1:Status"),
    (END_STREAM, &[(":status", "2000")], "fault:1:Status"),
    (END_STREAM, &[(":status", "099")], "fault:1:Status"),
    (END_STREAM, &[(":status", "20x")], "fault:1:Status"),
    (
        END_STREAM,
        &[(":status", "200"), (":status", "200")],
        "fault:1:Pseudo",
    ),
    (
        END_STREAM,
        &[("x", "y"), (":status", "200")],
        "fault:1:Pseudo",
    ),
    (
        END_STREAM,
        &[(":status", "200"), (":path", "/")],
        "fault:1:Pseudo",
    ),
    (
        END_STREAM,
        &[(":status", "200"), (":test", "x")],
        "fault:1:Pseudo",
    ),
    (END_STREAM, &[(":status", "101")], "fault:1:Interim"),
    (0, &[(":status", "101")], "fault:1:Interim"),
    (END_STREAM, &[(":status", "103")], "fault:1:Interim"),
    (0, &[(":status", "103")], "interim:1:103"),
    (
        0,
        &[(":status", "103"), (":scheme", "http")],
        "fault:1:Pseudo",
    ),
    (
        END_STREAM,
        &[(":status", "200"), ("connection", "close")],
        "fault:1:ConnectionField",
    ),
    (
        END_STREAM,
        &[(":status", "200"), ("x", "a\r\nb: c")],
        "fault:1:FieldValue",
    ),
    (
        0,
        &[
            (":status", "200"),
            ("content-length", "1"),
            ("content-length", "2"),
        ],
        "fault:1:ContentLength",
    ),
    (
        0,
        &[
            (":status", "200"),
            ("content-length", "1"),
            ("content-length", "1"),
        ],
        "response:1:200",
    ),
    (
        END_STREAM,
        &[(":status", "200"), ("content-length", "9")],
        "fault:1:Length",
    ),
    (
        END_STREAM,
        &[(":status", "204"), ("content-length", "9")],
        "response:1:204.",
    ),
    (
        END_STREAM,
        &[(":status", "304"), ("content-length", "9")],
        "response:1:304.",
    ),
];

#[test]
fn rfc_9113_8_3_2_responses() {
    for (flags, fields, expected) in RESPONSES {
        let mut tested = Tested::client();
        assert_eq!(
            tested.seen(&headers(1, *flags, fields)),
            *expected,
            "{fields:?}"
        );
    }
    let mut tested = Tested::client();
    assert_eq!(
        tested.seen(&data(1, END_STREAM, 1)),
        "fault:1:ContentBeforeHead"
    );
    // Interim responses, then the final one.
    let mut tested = Tested::client();
    let interim = headers(1, 0, &[(":status", "103")]);
    let last = headers(1, 0, &[(":status", "200"), ("content-length", "4")]);
    let all = [interim.clone(), interim, last, data(1, END_STREAM, 4)].concat();
    assert_eq!(
        tested.seen(&all),
        "interim:1:103 interim:1:103 response:1:200 data:1:4."
    );
}

#[test]
fn rfc_9113_8_1_1_responses_that_have_no_content() {
    let mut tested = Tested::client();
    let stream = tested.request("HEAD");
    let head = headers(
        stream,
        END_STREAM,
        &[(":status", "200"), ("content-length", "9")],
    );
    assert_eq!(tested.seen(&head), "response:3:200.");
    let stream = tested.request("HEAD");
    let head = headers(stream, 0, &[(":status", "200"), ("content-length", "9")]);
    assert_eq!(
        tested.seen(&[head, data(5, 0, 0), data(5, END_STREAM, 1)].concat()),
        "response:5:200 fault:5:Length"
    );
    let no_content = headers(1, 0, &[(":status", "204")]);
    assert_eq!(
        tested.seen(&[no_content, data(1, 0, 1)].concat()),
        "response:1:204 fault:1:Length"
    );
    // A tunnel has content of any length.
    let stream = tested.request("CONNECT");
    let head = headers(stream, 0, &[(":status", "200"), ("content-length", "1")]);
    assert_eq!(
        tested.seen(&[head, data(7, 0, 5)].concat()),
        "response:7:200 data:7:5"
    );
}

#[test]
fn a_response_is_read_as_its_like_in_http1() {
    let mut tested = Tested::client();
    let bytes = headers(
        1,
        0,
        &[
            (":status", "404"),
            ("x", " a "),
            ("content-length", "5"),
            ("set-cookie", "a"),
            ("set-cookie", "b"),
        ],
    );
    let mut input = &bytes[..];
    let Ok(Some(Event::Response { response, .. })) = tested.connection.receive(&mut input, now())
    else {
        panic!("no response");
    };
    let (head, text) = (&response.head, &response.text);
    assert_eq!((head.status, head.version), (404, Version::Http2));
    assert_eq!(
        (head.framing, head.content_length),
        (BodyFraming::Length(5), Some(5))
    );
    assert!(head.tolerated.blank_before_colon && head.keep_alive);
    assert_eq!(head.header_values(text, "x").collect::<Vec<_>>(), [b"a"]);
    assert_eq!(head.header_values(text, "set-cookie").count(), 2);
    assert!(text.ends_with(b"x: a\r\ncontent-length: 5\r\nset-cookie: a\r\nset-cookie: b\r\n\r\n"));
    assert_eq!(head.head_bytes, text.len());
}

#[test]
fn rfc_7541_6_2_3_what_is_never_indexed_is_told() {
    let mut tested = Tested::server();
    let payload = [&block(&GET)[..], b"\x10\x01x\x01y\x00\x01z\x01w"].concat();
    let bytes = frame(HEADERS, END_HEADERS | END_STREAM, 1, &payload);
    let mut input = &bytes[..];
    let Ok(Some(Event::Request { request, .. })) = tested.connection.receive(&mut input, now())
    else {
        panic!("no request");
    };
    let marks: Vec<_> = request
        .head
        .headers
        .iter()
        .map(|field| field.never_indexed)
        .collect();
    assert_eq!(marks, [true, false, false]);
}

#[test]
fn fields_of_a_connection_are_not_sent() {
    let mut client = Connection::client(SETTINGS_USED);
    let mut server = Connection::server(SETTINGS_USED);
    let field = |name: &'static str, value: &'static str| SendField {
        name: name.as_bytes(),
        value: value.as_bytes(),
        never_indexed: false,
    };
    let fields = [
        field("Host", "b.test"),
        field("Connection", "close"),
        field("Keep-Alive", "1"),
        field("Proxy-Connection", "x"),
        field("Transfer-Encoding", "chunked"),
        field("Upgrade", "x"),
        field("HTTP2-Settings", "x"),
        field("TE", "gzip"),
        field("X-Mixed-Case", "Value"),
        field("TE", "trailers"),
    ];
    let start = RequestStart {
        method: b"GET",
        scheme: b"https",
        authority: b"a.test",
        path: b"/",
        protocol: None,
    };
    client.send_request(&start, fields, true).unwrap();
    let mut out = Vec::new();
    client.transmit(&mut out);
    let mut input = &out[..];
    assert!(matches!(
        server.receive(&mut input, now()),
        Ok(Some(Event::Settings))
    ));
    let event = server.receive(&mut input, now());
    let Ok(Some(Event::Request { request, .. })) = event else {
        panic!("{event:?}");
    };
    let names: Vec<_> = request
        .head
        .headers
        .iter()
        .map(|field| field.name.of(&request.text))
        .collect();
    let expected: [&[u8]; 3] = [b"x-mixed-case", b"te", b"host"];
    assert_eq!(names, expected);
}

#[test]
fn heads_that_are_larger_than_a_frame_are_cut() {
    let mut server = Tested::server();
    server.seen(&get(1));
    let value = vec![b'\x01'; 15_000];
    let fields = [SendField {
        name: b"x",
        value: &value,
        never_indexed: false,
    }; 3];
    server
        .connection
        .send_response(1, 200, fields, true)
        .unwrap();
    assert_eq!(server.sent(), "headers:1. continuation:1 continuation:1");
}
