//! What is forwarded, read back: a head that was accepted and encoded parses again to the same
//! fields, framing and target, wherever the next message begins. This is what request smuggling
//! would have to break.

use sallyport_wire::http1::{
    Authority, BodyFraming, HeadLimits, HeaderEdits, MethodKind, Parse, RequestForward,
    RequestHead, RequestTarget, ResponseForward, ResponseHead, Version, encode_request,
    encode_response,
};

use crate::heads::PlainHead;

/// What follows a message on its connection.
const NEXT: &[u8] = b"GET /next HTTP/1.1\r\nHost: next\r\n\r\n";

/// The origin reads what the client wrote, less what concerns the client's connection.
pub fn forwarded_request(data: &[u8]) {
    let mut head = RequestHead::new();
    let parsed = head.parse(data, &HeadLimits::default());
    let Ok(Parse::Complete { head_bytes }) = parsed else {
        return;
    };
    let Ok(target) = RequestTarget::parse(head.method_kind, head.target.of(data)) else {
        return;
    };
    let host = head.host.map(|host| host.of(data));
    let (path_and_query, authority) = match (target, host) {
        (
            RequestTarget::Absolute {
                authority,
                path_and_query,
                ..
            },
            _,
        ) => (path_and_query, authority.text.as_bytes()),
        (RequestTarget::Origin(path_and_query), Some(host)) => (path_and_query, host),
        (RequestTarget::Asterisk, Some(host)) => (&b"*"[..], host),
        (RequestTarget::Authority(_), _) | (_, None) => return,
    };
    // An empty Host is valid; the engine has no such destination.
    if Authority::parse(authority).is_err() {
        return;
    }
    for framing in [head.framing, BodyFraming::Chunked] {
        for upgrade in [false, true] {
            let mut out = Vec::new();
            let forward = RequestForward {
                head: &head,
                buf: data,
                path_and_query,
                authority,
                via: b"gate",
                framing,
                upgrade,
                websocket_key: None,
                edits: &HeaderEdits::default(),
            };
            encode_request(&mut out, &forward);
            check_request(&data[..head_bytes], &forward, &out);
        }
    }
}

fn check_request(received: &[u8], forward: &RequestForward<'_>, out: &[u8]) {
    let head = forward.head;
    let stream = [out, NEXT].concat();
    let mut arrived = RequestHead::new();
    let parsed = arrived.parse(&stream, &roomy());
    assert_eq!(
        parsed,
        Ok(Parse::Complete {
            head_bytes: out.len()
        })
    );
    assert_eq!(arrived.version, Version::Http11);
    assert_eq!(arrived.method.of(out), head.method.of(received));
    assert_eq!(arrived.framing, forward.framing);
    let target = arrived.target.of(out);
    let path = forward.path_and_query;
    assert!(target == path || target == [b"/", path].concat());
    let reread = RequestTarget::parse(arrived.method_kind, target);
    assert!(matches!(
        reread,
        Ok(RequestTarget::Origin(_) | RequestTarget::Asterisk)
    ));
    assert_eq!(
        arrived.host.map(|host| host.of(out)),
        Some(forward.authority)
    );
    assert_eq!(arrived.te_trailers, head.te_trailers);
    assert!(arrived.expect_continue >= head.expect_continue);
    // What comes with content asks for no upgrade.
    let has_content = !matches!(forward.framing, BodyFraming::None | BodyFraming::Length(0));
    let upgrades = forward.upgrade && head.upgrade.is_some() && !has_content;
    assert_eq!(arrived.upgrade.is_some(), upgrades);

    let lowers_forwards = matches!(head.method_kind, MethodKind::Options | MethodKind::Trace);
    let is_chunked = forward.framing == BodyFraming::Chunked;
    let is_ours = |name: &str| match name {
        "host" | "via" | "content-length" => true,
        "trailer" => !is_chunked,
        "max-forwards" => lowers_forwards,
        _ => false,
    };
    let (received, sent) = (PlainHead::read(received), PlainHead::read(out));
    assert_eq!(end_to_end(&sent, is_ours), end_to_end(&received, is_ours));
    assert_eq!(sent.values("via").len(), 1, "the loop would not be seen");
    assert!(
        sent.values("proxy-authorization").is_empty(),
        "credentials leak"
    );
}

