//! One `host:port`.

use std::net::IpAddr;

use super::super::book::{Target, port};
use super::unsupported::Unsupported;

/// Where, and through which port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) target: Target,
    /// `None`: every port.
    pub(super) port: Option<String>,
    /// No port was given, and this one is meant.
    pub(super) is_port_assumed: bool,
}

/// Reads `host:port`, `host`, `[address]:port`, `scheme://host[:port]`; a host may begin with `*.`.
///
/// # Errors
/// Why it is none of them.
pub(super) fn read(text: &str) -> Result<Endpoint, Unsupported> {
    let (scheme, rest) = text
        .split_once("://")
        .map_or(("", text), |(scheme, rest)| (scheme, rest));
    let of_scheme = match scheme {
        "" => None,
        "http" | "ws" => Some("80"),
        "https" | "wss" => Some("443"),
        other => return Err(Unsupported::Scheme(other.to_owned())),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, given) = split(authority, path)?;
    if let Some(path) = path
        .strip_prefix("")
        .filter(|path| !path.is_empty() && !is_prefix(authority, path))
    {
        return Err(Unsupported::Path(path.to_owned()));
    }
    let target = target(&host)?;
    let port = match given {
        None => of_scheme.map(str::to_owned),
        Some("*") => {
            return Ok(Endpoint {
                target,
                port: None,
                is_port_assumed: false,
            });
        }
        Some(text) => Some(port(text).ok_or_else(|| Unsupported::Port(text.to_owned()))?),
    };
    Ok(Endpoint {
        target,
        is_port_assumed: port.is_none(),
        port: port.or_else(|| Some("443".to_owned())),
    })
}

/// `10.0.0.0/8` and `10.0.0.0/8:443` have a slash too.
fn is_prefix(authority: &str, path: &str) -> bool {
    let length = path.split(':').next().unwrap_or("");
    authority.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() && length.parse::<u8>().is_ok()
}

/// The host, and the port if one is given.
fn split<'t>(authority: &'t str, path: &'t str) -> Result<(String, Option<&'t str>), Unsupported> {
    if is_prefix(authority, path) {
        let (length, port) = path
            .split_once(':')
            .map_or((path, None), |(length, port)| (length, Some(port)));
        return Ok((format!("{authority}/{length}"), port));
    }
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or(Unsupported::OpenBracket)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host.to_owned(), Some(port))),
            None if after.is_empty() => Ok((host.to_owned(), None)),
            None => Err(Unsupported::BehindAddress(after.to_owned())),
        };
    }
    if authority.parse::<IpAddr>().is_ok() {
        return Ok((authority.to_owned(), None));
    }
    Ok(match authority.rsplit_once(':') {
        Some((host, port)) => (host.to_owned(), Some(port)),
        None => (authority.to_owned(), None),
    })
}

fn target(host: &str) -> Result<Target, Unsupported> {
    if host == "*" {
        return Ok(Target::Any);
    }
    let address = host.split('/').next().unwrap_or("");
    if address.parse::<IpAddr>().is_ok() {
        return Ok(Target::Network(host.to_owned()));
    }
    if let Some(rest) = host.strip_prefix('.') {
        return Ok(Target::Like(format!("*.{rest}")));
    }
    match host.strip_prefix("*.") {
        Some(rest) if !rest.contains('*') => Ok(Target::Like(host.to_owned())),
        None if !host.contains('*') && !host.is_empty() => Ok(Target::Exact(host.to_owned())),
        _ => Err(Unsupported::Host(host.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        let exact = |name: &str| Target::Exact(name.to_owned());
        let network = |text: &str| Target::Network(text.to_owned());
        for (text, target, port) in [
            ("a.test:443", exact("a.test"), Some("443")),
            ("a.test", exact("a.test"), Some("443")),
            ("a.test:*", exact("a.test"), None),
            ("http://a.test/", exact("a.test"), Some("80")),
            ("https://a.test:8443", exact("a.test"), Some("8443")),
            (
                "*.a.test:80",
                Target::Like("*.a.test".to_owned()),
                Some("80"),
            ),
            ("192.0.2.1:22", network("192.0.2.1"), Some("22")),
            ("10.0.0.0/8:443", network("10.0.0.0/8"), Some("443")),
            ("[2001:db8::1]:443", network("2001:db8::1"), Some("443")),
            ("2001:db8::1", network("2001:db8::1"), Some("443")),
            ("a.test:8000-8100", exact("a.test"), Some("8000-8100")),
        ] {
            let found = read(text).unwrap();
            assert_eq!(
                (found.target, found.port.as_deref()),
                (target, port),
                "{text}"
            );
        }
        for text in [
            "a.test/path",
            "https://a.test/path",
            "a.test:x",
            "a.test:0",
            "ftp://a.test",
            "a*b.test:1",
            ":443",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
