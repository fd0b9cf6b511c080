//! A field line: where it lies, and its name known by number.

use crate::Span;

/// One field line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderField {
    /// The name, when it is one of those that matter here.
    pub id: HeaderName,
    /// The name as written.
    pub name: Span,
    /// The value without the whitespace around it.
    pub value: Span,
    /// Meant for this connection only (RFC 9110 section 7.6.1): one of the
    /// fixed list, or named by `Connection`. Never forwarded as it is.
    pub hop_by_hop: bool,
    /// Came over HTTP/2 as a literal that nobody may enter into a table (RFC 7541 section 6.2.3).
    pub never_indexed: bool,
}

impl HeaderField {
    /// Whether it would be forwarded, did not `Connection` name it.
    #[must_use]
    pub fn is_named_by_connection(&self) -> bool {
        self.hop_by_hop && !self.id.is_hop_by_hop()
    }
}

/// Names that are told apart once, while parsing, so that nothing later
/// compares strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeaderName {
    /// `Authorization`
    Authorization,
    /// `Connection`
    Connection,
    /// `Content-Length`
    ContentLength,
    /// `Content-Type`
    ContentType,
    /// `Date`
    Date,
    /// `Expect`
    Expect,
    /// `Host`
    Host,
    /// `HTTP2-Settings`
    Http2Settings,
    /// `Keep-Alive`
    KeepAlive,
    /// `Max-Forwards`
    MaxForwards,
    /// `Proxy-Authenticate`
    ProxyAuthenticate,
    /// `Proxy-Authentication-Info`
    ProxyAuthenticationInfo,
    /// `Proxy-Authorization`
    ProxyAuthorization,
    /// `Proxy-Connection`
    ProxyConnection,
    /// `TE`
    Te,
    /// `Trailer`
    Trailer,
    /// `Transfer-Encoding`
    TransferEncoding,
    /// `Upgrade`
    Upgrade,
    /// `User-Agent`
    UserAgent,
    /// `Via`
    Via,
    /// `WWW-Authenticate`
    WwwAuthenticate,
    /// Any other name.
    Other,
}

impl HeaderName {
    /// Which known name this is, whatever its case.
    #[inline]
    pub fn classify(name: &[u8]) -> Self {
        let Some(first) = name.first() else {
            return Self::Other;
        };
        // Length and first letter leave one candidate each.
        let (is_known, id) = match (name.len(), first | 0x20) {
            (2, _) => (is(name, b"te"), Self::Te),
            (3, _) => (is(name, b"via"), Self::Via),
            (4, b'h') => (is(name, b"host"), Self::Host),
            (4, _) => (is(name, b"date"), Self::Date),
            (6, _) => (is(name, b"expect"), Self::Expect),
            (7, b'u') => (is(name, b"upgrade"), Self::Upgrade),
            (7, _) => (is(name, b"trailer"), Self::Trailer),
            (10, b'c') => (is(name, b"connection"), Self::Connection),
            (10, b'u') => (is(name, b"user-agent"), Self::UserAgent),
            (10, _) => (is(name, b"keep-alive"), Self::KeepAlive),
            (12, b'c') => (is(name, b"content-type"), Self::ContentType),
            (12, _) => (is(name, b"max-forwards"), Self::MaxForwards),
            (13, _) => (is(name, b"authorization"), Self::Authorization),
            (14, b'c') => (is(name, b"content-length"), Self::ContentLength),
            (14, _) => (is(name, b"http2-settings"), Self::Http2Settings),
            (16, b'p') => (is(name, b"proxy-connection"), Self::ProxyConnection),
            (16, _) => (is(name, b"www-authenticate"), Self::WwwAuthenticate),
            (17, _) => (is(name, b"transfer-encoding"), Self::TransferEncoding),
            (18, _) => (is(name, b"proxy-authenticate"), Self::ProxyAuthenticate),
            (19, _) => (is(name, b"proxy-authorization"), Self::ProxyAuthorization),
            (25, _) => (
                is(name, b"proxy-authentication-info"),
                Self::ProxyAuthenticationInfo,
            ),
            _ => (false, Self::Other),
        };
        if is_known { id } else { Self::Other }
    }