/// The client reads what the origin wrote, less what concerns the origin's connection.
pub fn forwarded_response(data: &[u8]) {
    for method in [MethodKind::Get, MethodKind::Head] {
        let mut head = ResponseHead::new();
        let parsed = head.parse(data, &HeadLimits::default(), method);
        let Ok(Parse::Complete { head_bytes }) = parsed else {
            return;
        };
        // A body without an end of its own is sent in chunks to those who know them.
        let reframed = match head.framing {
            BodyFraming::UntilClose => BodyFraming::Chunked,
            framing => framing,
        };
        for framing in [head.framing, reframed] {
            for client_version in [Version::Http10, Version::Http11] {
                for close in [false, true] {
                    let mut out = Vec::new();
                    let forward = ResponseForward {
                        head: &head,
                        buf: data,
                        via: b"gate",
                        framing,
                        close,
                        client_version,
                        session_auth: false,
                        upgrade: head.status == 101,
                        websocket_accept: None,
                        date: None,
                        edits: &HeaderEdits::default(),
                    };
                    encode_response(&mut out, &forward);
                    check_response(&data[..head_bytes], &forward, method, &out);
                }
            }
        }
    }
}

fn check_response(received: &[u8], forward: &ResponseForward<'_>, method: MethodKind, out: &[u8]) {
    let head = forward.head;
    let stream = [out, NEXT].concat();
    let mut arrived = ResponseHead::new();
    let parsed = arrived.parse(&stream, &roomy(), method);
    assert_eq!(
        parsed,
        Ok(Parse::Complete {
            head_bytes: out.len()
        })
    );
    assert_eq!(arrived.status, head.status);
    assert_eq!(arrived.reason.of(out), head.reason.of(received));
    let framing = match (forward.framing, forward.client_version) {
        (BodyFraming::Chunked, Version::Http10) => BodyFraming::UntilClose,
        (framing, _) => framing,
    };
    assert_eq!(arrived.framing, framing);
    let ends = framing == BodyFraming::UntilClose || (forward.close && head.status >= 200);
    assert_eq!(arrived.keep_alive, !ends);
    if framing == BodyFraming::None && head.status >= 200 && head.status != 204 {
        assert_eq!(arrived.content_length, head.content_length);
    }

    let is_chunked = framing == BodyFraming::Chunked;
    let is_ours = |name: &str| match name {
        "via" | "content-length" => true,
        "trailer" => !is_chunked,
        _ => false,
    };
    let (mut received, sent) = (PlainHead::read(received), PlainHead::read(out));
    received.let_pass();
    sent.assert_plain();
    assert_eq!(end_to_end(&sent, is_ours), end_to_end(&received, is_ours));
}

/// Room for the fields that are added to a head of the default size.
fn roomy() -> HeadLimits {
    HeadLimits {
        head_bytes_max: 128 * 1024,
        headers_max: 128,
        uri_bytes_max: 32 * 1024,
    }
}

/// Names in lower case and values of the fields that are meant for the other end (RFC 9110 section
/// 7.6.1), without those that the proxy writes itself.
fn end_to_end<'h>(head: &PlainHead<'h>, is_ours: impl Fn(&str) -> bool) -> Vec<(String, &'h [u8])> {
    let named: Vec<String> = head
        .values("connection")
        .into_iter()
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(|option| lower(option.trim_ascii()))
        .collect();
    let fields = head
        .fields
        .iter()
        .map(|(name, value)| (lower(name), *value));
    fields
        .filter(|(name, _)| {
            let is_kept = ["expect", "trailer"].contains(&name.as_str());
            !is_ours(name)
                && !HOP_BY_HOP.contains(&name.as_str())
                && (is_kept || !named.contains(name))
        })
        .collect()
}

fn lower(name: &[u8]) -> String {
    String::from_utf8_lossy(name).to_ascii_lowercase()
}

/// `Close` is a reserved name (RFC 9112 section 12.1): a `Connection: close` of ours would hide it.
const HOP_BY_HOP: [&str; 11] = [
    "close",
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];
