//! Heads of HTTP/2 as the text of HTTP/1.1 ones (RFC 9113 section 8.3); `messages` is the way back.
//!
//! A request that came in a stream becomes the text that an HTTP/1.1 client would have sent, and is
//! then parsed, judged, logged and encoded as that: there is one code for every check. What the
//! `h2` crate has refused before (RFC 9113 section 8.2: upper-case names, fields of one connection,
//! misplaced pseudo-header fields, a body of another length than declared) does not get here.
//! Called by `incoming` and `stream`; does no I/O.

use h2::ext::Protocol;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, StatusCode, request, response};
use sallyport_wire::http1::{Authority, Scheme, connect_host_matches, host_matches};
use thiserror::Error;

use super::websocket;

/// What the text of a head says of the content behind it, which is never framed in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// There are none.
    Nothing,
    /// As many as `Content-Length` says.
    Length,
    Chunked,
    /// A tunnel: as they are, until one side ends it.
    Raw,
}

/// A head as text.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) bytes: Vec<u8>,
    pub(super) coding: Coding,
}

impl Text {
    /// Nothing of the head; content as it is.
    pub(super) const fn headless() -> Self {
        Self {
            bytes: Vec::new(),
            coding: Coding::Raw,
        }
    }
}

/// What a request was, as far as reading its response depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// A request with a response whose content may be read.
    Plain,
    /// HEAD: the response has no content whatever it declares.
    Head,
    /// CONNECT: after a 2xx the stream is a tunnel.
    Tunnel,
    /// Extended CONNECT (RFC 8441); the key is the one of the HTTP/1.1 side.
    WebSocket { key: Vec<u8> },
}

/// Where the requests of a connection go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TargetForm {
    /// To the origin that the client means to speak to, with this scheme.
    Origin(Scheme),
    /// To whatever the target says: the client speaks to a proxy.
    Absolute,
}

/// A message that is well-formed for the codec and not for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum HeadFault {
    #[error("a field value begins or ends with whitespace")]
    Whitespace,
    #[error("content-length is repeated")]
    LengthRepeated,
    #[error(":authority is missing")]
    AuthorityMissing,
    #[error("host differs from :authority")]
    HostDiffers,
    #[error(":authority holds user information")]
    UserInformation,
    #[error(":scheme is not the one of the connection")]
    Scheme,
    #[error(":path is neither an absolute path nor the asterisk of OPTIONS")]
    Path,
    #[error(":path has a fragment")]
    Fragment,
    #[error("an extended CONNECT for another protocol than websocket")]
    Protocol,
    #[error("not a head that HTTP/2 can carry")]
    NotCarried,
    #[error("the origin did not accept the WebSocket key")]
    WebSocketAccept,
}

/// The text of a request, and what to remember of it.
pub(super) fn request_text(
    parts: &request::Parts,
    ends: bool,
    form: TargetForm,
) -> Result<(Text, Asked), HeadFault> {
    check_values(&parts.headers)?;
    check_length(&parts.headers, |_, _| false)?;
    let asked = asked(parts)?;
    let authority = authority(parts, &asked, form)?;
    let mut out = Vec::with_capacity(256);
    match asked {
        Asked::Tunnel => {
            out.extend_from_slice(b"CONNECT ");
            out.extend_from_slice(authority);
        }
        _ => write_target(&mut out, parts, &asked, authority, form)?,
    }
    out.extend_from_slice(b" HTTP/1.1\r\nHost: ");
    out.extend_from_slice(authority);
    out.extend_from_slice(b"\r\n");
    let is_websocket = matches!(asked, Asked::WebSocket { .. });
    write_fields(&mut out, &parts.headers, |name| {
        *name != header::HOST
            && *name != header::COOKIE
            && *name != header::CONTENT_LENGTH
            && !(is_websocket && *name == header::SEC_WEBSOCKET_KEY)
    });
    write_cookies(&mut out, &parts.headers);
    let coding = match &asked {
        Asked::Tunnel => Coding::Raw,
        Asked::WebSocket { key } => {
            out.extend_from_slice(b"Connection: upgrade\r\nUpgrade: websocket\r\n");
            write_field(&mut out, b"Sec-WebSocket-Key", key);
            Coding::Raw
        }
        _ => write_framing(&mut out, &parts.headers, ends),
    };
    if coding == Coding::Nothing && expects_content(parts) {
        out.extend_from_slice(b"Content-Length: 0\r\n");
    }
    out.extend_from_slice(b"\r\n");
    Ok((Text { bytes: out, coding }, asked))
}

