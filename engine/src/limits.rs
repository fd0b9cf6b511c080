//! Every bound and default of the engine, in one place: unit, default, worst-case memory.
//!
//! A `*_DEFAULT` is what a missing key of the configuration means; a `*_MIN`/`*_MAX` pair is what
//! the configuration may ask for; a constant with neither suffix is fixed. `config` reads them to
//! check a file, `access_log` and the data path to size their buffers. What a key means to an
//! operator is told in `docs/configuration.md`, which a test keeps in step with the key table.

use std::ops::RangeInclusive;
use std::time::Duration;

use sallyport_wire::http1::HEADERS_CAPACITY;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Shortest duration that a key accepts unless it says otherwise.
pub const DURATION_MIN: Duration = Duration::from_millis(1);
/// Longest duration that a key accepts unless it says otherwise: a week.
pub const DURATION_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

// ---- process ----

/// Most shards of a process. A shard is a thread, its ring and its buffers.
pub const SHARDS_MAX: usize = 1024;
/// Most keys that a ruleset may be signed with.
pub const TRUSTED_KEYS_MAX: usize = 16;
/// Most `[[listener]]` entries; each costs one listening socket per shard.
pub const LISTENERS_MAX: usize = 64;

/// Names by which the admin listener may be asked.
pub const ADMIN_HOSTS_MAX: usize = 64;
/// Connections to the admin listener at once, 16 KiB each; others wait.
pub const ADMIN_CONNECTIONS_MAX: usize = 64;
/// Time that the head of a request to the admin listener may take.
pub const ADMIN_HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Clients that `/connections` lists there, those with most first.
pub const ADMIN_CLIENTS_SHOWN: usize = 1_000;
/// Who follows the access log there at once.
pub const ADMIN_FOLLOWERS_MAX: usize = 16;
/// Chunks of the log that wait for the slowest of them, each up to `LOG_CHUNK_BYTES` and a record.
pub const LOG_FOLLOWED_CHUNKS: usize = 64;
/// Bytes of a request's body there.
pub const ADMIN_BODY_BYTES_MAX: usize = 64 << 10;
/// Most bytes of a PROXY protocol header of version 2: with a client certificate in it some have 4 KiB.
pub const PROXY_HEADER_BYTES_MAX: usize = 16 * KIB;
/// Most `[[identity.source]]` entries: 500 bytes each as a rule, held once by the process.
pub const IDENTITY_SOURCES_MAX: usize = 10_000;
/// Most networks of one of them, labels of one, and values of a label.
pub const IDENTITY_SOURCE_ENTRIES_MAX: usize = 256;
/// Most bytes of the name or the value of a label, of a VPC, an account or an endpoint.
pub const IDENTITY_WORD_BYTES_MAX: usize = 256;
/// Most bytes of a file of users, tokens or keys: 100 000 users are 15 MiB.
pub const IDENTITY_FILE_BYTES_MAX: usize = 32 * MIB;
/// Most `[[auth.jwt]]` entries.
pub const JWT_ISSUERS_MAX: usize = 64;
/// Most names of this proxy in tokens of one of them.
pub const JWT_AUDIENCES_MAX: usize = 16;
/// How far the clock of an issuer may differ from ours.
pub const JWT_LEEWAY_DEFAULT: Duration = MINUTE;
/// Most of it.
pub const JWT_LEEWAY_MAX: Duration =
    Duration::from_secs(sallyport_identity::LEEWAY_SECONDS_MAX as u64);
/// How often a client may be wrong about who it is in a minute, on each shard.
pub const AUTH_FAILURES_PER_MINUTE_DEFAULT: usize = 30;
/// Largest value of it.
pub const AUTH_FAILURES_PER_MINUTE_MAX: usize = 1_000_000;
/// Clients whose failures a shard counts, 100 bytes each.
pub const AUTH_FAILURES_ENTRIES: usize = 4_096;
/// Credentials that a shard remembers, 500 bytes each as a rule: 2 MiB.
pub const AUTHENTICATED_ENTRIES: usize = 4_096;
/// How long it does, seconds, unless they are changed or a token says less. As long as a JWT at most.
pub const AUTHENTICATED_SECONDS: i64 = sallyport_identity::REMEMBERED_SECONDS_MAX as i64;
/// Threads of the process that verify passwords and JWTs. A password of argon2id takes one of them for
/// 20 ms or more, and the memory that its hash says.
pub const VERIFIER_THREADS: usize = 2;
/// Credentials of the process that may wait for them; more get a 503.
pub const VERIFICATIONS_WAITING_MAX: usize = 1_024;
/// Most bytes of a configuration file.
pub const CONFIG_FILE_BYTES_MAX: usize = MIB;
/// Most bytes of the file of `responses.page`; read once and shared by all shards.
pub const PAGE_BYTES_MAX: usize = 64 * KIB;
/// Time that a drain may take before what is left is cut.
pub const DRAIN_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// Time beyond it after which the process ends although a shard has not: it hangs, or the kernel keeps
/// it waiting.
pub const SHARD_END_TIMEOUT: Duration = Duration::from_secs(5);

