//! The pool against a naive one: a list that is searched from its end. Both must give and close the same
//! connections, whatever is asked of them in whatever order.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::pool::{Pool, PoolKey, PoolLimits, Poolable};
use crate::config::checked::PerClient;
use crate::fair_share::FairShare;
use crate::io::buffers::BufferPool;
use crate::shard::UsageBoard;
use crate::shard::clients::{Account, Clients};

/// What two connections may differ in: host, address, parameters of TLS.
const KEYS: usize = 8;
const ADDRESSES: [[u8; 4]; 2] = [[192, 0, 2, 1], [192, 0, 2, 2]];

#[derive(Debug, Clone)]
enum Operation {
    CheckIn {
        key: usize,
        client: usize,
    },
    CheckOut {
        key: usize,
        idle_max_ms: Option<u64>,
    },
    /// The origin of the connection with this number closes it.
    Close {
        number: usize,
    },
    Pass {
        ms: u64,
    },
    Sweep,
    Limit {
        per_destination: usize,
        total: usize,
    },
    Clear,
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => (0..KEYS, 0..ADDRESSES.len()).prop_map(|(key, client)| Operation::CheckIn { key, client }),
        4 => (0..KEYS, proptest::option::of(0..300_u64))
            .prop_map(|(key, idle_max_ms)| Operation::CheckOut { key, idle_max_ms }),
        1 => (0..40_usize).prop_map(|number| Operation::Close { number }),
        3 => (0..400_u64).prop_map(|ms| Operation::Pass { ms }),
        2 => Just(Operation::Sweep),
        1 => (0..4_usize, 0..9_usize)
            .prop_map(|(per_destination, total)| Operation::Limit { per_destination, total }),
        1 => Just(Operation::Clear),
    ]
}

fn key(index: usize) -> PoolKey<'static> {
    let port = if index & 2 == 0 { 80 } else { 81 };
    PoolKey {
        host: if index & 1 == 0 { "a.test" } else { "b.test" },
        address: ([192, 0, 2, 1], port).into(),
        tls: (index & 4 == 0).then_some(7),
    }
}

/// Which connections are closed by whom.
#[derive(Debug, Default)]
struct World {
    closed_by_origin: RefCell<BTreeSet<usize>>,
    closed_here: RefCell<BTreeSet<usize>>,
}

#[derive(Debug)]
struct Connection {
    number: usize,
    world: Rc<World>,
    rests: Cell<bool>,
}

impl Poolable for Connection {
    fn rest(&mut self) {
        self.rests.set(true);
    }

    fn has_spoken(&self) -> bool {
        self.world.closed_by_origin.borrow().contains(&self.number)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.world.closed_here.borrow_mut().insert(self.number);
    }
}

/// One idle connection of the naive pool.
#[derive(Debug, Clone, Copy)]
struct Kept {
    key: usize,
    client: usize,
    number: usize,
    since: Instant,
}

#[derive(Debug)]
struct Model {
    kept: Vec<Kept>,
    /// When each destination was last used over HTTP/1.1.
    http1: [Option<Instant>; KEYS],
    closed: BTreeSet<usize>,
    limits: PoolLimits,
}

const PERCENT: usize = 60;
const TIMEOUT: Duration = Duration::from_millis(500);

fn limits(per_destination: usize, total: usize) -> PoolLimits {
    PoolLimits {
        idle_per_destination: per_destination,
        idle_total: total,
        idle_timeout: TIMEOUT,
        client_share: FairShare::new(PERCENT),
    }
}

impl Model {
    fn check_in(&mut self, kept: Kept) {
        self.http1[kept.key] = Some(kept.since);
        let count = |is: &dyn Fn(&Kept) -> bool| self.kept.iter().filter(|kept| is(kept)).count();
        let of_key = count(&|other| other.key == kept.key);
        let held = count(&|other| other.client == kept.client);
        let free = self.limits.idle_total.saturating_sub(self.kept.len());
        let has_share = held * (100 - PERCENT) < free * PERCENT;
        match of_key < self.limits.idle_per_destination && free > 0 && has_share {
            true => self.kept.push(kept),
            false => drop(self.closed.insert(kept.number)),
        }
    }

