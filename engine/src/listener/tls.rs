//! TLS between a client and the proxy itself, on an `https` listener.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use rustls::server::{ServerConfig, UnbufferedServerConnection};

use crate::observe::Leg;
use crate::shard::Shard;
use crate::shard::connections::Registered;
use crate::tls::client_identity::ClientIdentity;
use crate::tls::handshakes::count_handshake;
use crate::tls::stream::{HandshakeError, LastFlight};
use crate::transport::{TlsConnection, Transport};

/// How one listener speaks TLS.
#[derive(Debug, Clone)]
pub(super) struct ListenerTls {
    /// What identifies the listener in the configuration.
    configured: SocketAddr,
    /// What it began with, should a reload not speak of it any more.
    first: Arc<ServerConfig>,
}

/// A client behind TLS, and who it proved to be.
#[derive(Debug)]
pub(super) struct SecuredClient {
    pub(super) transport: Rc<Transport>,
    pub(super) identity: ClientIdentity,
}

impl ListenerTls {
    /// `None` for a listener that does not speak TLS.
    pub(super) fn of(shard: &Shard, configured: SocketAddr) -> Option<Self> {
        let snapshot = shard.snapshot();
        let first = Arc::clone(snapshot.tls.listener(configured)?);
        Some(Self { configured, first })
    }

    /// The handshake with a client, of which `early` was received already.
    pub(super) async fn secure(
        &self,
        shard: &Shard,
        registered: &Registered,
        (carrier, early): (Rc<Transport>, Vec<u8>),
    ) -> Result<SecuredClient, HandshakeError> {
        let snapshot = shard.snapshot();
        let config = snapshot.tls.listener(self.configured);
        let config = Arc::clone(config.unwrap_or(&self.first));
        let connection = UnbufferedServerConnection::new(config)?;
        carrier.arm(snapshot.config.timeouts.tls_handshake);
        // A client that only connects holds nothing.
        if early.is_empty() {
            carrier.readable().await?;
        }
        let buffers = registered.account().buffers();
        let stream = TlsConnection::server(Rc::clone(&carrier), buffers, connection, early);
        let shaken = stream.handshake(LastFlight::WithData).await;
        carrier.disarm();
        count_handshake(&shard.metrics, Leg::Client, &stream, shaken.is_ok());
        shaken?;
        let identity = stream.with_common(|common| {
            let chain = common.peer_certificates();
            ClientIdentity::new(self.configured, chain, &snapshot.tls)
        });
        Ok(SecuredClient {
            transport: Rc::new(Transport::Tls(Box::new(stream))),
            identity,
        })
    }
}