/// Messages of the process that wait for standard error; more are lost, and counted.
pub const MESSAGES_QUEUED_MAX: usize = 1024;
/// Bytes of them: at worst so much memory.
pub const MESSAGES_QUEUED_BYTES_MAX: usize = MIB;
/// Messages of one kind that get through at once.
pub const MESSAGES_PER_KIND_AT_ONCE: u32 = 20;
/// Time after which one more of that kind does.
pub const MESSAGES_PER_KIND_INTERVAL: Duration = Duration::from_secs(1);
/// Kinds of messages that are told apart; 64 bytes each.
pub const MESSAGE_KINDS_MAX: usize = 512;
/// How often it is told how many messages were suppressed.
pub const MESSAGES_TELL_INTERVAL: Duration = Duration::from_secs(5);
/// Time that the end of the process waits for standard error.
pub const MESSAGES_FINISH_TIMEOUT: Duration = Duration::from_secs(1);

// ---- names ----

/// Most servers of `dns.servers` or of `/etc/resolv.conf`.
pub const DNS_SERVERS_MAX: usize = 8;
/// The file that names the servers when `dns.servers` does not.
pub const RESOLV_CONF: &str = "/etc/resolv.conf";
/// The port of a name server that is given without one.
pub const DNS_PORT: u16 = 53;
/// Queries that may be sent for one question, over all servers.
pub const DNS_ATTEMPTS_DEFAULT: usize = 4;
/// Largest value of `dns.attempts`.
pub const DNS_ATTEMPTS_MAX: usize = 16;
/// Time to wait for the answer to one query.
pub const DNS_ATTEMPT_TIMEOUT_DEFAULT: Duration = Duration::from_millis(1_500);
/// Time for the whole lookup, CNAME chain and retries included.
pub const DNS_LOOKUP_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);
/// Shortest time that an answer is kept.
pub const DNS_TTL_MIN_DEFAULT: Duration = Duration::from_secs(1);
/// Longest time that an answer is kept.
pub const DNS_TTL_MAX_DEFAULT: Duration = HOUR;
/// Longest time that a negative answer is kept (RFC 2308 section 5).
pub const DNS_NEGATIVE_TTL_MAX_DEFAULT: Duration = Duration::from_secs(300);
/// Names in the cache of one shard; at worst 1.5 KiB each, 15 MiB a shard.
pub const DNS_CACHE_ENTRIES_DEFAULT: usize = 10_000;
/// Largest value of `dns.cache_entries`.
pub const DNS_CACHE_ENTRIES_MAX: usize = 1_000_000;
/// Names of one shard that are being asked for; 2 KiB and two sockets each, so 2 MiB a shard.
pub const DNS_LOOKUPS_IN_FLIGHT_DEFAULT: usize = 1_024;
/// Largest value of `dns.lookups_in_flight`.
pub const DNS_LOOKUPS_IN_FLIGHT_MAX: usize = 65_536;
/// How long an answer of the other family is waited for (RFC 8305 section 3).
pub const DNS_RESOLUTION_DELAY_DEFAULT: Duration = Duration::from_millis(50);
/// Verdicts of PreDNS that a shard remembers under one bundle, with the addresses that they led to; up to 600
/// bytes each, so 38 KiB.
pub const VERDICTS_REMEMBERED: usize = 64;
/// Most names of `[hosts]`.
pub const HOSTS_MAX: usize = 100_000;
/// Most addresses of one name of `[hosts]`.
pub const HOST_ADDRESSES_MAX: usize = 16;

// ---- destination guard ----

