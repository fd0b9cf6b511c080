//! Answers of the proxy's own: what was refused, why, and how to find it in the log. Their bodies are
//! made in `reply_body`.

use std::borrow::Cow;
use std::io::Write;

use sallyport_dns::DnsError;
use sallyport_identity::{BASIC_CHALLENGE, BEARER_CHALLENGE, BEARER_CHALLENGE_INVALID};
use sallyport_ruleset::Phase;
use sallyport_wire::http1::{HeaderName, MethodKind, RequestHead};

use crate::access_log::TransactionId;
use crate::config::checked::Config;
use crate::destination::Prohibited;
use crate::enforcement::{Denied, DeniedBy};
use crate::io::buffers::Shortage;
use crate::observe::Limit;
use crate::proxy_error::ProxyError;
use crate::shard::clients::Limited;
use crate::transaction::request::date::Date;
use crate::upstream::dial::DialError;
use crate::upstream::resolver::ResolveError;
use crate::upstream::tls::OriginTlsError;

/// Why a transaction ends with a reply of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) error: ProxyError,
    /// For the log, the body and `Proxy-Status`.
    pub(crate) detail: Cow<'static, str>,
    /// The phase that said no, if one did.
    pub(crate) phase: Option<Phase>,
    /// The connection cannot be used after this.
    pub(crate) closes: bool,
    /// The limit that was met, if one was.
    pub(crate) limit: Option<Limit>,
    /// How the client could say who it is, if that is what is missing.
    pub(crate) challenges: Option<Challenges>,
}

/// `Proxy-Authenticate` (RFC 9110 section 11.7.1): the schemes that a listener takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Challenges {
    pub(crate) basic: bool,
    pub(crate) bearer: bool,
    /// A token was shown, and is none that counts.
    pub(crate) is_token_wrong: bool,
}

impl Challenges {
    /// The values of the fields. Each has a line of its own: not all clients read lists of challenges.
    fn values(self) -> impl Iterator<Item = &'static str> {
        let bearer = match self.is_token_wrong {
            true => BEARER_CHALLENGE_INVALID,
            false => BEARER_CHALLENGE,
        };
        let basic = self.basic.then_some(BASIC_CHALLENGE);
        basic.into_iter().chain(self.bearer.then_some(bearer))
    }
}

impl Refusal {
    /// A refusal with the status of its error.
    pub(crate) fn new(error: ProxyError, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::with_status(error.status(), error, detail)
    }

    /// A refusal with a status that says more.
    pub(crate) fn with_status(
        status: u16,
        error: ProxyError,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            error,
            detail: detail.into(),
            phase: None,
            closes: false,
            limit: None,
            challenges: None,
        }
    }

    /// A request that is not understood: nothing after it on its connection can be trusted.
    pub(crate) fn malformed(status: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            closes: true,
            ..Self::with_status(status, ProxyError::HttpRequestError, reason)
        }
    }

    /// There is no descriptor for what the request needs.
    pub(crate) fn without_descriptors() -> Self {
        let detail = "the proxy is out of file descriptors";
        Self::with_status(503, ProxyError::ProxyInternalError, detail)
    }

    /// The origin broke off.
    pub(crate) fn terminated(detail: &'static str) -> Self {
        Self::new(ProxyError::ConnectionTerminated, detail)
    }

    /// The origin broke the protocol.
    pub(crate) fn protocol(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ProxyError::HttpProtocolError, reason)
    }

    /// The request has been through this proxy before.
    pub(crate) fn looped(head: &RequestHead, detail: &'static str) -> Self {
        let status = if head.is_connect { 403 } else { 508 };
        Self::with_status(status, ProxyError::ProxyLoopDetected, detail)
    }

    /// The proxy ends, and the names of origins are not waited for any more.
    pub(crate) fn ended() -> Self {
        let detail = "this proxy ended before the name was resolved";
        Self::with_status(503, ProxyError::ProxyInternalError, detail)
    }

    pub(crate) fn prohibited(head: &RequestHead, why: Prohibited) -> Self {
        match why {
            Prohibited::OwnListener => Self::looped(head, why.reason()),
            _ => Self::new(ProxyError::DestinationIpProhibited, why.reason()),
        }
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        let error = match denied.phase {
            Phase::PreDns | Phase::PreRequest => ProxyError::HttpRequestDenied,
            Phase::PostResponse => ProxyError::HttpResponseDenied,
        };
        let detail = match (denied.phase, denied.by) {
            (Phase::PreDns, DeniedBy::Rule) => "denied by a PreDNS rule",
            (Phase::PreRequest, DeniedBy::Rule) => "denied by a PreREQUEST rule",
            (Phase::PostResponse, DeniedBy::Rule) => "denied by a PostRESPONSE rule",
            (Phase::PreDns, DeniedBy::Default) => "no PreDNS rule allows it",
            (Phase::PreRequest, DeniedBy::Default) => "no PreREQUEST rule allows it",
            (Phase::PostResponse, DeniedBy::Default) => "no PostRESPONSE rule allows it",
        };
        Self {
            phase: Some(denied.phase),
            ..Self::new(error, detail)
        }
    }
}

