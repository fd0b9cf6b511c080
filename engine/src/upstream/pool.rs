//! Connections to origins, kept per shard and used again: idle ones, last in first out, and HTTP/2
//! sessions, which carry many requests at once.

use std::hash::{BuildHasher, Hash};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hashbrown::HashTable;
use sallyport_pki::OriginCertificate;

use super::session::Session;
use crate::fair_share::FairShare;
use crate::hashing::MapHasher;
use crate::io::deadline::Wheel;
use crate::shard::clients::{Account, Resource, Shared, Slot};
use crate::tls::client_certificate::CertificateDemand;
use crate::transport::Transport;

/// What makes two upstream connections interchangeable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PoolKey<'a> {
    /// Host in normal form: two names on one address are kept apart.
    pub(crate) host: &'a str,
    pub(crate) address: SocketAddr,
    /// The parameters of TLS (`OriginParameters::id`), if it is spoken.
    pub(crate) tls: Option<u64>,
}

/// How many idle connections are kept, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PoolLimits {
    pub(crate) idle_per_destination: usize,
    pub(crate) idle_total: usize,
    pub(crate) idle_timeout: Duration,
    /// What of `idle_total` one client may fill.
    pub(crate) client_share: FairShare,
}

impl PoolLimits {
    fn total(&self) -> Shared {
        Shared {
            key: "pool.idle_total",
            capacity: self.idle_total,
            share: self.client_share,
        }
    }
}

/// An open connection to an origin. It goes from hand to hand in a box: out of the pool, through an
/// exchange, and back.
#[derive(Debug)]
pub(crate) struct UpstreamConnection {
    pub(crate) transport: Transport,
    pub(crate) address: SocketAddr,
    /// Whether an exchange has been completed on it before.
    pub(crate) reused: bool,
    /// Whether it was kept for later, so that its origin may have closed it meanwhile.
    pub(crate) has_idled: bool,
    /// The certificate of the origin, if TLS is spoken.
    pub(crate) certificate: Option<Rc<OriginCertificate>>,
    /// What the origin says about a certificate of ours, if TLS was spoken for this request.
    pub(crate) demand: Option<Rc<CertificateDemand>>,
}

impl UpstreamConnection {
    /// Who it is connected to, and what that says about a certificate of ours.
    pub(crate) fn said(&self) -> (SocketAddr, Option<&CertificateDemand>) {
        (self.address, self.demand.as_deref())
    }
}

/// What can be kept for its next use.
pub(crate) trait Poolable {
    /// Prepares it for a time without use.
    fn rest(&mut self);

    /// Whether its origin has closed it, or said something unasked.
    fn has_spoken(&self) -> bool;
}

impl Poolable for Box<UpstreamConnection> {
    fn rest(&mut self) {
        self.has_idled = true;
        self.transport.disarm();
    }

    fn has_spoken(&self) -> bool {
        self.transport.is_readable_now()
    }
}

/// The idle connections of one shard.
#[derive(Debug)]
pub(crate) struct Pool<C = Box<UpstreamConnection>> {
    destinations: HashTable<Destination<C>>,
    hasher: MapHasher,
    limits: PoolLimits,
}

#[derive(Debug)]
struct Destination<C> {
    host: Box<str>,
    address: SocketAddr,
    tls: Option<u64>,
    idle: Vec<Idle<C>>,
    sessions: Vec<Multiplexed>,
    /// When it last turned out to speak HTTP/1.1.
    http1_seen: Option<Instant>,
}

#[derive(Debug)]
struct Idle<C> {
    connection: C,
    since: Instant,
    /// Of the client that used it last.
    _slot: Slot,
}

#[derive(Debug)]
struct Multiplexed {
    session: Session,
    /// Of the client that it was opened for.
    _slot: Slot,
}

impl<C> Destination<C> {
    fn key(&self) -> PoolKey<'_> {
        PoolKey {
            host: &self.host,
            address: self.address,
            tls: self.tls,
        }
    }
}

impl<C: Poolable> Pool<C> {
    pub(crate) fn new(limits: PoolLimits) -> Self {
        Self {
            destinations: HashTable::new(),
            hasher: MapHasher::default(),
            limits,
        }
    }

    /// Applies other limits from now on; what is idle stays until the next sweep.
    pub(crate) fn set_limits(&mut self, limits: PoolLimits) {
        self.limits = limits;
    }

    /// The connection to `key` that was used last, if there is one; with `used_since` only if it was used
    /// since then.
    pub(crate) fn check_out(&mut self, key: PoolKey<'_>, used_since: Option<Instant>) -> Option<C> {
        let hash = self.hasher.hash_one(key);
        let destination = self
            .destinations
            .find_mut(hash, |entry| entry.key() == key)?;
        let is_fresh = |idle: &mut Idle<C>| used_since.is_none_or(|since| idle.since >= since);
        Some(destination.idle.pop_if(is_fresh)?.connection)
    }

    /// Keeps a connection on which an exchange of a client was completed; closes it if there is no room,
    /// or the client has filled its share.
    pub(crate) fn check_in(
        &mut self,
        key: PoolKey<'_>,
        mut connection: C,
        account: &Rc<Account>,
        now: Instant,
    ) {
        let PoolLimits {
            idle_per_destination,
            ..
        } = self.limits;
        let total = self.limits.total();
        let destination = self.destination(key);
        destination.http1_seen = Some(now);
        if destination.idle.len() >= idle_per_destination {
            return;
        }
        if let Ok(slot) = account.open_shared(Resource::Pooled, total) {
            connection.rest();
            destination.idle.push(Idle {
                connection,
                since: now,
                _slot: slot,
            });
        }
    }

