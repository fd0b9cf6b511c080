//! Heads against the tables in `data/`, cut at every byte, and at the limits.
#![cfg(test)]

use proptest::prelude::*;
use sallyport_wire::http1::{
    BodyFraming, HeadError, HeadLimits, HeaderName, Leniency, MethodKind, Parse, RequestHead,
    ResponseHead, Version,
};

const REQUESTS: &str = include_str!("data/request_heads.txt");
const RESPONSES: &str = include_str!("data/response_heads.txt");

#[test]
fn request_heads_of_the_table() {
    for (expected, bytes) in cases(REQUESTS) {
        let parse = |buf: &[u8]| {
            let mut head = RequestHead::new();
            let parsed = head.parse(buf, &HeadLimits::default())?;
            Ok((parsed, describe(head.framing)))
        };
        check(expected, &bytes, parse);
    }
}

#[test]
fn response_heads_of_the_table() {
    for (expected, bytes) in cases(RESPONSES) {
        let (method, expected) = expected.split_once(' ').expect("a method");
        let method = MethodKind::classify(method.as_bytes());
        let parse = |buf: &[u8]| {
            let mut head = ResponseHead::new();
            let parsed = head.parse(buf, &HeadLimits::default(), method)?;
            Ok((parsed, describe(head.framing)))
        };
        check(expected, &bytes, parse);
    }
}

/// The whole input gives what is expected, and so does every beginning of it
/// once it suffices; what does not suffice is incomplete.
fn check(
    expected: &str,
    bytes: &[u8],
    parse: impl Fn(&[u8]) -> Result<(Parse, String), HeadError>,
) {
    let shown = bytes.escape_ascii();
    let whole = parse(bytes);
    let found = match &whole {
        Ok((Parse::Complete { .. }, framing)) => format!("ok {framing}"),
        Ok((Parse::Incomplete, _)) => "incomplete".to_owned(),
        Err(error) => format!("{} {}", error.status(), error.reason()),
    };
    assert_eq!(found, expected, "{shown}");
    let mut decided = false;
    for end in 0..=bytes.len() {
        match parse(&bytes[..end]) {
            Ok((Parse::Incomplete, _)) => assert!(!decided, "{shown} cut at {end}"),
            other => {
                decided = true;
                assert_eq!(other, whole, "{shown} cut at {end}");
            }
        }
    }
    assert!(decided);
}

fn describe(framing: BodyFraming) -> String {
    match framing {
        BodyFraming::None => "none".to_owned(),
        BodyFraming::Length(bytes) => format!("length {bytes}"),
        BodyFraming::Chunked => "chunked".to_owned(),
        BodyFraming::UntilClose => "until-close".to_owned(),
    }
}

fn cases(table: &str) -> impl Iterator<Item = (&str, Vec<u8>)> {
    let lines = table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| {
        let (expected, bytes) = line.split_once(":: ").expect("two columns");
        (expected.trim_end(), unescape(bytes))
    })
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next().expect("an escape") {
                b'r' => b'\r',
                b'n' => b'\n',
                b't' => b'\t',
                b'0' => 0,
                b'\\' => b'\\',
                b'x' => {
                    let digits = [rest.next().expect("a digit"), rest.next().expect("a digit")];
                    let digits = std::str::from_utf8(&digits).expect("digits");
                    u8::from_str_radix(digits, 16).expect("hexadecimal")
                }
                other => panic!("unknown escape {}", char::from(other)),
            },
            byte => byte,
        });
    }
    bytes
}

fn parsed_request(text: &str) -> RequestHead {
    let mut head = RequestHead::new();
    let parsed = head.parse(text.as_bytes(), &HeadLimits::default());
    assert_eq!(
        parsed,
        Ok(Parse::Complete {
            head_bytes: text.len()
        }),
        "{text:?}"
    );
    head
}

