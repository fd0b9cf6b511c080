//! Which requests are refused because a web page may have made them: a page's name that was made to lead
//! here (DNS rebinding), and a page that has its reader's browser send an order.

use std::net::{IpAddr, Ipv6Addr};

use hyper::header::{HOST, HeaderMap, HeaderValue, ORIGIN};
use hyper::http::uri::Authority;
use hyper::{Method, Uri, Version};

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Foreign {
    /// It names no host, or no one can tell which.
    NoHost,
    /// The host is none of ours.
    Host,
    /// It comes from a page of somebody else.
    Page,
}

impl Foreign {
    pub(super) const fn told(self) -> &'static str {
        match self {
            Self::NoHost => "the request needs one Host",
            Self::Host => {
                "this is not the name of an admin listener: ask by an address, as localhost, or list the name \
                 in admin.hosts"
            }
            Self::Page => "orders from other sites' pages are not taken",
        }
    }
}

/// What a request says of where it goes and where it comes from.
#[derive(Debug)]
pub(super) struct Origin<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) version: Version,
    pub(super) headers: &'a HeaderMap,
}

impl Origin<'_> {
    /// Whether the request may be answered, on a listener that `hosts` are names of.
    pub(super) fn check(&self, hosts: &[String]) -> Result<(), Foreign> {
        let mut fields = self.headers.get_all(HOST).iter();
        let host = match (fields.next(), fields.next()) {
            (Some(host), None) => Some(authority(host).ok_or(Foreign::NoHost)?),
            // No browser speaks it.
            (None, _) if self.version == Version::HTTP_10 => None,
            _ => return Err(Foreign::NoHost),
        };
        let named = [host.as_ref(), self.uri.authority()];
        if named
            .into_iter()
            .flatten()
            .any(|name| !is_ours(name, hosts))
        {
            return Err(Foreign::Host);
        }
        // What only reads shows the page nothing: it gets no leave to look at the answer.
        let is_order = !matches!(*self.method, Method::GET | Method::HEAD);
        match self.headers.get(ORIGIN) {
            Some(page) if is_order && !is_same(page, host.as_ref()) => Err(Foreign::Page),
            _ => Ok(()),
        }
    }
}

fn authority(value: &HeaderValue) -> Option<Authority> {
    value.to_str().ok()?.parse().ok()
}

/// A name that nobody else can make lead here.
fn is_ours(authority: &Authority, hosts: &[String]) -> bool {
    let host = authority.host();
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let is_address = match bare {
        Some(bare) => bare.parse::<Ipv6Addr>().is_ok(),
        None => host.parse::<IpAddr>().is_ok(),
    };
    let mut names = hosts.iter().map(String::as_str).chain(["localhost"]);
    is_address || names.any(|name| host.eq_ignore_ascii_case(name))
}

/// Whether a page is one that this listener gave.
fn is_same(page: &HeaderValue, host: Option<&Authority>) -> bool {
    let page = page.to_str().ok().and_then(|page| page.parse::<Uri>().ok());
    match (page.as_ref().and_then(Uri::authority), host) {
        (Some(page), Some(host)) => page == host,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: Method, uri: &str, fields: &[(&'static str, &str)]) -> Result<(), Foreign> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        Origin {
            method: &method,
            uri: &uri.parse().unwrap(),
            version: Version::HTTP_11,
            headers: &headers,
        }
        .check(&["proxy.corp.test".to_owned()])
    }

    #[test]
    fn only_names_that_nobody_else_has_are_taken() {
        for host in [
            "127.0.0.1:9128",
            "192.0.2.1",
            "[::1]:9128",
            "localhost:9128",
            "LocalHost",
            "Proxy.Corp.Test:80",
        ] {
            assert_eq!(check(Method::GET, "/", &[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "evil.test:9128",
            "127.0.0.1.evil.test",
            "localhost.evil.test",
            "0x7f000001",
            "proxy.corp.test.",
        ] {
            let said = check(Method::GET, "/", &[("host", host)]);
            assert_eq!(said, Err(Foreign::Host), "{host}");
        }
        let said = check(Method::GET, "http://evil.test/", &[("host", "127.0.0.1")]);
        assert_eq!(said, Err(Foreign::Host));
        assert_eq!(check(Method::GET, "/", &[]), Err(Foreign::NoHost));
        let two = [("host", "127.0.0.1"), ("host", "localhost")];
        assert_eq!(check(Method::GET, "/", &two), Err(Foreign::NoHost));
    }

    #[test]
    fn pages_of_others_give_no_orders() {
        let host = ("host", "127.0.0.1:9128");
        let from = |page| [host, ("origin", page)];
        for page in [
            "http://evil.test",
            "null",
            "http://127.0.0.1:9129",
            "http://127.0.0.1",
        ] {
            let said = check(Method::POST, "/drain", &from(page));
            assert_eq!(said, Err(Foreign::Page), "{page}");
        }
        let own = from("http://127.0.0.1:9128");
        assert_eq!(check(Method::POST, "/drain", &own), Ok(()));
        assert_eq!(check(Method::POST, "/drain", &[host]), Ok(()));
    }
}
