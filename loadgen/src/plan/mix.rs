//! Routes and the requests sent over them, rendered once: a request costs a worker no formatting
//! and no allocation.

use std::net::SocketAddr;

use rustls::pki_types::ServerName;

use super::url::{Scheme, Url};
use crate::error::LoadError;

/// What a response must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expectation {
    pub(crate) status: u16,
    /// Length of the body, octets.
    pub(crate) body_bytes: Option<u64>,
    /// The body is the content of `pattern`.
    pub(crate) pattern: bool,
    /// The request was HEAD: the response has no body whatever its fields say.
    pub(crate) head_only: bool,
}

/// One request, ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    /// Head and body.
    pub(crate) bytes: Vec<u8>,
    pub(crate) expectation: Expectation,
}

/// A way to reach an origin. A connection keeps its route for life.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// Address to connect to: the proxy's, or the origin's.
    pub(crate) address: SocketAddr,
    /// The CONNECT request, if a tunnel comes first.
    pub(crate) tunnel: Option<Vec<u8>>,
    /// Name to verify, if TLS comes next.
    pub(crate) tls: Option<ServerName<'static>>,
    /// What is sent over it, taken in turn.
    pub(crate) exchanges: Vec<Exchange>,
    /// Authority the route is for, if it is for one only.
    authority: Option<String>,
}

/// What every request of the run has in common.
#[derive(Debug)]
pub(super) struct Template<'a> {
    pub(super) method: &'a str,
    pub(super) headers: &'a [String],
    pub(super) body_bytes: usize,
    /// Plain http URLs go through a tunnel too.
    pub(super) always_tunnel: bool,
    /// Each connection serves one request.
    pub(super) new_connections: bool,
    pub(super) expect_status: u16,
    pub(super) expect_bytes: Option<u64>,
    pub(super) check_bodies: bool,
}

/// Groups URLs into routes. `resolve` finds the address of a host and port.
pub(super) fn routes(
    urls: &[Url],
    proxy: Option<SocketAddr>,
    template: &Template<'_>,
    mut resolve: impl FnMut(&Url) -> Result<SocketAddr, LoadError>,
) -> Result<Vec<Route>, LoadError> {
    let mut routes: Vec<Route> = Vec::new();
    for url in urls {
        let tls = url.scheme == Scheme::Https;
        let tunnel = proxy.is_some() && (tls || template.always_tunnel);
        // Absolute-form requests for any origin share the connections to the proxy.
        let shared = proxy.is_some() && !tunnel;
        let authority = (!shared).then(|| format!("{:?} {}", url.scheme, url.authority()));
        let exchange = render(url, shared, template)?;
        if let Some(route) = routes.iter_mut().find(|route| route.authority == authority) {
            route.exchanges.push(exchange);
            continue;
        }
        routes.push(Route {
            address: match proxy {
                Some(address) => address,
                None => resolve(url)?,
            },
            tunnel: tunnel.then(|| connect_request(&url.authority())),
            tls: if tls { Some(server_name(url)?) } else { None },
            exchanges: vec![exchange],
            authority,
        });
    }
    Ok(routes)
}

fn server_name(url: &Url) -> Result<ServerName<'static>, LoadError> {
    ServerName::try_from(url.host.clone()).map_err(|_| LoadError::Url {
        url: url.host.clone(),
        reason: "not a name TLS can verify",
    })
}

fn connect_request(authority: &str) -> Vec<u8> {
    format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n").into_bytes()
}

fn render(url: &Url, absolute: bool, template: &Template<'_>) -> Result<Exchange, LoadError> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if template.method.is_empty() || !template.method.bytes().all(is_token) {
        return Err(LoadError::Usage(format!(
            "--method {}: not a method",
            template.method
        )));
    }
    let host = url.host_field();
    let prefix = if absolute {
        format!("http://{host}")
    } else {
        String::new()
    };
    let mut head = format!(
        "{} {prefix}{} HTTP/1.1\r\nHost: {host}\r\n",
        template.method, url.path
    );
    head.push_str("User-Agent: sallyport-load\r\nAccept: */*\r\n");
    for header in template.headers {
        let (name, value) = header
            .split_once(':')
            .filter(|(name, value)| {
                !name.is_empty()
                    && name.bytes().all(is_token)
                    && !value.bytes().any(|byte| byte.is_ascii_control())
            })
            .ok_or_else(|| LoadError::Usage(format!("--header {header}: not of the form K: V")))?;
        head.push_str(&format!("{name}: {}\r\n", value.trim()));
    }
    if template.body_bytes > 0 {
        head.push_str(&format!("Content-Length: {}\r\n", template.body_bytes));
    }
    if template.new_connections {
        head.push_str("Connection: close\r\n");
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend((b'a'..=b'z').cycle().take(template.body_bytes));
    Ok(Exchange {
        bytes,
        expectation: expectation(url, template),
    })
}

