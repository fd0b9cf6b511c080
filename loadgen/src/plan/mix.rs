//! Routes and the requests sent over them, rendered once: what is left to do for a request is to
//! copy its pieces together.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use rustls::pki_types::ServerName;

use super::body::Body;
use super::client::{Client, render};
use super::problem::Problem;
use super::random::Chooser;
use super::resolve::Unresolved;
use super::url::{Scheme, Url};
use crate::http2::hpack;

/// Bodies up to this long are sent with their head in one piece.
const INLINE_BYTES_MAX: u64 = 16 * 1024;

/// What a response must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expectation {
    pub(crate) status: u16,
    /// Length of the body, octets.
    pub(crate) body_bytes: Option<u64>,
    /// The body is the content of `pattern`.
    pub(crate) pattern: bool,
    /// CRC-32C of the body.
    pub(crate) crc32c: Option<u32>,
    /// What the origin says that it received, if it says so.
    pub(crate) sent: Sent,
    /// The request was HEAD: the response has no body whatever its fields say.
    pub(crate) head_only: bool,
}

/// Length and CRC-32C of a request's body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) bytes: u64,
    pub(crate) crc32c: u32,
}

/// What one request is made from, checked.
#[derive(Debug, Clone)]
pub(super) struct Template {
    /// Which `[[request]]` it came from.
    pub(super) request: usize,
    pub(super) url: Url,
    pub(super) weight: f64,
    pub(super) method: String,
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: Body,
    pub(super) expectation: Expectation,
}

/// One request, ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    /// Request line and fields, each with its line end; what the client adds follows.
    head: Vec<u8>,
    /// The proxy reads the head: its fields belong here too.
    is_for_proxy: bool,
    pub(crate) body: Body,
    pub(crate) expectation: Expectation,
    /// The same head as HTTP/2 compresses it.
    pub(crate) block: Vec<u8>,
}

impl Exchange {
    /// Writes the request as `client` sends it; `is_last` announces that none will follow.
    pub(crate) fn write(&self, client: &Client, is_last: bool, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(&client.fields);
        if self.is_for_proxy {
            out.extend_from_slice(&client.proxy_fields);
        }
        if is_last {
            out.extend_from_slice(b"Connection: close\r\n");
        }
        out.extend_from_slice(b"\r\n");
        if self.is_inline() {
            out.extend_from_slice(self.body.slice(0, usize::MAX));
        }
    }

    /// The body is sent with the head.
    pub(crate) fn is_inline(&self) -> bool {
        self.body.bytes() <= INLINE_BYTES_MAX
    }
}

/// A way to reach an origin.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// Address to connect to: the proxy's, or the origin's.
    pub(crate) address: SocketAddr,
    /// The CONNECT request, without the empty line, if a tunnel comes first.
    pub(crate) tunnel: Option<Vec<u8>>,
    /// Name to verify, if TLS comes next.
    pub(crate) tls: Option<ServerName<'static>>,
    /// What is sent over it.
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) chooser: Chooser,
    pub(crate) weight: f64,
}

/// How requests reach their origins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    pub(super) proxy: Option<SocketAddr>,
    /// Plain http URLs go through a tunnel too.
    pub(super) always_tunnel: bool,
}

/// A request has no route.
#[derive(Debug, thiserror::Error)]
enum RouteError {
    #[error(transparent)]
    Unresolved(#[from] Unresolved),
    #[error("{0}: not a name TLS can verify")]
    ServerName(String),
}

/// Groups requests into routes. `resolve` finds the address of a host and port. A request that has no
/// route is a problem, the first of its hosts.
pub(super) fn routes(
    templates: &[Template],
    way: Way,
    mut resolve: impl FnMut(&Url) -> Result<SocketAddr, Unresolved>,
) -> (Vec<Route>, Vec<Problem>) {
    let mut problems = BTreeMap::new();
    let mut routes: Vec<(Route, Vec<f64>)> = Vec::new();
    let mut known = std::collections::HashMap::new();
    for template in templates {
        let url = &template.url;
        let tls = url.scheme == Scheme::Https;
        let tunnel = way.proxy.is_some() && (tls || way.always_tunnel);
        // Absolute-form requests for any origin share the connections to the proxy.
        let shared = way.proxy.is_some() && !tunnel;
        let authority = (!shared).then(|| format!("{:?} {}", url.scheme, url.authority()));
        let exchange = exchange(template, shared);
        let index = known.get(&authority).copied().unwrap_or(routes.len());
        if let Some((route, weights)) = routes.get_mut(index) {
            route.exchanges.push(exchange);
            weights.push(template.weight);
            continue;
        }
        // A name that is not there may take long to say so, once.
        if problems.contains_key(&template.request) {
            continue;
        }
        let ends = way.proxy.map_or_else(|| Ok(resolve(url)?), Ok);
        let ends = ends.and_then(|address| Ok((address, server_name(url)?)));
        let (address, name) = match ends {
            Ok(ends) => ends,
            Err(error) => {
                problems.insert(template.request, error);
                continue;
            }
        };
        let route = Route {
            address,
            tunnel: tunnel.then(|| connect_request(&url.authority())),
            tls: name,
            exchanges: vec![exchange],
            chooser: Chooser::new(&[]),
            weight: 0.0,
        };
        known.insert(authority, index);
        routes.push((route, vec![template.weight]));
    }
    let finish = |(mut route, weights): (Route, Vec<f64>)| {
        route.chooser = Chooser::new(&weights);
        route.weight = weights.iter().sum();
        route
    };
    let problem = |(request, error): (usize, RouteError)| {
        Problem::of(format!("request.{request}.url"), error)
    };
    (
        routes.into_iter().map(finish).collect(),
        problems.into_iter().map(problem).collect(),
    )
}

/// What TLS verifies, if it comes next.
fn server_name(url: &Url) -> Result<Option<ServerName<'static>>, RouteError> {
    if url.scheme == Scheme::Http {
        return Ok(None);
    }
    let name = ServerName::try_from(url.host.clone());
    name.map(Some)
        .map_err(|_| RouteError::ServerName(url.host.clone()))
}

