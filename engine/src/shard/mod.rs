//! One pinned thread, its ring, and all the state of the connections that it accepted.
//!
//! Nothing here is shared with another shard but what never changes. Messages from the control
//! thread arrive between tasks.

mod client_key;
pub(crate) mod clients;
pub(crate) mod connections;
pub(crate) mod exhaustion;
mod snapshot;
pub(crate) mod tunnels;
mod usage_board;
pub(crate) mod watches;

use std::cell::{Cell, Ref, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use client_key::ClientKey;
pub(crate) use snapshot::{Generation, Snapshot};
pub(crate) use usage_board::{Row, UsageBoard};

use crate::access_log::{ConnectionId, ShardLog, TransactionId};
use crate::clock;
use crate::config::checked::Config;
use crate::http2::Holders;
use crate::io::buffers::BufferPool;
use crate::io::deadline::Wheel;
use crate::io::timer;
use crate::observe::{Leg, ShardMetrics, Traffic};
use crate::shard::clients::Clients;
use crate::shard::connections::Connections;
use crate::shard::exhaustion::Exhaustion;
use crate::shard::tunnels::Tunnels;
use crate::shard::watches::Watches;
use crate::tls::caches::TlsCaches;

/// The state of one shard.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) index: usize,
    pub(crate) wheel: Rc<Wheel>,
    pub(crate) buffers: Rc<BufferPool>,
    pub(crate) holders: Rc<Holders>,
    pub(crate) connections: Rc<Connections>,
    pub(crate) tunnels: Rc<Tunnels>,
    pub(crate) tls: TlsCaches,
    pub(crate) log: RefCell<ShardLog>,
    /// What it counts.
    pub(crate) metrics: Arc<ShardMetrics>,
    /// Where the bytes of connections to clients are counted, and those to origins.
    pub(crate) client_traffic: Rc<Traffic>,
    pub(crate) origin_traffic: Rc<Traffic>,
    /// Transactions that go on for long.
    pub(crate) watches: Rc<Watches>,
    snapshot: RefCell<Rc<Snapshot>>,
    draining: Cell<bool>,
    pub(crate) exhaustion: Exhaustion,
    /// It has been said that requests wait for the log.
    stall_told: Cell<bool>,
    next_id: Cell<u64>,
}

/// How often a stalled shard looks whether the log has room again.
const STALL_POLL: Duration = Duration::from_millis(2);
/// When it is said that requests wait for the log.
const STALL_TOLD_AFTER: Duration = Duration::from_secs(1);

/// What a shard begins with.
pub(crate) struct ShardParts {
    pub(crate) index: usize,
    pub(crate) buffers: Rc<BufferPool>,
    pub(crate) clients: Clients,
    pub(crate) log: ShardLog,
    pub(crate) metrics: Arc<ShardMetrics>,
    pub(crate) snapshot: Snapshot,
    pub(crate) tls: TlsCaches,
}

impl Shard {
    /// A shard that has served nobody yet.
    ///
    /// # Errors
    /// When the system gives no random number.
    pub(crate) fn new(parts: ShardParts) -> io::Result<Self> {
        Ok(Self {
            index: parts.index,
            wheel: Wheel::new(clock::now()),
            buffers: parts.buffers,
            holders: Rc::default(),
            connections: Rc::new(Connections::new(parts.clients)),
            tunnels: Rc::default(),
            log: RefCell::new(parts.log),
            client_traffic: Rc::new(Traffic::new(&parts.metrics, Leg::Client)),
            origin_traffic: Rc::new(Traffic::new(&parts.metrics, Leg::Origin)),
            metrics: parts.metrics,
            watches: Rc::default(),
            snapshot: RefCell::new(Rc::new(parts.snapshot)),
            tls: parts.tls,
            draining: Cell::new(false),
            exhaustion: Exhaustion::default(),
            stall_told: Cell::new(false),
            next_id: Cell::new(first_id()?),
        })
    }

    /// The configuration and rules that the next transaction begins with.
    pub(crate) fn snapshot(&self) -> Rc<Snapshot> {
        Rc::clone(&self.snapshot.borrow())
    }

    /// Whether the next transaction would begin with `snapshot`.
    pub(crate) fn is_current(&self, snapshot: &Rc<Snapshot>) -> bool {
        Rc::ptr_eq(&self.snapshot.borrow(), snapshot)
    }

    pub(crate) fn config(&self) -> Ref<'_, Config> {
        Ref::map(self.snapshot.borrow(), |snapshot| &*snapshot.config)
    }

    /// Whether the process is on its way out: no connection is kept alive any more.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// No connection is kept alive from now on.
    pub(crate) fn begin_draining(&self) {
        self.draining.set(true);
    }

    /// Transactions that begin from now on have these rules and this configuration.
    pub(crate) fn set_snapshot(&self, snapshot: Snapshot) {
        self.snapshot.replace(Rc::new(snapshot));
    }

    pub(crate) fn transaction_id(&self) -> TransactionId {
        TransactionId(self.next())
    }

    pub(crate) fn connection_id(&self) -> ConnectionId {
        ConnectionId(self.next())
    }

    fn next(&self) -> u64 {
        let id = self.next_id.get();
        self.next_id.set(id.wrapping_add(1));
        id
    }

    /// Waits until a record can be written without losing one: back pressure from the log. `false`: the
    /// process ends and there is no room; nothing new is begun then.
    pub(crate) async fn log_room(&self) -> bool {
        if self.log.borrow().has_room() {
            return true;
        }
        let began = clock::now();
        while !self.log.borrow().has_room() {
            if self.is_draining() {
                return false;
            }
            if clock::since(began) >= STALL_TOLD_AFTER && !self.stall_told.replace(true) {
                tracing::warn!(
                    shard = self.index,
                    "requests wait: the sink of the access log takes no more lines (log.on_overflow = \"stall\")"
                );
            }
            self.log.borrow_mut().flush();
            timer::sleep(STALL_POLL).await;
        }
        if self.stall_told.replace(false) {
            tracing::info!(shard = self.index, "the access log takes lines again");
        }
        true
    }
}

/// Ids count up from a random place, so that those of two shards or two lives do not meet.
fn first_id() -> io::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(u64::from_ne_bytes(bytes))
}
