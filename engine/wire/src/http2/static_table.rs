//! The names of HPACK's static table (RFC 7541 appendix A).

/// Name of the entry `index` (from 1), if there is one.
pub(super) fn static_name(index: u32) -> Option<&'static str> {
    let place = usize::try_from(index).ok()?.checked_sub(1)?;
    NAMES.get(place).copied()
}

/// Entries of the table: later indices are those of the dynamic one.
pub(super) const STATIC_ENTRIES: u32 = 61;

#[rustfmt::skip]
const NAMES: [&str; STATIC_ENTRIES as usize] = [
    ":authority", ":method", ":method", ":path", ":path", ":scheme", ":scheme",
    ":status", ":status", ":status", ":status", ":status", ":status", ":status",
    "accept-charset", "accept-encoding", "accept-language", "accept-ranges", "accept",
    "access-control-allow-origin", "age", "allow", "authorization", "cache-control",
    "content-disposition", "content-encoding", "content-language", "content-length",
    "content-location", "content-range", "content-type", "cookie", "date", "etag", "expect",
    "expires", "from", "host", "if-match", "if-modified-since", "if-none-match", "if-range",
    "if-unmodified-since", "last-modified", "link", "location", "max-forwards",
    "proxy-authenticate", "proxy-authorization", "range", "referer", "refresh", "retry-after",
    "server", "set-cookie", "strict-transport-security", "transfer-encoding", "user-agent", "vary",
    "via", "www-authenticate",
];
