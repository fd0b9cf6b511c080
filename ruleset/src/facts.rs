//! A borrowed view of what is known about a transaction; it grows from phase to phase. Not here:
//! how facts are found (the engine), and what is asked of them (`evaluate.rs`, `reference.rs`).

use std::fmt;
use std::net::IpAddr;

use crate::{Composed, Source};

/// What is known of one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact<T> {
    /// Not known yet; it may turn out absent or have any value.
    Unknown,
    /// Known not to be there (no such header, a destination that is no name).
    Absent,
    /// Known.
    Known(T),
}

impl<T> Fact<T> {
    /// Whether the fact is still to come.
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }
}

impl<T> From<Option<T>> for Fact<T> {
    /// `None` is [`Fact::Absent`].
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Known)
    }
}

/// One word of `request:Protocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// The request is (or came through) a CONNECT.
    Connect,
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
    /// WebSocket over plain HTTP.
    Ws,
    /// WebSocket over TLS.
    Wss,
    /// HTTP/2.
    H2,
    /// Something that is neither HTTP nor TLS.
    Tcp,
}

impl Protocol {
    /// All words, each at the position of its bit.
    pub const ALL: [Self; 7] = [
        Self::Connect,
        Self::Http,
        Self::Https,
        Self::Ws,
        Self::Wss,
        Self::H2,
        Self::Tcp,
    ];

    /// The word as in rules.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Http => "http",
            Self::Https => "https",
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::H2 => "h2",
            Self::Tcp => "tcp",
        }
    }

    /// Bytes of all words together.
    pub(crate) const NAMES_BYTES: u64 = {
        let [connect, http, https, ws, wss, h2, tcp] = Self::ALL;
        let first = connect.name().len() + http.name().len() + https.name().len();
        let last = ws.name().len() + wss.name().len() + h2.name().len() + tcp.name().len();
        (first + last) as u64
    };

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The words that `request:Protocol` has at once: `connect` and `https`, say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ProtocolSet(u8);

impl ProtocolSet {
    /// No word; as a fact the same as an absent field.
    pub const EMPTY: Self = Self(0);

    /// The set and one word more.
    #[must_use]
    pub const fn with(self, protocol: Protocol) -> Self {
        Self(self.0 | protocol.bit())
    }

    /// Whether a word is in the set.
    #[must_use]
    pub const fn contains(self, protocol: Protocol) -> bool {
        self.0 & protocol.bit() != 0
    }

    /// Whether no word is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The words of the set.
    pub fn iter(self) -> impl Iterator<Item = Protocol> {
        Protocol::ALL
            .into_iter()
            .filter(move |protocol| self.contains(*protocol))
    }
}

impl FromIterator<Protocol> for ProtocolSet {
    fn from_iter<I: IntoIterator<Item = Protocol>>(protocols: I) -> Self {
        protocols.into_iter().fold(Self::EMPTY, Self::with)
    }
}

/// The header fields of a message, as the wire crate holds them; or the labels of a client.
pub trait HeaderFields {
    /// Calls `visit` with the name as received and the value of each field line, in order. Values
    /// come without surrounding white space.
    fn for_each(&self, visit: &mut dyn FnMut(&[u8], &[u8]));
}

/// Owned pairs, for tests and tools.
impl HeaderFields for Vec<(Vec<u8>, Vec<u8>)> {
    fn for_each(&self, visit: &mut dyn FnMut(&[u8], &[u8])) {
        for (name, value) in self {
            visit(name, value);
        }
    }
}

/// The values of a header field of one name. A sender may repeat a field although it must not, and
/// then no recipient knows which of them another one takes: all are judged.
#[derive(Clone, Copy)]
pub enum FieldValues<'a> {
    /// Just one.
    One(&'a [u8]),
    /// Those of all lines of this name, which is given in lower case.
    Named(&'a dyn HeaderFields, &'static str),
}

impl FieldValues<'_> {
    /// Calls `visit` with each of them, in order.
    pub fn for_each(&self, visit: &mut dyn FnMut(&[u8])) {
        match self {
            Self::One(value) => visit(value),
            Self::Named(fields, wanted) => fields.for_each(&mut |name, value| {
                if name.eq_ignore_ascii_case(wanted.as_bytes()) {
                    visit(value);
                }
            }),
        }
    }

    /// The same for content types, of which one line can list several
    /// ([`content_types`](crate::normalize::content_types)).
    pub fn for_each_content_type(&self, visit: &mut dyn FnMut(&[u8])) {
        self.for_each(&mut |line| crate::normalize::content_types(line).for_each(&mut *visit));
    }
}

