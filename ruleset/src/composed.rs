//! Texts that are put together of the parts of a target: the host, host and port, the whole URL.
//! Facts carry the parts, and the text is only written when a rule asks for it.

use std::io::Write as _;
use std::net::IpAddr;

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host<'a> {
    /// A name in the form of [`crate::normalize::normalize_domain`].
    Name(&'a str),
    /// An address; an IPv4-mapped one counts as its IPv4 address.
    Address(IpAddr),
}

/// The scheme of a URL; a WebSocket has that of the HTTP request that opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlScheme {
    /// `http`, whose port is 80 unless another is written.
    Http,
    /// `https`, whose port is 443 unless another is written.
    Https,
}

impl UrlScheme {
    const fn prefix(self) -> &'static [u8] {
        match self {
            Self::Http => b"http://",
            Self::Https => b"https://",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A text by its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Composed<'a> {
    /// The text itself.
    Text(&'a [u8]),
    /// The host: `a.test`, `192.0.2.1`, `[2001:db8::1]`.
    Host(Host<'a>),
    /// Host and port, which is always written: `a.test:443`. So is a CONNECT.
    Authority(Host<'a>, u16),
    /// A whole URL: `https://a.test:8443/path?query`. The port is left out where it is the scheme's
    /// own, so that one resource has one spelling.
    Url {
        /// Of the request.
        scheme: UrlScheme,
        /// The destination.
        host: Host<'a>,
        /// Its port.
        port: u16,
        /// Path and query in the form of [`crate::normalize::normalize_uri`]; of an `OPTIONS *` it
        /// is `*`, and the URL then ends with host and port (RFC 9112 section 3.3).
        uri: &'a [u8],
    },
}

impl<'a> Composed<'a> {
    /// The text; `buffer` is where it is put together, if it must be.
    pub fn text<'t>(&self, buffer: &'t mut Vec<u8>) -> &'t [u8]
    where
        'a: 't,
    {
        if let Self::Text(text) = self {
            return text;
        }
        buffer.clear();
        self.write(buffer);
        buffer
    }

    fn write(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Text(text) => out.extend_from_slice(text),
            Self::Host(host) => write_host(host, out),
            Self::Authority(host, port) => {
                write_host(host, out);
                write_port(port, out);
            }
            Self::Url {
                scheme,
                host,
                port,
                uri,
            } => {
                out.extend_from_slice(scheme.prefix());
                write_host(host, out);
                if port != scheme.default_port() {
                    write_port(port, out);
                }
                if uri != b"*" {
                    out.extend_from_slice(uri);
                }
            }
        }
    }
}

fn write_host(host: Host<'_>, out: &mut Vec<u8>) {
    // Writing to a vector cannot fail.
    let _ = match host {
        Host::Name(name) => out.write_all(name.as_bytes()),
        Host::Address(address) => match address.to_canonical() {
            IpAddr::V4(address) => write!(out, "{address}"),
            IpAddr::V6(address) => write!(out, "[{address}]"),
        },
    };
}

fn write_port(port: u16, out: &mut Vec<u8>) {
    // As above.
    let _ = write!(out, ":{port}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let name = Host::Name("a.test");
        let address = |text: &str| Host::Address(text.parse().unwrap());
        let url = |scheme, host, port, uri| Composed::Url {
            scheme,
            host,
            port,
            uri,
        };
        for (composed, text) in [
            (Composed::Text(b"x"), "x"),
            (Composed::Host(name), "a.test"),
            (Composed::Host(address("192.0.2.1")), "192.0.2.1"),
            (Composed::Host(address("::ffff:192.0.2.1")), "192.0.2.1"),
            (Composed::Host(address("2001:DB8:0::1")), "[2001:db8::1]"),
            (Composed::Authority(name, 443), "a.test:443"),
            (Composed::Authority(address("::1"), 80), "[::1]:80"),
            (url(UrlScheme::Http, name, 80, b"/x?y"), "http://a.test/x?y"),
            (url(UrlScheme::Https, name, 443, b"/"), "https://a.test/"),
            (url(UrlScheme::Http, name, 443, b"/"), "http://a.test:443/"),
            (
                url(UrlScheme::Https, address("::1"), 80, b"*"),
                "https://[::1]:80",
            ),
        ] {
            let mut buffer = b"left over".to_vec();
            assert_eq!(composed.text(&mut buffer), text.as_bytes());
        }
    }
}
