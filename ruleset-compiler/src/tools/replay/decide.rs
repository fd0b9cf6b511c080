//! What a bundle decides about a logged transaction. What the log does not tell is unknown, never
//! guessed; `docs/ruleset-tools.md` has the table.

use std::borrow::Cow;
use std::net::IpAddr;

use memchr::{memmem, memrchr};
use sallyport_ruleset::normalize::{normalize_domain, normalize_uri};
use sallyport_ruleset::{
    Bundle, Composed, Decision, Fact, Facts, FieldValues, Host, Outcome, Phase, Protocol,
    ProtocolSet, RuleIndex, Scratch, Source, UrlScheme, Verdict,
};

use super::memo::Memo;
use crate::tools::log::LogRecord;

/// A bundle and the memory for asking it again and again.
#[derive(Debug)]
pub struct Decider<'b> {
    bundle: &'b Bundle,
    scratch: Scratch,
    pub(super) memo: Memo,
    /// What the log never tells counts as absent.
    assumes_absent: bool,
    uri: Vec<u8>,
    domain: String,
}

/// The answer about a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// The last phase that runs says so.
    Decided {
        /// The phase.
        phase: Phase,
        /// What it says.
        verdict: Verdict,
    },
    /// The answer hangs on facts that are not in the log: bits of [`Source::index`] of those that
    /// rules ask for.
    Unknown(u64),
    /// There is no destination: nothing was decided by rules.
    NoDestination,
}

/// How much can be seen of what a transaction was.
#[derive(Clone, Copy, PartialEq, Eq)]
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

impl<'b> Decider<'b> {
    /// A decider for one thread.
    #[must_use]
    pub fn new(bundle: &'b Bundle) -> Self {
        Self {
            bundle,
            scratch: bundle.scratch(),
            memo: Memo::new(bundle),
            assumes_absent: false,
            uri: Vec::new(),
            domain: String::new(),
        }
    }

    /// The same, that takes for absent what the log never tells: labels, most headers, lengths.
    #[must_use]
    pub fn assuming_absent(bundle: &'b Bundle) -> Self {
        Self {
            assumes_absent: true,
            ..Self::new(bundle)
        }
    }

    /// Decides phase by phase; `visit` is told each verdict and the alerts that fired.
    pub fn decide(
        &mut self,
        record: &LogRecord<'_>,
        mut visit: impl FnMut(Phase, Verdict, &[RuleIndex]),
    ) -> Again {
        let (Some(host), Some(port)) = (&record.domain, record.port) else {
            return Again::NoDestination;
        };
        let host = str::from_utf8(host).unwrap_or_default();
        let address = ip_literal(host);
        let domain = match address {
            Some(_) => Fact::Absent,
            None => match normalize_domain(host, &mut self.domain) {
                Ok(domain) => Fact::Known(domain),
                Err(_) => return Again::NoDestination,
            },
        };
        let kind = kind(record);
        let uri = match &record.uri {
            Some(uri) if is_whole(uri) => {
                normalize_uri(uri, &mut self.uri);
                Fact::Known(self.uri.as_slice())
            }
            Some(_) => Fact::Unknown,
            None => Fact::Absent,
        };
        // One set of facts that grows from phase to phase: it is too large to be copied for each.
        let mut facts = Facts::unknown();
        facts.destination_domain = domain;
        facts.destination_port = Fact::Known(port);
        let parts = match (address, domain) {
            (Some(address), _) => Host::Address(address),
            (None, Fact::Known(domain)) => Host::Name(domain),
            (None, _) => return Again::NoDestination,
        };
        facts.destination_host = Fact::Known(Composed::Host(parts));
        facts.authority = Fact::Known(Composed::Authority(parts, port));
        connection_facts(record, kind, &mut facts);
        if self.assumes_absent {
            facts.source_labels = Fact::Absent;
        }
        let mut last = Again::NoDestination;
        for phase in Phase::ALL {
            match phase {
                Phase::PreDns => {}
                Phase::PreRequest => request_facts(record, kind, uri, address, &mut facts),
                Phase::PostResponse if kind == Kind::Http => response_facts(record, &mut facts),
                Phase::PostResponse => break,
            }
            if self.assumes_absent && phase != Phase::PreDns {
                assume_absent(&mut facts);
            }
            let (outcome, alerts) =
                self.memo
                    .evaluate(self.bundle, phase, &facts, &mut self.scratch);
            match outcome {
                Outcome::Undetermined => {
                    return Again::Unknown(missing(self.bundle, phase, &facts));
                }
                Outcome::Decided(verdict) => {
                    visit(phase, verdict, alerts);
                    last = Again::Decided { phase, verdict };
                    if verdict.action == Decision::Deny {
                        break;
                    }
                }
            }
        }
        last
    }
}

/// A host that is an address; few are, so the costly question is asked of few.
fn ip_literal(host: &str) -> Option<IpAddr> {
    let may_be = host.ends_with(|last: char| last.is_ascii_hexdigit() || last == ':')
        && host.starts_with(|first: char| first.is_ascii_hexdigit() || first == ':');
    may_be.then(|| host.parse().ok()).flatten()
}

