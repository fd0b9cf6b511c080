//! What a shard tells ten times a second of numbers that its parts keep anyway.

use std::rc::Rc;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use sallyport_dns::Counters;

use crate::observe::{DnsTransport, LookupResult, nanos};
use crate::shard::clients::Resource;
use crate::transaction::Proxy;
use crate::upstream::resolver::Resolver;

/// What was told at the tick before.
#[derive(Debug, Default)]
pub(super) struct ShardGauges {
    resolver: Option<Rc<Resolver>>,
    dns: Counters,
}

impl ShardGauges {
    /// Tells how things are now, at a tick that came `late`.
    pub(super) fn publish(&mut self, proxy: &Proxy, late: Duration) {
        let shard = &proxy.shard;
        let metrics = &shard.metrics;
        metrics.tick_delay.observe((), late);
        metrics.turn_longest.raise((), nanos(late));
        if let Ok(time) = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID) {
            metrics.busy.copy((), nanos(Duration::from(time)));
        }
        let connections = &shard.connections;
        let in_use = |resource| connections.in_use(resource) as u64;
        metrics.connections_open.set((), connections.count() as u64);
        metrics.tunnels_open.set((), in_use(Resource::Tunnel));
        metrics.upstream_idle.set((), in_use(Resource::Pooled));
        metrics.log_dropped.copy((), shard.log.borrow().dropped());
        self.publish_dns(proxy);
    }

    fn publish_dns(&mut self, proxy: &Proxy) {
        let resolver = proxy.origins.resolver();
        let is_same = self
            .resolver
            .as_ref()
            .is_some_and(|before| Rc::ptr_eq(before, &resolver));
        let now = resolver.counters();
        let before = match is_same {
            true => self.dns,
            // One that was made by a reload begins at zero.
            false => Counters::default(),
        };
        let metrics = &proxy.shard.metrics;
        let lookups = |result, now: u64, before: u64| {
            metrics
                .dns_lookups
                .add((result,), now.saturating_sub(before));
        };
        lookups(LookupResult::Cached, now.cache_hits, before.cache_hits);
        lookups(
            LookupResult::CachedError,
            now.negative_hits,
            before.negative_hits,
        );
        lookups(LookupResult::Static, now.static_hits, before.static_hits);
        lookups(LookupResult::Resolved, now.succeeded, before.succeeded);
        lookups(LookupResult::Failed, now.failed, before.failed);
        lookups(LookupResult::Refused, now.rejected, before.rejected);
        let queries = |transport, now: u64, before: u64| {
            metrics
                .dns_queries
                .add((transport,), now.saturating_sub(before));
        };
        queries(DnsTransport::Udp, now.queries_udp, before.queries_udp);
        queries(DnsTransport::Tcp, now.queries_tcp, before.queries_tcp);
        let timeouts = now.attempt_timeouts.saturating_sub(before.attempt_timeouts);
        metrics.dns_timeouts.add((), timeouts);
        metrics.dns_cache_entries.set((), now.cache_entries as u64);
        self.resolver = Some(resolver);
        self.dns = now;
    }
}
