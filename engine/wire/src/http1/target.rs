//! Request targets and authorities (RFC 9112 section 3.2, RFC 3986 section 3.2).
//!
//! Stricter than the grammar: whatever two widespread parsers read as two
//! different hosts is refused. Names are not normalized here (that is the rule
//! language's business), nor are they looked up.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use thiserror::Error;

use super::method::MethodKind;
use crate::invariant::Invariant;

/// Why a target or an authority was refused. Always the client's fault: 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TargetError {
    /// The target is none of the four forms, or not the one its method needs.
    #[error("invalid request target")]
    Form,
    /// The scheme is not `http`, `https`, `ws` or `wss`.
    #[error("unsupported scheme in the request target")]
    Scheme,
    /// A fragment, whitespace, a control character or, over HTTP/2, what is no UTF-8 in the path.
    #[error("invalid character in the request target")]
    Path,
    /// `user@host`.
    #[error("user information in the authority")]
    Userinfo,
    /// Empty, too long, or with characters that no host name has.
    #[error("invalid host")]
    Host,
    /// Digits that some parsers read as an IPv4 address and others as a name,
    /// or as a different address: `127.1`, `0177.0.0.1`, `0x7f000001`.
    #[error("ambiguous numeric host")]
    AmbiguousAddress,
    /// Not 1 to 65535 in plain decimal.
    #[error("invalid port")]
    Port,
    /// CONNECT without a port.
    #[error("missing port")]
    PortMissing,
}

impl TargetError {
    /// The status to answer with.
    pub fn status(self) -> u16 {
        400
    }

    /// The cause in a few words, for the log and for the body of the answer.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Form => "invalid request target",
            Self::Scheme => "unsupported scheme in the request target",
            Self::Path => "invalid character in the request target",
            Self::Userinfo => "user information in the authority",
            Self::Host => "invalid host",
            Self::AmbiguousAddress => "ambiguous numeric host",
            Self::Port => "invalid port",
            Self::PortMissing => "missing port",
        }
    }
}

/// A scheme of an absolute target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `http`
    Http,
    /// `https`
    Https,
    /// `ws`
    Ws,
    /// `wss`
    Wss,
}

impl Scheme {
    fn classify(text: &[u8]) -> Result<Self, TargetError> {
        [Self::Http, Self::Https, Self::Ws, Self::Wss]
            .into_iter()
            .find(|scheme| text.eq_ignore_ascii_case(scheme.as_str().as_bytes()))
            .ok_or(TargetError::Scheme)
    }

    /// The port that is meant when none is written.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http | Self::Ws => 80,
            Self::Https | Self::Wss => 443,
        }
    }

    /// The scheme in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }
}

/// A host as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host<'a> {
    /// A name: letters, digits, `-`, `_`, `.`, and raw UTF-8 beyond ASCII. What
    /// mapping to ASCII makes of the latter must be judged again: full-width
    /// digits become an address.
    Domain(&'a str),
    /// Four plain decimal numbers.
    Ipv4(Ipv4Addr),
    /// In brackets, without a zone.
    Ipv6(Ipv6Addr),
}

/// Host and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// The host.
    pub host: Host<'a>,
    /// The host as written, without the brackets of an IPv6 address.
    pub host_text: &'a str,
    /// The port, when one is written.
    pub port: Option<u16>,
    /// All of it as written.
    pub text: &'a str,
}