/// Most entries of each of `guard.allow`, `guard.deny`, `guard.ports` and `guard.http_ports`.
pub const GUARD_ENTRIES_MAX: usize = 1024;
/// Ports that a CONNECT may name.
pub const GUARD_PORTS_DEFAULT: &[RangeInclusive<u16>] = &[80..=80, 443..=443];
/// Ports that a request in absolute form may name: Squid's `Safe_ports` without those of protocols other
/// than HTTP (21, 70, 210).
pub const GUARD_HTTP_PORTS_DEFAULT: &[RangeInclusive<u16>] = &[
    80..=80,
    280..=280,
    443..=443,
    488..=488,
    591..=591,
    777..=777,
    1025..=65535,
];
/// Most bytes of the kernel's lists of routes that are searched for local ones, each; read every few
/// seconds by the control thread.
pub const OWN_ROUTES_BYTES_MAX: u64 = MIB as u64;

// ---- tunnels ----

/// Time without a byte in either direction after which a tunnel is closed.
pub const TUNNEL_IDLE_TIMEOUT_DEFAULT: Duration = HOUR;
/// Time to wait for the first bytes of the client in a tunnel.
pub const TUNNEL_SNIFF_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

// ---- timeouts ----

/// Time for a whole request head, from its first byte; a client that trickles is cut.
pub const HEAD_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// Time that a client connection may wait for its next request.
pub const KEEP_ALIVE_TIMEOUT_DEFAULT: Duration = MINUTE;
/// Time for the connection to one address.
pub const CONNECT_ATTEMPT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);
/// Time for a connection over all addresses of a name.
pub const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// Time for a TLS handshake, with a client or with an origin.
pub const TLS_HANDSHAKE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// Time from the end of the request, or the last interim response, to the end of the response head.
/// Long answers are awaited so today; who has vanished is noticed by `tcp` and PING.
pub const RESPONSE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(15 * 60);
/// Time without a byte of a body, either way: streams may be silent for long.
pub const BODY_IDLE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(15 * 60);
/// Time in which a client takes an answer of the proxy's own, which is a few hundred bytes, if
/// `timeouts.body_idle` is not shorter.
pub const REPLY_TIMEOUT: Duration = Duration::from_secs(30);
/// Time without a byte of a request's content whose length was declared: nobody waits for anything in it. Of
/// other content what may be waited for before its rate counts.
pub const UPLOAD_IDLE_TIMEOUT_DEFAULT: Duration = MINUTE;
/// Time to read and discard after the last response, so that a reset does not eat it
/// (RFC 9112 section 9.6).
pub const LINGER_TIMEOUT_DEFAULT: Duration = Duration::from_secs(2);

// ---- TCP ----

/// Silence of a connection before the kernel asks whether the other side is there.
pub const TCP_KEEPALIVE_IDLE_DEFAULT: Duration = MINUTE;
/// Time between two such questions.
pub const TCP_KEEPALIVE_INTERVAL_DEFAULT: Duration = Duration::from_secs(15);
/// Longest value of either, which the kernel sets.
pub const TCP_KEEPALIVE_MAX: Duration = Duration::from_secs(32_767);
/// Questions without an answer: with the others, a vanished peer is noticed after two minutes.
pub const TCP_KEEPALIVE_PROBES_DEFAULT: usize = 4;
/// Largest value of `tcp.keepalive_probes`, which the kernel sets.
pub const TCP_KEEPALIVE_PROBES_MAX: usize = 127;

// ---- limits ----

