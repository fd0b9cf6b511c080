//! The clients of a shard, and what each of them uses of what clients share.
//!
//! A client is an address, of IPv6 a network (`limits.ipv6_client_prefix`). Its [`Account`] outlives its
//! connections as long as anything of it is in use and until the second is over in which it asked
//! last: who opens a connection for each request is counted like who keeps one.
//!
//! What is used is held as a [`Slot`]. Of connections, tunnels and requests a client may have so many in
//! the whole process (`shard/usage_board.rs`); of what a shard has so much of, a fair share of that.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::rc::Rc;

use hashbrown::HashMap;

use super::client_key::ClientKey;
use super::usage_board::{Mark, Requests, Row, Usage};
use crate::config::checked::PerClient;
use crate::fair_share::{FairShare, Use};
use crate::hashing::MapHasher;
use crate::io::buffers::BufferPool;
use crate::limits::CLIENTS_LEAVING_MAX;
use crate::observe::Limit;

/// Things of which a client uses some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    Connection,
    Tunnel,
    /// A stream of an HTTP/2 connection.
    Stream,
    /// A DNS lookup in flight.
    Lookup,
    /// An idle connection to an origin.
    Pooled,
    /// A connection to an origin that is one client connection's own.
    Pinned,
}

/// How many of each.
#[derive(Debug, Default)]
struct Counts {
    connections: Cell<usize>,
    tunnels: Cell<usize>,
    streams: Cell<usize>,
    lookups: Cell<usize>,
    pooled: Cell<usize>,
    pinned: Cell<usize>,
}

impl Counts {
    fn of(&self, resource: Resource) -> &Cell<usize> {
        match resource {
            Resource::Connection => &self.connections,
            Resource::Tunnel => &self.tunnels,
            Resource::Stream => &self.streams,
            Resource::Lookup => &self.lookups,
            Resource::Pooled => &self.pooled,
            Resource::Pinned => &self.pinned,
        }
    }

    fn add(&self, resource: Resource) {
        let count = self.of(resource);
        count.set(count.get() + 1);
    }

    fn subtract(&self, resource: Resource) {
        let count = self.of(resource);
        count.set(count.get().saturating_sub(1));
    }

    fn is_nothing(&self) -> bool {
        let Self {
            connections,
            tunnels,
            streams,
            lookups,
            pooled,
            pinned,
        } = self;
        let all = [connections, tunnels, streams, lookups, pooled, pinned];
        all.iter().all(|count| count.get() == 0)
    }
}

/// A limit that a client met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limited {
    /// `limits.connections`
    Connections,
    /// `limits.connections_per_client`
    ConnectionsPerClient,
    /// `limits.tunnels_per_client`
    TunnelsPerClient,
    /// `limits.requests_per_second_per_client`
    RequestsPerSecond,
    /// A limit of the shard.
    Shard(&'static str),
    /// A client's share of such a limit.
    Share(&'static str),
}

impl Limited {
    /// Which key of the configuration was met.
    pub(crate) fn detail(self) -> String {
        match self {
            Self::Connections => "over limits.connections".to_owned(),
            Self::ConnectionsPerClient => "over limits.connections_per_client".to_owned(),
            Self::TunnelsPerClient => "over limits.tunnels_per_client".to_owned(),
            Self::RequestsPerSecond => "over limits.requests_per_second_per_client".to_owned(),
            Self::Shard(key) => format!("over {key}"),
            Self::Share(key) => format!("over the client's share (limits.client_share) of {key}"),
        }
    }

    /// As it is counted.
    pub(crate) fn limit(self) -> Limit {
        match self {
            Self::Connections => Limit::Connections,
            Self::ConnectionsPerClient => Limit::ConnectionsPerClient,
            Self::TunnelsPerClient => Limit::TunnelsPerClient,
            Self::RequestsPerSecond => Limit::RequestsPerSecond,
            Self::Shard(_) => Limit::Shard,
            Self::Share(_) => Limit::ClientShare,
        }
    }

    /// 429 where the client itself is the cause, else 503.
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::Connections | Self::Shard(_) => 503,
            _ => 429,
        }
    }
}

/// What a client has open on a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientUsage {
    /// Its address, of IPv6 that of its network.
    pub(crate) client: IpAddr,
    pub(crate) connections: usize,
    pub(crate) tunnels: usize,
    pub(crate) streams: usize,
    /// Idle connections to origins that it used last.
    pub(crate) upstream_idle: usize,
}

/// All clients of one shard.
#[derive(Debug)]
pub(crate) struct Clients {
    accounts: RefCell<HashMap<ClientKey, Rc<Account>, MapHasher>>,
    ledger: Rc<Ledger>,
    buffers: Rc<BufferPool>,
}

