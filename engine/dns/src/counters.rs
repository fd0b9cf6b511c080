//! What the resolver counted since its start, for the caller's metrics.

/// Totals since [`Resolver::new`](crate::Resolver::new), except for the two gauges at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Lookups answered with addresses from the cache.
    pub cache_hits: u64,
    /// Lookups answered with a cached error (RFC 2308).
    pub negative_hits: u64,
    /// Lookups answered by a static host or by the `localhost` rule.
    pub static_hits: u64,
    /// Lookups that had to ask servers.
    pub cache_misses: u64,
    /// Lookups that joined one in flight.
    pub joined: u64,
    /// Lookups refused at once: bad name, too many in flight, no server.
    pub rejected: u64,
    /// Lookups finished with addresses.
    pub succeeded: u64,
    /// Lookups finished with an error.
    pub failed: u64,
    /// Queries handed out to be sent over UDP.
    pub queries_udp: u64,
    /// Queries handed out to be sent over TCP.
    pub queries_tcp: u64,
    /// Attempts that no server answered in time.
    pub attempt_timeouts: u64,
    /// Attempts that ended with an error of the transport.
    pub transport_errors: u64,
    /// Messages ignored because they do not answer the query: forged, late or corrupt.
    pub messages_ignored: u64,
    /// Those among them that differ only in the case of the name: a server that folds case, or a
    /// forger.
    pub messages_case_differs: u64,
    /// Answers that were truncated and asked for again over TCP.
    pub truncated: u64,
    /// Queries repeated without EDNS(0) because the server did not understand it.
    pub edns_fallbacks: u64,
    /// Cache entries evicted to make room.
    pub cache_evictions: u64,
    /// Gauge: entries in the cache now, expired ones not yet met among them.
    pub cache_entries: usize,
    /// Gauge: lookups in flight now, those that only wait for a late family among them.
    pub lookups_in_flight: usize,
}
