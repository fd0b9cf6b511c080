//! Who is at the other end of a client connection, or of a transport within it.

use std::net::SocketAddr;
use std::rc::Rc;

use crate::access_log::ConnectionId;
use crate::io::buffers::BufferPool;
use crate::proxy_error::ProxyError;
use crate::shard::Snapshot;
use crate::shard::connections::Registered;
use crate::tls::client_identity::ClientIdentity;
use crate::transaction::request::reply::Refusal;
use crate::transport::Transport;
use crate::transport::departure::EarlyByte;
use crate::upstream::pinned::Pins;

/// The address that a client connected to, as the log shows it.
pub(crate) type ListenerName = Rc<str>;

/// Who is at the other end.
#[derive(Debug)]
pub(crate) struct ClientContext {
    pub(crate) id: ConnectionId,
    pub(crate) address: SocketAddr,
    pub(crate) listener: ListenerName,
    // Dropped before the socket whose descriptor it refers to.
    pub(crate) registered: Rc<Registered>,
    /// Whom it has proved to be.
    pub(crate) principal: Option<Rc<str>>,
    /// What it has shown for that.
    pub(crate) identity: Option<Rc<ClientIdentity>>,
    /// The private endpoint that it came through.
    pub(crate) endpoint: Option<Rc<str>>,
    /// What was sent of the next answer already.
    pub(crate) early_byte: EarlyByte,
    /// Connections to origins that nobody else may use.
    pub(crate) pins: Rc<Pins>,
    pub(crate) transport: Rc<Transport>,
}

impl ClientContext {
    /// Buffers that count for this client.
    pub(crate) fn buffers(&self) -> &Rc<BufferPool> {
        self.registered.account().buffers()
    }

    /// Whether its listener would let it in under `snapshot` too.
    pub(crate) fn check_identity(&self, snapshot: &Snapshot) -> Result<(), Refusal> {
        const WITHDRAWN: &str = "the listener no longer takes the certificate of this client";
        match &self.identity {
            Some(identity) if !identity.holds(&snapshot.tls) => Err(Refusal {
                closes: true,
                ..Refusal::new(ProxyError::HttpRequestDenied, WITHDRAWN)
            }),
            _ => Ok(()),
        }
    }

    /// The same client on a transport within its own: a stream, or TLS in a tunnel.
    pub(crate) fn within(&self, transport: Transport) -> Self {
        Self {
            id: self.id,
            address: self.address,
            listener: Rc::clone(&self.listener),
            registered: Rc::clone(&self.registered),
            principal: self.principal.clone(),
            identity: self.identity.clone(),
            endpoint: self.endpoint.clone(),
            early_byte: EarlyByte::default(),
            pins: Rc::clone(&self.pins),
            transport: Rc::new(transport),
        }
    }
}
