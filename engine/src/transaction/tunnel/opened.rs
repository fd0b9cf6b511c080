//! A tunnel that was let in, before it is known what it holds.

use std::net::SocketAddr;

use crate::config::checked::{Config, TunnelEnds};
use crate::enforcement::{Dialable, Guarded};
use crate::proxy_error::ProxyError;
use crate::shard::clients::Slot;
use crate::tls::configs::Handling;
use crate::tls::fallback::ScopedOrigin;
use crate::transaction::request::context::Request;
use crate::transaction::request::destination::Destination;
use crate::transaction::request::reply::Refusal;
use crate::upstream::pool::UpstreamConnection;

/// A tunnel whose CONNECT was not refused.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) guarded: Guarded,
    /// Where to, if the rules could say yes without seeing what the tunnel holds.
    pub(crate) early: Option<EarlyPermit>,
    pub(crate) slot: Slot,
    /// What is done with TLS.
    pub(crate) handling: Handling,
}

/// Addresses that packets may leave for, whatever the tunnel holds.
#[derive(Debug)]
pub(crate) struct EarlyPermit {
    pub(crate) dialable: Dialable,
    /// The connection; none where it is likely that none is needed.
    pub(crate) upstream: Option<Box<UpstreamConnection>>,
}

/// Whether a CONNECT may name `port`.
pub(crate) fn check_port(config: &Config, port: u16) -> Result<(), Refusal> {
    if config.guard.ports.contains(port) {
        return Ok(());
    }
    let detail = format!("port {port} is not open to CONNECT (guard.ports)");
    Err(Refusal::new(ProxyError::HttpRequestDenied, detail))
}

/// What is done with TLS in this tunnel, should it hold any; and where it may lead, if it is left alone
/// for want of a certificate: to no other address than those that wanted one.
pub(crate) fn handling(
    request: &Request<'_>,
    destination: &Destination<'_>,
    guarded: &Guarded,
) -> (Handling, Option<Guarded>) {
    let ends = TunnelEnds {
        domain: destination.host.domain(),
        destination: None,
        port: destination.port,
        client: request.client.address.ip(),
    };
    let snapshot = request.snapshot;
    let handling = snapshot
        .tls
        .handling(&snapshot.config, &ends, guarded.addresses());
    if let Handling::Intercept(parameters) = &handling
        && snapshot.config.tls.client_certificate_fallback
        && let Some(left_alone) = guarded.only(|address| {
            snapshot.fallbacks.has(&ScopedOrigin {
                host: destination.host.as_str().into(),
                address: SocketAddr::new(address, destination.port),
                scope: parameters.scope,
            })
        })
    {
        return (Handling::Passthrough, Some(left_alone));
    }
    (handling, None)
}