fn asked(parts: &request::Parts) -> Result<Asked, HeadFault> {
    let protocol = parts.extensions.get::<Protocol>().map(Protocol::as_str);
    Ok(match (&parts.method, protocol) {
        (&Method::CONNECT, Some("websocket")) => Asked::WebSocket {
            key: websocket::new_key(),
        },
        (&Method::CONNECT, Some(_)) => return Err(HeadFault::Protocol),
        (&Method::CONNECT, None) => Asked::Tunnel,
        (&Method::HEAD, _) => Asked::Head,
        _ => Asked::Plain,
    })
}

/// RFC 9110 section 8.6: a method whose requests have content says so when there is none, or servers of
/// HTTP/1.1 ask for a length (411). In HTTP/2 the end of the stream says it.
fn expects_content(parts: &request::Parts) -> bool {
    let may = matches!(parts.method, Method::POST | Method::PUT | Method::PATCH);
    may && !parts.headers.contains_key(header::CONTENT_LENGTH)
}

/// RFC 9113 section 8.3.1: `:authority`, or `host` from an intermediary that had no other. Where both
/// are there they must name the same, once the port of the scheme is put in for one that is missing;
/// what is sent on is `:authority`.
fn authority<'p>(
    parts: &'p request::Parts,
    asked: &Asked,
    form: TargetForm,
) -> Result<&'p [u8], HeadFault> {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let host = hosts.next().map(HeaderValue::as_bytes);
    if hosts.next().is_some() {
        return Err(HeadFault::HostDiffers);
    }
    let written = parts.uri.authority().map(|authority| authority.as_str());
    let authority = match (written.map(str::as_bytes), host) {
        (Some(authority), Some(host))
            if !names_same(authority, host, asked, scheme(parts, form)) =>
        {
            return Err(HeadFault::HostDiffers);
        }
        (Some(authority), _) => authority,
        (None, Some(host)) => host,
        (None, None) => return Err(HeadFault::AuthorityMissing),
    };
    match authority.contains(&b'@') {
        true => Err(HeadFault::UserInformation),
        false => Ok(authority),
    }
}

fn names_same(authority: &[u8], host: &[u8], asked: &Asked, scheme: Scheme) -> bool {
    if authority.eq_ignore_ascii_case(host) {
        return true;
    }
    Authority::parse(authority).is_ok_and(|authority| match asked {
        Asked::Tunnel => connect_host_matches(&authority, host),
        _ => host_matches(&authority, scheme, host),
    })
}

/// The scheme whose port is meant when none is written.
fn scheme(parts: &request::Parts, form: TargetForm) -> Scheme {
    match form {
        TargetForm::Origin(scheme) => scheme,
        TargetForm::Absolute if parts.uri.scheme() == Some(&http::uri::Scheme::HTTPS) => {
            Scheme::Https
        }
        TargetForm::Absolute => Scheme::Http,
    }
}

fn write_target(
    out: &mut Vec<u8>,
    parts: &request::Parts,
    asked: &Asked,
    authority: &[u8],
    form: TargetForm,
) -> Result<(), HeadFault> {
    let is_websocket = matches!(asked, Asked::WebSocket { .. });
    let method = if is_websocket {
        "GET"
    } else {
        parts.method.as_str()
    };
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    let scheme = parts.uri.scheme_str();
    match form {
        TargetForm::Origin(expected) => {
            let expected = uri_scheme(expected);
            if scheme.is_some_and(|scheme| !scheme.eq_ignore_ascii_case(expected.as_str())) {
                return Err(HeadFault::Scheme);
            }
        }
        TargetForm::Absolute => {
            out.extend_from_slice(scheme.unwrap_or("http").as_bytes());
            out.extend_from_slice(b"://");
            out.extend_from_slice(authority);
        }
    }
    let path = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    // RFC 9113 section 8.3.1.
    let is_asterisk = path == "*" && parts.method == Method::OPTIONS;
    if !path.starts_with('/') && !is_asterisk {
        return Err(HeadFault::Path);
    }
    // RFC 9112 section 3.2.4: the asterisk stands alone; in absolute form it is the empty path.
    if !(path == "*" && form == TargetForm::Absolute) {
        out.extend_from_slice(path.as_bytes());
    }
    Ok(())
}

