//! Requests as there are: host, authority and URL are put together of the same host, port, path and
//! scheme that other fields have. The search takes all fields as independent; what it finds is made fit here,
//! in each way that keeps a part of it.

use std::net::IpAddr;

use sallyport_ruleset::normalize::{normalize_domain, normalize_uri};
use sallyport_ruleset::{Composed, Field, Host, Protocol, ProtocolSet, Source, UrlScheme};

use super::fields::FieldValue;
use super::witness::Witness;

/// Whether a request has a field that is put together of others.
pub(super) fn has_composed(witness: &Witness) -> bool {
    let is_composed = |field: &Field| {
        matches!(
            field,
            Field::DestinationHost | Field::Authority | Field::Url
        )
    };
    witness.values.iter().any(|(field, _)| is_composed(field))
}

/// Requests whose fields fit each other, made of the parts of one whose fields need not.
pub(super) fn requests(witness: &Witness) -> Vec<Witness> {
    let parts = Parts::of(witness);
    let has_url = witness.of(&Field::Url).is_some();
    let mut found = Vec::new();
    for host in &parts.hosts {
        for port in &parts.ports {
            let tunnel = || with(witness, host, *port, None);
            found.extend((!has_url).then(tunnel));
            for uri in &parts.uris {
                for scheme in [UrlScheme::Http, UrlScheme::Https] {
                    found.push(with(witness, host, *port, Some((scheme, uri))));
                }
            }
            found.extend(has_url.then(tunnel));
        }
    }
    found
}

/// A host with its own text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OwnHost {
    Name(String),
    Address(IpAddr),
}

impl OwnHost {
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = str::from_utf8(text).ok()?;
        let bare = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        match bare.unwrap_or(text).parse::<IpAddr>() {
            Ok(address) if address.is_ipv6() == bare.is_some() => Some(Self::Address(address)),
            Ok(_) => None,
            Err(_) => {
                let is_name = normalize_domain(text, &mut String::new()) == Ok(text);
                is_name.then(|| Self::Name(text.to_owned()))
            }
        }
    }

    pub(super) fn lend(&self) -> Host<'_> {
        match self {
            Self::Name(name) => Host::Name(name),
            Self::Address(address) => Host::Address(*address),
        }
    }
}

/// What a request may be made of.
#[derive(Debug, Default)]
struct Parts {
    hosts: Vec<OwnHost>,
    ports: Vec<u16>,
    uris: Vec<Vec<u8>>,
}

impl Parts {
    fn of(witness: &Witness) -> Self {
        let mut parts = Self::default();
        // What other fields say comes first: fewer of them change.
        if let Some(name) = witness.text(&Field::DestinationDomain) {
            parts.host(name);
        }
        if let Some(port) = witness.number(&Field::DestinationPort) {
            parts.port(u16::try_from(port).ok());
        }
        if let Some(uri) = witness.text(&Field::HttpUri) {
            parts.uri(uri);
        }
        if let Some(url) = witness.text(&Field::Url) {
            parts.url(url);
        }
        if let Some(authority) = witness.text(&Field::Authority) {
            parts.authority(authority, None);
        }
        if let Some(host) = witness.text(&Field::DestinationHost) {
            parts.host(host);
        }
        if let Some(FieldValue::Ip(address)) = witness.of(&Field::DestinationIp) {
            parts.hosts.push(OwnHost::Address(address.to_canonical()));
        }
        parts.host(b"any.example");
        parts.port(Some(443));
        parts.port(Some(80));
        parts.uri(b"/");
        parts
    }

    fn url(&mut self, text: &[u8]) {
        let known = [(&b"http://"[..], 80), (b"https://", 443)];
        for (prefix, port) in known {
            if let Some(rest) = text.strip_prefix(prefix) {
                let end = rest.iter().position(|byte| *byte == b'/');
                let (authority, path) = rest.split_at(end.unwrap_or(rest.len()));
                self.authority(authority, Some(port));
                self.uri(if path.is_empty() { b"*" } else { path });
                return;
            }
        }
        self.authority(text, None);
        // An expression without an anchor: it may be found anywhere.
        self.uri(&[b"/", text].concat());
    }

    fn authority(&mut self, text: &[u8], default_port: Option<u16>) {
        let colon = text.iter().rposition(|byte| *byte == b':');
        let is_port = |digits: &[u8]| {
            let digits = str::from_utf8(digits).ok()?;
            let port: u16 = digits.parse().ok()?;
            (port.to_string() == digits).then_some(port)
        };
        let with_port = colon.and_then(|at| {
            let (host, rest) = text.split_at(at);
            Some((host, is_port(rest.get(1..)?)?))
        });
        match with_port {
            Some((host, port)) => {
                self.host(host);
                self.port(Some(port));
            }
            None => {
                self.host(text);
                self.port(default_port);
            }
        }
    }

    fn host(&mut self, text: &[u8]) {
        let host = OwnHost::parse(text).filter(|host| !self.hosts.contains(host));
        self.hosts.extend(host);
    }

    fn port(&mut self, port: Option<u16>) {
        let port = port.filter(|port| !self.ports.contains(port));
        self.ports.extend(port);
    }

    fn uri(&mut self, text: &[u8]) {
        let mut uri = Vec::new();
        normalize_uri(text, &mut uri);
        if !self.uris.contains(&uri) {
            self.uris.push(uri);
        }
    }
}

