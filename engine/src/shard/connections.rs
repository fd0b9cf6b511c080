//! The open connections of a shard's clients: how many, whose, and which are idle.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, Shutdown};
use std::os::fd::RawFd;
use std::rc::Rc;
use std::task::Waker;

use hashbrown::HashMap;

use super::clients::{Account, ClientUsage, Clients, Limited, Resource, Slot};
use crate::config::checked::Limits;
use crate::hashing::MapHasher;
use crate::io::line::shut_down;
use crate::limits::CONNECTIONS_LOOKED_AT;

/// All client connections of one shard.
#[derive(Debug)]
pub(crate) struct Connections {
    open: RefCell<HashMap<u64, Open, MapHasher>>,
    clients: Clients,
    next: Cell<u64>,
    /// Connections that were ended to make room for others and are still there.
    ending: Cell<usize>,
    /// Connections that may still be looked at in this tick, in search of one to end.
    looks_left: Cell<usize>,
}

#[derive(Debug)]
struct Open {
    descriptor: RawFd,
    account: Rc<Account>,
    state: Rc<State>,
}

/// What a connection is at.
#[derive(Debug)]
struct State {
    /// It waits for a request.
    idle: Cell<bool>,
    /// It was ended to make room for another.
    ended: Cell<bool>,
    /// It speaks HTTP/2 and has no stream.
    quiet: Cell<bool>,
    /// A request was begun on it.
    asked: Cell<bool>,
    /// It is to end as soon as it has nothing to do.
    leaving: Cell<bool>,
    /// Who is to learn that the shard drains.
    waker: RefCell<Option<Waker>>,
}

/// One open client connection; leaves the table when dropped.
///
/// Must be dropped before the socket that owns `descriptor`.
#[derive(Debug)]
pub(crate) struct Registered {
    table: Rc<Connections>,
    key: u64,
    address: IpAddr,
    slot: Slot,
    state: Rc<State>,
}

impl Connections {
    pub(crate) fn new(clients: Clients) -> Self {
        Self {
            open: RefCell::default(),
            clients,
            next: Cell::new(0),
            ending: Cell::new(0),
            looks_left: Cell::new(CONNECTIONS_LOOKED_AT),
        }
    }

    /// Open connections.
    pub(crate) fn count(&self) -> usize {
        self.open.borrow().len()
    }

    /// What each client has open.
    pub(crate) fn usage(&self) -> Vec<ClientUsage> {
        self.clients.usage()
    }

    /// Open connections that wait for a request.
    pub(crate) fn idle_count(&self) -> usize {
        let open = self.open.borrow();
        open.values().filter(|open| open.state.idle.get()).count()
    }

    /// How many of something all clients together use.
    pub(crate) fn in_use(&self, resource: Resource) -> usize {
        self.clients.in_use(resource)
    }

    /// Takes a connection in, or says which limit forbids it.
    pub(crate) fn register(
        self: &Rc<Self>,
        address: IpAddr,
        descriptor: RawFd,
        limits: &Limits,
    ) -> Result<Registered, Limited> {
        let account = self.clients.account(address, &limits.per_client);
        let slot = account.open_connection(&limits.per_client);
        self.take_in(address, descriptor, (account, slot), limits)
    }

    /// The same for a connection whose other end speaks for others, and has yet to say for whom
    /// ([`Registered::rename`]): of these one client may have as many as there is room for.
    pub(crate) fn register_unnamed(
        self: &Rc<Self>,
        address: IpAddr,
        descriptor: RawFd,
        limits: &Limits,
    ) -> Result<Registered, Limited> {
        let account = self.clients.account(address, &limits.per_client);
        let slot = Ok(account.open_unlimited_connection());
        self.take_in(address, descriptor, (account, slot), limits)
    }

    fn take_in(
        self: &Rc<Self>,
        address: IpAddr,
        descriptor: RawFd,
        (account, slot): (Rc<Account>, Result<Slot, Limited>),
        limits: &Limits,
    ) -> Result<Registered, Limited> {
        let is_full = self.count() - self.ending.get() >= limits.connections_per_shard;
        if is_full && (slot.is_err() || !self.make_room(&account)) {
            return Err(Limited::Connections);
        }
        let slot = slot?;
        let key = self.next.get();
        self.next.set(key + 1);
        let state = Rc::new(State {
            idle: Cell::new(true),
            ended: Cell::new(false),
            quiet: Cell::new(false),
            asked: Cell::new(false),
            leaving: Cell::new(false),
            waker: RefCell::new(None),
        });
        let open = Open {
            descriptor,
            account,
            state: Rc::clone(&state),
        };
        self.open.borrow_mut().insert(key, open);
        Ok(Registered {
            table: Rc::clone(self),
            key,
            address,
            slot,
            state,
        })
    }