/// The same as the codec has it; WebSockets are HTTP there.
pub(super) fn uri_scheme(scheme: Scheme) -> http::uri::Scheme {
    match scheme {
        Scheme::Https | Scheme::Wss => http::uri::Scheme::HTTPS,
        _ => http::uri::Scheme::HTTP,
    }
}

/// The text of a response of an origin.
pub(super) fn response_text(
    parts: &response::Parts,
    ends: bool,
    asked: &Asked,
) -> Result<Text, HeadFault> {
    check_length(&parts.headers, PartialEq::eq)?;
    let mut out = Vec::with_capacity(256);
    let status = parts.status;
    let is_success = status.is_success();
    let switches = is_success && matches!(asked, Asked::WebSocket { .. });
    let shown = if switches {
        StatusCode::SWITCHING_PROTOCOLS
    } else {
        status
    };
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(shown.as_str().as_bytes());
    out.extend_from_slice(b" \r\n");
    write_response_fields(&mut out, &parts.headers, |name| {
        *name != header::CONTENT_LENGTH && !(switches && *name == header::SEC_WEBSOCKET_ACCEPT)
    });
    let is_bodiless = *asked == Asked::Head
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let coding = match asked {
        Asked::WebSocket { key } if switches => {
            out.extend_from_slice(b"Connection: upgrade\r\nUpgrade: websocket\r\n");
            write_field(&mut out, b"Sec-WebSocket-Accept", &websocket::accept(key));
            Coding::Raw
        }
        Asked::Tunnel if is_success => Coding::Raw,
        _ if is_bodiless => {
            if let Some(length) = parts.headers.get(header::CONTENT_LENGTH) {
                write_field(&mut out, b"Content-Length", length.as_bytes());
            }
            Coding::Nothing
        }
        _ if ends && !parts.headers.contains_key(header::CONTENT_LENGTH) => {
            out.extend_from_slice(b"Content-Length: 0\r\n");
            Coding::Nothing
        }
        _ => write_framing(&mut out, &parts.headers, ends),
    };
    out.extend_from_slice(b"\r\n");
    Ok(Text { bytes: out, coding })
}

/// The lines of a trailer section.
pub(super) fn trailer_text(trailers: &HeaderMap, out: &mut Vec<u8>) {
    write_fields(out, trailers, |_| true);
}

/// A declared length is kept unless trailers are announced, which only chunks can carry.
fn write_framing(out: &mut Vec<u8>, headers: &HeaderMap, ends: bool) -> Coding {
    match headers.get(header::CONTENT_LENGTH) {
        Some(length) if ends || !headers.contains_key(header::TRAILER) => {
            write_field(out, b"Content-Length", length.as_bytes());
            match ends {
                true => Coding::Nothing,
                false => Coding::Length,
            }
        }
        None if ends => Coding::Nothing,
        _ => {
            out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
            Coding::Chunked
        }
    }
}

/// RFC 9113 section 8.2.1. Responses are met with leniency: the reader of the text takes blanks off.
fn check_values(headers: &HeaderMap) -> Result<(), HeadFault> {
    match headers.values().any(is_padded) {
        true => Err(HeadFault::Whitespace),
        false => Ok(()),
    }
}

fn is_padded(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    matches!(bytes.first(), Some(b' ' | b'\t')) || matches!(bytes.last(), Some(b' ' | b'\t'))
}

/// One length only: whoever else looks at it could take another one.
fn check_length(
    headers: &HeaderMap,
    may_repeat: impl Fn(&HeaderValue, &HeaderValue) -> bool,
) -> Result<(), HeadFault> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(first) = lengths.next() else {
        return Ok(());
    };
    match lengths.all(|other| may_repeat(first, other)) {
        true => Ok(()),
        false => Err(HeadFault::LengthRepeated),
    }
}

fn write_fields(out: &mut Vec<u8>, headers: &HeaderMap, keep: impl Fn(&HeaderName) -> bool) {
    for (name, value) in headers {
        if keep(name) {
            write_field(out, name.as_str().as_bytes(), value.as_bytes());
        }
    }
}

/// Values with blanks around them are told by one before the colon, which the reader of the text
/// takes off as well, and which it notes.
fn write_response_fields(
    out: &mut Vec<u8>,
    headers: &HeaderMap,
    keep: impl Fn(&HeaderName) -> bool,
) {
    for (name, value) in headers {
        if keep(name) {
            out.extend_from_slice(name.as_str().as_bytes());
            if is_padded(value) {
                out.push(b' ');
            }
            write_field(out, b"", value.as_bytes());
        }
    }
}