#[test]
fn what_a_request_says_about_its_connection() {
    let keep_alive = |line: &str, fields: &str| {
        parsed_request(&format!("GET / {line}\r\nHost: a\r\n{fields}\r\n")).keep_alive
    };
    assert!(keep_alive("HTTP/1.1", ""));
    assert!(keep_alive("HTTP/1.1", "Connection: keep-alive\r\n"));
    assert!(!keep_alive("HTTP/1.1", "Connection: Close\r\n"));
    assert!(!keep_alive(
        "HTTP/1.1",
        "Connection: x, close\r\nConnection: keep-alive\r\n"
    ));
    assert!(!keep_alive("HTTP/1.1", "Proxy-Connection: close\r\n"));
    assert!(!keep_alive("HTTP/1.0", ""));
    assert!(!keep_alive("HTTP/1.0", "Connection: keep-alive\r\n"));

    let text = "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
                Connection: keep-alive, Upgrade\r\nExpect: 100-Continue\r\nTE: gzip, trailers\r\n\r\n";
    let head = parsed_request(text);
    assert_eq!(
        head.upgrade.map(|span| span.of(text.as_bytes())),
        Some(&b"websocket"[..])
    );
    assert!(head.expect_continue && head.te_trailers);
    let text = "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(
        parsed_request(text).upgrade,
        None,
        "Connection does not list it"
    );
    for (length, upgrade) in [(0, true), (1, false)] {
        let text = format!(
            "POST / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade\r\nContent-Length: {length}\r\n\r\n"
        );
        assert_eq!(
            parsed_request(&text).upgrade.is_some(),
            upgrade,
            "content first"
        );
    }
    let text =
        "GET / HTTP/1.0\r\nUpgrade: x\r\nConnection: upgrade\r\nExpect: 100-continue\r\n\r\n";
    let head = parsed_request(text);
    assert_eq!(
        (head.upgrade, head.expect_continue),
        (None, false),
        "HTTP/1.0 has neither"
    );
    assert_eq!(head.version, Version::Http10);
}

#[test]
fn fields_are_found_by_name_and_marked_when_connection_names_them() {
    let text = "GET /p HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-a: 2\r\nX-B: 3\r\nVia: 1.1 z\r\n\
                Connection: X-A, via, host\r\nUser-Agent: t\r\n\r\n";
    let head = parsed_request(text);
    let buf = text.as_bytes();
    assert_eq!(head.header_values(buf, "x-b").collect::<Vec<_>>(), [b"3"]);
    assert_eq!(head.header_values(buf, "X-a").count(), 0, "named");
    assert_eq!(head.header_values(buf, "none").count(), 0);
    assert_eq!(
        head.end_to_end(HeaderName::UserAgent)
            .next()
            .map(|s| s.of(buf)),
        Some(&b"t"[..])
    );
    assert_eq!(head.method.of(buf), b"GET");
    assert_eq!(head.target.of(buf), b"/p");
    let marked: Vec<_> = head
        .headers
        .iter()
        .filter(|f| f.hop_by_hop)
        .map(|f| f.name.of(buf))
        .collect();
    assert_eq!(marked, [&b"X-A"[..], b"x-a", b"Connection"]);

    let many = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: {}\r\n\r\n",
        "a,".repeat(33)
    );
    let refused = RequestHead::new().parse(many.as_bytes(), &HeadLimits::default());
    assert_eq!(refused, Err(HeadError::ConnectionOptions));
}

#[test]
fn a_response_tells_whether_its_connection_can_be_used_again() {
    let keep_alive = |text: &str| {
        let mut head = ResponseHead::new();
        let parsed = head.parse(text.as_bytes(), &HeadLimits::default(), MethodKind::Get);
        assert!(matches!(parsed, Ok(Parse::Complete { .. })), "{text:?}");
        head.keep_alive
    };
    assert!(keep_alive("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    assert!(keep_alive(
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"
    ));
    assert!(keep_alive("HTTP/1.1 204 No Content\r\n\r\n"));
    assert!(keep_alive(
        "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n"
    ));
    assert!(!keep_alive("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"));
    assert!(!keep_alive("HTTP/1.1 200 OK\r\n\r\n"));
    assert!(!keep_alive(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    ));
    assert!(!keep_alive(
        "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"
    ));
    assert!(!keep_alive(
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"
    ));
}

