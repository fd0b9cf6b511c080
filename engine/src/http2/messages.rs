//! Heads that this proxy has written as HTTP/1.1 text, as heads of HTTP/2: the way back of `heads`.
//!
//! What is parsed here is our own encoders' work: well-formed, judged and framed before. Called by
//! `outgoing`; does no I/O.

use bytes::Bytes;
use h2::ext::Protocol;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery};
use http::{Method, Request, Response, StatusCode, Uri};
use sallyport_wire::http1::Scheme;

use super::heads::{Asked, Coding, HeadFault, uri_scheme};
use super::websocket;

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

    fn coding(&self) -> Coding {
        match self.value("content-length") {
            Some(b"0") => Coding::Nothing,
            Some(_) => Coding::Length,
            None if self.value("transfer-encoding").is_some() => Coding::Chunked,
            None => Coding::Nothing,
        }
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

/// A head to be sent in a stream, and what comes behind it.
#[derive(Debug)]
pub(super) struct Message<T> {
    pub(super) head: T,
    pub(super) coding: Coding,
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
    let coding = match asked {
        Asked::WebSocket { .. } => Coding::Raw,
        _ => lines.coding(),
    };
    let head = request;
    Ok((Message { head, coding }, asked))
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
    let coding = match asked {
        _ if switches => Coding::Raw,
        Asked::Tunnel if status.is_success() => Coding::Raw,
        _ if is_bodiless => Coding::Nothing,
        _ => lines.coding(),
    };
    let head = response;
    Ok(Message { head, coding })
}

/// Trailer lines as fields.
pub(super) fn trailer_message(lines: &[u8]) -> Result<HeaderMap, HeadFault> {
    let mut text = b"- - -\r\n".to_vec();
    text.extend_from_slice(lines);
    Lines::of(&text).ok_or(HeadFault::NotCarried)?.headers(&[])
}
