//! The configuration and rules that a transaction begins with, and keeps to its end.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use sallyport_pki::MintError;
use sallyport_ruleset::Bundle;
use sallyport_wire::http1::{ChunkLimits, HeadLimits, HeaderEdits};
use thiserror::Error;

use crate::config::checked::{self, Config};
use crate::destination::DestinationGuard;
use crate::enforcement::Rules;
use crate::identity::Identities;
use crate::io::liveness::Liveness;
use crate::observe::RuleHits;
use crate::tls::caches::TlsCaches;
use crate::tls::configs::TlsConfigs;
use crate::tls::credentials::TlsCredentials;
use crate::tls::fallback::Fallbacks;

/// One generation of configuration and rules, in the forms that the data path uses.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) config: Arc<Config>,
    pub(crate) rules: Rules,
    pub(crate) guard: DestinationGuard,
    pub(crate) head_limits: HeadLimits,
    /// Those of requests; responses may have padded sizes.
    pub(crate) chunk_limits: ChunkLimits,
    /// What clients are known by; `None`: nothing is configured, and no request has to look.
    pub(crate) identities: Option<Arc<Identities>>,
    /// How connections are looked after.
    pub(crate) liveness: Liveness,
    pub(crate) request_edits: HeaderEdits,
    pub(crate) response_edits: HeaderEdits,
    pub(crate) tls: Rc<TlsConfigs>,
    /// Origins whose tunnels are left alone.
    pub(crate) fallbacks: Arc<Fallbacks>,
    /// How often rules were met on this shard.
    pub(crate) rule_hits: Arc<RuleHits>,
}

/// What a snapshot is made of, as it comes from the control thread.
#[derive(Debug, Clone)]
pub(crate) struct Generation {
    pub(crate) config: Arc<Config>,
    pub(crate) bundle: Arc<Bundle>,
    /// Where this process listens, ports resolved.
    pub(crate) listeners: Arc<[SocketAddr]>,
    /// What the kernel takes to be this machine.
    pub(crate) own_networks: Arc<[IpNet]>,
    /// What the files say that the configuration names for TLS.
    pub(crate) credentials: Arc<TlsCredentials>,
    /// What the files say that the configuration names for identity, and what it says itself.
    pub(crate) identities: Option<Arc<Identities>>,
    /// What its shards learn of origins that want a certificate of the client; empty at first.
    pub(crate) fallbacks: Arc<Fallbacks>,
    /// How often rules were met, on each shard.
    pub(crate) rule_hits: Arc<[Arc<RuleHits>]>,
}

impl Generation {
    /// Has so many shards count the rules that they meet, from now on.
    pub(crate) fn count_rules(&mut self, shards: usize, now: Duration) {
        let since_us = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        let hits = || Arc::new(RuleHits::new(&self.bundle, since_us));
        self.rule_hits = (0..shards).map(|_| hits()).collect();
    }
}

impl Snapshot {
    /// Takes `generation` for a shard. What the shard has learned about TLS stays in `caches` as far
    /// as the credentials are those of `before`.
    pub(crate) fn new(
        generation: Generation,
        shard: usize,
        before: Option<&Self>,
        caches: &TlsCaches,
    ) -> Result<Self, TlsFault> {
        let tls = configs(&generation, before, caches)?;
        let Generation {
            config,
            bundle,
            listeners,
            own_networks,
            credentials: _,
            identities,
            fallbacks,
            rule_hits,
        } = generation;
        Ok(Self {
            tls,
            identities,
            fallbacks,
            // A generation that is only looked at has none.
            rule_hits: rule_hits.get(shard).cloned().unwrap_or_default(),
            rules: Rules::new(bundle),
            guard: DestinationGuard::new(&config.guard, &listeners, &own_networks),
            head_limits: HeadLimits {
                head_bytes_max: config.limits.head_bytes,
                headers_max: config.limits.headers,
                uri_bytes_max: config.limits.uri_bytes,
            },
            chunk_limits: ChunkLimits {
                extension_bytes_max: config.limits.chunk_extension_bytes,
                trailer_bytes_max: config.limits.trailer_bytes,
                tolerates_blanks: false,
            },
            liveness: liveness(&config),
            request_edits: edits(&config.headers.request),
            response_edits: edits(&config.headers.response),
            config,
        })
    }
}

impl Snapshot {
    /// Whether configuration, rules and guard are those of `other`: then only keys were renewed.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.config, &other.config)
            && self.rules.bundle().id() == other.rules.bundle().id()
            && self.guard == other.guard
            && self.identities_id() == other.identities_id()
    }

    fn identities_id(&self) -> Option<u64> {
        Some(self.identities.as_ref()?.id)
    }
}

/// Why a generation cannot be used by a shard.
#[derive(Debug, Error)]
pub(crate) enum TlsFault {
    #[error("TLS: {0}")]
    Configs(#[from] rustls::Error),
    #[error("TLS: {0}")]
    Minting(#[from] MintError),
}

/// How TLS is spoken under `generation`: as before if nothing has changed, so that sessions and
/// connections stay in use.
fn configs(
    generation: &Generation,
    before: Option<&Snapshot>,
    caches: &TlsCaches,
) -> Result<Rc<TlsConfigs>, TlsFault> {
    let (config, credentials) = (&generation.config, &generation.credentials);
    if let Some(before) = before
        && Arc::ptr_eq(&before.tls.credentials, credentials)
    {
        return Ok(Rc::clone(&before.tls));
    }
    let old = before.map(|before| &*before.tls.credentials);
    caches.adopt(old, credentials, config.tls.certificate_cache_entries)?;
    let configs = TlsConfigs::new(config, Arc::clone(credentials), || caches.next_id())?;
    Ok(Rc::new(configs))
}

fn liveness(config: &Config) -> Liveness {
    let tcp = &config.tcp;
    Liveness {
        keepalive_idle: tcp.keepalive_idle,
        keepalive_interval: tcp.keepalive_interval,
        keepalive_probes: tcp.keepalive_probes,
        user_timeout: tcp.user_timeout,
    }
}

fn edits(edits: &checked::HeaderEdits) -> HeaderEdits {
    HeaderEdits {
        strip: edits
            .strip
            .iter()
            .map(|name| name.as_str().into())
            .collect(),
        set: edits
            .set
            .iter()
            .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
            .collect(),
    }
}