/// Says nothing of the values, which may be secret.
impl fmt::Debug for FieldValues<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(_) => f.write_str("One"),
            Self::Named(_, name) => f.debug_tuple("Named").field(name).finish(),
        }
    }
}

/// What is known about a transaction. Start from [`Facts::unknown`] and fill in.
///
/// Text is bytes as received unless a field says otherwise. A field with several values that has
/// none (`tls_alpn`, `protocol`, `user_agent`) counts as absent.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// `request:SourceIp`; an IPv4-mapped address counts as its IPv4 address.
    pub source_ip: Fact<IpAddr>,
    /// `request:SourcePort`.
    pub source_port: Fact<u16>,
    /// `request:SourceVpce`.
    pub source_vpce: Fact<&'a [u8]>,
    /// `request:SourceVpc`.
    pub source_vpc: Fact<&'a [u8]>,
    /// `request:SourceAccount`.
    pub source_account: Fact<&'a [u8]>,
    /// `request:SourceLabel/NAME`, all of them: names and values from the identity map.
    pub source_labels: Fact<&'a dyn HeaderFields>,
    /// `request:Principal`.
    pub principal: Fact<&'a [u8]>,
    /// `request:Time`, seconds since 1970, UTC.
    pub time: Fact<i64>,
    /// `request:Protocol`.
    pub protocol: Fact<ProtocolSet>,
    /// `request:DestinationDomain`, in the form of [`crate::normalize::normalize_domain`]; absent
    /// when the destination is an address.
    pub destination_domain: Fact<&'a str>,
    /// `request:DestinationHost`, be it a name or an address.
    pub destination_host: Fact<Composed<'a>>,
    /// `request:Authority`, host and port.
    pub authority: Fact<Composed<'a>>,
    /// `request:DestinationPort`.
    pub destination_port: Fact<u16>,
    /// `request:DestinationIp`; an IPv4-mapped address counts as its IPv4 address.
    pub destination_ip: Fact<IpAddr>,
    /// `request:TlsSni`; letters are compared in lower case, a trailing dot is dropped.
    pub tls_sni: Fact<&'a [u8]>,
    /// `request:TlsAlpn`, all that the client offers.
    pub tls_alpn: Fact<&'a [&'a [u8]]>,
    /// `request:TlsVersion`.
    pub tls_version: Fact<&'a [u8]>,
    /// `request:Ja4`.
    pub ja4: Fact<&'a [u8]>,
    /// `request:TlsEch`: `present`, or absent.
    pub tls_ech: Fact<&'a [u8]>,
    /// `request:Http:Uri`, path and query in the form of [`crate::normalize::normalize_uri`].
    pub uri: Fact<&'a [u8]>,
    /// `request:Url`; of a tunnel that is not looked into, host and port of the CONNECT.
    pub url: Fact<Composed<'a>>,
    /// `request:Http:Method`.
    pub method: Fact<&'a [u8]>,
    /// `request:Http:UserAgent`.
    pub user_agent: Fact<FieldValues<'a>>,
    /// `request:Http:ContentType`; split and brought into its normal form here.
    pub content_type: Fact<FieldValues<'a>>,
    /// `request:Http:Host`.
    pub host: Fact<&'a [u8]>,
    /// `request:Http:ContentLength`.
    pub content_length: Fact<u64>,
    /// `request:Http:Header/NAME`, all of them.
    pub request_headers: Fact<&'a dyn HeaderFields>,
    /// `response:Http:StatusCode`.
    pub status_code: Fact<u16>,
    /// `response:Http:ContentLength`.
    pub response_content_length: Fact<u64>,
    /// `response:Http:ContentType`; split and brought into its normal form here.
    pub response_content_type: Fact<FieldValues<'a>>,
    /// `response:Http:Header/NAME`, all of them.
    pub response_headers: Fact<&'a dyn HeaderFields>,
    /// `response:TlsIssuer`.
    pub tls_issuer: Fact<&'a [u8]>,
    /// `response:TlsSha256`.
    pub tls_sha256: Fact<&'a [u8]>,
}