/// Client connections of the process, divided evenly over the shards. Idle ones hold no buffer:
/// about 2 KiB each, so 128 MiB at worst; those that speak HTTP/2 about 8 KiB.
pub const CONNECTIONS_DEFAULT: usize = 65_536;
/// Largest value of `limits.connections`.
pub const CONNECTIONS_MAX: usize = 4_000_000;
/// Connections that a full shard looks at in a tick to find those that make room for others: about a
/// millisecond.
pub const CONNECTIONS_LOOKED_AT: usize = 65_536;
/// Bits of an IPv6 address that make a client: what a site or a household has at least (RFC 6177).
pub const IPV6_CLIENT_PREFIX_DEFAULT: usize = 64;
/// Largest value of `limits.ipv6_client_prefix`: each address is a client.
pub const IPV6_CLIENT_PREFIX_MAX: usize = 128;
/// What one client may hold of what a shard has so much of, in percent, when it is alone.
pub const CLIENT_SHARE_DEFAULT: usize = 50;
/// Clients without connections that a shard remembers because the second in which they asked is not
/// over; 300 bytes each, so 5 MiB a shard at worst.
pub const CLIENTS_LEAVING_MAX: usize = 16_384;
/// Clients of one shard whose use the other shards can read: 24 bytes each, so 384 KiB a shard where
/// there are several.
pub const CLIENTS_SHARED: usize = 16_384;
/// Connections of one client in the process.
pub const CONNECTIONS_PER_CLIENT_DEFAULT: usize = 8_192;
/// Tunnels of one client in the process.
pub const TUNNELS_PER_CLIENT_DEFAULT: usize = 8_192;
/// Largest value of `limits.requests_per_second_per_client`.
pub const REQUESTS_PER_SECOND_MAX: usize = 10_000_000;
/// Bytes of a request or response head, the start line included.
pub const HEAD_BYTES_DEFAULT: usize = 32 * KIB;
/// Smallest value of `limits.head_bytes`: what RFC 9112 section 3 recommends for a line.
pub const HEAD_BYTES_MIN: usize = 8 * KIB;
/// Largest value of `limits.head_bytes`.
pub const HEAD_BYTES_MAX: usize = 256 * KIB;
/// Header fields of a head.
pub const HEADERS_DEFAULT: usize = 128;
/// Smallest value of `limits.headers`.
pub const HEADERS_MIN: usize = 16;
/// Largest value of `limits.headers`; the parser's table of this size lies on the stack.
pub const HEADERS_MAX: usize = HEADERS_CAPACITY;
/// Bytes of a request target.
pub const URI_BYTES_DEFAULT: usize = 16 * KIB;
/// Smallest value of `limits.uri_bytes`.
pub const URI_BYTES_MIN: usize = 256;
/// Bytes of the extensions of one chunk.
pub const CHUNK_EXTENSION_BYTES_DEFAULT: usize = 256;
/// Largest value of `limits.chunk_extension_bytes`.
pub const CHUNK_EXTENSION_BYTES_MAX: usize = 16 * KIB;
/// Content that is read and dropped after an origin has answered without it, so that the client's
/// connection can go on; with more to come it is closed.
pub const DISCARDED_BYTES_MAX: usize = 256 * KIB;
/// Bytes of the lines of a trailer section.
pub const TRAILER_BYTES_DEFAULT: usize = 8 * KIB;
/// Largest value of `limits.trailer_bytes`.
pub const TRAILER_BYTES_MAX: usize = 64 * KIB;
/// Interim responses (1xx) before a final one, those that are not passed on included.
pub const INTERIM_RESPONSES_DEFAULT: usize = 64;
/// Largest value of `limits.interim_responses`.
pub const INTERIM_RESPONSES_MAX: usize = 1_024;
/// Bytes of the heads of all interim responses to one request; one head is held at a time.
pub const INTERIM_BYTES_DEFAULT: usize = 64 * KIB;
/// Smallest value of `limits.interim_bytes`.
pub const INTERIM_BYTES_MIN: usize = KIB;
/// Largest value of `limits.interim_bytes`.
pub const INTERIM_BYTES_MAX: usize = 16 * MIB;
/// Bytes of the pool of I/O buffers of one shard; all of it may be resident at worst.
pub const BUFFER_BYTES_DEFAULT: usize = 64 * MIB;
/// Buffers of a shard in which tunnels wait for bytes that have not come; more directions than that
/// wait without.
pub const TUNNEL_WAITING_BYTES_MAX: usize = 4 * MIB;
/// Smallest value of `limits.buffer_bytes`: room for the two heads of eight transactions.
pub const BUFFER_BYTES_MIN: usize = 4 * MIB;
/// Largest value of `limits.buffer_bytes`.
pub const BUFFER_BYTES_MAX: usize = 16 * 1024 * MIB;

/// Bytes a second that the content of a request comes with on average, beyond `timeouts.upload_idle` at
/// its begin; conversations are exempt.
pub const UPLOAD_RATE_MIN_DEFAULT: usize = 128;
/// Largest value of `limits.upload_rate_min`.
pub const UPLOAD_RATE_MIN_MAX: usize = 16 * MIB;

/// Capacity of a pipe that bulk in tunnels goes through, in bytes.
pub const PIPE_BYTES: usize = 256 * KIB;
/// Pipes of one shard, two descriptors each; where a tunnel gets none, its bytes are copied. They hold
/// 64 MiB at worst, in the memory of the kernel: the pages of what was received.
pub const PIPES_MAX: usize = 256;
/// Pipes kept while nobody uses them.
pub const PIPES_FREE_MAX: usize = 32;

// ---- TLS ----

