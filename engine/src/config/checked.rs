//! The configuration that the engine runs with: a value of these types cannot be wrong.
//!
//! Every bound was checked and every default filled in when a [`Config`] was made, which only
//! `config::check` does; so nothing here has methods that fail. The engine shares one `Arc<Config>`
//! with all shards and never changes it. What each key means is in `docs/configuration.md`.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use sallyport_ruleset::PublicKey;

pub use super::checked_admin::{Admin, AdminListen};
pub use super::checked_http::{Http, HttpScope, PathForm};
pub use super::checked_identity::{
    Auth, AuthMethods, IdentitySource, JwtSource, ProxyProtocol, SourceOf,
};
pub use super::checked_log::{
    AccessSink, FileSink, HostPort, Log, LogConnections, LogFormat, LogLevel, OnOverflow,
};
pub use super::checked_tls::{
    Ech, FileKey, Identity, ListenerTls, Tls, TlsMode, TlsScope, TlsUpstream, TlsVersion,
    TunnelEnds,
};

/// A whole configuration, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Identity of what is configured: the first 16 hexadecimal digits of a SHA-256 over the text
    /// and the overrides. The `config` field of each log line.
    pub id: String,
    /// The text that it was made from.
    pub text: Arc<str>,
    /// The compiled ruleset.
    pub ruleset: PathBuf,
    /// Whose signature the ruleset must have; none: it needs no signature.
    pub trusted_keys: Vec<PublicKey>,
    /// Threads that serve, at least one.
    pub shards: usize,
    /// How shards wait for the kernel.
    pub io: Io,
    /// Where operators are answered.
    pub admin: Admin,
    /// Where clients connect, at least one.
    pub listeners: Vec<Listener>,
    /// By what clients say who they are.
    pub auth: Auth,
    /// What is known of clients, by what they show.
    pub identity_sources: Vec<IdentitySource>,
    /// The resolver.
    pub dns: Dns,
    /// Names that are never asked for: normalized name to its addresses, at least one each.
    pub hosts: BTreeMap<String, Vec<IpAddr>>,
    /// Destinations that are refused, or let through, before any rule.
    pub guard: Guard,
    /// What is done with TLS inside a tunnel.
    pub tls: Tls,
    /// CONNECT tunnels.
    pub tunnel: Tunnel,
    /// What a reload does to what is open.
    pub reload: Reload,
    /// How long each step may take.
    pub timeouts: Timeouts,
    /// How vanished peers are noticed.
    pub tcp: Tcp,
    /// How much each client and each shard may use.
    pub limits: Limits,
    /// How messages are forwarded.
    pub http: Http,
    /// Idle upstream connections.
    pub pool: Pool,
    /// HTTP/2 connections.
    pub http2: Http2,
    /// Dialing.
    pub connect: Connect,
    /// Changes to forwarded heads.
    pub headers: Headers,
    /// Replies of the proxy's own.
    pub responses: Responses,
    /// The access log and the process's own messages.
    pub log: Log,
    /// The end of the process.
    pub drain: Drain,
}

/// `[io]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Io {
    /// The kernel interface.
    pub driver: IoDriver,
}

/// `io.driver`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IoDriver {
    /// io_uring if it works here, else epoll.
    Auto,
    /// io_uring, or the process does not start.
    IoUring,
    /// epoll, whatever works here.
    Epoll,
}

/// One `[[listener]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Where it listens. Port 0 takes a free one, for tests and trials.
    pub address: SocketAddr,
    /// What its clients speak.
    pub protocol: ListenerProtocol,
    /// Who speaks the PROXY protocol before that; `None`: nobody.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// By what its clients say who they are.
    pub auth: AuthMethods,
}

/// `listener.protocol`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenerProtocol {
    /// HTTP/1.1 to an explicit proxy: absolute-form and CONNECT.
    Http,
    /// The same inside TLS.
    Https(ListenerTls),
}

impl ListenerProtocol {
    /// What is needed for TLS, if it is spoken.
    #[must_use]
    pub const fn tls(&self) -> Option<&ListenerTls> {
        match self {
            Self::Http => None,
            Self::Https(tls) => Some(tls),
        }
    }
}

