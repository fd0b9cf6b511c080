//! The one list of keys: what the parser asks for, what `docs/configuration.md` documents and what
//! a misspelled key is compared with. Tests hold the three together.

/// Every key, whole. `hosts`, `auth.jwt.labels`, `identity.source.labels`,
/// `headers.request.set` and `headers.response.set` are tables with free names; `listener`, `auth.jwt`
/// and `identity.source` are lists of tables.
pub const KEYS: &[&str] = &[
    "ruleset",
    "trusted_keys",
    "shards",
    "io.driver",
    "admin.listen",
    "admin.hosts",
    "listener.address",
    "listener.protocol",
    "listener.certificate",
    "listener.key",
    "listener.client_ca",
    "listener.proxy_protocol",
    "listener.trusted",
    "listener.auth",
    "auth.users",
    "auth.tokens",
    "auth.failures_per_minute",
    "auth.jwt.issuer",
    "auth.jwt.trust_domain",
    "auth.jwt.audience",
    "auth.jwt.jwks",
    "auth.jwt.algorithms",
    "auth.jwt.principal",
    "auth.jwt.labels",
    "auth.jwt.leeway",
    "identity.source.vpce",
    "identity.source.clients",
    "identity.source.principal",
    "identity.source.spiffe",
    "identity.source.vpc",
    "identity.source.account",
    "identity.source.labels",
    "dns.servers",
    "dns.attempts",
    "dns.attempt_timeout",
    "dns.lookup_timeout",
    "dns.case_mixing",
    "dns.ttl_min",
    "dns.ttl_max",
    "dns.negative_ttl_max",
    "dns.cache_entries",
    "dns.lookups_in_flight",
    "dns.ipv4",
    "dns.ipv6",
    "dns.resolution_delay",
    "hosts",
    "guard.allow",
    "guard.deny",
    "guard.private",
    "guard.ports",
    "guard.http_ports",
    "tls.mode",
    "tls.ca",
    "tls.ca_key",
    "tls.version_min",
    "tls.rsa_leaf",
    "tls.certificate_cache_entries",
    "tls.client_certificate_fallback",
    "tls.ech",
    "tls.scope.domains",
    "tls.scope.destinations",
    "tls.scope.ports",
    "tls.scope.clients",
    "tls.scope.mode",
    "tls.scope.upstream_verify",
    "tls.scope.client_certificate",
    "tls.scope.client_key",
    "tls.upstream.built_in_roots",
    "tls.upstream.system_roots",
    "tls.upstream.roots",
    "tls.upstream.crls",
    "tls.upstream.version_min",
    "tls.upstream.verify",
    "tunnel.unknown_protocol",
    "tunnel.fronting",
    "tunnel.idle_timeout",
    "tunnel.lifetime_max",
    "tunnel.sniff_timeout",
    "reload.tunnels",
    "timeouts.head",
    "timeouts.keep_alive",
    "timeouts.connect_attempt",
    "timeouts.connect",
    "timeouts.tls_handshake",
    "timeouts.response",
    "timeouts.body_idle",
    "timeouts.upload_idle",
    "timeouts.linger",
    "tcp.keepalive_idle",
    "tcp.keepalive_interval",
    "tcp.keepalive_probes",
    "tcp.user_timeout",
    "limits.connections",
    "limits.connections_per_client",
    "limits.tunnels_per_client",
    "limits.requests_per_second_per_client",
    "limits.ipv6_client_prefix",
    "limits.client_share",
    "limits.head_bytes",
    "limits.headers",
    "limits.uri_bytes",
    "limits.chunk_extension_bytes",
    "limits.trailer_bytes",
    "limits.interim_responses",
    "limits.interim_bytes",
    "limits.buffer_bytes",
    "limits.upload_rate_min",
    "http.https_targets",
    "http.retry_body_bytes",
    "http.path",
    "http.origin_leniency",
    "http.scope.domains",
    "http.scope.destinations",
    "http.scope.ports",
    "http.scope.origin_leniency",
    "pool.idle_per_destination",
    "pool.idle_total",
    "pool.idle_timeout",
    "pool.non_idempotent_idle",
    "http2.client_streams",
    "http2.upstream_streams",
    "http2.streams_per_shard",
    "http2.stream_window_bytes",
    "http2.connection_window_bytes",
    "http2.control_frames_per_second",
    "http2.resets_per_second",
    "http2.ping_interval",
    "http2.ping_timeout",
    "connect.happy_eyeballs_delay",
    "headers.via",
    "headers.forwarded",
    "headers.x_forwarded_for",
    "headers.request.strip",
    "headers.request.set",
    "headers.response.strip",
    "headers.response.set",
    "responses.reveal_rule",
    "responses.page",
    "log.access",
    "log.query",
    "log.on_overflow",
    "log.buffer_bytes",
    "log.flush_interval",
    "log.progress",
    "log.connections",
    "log.rotate_bytes",
    "log.rotate_keep",
    "log.level",
    "log.format",
    "drain.timeout",
];

/// Keys and tables that are planned: a person who writes them has not misspelled anything.
const PLANNED: &[&str] = &["cache", "identity", "upstream_proxy"];

/// What to say to the writer of a key that does not exist.
pub(super) fn help_for(unknown: &str) -> Option<String> {
    if PLANNED.contains(&unknown) {
        return Some("this version does not serve it yet; remove it".to_owned());
    }
    let (parent, name) = unknown.rsplit_once('.').unwrap_or(("", unknown));
    let same_table = KEYS.iter().filter_map(|key| next_part(key, parent));
    let (nearest, distance) = same_table
        .map(|part| (part, distance(part, name)))
        .min_by_key(|&(_, distance)| distance)?;
    if distance <= name.len().div_ceil(3) {
        return Some(format!("did you mean `{nearest}`?"));
    }
    // The right name in the wrong table.
    let elsewhere = KEYS
        .iter()
        .find(|key| key.rsplit('.').next() == Some(name))?;
    Some(format!("did you mean `{elsewhere}`?"))
}

/// The part of `key` that follows the table `parent`, if it lies in that table.
fn next_part<'a>(key: &'a str, parent: &str) -> Option<&'a str> {
    let rest = match parent {
        "" => key,
        _ => key.strip_prefix(parent)?.strip_prefix('.')?,
    };
    rest.split('.').next()
}

/// Levenshtein's distance in bytes; both texts are a few dozen bytes.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (left_index, left_byte) in left.bytes().enumerate() {
        let mut diagonal = left_index;
        let mut before = left_index + 1;
        for (cell, right_byte) in row.iter_mut().skip(1).zip(right.bytes()) {
            let replaced = diagonal + usize::from(left_byte != right_byte);
            diagonal = *cell;
            before = replaced.min(diagonal + 1).min(before + 1);
            *cell = before;
        }
        if let Some(first) = row.first_mut() {
            *first = left_index + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        for (left, right, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("head", "haed", 2),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(left, right), expected, "{left} {right}");
            assert_eq!(distance(right, left), expected, "{right} {left}");
        }
    }

    #[test]
    fn help_names_the_likely_key() {
        assert_eq!(help_for("timeouts.haed").unwrap(), "did you mean `head`?");
        assert_eq!(help_for("timeout").unwrap(), "did you mean `timeouts`?");
        assert_eq!(
            help_for("dns.head_bytes").unwrap(),
            "did you mean `limits.head_bytes`?"
        );
        assert!(help_for("cache").unwrap().contains("yet"));
        assert_eq!(help_for("completely_different"), None);
    }
}
