//! From a plan to a running shard.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::thread::{self, JoinHandle};

use core_affinity::CoreId;

use super::affinity;
use super::shard_loop::{self, Message};
use crate::access_log::ShardLog;
use crate::client::{Authenticator, Verifiers};
use crate::fair_share::FairShare;
use crate::io::buffers::BufferPool;
use crate::io::driver::Driver;
use crate::listener::accept::{BoundListener, Listeners};
use crate::observe::ShardMetrics;
use crate::shard::clients::Clients;
use crate::shard::{Generation, Row, Shard, ShardParts, Snapshot};
use crate::tls::caches::TlsCaches;
use crate::transaction::Proxy;
use crate::upstream::origins::Origins;

/// Everything that a shard begins with.
#[derive(Debug)]
pub(crate) struct ShardPlan {
    pub(crate) index: usize,
    pub(crate) core: Option<CoreId>,
    pub(crate) driver: Driver,
    pub(crate) listeners: Vec<BoundListener>,
    pub(crate) generation: Generation,
    pub(crate) log: ShardLog,
    pub(crate) metrics: Arc<ShardMetrics>,
    /// Where shards read what clients use on each other; `None` for one that is alone.
    pub(crate) row: Option<Row>,
    /// Who verifies credentials, for all shards.
    pub(crate) verifiers: Arc<Verifiers>,
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
    let config = Arc::clone(&plan.generation.config);
    let tls = TlsCaches::new();
    let snapshot =
        Snapshot::new(plan.generation, plan.index, None, &tls).map_err(io::Error::other)?;
    let share = FairShare::new(config.limits.per_client.share);
    let buffers = Rc::new(BufferPool::new(config.limits.buffer_bytes));
    buffers.set_client_share(share);
    let clients = Clients::new(&buffers, plan.row);
    let shard = Shard::new(ShardParts {
        index: plan.index,
        buffers,
        clients,
        log: plan.log,
        metrics: plan.metrics,
        snapshot,
        tls,
    })?;
    let proxy = Rc::new(Proxy::new(
        shard,
        Origins::new(&config)?,
        Authenticator::new(plan.verifiers)?,
    ));
    let listeners = Listeners::start(&proxy, plan.listeners)?;
    // Who started the shards waits for this, or has given up.
    let _ = plan.accepting.send(());
    drop(plan.accepting);
    shard_loop::run(proxy, listeners, plan.messages).await;
    Ok(())
}

/// What a shard would refuse to begin with.
pub(crate) fn verify_for_shards(generation: &Generation) -> Result<(), String> {
    Snapshot::new(generation.clone(), 0, None, &TlsCaches::new())
        .map_err(|error| error.to_string())?;
    Origins::verify(&generation.config).map_err(|error| error.to_string())?;
    Ok(())
}