impl Facts<'_> {
    /// Nothing is known.
    #[must_use]
    pub const fn unknown() -> Self {
        Self {
            source_ip: Fact::Unknown,
            source_port: Fact::Unknown,
            source_vpce: Fact::Unknown,
            source_vpc: Fact::Unknown,
            source_account: Fact::Unknown,
            source_labels: Fact::Unknown,
            principal: Fact::Unknown,
            time: Fact::Unknown,
            protocol: Fact::Unknown,
            destination_domain: Fact::Unknown,
            destination_host: Fact::Unknown,
            authority: Fact::Unknown,
            destination_port: Fact::Unknown,
            destination_ip: Fact::Unknown,
            tls_sni: Fact::Unknown,
            tls_alpn: Fact::Unknown,
            tls_version: Fact::Unknown,
            ja4: Fact::Unknown,
            tls_ech: Fact::Unknown,
            uri: Fact::Unknown,
            url: Fact::Unknown,
            method: Fact::Unknown,
            user_agent: Fact::Unknown,
            content_type: Fact::Unknown,
            host: Fact::Unknown,
            content_length: Fact::Unknown,
            request_headers: Fact::Unknown,
            status_code: Fact::Unknown,
            response_content_length: Fact::Unknown,
            response_content_type: Fact::Unknown,
            response_headers: Fact::Unknown,
            tls_issuer: Fact::Unknown,
            tls_sha256: Fact::Unknown,
        }
    }
}

macro_rules! members {
    ($($source:ident => $member:ident,)+) => {
        impl Source {
            /// Whether this member of `facts` is unknown.
            #[must_use]
            pub const fn is_unknown(self, facts: &Facts<'_>) -> bool {
                match self {
                    $(Self::$source => facts.$member.is_unknown(),)+
                }
            }

            /// Makes this member of `facts` unknown.
            pub const fn forget(self, facts: &mut Facts<'_>) {
                match self {
                    $(Self::$source => facts.$member = Fact::Unknown,)+
                }
            }
        }
    };
}

members! {
    SourceIp => source_ip,
    SourcePort => source_port,
    SourceVpce => source_vpce,
    SourceVpc => source_vpc,
    SourceAccount => source_account,
    SourceLabels => source_labels,
    Principal => principal,
    Time => time,
    Protocol => protocol,
    DestinationDomain => destination_domain,
    DestinationHost => destination_host,
    Authority => authority,
    DestinationPort => destination_port,
    DestinationIp => destination_ip,
    TlsSni => tls_sni,
    TlsAlpn => tls_alpn,
    TlsVersion => tls_version,
    Ja4 => ja4,
    TlsEch => tls_ech,
    HttpUri => uri,
    Url => url,
    HttpMethod => method,
    HttpUserAgent => user_agent,
    HttpContentType => content_type,
    HttpHost => host,
    HttpContentLength => content_length,
    RequestHeaders => request_headers,
    ResponseStatusCode => status_code,
    ResponseContentLength => response_content_length,
    ResponseContentType => response_content_type,
    ResponseHeaders => response_headers,
    ResponseTlsIssuer => tls_issuer,
    ResponseTlsSha256 => tls_sha256,
}

impl<'f> Facts<'f> {
    /// The value of a source that has one text; absent of any other source.
    #[must_use]
    pub fn text(&self, source: Source) -> Fact<&'f [u8]> {
        match source {
            Source::SourceVpce => self.source_vpce,
            Source::SourceVpc => self.source_vpc,
            Source::SourceAccount => self.source_account,
            Source::Principal => self.principal,
            Source::DestinationDomain => match self.destination_domain {
                Fact::Known(domain) => Fact::Known(domain.as_bytes()),
                Fact::Absent => Fact::Absent,
                Fact::Unknown => Fact::Unknown,
            },
            Source::TlsSni => self.tls_sni,
            Source::TlsVersion => self.tls_version,
            Source::Ja4 => self.ja4,
            Source::TlsEch => self.tls_ech,
            Source::HttpUri => self.uri,
            Source::HttpMethod => self.method,
            Source::HttpHost => self.host,
            Source::ResponseTlsIssuer => self.tls_issuer,
            Source::ResponseTlsSha256 => self.tls_sha256,
            _ => Fact::Absent,
        }
    }

    /// The text of a source that is put together of parts; absent of any other source.
    #[must_use]
    pub const fn composed(&self, source: Source) -> Fact<Composed<'f>> {
        match source {
            Source::DestinationHost => self.destination_host,
            Source::Authority => self.authority,
            Source::Url => self.url,
            _ => Fact::Absent,
        }
    }

    /// The values of a source that is one header field; absent of any other source.
    #[must_use]
    pub const fn field_values(&self, source: Source) -> Fact<FieldValues<'f>> {
        match source {
            Source::HttpUserAgent => self.user_agent,
            Source::HttpContentType => self.content_type,
            Source::ResponseContentType => self.response_content_type,
            _ => Fact::Absent,
        }
    }
}

/// Says which facts are known, not their values: they may be secret (a query, a principal).
impl fmt::Debug for Facts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Source::ALL
            .into_iter()
            .filter(|source| !source.is_unknown(self));
        f.debug_tuple("Facts")
            .field(&known.collect::<Vec<_>>())
            .finish()
    }
}
