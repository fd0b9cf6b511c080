//! Upgrades (RFC 9110 section 7.8): which are asked of an origin, and which answers fit them.

use sallyport_wire::http1::{HeaderField, HeaderName, MethodKind, ResponseHead, Span, Version};

use crate::config::checked::UnknownProtocol;
use crate::transaction::request::context::Request;

/// What would take HTTP out of the sight of the rules.
const OUT_OF_SIGHT: [&str; 3] = ["h2c", "HTTP", "TLS"];
const WEBSOCKET: &str = "websocket";

/// Whether the origin is asked for the upgrade that the client asks for: to a WebSocket by GET (RFC 6455
/// section 4.1), or with `tunnel.unknown_protocol = "allow"` to anything but what would take HTTP out of
/// sight. Never together with content: behind a 101 nobody could tell it from the new protocol.
pub(crate) fn may_switch(request: &Request<'_>) -> bool {
    if request.head.upgrade.is_none() || request.has_body() {
        return false;
    }
    let allows_unknown = request.snapshot.config.tunnel.unknown_protocol == UnknownProtocol::Allow;
    let is_get = request.head.method_kind == MethodKind::Get;
    let may = |protocol: &[u8]| match is_websocket(protocol) {
        true => is_get,
        false => allows_unknown && !OUT_OF_SIGHT.iter().any(|name| begins_with(protocol, name)),
    };
    asked(request).next().is_some() && asked(request).all(may)
}

/// Whether a WebSocket is asked of the origin.
pub(crate) fn asks_for_websocket(request: &Request<'_>) -> bool {
    may_switch(request) && asked(request).any(is_websocket)
}

/// Whether a 101 is an answer to the request: all that the origin switches to was asked for.
pub(crate) fn fits(request: &Request<'_>, response: &ResponseHead, bytes: &[u8]) -> bool {
    let was_asked =
        |protocol: &[u8]| asked(request).any(|other| other.eq_ignore_ascii_case(protocol));
    let of_stream = response
        .upgrade
        .filter(|_| response.version == Version::Http2);
    let mut named = protocols(&response.headers, of_stream, bytes).peekable();
    may_switch(request)
        && response.upgrade.is_some()
        && named.peek().is_some()
        && named.all(was_asked)
}

fn asked<'a>(request: &Request<'a>) -> impl Iterator<Item = &'a [u8]> {
    let head = request.head;
    let of_stream = head.upgrade.filter(|_| head.version == Version::Http2);
    protocols(&head.headers, of_stream, request.bytes)
}

/// What all `Upgrade` fields list, or what a stream of HTTP/2 is to become, which has no such field.
fn protocols<'a>(
    fields: &'a [HeaderField],
    of_stream: Option<Span>,
    bytes: &'a [u8],
) -> impl Iterator<Item = &'a [u8]> {
    let fields = fields
        .iter()
        .filter(|field| field.id == HeaderName::Upgrade)
        .map(|field| field.value);
    fields
        .chain(of_stream)
        .flat_map(|value| value.of(bytes).split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|protocol| !protocol.is_empty())
}

fn is_websocket(protocol: &[u8]) -> bool {
    protocol.eq_ignore_ascii_case(WEBSOCKET.as_bytes())
}

fn begins_with(protocol: &[u8], name: &str) -> bool {
    protocol
        .get(..name.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
}
