//! Request targets and authorities (RFC 9112 section 3.2, RFC 3986 section 3.2).
//!
//! Stricter than the grammar: whatever two widespread parsers read as two
//! different hosts is refused. Names are not normalized here (that is the rule
//! language's business), nor are they looked up.

use std::net::{Ipv4Addr, Ipv6Addr};

use thiserror::Error;

use super::request_head::MethodKind;

/// Why a target or an authority was refused. Always the client's fault: 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TargetError {
    /// The target is none of the four forms, or not the one its method needs.
    #[error("invalid request target")]
    Form,
    /// The scheme is not `http`, `https`, `ws` or `wss`.
    #[error("unsupported scheme in the request target")]
    Scheme,
    /// A fragment, whitespace or a control character in the path.
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
        let text = std::str::from_utf8(bytes).map_err(|_| TargetError::Host)?;
        if memchr::memchr(b'@', bytes).is_some() {
            return Err(TargetError::Userinfo);
        }
        if let Some(rest) = text.strip_prefix('[') {
            let (host_text, rest) = rest.split_once(']').ok_or(TargetError::Host)?;
            let address = host_text.parse().map_err(|_| TargetError::Host)?;
            let port = match rest.strip_prefix(':') {
                Some(port) => Some(parse_port(port)?),
                None if rest.is_empty() => None,
                None => return Err(TargetError::Host),
            };
            return Ok(Self {
                host: Host::Ipv6(address),
                host_text,
                port,
                text,
            });
        }
        let (host_text, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(parse_port(port)?)),
            None => (text, None),
        };
        Ok(Self {
            host: parse_host(host_text)?,
            host_text,
            port,
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

fn parse_host(text: &str) -> Result<Host<'_>, TargetError> {
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(TargetError::Host);
    }
    let mut label_bytes = 0;
    for byte in name.bytes() {
        match byte {
            b'.' if label_bytes == 0 => return Err(TargetError::Host),
            b'.' => label_bytes = 0,
            // Labels beyond ASCII change their length when they are mapped.
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | 0x80.. => label_bytes += 1,
            _ => return Err(TargetError::Host),
        }
        if label_bytes > LABEL_BYTES_MAX && name.is_ascii() {
            return Err(TargetError::Host);
        }
    }
    if label_bytes == 0 {
        return Err(TargetError::Host);
    }
    let last_label = name.rsplit('.').next().unwrap_or(name);
    if !is_numeric_label(last_label) {
        return Ok(Host::Domain(text));
    }
    // `text`, not `name`: with a final dot some read an address, some a name.
    match text.parse() {
        Ok(address) => Ok(Host::Ipv4(address)),
        Err(_) => Err(TargetError::AmbiguousAddress),
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
