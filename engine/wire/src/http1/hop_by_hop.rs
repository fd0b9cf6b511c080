//! What belongs to one connection and is not passed on (RFC 9110 section
//! 7.6.1), and what a trailer section may not carry (section 6.5.1).

use super::field::{HeaderField, HeaderName};

/// Most options that the `Connection` fields of one message may list. Each
/// option is compared with each field, so the product must stay small.
pub(crate) const CONNECTION_OPTIONS_MAX: usize = 32;

/// Whether a field of this name concerns one connection only, whatever
/// `Connection` says. Proxy credentials and challenges count: they are between
/// a client and this proxy.
pub fn is_hop_by_hop(name: &[u8]) -> bool {
    HeaderName::classify(name).is_hop_by_hop()
}

/// The options of all `Connection` fields, as written.
pub fn connection_options<'a>(
    buf: &'a [u8],
    fields: &'a [HeaderField],
) -> impl Iterator<Item = &'a [u8]> {
    fields
        .iter()
        .filter(|field| field.id == HeaderName::Connection)
        .flat_map(move |field| list(field.value.of(buf)))
}

/// Marks the fields that `Connection` names.
///
/// Fields that this proxy itself acts upon stay: a client cannot hide its `Via`
/// from loop detection or its `Expect` from the origin by listing them.
pub(crate) fn mark_named(buf: &[u8], fields: &mut [HeaderField]) {
    for at in 0..fields.len() {
        let Some(field) = fields.get(at) else { return };
        if field.hop_by_hop || is_kept_though_named(field.id) {
            continue;
        }
        let name = field.name.of(buf);
        let named = connection_options(buf, fields).any(|o| o.eq_ignore_ascii_case(name));
        if let Some(field) = fields.get_mut(at) {
            field.hop_by_hop = named;
        }
    }
}

fn is_kept_though_named(id: HeaderName) -> bool {
    matches!(
        id,
        HeaderName::ContentLength
            | HeaderName::Expect
            | HeaderName::Host
            | HeaderName::Trailer
            | HeaderName::Via
    )
}

/// The elements of a comma-separated list; empty ones are skipped
/// (RFC 9110 section 5.6.1.2).
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|item| !item.is_empty())
}

/// Whether a trailer section may not carry this field: what frames, routes,
/// authenticates or changes how a message is processed must be known before
/// the content (RFC 9110 section 6.5.1).
pub fn is_forbidden_trailer(name: &[u8]) -> bool {
    HeaderName::classify(name) != HeaderName::Other
        || FORBIDDEN_TRAILERS
            .iter()
            .any(|other| name.eq_ignore_ascii_case(other.as_bytes()))
}

/// Besides all names of [`HeaderName`].
const FORBIDDEN_TRAILERS: &[&str] = &[
    "accept-ranges",
    "age",
    "alt-svc",
    "authentication-info",
    "authorization",
    "cache-control",
    "content-encoding",
    "content-range",
    "cookie",
    "date",
    "expires",
    "forwarded",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "location",
    "pragma",
    "proxy-status",
    "range",
    "retry-after",
    "sec-websocket-accept",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "set-cookie",
    "vary",
    "warning",
    "www-authenticate",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split_trimmed_and_their_empty_elements_skipped() {
        let items: Vec<_> = list(b" close ,, x-a\t,\tb").collect();
        assert_eq!(items, [&b"close"[..], b"x-a", b"b"]);
        assert_eq!(list(b"").count(), 0);
    }

    #[test]
    fn fixed_names_and_forbidden_trailers() {
        for name in [
            "connection",
            "Keep-Alive",
            "TE",
            "proxy-authorization",
            "Upgrade",
        ] {
            assert!(is_hop_by_hop(name.as_bytes()), "{name}");
        }
        for name in ["host", "via", "trailer", "content-length", "x-connection"] {
            assert!(!is_hop_by_hop(name.as_bytes()), "{name}");
        }
        for name in [
            "Content-Length",
            "host",
            "Authorization",
            "set-cookie",
            "If-Range",
        ] {
            assert!(is_forbidden_trailer(name.as_bytes()), "{name}");
        }
        for name in [
            "grpc-status",
            "x-checksum",
            "digest",
            "server-timing",
            "etag",
        ] {
            assert!(!is_forbidden_trailer(name.as_bytes()), "{name}");
        }
    }
}