/// Most `[[tls.scope]]` entries; they are looked at one after the other.
pub const TLS_SCOPES_MAX: usize = 256;
/// Most entries of each list of a scope.
pub const TLS_SCOPE_ENTRIES_MAX: usize = 4_096;
/// Most files of `tls.upstream.roots` and of `tls.upstream.crls`.
pub const TLS_FILES_MAX: usize = 256;
/// Minted certificates that a shard keeps: 2 KiB each as a rule, at worst 10 KiB, so 40 MiB a shard.
pub const CERTIFICATE_CACHE_ENTRIES_DEFAULT: usize = 4_096;
/// Largest value of `tls.certificate_cache_entries`.
pub const CERTIFICATE_CACHE_ENTRIES_MAX: usize = 1_000_000;
/// Origins whose verified certificate a shard remembers: 1 KiB each as a rule.
pub const ORIGIN_MEMORY_ENTRIES: usize = 4_096;
/// How long it does: so long a new client does not wait for a handshake with the origin.
pub const ORIGIN_MEMORY_LIFE: Duration = Duration::from_secs(600);
/// Bytes of a ClientHello that is read, over all its records; held until it is whole.
pub const CLIENT_HELLO_BYTES_MAX: usize = sallyport_wire::tls::CLIENT_HELLO_BYTES_MAX;
/// Sessions that a shard can resume with origins, for each scope; 6 KiB each at worst. An origin of
/// which only its group for exchanging keys is known counts as well.
pub const UPSTREAM_SESSIONS: usize = 1_024;
/// Sessions of one origin among them: servers give several at once.
pub const UPSTREAM_SESSIONS_PER_ORIGIN: usize = 8;
/// Origins of which the process remembers that they want a certificate of the client; 200 bytes each.
pub const FALLBACK_ENTRIES: usize = 1_024;
/// How long it does, and leaves their tunnels alone, unless a reload comes before.
pub const FALLBACK_LIFE: Duration = HOUR;
/// Hosts of which a shard counts how often clients refused our certificate.
pub const REFUSAL_ENTRIES: usize = 1_024;
/// How long a key encrypts session tickets; it decrypts them for as long again.
pub const TICKET_KEY_LIFE: Duration = Duration::from_secs(6 * 3600);

// ---- requests that are sent again ----

/// Content of a request that is kept until its response begins. It lies in the buffers of
/// `limits.buffer_bytes`, and nothing is kept once half of those are in use.
pub const RETRY_BODY_BYTES_DEFAULT: usize = 64 * KIB;
/// Largest value of `http.retry_body_bytes`.
pub const RETRY_BODY_BYTES_MAX: usize = 16 * MIB;

// ---- pool and dialing ----

/// Idle upstream connections to one destination on one shard.
pub const POOL_IDLE_PER_DESTINATION_DEFAULT: usize = 1_024;
/// Idle upstream connections of one shard; about 2 KiB each, so 8 MiB a shard at worst.
pub const POOL_IDLE_TOTAL_DEFAULT: usize = 4_096;
/// Largest value of either pool limit.
pub const POOL_IDLE_MAX: usize = 1_000_000;
/// Connections to origins that belong to one client connection, because NTLM or its like was spoken on
/// them; 2 KiB each.
pub const PINNED_PER_CLIENT_MAX: usize = 8;
/// The same of all client connections of a shard: 8 MiB at worst. Beyond either, one serves a single
/// exchange and is closed.
pub const PINNED_PER_SHARD_MAX: usize = 4_096;
/// How long other streams of a client wait for the next message of such a handshake, which programs
/// send at once.
pub const SESSION_AUTH_PAUSE_MAX: Duration = Duration::from_secs(10);
/// Time that an upstream connection may idle in the pool.
pub const POOL_IDLE_TIMEOUT_DEFAULT: Duration = MINUTE;
/// Time that one may have idled which a request goes over that is not idempotent: less than any usual
/// server keeps silent connections (gunicorn 2 s, Apache and Node 5 s).
pub const POOL_NON_IDEMPOTENT_IDLE_DEFAULT: Duration = Duration::from_secs(1);
/// Head start of one address before the next is tried beside it (RFC 8305 section 5).
pub const HAPPY_EYEBALLS_DELAY_DEFAULT: Duration = Duration::from_millis(250);
/// Smallest and largest such delay (RFC 8305 section 8: 10 ms at least, 2 s at most).
pub const HAPPY_EYEBALLS_DELAY_MIN: Duration = Duration::from_millis(10);
/// See [`HAPPY_EYEBALLS_DELAY_MIN`].
pub const HAPPY_EYEBALLS_DELAY_MAX: Duration = Duration::from_secs(2);

