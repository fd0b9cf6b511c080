//! The URL of a request as people write it, taken apart.

use std::net::IpAddr;

use sallyport_ruleset::normalize::{normalize_domain, normalize_uri};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
    Ws,
    Wss,
}

#[derive(Debug)]
pub(super) enum Host {
    Domain(String),
    Address(IpAddr),
}

/// The parts of a URL that rules look at.
pub(super) struct Url {
    pub(super) scheme: Scheme,
    pub(super) authority: String,
    pub(super) host: Host,
    pub(super) port: u16,
    /// Path and query in their normal form.
    pub(super) uri: Vec<u8>,
}

impl Url {
    /// The parts that rules look at (RFC 3986 section 3); no user information, no fragment.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let bad = |why: &str| format!("`{text}` is not a URL to explain: {why}");
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| bad("it has no scheme"))?;
        let (scheme, default_port) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (Scheme::Http, 80),
            "https" => (Scheme::Https, 443),
            "ws" => (Scheme::Ws, 80),
            "wss" => (Scheme::Wss, 443),
            _ => return Err(bad("the scheme is not http, https, ws or wss")),
        };
        let rest = rest.split('#').next().unwrap_or(rest);
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(bad("it has user information, which proxies are not sent"));
        }
        let (host, port) =
            split_port(authority).ok_or_else(|| bad("its host or port is malformed"))?;
        let host = parse_host(host).map_err(|why| bad(&why))?;
        let mut uri = Vec::new();
        normalize_uri(path.as_bytes(), &mut uri);
        Ok(Self {
            scheme,
            authority: authority.to_owned(),
            host,
            port: port.unwrap_or(default_port),
            uri,
        })
    }
}

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

fn parse_host(host: &str) -> Result<Host, String> {
    if let Ok(address) = host.parse() {
        return Ok(Host::Address(address));
    }
    let mut scratch = String::new();
    normalize_domain(host, &mut scratch)
        .map(|name| Host::Domain(name.to_owned()))
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Result<(String, u16, String), String> {
        Url::parse(text).map(|url| {
            let host = match url.host {
                Host::Domain(name) => name,
                Host::Address(address) => address.to_string(),
            };
            (host, url.port, String::from_utf8(url.uri).unwrap())
        })
    }

    fn parts(host: &str, port: u16, uri: &str) -> Result<(String, u16, String), String> {
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
        for bad in [
            "x.test",
            "ftp://x.test",
            "http://",
            "http://u@x.test/",
            "http://x.test:y/",
            "http://0x7f.1/",
            "http://[::1/",
        ] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }
}
