//! What a line of the log tells of a transaction, as the facts that rules ask for. What the log does not
//! tell is unknown, never guessed; `docs/ruleset-tools.md` has the table.

use std::borrow::Cow;
use std::net::IpAddr;

use memchr::{memmem, memrchr};
use sallyport_ruleset::normalize::{normalize_domain, normalize_uri};
use sallyport_ruleset::{
    Composed, Fact, Facts, FieldValues, Host, Phase, Protocol, ProtocolSet, UrlScheme,
};

use super::record::LogRecord;

/// Normal forms of what a line has, kept from line to line for their memory.
#[derive(Clone, Debug, Default)]
pub struct NormalForms {
    uri: Vec<u8>,
    domain: String,
}

/// A transaction of the log, about which more is known from phase to phase.
#[derive(Debug)]
pub struct Told<'r, 'l> {
    record: &'r LogRecord<'l>,
    kind: Kind,
    uri: Fact<&'r [u8]>,
    /// The host, where it is an address.
    address: Option<IpAddr>,
}

/// How much can be seen of what a transaction was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Its head was read.
    Http,
    /// A TLS tunnel that was not looked into.
    OpaqueTls,
    /// A tunnel of something else.
    OpaqueOther,
    /// A CONNECT that ended before its first byte came.
    Unopened,
}

impl<'r, 'l> Told<'r, 'l> {
    /// Begins with what PreDNS knows. The facts are the caller's, as they are too large to be handed
    /// about. `None`: there is no destination, and no phase ran.
    pub fn begin(
        record: &'r LogRecord<'l>,
        forms: &'r mut NormalForms,
        facts: &mut Facts<'r>,
    ) -> Option<Self> {
        let (Some(host), Some(port)) = (&record.domain, record.port) else {
            return None;
        };
        let NormalForms {
            uri: normal_uri,
            domain: normal_domain,
        } = forms;
        let host = str::from_utf8(host).unwrap_or_default();
        let address = ip_literal(host);
        let domain = match address {
            Some(_) => Fact::Absent,
            None => Fact::Known(normalize_domain(host, normal_domain).ok()?),
        };
        let kind = kind(record);
        let uri = match &record.uri {
            Some(uri) if is_whole(uri) => {
                normalize_uri(uri, normal_uri);
                Fact::Known(normal_uri.as_slice())
            }
            Some(_) => Fact::Unknown,
            None => Fact::Absent,
        };
        facts.destination_domain = domain;
        facts.destination_port = Fact::Known(port);
        let parts = match (address, domain) {
            (Some(address), _) => Host::Address(address),
            (None, Fact::Known(domain)) => Host::Name(domain),
            (None, _) => return None,
        };
        facts.destination_host = Fact::Known(Composed::Host(parts));
        facts.authority = Fact::Known(Composed::Authority(parts, port));
        connection_facts(record, kind, facts);
        Some(Self {
            record,
            kind,
            uri,
            address,
        })
    }

    /// Adds what a phase knows beyond the one before. `false`: it did not run, as nobody saw a response.
    pub fn enter(&self, phase: Phase, facts: &mut Facts<'r>) -> bool {
        match phase {
            Phase::PreDns => {}
            Phase::PreRequest => {
                request_facts(self.record, self.kind, self.uri, self.address, facts);
            }
            Phase::PostResponse if self.kind == Kind::Http => response_facts(self.record, facts),
            Phase::PostResponse => return false,
        }
        true
    }
}

/// A host that is an address; few are, so the costly question is asked of few.
fn ip_literal(host: &str) -> Option<IpAddr> {
    let may_be = host.ends_with(|last: char| last.is_ascii_hexdigit() || last == ':')
        && host.starts_with(|first: char| first.is_ascii_hexdigit() || first == ':');
    may_be.then(|| host.parse().ok()).flatten()
}

fn kind(record: &LogRecord<'_>) -> Kind {
    let is_connect = record.method.as_deref() == Some(b"CONNECT");
    match record.tls_mode.as_deref() {
        Some(b"passthrough") => Kind::OpaqueTls,
        _ if !is_connect => Kind::Http,
        _ if record.status == Some(200) && !record.has_error => Kind::OpaqueOther,
        _ => Kind::Unopened,
    }
}

/// The log says where it cut a value, and shows what was no UTF-8 as U+FFFD: neither is the value.
fn is_whole(value: &[u8]) -> bool {
    !is_cut(value) && (value.is_ascii() || memmem::find(value, "\u{fffd}".as_bytes()).is_none())
}

/// Whether the value ends in `…(+N bytes)`.
fn is_cut(value: &[u8]) -> bool {
    let cut = || {
        let (before, count) = value.split_at_checked(memrchr(b'(', value)?)?;
        Some(before.ends_with("…".as_bytes()) && count.starts_with(b"(+"))
    };
    value.ends_with(b")") && cut().unwrap_or(false)
}

/// A value that is absent when the log has none.
fn whole<'r>(value: Option<&'r Cow<'_, [u8]>>) -> Fact<&'r [u8]> {
    match value {
        None => Fact::Absent,
        Some(value) if is_whole(value) => Fact::Known(value),
        Some(_) => Fact::Unknown,
    }
}

fn known<T>(value: Option<T>) -> Fact<T> {
    value.map_or(Fact::Unknown, Fact::Known)
}