impl From<Shortage> for Refusal {
    fn from(shortage: Shortage) -> Self {
        let limited = match shortage {
            Shortage::Exhausted => Limited::Shard(BUFFERS),
            Shortage::ClientShare => Limited::Share(BUFFERS),
        };
        // The request is not read, so there is nothing to go on with.
        Self {
            closes: true,
            ..limited.into()
        }
    }
}

impl From<DnsError> for Refusal {
    fn from(error: DnsError) -> Self {
        match error.is_timeout() {
            true => Self::new(ProxyError::DnsTimeout, error.to_string()),
            false => Self::new(ProxyError::DnsError, error.to_string()),
        }
    }
}

impl From<ResolveError> for Refusal {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Dns(error) => error.into(),
            ResolveError::Limited(limited) => limited.into(),
        }
    }
}

impl From<DialError> for Refusal {
    fn from(error: DialError) -> Self {
        let proxy_error = match &error {
            DialError::Refused(_) => ProxyError::ConnectionRefused,
            DialError::Unroutable(_) => ProxyError::DestinationIpUnroutable,
            DialError::TimedOut(_) => ProxyError::ConnectionTimeout,
            DialError::Failed { .. } => ProxyError::ConnectionTerminated,
            // It may go better in a moment.
            DialError::Ended | DialError::Exhausted(_) => {
                return Self::with_status(503, ProxyError::ProxyInternalError, error.to_string());
            }
        };
        Self::new(proxy_error, error.to_string())
    }
}

impl From<OriginTlsError> for Refusal {
    fn from(error: OriginTlsError) -> Self {
        let proxy_error = match &error {
            OriginTlsError::Certificate(_) => ProxyError::TlsCertificateError,
            OriginTlsError::Alert(_) => ProxyError::TlsAlertReceived,
            OriginTlsError::Protocol(_) => ProxyError::TlsProtocolError,
            OriginTlsError::Closed => ProxyError::ConnectionTerminated,
            OriginTlsError::TimedOut => ProxyError::ConnectionTimeout,
        };
        Self::new(proxy_error, error.to_string())
    }
}

impl From<Limited> for Refusal {
    fn from(limited: Limited) -> Self {
        let error = ProxyError::ConnectionLimitReached;
        Self {
            limit: Some(limited.limit()),
            ..Self::with_status(limited.status(), error, limited.detail())
        }
    }
}

const BUFFERS: &str = "limits.buffer_bytes";

/// A reply to be written.
#[derive(Debug)]
pub(crate) struct Reply<'a> {
    pub(crate) refusal: &'a Refusal,
    pub(crate) transaction: TransactionId,
    /// The rule that decided, if it may be told.
    pub(crate) rule: Option<&'a str>,
    pub(crate) config: &'a Config,
    /// `None` if the request could not be read.
    pub(crate) request: Option<(&'a RequestHead, &'a [u8])>,
    /// The connection ends after this reply.
    pub(crate) close: bool,
}

