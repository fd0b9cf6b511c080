//! A request described on the command line, and the facts that follow from it. What was not
//! given is unknown; what cannot be there is absent, and so is what ordinary clients do not have
//! (`HABITS`): the answer says so. `given.rs` has what was said by key.

use std::net::IpAddr;

use sallyport_ruleset::normalize::is_token;
use sallyport_ruleset::{
    Bundle, Composed, Fact, Facts, Field, FieldValues, HeaderFields, Phase, Protocol, ProtocolSet,
    Source,
};

use crate::tools::given::Given;
use crate::tools::given_error::GivenError;
use crate::tools::request_args::RequestArgs;
use crate::value::BadValue;
use crate::value::date;
use crate::value::url::{Host, Scheme, Url, UrlError};

/// Field lines as the ruleset crate takes them.
type HeaderLines = Vec<(Vec<u8>, Vec<u8>)>;

/// A request, and perhaps its response.
#[derive(Debug)]
pub struct Request {
    identity: Identity,
    time: Option<i64>,
    /// None: nothing is known but what was given by key.
    asked: Option<Asked>,
    given: Given,
    /// The only phase to ask.
    phase: Option<Phase>,
}

/// What is asked for.
#[derive(Debug)]
struct Asked {
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

/// What an ordinary client is like, who comes from no VPC endpoint, has not been authenticated and stands
/// in no identity map, and whose TLS is that of today.
const HABITS: [(Source, &str); 8] = [
    (Source::SourceVpce, "absent"),
    (Source::SourceVpc, "absent"),
    (Source::SourceAccount, "absent"),
    (Source::SourceLabels, "absent"),
    (Source::Principal, "absent"),
    (Source::TlsAlpn, "h2, http/1.1"),
    (Source::TlsVersion, "TLSv1.3"),
    (Source::TlsEch, "absent"),
];
const ORDINARY_ALPN: &[&[u8]] = &[b"h2", b"http/1.1"];
const ORDINARY_TLS: &[u8] = b"TLSv1.3";

/// Who asks; and the address that a name resolves to, which no URL tells either.
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
    destination_ip: Option<IpAddr>,
}

/// What cannot be understood of a request as it was described.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Neither a URL nor a phase to ask.
    #[error("there is no `url`")]
    NoUrl,
    /// Something that only a request to a URL has.
    #[error(
        "a method, headers, `sni`, `intercept` and `status` need a `url`; \
                        without one say `fact`"
    )]
    NeedsUrl,
    /// The URL is none.
    #[error("`{text}` is not a URL to explain: {why}")]
    Url {
        /// As it was written.
        text: String,
        /// What is wrong with it.
        why: UrlError,
    },
    /// The method is no token.
    #[error("`{0}` is not a method")]
    Method(String),
    /// Header fields of a response that has not come.
    #[error("a response header needs a `status`")]
    NeedsStatus,
    /// The time is none.
    #[error("{}: expected {}", .0.message, .0.expected)]
    Time(BadValue),
    /// A label without a name or a value.
    #[error("`{0}` is not a label: expected `NAME=VALUE`")]
    Label(String),
    /// A header field without a name.
    #[error("`{0}` is not a header: expected `NAME: VALUE`")]
    Header(String),
    /// Something that was given by key.
    #[error(transparent)]
    Given(#[from] GivenError),
}