impl<'a> Authority<'a> {
    /// Parses `host [":" port]`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, TargetError> {
        let parsed = match bytes {
            [b'[', ..] => Self::parse_bracketed(bytes),
            _ => Self::parse_plain(bytes),
        };
        parsed.map_err(|error| match memchr::memchr(b'@', bytes) {
            Some(_) => TargetError::Userinfo,
            None => error,
        })
    }

    fn parse_plain(bytes: &'a [u8]) -> Result<Self, TargetError> {
        let scanned = ScannedName::of(bytes).ok_or(TargetError::Host)?;
        let text = std::str::from_utf8(bytes).map_err(|_| TargetError::Host)?;
        let (host_text, rest) = text
            .split_at_checked(scanned.end)
            .ok_or(TargetError::Host)?;
        let port = parse_rest(rest)?;
        let last_label = host_text.get(scanned.last_label).or_broken("a label");
        let host = if is_numeric_label(last_label) {
            // With a final dot some read an address, some a name: refused.
            Host::Ipv4(
                host_text
                    .parse()
                    .map_err(|_| TargetError::AmbiguousAddress)?,
            )
        } else {
            Host::Domain(host_text)
        };
        Ok(Self {
            host,
            host_text,
            port,
            text,
        })
    }

    fn parse_bracketed(bytes: &'a [u8]) -> Result<Self, TargetError> {
        let text = std::str::from_utf8(bytes).map_err(|_| TargetError::Host)?;
        let inner = text.strip_prefix('[').ok_or(TargetError::Host)?;
        let (host_text, rest) = inner.split_once(']').ok_or(TargetError::Host)?;
        let address = host_text.parse().map_err(|_| TargetError::Host)?;
        Ok(Self {
            host: Host::Ipv6(address),
            host_text,
            port: parse_rest(rest)?,
            text,
        })
    }

    /// The port, or the scheme's.
    pub fn port_or_default(&self, scheme: Scheme) -> u16 {
        self.port.unwrap_or_else(|| scheme.default_port())
    }
}

/// The request target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestTarget<'a> {
    /// `http://host:port/path?query`
    Absolute {
        /// The scheme.
        scheme: Scheme,
        /// Host and port.
        authority: Authority<'a>,
        /// `/` when the target has neither path nor query (`*` for OPTIONS,
        /// RFC 9112 section 3.2.4); begins with `?` when it has a query only,
        /// which the encoder turns into `/?`.
        path_and_query: &'a [u8],
    },
    /// `host:port`, CONNECT only.
    Authority(Authority<'a>),
    /// `/path?query`
    Origin(&'a [u8]),
    /// `*`, OPTIONS only.
    Asterisk,
}

impl<'a> RequestTarget<'a> {
    /// Parses the target of a request with this method.
    pub fn parse(method: MethodKind, target: &'a [u8]) -> Result<Self, TargetError> {
        if method == MethodKind::Connect {
            let authority = Authority::parse(target)?;
            return match authority.port {
                Some(_) => Ok(Self::Authority(authority)),
                None => Err(TargetError::PortMissing),
            };
        }
        match target {
            [b'/', ..] => Ok(Self::Origin(check_path(target)?)),
            b"*" if method == MethodKind::Options => Ok(Self::Asterisk),
            _ => Self::parse_absolute(method, target),
        }
    }

    fn parse_absolute(method: MethodKind, target: &'a [u8]) -> Result<Self, TargetError> {
        let colon = memchr::memchr(b':', target).ok_or(TargetError::Form)?;
        let (scheme, rest) = target.split_at_checked(colon).ok_or(TargetError::Form)?;
        let rest = rest.strip_prefix(b"://").ok_or(TargetError::Form)?;
        let scheme = Scheme::classify(scheme)?;
        let end = memchr::memchr3(b'/', b'?', b'#', rest).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).ok_or(TargetError::Form)?;
        let path_and_query = match path {
            [] if method == MethodKind::Options => b"*",
            [] => b"/",
            _ => check_path(path)?,
        };
        Ok(Self::Absolute {
            scheme,
            authority: Authority::parse(authority)?,
            path_and_query,
        })
    }
}

/// Whether a `Host` value means the authority of an absolute target
/// (RFC 9112 section 3.2.2): same host whatever its case, same port with the
/// scheme's default in place of a missing one.
pub fn host_matches(target: &Authority<'_>, scheme: Scheme, host_value: &[u8]) -> bool {
    if host_value.eq_ignore_ascii_case(target.text.as_bytes()) {
        return true;
    }
    Authority::parse(host_value).is_ok_and(|host| {
        same_host(target, &host) && host.port_or_default(scheme) == target.port_or_default(scheme)
    })
}

/// The same for CONNECT, where many clients leave out the port in `Host`.
pub fn connect_host_matches(target: &Authority<'_>, host_value: &[u8]) -> bool {
    if host_value.eq_ignore_ascii_case(target.text.as_bytes()) {
        return true;
    }
    Authority::parse(host_value).is_ok_and(|host| {
        same_host(target, &host) && (host.port.is_none() || host.port == target.port)
    })
}