    /// Ends connections of the client that has most of them, if `newcomer` has fewer with the one that
    /// it asks for: a sixteenth of those that are idle, or else the latest one. `false`: there is none
    /// to end.
    fn make_room(&self, newcomer: &Account) -> bool {
        // Looking for one takes a look at all.
        let Some(left) = self.looks_left.get().checked_sub(self.count()) else {
            return false;
        };
        self.looks_left.set(left);
        let Some(largest) = self.clients.largest() else {
            return false;
        };
        if newcomer.connections() >= largest.connections() {
            return false;
        }
        let table = self.open.borrow();
        let of_largest =
            |open: &&Open| Rc::ptr_eq(&open.account, &largest) && !open.state.ended.get();
        let open = table.values().filter(of_largest);
        let idle = open.filter(|open| open.state.idle.get());
        let mut ended = 0;
        for victim in idle.take((largest.connections() / 16).max(1)) {
            // One whose request has just arrived is still served.
            self.end(victim, Shutdown::Read);
            ended += 1;
        }
        let open = table.iter().filter(|(_, open)| of_largest(open));
        if ended == 0
            && let Some((_, latest)) = open.max_by_key(|(key, _)| **key)
        {
            self.end(latest, Shutdown::Both);
            ended += 1;
        }
        ended > 0
    }

    fn end(&self, victim: &Open, how: Shutdown) {
        victim.state.ended.set(true);
        self.ending.set(self.ending.get() + 1);
        shut_down(victim.descriptor, how);
    }

    /// Forgets the clients that are gone. Called each tick.
    pub(crate) fn sweep(&self, unix_time: i64) {
        // Once at least, however many there are.
        self.looks_left.set(CONNECTIONS_LOOKED_AT.max(self.count()));
        self.clients.sweep(unix_time);
    }

    /// Ends the connections that wait for a request; one that has just arrived is still served.
    pub(crate) fn end_idle(&self) {
        for open in self.open.borrow().values() {
            if open.state.idle.get() {
                shut_down(open.descriptor, Shutdown::Read);
            }
            if let Some(waker) = open.state.waker.borrow_mut().take() {
                waker.wake();
            }
        }
    }

    /// Ends at most `most` connections that wait for a request, those first that have had one. Returns how
    /// many.
    pub(crate) fn shed_idle(&self, most: usize) -> usize {
        let open = self.open.borrow();
        let mut shed = 0;
        for has_asked in [true, false] {
            let idle = open.values().filter(|open| {
                let state = &*open.state;
                let is_idle = state.idle.get() || state.quiet.get();
                let is_leaving = state.leaving.get() || state.ended.get();
                is_idle && state.asked.get() == has_asked && !is_leaving
            });
            for open in idle.take(most - shed) {
                if open.state.idle.get() {
                    self.end(open, Shutdown::Read);
                } else {
                    open.state.leaving.set(true);
                }
                if let Some(waker) = open.state.waker.borrow_mut().take() {
                    waker.wake();
                }
                shed += 1;
            }
        }
        shed
    }

    /// Cuts every connection.
    pub(crate) fn cut_all(&self) {
        for open in self.open.borrow().values() {
            shut_down(open.descriptor, Shutdown::Both);
        }
    }
}

impl Registered {
    /// Has the connection count for another client, or says which limit forbids it.
    pub(crate) fn rename(&mut self, address: IpAddr, limits: &Limits) -> Result<(), Limited> {
        let clients = &self.table.clients;
        let account = clients.account(address, &limits.per_client);
        if Rc::ptr_eq(&account, self.account()) {
            return account.check_connections(&limits.per_client);
        }
        self.slot = account.open_connection(&limits.per_client)?;
        if let Some(open) = self.table.open.borrow_mut().get_mut(&self.key) {
            open.account = account;
        }
        self.address = address;
        Ok(())
    }

    /// Marks the connection as waiting for a request, or not.
    pub(crate) fn set_idle(&self, idle: bool) {
        self.state.idle.set(idle);
    }

    /// Marks an HTTP/2 connection as one without streams, or not.
    pub(crate) fn set_quiet(&self, quiet: bool) {
        self.state.quiet.set(quiet);
    }

    /// Notes that a request was begun.
    pub(crate) fn set_asked(&self) {
        self.state.asked.set(true);
    }

    /// Whether it is to end as soon as it has nothing to do.
    pub(crate) fn is_leaving(&self) -> bool {
        self.state.leaving.get()
    }

    /// Whether a request was ever begun.
    pub(crate) fn has_asked(&self) -> bool {
        self.state.asked.get()
    }

    /// Has the task behind `waker` woken while the shard drains: it ends the connection itself.
    pub(crate) fn watch_drain(&self, waker: &Waker) {
        let mut watching = self.state.waker.borrow_mut();
        if !watching
            .as_ref()
            .is_some_and(|other| other.will_wake(waker))
        {
            *watching = Some(waker.clone());
        }
    }

    /// The address of the client.
    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }

    /// What the client uses.
    pub(crate) fn account(&self) -> &Rc<Account> {
        self.slot.account()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.table.open.borrow_mut().remove(&self.key);
        if self.state.ended.get() {
            let ending = &self.table.ending;
            ending.set(ending.get().saturating_sub(1));
        }
    }
}