/// Only what was asked for is let pass, and what was met is noted.
#[test]
fn responses_are_read_as_leniently_as_is_asked() {
    let none = Leniency::default();
    let bare_lf = Leniency {
        bare_lf: true,
        ..none
    };
    let both = Leniency {
        length_with_coding: true,
        ..none
    };
    let check = |text: &str, leniency, expected: Result<(&str, &[&str]), HeadError>| {
        let mut head = ResponseHead::new();
        let limits = HeadLimits::default();
        let get = MethodKind::Get;
        let parsed = head.parse_leniently(text.as_bytes(), &limits, get, leniency);
        let found = parsed.map(|_| describe(head.framing));
        let words: Vec<_> = head.tolerated.words().collect();
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!((&*found, &*words), expected, "{text:?}"),
            (found, expected) => assert_eq!(found.err(), expected.err(), "{text:?}"),
        }
        head
    };
    let lf = "HTTP/1.1 200 OK\nContent-Length: 5\n\n";
    check(lf, none, Err(HeadError::LineEnding));
    check(lf, both, Err(HeadError::LineEnding));
    let is_lf: &[&str] = &["lines that end in LF"];
    check(lf, bare_lf, Ok(("length 5", is_lf)));
    for text in [
        "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 200 OK\r\n\n",
        "HTTP/1.1 200 OK\nX: y\r\n\r\n",
    ] {
        check(text, bare_lf, Ok(("until-close", is_lf)));
    }
    check(
        "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
        bare_lf,
        Err(HeadError::HeaderValue),
    );
    check(
        "HTTP/1.1 200 OK\nX: a\n b\n\n",
        bare_lf,
        Err(HeadError::HeaderName),
    );

    let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
    check(text, none, Err(HeadError::TransferEncodingWithLength));
    check(text, bare_lf, Err(HeadError::TransferEncodingWithLength));
    let head = check(
        text,
        both,
        Ok(("chunked", &["Transfer-Encoding with Content-Length"])),
    );
    assert_eq!((head.keep_alive, head.content_length), (false, None));
    let gzip = text.replace("chunked", "gzip, chunked");
    check(&gzip, both, Err(HeadError::TransferEncodingUnsupported));
    let old = text.replace("HTTP/1.1", "HTTP/1.0");
    check(&old, both, Err(HeadError::TransferEncodingHttp10));
    let differing = text.replace(": 5", ": 5\r\nContent-Length: 6");
    check(&differing, both, Err(HeadError::ContentLengthRepeated));
}

/// What was noted of one head does not stay for the next.
#[test]
fn each_response_is_noted_on_its_own() {
    let lf = "HTTP/1.1 200 OK\nContent-Length: 5\n\n";
    let plain = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let leniency = Leniency {
        bare_lf: true,
        ..Leniency::default()
    };
    let mut head = ResponseHead::new();
    for (text, count) in [(lf, 1), (plain, 0)] {
        let limits = HeadLimits::default();
        let get = MethodKind::Get;
        head.parse_leniently(text.as_bytes(), &limits, get, leniency)
            .unwrap();
        assert_eq!(head.tolerated.words().count(), count);
    }
}

/// Each limit, one byte within and one beyond, in one read and in many.
#[test]
fn limits_hold_to_the_byte() {
    let limits = HeadLimits {
        head_bytes_max: 1000,
        headers_max: 5,
        uri_bytes_max: 100,
    };
    let judge = |text: &str| {
        let bytes = text.as_bytes();
        let whole = RequestHead::new().parse(bytes, &limits);
        let first = (0..=bytes.len())
            .map(|end| RequestHead::new().parse(&bytes[..end], &limits))
            .find(|parsed| *parsed != Ok(Parse::Incomplete));
        assert_eq!(first.unwrap_or(Ok(Parse::Incomplete)), whole, "{text:?}");
        whole
    };
    let with_target =
        |len: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(len - 1));
    assert!(judge(&with_target(100)).is_ok());
    assert_eq!(judge(&with_target(101)), Err(HeadError::UriTooLong));
    assert_eq!(judge(&with_target(5000)), Err(HeadError::UriTooLong));
    assert_eq!(
        judge(&format!("GET /{}", "a".repeat(300))),
        Err(HeadError::UriTooLong)
    );

    let with_method = |len| format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", "M".repeat(len));
    assert!(judge(&with_method(48)).is_ok());
    for len in [49, 161, 100_000] {
        assert_eq!(judge(&with_method(len)), Err(HeadError::MethodTooLong));
    }

    let with_fields = |n| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(n));
    assert!(judge(&with_fields(4)).is_ok());
    assert_eq!(judge(&with_fields(5)), Err(HeadError::TooManyHeaders));

    let with_head = |len: usize| {
        let fixed = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
            "y".repeat(len - fixed)
        )
    };
    assert!(judge(&with_head(1000)).is_ok());
    assert_eq!(judge(&with_head(1001)), Err(HeadError::HeadTooLarge));
    assert_eq!(judge(&with_head(100_000)), Err(HeadError::HeadTooLarge));
    assert_eq!(HeadError::HeadTooLarge.status(), 431);
    assert_eq!(HeadError::TooManyHeaders.status(), 431);
    assert_eq!(HeadError::UriTooLong.status(), 414);
    assert_eq!(HeadError::MethodTooLong.status(), 501);

    let response = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(1000));
    let refused = ResponseHead::new().parse(response.as_bytes(), &limits, MethodKind::Get);
    assert_eq!(refused, Err(HeadError::HeadTooLarge));
}