fn same_host(a: &Authority<'_>, b: &Authority<'_>) -> bool {
    match (a.host, b.host) {
        (Host::Domain(a), Host::Domain(b)) => a.eq_ignore_ascii_case(b),
        (a, b) => a == b,
    }
}

/// What follows the host: nothing, or a colon and a port.
fn parse_rest(rest: &str) -> Result<Option<u16>, TargetError> {
    match rest.strip_prefix(':') {
        Some(port) => parse_port(port).map(Some),
        None if rest.is_empty() => Ok(None),
        None => Err(TargetError::Host),
    }
}

/// RFC 3986 section 3.2.3, without the empty port and without leading zeros.
fn parse_port(text: &str) -> Result<u16, TargetError> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) || text.starts_with('0') {
        return Err(TargetError::Port);
    }
    text.parse().map_err(|_| TargetError::Port)
}

/// Longest name, without the root's dot (RFC 1035 section 2.3.4).
const NAME_BYTES_MAX: usize = 253;
/// Longest label.
const LABEL_BYTES_MAX: usize = 63;

/// A name at the start of an authority, found in one pass.
struct ScannedName {
    end: usize,
    /// The last label that is not empty.
    last_label: Range<usize>,
}

impl ScannedName {
    /// The longest run of bytes that names have; `None` when that is no name.
    fn of(bytes: &[u8]) -> Option<Self> {
        let mut end = bytes.len();
        let mut label_start = 0;
        let mut last_label = 0..0;
        let mut label_bytes_max = 0;
        let mut is_ascii = true;
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => {}
                b'.' if at == label_start => return None,
                b'.' => {
                    last_label = label_start..at;
                    label_bytes_max = last_label.len().max(label_bytes_max);
                    label_start = at + 1;
                }
                0x80.. => is_ascii = false,
                _ => {
                    end = at;
                    break;
                }
            }
        }
        // Otherwise there is nothing at all, or the root's dot.
        if label_start < end {
            last_label = label_start..end;
            label_bytes_max = last_label.len().max(label_bytes_max);
        }
        // Labels beyond ASCII change their length when they are mapped.
        let fits = last_label.end <= NAME_BYTES_MAX
            && (label_bytes_max <= LABEL_BYTES_MAX || !is_ascii)
            && !last_label.is_empty();
        fits.then_some(Self { end, last_label })
    }
}

/// Whether `inet_aton` and its like would take a host that ends in this label
/// for an address: all digits, or `0x` and hexadecimal digits.
fn is_numeric_label(label: &str) -> bool {
    match label.as_bytes() {
        [b'0', b'x' | b'X', hex @ ..] => hex.iter().all(u8::is_ascii_hexdigit),
        digits => digits.iter().all(u8::is_ascii_digit),
    }
}