// ---- HTTP/2 ----

/// Streams that one connection of a client may have open (RFC 9113 section 6.5.2 recommends 100
/// at least); each is a transaction, some 16 KiB while it runs.
pub const HTTP2_CLIENT_STREAMS_DEFAULT: usize = 128;
/// Streams on one connection to an origin; a further connection is opened beyond them.
pub const HTTP2_UPSTREAM_STREAMS_DEFAULT: usize = 100;
/// Largest value of either.
pub const HTTP2_STREAMS_MAX: usize = 4_096;
/// Streams of all clients on one shard; more are refused, and may safely be sent again.
pub const HTTP2_STREAMS_PER_SHARD_DEFAULT: usize = 16_384;
/// Bytes of content that may be on their way to this proxy, and wait in it, in one stream.
pub const HTTP2_STREAM_WINDOW_BYTES_DEFAULT: usize = 256 * KIB;
/// The same for all streams of a client's connection: at worst that much for each such connection.
pub const HTTP2_CONNECTION_WINDOW_BYTES_DEFAULT: usize = MIB;
/// Smallest value of either window: the initial one of RFC 9113 section 6.9.2.
pub const HTTP2_WINDOW_BYTES_MIN: usize = 64 * KIB;
/// Largest value of either window, and of that of a connection to an origin, which is the window of
/// a stream times `http2.upstream_streams`: a slow reader then holds up no stream but its own.
pub const HTTP2_WINDOW_BYTES_MAX: u32 = 256 * 1024 * 1024;
/// What windows shrink to as they are read, once half of `limits.buffer_bytes` is in use.
pub const HTTP2_TIGHT_WINDOW_BYTES: usize = 32 * KIB;
/// What a stream may hold in any case; of those that hold more the largest are given up when
/// `limits.buffer_bytes` is used up. So all streams of a shard hold at worst that much each beyond it:
/// 64 MiB with the defaults.
pub const HTTP2_STREAM_KEPT_BYTES: usize = 4 * KIB;
/// Frames of one connection that wait to be written, beyond which no head and no content is taken.
pub const HTTP2_OUTPUT_BYTES: usize = 64 * KIB;
/// How long the first request on a connection to an origin waits for its SETTINGS.
pub const HTTP2_SETTINGS_TIMEOUT: Duration = Duration::from_secs(1);
/// Dials of other requests that one request waits for before it dials itself.
pub const HTTP2_DIALS_AWAITED: usize = 3;
/// Origins of which a shard remembers that they want HTTP/1.1 (HTTP_1_1_REQUIRED): 128 bytes each as a
/// rule.
pub const HTTP1_ONLY_ENTRIES: usize = 1_024;
/// How long it does.
pub const HTTP1_ONLY_LIFE: Duration = HOUR;
/// PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty and unknown frames that one connection may send a
/// second, beyond one for each 64 bytes it was sent; ten times as many at once.
pub const HTTP2_CONTROL_FRAMES_PER_SECOND_DEFAULT: usize = 100;
/// Requests that one connection may reset a second before they are answered, and one more for each
/// that was; ten times as many at once.
pub const HTTP2_RESETS_PER_SECOND_DEFAULT: usize = 100;
/// Silence of a connection with open streams before a PING asks. Servers of gRPC take more than one in
/// five minutes for an attack, and close the connection.
pub const HTTP2_PING_INTERVAL_DEFAULT: Duration = Duration::from_secs(6 * 60);
/// How long the answer to a PING may take.
pub const HTTP2_PING_TIMEOUT_DEFAULT: Duration = Duration::from_secs(20);
/// Largest value of either rate.
pub const HTTP2_FRAMES_PER_SECOND_MAX: usize = 1_000_000;

// ---- HTTP ----

/// Most `[[http.scope]]` entries; they are looked through where a response has a fault.
pub const HTTP_SCOPES_MAX: usize = 256;
/// Most entries of one list of a scope.
pub const HTTP_SCOPE_ENTRIES_MAX: usize = 4_096;

// ---- headers ----

/// Most names of a `strip` list, and most entries of a `set` table.
pub const HEADER_EDITS_MAX: usize = 64;
/// Most bytes of a value of a `set` table.
pub const HEADER_VALUE_BYTES_MAX: usize = 4 * KIB;
/// Most bytes of `headers.via`.
pub const VIA_BYTES_MAX: usize = 64;
/// The pseudonym in `Via` (RFC 9110 section 7.6.3).
pub const VIA_DEFAULT: &str = "sallyport";