/// What never brings a line end is refused at the limit all the same.
#[test]
fn waiting_for_a_line_ends_at_the_limits() {
    let limits = HeadLimits {
        head_bytes_max: 1000,
        headers_max: 5,
        uri_bytes_max: 100,
    };
    let outcome = |start: &str| {
        let mut buf = start.as_bytes().to_vec();
        let mut head = RequestHead::new();
        while buf.len() < 2000 {
            let seen = buf.len();
            buf.push(b'y');
            match head.parse_after(seen, &buf, &limits) {
                Ok(Parse::Incomplete) => {}
                other => return (other, buf.len()),
            }
        }
        (Ok(Parse::Incomplete), buf.len())
    };
    assert_eq!(outcome("GET /"), (Err(HeadError::UriTooLong), 160));
    let in_fields = outcome("GET / HTTP/1.1\r\nHost: a\r\nX: ");
    assert_eq!(in_fields, (Err(HeadError::HeadTooLarge), 1000));
}

/// No more than 128 field lines, even when the configuration asks for more.
/// What the tokenizer refuses behind a version that it knows is not read again as another version.
#[test]
fn a_known_version_before_the_wrong_byte() {
    let limits = HeadLimits::default();
    for head in [
        "HTTP/1.1\r\n\r\n",
        "HTTP/1.1\n\n",
        "HTTP/1.0\r\nA: b\r\n\r\n",
    ] {
        let parsed = ResponseHead::new().parse(head.as_bytes(), &limits, MethodKind::Get);
        assert!(parsed.is_err(), "{head:?}: {parsed:?}");
    }
    for head in [
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r \r\n\r\n",
    ] {
        let parsed = RequestHead::new().parse(head.as_bytes(), &limits);
        assert!(parsed.is_err(), "{head:?}: {parsed:?}");
    }
}

#[test]
fn the_tables_capacity_is_a_limit_too() {
    let limits = HeadLimits {
        headers_max: 10_000,
        ..HeadLimits::default()
    };
    let with_fields = |n| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(n));
    assert!(
        RequestHead::new()
            .parse(with_fields(255).as_bytes(), &limits)
            .is_ok()
    );
    let refused = RequestHead::new().parse(with_fields(256).as_bytes(), &limits);
    assert_eq!(refused, Err(HeadError::TooManyHeaders));
}

proptest! {
    /// Mutated heads: cuts do not change the outcome, a reused head parses as a
    /// fresh one, and `parse_after` ends where `parse` does.
    #[test]
    fn cuts_and_reuse_change_nothing(
        case in 0..1000usize,
        edits in prop::collection::vec((0..200usize, any::<u8>()), 0..3),
        cuts in prop::collection::vec(0..200usize, 0..6),
    ) {
        let table: Vec<_> = cases(REQUESTS).map(|(_, bytes)| bytes).collect();
        let mut bytes = table[case % table.len()].clone();
        for (at, byte) in edits {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let limits = HeadLimits::default();
        let mut fresh = RequestHead::new();
        let whole = fresh.parse(&bytes, &limits);

        let mut ends: Vec<_> = cuts.into_iter().map(|cut| cut % bytes.len()).collect();
        ends.push(bytes.len());
        ends.sort_unstable();
        let mut reused = parsed_request("PUT /x HTTP/1.1\r\nHost: b\r\nTE: trailers\r\nContent-Length: 9\r\n\r\n");
        let mut cut = Ok(Parse::Incomplete);
        for end in &ends {
            cut = reused.parse(&bytes[..*end], &limits);
            if cut != Ok(Parse::Incomplete) { break; }
        }
        prop_assert_eq!(cut, whole);
        if let Ok(Parse::Complete { .. }) = whole {
            prop_assert_eq!(format!("{reused:?}"), format!("{fresh:?}"));
        }

        let mut seen = 0;
        let mut after = Ok(Parse::Incomplete);
        for end in ends {
            after = reused.parse_after(seen, &bytes[..end], &limits);
            if after != Ok(Parse::Incomplete) { break; }
            seen = end;
        }
        // It may wait for a line end before it says no, never before it says yes.
        prop_assert!(after == whole || (whole.is_err() && after == Ok(Parse::Incomplete)));
    }

    #[test]
    fn no_bytes_make_the_parsers_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = RequestHead::new().parse(&bytes, &HeadLimits::default());
        let _ = ResponseHead::new().parse(&bytes, &HeadLimits::default(), MethodKind::Get);
    }
}
