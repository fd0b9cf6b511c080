//! The client connections of a shard: how many, whose, and which are idle.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, Shutdown};
use std::os::fd::RawFd;
use std::rc::Rc;
use std::task::Waker;

use hashbrown::HashMap;

use crate::config::checked::Limits;
use crate::io::deadline::shut_down;

/// All client connections of one shard.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    open: RefCell<HashMap<u64, Open>>,
    clients: RefCell<HashMap<IpAddr, Client, foldhash::fast::RandomState>>,
    next: Cell<u64>,
    /// Streams of all HTTP/2 connections.
    streams: Cell<usize>,
}

#[derive(Debug)]
struct Open {
    descriptor: RawFd,
    state: Rc<State>,
}

/// What a connection is at.
#[derive(Debug)]
struct State {
    /// It waits for a request.
    idle: Cell<bool>,
    /// Who is to learn that the shard drains.
    waker: RefCell<Option<Waker>>,
}

/// What one client address uses.
#[derive(Debug, Default)]
struct Client {
    connections: usize,
    tunnels: usize,
    /// The second in which `requests` were counted.
    second: i64,
    requests: u32,
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
}

impl Limited {
    /// The key of the configuration that was met.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Connections => "limits.connections",
            Self::ConnectionsPerClient => "limits.connections_per_client",
            Self::TunnelsPerClient => "limits.tunnels_per_client",
            Self::RequestsPerSecond => "limits.requests_per_second_per_client",
        }
    }

    /// 429 where the client itself is the cause, else 503.
    pub(crate) fn status(self) -> u16 {
        if self == Self::Connections { 503 } else { 429 }
    }
}

/// One open client connection; leaves the table when dropped.
///
/// Must be dropped before the socket that owns `descriptor`.
#[derive(Debug)]
pub(crate) struct Registered {
    table: Rc<Connections>,
    key: u64,
    client: IpAddr,
    state: Rc<State>,
}

/// One open stream of an HTTP/2 connection.
#[derive(Debug)]
pub(crate) struct StreamSlot(Rc<Connections>);

/// One open tunnel of a client.
#[derive(Debug)]
pub(crate) struct TunnelSlot {
    table: Rc<Connections>,
    client: IpAddr,
}

impl Connections {
    /// Open connections.
    pub(crate) fn count(&self) -> usize {
        self.open.borrow().len()
    }

    /// Takes a connection in, or says which limit forbids it.
    pub(crate) fn register(
        self: &Rc<Self>,
        client: IpAddr,
        descriptor: RawFd,
        limits: &Limits,
    ) -> Result<Registered, Limited> {
        if self.count() >= limits.connections_per_shard {
            return Err(Limited::Connections);
        }
        let mut clients = self.clients.borrow_mut();
        let usage = clients.entry(client).or_default();
        if usage.connections >= limits.connections_per_client {
            return Err(Limited::ConnectionsPerClient);
        }
        usage.connections += 1;
        let key = self.next.get();
        self.next.set(key + 1);
        let state = Rc::new(State {
            idle: Cell::new(true),
            waker: RefCell::new(None),
        });
        self.open.borrow_mut().insert(
            key,
            Open {
                descriptor,
                state: Rc::clone(&state),
            },
        );
        Ok(Registered {
            table: Rc::clone(self),
            key,
            client,
            state,
        })
    }

    /// Takes one stream in, unless `most` are open already.
    pub(crate) fn open_stream(self: &Rc<Self>, most: usize) -> Option<StreamSlot> {
        let streams = self.streams.get();
        if streams >= most {
            return None;
        }
        self.streams.set(streams + 1);
        Some(StreamSlot(Rc::clone(self)))
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

    /// Cuts every connection.
    pub(crate) fn cut_all(&self) {
        for open in self.open.borrow().values() {
            shut_down(open.descriptor, Shutdown::Both);
        }
    }

    fn leave(&self, client: IpAddr, of: impl FnOnce(&mut Client) -> &mut usize) {
        let mut clients = self.clients.borrow_mut();
        if let Some(usage) = clients.get_mut(&client) {
            let count = of(usage);
            *count = count.saturating_sub(1);
            if usage.connections == 0 && usage.tunnels == 0 {
                clients.remove(&client);
            }
        }
    }
}

impl Registered {
    /// Marks the connection as waiting for a request, or not.
    pub(crate) fn set_idle(&self, idle: bool) {
        self.state.idle.set(idle);
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
    pub(crate) fn client(&self) -> IpAddr {
        self.client
    }

    /// Counts a request; an error if the client makes more a second than it may.
    pub(crate) fn count_request(&self, limits: &Limits, unix_time: i64) -> Result<(), Limited> {
        let Some(most) = limits.requests_per_second_per_client else {
            return Ok(());
        };
        let mut clients = self.table.clients.borrow_mut();
        let Some(usage) = clients.get_mut(&self.client) else {
            return Ok(());
        };
        if usage.second != unix_time {
            usage.second = unix_time;
            usage.requests = 0;
        }
        usage.requests = usage.requests.saturating_add(1);
        if usage.requests > most {
            Err(Limited::RequestsPerSecond)
        } else {
            Ok(())
        }
    }

    /// Takes one of the client's tunnels.
    pub(crate) fn open_tunnel(&self, limits: &Limits) -> Result<TunnelSlot, Limited> {
        let mut clients = self.table.clients.borrow_mut();
        if let Some(usage) = clients.get_mut(&self.client) {
            if usage.tunnels >= limits.tunnels_per_client {
                return Err(Limited::TunnelsPerClient);
            }
            usage.tunnels += 1;
        }
        Ok(TunnelSlot {
            table: Rc::clone(&self.table),
            client: self.client,
        })
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.table.open.borrow_mut().remove(&self.key);
        self.table
            .leave(self.client, |usage| &mut usage.connections);
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        let streams = &self.0.streams;
        streams.set(streams.get().saturating_sub(1));
    }
}

impl Drop for TunnelSlot {
    fn drop(&mut self) {
        self.table.leave(self.client, |usage| &mut usage.tunnels);
    }
}
