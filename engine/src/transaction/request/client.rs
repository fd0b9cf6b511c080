//! Who is at the other end of a client connection, or of a transport within it.

use std::net::SocketAddr;
use std::rc::Rc;

use crate::access_log::ConnectionId;
use crate::client::Peer;
use crate::identity::Subject;
use crate::io::buffers::BufferPool;
use crate::observe::ListenerIndex;
use crate::proxy_error::ProxyError;
use crate::shard::Snapshot;
use crate::shard::connections::Registered;
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
    /// Its place in the configuration.
    pub(crate) listener_index: ListenerIndex,
    // Dropped before the socket whose descriptor it refers to.
    pub(crate) registered: Rc<Registered>,
    /// What it shows of who is at its other end.
    pub(crate) peer: Rc<Peer>,
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
        match self.peer.certificate() {
            Some(identity) if !identity.holds(&snapshot.tls) => Err(Refusal {
                closes: true,
                ..Refusal::new(ProxyError::HttpRequestDenied, WITHDRAWN)
            }),
            _ => Ok(()),
        }
    }

    /// Who the client is before it has said so.
    pub(crate) fn unknown(&self, snapshot: &Snapshot) -> Rc<Subject> {
        match &snapshot.identities {
            None => Rc::clone(self.peer.own()),
            Some(identities) => self.peer.unknown(identities),
        }
    }

    /// The subject of an open tunnel as it is under `snapshot`, if it would be let in there too.
    pub(crate) fn renewed(
        &self,
        subject: &Rc<Subject>,
        snapshot: &Snapshot,
        unix_time: i64,
    ) -> Result<Rc<Subject>, Refusal> {
        const WITHDRAWN: &str = "the credentials that the tunnel was opened with count no longer";
        self.check_identity(snapshot)?;
        let Some(identities) = &snapshot.identities else {
            return Ok(Rc::clone(self.peer.own()));
        };
        let methods = identities.methods(self.peer.listener());
        if !methods.are_any() || methods.mtls && self.peer.is_named() {
            return Ok(self.peer.by_certificate(identities));
        }
        match &subject.credentials {
            Some(credentials) if credentials.stands(identities, methods, unix_time) => {
                Ok(self.peer.by_credentials(identities, credentials))
            }
            _ => Err(Refusal {
                closes: true,
                ..Refusal::new(ProxyError::HttpRequestDenied, WITHDRAWN)
            }),
        }
    }

    /// The same client on a transport within its own: a stream, or TLS in a tunnel.
    pub(crate) fn within(&self, transport: Transport) -> Self {
        Self {
            id: self.id,
            address: self.address,
            listener: Rc::clone(&self.listener),
            listener_index: self.listener_index,
            registered: Rc::clone(&self.registered),
            peer: Rc::clone(&self.peer),
            early_byte: EarlyByte::default(),
            pins: Rc::clone(&self.pins),
            transport: Rc::new(transport),
        }
    }
}