impl Reply<'_> {
    /// Appends the whole response to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let refusal = self.refusal;
        let (content_type, body) = self.body();
        let via = &self.config.headers.via;
        let now = Date::now();
        // Writing to a Vec cannot fail.
        let _ = write!(
            out,
            "HTTP/1.1 {} {}\r\nDate: {now}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\
             Cache-Control: no-store\r\nProxy-Status: {via}; error={}; details=\"{}\"\r\n",
            refusal.status,
            self.reason(),
            body.len(),
            refusal.error,
            structured_string(&refusal.detail),
        );
        if matches!(refusal.status, 429 | 503) {
            out.extend_from_slice(b"Retry-After: 1\r\n");
        }
        for challenge in refusal.challenges.into_iter().flat_map(Challenges::values) {
            let _ = write!(out, "Proxy-Authenticate: {challenge}\r\n");
        }
        if self.close {
            out.extend_from_slice(b"Connection: close\r\n");
        }
        out.extend_from_slice(b"\r\n");
        let is_head = self
            .request
            .is_some_and(|(head, _)| head.method_kind == MethodKind::Head);
        if !is_head {
            out.extend_from_slice(&body);
        }
    }

    /// The reason phrase. Of a CONNECT that failed most clients show nothing else, so it says why.
    fn reason(&self) -> Cow<'static, str> {
        let refusal = self.refusal;
        let phrase = reason_phrase(refusal.status);
        let is_connect = self.request.is_some_and(|(head, _)| head.is_connect);
        if refusal.phase.is_none() && !is_connect {
            return phrase.into();
        }
        let detail = printable(&refusal.detail, REASON_DETAIL_BYTES_MAX);
        let rule = self.rule.map_or(String::new(), |rule| {
            format!(", {}", printable(rule, REASON_RULE_BYTES_MAX))
        });
        format!("{phrase}: {detail}{rule}; transaction {}", self.transaction).into()
    }
}

/// Most bytes of `Refusal::detail` in a reason phrase.
const REASON_DETAIL_BYTES_MAX: usize = 160;
/// The same of the name of a rule.
const REASON_RULE_BYTES_MAX: usize = 80;

/// What of `text` can stand in a start line.
fn printable(text: &str, bytes_max: usize) -> String {
    let shown = |byte: u8| match byte {
        b' '..=b'~' => char::from(byte),
        _ => '?',
    };
    text.bytes().take(bytes_max).map(shown).collect()
}

/// A string of RFC 8941 section 3.3.3: printable ASCII, quotes and backslashes escaped.
fn structured_string(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => escaped.extend(['\\', char::from(byte)]),
            b' '..=b'~' => escaped.push(char::from(byte)),
            _ => escaped.push('?'),
        }
    }
    escaped
}

/// The usual words for a status.
pub(crate) fn reason_phrase(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        403 => "Forbidden",
        405 => "Method Not Allowed",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        414 => "URI Too Long",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        508 => "Loop Detected",
        _ => "Error",
    }
}

/// Whether a `Via` field of `head` names `pseudonym` (RFC 9110 section 7.6.3).
pub(crate) fn went_through(head: &RequestHead, bytes: &[u8], pseudonym: &str) -> bool {
    let fields = head
        .headers
        .iter()
        .filter(|field| field.id == HeaderName::Via);
    fields
        .flat_map(|field| field.value.of(bytes).split(|byte| *byte == b','))
        .any(|entry| {
            let mut words = entry.trim_ascii().split(|byte| byte.is_ascii_whitespace());
            let received_by = words.by_ref().skip(1).find(|word| !word.is_empty());
            received_by.is_some_and(|name| name.eq_ignore_ascii_case(pseudonym.as_bytes()))
        })
}
