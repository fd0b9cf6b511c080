//! URLs, hosts, and hosts with ports: read from text, and brought into the normal form that
//! requests have, by the code that writes it for them ([`Composed`]).

use std::net::IpAddr;

use sallyport_ruleset::normalize::{DomainError, normalize_domain, normalize_uri};
use sallyport_ruleset::{Composed, UrlScheme};

use super::BadValue;
use crate::diagnostic::Code;

/// What stands before `://`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    fn parse(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "http" => Self::Http,
            "https" => Self::Https,
            "ws" => Self::Ws,
            "wss" => Self::Wss,
            _ => return None,
        })
    }

    /// Whether TLS is spoken.
    #[must_use]
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Wss)
    }

    /// As in `request:Url`.
    #[must_use]
    pub const fn of_url(self) -> UrlScheme {
        if self.is_tls() {
            UrlScheme::Https
        } else {
            UrlScheme::Http
        }
    }

    const fn default_port(self) -> u16 {
        if self.is_tls() { 443 } else { 80 }
    }
}

/// Why a text is no URL of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// There is no `://`.
    #[error("it has no scheme")]
    NoScheme,
    /// What stands before `://` is another word.
    #[error("the scheme is not http, https, ws or wss")]
    UnknownScheme,
    /// Something stands before an `@`.
    #[error("it has user information, which proxies are not sent")]
    UserInformation,
    /// A bracket is missing, or the port is no number that ports have.
    #[error("its host or port is malformed")]
    MalformedAuthority,
    /// The host is neither an address nor a name.
    #[error(transparent)]
    Host(#[from] DomainError),
}

/// A name in normal form, or an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A name.
    Domain(String),
    /// An address.
    Address(IpAddr),
}

impl Host {
    /// Reads one; an IPv6 address with or without its brackets.
    ///
    /// # Errors
    /// When it is no address, why it is no name either.
    pub fn parse(text: &str) -> Result<Self, DomainError> {
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(text);
        if let Ok(address) = bare.parse() {
            return Ok(Self::Address(address));
        }
        let mut scratch = String::new();
        normalize_domain(text, &mut scratch).map(|name| Self::Domain(name.to_owned()))
    }

    /// As facts take it.
    #[must_use]
    pub fn parts(&self) -> sallyport_ruleset::Host<'_> {
        match self {
            Self::Domain(name) => sallyport_ruleset::Host::Name(name),
            Self::Address(address) => sallyport_ruleset::Host::Address(*address),
        }
    }
}

/// The parts of a URL that rules look at (RFC 3986 section 3).
#[derive(Debug)]
pub struct Url {
    /// Its scheme.
    pub scheme: Scheme,
    /// Host and port as they are written.
    pub authority: String,
    /// The host in normal form.
    pub host: Host,
    /// The port, that of the scheme if none is written.
    pub port: u16,
    /// Path and query in normal form.
    pub uri: Vec<u8>,
}

impl Url {
    /// Reads one without user information; a fragment is dropped.
    ///
    /// # Errors
    /// See [`UrlError`].
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::NoScheme)?;
        let scheme = Scheme::parse(scheme).ok_or(UrlError::UnknownScheme)?;
        let rest = rest.split('#').next().unwrap_or(rest);
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(UrlError::UserInformation);
        }
        let (host, port) = split_port(authority).ok_or(UrlError::MalformedAuthority)?;
        let mut uri = Vec::new();
        normalize_uri(path.as_bytes(), &mut uri);
        Ok(Self {
            scheme,
            authority: authority.to_owned(),
            host: Host::parse(host)?,
            port: port.unwrap_or_else(|| scheme.default_port()),
            uri,
        })
    }

    /// As facts take it.
    #[must_use]
    pub fn parts(&self) -> Composed<'_> {
        Composed::Url {
            scheme: self.scheme.of_url(),
            host: self.host.parts(),
            port: self.port,
            uri: &self.uri,
        }
    }
}

/// Host, without the brackets of an IPv6 address, and port.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    match port.strip_prefix(':') {
        None if port.is_empty() => Some((host, None)),
        Some("") => Some((host, None)),
        Some(port) => port.parse().ok().map(|port| (host, Some(port))),
        None => None,
    }
}

/// A value of `request:DestinationHost` in the form that hosts of requests have, into `out`.
///
/// # Errors
/// When it is neither a name nor an address.
pub(super) fn host_value(value: &str, out: &mut Vec<u8>) -> Result<(), BadValue> {
    let host = Host::parse(value).map_err(|why| {
        let message = format!("`{value}` is no host: {why}");
        BadValue::new(
            Code::BadUrl,
            message,
            "a name or an address such as `example.com`, `192.0.2.1`, `[2001:db8::1]`",
        )
    })?;
    Composed::Host(host.parts()).text(out);
    Ok(())
}

