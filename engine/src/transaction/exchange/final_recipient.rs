//! OPTIONS and TRACE that may be forwarded no further (`Max-Forwards: 0`, RFC 9110 section 7.6.2): this
//! proxy is their final recipient and answers them. They have been through the same phases as if they
//! were forwarded: what the rules deny is denied here too.

use std::io::Write;

use sallyport_wire::http1::{MethodKind, RequestHead, Version};

use crate::limits::REPLY_TIMEOUT;
use crate::proxy_error::ProxyError;
use crate::transaction::exchange::work::Exchanged;
use crate::transaction::request::context::Request;
use crate::transaction::request::date::Date;
use crate::transaction::request::record_builder::RecordBuilder;

/// Fields that TRACE does not tell (RFC 9110 section 9.3.8): a script that cannot read them itself could
/// have them reflected.
const SENSITIVE: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];
/// What can be asked for here.
const METHODS: &str = "CONNECT, DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, TRACE";

/// Whether the request ends here.
pub(crate) fn is_reached(request: &Request<'_>) -> bool {
    let head = request.head;
    matches!(head.method_kind, MethodKind::Options | MethodKind::Trace)
        && head.max_forwards(request.bytes) == Some(0)
}

/// Answers such a request.
pub(crate) async fn answer(request: &Request<'_>, draft: &mut RecordBuilder) -> Exchanged {
    let client = request.client;
    // A body is not read: what it is for is not said, and TRACE has none.
    let keep_alive = request.head.keep_alive && !request.has_body() && !request.is_last();
    let mut out = client.buffers().rent();
    let _lease = client.buffers().lease(out.capacity());
    encode(request.head, request.bytes, keep_alive, &mut out);
    let timeouts = &request.snapshot.config.timeouts;
    let timeout = timeouts.body_idle.min(REPLY_TIMEOUT);
    client.transport.arm(timeout);
    let (result, out) = client.transport.write_last(out, 0, &[]).await;
    client.buffers().give_back(out);
    draft.status = Some(200);
    draft.dst_ip = None;
    if result.is_err() {
        match client.transport.expired() {
            true => draft.fail(
                ProxyError::ConnectionWriteTimeout,
                "the client was too slow",
            ),
            false => draft.fail(
                ProxyError::ConnectionTerminated,
                "the client closed the connection",
            ),
        }
        return Exchanged::Broken;
    }
    draft.detail = Some("answered here: Max-Forwards is 0".into());
    Exchanged::Complete { keep_alive }
}

fn encode(head: &RequestHead, bytes: &[u8], keep_alive: bool, out: &mut Vec<u8>) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, "HTTP/1.1 200 OK\r\nDate: {}\r\n", Date::now());
    let mut body = Vec::new();
    if head.method_kind == MethodKind::Trace {
        reflect(head, bytes, &mut body);
        out.extend_from_slice(b"Content-Type: message/http\r\n");
    } else {
        let _ = write!(out, "Allow: {METHODS}\r\n");
    }
    let _ = write!(out, "Content-Length: {}\r\n", body.len());
    if !keep_alive {
        out.extend_from_slice(b"Connection: close\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&body);
}

/// The request as it was received, as far as it may be told.
fn reflect(head: &RequestHead, bytes: &[u8], out: &mut Vec<u8>) {
    for part in [head.method.of(bytes), b" ", head.target.of(bytes)] {
        out.extend_from_slice(part);
    }
    let version: &[u8] = match head.version {
        Version::Http10 => b" HTTP/1.0\r\n",
        Version::Http11 => b" HTTP/1.1\r\n",
        Version::Http2 => b" HTTP/2\r\n",
    };
    out.extend_from_slice(version);
    for field in &head.headers {
        let name = field.name.of(bytes);
        let is = |sensitive: &str| name.eq_ignore_ascii_case(sensitive.as_bytes());
        if !SENSITIVE.into_iter().any(is) {
            for part in [name, b": ", field.value.of(bytes), b"\r\n"] {
                out.extend_from_slice(part);
            }
        }
    }
    out.extend_from_slice(b"\r\n");
}
#[cfg(test)]
mod tests {
    use sallyport_wire::http1::{HeadLimits, Parse};

    use super::*;

    fn answer_to(request: &str, keep_alive: bool) -> String {
        let mut head = RequestHead::new();
        let parsed = head.parse(request.as_bytes(), &HeadLimits::default());
        assert!(matches!(parsed, Ok(Parse::Complete { .. })), "{request}");
        let mut out = Vec::new();
        encode(&head, request.as_bytes(), keep_alive, &mut out);
        let text = String::from_utf8(out).unwrap();
        let (start, rest) = text.split_once("Date: ").unwrap();
        format!("{start}{}", rest.split_once("\r\n").unwrap().1)
    }

    #[test]
    fn options_says_what_can_be_asked() {
        let request = "OPTIONS http://a.test/ HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: 0\r\n\r\n";
        assert_eq!(
            answer_to(request, true),
            format!("HTTP/1.1 200 OK\r\nAllow: {METHODS}\r\nContent-Length: 0\r\n\r\n")
        );
    }

    #[test]
    fn trace_reflects_all_but_credentials() {
        let request = "TRACE http://a.test/x?y HTTP/1.0\r\nHost: a.test\r\nCOOKIE: a=b\r\nX-Own:  kept \r\n\
            Authorization: Basic eA==\r\nproxy-authorization: Basic eA==\r\nMax-Forwards: 0\r\n\r\n";
        let body = "TRACE http://a.test/x?y HTTP/1.0\r\nHost: a.test\r\nX-Own: kept\r\nMax-Forwards: 0\r\n\r\n";
        assert_eq!(
            answer_to(request, false),
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: message/http\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{body}",
                body.len()
            )
        );
    }
}