impl Request {
    /// Understands a request as it was described. Without a time a URL is asked for `now`, if that is known.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn new(args: &RequestArgs, now: Option<i64>) -> Result<Self, RequestError> {
        let asked = match (&args.url, args.phase) {
            (Some(url), _) => Some(Asked::new(args, parse_url(url)?)?),
            (None, Some(_)) => None,
            (None, None) => return Err(RequestError::NoUrl),
        };
        if asked.is_none() && is_about_a_url(args) {
            return Err(RequestError::NeedsUrl);
        }
        let labels = labels(&args.label)?;
        let mut given = Given::new(&args.fact, &args.absent, &args.unknown)?;
        let no_labels = Vec::new();
        given.complete(
            labels
                .as_ref()
                .or_else(|| asked.as_ref().map(|_| &no_labels)),
            asked
                .as_ref()
                .filter(|asked| !asked.is_opaque())
                .map(|asked| &asked.headers),
            asked
                .as_ref()
                .filter(|asked| asked.status.is_some())
                .map(|asked| &asked.response_headers),
        );
        Ok(Self {
            identity: Identity {
                ip: args.from,
                port: args.from_port,
                vpce: args.vpce.clone(),
                vpc: args.vpc.clone(),
                account: args.account.clone(),
                labels,
                principal: args.principal.clone(),
                destination_ip: args.dst_ip,
            },
            time: match args.time.as_deref() {
                Some(text) => Some(time(text)?),
                None => now.filter(|_| asked.is_some()),
            },
            asked,
            given,
            phase: args.phase.map(Phase::from),
        })
    }

    /// Whether a phase is to be asked.
    #[must_use]
    pub fn asks(&self, phase: Phase) -> bool {
        self.phase.is_none_or(|only| only == phase)
    }

    /// Nobody sees into the connection: a TLS tunnel that is not decrypted.
    #[must_use]
    pub fn is_opaque(&self) -> bool {
        self.phase.is_none() && self.asked.as_ref().is_some_and(Asked::is_opaque)
    }

    /// What was taken for so because ordinary clients are like that, of what rules of the bundle ask for:
    /// keys and what they are.
    #[must_use]
    pub fn assumed(&self, bundle: &Bundle) -> Vec<(String, &'static str)> {
        let Some(asked) = &self.asked else {
            return Vec::new();
        };
        let is_said = |source: Source| match source {
            Source::SourceVpce => self.identity.vpce.is_some(),
            Source::SourceVpc => self.identity.vpc.is_some(),
            Source::SourceAccount => self.identity.account.is_some(),
            Source::SourceLabels => self.identity.labels.is_some(),
            Source::Principal => self.identity.principal.is_some(),
            _ => !asked.is_tls(),
        };
        let is_asked_for = |source: &Source| {
            let mut phases = Phase::ALL.into_iter().filter(|phase| self.asks(*phase));
            phases.any(|phase| bundle.sources(phase).contains(source))
        };
        HABITS
            .into_iter()
            .filter(|(source, _)| {
                is_asked_for(source) && !is_said(*source) && !self.given.tells_of_source(*source)
            })
            .map(|(source, what)| (key_of(source), what))
            .collect()
    }

    /// Lends what is known in a phase.
    pub fn with_facts<T>(&self, phase: Phase, take: impl FnOnce(&Facts<'_>) -> T) -> T {
        let facts = self.identity_facts();
        let Some(asked) = &self.asked else {
            return self.given.with(phase, facts, take);
        };
        let facts = asked.connection_facts(phase, facts);
        let facts = match phase {
            Phase::PreDns => facts,
            Phase::PreRequest => asked.request_facts(facts),
            Phase::PostResponse => asked.response_facts(asked.request_facts(facts)),
        };
        self.given.with(phase, facts, take)
    }

    fn identity_facts(&self) -> Facts<'_> {
        let Identity {
            ip,
            port,
            vpce,
            vpc,
            account,
            labels,
            principal,
            destination_ip,
        } = &self.identity;
        let is_ordinary = self.asked.is_some();
        Facts {
            source_ip: given(*ip),
            source_port: given(*port),
            source_vpce: or_habit(vpce.as_deref().map(str::as_bytes), is_ordinary),
            source_vpc: or_habit(vpc.as_deref().map(str::as_bytes), is_ordinary),
            source_account: or_habit(account.as_deref().map(str::as_bytes), is_ordinary),
            source_labels: or_habit(
                labels.as_ref().map(|labels| labels as &dyn HeaderFields),
                is_ordinary,
            ),
            principal: or_habit(principal.as_deref().map(str::as_bytes), is_ordinary),
            time: given(self.time),
            destination_ip: given(*destination_ip),
            ..Facts::unknown()
        }
    }
}

