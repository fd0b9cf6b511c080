//! Heads of HTTP/2 as the text of HTTP/1.1 ones, and back (RFC 9113 section 8.3).
//!
//! A request that came in a stream becomes the text that an HTTP/1.1 client would have sent, and is
//! then parsed, judged, logged and encoded as that: there is one code for every check. What the
//! `h2` crate has refused before (RFC 9113 section 8.2: upper-case names, fields of one connection,
//! misplaced pseudo-header fields, a body of another length than declared) does not get here.
//! Called by `incoming` and `outgoing`; does no I/O.

use bytes::Bytes;
use h2::ext::Protocol;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery};
use http::{Method, Request, Response, StatusCode, Uri, request, response};
use sallyport_wire::http1::Scheme;
use thiserror::Error;

use super::websocket;

/// How the bytes behind a head are framed in the text of HTTP/1.1.
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
    #[error(":authority is missing")]
    AuthorityMissing,
    #[error("host differs from :authority")]
    HostDiffers,
    #[error(":authority holds user information")]
    UserInformation,
    #[error(":scheme is not the one of the connection")]
    Scheme,
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
    let asked = asked(parts)?;
    let authority = authority(parts)?;
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

/// RFC 9113 section 8.3.1: `:authority`, or `host` from an intermediary that had no other; where
/// both are there they must be the same.
fn authority(parts: &request::Parts) -> Result<&[u8], HeadFault> {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let host = hosts.next().map(HeaderValue::as_bytes);
    if hosts.next().is_some() {
        return Err(HeadFault::HostDiffers);
    }
    let written = parts.uri.authority().map(|authority| authority.as_str());
    let authority = match (written.map(str::as_bytes), host) {
        (Some(authority), Some(host)) if !authority.eq_ignore_ascii_case(host) => {
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
    // RFC 9112 section 3.2.4: the asterisk stands alone; in absolute form it is the empty path.
    if !(path == "*" && form == TargetForm::Absolute) {
        out.extend_from_slice(path.as_bytes());
    }
    Ok(())
}

fn uri_scheme(scheme: Scheme) -> http::uri::Scheme {
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
    check_values(&parts.headers)?;
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
    write_fields(&mut out, &parts.headers, |name| {
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

/// RFC 9113 section 8.2.1.
fn check_values(headers: &HeaderMap) -> Result<(), HeadFault> {
    let is_padded = |value: &HeaderValue| {
        let bytes = value.as_bytes();
        matches!(bytes.first(), Some(b' ' | b'\t')) || matches!(bytes.last(), Some(b' ' | b'\t'))
    };
    match headers.values().any(is_padded) {
        true => Err(HeadFault::Whitespace),
        false => Ok(()),
    }
}

fn write_fields(out: &mut Vec<u8>, headers: &HeaderMap, keep: impl Fn(&HeaderName) -> bool) {
    for (name, value) in headers {
        if keep(name) {
            write_field(out, name.as_str().as_bytes(), value.as_bytes());
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

/// A head that this proxy has written: start line and fields, trusted to be well-formed.
struct Lines<'a> {
    start: [&'a [u8]; 3],
    fields: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Lines<'a> {
    fn of(head: &'a [u8]) -> Option<Self> {
        let mut lines = head
            .split(|byte| *byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
            .take_while(|line| !line.is_empty());
        let mut words = lines.next()?.splitn(3, |byte| *byte == b' ');
        let start = [words.next()?, words.next()?, words.next()?];
        let fields = lines.map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = line.split_at_checked(colon)?;
            Some((name, value.get(1..)?.trim_ascii()))
        });
        Some(Self {
            start,
            fields: fields.collect::<Option<_>>()?,
        })
    }

    fn value(&self, name: &str) -> Option<&'a [u8]> {
        let mut fields = self.fields.iter();
        fields
            .find(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| *value)
    }

    fn is_chunked(&self) -> bool {
        self.value("transfer-encoding").is_some()
    }

    fn length(&self) -> Option<u64> {
        std::str::from_utf8(self.value("content-length")?)
            .ok()?
            .parse()
            .ok()
    }

    /// The fields that are not about one connection (RFC 9113 section 8.2.2).
    fn headers(&self, drop: &[&str]) -> Result<HeaderMap, HeadFault> {
        let mut headers = HeaderMap::with_capacity(self.fields.len());
        for (name, value) in &self.fields {
            let is = |other: &&str| name.eq_ignore_ascii_case(other.as_bytes());
            if CONNECTION_FIELDS.iter().any(is) || drop.iter().any(is) {
                continue;
            }
            let name = HeaderName::from_bytes(name).map_err(|_| HeadFault::NotCarried)?;
            let value = HeaderValue::from_bytes(value).map_err(|_| HeadFault::NotCarried)?;
            headers.append(name, value);
        }
        Ok(headers)
    }
}

const CONNECTION_FIELDS: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// A head to be sent in a stream, and how the text behind it is framed.
#[derive(Debug)]
pub(super) struct Message<T> {
    pub(super) head: T,
    pub(super) coding: Coding,
    /// Bytes behind the head, for `Coding::Length`.
    pub(super) length: u64,
}

/// The request that a head of ours says.
pub(super) fn request_message(
    head: &[u8],
    scheme: Scheme,
) -> Result<(Message<Request<()>>, Asked), HeadFault> {
    let lines = Lines::of(head).ok_or(HeadFault::NotCarried)?;
    let [method, path, _] = lines.start;
    let method = Method::from_bytes(method).map_err(|_| HeadFault::NotCarried)?;
    let key = lines.value("sec-websocket-key");
    let upgrade = lines.value("upgrade");
    let asked = match (upgrade, key) {
        (Some(upgrade), Some(key)) if upgrade.eq_ignore_ascii_case(b"websocket") => {
            Asked::WebSocket { key: key.to_vec() }
        }
        _ if method == Method::HEAD => Asked::Head,
        _ => Asked::Plain,
    };
    let is_websocket = matches!(asked, Asked::WebSocket { .. });
    let drop: &[&str] = match is_websocket {
        true => &["host", "sec-websocket-key"],
        false => &["host"],
    };
    let host = lines.value("host").ok_or(HeadFault::NotCarried)?;
    let mut request = Request::new(());
    *request.uri_mut() = uri(scheme, host, path)?;
    *request.headers_mut() = lines.headers(drop)?;
    *request.method_mut() = method;
    if is_websocket {
        *request.method_mut() = Method::CONNECT;
        request.extensions_mut().insert(Protocol::from("websocket"));
    }
    let (coding, length) = match (&asked, lines.length()) {
        (Asked::WebSocket { .. }, _) => (Coding::Raw, 0),
        (_, Some(0)) => (Coding::Nothing, 0),
        (_, Some(length)) => (Coding::Length, length),
        (_, None) if lines.is_chunked() => (Coding::Chunked, 0),
        (_, None) => (Coding::Nothing, 0),
    };
    let head = request;
    Ok((
        Message {
            head,
            coding,
            length,
        },
        asked,
    ))
}

fn uri(scheme: Scheme, authority: &[u8], path: &[u8]) -> Result<Uri, HeadFault> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(uri_scheme(scheme));
    parts.authority = Some(Authority::try_from(authority).map_err(|_| HeadFault::NotCarried)?);
    let path = match path.iter().any(|byte| is_escaped(*byte)) {
        false => PathAndQuery::try_from(path),
        true => PathAndQuery::from_maybe_shared(Bytes::from(escape(path))),
    };
    parts.path_and_query = Some(path.map_err(|_| HeadFault::NotCarried)?);
    Uri::from_parts(parts).map_err(|_| HeadFault::NotCarried)
}

/// Bytes that HTTP/1.1 origins are sent as they came and that the codec's URI type does not hold.
fn is_escaped(byte: u8) -> bool {
    matches!(byte, b'<' | b'>' | b'`' | b'#')
}

fn escape(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len() + 16);
    for byte in path {
        match is_escaped(*byte) {
            true => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            false => out.push(*byte),
        }
    }
    out
}

/// The response that a head of ours says, in answer to `asked`.
pub(super) fn response_message(
    head: &[u8],
    asked: &Asked,
) -> Result<Message<Response<()>>, HeadFault> {
    let lines = Lines::of(head).ok_or(HeadFault::NotCarried)?;
    let [_, status, _] = lines.start;
    let status = StatusCode::from_bytes(status).map_err(|_| HeadFault::NotCarried)?;
    let switches = status == StatusCode::SWITCHING_PROTOCOLS;
    let drop: &[&str] = match asked {
        Asked::WebSocket { key } if switches => {
            if lines.value("sec-websocket-accept") != Some(&websocket::accept(key)) {
                return Err(HeadFault::WebSocketAccept);
            }
            &["sec-websocket-accept"]
        }
        _ if switches => return Err(HeadFault::NotCarried),
        _ => &[],
    };
    let mut response = Response::new(());
    *response.headers_mut() = lines.headers(drop)?;
    *response.status_mut() = match switches {
        true => StatusCode::OK,
        false => status,
    };
    let is_bodiless = *asked == Asked::Head
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let (coding, length) = match (asked, lines.length()) {
        _ if switches => (Coding::Raw, 0),
        (Asked::Tunnel, _) if status.is_success() => (Coding::Raw, 0),
        _ if is_bodiless => (Coding::Nothing, 0),
        (_, Some(0)) => (Coding::Nothing, 0),
        (_, Some(length)) => (Coding::Length, length),
        (_, None) if lines.is_chunked() => (Coding::Chunked, 0),
        (_, None) => (Coding::Nothing, 0),
    };
    let head = response;
    Ok(Message {
        head,
        coding,
        length,
    })
}

/// Trailer lines as fields.
pub(super) fn trailer_message(lines: &[u8]) -> Result<HeaderMap, HeadFault> {
    let mut text = b"- - -\r\n".to_vec();
    text.extend_from_slice(lines);
    Lines::of(&text).ok_or(HeadFault::NotCarried)?.headers(&[])
}
