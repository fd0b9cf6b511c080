//! How requests are served: `[io]`, `[tunnel]`, `[reload]`, `[timeouts]`, `[limits]`, `[pool]`, `[http2]`,
//! `[connect]`, `[drain]`.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::checked::{
    Connect, Drain, Fronting, Http2, InterimLimits, Io, IoDriver, Limits, PerClient, Pool, Reload,
    ReloadTunnels, Timeouts, Tunnel, UnknownProtocol,
};
use crate::config::raw::{Placed, Section};
use crate::config::values::{Wrong, show_duration, show_size};
use crate::limits as bounds;
use crate::limits::{DURATION_MAX, DURATION_MIN};

/// The kernel interface.
pub(in crate::config) fn io(section: Section<'_>) -> Io {
    let driver = section.choice(
        "driver",
        IoDriver::Auto,
        &[
            ("auto", IoDriver::Auto),
            ("io_uring", IoDriver::IoUring),
            ("epoll", IoDriver::Epoll),
        ],
    );
    section.finish();
    Io { driver }
}

/// CONNECT tunnels.
pub(in crate::config) fn tunnel(section: Section<'_>) -> Tunnel {
    let tunnel = Tunnel {
        unknown_protocol: section.choice(
            "unknown_protocol",
            UnknownProtocol::Deny,
            &[
                ("deny", UnknownProtocol::Deny),
                ("allow", UnknownProtocol::Allow),
            ],
        ),
        fronting: section.choice(
            "fronting",
            Fronting::Deny,
            &[
                ("deny", Fronting::Deny),
                ("alert", Fronting::Alert),
                ("allow", Fronting::Allow),
            ],
        ),
        idle_timeout: time(
            &section,
            "idle_timeout",
            bounds::TUNNEL_IDLE_TIMEOUT_DEFAULT,
        ),
        lifetime_max: lifetime(&section),
        sniff_timeout: time(
            &section,
            "sniff_timeout",
            bounds::TUNNEL_SNIFF_TIMEOUT_DEFAULT,
        ),
    };
    section.finish();
    tunnel
}

fn lifetime(section: &Section<'_>) -> Option<Duration> {
    if section.is_text("lifetime_max", "off") || !section.is_present("lifetime_max") {
        return None;
    }
    Some(time(section, "lifetime_max", DURATION_MAX))
}

/// What a reload does to what is open.
pub(in crate::config) fn reload(section: Section<'_>) -> Reload {
    let choices = [
        ("judge", ReloadTunnels::Judge),
        ("leave", ReloadTunnels::Leave),
    ];
    let tunnels = section.choice("tunnels", ReloadTunnels::Judge, &choices);
    section.finish();
    Reload { tunnels }
}

/// How long each step may take.
pub(in crate::config) fn timeouts(section: Section<'_>) -> Timeouts {
    let connect = time(&section, "connect", bounds::CONNECT_TIMEOUT_DEFAULT);
    // The default gives way to what the file says of its partner.
    let connect_attempt = section.duration(
        "connect_attempt",
        bounds::CONNECT_ATTEMPT_TIMEOUT_DEFAULT.min(connect),
        DURATION_MIN..=DURATION_MAX,
    );
    if connect_attempt.value > connect {
        let found = show_duration(connect_attempt.value);
        let expected = format!("at most timeouts.connect, {}", show_duration(connect));
        section.wrong(
            "connect_attempt",
            connect_attempt.span,
            &Wrong { found, expected },
        );
    }
    let timeouts = Timeouts {
        head: time(&section, "head", bounds::HEAD_TIMEOUT_DEFAULT),
        keep_alive: time(&section, "keep_alive", bounds::KEEP_ALIVE_TIMEOUT_DEFAULT),
        connect_attempt: connect_attempt.value,
        connect,
        tls_handshake: time(
            &section,
            "tls_handshake",
            bounds::TLS_HANDSHAKE_TIMEOUT_DEFAULT,
        ),
        response: time(&section, "response", bounds::RESPONSE_TIMEOUT_DEFAULT),
        body_idle: time(&section, "body_idle", bounds::BODY_IDLE_TIMEOUT_DEFAULT),
        upload_idle: time(&section, "upload_idle", bounds::UPLOAD_IDLE_TIMEOUT_DEFAULT),
        linger: time(&section, "linger", bounds::LINGER_TIMEOUT_DEFAULT),
    };
    section.finish();
    timeouts
}

