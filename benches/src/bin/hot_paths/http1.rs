//! Heads of HTTP/1: read, and written as they are forwarded.

use std::hint::black_box;

use sallyport_wire::http1::{
    BodyFraming, HeadLimits, HeaderEdits, MethodKind, Parse, RequestForward, RequestHead,
    RequestTarget, ResponseForward, ResponseHead, Version, encode_request, encode_response,
};

use crate::Step;

const REQUEST: &[u8] = b"GET http://www.example.com/assets/app.js?v=20260601 HTTP/1.1\r\n\
    Host: www.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: */*\r\n\
    Accept-Language: en-US,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Referer: http://www.example.com/\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\
    Proxy-Connection: keep-alive\r\n\
    Cache-Control: no-cache\r\n\
    \r\n";

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Date: Mon, 01 Jun 2026 00:00:00 GMT\r\n\
    Server: nginx\r\n\
    Content-Type: text/html; charset=utf-8\r\n\
    Content-Length: 5120\r\n\
    Connection: keep-alive\r\n\
    Vary: Accept-Encoding\r\n\
    Cache-Control: max-age=3600, public\r\n\
    ETag: \"5f3e-60a1b2c3d4e5f\"\r\n\
    Set-Cookie: id=a3fWa; Path=/; Secure; HttpOnly\r\n\
    \r\n";

const LIMITS: HeadLimits = HeadLimits {
    head_bytes_max: 64 * 1024,
    headers_max: 100,
    uri_bytes_max: 16 * 1024,
};

/// A head with nine fields.
pub(crate) fn request_head() -> Step {
    let mut head = RequestHead::new();
    Box::new(move |_| {
        let parsed = head.parse(black_box(REQUEST), &LIMITS);
        assert!(matches!(parsed, Ok(Parse::Complete { .. })));
    })
}

/// A target of each form that clients send.
pub(crate) fn request_target() -> Step {
    const TARGETS: [(MethodKind, &[u8]); 3] = [
        (
            MethodKind::Get,
            b"http://www.example.com/assets/app.js?v=20260601",
        ),
        (MethodKind::Get, b"/assets/app.js?v=20260601"),
        (MethodKind::Connect, b"www.example.com:443"),
    ];
    Box::new(|_| {
        for (method, target) in TARGETS {
            let parsed = RequestTarget::parse(method, black_box(target));
            assert!(black_box(parsed).is_ok());
        }
    })
}

/// The head of [`request_head`] on its way to the origin.
pub(crate) fn request_forwarded() -> Step {
    let mut head = RequestHead::new();
    let parsed = head.parse(REQUEST, &LIMITS);
    assert!(matches!(parsed, Ok(Parse::Complete { .. })));
    let (edits, mut out) = (HeaderEdits::default(), Vec::new());
    Box::new(move |_| {
        out.clear();
        let request = RequestForward {
            head: &head,
            buf: REQUEST,
            path_and_query: b"/assets/app.js?v=20260601",
            authority: b"www.example.com",
            via: b"sallyport",
            framing: BodyFraming::None,
            upgrade: false,
            websocket_key: None,
            edits: &edits,
        };
        encode_request(&mut out, black_box(&request));
        black_box(&out);
    })
}

/// A head with nine fields.
pub(crate) fn response_head() -> Step {
    let mut head = ResponseHead::new();
    Box::new(move |_| {
        let parsed = head.parse(black_box(RESPONSE), &LIMITS, MethodKind::Get);
        assert!(matches!(parsed, Ok(Parse::Complete { .. })));
    })
}

/// The head of [`response_head`] on its way to the client.
pub(crate) fn response_forwarded() -> Step {
    let mut head = ResponseHead::new();
    let parsed = head.parse(RESPONSE, &LIMITS, MethodKind::Get);
    assert!(matches!(parsed, Ok(Parse::Complete { .. })));
    let (edits, mut out) = (HeaderEdits::default(), Vec::new());
    Box::new(move |_| {
        out.clear();
        let response = ResponseForward {
            head: &head,
            buf: RESPONSE,
            via: b"sallyport",
            framing: BodyFraming::Length(5120),
            close: false,
            client_version: Version::Http11,
            upgrade: false,
            websocket_accept: None,
            session_auth: false,
            date: None,
            edits: &edits,
        };
        encode_response(&mut out, black_box(&response));
        black_box(&out);
    })
}
