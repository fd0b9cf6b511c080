//! http and https URLs, as far as a load generator needs them. Parsing is the `url` crate's (WHATWG): as
//! a browser does, it resolves `.` and `..`, encodes what has no place in a URL, and writes names in
//! ASCII.

use url::Host;

/// The two schemes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

/// A URL without user information; the fragment is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) scheme: Scheme,
    /// Name or address; IPv6 without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    is_default_port: bool,
    /// Path and query, at least `/`.
    pub(super) path: String,
}

/// A text is no URL that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}: {fault}")]
pub(super) struct UrlError {
    /// As it was written.
    text: String,
    fault: UrlFault,
}

/// What is wrong with a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum UrlFault {
    #[error("white space or control characters do not belong into a URL")]
    Character,
    #[error("no scheme, such as in http://a.test/")]
    NoScheme,
    #[error(transparent)]
    Syntax(#[from] url::ParseError),
    #[error("only http and https are spoken here")]
    Scheme,
    #[error("user information is not supported")]
    UserInformation,
    #[error("no host")]
    NoHost,
    #[error("no port to connect to")]
    NoPort,
}

impl Url {
    pub(super) fn parse(text: &str) -> Result<Self, UrlError> {
        Self::read(text).map_err(|fault| UrlError {
            text: text.to_owned(),
            fault,
        })
    }

    fn read(text: &str) -> Result<Self, UrlFault> {
        // The crate would drop some and encode others.
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(UrlFault::Character);
        }
        // `host:port` alone would be read as a scheme and what follows it.
        if !text.contains("://") {
            return Err(UrlFault::NoScheme);
        }
        let url = url::Url::parse(text)?;
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(UrlFault::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlFault::UserInformation);
        }
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return Err(UrlFault::NoHost),
        };
        let port = url.port_or_known_default().filter(|port| *port != 0);
        let query = url
            .query()
            .map_or_else(String::new, |query| format!("?{query}"));
        Ok(Self {
            scheme,
            host,
            port: port.ok_or(UrlFault::NoPort)?,
            is_default_port: url.port().is_none(),
            path: format!("{}{query}", url.path()),
        })
    }

    /// Host and port as in a CONNECT target: IPv6 in brackets, the port always there.
    pub(super) fn authority(&self) -> String {
        format!("{}:{}", self.bracketed_host(), self.port)
    }

    /// Value of the `Host` field: the port only where it is not the default.
    pub(super) fn host_field(&self) -> String {
        if self.is_default_port {
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
        assert_eq!(
            check("HTTP://Bücher.test/ä/../é%2F?x=%41"),
            parts(
                "xn--bcher-kva.test",
                80,
                "/%C3%A9%2F?x=%41",
                "xn--bcher-kva.test"
            )
        );
    }

    #[test]
    fn refuses() {
        for wrong in [
            "a.test",
            "a.test:80",
            "ftp://a/",
            "http://",
            "http://a:x/",
            "http://a:0/",
            "http://a:99999/",
            "http://u@a/",
            "http://u:p@a/",
            "http://a/ b",
            "http://[::1/",
            "http://a b/",
        ] {
            assert_eq!(check(wrong), None, "{wrong}");
        }
    }
}