fn time(section: &Section<'_>, name: &'static str, default: Duration) -> Duration {
    section
        .duration(name, default, DURATION_MIN..=DURATION_MAX)
        .value
}

/// What clients and shards may use.
pub(in crate::config) fn limits(section: Section<'_>, shards: usize) -> Limits {
    let connections = section.count(
        "connections",
        bounds::CONNECTIONS_DEFAULT,
        shards..=bounds::CONNECTIONS_MAX,
    );
    let size = |name, default, bounds| section.size(name, default, bounds).value;
    let head_bytes = section
        .size(
            "head_bytes",
            bounds::HEAD_BYTES_DEFAULT,
            bounds::HEAD_BYTES_MIN..=bounds::HEAD_BYTES_MAX,
        )
        .value;
    let limits = Limits {
        connections: connections.value,
        connections_per_shard: (connections.value / shards.max(1)).max(1),
        per_client: per_client(&section),
        head_bytes,
        headers: section
            .count(
                "headers",
                bounds::HEADERS_DEFAULT,
                bounds::HEADERS_MIN..=bounds::HEADERS_MAX,
            )
            .value,
        uri_bytes: uri_bytes(&section, head_bytes).value,
        chunk_extension_bytes: size(
            "chunk_extension_bytes",
            bounds::CHUNK_EXTENSION_BYTES_DEFAULT,
            0..=bounds::CHUNK_EXTENSION_BYTES_MAX,
        ),
        trailer_bytes: size(
            "trailer_bytes",
            bounds::TRAILER_BYTES_DEFAULT,
            0..=bounds::TRAILER_BYTES_MAX,
        ),
        interim: interim(&section),
        buffer_bytes: section
            .size(
                "buffer_bytes",
                bounds::BUFFER_BYTES_DEFAULT,
                bounds::BUFFER_BYTES_MIN..=bounds::BUFFER_BYTES_MAX,
            )
            .value,
        upload_rate_min: upload_rate_min(&section),
    };
    section.finish();
    limits
}

/// What each client may use.
fn per_client(section: &Section<'_>) -> PerClient {
    let count = |name, default, bounds| section.count(name, default, bounds).value;
    let any = 1..=bounds::CONNECTIONS_MAX;
    let requests_per_second = count(
        "requests_per_second_per_client",
        0,
        0..=bounds::REQUESTS_PER_SECOND_MAX,
    );
    let ipv6_prefix = count(
        "ipv6_client_prefix",
        bounds::IPV6_CLIENT_PREFIX_DEFAULT,
        1..=bounds::IPV6_CLIENT_PREFIX_MAX,
    );
    PerClient {
        connections: count(
            "connections_per_client",
            bounds::CONNECTIONS_PER_CLIENT_DEFAULT,
            any.clone(),
        ),
        tunnels: count(
            "tunnels_per_client",
            bounds::TUNNELS_PER_CLIENT_DEFAULT,
            any,
        ),
        requests_per_second: u32::try_from(requests_per_second)
            .ok()
            .filter(|&rate| rate != 0),
        ipv6_prefix: u8::try_from(ipv6_prefix).unwrap_or(u8::MAX),
        share: count("client_share", bounds::CLIENT_SHARE_DEFAULT, 1..=100),
    }
}

/// How many interim responses, and how many bytes of them.
fn interim(section: &Section<'_>) -> InterimLimits {
    let responses = section.count(
        "interim_responses",
        bounds::INTERIM_RESPONSES_DEFAULT,
        1..=bounds::INTERIM_RESPONSES_MAX,
    );
    let bytes = section.size(
        "interim_bytes",
        bounds::INTERIM_BYTES_DEFAULT,
        bounds::INTERIM_BYTES_MIN..=bounds::INTERIM_BYTES_MAX,
    );
    InterimLimits {
        responses: responses.value,
        bytes: bytes.value,
    }
}

fn upload_rate_min(section: &Section<'_>) -> u64 {
    let bounds = 0..=bounds::UPLOAD_RATE_MIN_MAX;
    let rate = section.size("upload_rate_min", bounds::UPLOAD_RATE_MIN_DEFAULT, bounds);
    rate.value as u64
}