    /// Whether a field of this name concerns one connection only, whatever `Connection` says.
    pub(crate) fn is_hop_by_hop(self) -> bool {
        matches!(
            self,
            Self::Connection
                | Self::Http2Settings
                | Self::KeepAlive
                | Self::ProxyAuthenticate
                | Self::ProxyAuthenticationInfo
                | Self::ProxyAuthorization
                | Self::ProxyConnection
                | Self::Te
                | Self::TransferEncoding
                | Self::Upgrade
        )
    }
}

/// Compares with one name in lower case. Its length is known to the compiler, so that the comparison
/// is a few wide instructions instead of a loop over bytes.
#[inline]
fn is<const N: usize>(name: &[u8], lower: &[u8; N]) -> bool {
    let Ok(name) = <&[u8; N]>::try_from(name) else {
        return false;
    };
    let mut differences = 0;
    for (byte, lower) in name.iter().zip(lower) {
        // Only letters have two cases: in what is no letter the bit must be as it is.
        let case_bit = if lower.is_ascii_lowercase() { 0x20 } else { 0 };
        differences |= (byte | case_bit) ^ lower;
    }
    differences == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_are_known_in_every_case_and_no_others() {
        for (name, id) in [
            ("Host", HeaderName::Host),
            ("hOST", HeaderName::Host),
            ("te", HeaderName::Te),
            ("VIA", HeaderName::Via),
            ("Expect", HeaderName::Expect),
            ("trailer", HeaderName::Trailer),
            ("Upgrade", HeaderName::Upgrade),
            ("Connection", HeaderName::Connection),
            ("Keep-Alive", HeaderName::KeepAlive),
            ("user-agent", HeaderName::UserAgent),
            ("Content-Type", HeaderName::ContentType),
            ("Max-Forwards", HeaderName::MaxForwards),
            ("Content-Length", HeaderName::ContentLength),
            ("HTTP2-Settings", HeaderName::Http2Settings),
            ("Proxy-Connection", HeaderName::ProxyConnection),
            ("transfer-encoding", HeaderName::TransferEncoding),
            ("Proxy-Authenticate", HeaderName::ProxyAuthenticate),
            ("Proxy-Authorization", HeaderName::ProxyAuthorization),
            (
                "Proxy-Authentication-Info",
                HeaderName::ProxyAuthenticationInfo,
            ),
            ("", HeaderName::Other),
            ("Hosts", HeaderName::Other),
            ("Content_Length", HeaderName::Other),
            ("Transfer-Encodinh", HeaderName::Other),
        ] {
            assert_eq!(HeaderName::classify(name.as_bytes()), id, "{name}");
        }
    }

    #[test]
    fn a_name_with_one_other_byte_is_another_name() {
        for name in [
            "te",
            "via",
            "host",
            "date",
            "expect",
            "upgrade",
            "trailer",
            "connection",
            "user-agent",
            "keep-alive",
            "content-type",
            "max-forwards",
            "authorization",
            "content-length",
            "http2-settings",
            "proxy-connection",
            "www-authenticate",
            "transfer-encoding",
            "proxy-authenticate",
            "proxy-authorization",
            "proxy-authentication-info",
        ] {
            let id = HeaderName::classify(name.as_bytes());
            assert_ne!(id, HeaderName::Other, "{name}");
            for at in 0..name.len() {
                for byte in 0..=u8::MAX {
                    let mut other = name.as_bytes().to_vec();
                    other[at] = byte;
                    let is_same = other.eq_ignore_ascii_case(name.as_bytes());
                    assert_eq!(HeaderName::classify(&other) == id, is_same, "{other:?}");
                }
            }
        }
    }
}