/// What all accounts of a shard have in common.
#[derive(Debug)]
struct Ledger {
    used: Counts,
    /// Clients that used nothing when they were put here, longest first.
    leaving: RefCell<VecDeque<ClientKey>>,
    row: Option<Row>,
}

/// What one client uses.
#[derive(Debug)]
pub(crate) struct Account {
    key: ClientKey,
    mark: Option<Mark>,
    held: Counts,
    requests: Cell<Requests>,
    is_leaving: Cell<bool>,
    buffers: Rc<BufferPool>,
    ledger: Rc<Ledger>,
}

/// Something that a client uses, until dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    account: Rc<Account>,
    resource: Resource,
}

/// A limit of a shard, of which a client may have its share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shared {
    pub(crate) key: &'static str,
    pub(crate) capacity: usize,
    pub(crate) share: FairShare,
}

impl Clients {
    /// No clients yet; `row` is where other shards read what they use here.
    pub(crate) fn new(buffers: &Rc<BufferPool>, row: Option<Row>) -> Self {
        Self {
            accounts: RefCell::default(),
            ledger: Rc::new(Ledger {
                used: Counts::default(),
                leaving: RefCell::default(),
                row,
            }),
            buffers: Rc::clone(buffers),
        }
    }

    /// The account of the client behind `address`.
    pub(crate) fn account(&self, address: IpAddr, limits: &PerClient) -> Rc<Account> {
        let key = ClientKey::new(address, limits.ipv6_prefix);
        let mut accounts = self.accounts.borrow_mut();
        let account = accounts.entry(key).or_insert_with(|| {
            Rc::new(Account {
                key,
                mark: self.ledger.row.as_ref().map(|row| row.mark(key)),
                held: Counts::default(),
                requests: Cell::default(),
                is_leaving: Cell::new(false),
                buffers: Rc::new(self.buffers.of_client()),
                ledger: Rc::clone(&self.ledger),
            })
        });
        Rc::clone(account)
    }

    /// The account with the most connections.
    pub(super) fn largest(&self) -> Option<Rc<Account>> {
        let accounts = self.accounts.borrow();
        let largest = accounts
            .values()
            .max_by_key(|account| account.connections());
        largest.cloned()
    }

    /// What each client has open.
    pub(super) fn usage(&self) -> Vec<ClientUsage> {
        let accounts = self.accounts.borrow();
        let usage = accounts.values().map(|account| ClientUsage {
            client: account.key.address(),
            connections: account.held.connections.get(),
            tunnels: account.held.tunnels.get(),
            streams: account.held.streams.get(),
            upstream_idle: account.held.pooled.get(),
        });
        usage.collect()
    }

    /// How many of something all clients together use.
    pub(super) fn in_use(&self, resource: Resource) -> usize {
        self.ledger.used.of(resource).get()
    }

    /// Forgets the clients that use nothing and have not asked in this second. Called each tick.
    pub(crate) fn sweep(&self, unix_time: i64) {
        let now = second(unix_time);
        let count = self.ledger.leaving.borrow().len();
        for turn in 0..count {
            let Some(key) = self.ledger.leaving.borrow_mut().pop_front() else {
                break;
            };
            // A flood of addresses: those that left first go before their second is over.
            let is_flood = count - turn > CLIENTS_LEAVING_MAX;
            self.let_go(key, |asked| is_flood || asked.second != now);
        }
    }

    fn let_go(&self, key: ClientKey, is_over: impl FnOnce(Requests) -> bool) {
        let mut accounts = self.accounts.borrow_mut();
        let Some(account) = accounts.get(&key) else {
            return;
        };
        if !account.held.is_nothing() {
            // It comes here again.
            account.is_leaving.set(false);
        } else if is_over(account.requests.get()) {
            account.take_off();
            accounts.remove(&key);
        } else {
            self.ledger.leaving.borrow_mut().push_back(key);
        }
    }
}

impl Account {
    /// What the client is known by.
    pub(crate) fn key(&self) -> ClientKey {
        self.key
    }

    /// Buffers that count for this client.
    pub(crate) fn buffers(&self) -> &Rc<BufferPool> {
        &self.buffers
    }

    /// Connections on this shard.
    pub(super) fn connections(&self) -> usize {
        self.held.connections.get()
    }

    /// Takes a connection that is not the client's own.
    pub(crate) fn open_unlimited_connection(self: &Rc<Self>) -> Slot {
        self.hold(Resource::Connection)
    }

    /// Takes a connection, of which the client may have so many in the process.
    pub(crate) fn open_connection(self: &Rc<Self>, limits: &PerClient) -> Result<Slot, Limited> {
        let slot = self.hold(Resource::Connection);
        self.check_connections(limits).map(|()| slot)
    }

