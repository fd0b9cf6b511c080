//! Telling the origin who the client is, where the configuration asks for it.

use std::net::IpAddr;

use sallyport_wire::http1::HeaderEdits;

use crate::config::checked::Headers;
use crate::transaction::request::context::Request;

/// The configured edits, and `Forwarded` (RFC 7239) or `X-Forwarded-For` with the client's address
/// appended to what the request already says.
pub(crate) fn edits(
    request: &Request<'_>,
    configured: &HeaderEdits,
    headers: &Headers,
) -> HeaderEdits {
    let client = request.client.address.ip().to_canonical();
    let mut edits = configured.clone();
    let mut append = |name: &str, own: String| {
        let mut value = String::new();
        for before in request.head.header_values(request.bytes, name) {
            value.push_str(&String::from_utf8_lossy(before));
            value.push_str(", ");
        }
        value.push_str(&own);
        edits.set.push((name.into(), value.into()));
    };
    if headers.forwarded {
        append("Forwarded", node(client));
    }
    if headers.x_forwarded_for {
        append("X-Forwarded-For", client.to_string());
    }
    edits
}

/// RFC 7239 section 6: an IPv6 address is bracketed and quoted.
fn node(client: IpAddr) -> String {
    match client {
        IpAddr::V4(address) => format!("for={address}"),
        IpAddr::V6(address) => format!("for=\"[{address}]\""),
    }
}