fn connect_request(authority: &str) -> Vec<u8> {
    format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes()
}

fn exchange(template: &Template, absolute: bool) -> Exchange {
    let (method, url) = (&template.method, &template.url);
    let host = url.host_field();
    let prefix = if absolute {
        format!("http://{host}")
    } else {
        String::new()
    };
    let line = format!("{method} {prefix}{} HTTP/1.1\r\nHost: {host}\r\n", url.path);
    let mut head = line.into_bytes();
    let body_bytes = template.body.bytes();
    let length = ("Content-Length".to_owned(), body_bytes.to_string());
    let length = (body_bytes > 0).then_some(length);
    let fields: Vec<_> = template.fields.iter().cloned().chain(length).collect();
    head.extend(render(&fields));
    let mut block = Vec::new();
    for (name, value) in [
        (":method", method.as_str()),
        (":scheme", "https"),
        (":authority", &host),
        (":path", &url.path),
    ] {
        hpack::encode_field(name, value, &mut block);
    }
    for (name, value) in &fields {
        hpack::encode_field(name, value, &mut block);
    }
    Exchange {
        head,
        is_for_proxy: absolute,
        body: template.body.clone(),
        expectation: template.expectation,
        block,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTATION: Expectation = Expectation {
        status: 200,
        body_bytes: None,
        pattern: false,
        crc32c: None,
        sent: Sent {
            bytes: 0,
            crc32c: 0,
        },
        head_only: false,
    };

    fn templates(texts: &[&str]) -> Vec<Template> {
        let one = |text: &&str| Template {
            request: 0,
            url: Url::parse(text).unwrap(),
            weight: 1.0,
            method: "GET".to_owned(),
            fields: Vec::new(),
            body: Body::default(),
            expectation: EXPECTATION,
        };
        texts.iter().map(one).collect()
    }

    fn client() -> Client {
        Client {
            weight: 1.0,
            fields: b"A: b\r\n".to_vec(),
            proxy_fields: b"P: q\r\n".to_vec(),
            block: Vec::new(),
            sources: Vec::new(),
            announced: None,
            slow: None,
        }
    }

    fn text(exchange: &Exchange, is_last: bool) -> String {
        let mut out = Vec::new();
        exchange.write(&client(), is_last, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn address() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 3128))
    }

    fn way(proxy: bool, always_tunnel: bool) -> Way {
        Way {
            proxy: proxy.then(address),
            always_tunnel,
        }
    }

    #[test]
    fn absolute_form_shares_the_proxy() {
        let templates = templates(&["http://a.test/bytes/5", "http://b.test:8080/"]);
        let (routes, _) = routes(&templates, way(true, false), |_| panic!("no resolving"));
        assert_eq!(routes.len(), 1);
        assert_eq!(
            text(&routes[0].exchanges[1], false),
            "GET http://b.test:8080/ HTTP/1.1\r\nHost: b.test:8080\r\nA: b\r\nP: q\r\n\r\n"
        );
    }

    #[test]
    fn tunnels_are_for_one_authority() {
        let templates = templates(&["https://a.test/", "http://a.test/", "https://a.test/x"]);
        let (routes, _) = routes(&templates, way(true, true), |_| panic!("no resolving"));
        assert_eq!(routes.len(), 2);
        assert_eq!((routes[0].exchanges.len(), routes[0].weight), (2, 2.0));
        let tunnel = String::from_utf8(routes[0].tunnel.clone().unwrap()).unwrap();
        assert_eq!(
            tunnel,
            "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n"
        );
        assert!(routes[0].tls.is_some() && routes[1].tls.is_none());
        assert_eq!(
            text(&routes[0].exchanges[0], true),
            "GET / HTTP/1.1\r\nHost: a.test\r\nA: b\r\nConnection: close\r\n\r\n"
        );
    }

    #[test]
    fn straight_to_the_origin() {
        let (routes, _) = routes(&templates(&["http://a.test/"]), way(false, false), |_| {
            Ok(address())
        });
        assert_eq!(
            (routes[0].address, routes[0].tunnel.is_none()),
            (address(), true)
        );
    }

    #[test]
    fn long_bodies_are_not_kept() {
        let mut templates = templates(&["http://a.test/"]);
        templates[0].body = Body::Pattern(5);
        let short = exchange(&templates[0], false);
        assert!(text(&short, false).ends_with(&format!(
            "Content-Length: 5\r\nA: b\r\n\r\n{}",
            String::from_utf8_lossy(crate::pattern::slice(0, 5))
        )));
        templates[0].body = Body::Pattern(1 << 30);
        let long = exchange(&templates[0], false);
        assert!(short.is_inline() && !long.is_inline());
        assert!(text(&long, false).ends_with("\r\n\r\n"));
    }
}