/// `[dns]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns {
    /// Servers in order of preference, at least one.
    pub servers: Vec<SocketAddr>,
    /// Queries for one question, over all servers, at least one.
    pub attempts: usize,
    /// Time to wait for one answer.
    pub attempt_timeout: Duration,
    /// Time for a whole lookup; not below `attempt_timeout`.
    pub lookup_timeout: Duration,
    /// Random case in queries, checked in answers (0x20).
    pub case_mixing: bool,
    /// Shortest time that an answer is kept.
    pub ttl_min: Duration,
    /// Longest time that an answer is kept; not below `ttl_min`.
    pub ttl_max: Duration,
    /// Longest time that a negative answer is kept.
    pub negative_ttl_max: Duration,
    /// Names in the cache of one shard.
    pub cache_entries: usize,
    /// Names that one shard asks for at once, at least one.
    pub lookups_in_flight: usize,
    /// Ask for A records. At least one of `ipv4` and `ipv6` is true.
    pub ipv4: bool,
    /// Ask for AAAA records.
    pub ipv6: bool,
    /// How long the answer of the other family is waited for.
    pub resolution_delay: Duration,
}

/// `[guard]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// Networks that the built-in refusals do not concern.
    pub allow: Vec<IpNet>,
    /// Networks that are refused besides.
    pub deny: Vec<IpNet>,
    /// Networks that are not part of the Internet.
    pub private: PrivateNetworks,
    /// Ports that a CONNECT may name.
    pub ports: Ports,
    /// Ports that a request in absolute form may name.
    pub http_ports: Ports,
}

/// `guard.private`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrivateNetworks {
    /// Refused unless `guard.allow` lists them.
    Deny,
    /// Like any other.
    Allow,
}

/// `guard.ports` and `guard.http_ports`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ports {
    /// Every port.
    Any,
    /// These, at least one.
    Only(Vec<RangeInclusive<u16>>),
}

impl Ports {
    /// Whether `port` may be named.
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        match self {
            Self::Any => true,
            Self::Only(ports) => ports.iter().any(|ports| ports.contains(&port)),
        }
    }
}

/// `[tunnel]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tunnel {
    /// What becomes of a tunnel that holds neither TLS nor HTTP.
    pub unknown_protocol: UnknownProtocol,
    /// What becomes of an inner request or SNI that names another host than the CONNECT.
    pub fronting: Fronting,
    /// Time without a byte either way.
    pub idle_timeout: Duration,
    /// Life of a tunnel, or none.
    pub lifetime_max: Option<Duration>,
    /// Time to wait for the client's first bytes.
    pub sniff_timeout: Duration,
}

/// `tunnel.unknown_protocol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownProtocol {
    /// The tunnel is closed.
    Deny,
    /// The bytes flow.
    Allow,
}

/// `tunnel.fronting`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fronting {
    /// 421, or a TLS alert.
    Deny,
    /// Forwarded, and a log line says so.
    Alert,
    /// Forwarded, after PreDNS ran for the new name.
    Allow,
}

/// `[reload]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reload {
    /// What becomes of tunnels that are open.
    pub tunnels: ReloadTunnels,
}

/// `reload.tunnels`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReloadTunnels {
    /// They are judged again, and end if they would not be let in any more.
    Judge,
    /// They stay; only the requests inside that can be seen are judged.
    Leave,
}

/// `[timeouts]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// A whole request head, from its first byte.
    pub head: Duration,
    /// A client connection between two requests.
    pub keep_alive: Duration,
    /// The connection to one address.
    pub connect_attempt: Duration,
    /// The connection over all addresses; not below `connect_attempt`.
    pub connect: Duration,
    /// A TLS handshake, with a client or with an origin.
    pub tls_handshake: Duration,
    /// From the end of the request to the end of the response head.
    pub response: Duration,
    /// A body without a byte, either way.
    pub body_idle: Duration,
    /// Content of a request, of a declared length, without a byte; of other content what may be waited for
    /// before its rate counts.
    pub upload_idle: Duration,
    /// Reading and discarding after the last response.
    pub linger: Duration,
}

/// `[tcp]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tcp {
    /// Silence before the first keepalive probe, in whole seconds.
    pub keepalive_idle: Duration,
    /// Time between two probes, in whole seconds.
    pub keepalive_interval: Duration,
    /// Probes without an answer, at least one.
    pub keepalive_probes: u32,
    /// How long what was sent may stay unacknowledged, or as long as the kernel likes.
    pub user_timeout: Option<Duration>,
}