    fn check_out(&mut self, key: usize, used_since: Option<Instant>) -> Option<usize> {
        let at = self.kept.iter().rposition(|kept| kept.key == key)?;
        if used_since.is_some_and(|since| self.kept[at].since < since) {
            return None;
        }
        Some(self.kept.remove(at).number)
    }

    fn sweep(&mut self, now: Instant, closed_by_origin: &BTreeSet<usize>) {
        let (kept, closed): (Vec<Kept>, Vec<Kept>) = self.kept.iter().partition(|kept| {
            now - kept.since < TIMEOUT && !closed_by_origin.contains(&kept.number)
        });
        self.kept = kept;
        self.closed.extend(closed.iter().map(|kept| kept.number));
        for key in 0..KEYS {
            let is_recent = self.http1[key].is_some_and(|seen| now - seen < TIMEOUT);
            if !is_recent && self.kept.iter().all(|kept| kept.key != key) {
                self.http1[key] = None;
            }
        }
    }

    fn clear(&mut self) {
        self.closed
            .extend(self.kept.drain(..).map(|kept| kept.number));
        self.http1 = [None; KEYS];
    }
}

fn accounts() -> Vec<Rc<Account>> {
    let buffers = Rc::new(BufferPool::new(1 << 22));
    let row = UsageBoard::rows(1).remove(0);
    let clients = Clients::new(&buffers, row);
    let per_client = PerClient {
        connections: 9,
        tunnels: 9,
        requests_per_second: None,
        ipv6_prefix: 64,
        share: 50,
    };
    ADDRESSES
        .map(|address| clients.account(address.into(), &per_client))
        .into()
}

fn check(operations: &[Operation]) {
    let accounts = accounts();
    let world = Rc::new(World::default());
    let mut now = Instant::now();
    let mut pool = Pool::new(limits(2, 5));
    let mut model = Model {
        kept: Vec::new(),
        http1: [None; KEYS],
        closed: BTreeSet::new(),
        limits: limits(2, 5),
    };
    let mut numbers = 0..;
    for operation in operations {
        match *operation {
            Operation::CheckIn { key: index, client } => {
                let number = numbers.next().unwrap_or_default();
                let connection = Connection {
                    number,
                    world: Rc::clone(&world),
                    rests: Cell::new(false),
                };
                pool.check_in(key(index), connection, &accounts[client], now);
                model.check_in(Kept {
                    key: index,
                    client,
                    number,
                    since: now,
                });
            }
            Operation::CheckOut {
                key: index,
                idle_max_ms,
            } => {
                let used_since = idle_max_ms.map(|ms| now - Duration::from_millis(ms));
                let given = pool.check_out(key(index), used_since);
                let expected = model.check_out(index, used_since);
                assert_eq!(given.as_ref().map(|given| given.number), expected);
                assert!(given.iter().all(|given| given.rests.get()));
                // Whoever took it closes it.
                model.closed.extend(expected);
            }
            Operation::Close { number } => {
                world.closed_by_origin.borrow_mut().insert(number);
            }
            Operation::Pass { ms } => now += Duration::from_millis(ms),
            Operation::Sweep => {
                pool.sweep(now);
                model.sweep(now, &world.closed_by_origin.borrow());
            }
            Operation::Limit {
                per_destination,
                total,
            } => {
                model.limits = limits(per_destination, total);
                pool.set_limits(model.limits);
            }
            Operation::Clear => {
                pool.clear();
                model.clear();
            }
        }
        assert_eq!(*world.closed_here.borrow(), model.closed, "{operation:?}");
        for index in 0..KEYS {
            assert_eq!(pool.is_http1(key(index)), model.http1[index].is_some());
        }
    }
}

proptest! {
    #[test]
    fn the_pool_does_what_the_naive_one_does(
        operations in proptest::collection::vec(operation(), 0..120),
    ) {
        check(&operations);
    }
}
