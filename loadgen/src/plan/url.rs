//! http and https URLs, as far as a load generator needs them.

use crate::error::LoadError;

/// The two schemes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A URL without user information; the fragment is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) scheme: Scheme,
    /// Name or address; IPv6 without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// Path and query, at least `/`.
    pub(super) path: String,
}

impl Url {
    pub(super) fn parse(text: &str) -> Result<Self, LoadError> {
        let wrong = |reason| LoadError::Url {
            url: text.to_owned(),
            reason,
        };
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(wrong(
                "white space or control characters do not belong into a URL",
            ));
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("no scheme"))?;
        let scheme = match scheme {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(wrong("only http and https are spoken here")),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let split = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(split);
        if authority.contains('@') {
            return Err(wrong("user information is not supported"));
        }
        let (host, port) = split_port(authority);
        let port = match port {
            None => scheme.default_port(),
            Some(digits) => digits
                .parse()
                .map_err(|_| wrong("the port is not a number"))?,
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(wrong("no host"));
        }
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        Ok(Self {
            scheme,
            host: host.to_owned(),
            port,
            path,
        })
    }

    /// Host and port as in a CONNECT target: IPv6 in brackets, the port always there.
    pub(super) fn authority(&self) -> String {
        format!("{}:{}", self.bracketed_host(), self.port)
    }

    /// Value of the `Host` field: the port only where it is not the default.
    pub(super) fn host_field(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.bracketed_host()
        } else {
            self.authority()
        }
    }

    fn bracketed_host(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        }
    }
}

/// Splits `host:port`; the colons of an address in brackets are not ports.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !host.starts_with('[') || host.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Option<(String, u16, String, String)> {
        let url = Url::parse(text).ok()?;
        Some((
            url.host.clone(),
            url.port,
            url.path.clone(),
            url.host_field(),
        ))
    }

    fn parts(
        host: &str,
        port: u16,
        path: &str,
        field: &str,
    ) -> Option<(String, u16, String, String)> {
        Some((host.to_owned(), port, path.to_owned(), field.to_owned()))
    }

    #[test]
    fn parses() {
        assert_eq!(check("http://a.test"), parts("a.test", 80, "/", "a.test"));
        assert_eq!(
            check("https://a.test:443/x?y#z"),
            parts("a.test", 443, "/x?y", "a.test")
        );
        assert_eq!(
            check("http://a:8080?q=1"),
            parts("a", 8080, "/?q=1", "a:8080")
        );
        assert_eq!(check("http://[::1]:81/"), parts("::1", 81, "/", "[::1]:81"));
        assert_eq!(check("https://[::1]/"), parts("::1", 443, "/", "[::1]"));
    }

    #[test]
    fn refuses() {
        for wrong in [
            "a.test",
            "ftp://a/",
            "http://",
            "http://a:x/",
            "http://u@a/",
            "http://a/ b",
        ] {
            assert_eq!(check(wrong), None, "{wrong}");
        }
    }
}