// ---- access log ----

/// Bytes of lines after which a chunk is handed to the writer thread.
pub const LOG_CHUNK_BYTES: usize = 64 * KIB;
/// Bytes of buffered lines of one shard; the chunks are allocated once, at start.
pub const LOG_BUFFER_BYTES_DEFAULT: usize = MIB;
/// Smallest value of `log.buffer_bytes`: one chunk to fill and one to write.
pub const LOG_BUFFER_BYTES_MIN: usize = 2 * LOG_CHUNK_BYTES;
/// Largest value of `log.buffer_bytes`.
pub const LOG_BUFFER_BYTES_MAX: usize = 1024 * MIB;
/// Bytes, beyond `log.buffer_bytes`, for transactions that were already under way when the buffer
/// of their shard filled up and may not be lost (`log.on_overflow = "stall"`).
pub const LOG_OVERFLOW_BYTES: usize = 64 * MIB;
/// How often a shard hands over a chunk that is not full.
pub const LOG_FLUSH_INTERVAL_DEFAULT: Duration = Duration::from_millis(100);
/// Longest such interval.
pub const LOG_FLUSH_INTERVAL_MAX: Duration = MINUTE;
/// Smallest value of `log.rotate_bytes`.
pub const LOG_ROTATE_BYTES_MIN: u64 = MIB as u64;
/// Files that size rotation keeps beside the current one.
pub const LOG_ROTATE_KEEP_DEFAULT: usize = 5;
/// Largest value of `log.rotate_keep`.
pub const LOG_ROTATE_KEEP_MAX: usize = 1000;
/// Pause between two tries to write to a sink that failed.
pub const LOG_RETRY_INTERVAL: Duration = Duration::from_millis(200);
/// Time for one connection to, or one write into, a socket sink.
pub const LOG_SINK_TIMEOUT: Duration = Duration::from_secs(2);
/// Time that the end of the process waits for the last lines to be written, whatever the sink does.
pub const LOG_FINISH_TIMEOUT: Duration = Duration::from_secs(5);
/// Time that a sink which fails is still tried at the end: less, so that what is lost is counted.
pub const LOG_FINISH_TRIED: Duration = Duration::from_secs(4);
/// Most alert names in one record; more are counted, not listed.
pub const LOG_ALERTS_MAX: usize = 32;
/// Decisions in one record: one for each phase.
pub const LOG_DECISIONS_MAX: usize = 3;
/// Shortest value of `log.progress`; a shard looks once a second.
pub const LOG_PROGRESS_MIN: Duration = Duration::from_secs(1);
/// How often what lives long has a line.
pub const LOG_PROGRESS_DEFAULT: Duration = Duration::from_secs(300);
/// Most bytes of a URI in a line; what is beyond is cut and counted.
pub const LOG_URI_BYTES_MAX: usize = 2 * KIB;
/// The same for values that are sentences: `user_agent` and `detail`.
pub const LOG_TEXT_BYTES_MAX: usize = 512;
/// The same for long names: `domain`, `sni`, `content_type`, `principal`.
pub const LOG_NAME_BYTES_MAX: usize = 256;
/// The same for all other words, rule names among them.
pub const LOG_WORD_BYTES_MAX: usize = 128;
/// Most bytes of one line, derived from the bounds of its values: one URI, two texts, four names,
/// nineteen words, four for each decision and the alerts, each byte of which may become `\u0000`, and what is fixed. A
/// chunk has so much room beyond [`LOG_CHUNK_BYTES`]; its pages are touched only by such lines.
pub const LOG_RECORD_BYTES_MAX: usize = 6
    * (LOG_URI_BYTES_MAX
        + 2 * LOG_TEXT_BYTES_MAX
        + 4 * LOG_NAME_BYTES_MAX
        + (19 + 4 * LOG_DECISIONS_MAX + LOG_ALERTS_MAX) * LOG_WORD_BYTES_MAX)
    + 4 * KIB;