    /// Whether the client may have the connections that it has.
    pub(crate) fn check_connections(&self, limits: &PerClient) -> Result<(), Limited> {
        let all = self.connections() + self.elsewhere(0).connections as usize;
        match all > limits.connections {
            true => Err(Limited::ConnectionsPerClient),
            false => Ok(()),
        }
    }

    /// Takes a tunnel, of which the client may have so many in the process.
    pub(crate) fn open_tunnel(self: &Rc<Self>, limits: &PerClient) -> Result<Slot, Limited> {
        let slot = self.hold(Resource::Tunnel);
        let here = self.held.tunnels.get();
        match here + self.elsewhere(0).tunnels as usize > limits.tunnels {
            true => Err(Limited::TunnelsPerClient),
            false => Ok(slot),
        }
    }

    /// Counts a request; an error if the client has made as many in this second as it may.
    pub(crate) fn count_request(&self, limits: &PerClient, unix_time: i64) -> Result<(), Limited> {
        let Some(most) = limits.requests_per_second else {
            return Ok(());
        };
        let second = second(unix_time);
        let before = match self.requests.get() {
            requests if requests.second == second => requests.count,
            _ => 0,
        };
        let count = |count| {
            self.requests.set(Requests { second, count });
            self.publish();
        };
        count(before + 1);
        let elsewhere = self.elsewhere(second).requests.count;
        if (before + 1).saturating_add(elsewhere) > most {
            count(before);
            return Err(Limited::RequestsPerSecond);
        }
        Ok(())
    }

    /// Takes one of what the shard has so many of, if the client's share allows it.
    pub(crate) fn open_shared(
        self: &Rc<Self>,
        resource: Resource,
        shared: Shared,
    ) -> Result<Slot, Limited> {
        let now = Use {
            held: self.held.of(resource).get(),
            used: self.ledger.used.of(resource).get(),
            capacity: shared.capacity,
        };
        match now.used < now.capacity {
            true if shared.share.admits(now) => Ok(self.hold(resource)),
            true => Err(Limited::Share(shared.key)),
            false => Err(Limited::Shard(shared.key)),
        }
    }

    fn hold(self: &Rc<Self>, resource: Resource) -> Slot {
        self.held.add(resource);
        self.ledger.used.add(resource);
        self.publish();
        Slot {
            account: Rc::clone(self),
            resource,
        }
    }

    fn release(&self, resource: Resource) {
        self.held.subtract(resource);
        self.ledger.used.subtract(resource);
        self.publish();
        if self.held.is_nothing() && !self.is_leaving.replace(true) {
            self.ledger.leaving.borrow_mut().push_back(self.key);
        }
    }

    /// What the client uses on other shards.
    fn elsewhere(&self, second: u32) -> Usage {
        match (&self.ledger.row, self.mark) {
            (Some(row), Some(mark)) => row.others(mark, second),
            _ => Usage::default(),
        }
    }

    fn publish(&self) {
        let narrow = |count: &Cell<usize>| u32::try_from(count.get()).unwrap_or(u32::MAX);
        self.write(|| Usage {
            connections: narrow(&self.held.connections),
            tunnels: narrow(&self.held.tunnels),
            requests: self.requests.get(),
        });
    }

    fn take_off(&self) {
        self.write(Usage::default);
    }

    fn write(&self, usage: impl FnOnce() -> Usage) {
        if let (Some(row), Some(mark)) = (&self.ledger.row, self.mark) {
            row.write(mark, usage());
        }
    }
}

impl Slot {
    /// Whose it is.
    pub(crate) fn account(&self) -> &Rc<Account> {
        &self.account
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.account.release(self.resource);
    }
}

