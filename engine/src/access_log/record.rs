//! What one line of the access log says, before it is text.
//!
//! A [`Record`] borrows everything from the transaction that it describes; building one costs no
//! allocation. `json` turns it into a line; the transaction room fills it in. Field names and their
//! meaning are in `docs/log-format.md`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use sallyport_ruleset::Action;

use super::outcomes::PhaseOutcome;
use crate::limits::LOG_DECISIONS_MAX;
use crate::proxy_error::ProxyError;

/// One line: a transaction that ended or goes on, a rule that fired, a connection without a request.
///
/// Start from [`Record::default`] and set what is known: a field that is `None` or empty is absent
/// from the line. Bytes may be anything that came from the network; they are escaped and bounded
/// when they are written. Durations are in microseconds.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// When it happened (for a transaction: when it ended), in microseconds since 1970.
    pub ts_us: u64,
    /// What kind of line this is.
    pub event: Event,
    /// The transaction; none where a connection ended before one began.
    pub txn: Option<TransactionId>,
    /// The client connection.
    pub conn: ConnectionId,
    /// The shard that served it.
    pub core: usize,
    /// Id of the bundle that decided.
    pub bundle: &'a str,
    /// Id of the configuration in force.
    pub config: &'a str,
    /// The client.
    pub client_ip: IpAddr,
    /// Its port.
    pub client_port: u16,
    /// VPC endpoint.
    pub vpce: Option<&'a [u8]>,
    /// VPC.
    pub vpc: Option<&'a [u8]>,
    /// Account.
    pub account: Option<&'a [u8]>,
    /// Authenticated client.
    pub principal: Option<&'a [u8]>,
    /// The listener that was connected to.
    pub listener: Option<&'a str>,
    /// `request:Protocol`.
    pub proto: Option<&'static str>,
    /// HTTP version that the client spoke.
    pub http_version: Option<&'static str>,
    /// Request method.
    pub method: Option<&'a [u8]>,
    /// Normalized destination domain, or the host as given.
    pub domain: Option<&'a [u8]>,
    /// Destination port.
    pub port: Option<u16>,
    /// The address that was dialed, or refused.
    pub dst_ip: Option<IpAddr>,
    /// Server name of the ClientHello.
    pub sni: Option<&'a [u8]>,
    /// First protocol that the ClientHello offers.
    pub alpn: Option<&'a [u8]>,
    /// JA4 fingerprint of the ClientHello.
    pub ja4: Option<&'a [u8]>,
    /// What was done with TLS.
    pub tls_mode: Option<TlsHandling>,
    /// TLS version.
    pub tls_version: Option<&'static str>,
    /// TLS cipher suite.
    pub tls_cipher: Option<&'static str>,
    /// Path, with the query only if `log.query` is set: the caller cuts it.
    pub uri: Option<&'a [u8]>,
    /// `User-Agent`.
    pub user_agent: Option<&'a [u8]>,
    /// Status that the client got.
    pub status: Option<u16>,
    /// `Content-Type` of the response.
    pub content_type: Option<&'a [u8]>,
    /// What decided: `phase`, `action`, `rule` and `group`.
    pub decided: Option<PhaseOutcome<'a>>,
    /// `action` where no phase decided.
    pub action: Option<Action>,
    /// What each phase decided that ran, in their order.
    pub decisions: [Option<PhaseOutcome<'a>>; LOG_DECISIONS_MAX],
    /// Names of the alert rules that fired; beyond [`crate::limits::LOG_ALERTS_MAX`] they are
    /// counted in a last entry.
    pub alerts: &'a [&'a str],
    /// Error type of RFC 9209 section 2.3.
    pub error: Option<ProxyError>,
    /// What happened, for a person.
    pub detail: Option<&'a [u8]>,
    /// Bytes from the client to the origin.
    pub bytes_up: Option<u64>,
    /// Bytes from the origin to the client.
    pub bytes_down: Option<u64>,
    /// Whether a pooled upstream connection was used.
    pub upstream_reused: Option<bool>,
    /// HTTP version that was spoken with the origin.
    pub upstream_http_version: Option<&'static str>,
    /// What the response cache did.
    pub cache: Option<CacheOutcome>,
    /// From the first byte of the request to the last of the response.
    pub t_total: Option<u64>,
    /// Name lookup.
    pub t_dns: Option<u64>,
    /// Dialing.
    pub t_connect: Option<u64>,
    /// TLS handshake with the client.
    pub t_tls_client: Option<u64>,
    /// TLS handshake with the origin.
    pub t_tls_origin: Option<u64>,
    /// From the end of the request to the first byte of the response.
    pub t_first_byte: Option<u64>,
    /// Evaluation of rules, all phases together.
    pub t_rules: Option<u64>,
}

impl Default for Record<'_> {
    fn default() -> Self {
        Self {
            ts_us: 0,
            event: Event::Transaction,
            txn: None,
            conn: ConnectionId(0),
            core: 0,
            bundle: "",
            config: "",
            client_ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            client_port: 0,
            vpce: None,
            vpc: None,
            account: None,
            principal: None,
            listener: None,
            proto: None,
            http_version: None,
            method: None,
            domain: None,
            port: None,
            dst_ip: None,
            sni: None,
            alpn: None,
            ja4: None,
            tls_mode: None,
            tls_version: None,
            tls_cipher: None,
            uri: None,
            user_agent: None,
            status: None,
            content_type: None,
            decided: None,
            action: None,
            decisions: [None; LOG_DECISIONS_MAX],
            alerts: &[],
            error: None,
            detail: None,
            bytes_up: None,
            bytes_down: None,
            upstream_reused: None,
            upstream_http_version: None,
            cache: None,
            t_total: None,
            t_dns: None,
            t_connect: None,
            t_tls_client: None,
            t_tls_origin: None,
            t_first_byte: None,
            t_rules: None,
        }
    }
}

/// What kind of line a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A transaction ended; one line each.
    Transaction,
    /// An alert rule fired, written as it happens.
    Alert,
    /// A transaction was denied, written as it happens.
    Deny,
    /// A tunnel or an upgrade begins, or another transaction has gone on for `log.progress`.
    Start,
    /// It has gone on for that long again.
    Progress,
    /// A client connection ended before a request.
    Connection,
}

impl Event {
    /// As it is spelled in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transaction => "transaction",
            Self::Alert => "alert",
            Self::Deny => "deny",
            Self::Start => "start",
            Self::Progress => "progress",
            Self::Connection => "connection",
        }
    }
}

/// What was done with TLS (`tls_mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsHandling {
    /// It ended here and started again.
    Intercept,
    /// The bytes flowed untouched.
    Passthrough,
    /// There was none.
    None,
}

impl TlsHandling {
    /// As it is spelled in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intercept => "intercept",
            Self::Passthrough => "passthrough",
            Self::None => "none",
        }
    }
}

/// What the response cache did (`cache`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheOutcome {
    /// Answered from the cache.
    Hit,
    /// Looked up in vain.
    Miss,
    /// Not looked up.
    Off,
}

impl CacheOutcome {
    /// As it is spelled in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Off => "off",
        }
    }
}

/// Id of a transaction, the same in the log and in a refusal; 16 hexadecimal digits as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransactionId(pub u64);

/// Id of a client connection; 16 hexadecimal digits as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionId(pub u64);

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