/// Below the size of the head that it is in, by default half of it at most.
fn uri_bytes(section: &Section<'_>, head_bytes: usize) -> Placed<usize> {
    let default = bounds::URI_BYTES_DEFAULT.min(head_bytes / 2);
    let any = bounds::URI_BYTES_MIN..=bounds::HEAD_BYTES_MAX;
    let uri_bytes = section.size("uri_bytes", default, any);
    if uri_bytes.value >= head_bytes {
        let found = show_size(uri_bytes.value as u64);
        let expected = format!(
            "less than limits.head_bytes, {}",
            show_size(head_bytes as u64)
        );
        section.wrong(
            "uri_bytes",
            uri_bytes.span.clone(),
            &Wrong { found, expected },
        );
    }
    uri_bytes
}

/// Idle upstream connections.
pub(in crate::config) fn pool(section: Section<'_>) -> Pool {
    let count = |name, default| {
        section
            .count(name, default, 0..=bounds::POOL_IDLE_MAX)
            .value
    };
    let pool = Pool {
        idle_per_destination: count(
            "idle_per_destination",
            bounds::POOL_IDLE_PER_DESTINATION_DEFAULT,
        ),
        idle_total: count("idle_total", bounds::POOL_IDLE_TOTAL_DEFAULT),
        idle_timeout: time(&section, "idle_timeout", bounds::POOL_IDLE_TIMEOUT_DEFAULT),
        non_idempotent_idle: section
            .duration(
                "non_idempotent_idle",
                bounds::POOL_NON_IDEMPOTENT_IDLE_DEFAULT,
                Duration::ZERO..=DURATION_MAX,
            )
            .value,
    };
    section.finish();
    pool
}

/// HTTP/2 connections.
pub(in crate::config) fn http2(section: Section<'_>) -> Http2 {
    let narrow = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    let streams = 1..=bounds::HTTP2_STREAMS_MAX;
    let windows = bounds::HTTP2_WINDOW_BYTES_MIN..=bounds::HTTP2_WINDOW_BYTES_MAX as usize;
    let rates = 1..=bounds::HTTP2_FRAMES_PER_SECOND_MAX;
    let count = |name, default, bounds: &RangeInclusive<usize>| {
        section.count(name, default, bounds.clone()).value
    };
    let window = |name, default| narrow(section.size(name, default, windows.clone()).value);
    let http2 = Http2 {
        client_streams: narrow(count(
            "client_streams",
            bounds::HTTP2_CLIENT_STREAMS_DEFAULT,
            &streams,
        )),
        upstream_streams: count(
            "upstream_streams",
            bounds::HTTP2_UPSTREAM_STREAMS_DEFAULT,
            &streams,
        ),
        streams_per_shard: count(
            "streams_per_shard",
            bounds::HTTP2_STREAMS_PER_SHARD_DEFAULT,
            &(1..=bounds::CONNECTIONS_MAX),
        ),
        stream_window_bytes: window(
            "stream_window_bytes",
            bounds::HTTP2_STREAM_WINDOW_BYTES_DEFAULT,
        ),
        connection_window_bytes: window(
            "connection_window_bytes",
            bounds::HTTP2_CONNECTION_WINDOW_BYTES_DEFAULT,
        ),
        control_frames_per_second: narrow(count(
            "control_frames_per_second",
            bounds::HTTP2_CONTROL_FRAMES_PER_SECOND_DEFAULT,
            &rates,
        )),
        resets_per_second: narrow(count(
            "resets_per_second",
            bounds::HTTP2_RESETS_PER_SECOND_DEFAULT,
            &rates,
        )),
        ping_interval: time(
            &section,
            "ping_interval",
            bounds::HTTP2_PING_INTERVAL_DEFAULT,
        ),
        ping_timeout: time(&section, "ping_timeout", bounds::HTTP2_PING_TIMEOUT_DEFAULT),
    };
    section.finish();
    http2
}

/// Dialing.
pub(in crate::config) fn connect(section: Section<'_>) -> Connect {
    let delay = section.duration(
        "happy_eyeballs_delay",
        bounds::HAPPY_EYEBALLS_DELAY_DEFAULT,
        bounds::HAPPY_EYEBALLS_DELAY_MIN..=bounds::HAPPY_EYEBALLS_DELAY_MAX,
    );
    section.finish();
    Connect {
        happy_eyeballs_delay: delay.value,
    }
}

/// The end of the process.
pub(in crate::config) fn drain(section: Section<'_>) -> Drain {
    let timeout = section.duration(
        "timeout",
        bounds::DRAIN_TIMEOUT_DEFAULT,
        Duration::ZERO..=DURATION_MAX,
    );
    section.finish();
    Drain {
        timeout: timeout.value,
    }
}
