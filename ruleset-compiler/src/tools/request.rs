//! A request described on the command line, and the facts that follow from it. What was not
//! given is unknown; what cannot be there is absent.

use std::net::IpAddr;

use sallyport_ruleset::normalize::{is_token, normalize_domain, normalize_uri};
use sallyport_ruleset::{Fact, Facts, FieldValues, HeaderFields, Phase, Protocol, ProtocolSet};

use crate::tools::request_args::RequestArgs;
use crate::value::date;

/// Field lines as the ruleset crate takes them.
type HeaderLines = Vec<(Vec<u8>, Vec<u8>)>;

/// A request, and perhaps its response.
#[derive(Debug)]
pub struct Request {
    identity: Identity,
    time: Option<i64>,
    scheme: Scheme,
    is_intercepted: bool,
    host: Host,
    port: u16,
    destination_ip: Option<IpAddr>,
    sni: Option<String>,
    method: String,
    uri: Vec<u8>,
    headers: HeaderLines,
    status: Option<u16>,
    response_headers: HeaderLines,
}

/// Who asks.
#[derive(Debug)]
struct Identity {
    ip: Option<IpAddr>,
    port: Option<u16>,
    vpce: Option<String>,
    vpc: Option<String>,
    account: Option<String>,
    /// None given: none is known.
    labels: Option<HeaderLines>,
    principal: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
    Ws,
    Wss,
}

#[derive(Debug)]
enum Host {
    Domain(String),
    Address(IpAddr),
}

impl Request {
    /// Understands a request as it was described. Without a time it is `now`, or unknown.
    ///
    /// # Errors
    /// What cannot be understood, in words.
    pub fn new(args: &RequestArgs, now: Option<i64>) -> Result<Self, String> {
        let url = args.url.as_deref().ok_or("there is no `url`")?;
        let url = Url::parse(url)?;
        let mut headers = header_lines(&args.header)?;
        if first(&headers, "host").is_none() {
            headers.push((b"host".to_vec(), url.authority.clone().into_bytes()));
        }
        if !is_token(args.method().as_bytes()) {
            return Err(format!("`{}` is not a method", args.method()));
        }
        if args.status.is_none() && !args.response_header.is_empty() {
            return Err("a response header needs a `status`".to_owned());
        }
        let sni = match (&args.sni, &url.host) {
            (Some(sni), _) => Some(sni.clone()),
            (None, Host::Domain(domain)) => Some(domain.clone()),
            (None, Host::Address(_)) => None,
        };
        let destination_ip = match url.host {
            Host::Address(address) => Some(address),
            Host::Domain(_) => args.dst_ip,
        };
        Ok(Self {
            identity: Identity {
                ip: args.from,
                port: args.from_port,
                vpce: args.vpce.clone(),
                vpc: args.vpc.clone(),
                account: args.account.clone(),
                labels: labels(&args.label)?,
                principal: args.principal.clone(),
            },
            time: match args.time.as_deref() {
                Some(text) => Some(time(text)?),
                None => now,
            },
            scheme: url.scheme,
            is_intercepted: args.intercept,
            host: url.host,
            port: url.port,
            destination_ip,
            sni,
            method: args.method().to_owned(),
            uri: url.uri,
            headers,
            status: args.status,
            response_headers: header_lines(&args.response_header)?,
        })
    }

    /// Nobody sees into the connection: a TLS tunnel that is not decrypted.
    #[must_use]
    pub fn is_opaque(&self) -> bool {
        self.is_tls() && !self.is_intercepted
    }

    fn is_tls(&self) -> bool {
        matches!(self.scheme, Scheme::Https | Scheme::Wss)
    }