    /// Keeps an HTTP/2 connection to `key` that was opened for a client, within the same bounds as idle
    /// ones. However many there are to one destination, each but the last had no room.
    pub(crate) fn add_session(
        &mut self,
        key: PoolKey<'_>,
        session: Session,
        account: &Rc<Account>,
    ) {
        if let Ok(slot) = account.open_shared(Resource::Pooled, self.limits.total()) {
            let kept = Multiplexed {
                session,
                _slot: slot,
            };
            self.destination(key).sessions.push(kept);
        }
    }

    /// Notes that an origin has chosen HTTP/1.1, where it had the choice.
    pub(crate) fn note_http1(&mut self, key: PoolKey<'_>, now: Instant) {
        self.destination(key).http1_seen = Some(now);
    }

    /// Whether an origin spoke HTTP/1.1 when it was last asked: its connections cannot be shared.
    pub(crate) fn is_http1(&self, key: PoolKey<'_>) -> bool {
        let hash = self.hasher.hash_one(key);
        let known = self.destinations.find(hash, |entry| entry.key() == key);
        known.is_some_and(|entry| entry.http1_seen.is_some() && entry.sessions.is_empty())
    }

    fn destination(&mut self, key: PoolKey<'_>) -> &mut Destination<C> {
        let hash = self.hasher.hash_one(key);
        let hasher = &self.hasher;
        let entry = self.destinations.entry(
            hash,
            |entry| entry.key() == key,
            |entry| hasher.hash_one(entry.key()),
        );
        entry
            .or_insert_with(|| Destination {
                host: key.host.into(),
                address: key.address,
                tls: key.tls,
                idle: Vec::new(),
                sessions: Vec::new(),
                http1_seen: None,
            })
            .into_mut()
    }

    /// Closes what was idle for too long or was closed by its origin. Called about once a second.
    pub(crate) fn sweep(&mut self, now: Instant) {
        let timeout = self.limits.idle_timeout;
        self.destinations.retain(|destination| {
            destination.idle.retain(|idle| {
                now.saturating_duration_since(idle.since) < timeout && !idle.connection.has_spoken()
            });
            let sessions = &mut destination.sessions;
            sessions.retain(|Multiplexed { session, .. }| {
                !session.is_closed() && !session.is_idle(now, timeout)
            });
            let is_recent = |seen| now.saturating_duration_since(seen) < timeout;
            let is_http1 = destination.http1_seen.is_some_and(is_recent);
            !destination.idle.is_empty() || !sessions.is_empty() || is_http1
        });
    }

    /// Closes what TLS is spoken on: whom it was believed by is believed no longer. Streams that are open
    /// go on to their end.
    pub(crate) fn close_tls(&mut self) {
        self.destinations
            .retain(|destination| destination.tls.is_none());
    }

    /// Closes at most `most` connections that carry nothing, and HTTP/2 connections without streams.
    /// Returns how many.
    pub(crate) fn shed(&mut self, most: usize, now: Instant) -> usize {
        let mut shed = 0;
        for destination in &mut self.destinations {
            let count = destination.idle.len().min(most - shed);
            // Those at the front have been idle for the longest time.
            destination.idle.drain(..count);
            shed += count;
            let sessions = &mut destination.sessions;
            sessions.retain(|Multiplexed { session, .. }| {
                let closes = shed < most && session.is_idle(now, Duration::ZERO);
                shed += usize::from(closes);
                !closes
            });
        }
        shed
    }

    /// Closes everything.
    pub(crate) fn clear(&mut self) {
        self.destinations.clear();
    }
}

impl Pool {
    /// A stream of an HTTP/2 connection to `key`, if there is one with room (and, where
    /// `for_websocket`, one whose origin takes those).
    pub(crate) fn open_stream(
        &mut self,
        key: PoolKey<'_>,
        wheel: &Rc<Wheel>,
        for_websocket: bool,
    ) -> Option<Box<UpstreamConnection>> {
        let hash = self.hasher.hash_one(key);
        let destination = self
            .destinations
            .find_mut(hash, |entry| entry.key() == key)?;
        let fits = |session: &&Session| !for_websocket || session.takes_websockets();
        let sessions = destination.sessions.iter().map(|kept| &kept.session);
        let mut sessions = sessions.filter(fits);
        sessions.find_map(|session| {
            Some(Box::new(UpstreamConnection {
                transport: Transport::Stream(Box::new(session.open(wheel)?)),
                address: key.address,
                reused: true,
                has_idled: true,
                certificate: session.certificate().cloned(),
                demand: None,
            }))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn hosts_on_one_address_are_kept_apart() {
        let hasher = MapHasher::default();
        let address = "192.0.2.1:80".parse().unwrap();
        let a = PoolKey {
            host: "a.test",
            address,
            tls: None,
        };
        let b = PoolKey {
            host: "b.test",
            ..a
        };
        assert_ne!(a, b);
        assert_ne!(a, PoolKey { tls: Some(1), ..a });
        let mut seen = HashMap::with_hasher(hasher);
        seen.insert(a, 1);
        assert!(!seen.contains_key(&b));
    }
}