/// Sources that rules of the phase ask for and that are unknown.
fn missing(bundle: &Bundle, phase: Phase, facts: &Facts<'_>) -> u64 {
    let sources = bundle.sources(phase).iter();
    sources
        .filter(|source| source.is_unknown(facts))
        .fold(0, |mask, source: &Source| mask | 1 << source.index())
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
const fn assume_absent(facts: &mut Facts<'_>) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{Options, compile_str};
    use crate::source::MemoryFiles;
    use crate::tools::log::LogReader;

    fn bundle(rules: &str) -> Bundle {
        let text = format!(
            "[defaults]\npre_dns = \"allow\"\npre_request = \"allow\"\npost_response = \"allow\"\n\
             [[group]]\npriority = 1\nname = \"g\"\n{rules}"
        );
        let compiled = compile_str(&text, MemoryFiles::default(), &Options::default()).unwrap();
        Bundle::load(compiled.emitted.unwrap().bytes).unwrap()
    }

    fn check(rules: &str, line: &str, expected: &str) {
        let bundle = bundle(rules);
        let record = LogReader::default().read(line.as_bytes()).unwrap();
        let found = match Decider::new(&bundle).decide(&record, |_, _, _| {}) {
            Again::Decided { phase, verdict } => format!("{phase} {}", verdict.action),
            Again::Unknown(mask) => {
                let bits = Source::ALL
                    .iter()
                    .filter(|source| mask >> source.index() & 1 == 1);
                format!("{:?}", bits.collect::<Vec<_>>())
            }
            Again::NoDestination => "none".to_owned(),
        };
        assert_eq!(found, expected, "{rules}\n{line}");
    }

    fn rule(phase: &str, condition: &str) -> String {
        format!("[[group.{phase}]]\nname = \"r\"\naction = \"deny\"\nwhen.{condition}\n")
    }

    #[test]
    fn what_a_line_tells() {
        let http = r#"{"domain":"a.test","port":80,"proto":"http","method":"GET","uri":"/x/%2e%2E/a","dst_ip":"192.0.2.1","tls_mode":"none","status":404,"action":"allow"}"#;
        check(
            &rule(
                "pre_dns",
                r#""request:DestinationDomain" = { DomainMatch = "test" }"#,
            ),
            http,
            "PreDNS deny",
        );
        check(
            &rule(
                "pre_request",
                r#""request:Http:Uri" = { StringEquals = "/a" }"#,
            ),
            http,
            "PreREQUEST deny",
        );
        check(
            &rule("pre_request", r#""request:TlsSni" = { Null = true }"#),
            http,
            "PreREQUEST deny",
        );
        check(
            &rule(
                "post_response",
                r#""response:Http:StatusCode" = { NumericEquals = 404 }"#,
            ),
            http,
            "PostRESPONSE deny",
        );
        check(
            &rule(
                "pre_request",
                r#""request:Http:Header/X-A" = { StringEquals = "1" }"#,
            ),
            http,
            "[RequestHeaders]",
        );
        check("", http, "PostRESPONSE allow");
    }

    #[test]
    fn what_a_line_of_a_tunnel_tells() {
        let tunnel = r#"{"domain":"a.test","port":443,"proto":"connect","method":"CONNECT","sni":"b.test","tls_mode":"passthrough","status":200,"action":"allow"}"#;
        check(
            &rule(
                "pre_request",
                r#""request:TlsSni" = { StringEquals = "b.test" }"#,
            ),
            tunnel,
            "PreREQUEST deny",
        );
        check(
            &rule(
                "pre_request",
                r#""request:Protocol" = { StringEquals = "https" }"#,
            ),
            tunnel,
            "PreREQUEST deny",
        );
        check(
            &rule("pre_request", r#""request:Http:Method" = { Null = true }"#),
            tunnel,
            "PreREQUEST deny",
        );
        check(
            &rule(
                "pre_request",
                r#""request:DestinationIp" = { IpAddress = "10.0.0.0/8" }"#,
            ),
            tunnel,
            "[DestinationIp]",
        );
        check(
            &rule(
                "post_response",
                r#""response:Http:StatusCode" = { NumericEquals = 200 }"#,
            ),
            tunnel,
            "PreREQUEST allow",
        );
    }

    #[test]
    fn what_a_line_does_not_tell() {
        let refused = r#"{"domain":"a.test","port":80,"proto":"http","method":"GET","uri":"/","tls_mode":"none","status":403,"action":"deny","phase":"PostRESPONSE"}"#;
        check(
            &rule(
                "post_response",
                r#""response:Http:StatusCode" = { NumericEquals = 403 }"#,
            ),
            refused,
            "[ResponseStatusCode]",
        );
        let unopened = r#"{"domain":"a.test","port":443,"proto":"connect","method":"CONNECT","tls_mode":"none","status":403,"action":"deny","phase":"PreDNS"}"#;
        check(
            &rule(
                "pre_request",
                r#""request:TlsSni" = { StringEquals = "b.test" }"#,
            ),
            unopened,
            "[TlsSni]",
        );
        let cut = r#"{"domain":"a.test","port":80,"proto":"http","method":"GET","uri":"/aaa…(+7)","tls_mode":"none"}"#;
        check(
            &rule(
                "pre_request",
                r#""request:Http:Uri" = { StringLike = "/aaa*" }"#,
            ),
            cut,
            "[HttpUri]",
        );
        check("", r#"{"status":400}"#, "none");
        check("", r#"{"domain":"a b","port":1}"#, "none");
        let literal = r#"{"domain":"10.0.0.1","port":80,"proto":"http","method":"GET","uri":"/","tls_mode":"none"}"#;
        check(
            &rule(
                "pre_request",
                r#""request:DestinationIp" = { IpAddress = "10.0.0.0/8" }"#,
            ),
            literal,
            "PreREQUEST deny",
        );
        check(
            &rule(
                "pre_dns",
                r#""request:DestinationDomain" = { Null = true }"#,
            ),
            literal,
            "PreDNS deny",
        );
    }
}
