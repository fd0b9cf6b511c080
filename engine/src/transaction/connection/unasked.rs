//! The line of a client connection that ended before a request: refused, failed in its handshake, or
//! never used. A request that was begun has a line of its own.

use std::net::SocketAddr;
use std::time::Instant;

use crate::access_log::{ConnectionId, Event, Record};
use crate::clock;
use crate::config::checked::LogConnections;
use crate::proxy_error::ProxyError;
use crate::shard::Shard;
use crate::transaction::request::record::{micros, unix_micros};

/// A connection on which nothing was asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unasked<'a> {
    pub(crate) shard: &'a Shard,
    pub(crate) id: ConnectionId,
    pub(crate) client: SocketAddr,
    pub(crate) listener: &'a str,
    pub(crate) began: Instant,
}

/// How it came to that.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unused<'a> {
    /// What the client was answered, if it was.
    pub(crate) status: Option<u16>,
    /// Error type of RFC 9209 section 2.3.
    pub(crate) error: ProxyError,
    pub(crate) detail: &'a str,
}

impl Unused<'static> {
    /// The client had its time.
    pub(crate) const TIMED_OUT: Self = Self {
        status: None,
        error: ProxyError::ConnectionReadTimeout,
        detail: "the client asked nothing in time",
    };
    /// One of the two sides, or the connection between them, has ended it.
    pub(crate) const ENDED: Self = Self {
        status: None,
        error: ProxyError::ConnectionTerminated,
        detail: "the connection ended before a request",
    };
}

impl Unasked<'_> {
    /// Something went wrong; `log.connections = "off"` silences it.
    pub(crate) fn failed(&self, how: Unused<'_>) {
        if self.shard.config().log.connections != LogConnections::Off {
            self.write(how);
        }
    }

    /// The client has only connected, as health checks do; told with `log.connections = "all"`.
    pub(crate) fn unused(&self, how: Unused<'_>) {
        if self.shard.config().log.connections == LogConnections::All {
            self.write(how);
        }
    }

    fn write(&self, how: Unused<'_>) {
        let snapshot = self.shard.snapshot();
        let record = Record {
            ts_us: unix_micros(),
            event: Event::Connection,
            conn: self.id,
            core: self.shard.index,
            bundle: snapshot.rules.bundle().id(),
            config: &snapshot.config.id,
            client_ip: self.client.ip(),
            client_port: self.client.port(),
            listener: Some(self.listener),
            status: how.status,
            error: Some(how.error),
            detail: Some(how.detail.as_bytes()),
            t_total: Some(micros(clock::since(self.began))),
            ..Record::default()
        };
        self.shard.log.borrow_mut().write_if_room(&record);
    }
}