impl Asked {
    fn new(args: &RequestArgs, url: Url) -> Result<Self, RequestError> {
        let mut headers = header_lines(&args.header)?;
        if first(&headers, "host").is_none() {
            headers.push((b"host".to_vec(), url.authority.clone().into_bytes()));
        }
        if !is_token(args.method().as_bytes()) {
            return Err(RequestError::Method(args.method().to_owned()));
        }
        if args.status.is_none() && !args.response_header.is_empty() {
            return Err(RequestError::NeedsStatus);
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

    fn is_opaque(&self) -> bool {
        self.is_tls() && !self.is_intercepted
    }

    fn is_tls(&self) -> bool {
        self.scheme.is_tls()
    }

    fn connection_facts<'a>(&'a self, phase: Phase, identity: Facts<'a>) -> Facts<'a> {
        Facts {
            protocol: Fact::Known(self.protocol(phase)),
            destination_domain: match &self.host {
                Host::Domain(domain) => Fact::Known(domain),
                Host::Address(_) => Fact::Absent,
            },
            destination_host: Fact::Known(Composed::Host(self.host.parts())),
            authority: Fact::Known(Composed::Authority(self.host.parts(), self.port)),
            destination_port: Fact::Known(self.port),
            ..identity
        }
    }

    fn whole_url(&self) -> Composed<'_> {
        Composed::Url {
            scheme: self.scheme.of_url(),
            host: self.host.parts(),
            port: self.port,
            uri: &self.uri,
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
            // The fingerprint stays unknown: there are many ordinary ones.
            Facts {
                tls_sni: self.sni.as_deref().map(str::as_bytes).into(),
                tls_alpn: Fact::Known(ORDINARY_ALPN),
                tls_version: Fact::Known(ORDINARY_TLS),
                tls_ech: Fact::Absent,
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
                url: facts.authority,
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
            url: Fact::Known(self.whole_url()),
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

/// What only a request that was described by its URL can have.
fn is_about_a_url(args: &RequestArgs) -> bool {
    let has_lines = !args.header.is_empty() || !args.response_header.is_empty();
    let has_words = args.method.is_some() || args.sni.is_some() || args.status.is_some();
    has_lines || has_words || args.intercept
}

fn parse_url(text: &str) -> Result<Url, RequestError> {
    Url::parse(text).map_err(|why| RequestError::Url {
        text: text.to_owned(),
        why,
    })
}

fn key_of(source: Source) -> String {
    let word = Field::words().find(|(_, field)| field.source() == source);
    word.map_or("request:SourceLabel", |(word, _)| word)
        .to_owned()
}

/// What was not given is absent, if an ordinary client asks.
fn or_habit<T>(value: Option<T>, is_ordinary: bool) -> Fact<T> {
    match value {
        Some(value) => Fact::Known(value),
        None if is_ordinary => Fact::Absent,
        None => Fact::Unknown,
    }
}

fn given<T>(value: Option<T>) -> Fact<T> {
    value.map_or(Fact::Unknown, Fact::Known)
}

/// None of the name: the field is absent.
fn named<'h>(headers: &'h HeaderLines, name: &'static str) -> Fact<FieldValues<'h>> {
    Fact::Known(FieldValues::Named(headers, name))
}

fn time(text: &str) -> Result<i64, RequestError> {
    date::unix_seconds(text).map_err(RequestError::Time)
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

fn labels(given: &[String]) -> Result<Option<HeaderLines>, RequestError> {
    let labels = given.iter().map(|label| {
        let parts = label
            .split_once('=')
            .filter(|(name, _)| is_token(name.as_bytes()));
        let (name, value) = parts.ok_or_else(|| RequestError::Label(label.clone()))?;
        Ok((name.as_bytes().to_vec(), value.as_bytes().to_vec()))
    });
    let labels = labels.collect::<Result<HeaderLines, RequestError>>()?;
    Ok((!labels.is_empty()).then_some(labels))
}

fn header_lines(lines: &[String]) -> Result<HeaderLines, RequestError> {
    lines.iter().map(|line| header_line(line)).collect()
}

fn header_line(line: &str) -> Result<(Vec<u8>, Vec<u8>), RequestError> {
    let parts = line
        .split_once(':')
        .filter(|(name, _)| is_token(name.as_bytes()));
    let (name, value) = parts.ok_or_else(|| RequestError::Header(line.to_owned()))?;
    Ok((name.as_bytes().to_vec(), value.trim().as_bytes().to_vec()))
}
