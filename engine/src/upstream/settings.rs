//! What is made anew when the configuration changes.

use std::io;
use std::rc::Rc;

use sallyport_dns::ResolverConfig;

use super::pool::PoolLimits;
use super::resolver::Resolver;
use crate::config::checked::Config;
use crate::fair_share::FairShare;

/// The resolver that `config` asks for.
pub(crate) fn resolver(config: &Config) -> io::Result<Rc<Resolver>> {
    let dns = &config.dns;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    let hosts = config.hosts.iter();
    let settings = ResolverConfig {
        servers: dns.servers.clone(),
        attempts_max: u32::try_from(dns.attempts).unwrap_or(u32::MAX),
        attempt_timeout: dns.attempt_timeout,
        lookup_timeout: dns.lookup_timeout,
        resolution_delay: dns.resolution_delay,
        case_mixing: dns.case_mixing,
        ttl_min: dns.ttl_min,
        ttl_max: dns.ttl_max,
        negative_ttl_max: dns.negative_ttl_max,
        cache_entries_max: dns.cache_entries,
        lookups_in_flight_max: dns.lookups_in_flight,
        static_hosts: hosts
            .map(|(name, ips)| (name.as_str().into(), ips.clone()))
            .collect(),
        ipv4: dns.ipv4,
        ipv6: dns.ipv6,
        ..ResolverConfig::default()
    };
    Ok(Resolver::new(settings, seed))
}

/// How many idle connections to origins are kept.
pub(crate) fn pool_limits(config: &Config) -> PoolLimits {
    PoolLimits {
        idle_per_destination: config.pool.idle_per_destination,
        idle_total: config.pool.idle_total,
        idle_timeout: config.pool.idle_timeout,
        client_share: FairShare::new(config.limits.per_client.share),
    }
}