    /// What is known in a phase.
    #[must_use]
    pub fn facts(&self, phase: Phase) -> Facts<'_> {
        let connection = self.connection_facts(phase);
        match phase {
            Phase::PreDns => connection,
            Phase::PreRequest => self.request_facts(connection),
            Phase::PostResponse => self.response_facts(self.request_facts(connection)),
        }
    }

    fn connection_facts(&self, phase: Phase) -> Facts<'_> {
        let Identity {
            ip,
            port,
            vpce,
            vpc,
            account,
            labels,
            principal,
        } = &self.identity;
        Facts {
            source_ip: given(*ip),
            source_port: given(*port),
            source_vpce: given(vpce.as_deref().map(str::as_bytes)),
            source_vpc: given(vpc.as_deref().map(str::as_bytes)),
            source_account: given(account.as_deref().map(str::as_bytes)),
            source_labels: given(labels.as_ref().map(|labels| labels as &dyn HeaderFields)),
            principal: given(principal.as_deref().map(str::as_bytes)),
            time: given(self.time),
            protocol: Fact::Known(self.protocol(phase)),
            destination_domain: match &self.host {
                Host::Domain(domain) => Fact::Known(domain),
                Host::Address(_) => Fact::Absent,
            },
            destination_port: Fact::Known(self.port),
            ..Facts::unknown()
        }
    }

    /// What runs inside a CONNECT is not known before its first bytes have come.
    fn protocol(&self, phase: Phase) -> ProtocolSet {
        let connect = ProtocolSet::EMPTY.with(Protocol::Connect);
        match self.scheme {
            Scheme::Http => ProtocolSet::EMPTY.with(Protocol::Http),
            Scheme::Ws => ProtocolSet::EMPTY.with(Protocol::Ws),
            Scheme::Https | Scheme::Wss if phase == Phase::PreDns => connect,
            Scheme::Wss if self.is_intercepted => connect.with(Protocol::Wss),
            Scheme::Https | Scheme::Wss => connect.with(Protocol::Https),
        }
    }

    fn request_facts<'a>(&'a self, connection: Facts<'a>) -> Facts<'a> {
        let facts = Facts {
            destination_ip: given(self.destination_ip),
            ..connection
        };
        let facts = if self.is_tls() {
            // ALPN, version, fingerprint and what is encrypted stay unknown.
            Facts {
                tls_sni: self.sni.as_deref().map(str::as_bytes).into(),
                ..facts
            }
        } else {
            Facts {
                tls_sni: Fact::Absent,
                tls_alpn: Fact::Absent,
                tls_version: Fact::Absent,
                ja4: Fact::Absent,
                tls_ech: Fact::Absent,
                ..facts
            }
        };
        if self.is_opaque() {
            return Facts {
                uri: Fact::Absent,
                method: Fact::Absent,
                user_agent: Fact::Absent,
                content_type: Fact::Absent,
                host: Fact::Absent,
                content_length: Fact::Absent,
                request_headers: Fact::Absent,
                ..facts
            };
        }
        Facts {
            uri: Fact::Known(&self.uri),
            method: Fact::Known(self.method.as_bytes()),
            user_agent: named(&self.headers, "user-agent"),
            content_type: named(&self.headers, "content-type"),
            host: first(&self.headers, "host").into(),
            content_length: content_length(&self.headers).into(),
            request_headers: Fact::Known(&self.headers),
            ..facts
        }
    }

    fn response_facts<'a>(&'a self, request: Facts<'a>) -> Facts<'a> {
        let request = if self.is_tls() {
            request
        } else {
            Facts {
                tls_issuer: Fact::Absent,
                tls_sha256: Fact::Absent,
                ..request
            }
        };
        let Some(status) = self.status else {
            return request;
        };
        let headers = &self.response_headers;
        Facts {
            status_code: Fact::Known(status),
            response_content_length: content_length(headers).into(),
            response_content_type: named(headers, "content-type"),
            response_headers: Fact::Known(headers),
            ..request
        }
    }
}

fn given<T>(value: Option<T>) -> Fact<T> {
    value.map_or(Fact::Unknown, Fact::Known)
}

/// None of the name: the field is absent.
fn named<'h>(headers: &'h HeaderLines, name: &'static str) -> Fact<FieldValues<'h>> {
    Fact::Known(FieldValues::Named(headers, name))
}

fn time(text: &str) -> Result<i64, String> {
    date::unix_seconds(text).map_err(|bad| format!("{}: expected {}", bad.message, bad.expected))
}

fn first<'h>(headers: &'h HeaderLines, wanted: &str) -> Option<&'h [u8]> {
    let is_wanted = |(name, _): &&(Vec<u8>, Vec<u8>)| name.eq_ignore_ascii_case(wanted.as_bytes());
    headers
        .iter()
        .find(is_wanted)
        .map(|(_, value)| value.as_slice())
}

fn content_length(headers: &HeaderLines) -> Option<u64> {
    std::str::from_utf8(first(headers, "content-length")?)
        .ok()?
        .parse()
        .ok()
}

fn labels(given: &[String]) -> Result<Option<HeaderLines>, String> {
    let labels = given.iter().map(|label| {
        let parts = label
            .split_once('=')
            .filter(|(name, _)| is_token(name.as_bytes()));
        let (name, value) =
            parts.ok_or_else(|| format!("`{label}` is not a label: expected `NAME=VALUE`"))?;
        Ok((name.as_bytes().to_vec(), value.as_bytes().to_vec()))
    });
    let labels = labels.collect::<Result<HeaderLines, String>>()?;
    Ok((!labels.is_empty()).then_some(labels))
}

fn header_lines(lines: &[String]) -> Result<HeaderLines, String> {
    lines.iter().map(|line| header_line(line)).collect()
}

fn header_line(line: &str) -> Result<(Vec<u8>, Vec<u8>), String> {
    let parts = line
        .split_once(':')
        .filter(|(name, _)| is_token(name.as_bytes()));
    let (name, value) =
        parts.ok_or_else(|| format!("`{line}` is not a header: expected `NAME: VALUE`"))?;
    Ok((name.as_bytes().to_vec(), value.trim().as_bytes().to_vec()))
}

struct Url {
    scheme: Scheme,
    authority: String,
    host: Host,
    port: u16,
    uri: Vec<u8>,
}

impl Url {
    /// The parts that rules look at (RFC 3986 section 3); no user information, no fragment.
    fn parse(text: &str) -> Result<Self, String> {
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
