//! The loop of a shard: its own clock tick, and what the control thread tells it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use crate::admin::ShardUsage;
use crate::clock;
use crate::fair_share::FairShare;
use crate::io::deadline::TICK;
use crate::io::task;
use crate::io::timer;
use crate::listener::accept::Listeners;
use crate::shard::{Generation, Shard, Snapshot};
use crate::transaction::Proxy;

use super::shard_gauges::ShardGauges;

/// A message from the control thread.
#[derive(Debug)]
pub(crate) enum Message {
    /// Serve new transactions under these rules and this configuration.
    Adopt(Box<Generation>),
    /// Stop accepting, finish what is in flight, end within this time.
    Drain(Duration),
    /// Tell what is open.
    Usage(UnboundedSender<ShardUsage>),
}

/// Ticks of a second: between two sweeps of the upstream pool, and two looks at what lives long.
const SECOND_TICKS: u64 = 10;
/// Ticks that cut transactions have to end.
const CUT_TICKS: u32 = 5;

/// Runs the shard until it has drained.
pub(crate) async fn run(proxy: Rc<Proxy>, listeners: Listeners, messages: Receiver<Message>) {
    let shard = &proxy.shard;
    let mut drain: Option<Instant> = None;
    let mut cut = false;
    let mut flushed = clock::now();
    let mut gauges = ShardGauges::default();
    let mut due = clock::now() + TICK;
    for tick in 1_u64.. {
        timer::sleep(TICK).await;
        let now = clock::now();
        gauges.publish(&proxy, now.saturating_duration_since(due));
        due = now + TICK;
        shard.wheel.advance(now);
        if now + TICK / 2 >= flushed + shard.config().log.flush_interval {
            shard.log.borrow_mut().flush();
            flushed = now;
        }
        shard
            .connections
            .sweep(i64::try_from(clock::since_1970().as_secs()).unwrap_or(i64::MAX));
        if tick.is_multiple_of(SECOND_TICKS) {
            proxy.origins.pool.borrow_mut().sweep(now);
            shard.watches.advance();
        }
        while let Ok(message) = messages.try_recv() {
            match message {
                Message::Adopt(generation) => {
                    let began = clock::now();
                    let adopting = AssertUnwindSafe(|| adopt(&proxy, *generation));
                    if let Err(panic) = catch_unwind(adopting) {
                        task::tell("taking up a configuration", &*panic);
                    }
                    listeners.adopt(&proxy.shard);
                    shard.metrics.adopting.observe((), clock::since(began));
                }
                // Who asked may have lost patience.
                Message::Usage(to) => drop(to.send(usage(shard))),
                Message::Drain(timeout) => {
                    let end = now + timeout;
                    drain = Some(drain.map_or(end, |earlier| earlier.min(end)));
                    shard.begin_draining();
                    listeners.stop(&proxy);
                }
            }
        }
        if let Some(end) = drain
            && is_drained(&proxy.shard, now, end, &mut cut)
        {
            break;
        }
    }
    proxy.origins.pool.borrow_mut().clear();
    shard.log.borrow_mut().flush();
    gauges.publish(&proxy, Duration::ZERO);
}

fn usage(shard: &Shard) -> ShardUsage {
    ShardUsage {
        shard: shard.index,
        connections: shard.connections.count(),
        idle: shard.connections.idle_count(),
        clients: shard.connections.usage(),
    }
}

fn adopt(proxy: &Proxy, generation: Generation) {
    let shard = &proxy.shard;
    let before = shard.snapshot();
    let snapshot = match Snapshot::new(generation, shard.index, Some(&before), &shard.tls) {
        Ok(snapshot) => snapshot,
        Err(error) => {
            tracing::error!(%error, "the new configuration cannot be used: the old one stays");
            return;
        }
    };
    let config = &snapshot.config;
    let share = FairShare::new(config.limits.per_client.share);
    shard.buffers.set_client_share(share);
    proxy.origins.adopt(config, &before.config);
    if !Rc::ptr_eq(&snapshot.tls, &before.tls) {
        proxy.origins.pool.borrow_mut().close_tls();
    }
    let is_news = !snapshot.says_the_same(&before) || !snapshot.tls.asks_clients_as(&before.tls);
    shard.set_snapshot(snapshot);
    if is_news {
        shard.tunnels.wake_all();
    }
}

/// Ends what is idle, and after `end` everything else.
fn is_drained(shard: &Shard, now: Instant, end: Instant, cut: &mut bool) -> bool {
    let connections = shard.connections.count();
    if connections == 0 {
        return true;
    }
    shard.connections.end_idle();
    if now >= end && !*cut {
        *cut = true;
        let shard_index = shard.index;
        tracing::warn!(
            shard = shard_index,
            connections,
            "drain timed out: cutting what is left"
        );
    }
    if *cut {
        shard.connections.cut_all();
        shard.wheel.cut_all();
    }
    // A few more ticks let the transactions that were cut write their records.
    now >= end + CUT_TICKS * TICK
}