/// A second of the clock as the board shows it.
fn second(unix_time: i64) -> u32 {
    u32::try_from(unix_time.rem_euclid(1 << 32)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::usage_board::UsageBoard;

    fn limits() -> PerClient {
        PerClient {
            connections: 3,
            tunnels: 2,
            requests_per_second: Some(2),
            ipv6_prefix: 64,
            share: 50,
        }
    }

    fn shards(count: usize) -> Vec<Clients> {
        let buffers = Rc::new(BufferPool::new(1 << 22));
        let rows = UsageBoard::rows(count).into_iter();
        rows.map(|row| Clients::new(&buffers, row)).collect()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_client_is_an_address_or_a_network_of_ipv6() {
        let key = |text, prefix| ClientKey::new(address(text), prefix);
        for (one, other, prefix, same) in [
            ("192.0.2.1", "192.0.2.1", 64, true),
            ("192.0.2.1", "192.0.2.2", 64, false),
            ("192.0.2.1", "::ffff:192.0.2.1", 64, true),
            ("2001:db8::1", "2001:db8::ffff:0:0:1", 64, true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", 64, false),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", 48, true),
            ("2001:db8::1", "2001:db8::2", 127, false),
            ("2001:db8::2", "2001:db8::3", 127, true),
            ("2001:db8::2", "2001:db8::3", 128, false),
            ("2001:db8::2", "fe80::3", 1, false),
        ] {
            assert_eq!(
                key(one, prefix) == key(other, prefix),
                same,
                "{one} {other} {prefix}"
            );
        }
    }

    #[test]
    fn limits_hold_over_all_shards() {
        let (limits, shards) = (limits(), shards(2));
        let client = address("192.0.2.1");
        let accounts: Vec<_> = shards
            .iter()
            .map(|shard| shard.account(client, &limits))
            .collect();
        let mut held = Vec::new();
        for turn in 0..10 {
            held.extend(accounts[turn % 2].open_connection(&limits).ok());
        }
        assert_eq!(held.len(), 3);
        let tunnels: Vec<_> = (0..10)
            .filter_map(|turn| accounts[turn % 2].open_tunnel(&limits).ok())
            .collect();
        assert_eq!(tunnels.len(), 2);
        let asked = |second| {
            (0..10)
                .filter(|turn| accounts[turn % 2].count_request(&limits, second).is_ok())
                .count()
        };
        assert_eq!((asked(10), asked(11)), (2, 2));
        // Another client is not concerned.
        let other = shards[0].account(address("192.0.2.2"), &limits);
        assert!(other.open_connection(&limits).is_ok());
        // What is given back on one shard can be taken on the other.
        drop(held);
        assert!(accounts[1].open_connection(&limits).is_ok());
    }

    #[test]
    fn a_client_is_remembered_until_its_second_is_over() {
        let (limits, shards) = (limits(), shards(1));
        let [clients] = &*shards else { unreachable!() };
        let mut served = 0;
        for _ in 0..5 {
            let account = clients.account(address("192.0.2.1"), &limits);
            let _connection = account.open_connection(&limits).unwrap();
            served += usize::from(account.count_request(&limits, 100).is_ok());
            clients.sweep(100);
        }
        assert_eq!(served, 2);
        clients.sweep(100);
        assert_eq!(clients.accounts.borrow().len(), 1);
        clients.sweep(101);
        assert_eq!(clients.accounts.borrow().len(), 0);
        assert_eq!(clients.ledger.leaving.borrow().len(), 0);
    }

    #[test]
    fn a_flood_of_addresses_is_not_remembered() {
        let (limits, shards) = (limits(), shards(2));
        let [clients, other] = &*shards else {
            unreachable!()
        };
        for number in 0..u32::try_from(CLIENTS_LEAVING_MAX).unwrap() + 10 {
            let account = clients.account(std::net::Ipv4Addr::from(number).into(), &limits);
            let _connection = account.open_connection(&limits).unwrap();
            account.count_request(&limits, 100).unwrap();
        }
        clients.sweep(100);
        assert_eq!(clients.accounts.borrow().len(), CLIENTS_LEAVING_MAX);
        clients.sweep(101);
        assert!(clients.accounts.borrow().is_empty());
        let account = other.account(std::net::Ipv4Addr::from(7).into(), &limits);
        assert_eq!(
            account.elsewhere(second(100)),
            Usage {
                requests: Requests {
                    second: 100,
                    count: 0
                },
                ..Usage::default()
            }
        );
    }

    #[test]
    fn of_what_is_shared_a_client_gets_its_share() {
        let (limits, shards) = (limits(), shards(1));
        let shared = Shared {
            key: "dns.lookups_in_flight",
            capacity: 9,
            share: FairShare::new(50),
        };
        let take_all = |address_text| {
            let account = shards[0].account(address(address_text), &limits);
            let mut held = Vec::new();
            loop {
                match account.open_shared(Resource::Lookup, shared) {
                    Ok(slot) => held.push(slot),
                    Err(why) => break (held, why),
                }
            }
        };
        let (first, why) = take_all("192.0.2.1");
        assert_eq!(
            (first.len(), why),
            (5, Limited::Share("dns.lookups_in_flight"))
        );
        let (second, why) = take_all("192.0.2.2");
        assert_eq!(
            (second.len(), why),
            (2, Limited::Share("dns.lookups_in_flight"))
        );
        let (third, _) = take_all("192.0.2.3");
        let (fourth, why) = take_all("192.0.2.4");
        assert_eq!((third.len(), fourth.len()), (1, 1));
        assert_eq!(why, Limited::Shard("dns.lookups_in_flight"));
        drop(first);
        // Who is gone has its account until nothing of it is in use.
        shards[0].sweep(100);
        assert_eq!(shards[0].accounts.borrow().len(), 3);
    }
}