/// RFC 9113 section 8.2.3: the crumbs become one field again.
fn write_cookies(out: &mut Vec<u8>, headers: &HeaderMap) {
    let mut separator: &[u8] = b"cookie: ";
    for crumb in headers.get_all(header::COOKIE) {
        out.extend_from_slice(separator);
        out.extend_from_slice(crumb.as_bytes());
        separator = b"; ";
    }
    if separator == b"; " {
        out.extend_from_slice(b"\r\n");
    }
}

fn write_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use sallyport_wire::http1::{HeadLimits, MethodKind, Parse, RequestHead, ResponseHead};

    use super::*;
    use crate::http2::messages::{request_message, response_message};

    const HTTPS: TargetForm = TargetForm::Origin(Scheme::Https);

    fn request(uri: &str, method: &str, fields: &[(&str, &str)]) -> request::Parts {
        let mut builder = Request::builder().method(method).uri(uri);
        for (name, value) in fields {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap().into_parts().0
    }

    fn text(parts: &request::Parts, ends: bool, form: TargetForm) -> String {
        let (text, _) = request_text(parts, ends, form).unwrap();
        String::from_utf8(text.bytes).unwrap()
    }

    #[test]
    fn a_request_becomes_the_text_that_an_http1_client_would_send() {
        let fields = [("cookie", "a=1"), ("x", "1"), ("cookie", "b=2"), ("x", "2")];
        let parts = request("https://a.test/p?q", "GET", &fields);
        assert_eq!(
            text(&parts, true, HTTPS),
            "GET /p?q HTTP/1.1\r\nHost: a.test\r\nx: 1\r\nx: 2\r\ncookie: a=1; b=2\r\n\r\n"
        );
        for method in ["POST", "PUT", "PATCH"] {
            let parts = request("https://a.test/p", method, &[]);
            let expected =
                format!("{method} /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n");
            assert_eq!(text(&parts, true, HTTPS), expected);
        }
        let parts = request("https://a.test/p", "DELETE", &[]);
        let expected = "DELETE /p HTTP/1.1\r\nHost: a.test\r\n\r\n";
        assert_eq!(text(&parts, true, HTTPS), expected);
        let parts = request("http://a.test:81/p", "POST", &[]);
        assert_eq!(
            text(&parts, false, TargetForm::Absolute),
            "POST http://a.test:81/p HTTP/1.1\r\nHost: a.test:81\r\n\
             Transfer-Encoding: chunked\r\n\r\n"
        );
    }

    #[test]
    fn what_the_codec_takes_and_we_do_not() {
        let check = |uri: &str, fields: &[(&str, &str)], form| {
            request_text(&request(uri, "GET", fields), true, form).map(|_| ())
        };
        assert_eq!(
            check("https://a.test/", &[("host", "A.TEST")], HTTPS),
            Ok(())
        );
        for (uri, host) in [
            ("https://a.test/", "a.test:443"),
            ("https://a.test:443/", "A.test"),
            ("https://a.test:8443/", "a.test:8443"),
        ] {
            assert_eq!(check(uri, &[("host", host)], HTTPS), Ok(()), "{uri}");
        }
        let differs = Err(HeadFault::HostDiffers);
        for (uri, host) in [
            ("https://a.test/", "a.test:80"),
            ("https://a.test:8443/", "a.test"),
            ("https://a.test/", ""),
        ] {
            assert_eq!(check(uri, &[("host", host)], HTTPS), differs, "{uri}");
        }
        assert_eq!(check("/", &[("host", "a.test")], HTTPS), Ok(()));
        for (uri, fields, fault) in [
            (
                "https://a.test/",
                &[("host", "b.test")][..],
                HeadFault::HostDiffers,
            ),
            (
                "/",
                &[("host", "a"), ("host", "a")][..],
                HeadFault::HostDiffers,
            ),
            ("/", &[][..], HeadFault::AuthorityMissing),
            ("http://a.test/", &[][..], HeadFault::Scheme),
            ("*", &[("host", "a.test")][..], HeadFault::Path),
            ("https://u@a.test/", &[][..], HeadFault::UserInformation),
        ] {
            assert_eq!(check(uri, fields, HTTPS), Err(fault), "{uri}");
        }
        let host = [("host", "a.test")];
        let asterisk = request("*", "OPTIONS", &host);
        assert_eq!(
            text(&asterisk, true, HTTPS),
            "OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n"
        );
        let mut parts = request("https://a.test/", "GET", &[]);
        parts.uri = http::uri::Builder::new()
            .scheme("https")
            .authority("a.test")
            .path_and_query("?q")
            .build()
            .unwrap();
        assert!(matches!(
            request_text(&parts, true, HTTPS),
            Err(HeadFault::Path)
        ));
        let mut parts = request("https://a.test/", "GET", &[]);
        let padded = HeaderValue::from_bytes(b" a").unwrap();
        parts.headers.insert("x", padded);
        assert!(matches!(
            request_text(&parts, true, HTTPS),
            Err(HeadFault::Whitespace)
        ));
    }

    /// What becomes text is read by the one parser, and what that lets be sent becomes the same again.
    #[test]
    fn there_and_back() {
        for (method, fields, ends, coding) in [
            ("GET", &[("accept", "*/*")][..], true, Coding::Nothing),
            ("HEAD", &[][..], true, Coding::Nothing),
            ("PUT", &[("content-length", "5")][..], false, Coding::Length),
            ("POST", &[("te", "trailers")][..], false, Coding::Chunked),
            (
                "POST",
                &[("content-length", "5"), ("trailer", "x")][..],
                false,
                Coding::Chunked,
            ),
        ] {
            let parts = request("https://a.test/p", method, fields);
            let (text, _) = request_text(&parts, ends, HTTPS).unwrap();
            assert_eq!(text.coding, coding, "{method}");
            let mut head = RequestHead::new();
            let parsed = head.parse(&text.bytes, &HeadLimits::default()).unwrap();
            assert!(matches!(parsed, Parse::Complete { .. }));
            let (message, _) = request_message(&text.bytes, Scheme::Https).unwrap();
            assert_eq!(message.coding, coding, "{method}");
            assert_eq!(message.head.uri(), "https://a.test/p");
            assert_eq!(message.head.method().as_str(), method);
            assert!(!message.head.headers().contains_key("transfer-encoding"));
        }
    }

    #[test]
    fn responses_there_and_back() {
        let respond = |status: u16, fields: &[(&str, &str)], ends, asked: &Asked| {
            let mut builder = Response::builder().status(status);
            for (name, value) in fields {
                builder = builder.header(*name, *value);
            }
            let parts = builder.body(()).unwrap().into_parts().0;
            let text = response_text(&parts, ends, asked).unwrap();
            let method = match asked {
                Asked::Head => MethodKind::Head,
                _ => MethodKind::Get,
            };
            let mut head = ResponseHead::new();
            head.parse(&text.bytes, &HeadLimits::default(), method)
                .unwrap();
            let message = response_message(&text.bytes, asked).unwrap();
            (
                head.status,
                text.coding,
                message.coding,
                message.head.status().as_u16(),
            )
        };
        let length = [("content-length", "5")];
        for (status, fields, ends, asked, coding) in [
            (200, &length[..], false, Asked::Plain, Coding::Length),
            (200, &[][..], false, Asked::Plain, Coding::Chunked),
            (200, &[][..], true, Asked::Plain, Coding::Nothing),
            (200, &length[..], true, Asked::Head, Coding::Nothing),
            (204, &[][..], true, Asked::Plain, Coding::Nothing),
            (304, &length[..], true, Asked::Plain, Coding::Nothing),
            (103, &[][..], false, Asked::Plain, Coding::Nothing),
        ] {
            let found = respond(status, fields, ends, &asked);
            assert_eq!(
                found,
                (status, coding, coding, status),
                "{status} {asked:?}"
            );
        }
        let key = websocket::new_key();
        let found = respond(200, &[], false, &Asked::WebSocket { key });
        assert_eq!(found, (101, Coding::Raw, Coding::Raw, 200));
    }

    #[test]
    fn an_answer_to_another_key_is_no_websocket() {
        let asked = Asked::WebSocket {
            key: websocket::new_key(),
        };
        let head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                     Connection: upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        let fault = response_message(head, &asked).unwrap_err();
        assert_eq!(fault, HeadFault::WebSocketAccept);
    }

    #[test]
    fn bytes_that_the_codec_does_not_hold_are_escaped() {
        let head = b"GET /a<b>`c HTTP/1.1\r\nHost: a.test\r\n\r\n";
        let (message, _) = request_message(head, Scheme::Https).unwrap();
        assert_eq!(message.head.uri().path(), "/a%3Cb%3E%60c");
    }
}