// Relations that the code rests on.
const _: () = {
    assert!(HEADERS_MIN <= HEADERS_DEFAULT && HEADERS_DEFAULT <= HEADERS_MAX);
    assert!(HEAD_BYTES_MIN <= HEAD_BYTES_DEFAULT && HEAD_BYTES_DEFAULT <= HEAD_BYTES_MAX);
    assert!(URI_BYTES_MIN <= URI_BYTES_DEFAULT && URI_BYTES_DEFAULT < HEAD_BYTES_DEFAULT);
    assert!(CHUNK_EXTENSION_BYTES_DEFAULT <= CHUNK_EXTENSION_BYTES_MAX);
    assert!(TRAILER_BYTES_DEFAULT <= TRAILER_BYTES_MAX);
    assert!(INTERIM_RESPONSES_DEFAULT <= INTERIM_RESPONSES_MAX);
    assert!(
        INTERIM_BYTES_MIN <= INTERIM_BYTES_DEFAULT && INTERIM_BYTES_DEFAULT <= INTERIM_BYTES_MAX
    );
    // Eight transactions can hold a head each way even with the largest heads.
    assert!(16 * HEAD_BYTES_MAX <= BUFFER_BYTES_MIN);
    assert!(BUFFER_BYTES_MIN <= BUFFER_BYTES_DEFAULT && BUFFER_BYTES_DEFAULT <= BUFFER_BYTES_MAX);
    assert!(PIPES_FREE_MAX <= PIPES_MAX);
    assert!(UPSTREAM_SESSIONS_PER_ORIGIN <= UPSTREAM_SESSIONS);
    assert!(CONNECTIONS_PER_CLIENT_DEFAULT <= CONNECTIONS_DEFAULT);
    assert!(TUNNELS_PER_CLIENT_DEFAULT <= CONNECTIONS_PER_CLIENT_DEFAULT);
    assert!(CONNECTIONS_DEFAULT <= CONNECTIONS_MAX);
    assert!(SHARDS_MAX <= CONNECTIONS_DEFAULT);
    assert!(POOL_IDLE_PER_DESTINATION_DEFAULT <= POOL_IDLE_TOTAL_DEFAULT);
    assert!(POOL_IDLE_TOTAL_DEFAULT <= POOL_IDLE_MAX);
    assert!(HTTP2_CLIENT_STREAMS_DEFAULT <= HTTP2_STREAMS_MAX);
    assert!(HTTP2_UPSTREAM_STREAMS_DEFAULT <= HTTP2_STREAMS_MAX);
    assert!(HTTP2_WINDOW_BYTES_MIN <= HTTP2_STREAM_WINDOW_BYTES_DEFAULT);
    assert!(HTTP2_STREAM_WINDOW_BYTES_DEFAULT <= HTTP2_CONNECTION_WINDOW_BYTES_DEFAULT);
    assert!(HTTP2_CONNECTION_WINDOW_BYTES_DEFAULT <= HTTP2_WINDOW_BYTES_MAX as usize);
    // RFC 9113 section 6.9.1: windows are below 2^31.
    assert!(HTTP2_WINDOW_BYTES_MAX < 1 << 31);
    assert!(DNS_ATTEMPTS_DEFAULT <= DNS_ATTEMPTS_MAX);
    assert!(DNS_ATTEMPT_TIMEOUT_DEFAULT.as_millis() <= DNS_LOOKUP_TIMEOUT_DEFAULT.as_millis());
    assert!(DNS_TTL_MIN_DEFAULT.as_millis() <= DNS_TTL_MAX_DEFAULT.as_millis());
    assert!(CONNECT_ATTEMPT_TIMEOUT_DEFAULT.as_millis() <= CONNECT_TIMEOUT_DEFAULT.as_millis());
    assert!(LOG_BUFFER_BYTES_MIN <= LOG_BUFFER_BYTES_DEFAULT);
    assert!(LOG_BUFFER_BYTES_DEFAULT <= LOG_BUFFER_BYTES_MAX);
    // A typical line has 600 bytes: every connection of a default process, all on one shard, can
    // end while the log stalls without a line being lost.
    assert!(CONNECTIONS_DEFAULT * 600 <= LOG_BUFFER_BYTES_MIN + LOG_OVERFLOW_BYTES);
};

// ---- ruleset ----

/// Most bytes of a bundle file; it is held in memory once, shared by all shards.
pub const BUNDLE_BYTES_MAX: u64 = 1024 * MIB as u64;

// ---- certificates ----

/// Most bytes of a file of certificates, keys or revocation lists.
pub const PEM_FILE_BYTES_MAX: usize = 16 * MIB;

// What is minted and believed is bounded where that is done.
pub use sallyport_pki::limits::{
    CA_CHAIN_MAX, CA_EXPIRY_WARNING, LEAF_BACKDATE, LEAF_KEY_LIFE, LEAF_VALIDITY,
    MINTED_NAMES_BYTES_MAX, MINTED_NAMES_MAX, RSA_KEY_BITS_MIN,
};