fn connection_facts<'r>(record: &'r LogRecord<'_>, kind: Kind, facts: &mut Facts<'r>) {
    let protocol = match kind {
        Kind::Http => logged_protocol(record),
        _ => Some(ProtocolSet::EMPTY.with(Protocol::Connect)),
    };
    facts.source_ip = known(record.client_ip);
    facts.source_port = known(record.client_port);
    facts.source_vpce = whole(record.vpce.as_ref());
    facts.source_vpc = whole(record.vpc.as_ref());
    facts.source_account = whole(record.account.as_ref());
    facts.principal = whole(record.principal.as_ref());
    facts.time = known(record.time);
    facts.protocol = known(protocol);
}

fn logged_protocol(record: &LogRecord<'_>) -> Option<ProtocolSet> {
    let word = record.proto.as_deref()?;
    let found = Protocol::ALL
        .into_iter()
        .find(|protocol| protocol.name().as_bytes() == word)?;
    let is_intercepted = record.tls_mode.as_deref() == Some(b"intercept");
    let set = ProtocolSet::EMPTY.with(found);
    Some(if is_intercepted {
        set.with(Protocol::Connect)
    } else {
        set
    })
}

fn request_facts<'r>(
    record: &'r LogRecord<'_>,
    kind: Kind,
    uri: Fact<&'r [u8]>,
    address: Option<IpAddr>,
    facts: &mut Facts<'r>,
) {
    let protocol = ProtocolSet::EMPTY.with(Protocol::Connect);
    facts.destination_ip = known(record.dst_ip.or(address));
    match kind {
        Kind::Http => {}
        Kind::OpaqueTls => facts.protocol = Fact::Known(protocol.with(Protocol::Https)),
        Kind::OpaqueOther => facts.protocol = Fact::Known(protocol.with(Protocol::Tcp)),
        Kind::Unopened => facts.protocol = Fact::Unknown,
    }
    tls_facts(record, kind, facts);
    match kind {
        Kind::Unopened => {}
        Kind::Http => {
            facts.uri = uri;
            facts.url = url(record, uri, facts.authority);
            facts.method = whole(record.method.as_ref());
            facts.user_agent = one(whole(record.user_agent.as_ref()));
        }
        Kind::OpaqueTls | Kind::OpaqueOther => {
            facts.uri = Fact::Absent;
            facts.url = facts.authority;
            facts.method = Fact::Absent;
            facts.user_agent = Fact::Absent;
            facts.content_type = Fact::Absent;
            facts.host = Fact::Absent;
            facts.content_length = Fact::Absent;
            facts.request_headers = Fact::Absent;
        }
    }
}

/// The URL of a request whose head was read.
fn url<'r>(
    record: &LogRecord<'_>,
    uri: Fact<&'r [u8]>,
    authority: Fact<Composed<'r>>,
) -> Fact<Composed<'r>> {
    let scheme = match record.proto.as_deref() {
        Some(b"http" | b"ws") => UrlScheme::Http,
        Some(b"https" | b"wss") => UrlScheme::Https,
        _ => return Fact::Unknown,
    };
    match (authority, uri) {
        (Fact::Known(Composed::Authority(host, port)), Fact::Known(uri)) => {
            Fact::Known(Composed::Url {
                scheme,
                host,
                port,
                uri,
            })
        }
        _ => Fact::Unknown,
    }
}

/// The log names the first protocol of several that ALPN offers: that is not enough to know.
fn tls_facts<'r>(record: &'r LogRecord<'_>, kind: Kind, facts: &mut Facts<'r>) {
    let has_tls = matches!(
        record.tls_mode.as_deref(),
        Some(b"passthrough" | b"intercept")
    );
    if kind == Kind::Unopened {
        return;
    }
    if !has_tls {
        facts.tls_sni = Fact::Absent;
        facts.tls_alpn = Fact::Absent;
        facts.tls_version = Fact::Absent;
        facts.ja4 = Fact::Absent;
        facts.tls_ech = Fact::Absent;
        return;
    }
    facts.tls_sni = whole(record.sni.as_ref());
    facts.tls_alpn = if record.has_alpn {
        Fact::Unknown
    } else {
        Fact::Absent
    };
    facts.tls_version = whole(record.tls_version.as_ref());
    facts.ja4 = whole(record.ja4.as_ref());
}

/// A status that the proxy gave itself is not the origin's.
fn response_facts<'r>(record: &'r LogRecord<'_>, facts: &mut Facts<'r>) {
    if record.tls_mode.as_deref() != Some(b"intercept") {
        facts.tls_issuer = Fact::Absent;
        facts.tls_sha256 = Fact::Absent;
    }
    let was_refused = record.has_error || record.action.as_deref() == Some(b"deny");
    if !was_refused {
        facts.status_code = known(record.status);
        facts.response_content_type = one(whole(record.content_type.as_ref()));
    }
}

/// A log has one text of each field; of content types it can hold several.
fn one(fact: Fact<&[u8]>) -> Fact<FieldValues<'_>> {
    match fact {
        Fact::Known(text) => Fact::Known(FieldValues::One(text)),
        Fact::Absent => Fact::Absent,
        Fact::Unknown => Fact::Unknown,
    }
}

/// What no line tells.
pub const fn assume_absent(facts: &mut Facts<'_>) {
    facts.source_labels = Fact::Absent;
    facts.tls_ech = Fact::Absent;
    if facts.content_type.is_unknown() {
        facts.content_type = Fact::Absent;
        facts.host = Fact::Absent;
        facts.content_length = Fact::Absent;
        facts.request_headers = Fact::Absent;
    }
    facts.response_content_length = Fact::Absent;
    facts.response_headers = Fact::Absent;
}