/// The request with these parts; without a scheme and path it is a tunnel that nobody looks into.
fn with(
    witness: &Witness,
    host: &OwnHost,
    port: u16,
    seen: Option<(UrlScheme, &Vec<u8>)>,
) -> Witness {
    let host = host.lend();
    let authority = Composed::Authority(host, port);
    // Only what came by a CONNECT can be a tunnel that has no URL.
    let is_tunnel = seen.is_none() && witness.of(&Field::Url).is_some();
    let text =
        |composed: Composed<'_>| FieldValue::Texts(vec![composed.text(&mut Vec::new()).to_vec()]);
    let values = witness.values.iter().map(|(field, value)| {
        let value = match (field, seen) {
            (Field::DestinationHost, _) => text(Composed::Host(host)),
            (Field::Authority, _) => text(authority),
            (Field::Url, None) => text(authority),
            (Field::Url, Some((scheme, uri))) => text(Composed::Url {
                scheme,
                host,
                port,
                uri,
            }),
            (Field::DestinationPort, _) => FieldValue::Number(port.into()),
            (Field::DestinationDomain, _) => match host {
                Host::Name(name) => FieldValue::Texts(vec![name.into()]),
                Host::Address(_) => FieldValue::Absent,
            },
            (Field::DestinationIp, _) => match host {
                Host::Name(_) => value.clone(),
                Host::Address(address) => FieldValue::Ip(address),
            },
            (Field::Protocol, None) if is_tunnel => tunnel(value),
            (Field::Protocol, Some((scheme, _))) => protocol(value, scheme),
            (Field::HttpUri, Some((_, uri))) => FieldValue::Texts(vec![uri.clone()]),
            (Field::HttpMethod, Some(_)) if *value == FieldValue::Absent => {
                FieldValue::Texts(vec![b"GET".to_vec()])
            }
            (field, None) if is_of_a_head(field) => FieldValue::Absent,
            _ => value.clone(),
        };
        (field.clone(), value)
    });
    Witness {
        values: values.collect(),
    }
}

/// What is read from a request head.
fn is_of_a_head(field: &Field) -> bool {
    (Source::HttpUri..=Source::RequestHeaders).contains(&field.source())
}

/// The scheme of requests of which this is a word.
const fn scheme_of(word: Protocol) -> Option<UrlScheme> {
    match word {
        Protocol::Http | Protocol::Ws => Some(UrlScheme::Http),
        Protocol::Https | Protocol::Wss => Some(UrlScheme::Https),
        _ => None,
    }
}

/// Words that go with the scheme of a URL; those that say nothing of it stay.
fn protocol(value: &FieldValue, scheme: UrlScheme) -> FieldValue {
    let FieldValue::Protocols(set) = value else {
        return value.clone();
    };
    let fits = |word: &Protocol| scheme_of(*word).is_none_or(|own| own == scheme);
    let kept = set.iter().filter(fits);
    let kept = kept.fold(ProtocolSet::EMPTY, ProtocolSet::with);
    let has_scheme = kept.iter().any(|word| scheme_of(word).is_some());
    FieldValue::Protocols(match (has_scheme, scheme) {
        (true, _) => kept,
        (false, UrlScheme::Http) => kept.with(Protocol::Http),
        (false, UrlScheme::Https) => kept.with(Protocol::Https),
    })
}

/// Words of a tunnel that is not looked into.
fn tunnel(value: &FieldValue) -> FieldValue {
    let FieldValue::Protocols(set) = value else {
        return value.clone();
    };
    let is_plain = |word: &Protocol| scheme_of(*word) == Some(UrlScheme::Http);
    let kept = set.iter().filter(|word| !is_plain(word));
    FieldValue::Protocols(kept.fold(
        ProtocolSet::EMPTY.with(Protocol::Connect),
        ProtocolSet::with,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn witness(values: &[(Field, &str)]) -> Witness {
        let values = values.iter().map(|(field, text)| {
            (
                field.clone(),
                FieldValue::Texts(vec![text.as_bytes().into()]),
            )
        });
        Witness {
            values: values.collect(),
        }
    }

    #[test]
    fn parts_of_texts() {
        let parts = Parts::of(&witness(&[
            (Field::Url, "https://a.test:8443/x?y"),
            (Field::Authority, "[::1]:80"),
            (Field::DestinationHost, "192.0.2.1"),
        ]));
        let name = |name: &str| OwnHost::Name(name.to_owned());
        let address = |text: &str| OwnHost::Address(text.parse().unwrap());
        assert_eq!(
            parts.hosts,
            [
                name("a.test"),
                address("::1"),
                address("192.0.2.1"),
                name("any.example")
            ]
        );
        assert_eq!(parts.ports, [8_443, 80, 443]);
        assert_eq!(parts.uris, [b"/x?y".to_vec(), b"/".to_vec()]);
    }

    #[test]
    fn fields_of_a_request_fit() {
        let odd = witness(&[
            (Field::Url, "http://a.test/x"),
            (Field::Authority, "b.test:1"),
            (Field::DestinationDomain, "c.test"),
        ]);
        assert!(has_composed(&odd));
        let text = |witness: &Witness, field| {
            let text = witness.text(&field).map(<[u8]>::to_vec);
            String::from_utf8(text.unwrap_or_default()).unwrap()
        };
        let found = requests(&odd);
        for one in &found {
            let (url, authority, domain) = (
                text(one, Field::Url),
                text(one, Field::Authority),
                text(one, Field::DestinationDomain),
            );
            assert!(authority.starts_with(&format!("{domain}:")), "{one:?}");
            assert!(url.contains(&domain), "{one:?}");
        }
        let has = |url: &str| found.iter().any(|one| text(one, Field::Url) == url);
        assert!(has("http://c.test:1/x") && has("https://a.test/x") && has("b.test:80"));
    }
}