fn expectation(url: &Url, template: &Template<'_>) -> Expectation {
    let path = url.path.split('?').next().unwrap_or_default();
    let pattern_bytes = path
        .strip_prefix("/bytes/")
        .and_then(|digits| digits.parse().ok());
    let pattern = template.check_bodies && pattern_bytes.is_some() && template.expect_status == 200;
    Expectation {
        status: template.expect_status,
        body_bytes: template
            .expect_bytes
            .or_else(|| pattern_bytes.filter(|_| pattern)),
        pattern,
        head_only: template.method == "HEAD",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: Template<'static> = Template {
        method: "GET",
        headers: &[],
        body_bytes: 0,
        always_tunnel: false,
        new_connections: false,
        expect_status: 200,
        expect_bytes: None,
        check_bodies: true,
    };

    fn urls(texts: &[&str]) -> Vec<Url> {
        texts.iter().map(|text| Url::parse(text).unwrap()).collect()
    }

    fn address() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 3128))
    }

    #[test]
    fn absolute_form_shares_the_proxy() {
        let urls = urls(&["http://a.test/bytes/5", "http://b.test:8080/"]);
        let routes = routes(&urls, Some(address()), &TEMPLATE, |_| {
            panic!("no resolving")
        })
        .unwrap();
        assert_eq!(routes.len(), 1);
        let text = String::from_utf8(routes[0].exchanges[1].bytes.clone()).unwrap();
        assert!(
            text.starts_with("GET http://b.test:8080/ HTTP/1.1\r\nHost: b.test:8080\r\n"),
            "{text}"
        );
        assert_eq!(routes[0].exchanges[0].expectation.body_bytes, Some(5));
        assert!(!routes[0].exchanges[1].expectation.pattern);
    }

    #[test]
    fn tunnels_are_for_one_authority() {
        let urls = urls(&["https://a.test/", "http://a.test/", "https://a.test/x"]);
        let template = Template {
            always_tunnel: true,
            ..TEMPLATE
        };
        let routes = routes(&urls, Some(address()), &template, |_| {
            panic!("no resolving")
        })
        .unwrap();
        assert_eq!(routes.len(), 2);
        assert_eq!(routes[0].exchanges.len(), 2);
        let tunnel = String::from_utf8(routes[0].tunnel.clone().unwrap()).unwrap();
        assert_eq!(
            tunnel,
            "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n"
        );
        assert!(routes[0].tls.is_some() && routes[1].tls.is_none());
        assert!(
            routes[0].exchanges[0]
                .bytes
                .starts_with(b"GET / HTTP/1.1\r\n")
        );
    }

    #[test]
    fn straight_to_the_origin() {
        let urls = urls(&["http://a.test/"]);
        let routes = routes(&urls, None, &TEMPLATE, |_| Ok(address())).unwrap();
        assert_eq!(
            (routes[0].address, routes[0].tunnel.is_none()),
            (address(), true)
        );
    }

    #[test]
    fn headers_cannot_split_requests() {
        let wrong = ["X: a\r\nY: b".to_owned()];
        let template = Template {
            headers: &wrong,
            ..TEMPLATE
        };
        assert!(
            routes(&urls(&["http://a/"]), Some(address()), &template, |_| Ok(
                address()
            ))
            .is_err()
        );
        let template = Template {
            method: "GET /",
            ..TEMPLATE
        };
        assert!(
            routes(&urls(&["http://a/"]), Some(address()), &template, |_| Ok(
                address()
            ))
            .is_err()
        );
    }
}