/// `[limits]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Client connections of the process; not below the number of shards.
    pub connections: usize,
    /// Client connections of one shard: `connections` divided by the shards, at least one.
    pub connections_per_shard: usize,
    /// What each client may use.
    pub per_client: PerClient,
    /// Bytes of a request or response head.
    pub head_bytes: usize,
    /// Header fields of a head, at most [`crate::limits::HEADERS_MAX`].
    pub headers: usize,
    /// Bytes of a request target; below `head_bytes`.
    pub uri_bytes: usize,
    /// Bytes of the extensions of one chunk; 0 refuses all extensions.
    pub chunk_extension_bytes: usize,
    /// Bytes of a trailer section; 0 refuses all trailers.
    pub trailer_bytes: usize,
    /// What may come before a final response.
    pub interim: InterimLimits,
    /// Bytes of I/O buffers of one shard.
    pub buffer_bytes: usize,
    /// Bytes a second of the content of a request, on average; 0: no limit.
    pub upload_rate_min: u64,
}

/// `limits.interim_responses` and `limits.interim_bytes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InterimLimits {
    /// Interim responses (1xx) before a final one, at least one.
    pub responses: usize,
    /// Bytes of the heads of all of them.
    pub bytes: usize,
}

/// The keys of `[limits]` that concern each client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerClient {
    /// Connections of one client in the process, at least one.
    pub connections: usize,
    /// Tunnels of one client in the process, at least one.
    pub tunnels: usize,
    /// Requests of one client in one second, or no limit.
    pub requests_per_second: Option<u32>,
    /// Bits of an IPv6 address that make a client, 1 to 128.
    pub ipv6_prefix: u8,
    /// What one client may hold of what a shard has so much of, when it is alone: 1 to 100 percent.
    pub share: usize,
}

/// `[pool]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// Idle connections to one destination on one shard; 0 pools nothing.
    pub idle_per_destination: usize,
    /// Idle connections of one shard; 0 pools nothing.
    pub idle_total: usize,
    /// How long a connection may idle.
    pub idle_timeout: Duration,
    /// How long one may have idled that a request goes over which is not idempotent.
    pub non_idempotent_idle: Duration,
}

/// `[http2]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Http2 {
    /// Streams that one connection of a client may have open.
    pub client_streams: u32,
    /// Streams on one connection to an origin, if it allows as many.
    pub upstream_streams: usize,
    /// Streams of all clients on one shard.
    pub streams_per_shard: usize,
    /// Bytes of content that may be on their way to this proxy in one stream.
    pub stream_window_bytes: u32,
    /// The same for all streams of a client's connection.
    pub connection_window_bytes: u32,
    /// PING, SETTINGS and the like that one connection may send; ten times as many at once.
    pub control_frames_per_second: u32,
    /// Streams that one connection may reset; ten times as many at once.
    pub resets_per_second: u32,
    /// Silence of a connection with open streams before it is asked.
    pub ping_interval: Duration,
    /// How long an answer may take.
    pub ping_timeout: Duration,
}

/// `[connect]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connect {
    /// Head start of one address before the next (RFC 8305 section 5).
    pub happy_eyeballs_delay: Duration,
}

/// `[headers]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers {
    /// The pseudonym in `Via`; a token of RFC 9110.
    pub via: String,
    /// Add `Forwarded` (RFC 7239) to requests.
    pub forwarded: bool,
    /// Add `X-Forwarded-For` to requests.
    pub x_forwarded_for: bool,
    /// Changes to request heads.
    pub request: HeaderEdits,
    /// Changes to response heads.
    pub response: HeaderEdits,
}

/// `[headers.request]` or `[headers.response]`. No name occurs in both lists, and none is one that
/// the proxy itself controls (framing, connection, `Host`, `Via`, proxy credentials).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderEdits {
    /// Names to remove, lower-case, ascending.
    pub strip: Vec<String>,
    /// Name, as written, and value that replace every field of that name.
    pub set: Vec<(String, String)>,
}

impl HeaderEdits {
    /// Whether there is nothing to change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.strip.is_empty() && self.set.is_empty()
    }
}

/// `[responses]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Responses {
    /// Tell the client the name of the rule that refused it.
    pub reveal_rule: bool,
    /// The body of refusals, instead of the built-in one.
    pub page: Option<Page>,
}

/// The content of `responses.page`, read when the configuration was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// From the file's extension: `.html`, `.json`, else plain text.
    pub content_type: &'static str,
    /// At most [`crate::limits::PAGE_BYTES_MAX`].
    pub body: Arc<[u8]>,
}

/// `[drain]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    /// Time that requests under way may take to end.
    pub timeout: Duration,
}