/// The same of `request:Authority`.
///
/// # Errors
/// When it is no host with a port.
pub(super) fn authority_value(value: &str, out: &mut Vec<u8>) -> Result<(), BadValue> {
    let bad = |why: &str| {
        let message = format!("`{value}` is no host with a port: {why}");
        BadValue::new(Code::BadUrl, message, "one such as `example.com:443`")
    };
    let (host, port) = split_port(value).ok_or_else(|| bad("host or port is malformed"))?;
    let port = port.ok_or_else(|| bad("it has no port"))?;
    let host = Host::parse(host).map_err(|why| bad(&why.to_string()))?;
    Composed::Authority(host.parts(), port).text(out);
    Ok(())
}

/// The same of `request:Url`.
///
/// # Errors
/// When it is neither a URL nor a host with a port.
pub(super) fn url_value(value: &str, out: &mut Vec<u8>) -> Result<(), BadValue> {
    if !value.contains("://") {
        return authority_value(value, out).map_err(|bad| {
            let message = format!("`{value}` is no URL: it has no scheme");
            BadValue::new(
                bad.code,
                message,
                "one such as `https://example.com/path?query`, or `example.com:443` for a tunnel",
            )
        });
    }
    let url = Url::parse(value).map_err(|why| {
        let message = format!("`{value}` is no URL of a request: {why}");
        BadValue::new(
            Code::BadUrl,
            message,
            "one such as `https://example.com/path?query`",
        )
    })?;
    if matches!(url.scheme, Scheme::Ws | Scheme::Wss) {
        let message = format!("`{value}` is no URL of a request");
        let scheme = if url.scheme.is_tls() { "https" } else { "http" };
        return Err(BadValue::new(
            Code::BadUrl,
            message,
            format!("one that begins with `{scheme}://`"),
        )
        .help("a WebSocket is opened by an HTTP request; `request:Protocol` tells it apart"));
    }
    url.parts().text(out);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Result<(String, u16, String), UrlError> {
        Url::parse(text).map(|url| {
            let host = match url.host {
                Host::Domain(name) => name,
                Host::Address(address) => address.to_string(),
            };
            (host, url.port, String::from_utf8(url.uri).unwrap())
        })
    }

    fn parts(host: &str, port: u16, uri: &str) -> Result<(String, u16, String), UrlError> {
        Ok((host.to_owned(), port, uri.to_owned()))
    }

    #[test]
    fn urls() {
        assert_eq!(url("http://Example.COM"), parts("example.com", 80, "/"));
        assert_eq!(
            url("https://x.test:8443/a/../b?q#f"),
            parts("x.test", 8443, "/b?q")
        );
        assert_eq!(url("wss://[::1]:9/?q"), parts("::1", 9, "/?q"));
        assert_eq!(url("http://10.0.0.1:/"), parts("10.0.0.1", 80, "/"));
        for (bad, why) in [
            ("x.test", UrlError::NoScheme),
            ("ftp://x.test", UrlError::UnknownScheme),
            ("http://", UrlError::Host(DomainError::Empty)),
            ("http://u@x.test/", UrlError::UserInformation),
            ("http://x.test:y/", UrlError::MalformedAuthority),
            ("http://0x7f.1/", UrlError::Host(DomainError::IpLiteral)),
            ("http://[::1/", UrlError::MalformedAuthority),
        ] {
            assert_eq!(url(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn values_have_the_form_of_requests() {
        type Normalize = fn(&str, &mut Vec<u8>) -> Result<(), BadValue>;
        let check = |normalize: Normalize, value: &str| {
            let mut out = Vec::new();
            let result = normalize(value, &mut out);
            result.map_or_else(|bad| bad.message, |()| String::from_utf8(out).unwrap())
        };
        for (value, normal) in [
            ("A.Test.", "a.test"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:DB8::1", "[2001:db8::1]"),
            ("[2001:DB8::1]", "[2001:db8::1]"),
            (
                "a b",
                "`a b` is no host: it has a character that no name has",
            ),
        ] {
            let found = check(host_value, value);
            assert!(
                found == normal || found.starts_with("`a b` is no host"),
                "{found}"
            );
        }
        assert_eq!(check(authority_value, "A.Test:443"), "a.test:443");
        assert!(check(authority_value, "a.test").contains("no port"));
        for (value, normal) in [
            ("HTTP://A.Test:80/%7ex", "http://a.test/~x"),
            ("https://a.test:8443?q", "https://a.test:8443/?q"),
            ("A.test:443", "a.test:443"),
        ] {
            assert_eq!(check(url_value, value), normal);
        }
        assert!(check(url_value, "a.test/x").contains("no scheme"));
        assert!(check(url_value, "wss://a.test/").contains("no URL of a request"));
    }
}
