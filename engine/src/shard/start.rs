//! From a plan to a running shard.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use core_affinity::CoreId;
use sallyport_dns::ResolverConfig;

use super::control::{self, Message};
use super::driver::Driver;
use super::exhaustion::Exhaustion;
use super::snapshot::{Generation, Snapshot};
use super::{Row, Shard, affinity};
use crate::access_log::ShardLog;
use crate::config::checked::Config;
use crate::fair_share::FairShare;
use crate::io::buffers::BufferPool;
use crate::io::deadline::Wheel;
use crate::listener::accept::{BoundListener, Listeners};
use crate::shard::clients::Clients;
use crate::shard::connections::Connections;
use crate::tls::caches::TlsCaches;
use crate::upstream::http1_only::Http1Only;
use crate::upstream::pool::{Pool, PoolLimits};
use crate::upstream::resolver::Resolver;
use crate::upstream::shared_dial::SharedDials;

/// Everything that a shard begins with.
#[derive(Debug)]
pub(crate) struct ShardPlan {
    pub(crate) index: usize,
    pub(crate) core: Option<CoreId>,
    pub(crate) driver: Driver,
    pub(crate) listeners: Vec<BoundListener>,
    pub(crate) generation: Generation,
    pub(crate) log: ShardLog,
    /// Where shards read what clients use on each other; `None` for one that is alone.
    pub(crate) row: Option<Row>,
    pub(crate) messages: Receiver<Message>,
    /// Told, and let go of, once the shard accepts connections.
    pub(crate) accepting: Sender<()>,
}

/// Starts the thread of a shard. `ended` runs on it at its end, whatever the reason.
pub(crate) fn start(
    plan: ShardPlan,
    ended: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<io::Result<()>>> {
    thread::Builder::new()
        .name(format!("shard-{}", plan.index))
        .spawn(move || {
            /// Tells the control thread also when the shard panics.
            struct Ended<F: FnOnce()>(Option<F>);
            impl<F: FnOnce()> Drop for Ended<F> {
                fn drop(&mut self) {
                    if let Some(ended) = self.0.take() {
                        ended();
                    }
                }
            }
            let _ended = Ended(Some(ended));
            affinity::pin(plan.index, plan.core);
            plan.driver.block_on(serve(plan))
        })
}

async fn serve(plan: ShardPlan) -> io::Result<()> {
    let config = std::sync::Arc::clone(&plan.generation.config);
    let tls = TlsCaches::new();
    let snapshot = Snapshot::new(plan.generation, None, &tls).map_err(io::Error::other)?;
    let share = FairShare::new(config.limits.per_client.share);
    let buffers = Rc::new(BufferPool::new(config.limits.buffer_bytes));
    buffers.set_client_share(share);
    let clients = Clients::new(&buffers, plan.row);
    let shard = Rc::new(Shard {
        index: plan.index,
        wheel: Wheel::new(Instant::now()),
        buffers,
        holders: Rc::default(),
        pool: RefCell::new(Pool::new(pool_limits(&config))),
        dials: SharedDials::default(),
        http1_only: Http1Only::default(),
        connections: Rc::new(Connections::new(clients)),
        tunnels: Rc::default(),
        log: RefCell::new(plan.log),
        watches: Rc::default(),
        resolver: RefCell::new(resolver(&config)?),
        snapshot: RefCell::new(Rc::new(snapshot)),
        tls,
        workspaces: RefCell::default(),
        draining: Cell::new(false),
        exhaustion: Exhaustion::default(),
        stall_told: Cell::new(false),
        next_id: Cell::new(first_id()?),
    });
    let listeners = Listeners::start(&shard, plan.listeners)?;
    // Who started the shards waits for this, or has given up.
    let _ = plan.accepting.send(());
    drop(plan.accepting);
    control::run(shard, listeners, plan.messages).await;
    Ok(())
}

/// What a shard would refuse to begin with.
pub(crate) fn verify_for_shards(generation: &Generation) -> Result<(), String> {
    Snapshot::new(generation.clone(), None, &TlsCaches::new())
        .map_err(|error| error.to_string())?;
    resolver(&generation.config).map_err(|error| error.to_string())?;
    Ok(())
}

/// Ids count up from a random place, so that those of two shards or two lives do not meet.
fn first_id() -> io::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(u64::from_ne_bytes(bytes))
}

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

pub(crate) fn pool_limits(config: &Config) -> PoolLimits {
    PoolLimits {
        idle_per_destination: config.pool.idle_per_destination,
        idle_total: config.pool.idle_total,
        idle_timeout: config.pool.idle_timeout,
        client_share: FairShare::new(config.limits.per_client.share),
    }
}
