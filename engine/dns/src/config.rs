//! The settings of a resolver. Reading `/etc/resolv.conf` or a configuration file is the caller's.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::limits::{
    ATTEMPTS_MAX, DURATION_MAX, EDNS_PAYLOAD_BYTES_MIN, LOOKUPS_IN_FLIGHT_DEFAULT, SERVERS_MAX,
};

/// The settings of a [`Resolver`](crate::Resolver). `Default` gives the documented values and no
/// servers.
///
/// Values out of bounds are brought within them by [`Resolver::new`](crate::Resolver::new):
/// durations to [`limits::DURATION_MAX`](crate::limits::DURATION_MAX), attempts to 1 and up to
/// [`limits::ATTEMPTS_MAX`](crate::limits::ATTEMPTS_MAX), the EDNS payload to 512 bytes and more.
#[derive(Clone, Debug)]
pub struct ResolverConfig {
    /// Recursive servers in order of preference. Those beyond
    /// [`limits::SERVERS_MAX`](crate::limits::SERVERS_MAX) are not asked.
    pub servers: Vec<SocketAddr>,
    /// Attempts that may fail, per lookup and record type, over all servers. Following a CNAME and
    /// turning to TCP after a truncated answer are no failures. Default 4.
    pub attempts_max: u32,
    /// How long one attempt waits for its answer. Default 1.5 s.
    pub attempt_timeout: Duration,
    /// How long a lookup lasts at most. Default 5 s.
    pub lookup_timeout: Duration,
    /// How long a lookup with the addresses of one family waits for the other (RFC 8305 section 3).
    /// Default 50 ms.
    pub resolution_delay: Duration,
    /// Mix the case of names in queries and insist on it in answers (draft-vixie-dnsext-dns0x20).
    /// Default true.
    pub case_mixing: bool,
    /// Addresses are cached at least this long, whatever their TTL. Default 1 s.
    pub ttl_min: Duration,
    /// Addresses are cached at most this long. Default 1 h.
    pub ttl_max: Duration,
    /// "No such name" and "no addresses" are cached at most this long (RFC 2308 section 5). Default
    /// 5 min.
    pub negative_ttl_max: Duration,
    /// Failures of servers, and negative answers without SOA, are cached this long (RFC 2308
    /// section 7). Default 1 s.
    pub failure_ttl: Duration,
    /// Names in the cache. Default 10 000; worst case about 1.5 KiB each, usually 200 bytes. Zero
    /// turns it off.
    pub cache_entries_max: usize,
    /// Lookups in flight. Default 1024; each has at most two sockets open and costs about 2 KiB.
    pub lookups_in_flight_max: usize,
    /// Addresses that win over DNS, by exact name. A name may be listed several times.
    pub static_hosts: Vec<(Box<str>, Vec<IpAddr>)>,
    /// Ask for A records. Default true.
    pub ipv4: bool,
    /// Ask for AAAA records. Default true.
    pub ipv6: bool,
    /// UDP payload that EDNS(0) announces (RFC 6891 section 6.2.3), in bytes. Default 1232, which
    /// fits any path MTU met in practice; the caller's buffer holds as much.
    pub edns_payload_bytes: u16,
}

impl Default for ResolverConfig {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            attempts_max: 4,
            attempt_timeout: Duration::from_millis(1_500),
            lookup_timeout: Duration::from_secs(5),
            resolution_delay: Duration::from_millis(50),
            case_mixing: true,
            ttl_min: Duration::from_secs(1),
            ttl_max: Duration::from_secs(3_600),
            negative_ttl_max: Duration::from_secs(300),
            failure_ttl: Duration::from_secs(1),
            cache_entries_max: 10_000,
            lookups_in_flight_max: LOOKUPS_IN_FLIGHT_DEFAULT,
            static_hosts: Vec::new(),
            ipv4: true,
            ipv6: true,
            edns_payload_bytes: 1_232,
        }
    }
}

impl ResolverConfig {
    /// The same settings, each within its bounds.
    pub(crate) fn bounded(mut self) -> Self {
        self.servers.truncate(SERVERS_MAX);
        self.attempts_max = self.attempts_max.clamp(1, ATTEMPTS_MAX);
        for duration in [
            &mut self.attempt_timeout,
            &mut self.lookup_timeout,
            &mut self.resolution_delay,
            &mut self.ttl_min,
            &mut self.ttl_max,
            &mut self.negative_ttl_max,
            &mut self.failure_ttl,
        ] {
            *duration = (*duration).min(DURATION_MAX);
        }
        self.ttl_min = self.ttl_min.min(self.ttl_max);
        self.cache_entries_max = self.cache_entries_max.min(u32::MAX as usize - 1);
        self.edns_payload_bytes = self.edns_payload_bytes.max(EDNS_PAYLOAD_BYTES_MIN);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_bounds_are_brought_within() {
        let config = ResolverConfig {
            servers: vec![SocketAddr::from(([192, 0, 2, 1], 53)); SERVERS_MAX + 1],
            attempts_max: 0,
            lookup_timeout: Duration::MAX,
            ttl_min: Duration::from_secs(10),
            ttl_max: Duration::from_secs(5),
            edns_payload_bytes: 0,
            ..ResolverConfig::default()
        }
        .bounded();
        assert_eq!(config.servers.len(), SERVERS_MAX);
        assert_eq!(config.attempts_max, 1);
        assert_eq!(config.lookup_timeout, DURATION_MAX);
        assert_eq!(config.ttl_min, Duration::from_secs(5));
        assert_eq!(config.edns_payload_bytes, EDNS_PAYLOAD_BYTES_MIN);
    }
}