/// No whitespace, no control characters, no fragment (RFC 9112 section 3.2.1).
/// Bytes beyond ASCII pass: browsers never send them, other clients do.
fn check_path(path: &[u8]) -> Result<&[u8], TargetError> {
    let is_valid = |byte: &u8| *byte > b' ' && *byte != 0x7f && *byte != b'#';
    if path.iter().all(is_valid) {
        Ok(path)
    } else {
        Err(TargetError::Path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities() {
        for (text, host, port) in [
            ("example.com", Host::Domain("example.com"), None),
            ("EXAMPLE.com:8080", Host::Domain("EXAMPLE.com"), Some(8080)),
            ("example.com.", Host::Domain("example.com."), None),
            ("a_b-c.d", Host::Domain("a_b-c.d"), None),
            ("localhost", Host::Domain("localhost"), None),
            (
                "b\u{fc}cher.example",
                Host::Domain("b\u{fc}cher.example"),
                None,
            ),
            ("1.2.3.4.example", Host::Domain("1.2.3.4.example"), None),
            ("1e3", Host::Domain("1e3"), None),
            ("a.0xfg", Host::Domain("a.0xfg"), None),
            ("127.0.0.1:1", Host::Ipv4(Ipv4Addr::LOCALHOST), Some(1)),
            ("[::1]:65535", Host::Ipv6(Ipv6Addr::LOCALHOST), Some(65535)),
            (
                "[::ffff:1.2.3.4]",
                Host::Ipv6(Ipv4Addr::new(1, 2, 3, 4).to_ipv6_mapped()),
                None,
            ),
        ] {
            let authority = Authority::parse(text.as_bytes()).expect(text);
            assert_eq!(
                (authority.host, authority.port, authority.text),
                (host, port, text)
            );
        }
        let long = format!("{}.{}", "a".repeat(63), "b.".repeat(94));
        assert_eq!(long.len(), 252);
        assert!(
            Authority::parse(format!("{long}cc.").as_bytes()).is_err(),
            "254 bytes"
        );
        assert!(
            Authority::parse(format!("{long}c.").as_bytes()).is_ok(),
            "253 and the root's dot"
        );
        assert_eq!(
            Authority::parse(b"[::1]").expect("an address").host_text,
            "::1"
        );
    }

    #[test]
    fn authorities_that_are_refused() {
        let label = "a".repeat(64);
        let cases: &[(&[u8], TargetError)] = &[
            (b"", TargetError::Host),
            (b".", TargetError::Host),
            (b":80", TargetError::Host),
            (b".a", TargetError::Host),
            (b"a..b", TargetError::Host),
            (b"a..", TargetError::Host),
            (b"a b", TargetError::Host),
            (b"a%2eb", TargetError::Host),
            (b"a\\b", TargetError::Host),
            (b"a\0", TargetError::Host),
            (b"a\xff", TargetError::Host),
            (b"a/b", TargetError::Host),
            (b"*", TargetError::Host),
            (label.as_bytes(), TargetError::Host),
            (b"[::1", TargetError::Host),
            (b"[::1]x", TargetError::Host),
            (b"[fe80::1%eth0]", TargetError::Host),
            (b"[fe80::1%25eth0]", TargetError::Host),
            (b"[v1.x]", TargetError::Host),
            (b"[1.2.3.4]", TargetError::Host),
            (b"user@a", TargetError::Userinfo),
            (b"user:pass@a", TargetError::Userinfo),
            (b"@a", TargetError::Userinfo),
            (b"::1", TargetError::Host),
            (b"a:", TargetError::Port),
            (b"a:0", TargetError::Port),
            (b"a:080", TargetError::Port),
            (b"a:65536", TargetError::Port),
            (b"a:+80", TargetError::Port),
            (b"a:80:80", TargetError::Port),
            (b"a:80 ", TargetError::Port),
            (b"127.1", TargetError::AmbiguousAddress),
            (b"127.0.1", TargetError::AmbiguousAddress),
            (b"0177.0.0.1", TargetError::AmbiguousAddress),
            (b"127.0.0.01", TargetError::AmbiguousAddress),
            (b"127.0.0.1.", TargetError::AmbiguousAddress),
            (b"0x7f.0.0.1", TargetError::AmbiguousAddress),
            (b"0x7f000001", TargetError::AmbiguousAddress),
            (b"0X7F.0x1", TargetError::AmbiguousAddress),
            (b"0x", TargetError::AmbiguousAddress),
            (b"2130706433", TargetError::AmbiguousAddress),
            (b"017700000001", TargetError::AmbiguousAddress),
            (b"256.1.1.1", TargetError::AmbiguousAddress),
            (b"1.2.3.4.5", TargetError::AmbiguousAddress),
            (b"example.1", TargetError::AmbiguousAddress),
        ];
        for (bytes, error) in cases {
            assert_eq!(
                Authority::parse(bytes),
                Err(*error),
                "{}",
                bytes.escape_ascii()
            );
        }
    }

    /// Scheme, authority and path, or the error.
    fn absolute(method: MethodKind, target: &str) -> String {
        match RequestTarget::parse(method, target.as_bytes()) {
            Ok(RequestTarget::Absolute {
                scheme,
                authority,
                path_and_query,
            }) => {
                let path = path_and_query.escape_ascii();
                format!("{} {} {path}", scheme.as_str(), authority.text)
            }
            Ok(other) => format!("{other:?}"),
            Err(error) => error.reason().to_owned(),
        }
    }

    #[test]
    fn absolute_targets() {
        for (target, expected) in [
            ("http://a", "http a /"),
            ("HTTP://a:80/", "http a:80 /"),
            ("https://a/b?c=d", "https a /b?c=d"),
            ("ws://a/b", "ws a /b"),
            ("http://a?x", "http a ?x"),
            ("http://[::1]:8/x", "http [::1]:8 /x"),
            ("http://a//b/../c", "http a //b/../c"),
            ("http://a/@b:c", "http a /@b:c"),
            ("http://a/b#c", "invalid character in the request target"),
            ("http://a#c", "invalid character in the request target"),
            ("http://a/b\tc", "invalid character in the request target"),
            ("http://u@a/", "user information in the authority"),
            ("http:///x", "invalid host"),
            ("http://", "invalid host"),
            ("http://a\\@b/", "user information in the authority"),
            ("http://a\\b/", "invalid host"),
            ("http://0x7f.1/", "ambiguous numeric host"),
            ("ftp://a/", "unsupported scheme in the request target"),
            ("://a/", "unsupported scheme in the request target"),
            ("http:a", "invalid request target"),
            ("http:/a", "invalid request target"),
            ("a/b", "invalid request target"),
            ("a:80", "invalid request target"),
            ("*", "invalid request target"),
            ("", "invalid request target"),
            ("?x", "invalid request target"),
        ] {
            assert_eq!(absolute(MethodKind::Get, target), expected, "{target}");
        }
        assert_eq!(absolute(MethodKind::Options, "http://a"), "http a *");
        assert_eq!(absolute(MethodKind::Options, "http://a/"), "http a /");
        assert_eq!(absolute(MethodKind::Options, "http://a?x"), "http a ?x");
    }

    #[test]
    fn the_other_forms_belong_to_their_methods() {
        let parse = |method, target: &'static str| RequestTarget::parse(method, target.as_bytes());
        assert_eq!(
            parse(MethodKind::Get, "/a?b"),
            Ok(RequestTarget::Origin(b"/a?b"))
        );
        assert_eq!(parse(MethodKind::Get, "/a#b"), Err(TargetError::Path));
        assert_eq!(parse(MethodKind::Options, "*"), Ok(RequestTarget::Asterisk));
        assert!(matches!(
            parse(MethodKind::Connect, "a:443"),
            Ok(RequestTarget::Authority(Authority {
                port: Some(443),
                ..
            }))
        ));
        assert_eq!(
            parse(MethodKind::Connect, "a"),
            Err(TargetError::PortMissing)
        );
        assert_eq!(
            parse(MethodKind::Connect, "[::1]"),
            Err(TargetError::PortMissing)
        );
        assert_eq!(parse(MethodKind::Connect, "/"), Err(TargetError::Host));
        assert!(parse(MethodKind::Connect, "http://a:443/").is_err());
        assert!(parse(MethodKind::Connect, "a:443/").is_err());
        assert_eq!(
            parse(MethodKind::Connect, "u@a:443"),
            Err(TargetError::Userinfo)
        );
    }

    #[test]
    fn host_fields_that_mean_the_target() {
        let matches = |target: &str, scheme, host: &str| {
            let target = Authority::parse(target.as_bytes()).expect(target);
            host_matches(&target, scheme, host.as_bytes())
        };
        assert!(matches("a.example", Scheme::Http, "A.example"));
        assert!(matches("a:80", Scheme::Http, "a"));
        assert!(matches("a", Scheme::Https, "a:443"));
        assert!(matches("[::1]", Scheme::Http, "[0:0::1]:80"));
        assert!(!matches("a", Scheme::Http, "a:443"));
        assert!(!matches("a:8080", Scheme::Http, "a"));
        assert!(!matches("a", Scheme::Http, "b"));
        assert!(!matches("a", Scheme::Http, "a."));
        assert!(!matches("a", Scheme::Http, ""));
        assert!(!matches("1.2.3.4", Scheme::Http, "1.2.3.5"));

        let target = Authority::parse(b"a:8443").expect("an authority");
        assert!(connect_host_matches(&target, b"A:8443"));
        assert!(connect_host_matches(&target, b"A"));
        assert!(!connect_host_matches(&target, b"a:443"));
        assert!(!connect_host_matches(&target, b"b:8443"));
    }
}
