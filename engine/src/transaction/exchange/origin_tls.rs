//! TLS towards the origin of a request or tunnel, and what becomes of an origin that wants a
//! certificate which only the client has.

use std::net::SocketAddr;

use crate::clock;
use crate::enforcement::Dialable;
use crate::proxy_error::ProxyError;
use crate::tls::client_certificate::CertificateDemand;
use crate::tls::configs::{ScopeName, Versions};
use crate::tls::fallback::ScopedOrigin;
use crate::tls::sessions::Resumption;
use crate::transaction::exchange::origin_dial::{connect_plain, pool_key};
use crate::transaction::request::context::Request;
use crate::transaction::request::destination::Destination;
use crate::transaction::request::record_builder::RecordBuilder;
use crate::transaction::request::reply::Refusal;
use crate::upstream::pool::UpstreamConnection;
use crate::upstream::tls;
use crate::upstream::tls::{Carrier, Origin, OriginTlsFailure, Secured};

/// An origin, and where it may be dialed.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) origin: &'a Origin,
    pub(crate) dialable: &'a Dialable,
    pub(crate) versions: Versions,
}

/// Speaks TLS to the origin on a connection that was dialed for this request or tunnel, and if it fails
/// with a session of before, once more without on another connection: no byte of a request has left.
pub(crate) async fn secure(
    request: &Request<'_>,
    destination: &Destination<'_>,
    asked: &Asked<'_>,
    upstream: Box<UpstreamConnection>,
    draft: &mut RecordBuilder,
) -> Result<Box<UpstreamConnection>, Refusal> {
    let origin = asked.origin;
    let mut address = upstream.address;
    let mut secured = shake_hands(
        request,
        destination,
        asked,
        upstream,
        Resumption::Offered,
        draft,
    )
    .await;
    if let Err(failure) = &secured
        && failure.may_be_of_resumption()
    {
        tracing::debug!(host = &*origin.host, %address, error = %failure.error, "no session is resumed");
        let upstream = connect_plain(request, asked.dialable, draft).await?;
        address = upstream.address;
        secured = shake_hands(
            request,
            destination,
            asked,
            upstream,
            Resumption::Withheld,
            draft,
        )
        .await;
    }
    let Secured {
        transport,
        certificate,
        fault,
        demand,
    } = secured.map_err(|failure| {
        let unmet = Unmet {
            origin,
            address,
            demand: &failure.demand,
        };
        let explained = unmet.explain(request, destination, draft);
        explained.unwrap_or_else(|| failure.error.into())
    })?;
    if let Some(fault) = fault {
        let detail = format!("the origin's certificate is let pass: {fault}");
        draft.write_notice(request, destination, &detail);
    }
    Ok(Box::new(UpstreamConnection {
        transport,
        address,
        reused: false,
        has_idled: false,
        certificate: Some(certificate),
        demand: Some(demand),
    }))
}

async fn shake_hands(
    request: &Request<'_>,
    destination: &Destination<'_>,
    asked: &Asked<'_>,
    upstream: Box<UpstreamConnection>,
    resumption: Resumption,
    draft: &mut RecordBuilder,
) -> Result<Secured, OriginTlsFailure> {
    let snapshot = request.snapshot;
    let started = clock::now();
    let key = pool_key(Some(asked.origin), destination, upstream.address);
    let versions = match request.proxy.origins.http1_only.contains(key, started) {
        true => Versions::Http1,
        false => asked.versions,
    };
    let carrier = Carrier {
        transport: upstream.transport,
        address: upstream.address,
        versions,
        resumption,
    };
    let secured = tls::secure(
        &request.proxy.shard,
        &snapshot.tls.credentials.trust,
        asked.origin,
        carrier,
        snapshot.config.timeouts.tls_handshake,
    )
    .await;
    draft.t_tls_origin = Some(clock::since(started));
    secured
}

/// What an origin said, where something has failed that it might explain.
#[derive(Debug, Clone, Copy)]
struct Unmet<'a> {
    origin: &'a Origin,
    address: SocketAddr,
    demand: &'a CertificateDemand,
}

/// Why nothing came of a connection, if that is because the origin wants a certificate of the client.
/// The tunnels to it may be left alone from then on.
pub(crate) fn want_of_certificate(
    request: &Request<'_>,
    destination: &Destination<'_>,
    (address, demand): (SocketAddr, Option<&CertificateDemand>),
    draft: &RecordBuilder,
) -> Option<Refusal> {
    let unmet = Unmet {
        origin: request.origin()?,
        address,
        demand: demand?,
    };
    unmet.explain(request, destination, draft)
}

impl Unmet<'_> {
    fn explain(
        &self,
        request: &Request<'_>,
        destination: &Destination<'_>,
        draft: &RecordBuilder,
    ) -> Option<Refusal> {
        if !self.demand.is_unmet() {
            const RENEGOTIATES: &str = "the origin asked for another TLS handshake within the connection \
                                        (renegotiation), as for a client certificate for a part of \
                                        its site, and did not go on without";
            let renegotiates = self.demand.renegotiates();
            return renegotiates.then(|| Refusal::new(ProxyError::TlsProtocolError, RENEGOTIATES));
        }
        if self.origin.parameters.has_certificate {
            const REFUSED: &str = "the origin wants a client certificate and does not take the one \
                                   that it is shown (tls.scope.client_certificate)";
            return Some(Refusal::new(ProxyError::TlsAlertReceived, REFUSED));
        }
        let detail = match self.falls_back(request) {
            Ok(()) => {
                self.fall_back(request);
                "the origin wants a client certificate: tunnels to it are passed through for an hour \
                 from the next one on (tls.client_certificate_fallback)"
            }
            Err(why) => why,
        };
        draft.write_notice(request, destination, detail);
        Some(Refusal::new(ProxyError::TlsAlertReceived, detail))
    }

    /// Whether the next tunnel may be left alone, or why not.
    fn falls_back(&self, request: &Request<'_>) -> Result<(), &'static str> {
        if !self.demand.is_believed() {
            return Err("the origin wants a client certificate, and its own is not believed");
        }
        if request.target_origin.is_some() {
            // There is no tunnel to leave alone.
            return Err("the origin wants a client certificate and there is none \
                 (tls.scope.client_certificate)");
        }
        if !request.snapshot.config.tls.client_certificate_fallback {
            return Err("the origin wants a client certificate and there is none \
                 (tls.scope.client_certificate, tls.client_certificate_fallback)");
        }
        if request.snapshot.rules.judges_content() {
            return Err("the origin wants a client certificate and there is none \
                 (tls.scope.client_certificate); its tunnels stay intercepted, because rules look \
                 inside");
        }
        match self.origin.parameters.scope {
            ScopeName::Entry(_) | ScopeName::None => Ok(()),
            ScopeName::Several => Err(
                "the origin wants a client certificate; its tunnels stay intercepted, because \
                 different scopes speak of its addresses",
            ),
        }
    }

    fn fall_back(&self, request: &Request<'_>) {
        let origins = request.snapshot.fallbacks.learn(ScopedOrigin {
            host: (*self.origin.host).into(),
            address: self.address,
            scope: self.origin.parameters.scope,
        });
        tracing::warn!(
            host = &*self.origin.host,
            address = %self.address,
            origins,
            "an origin wants a certificate of the client: its tunnels are passed through"
        );
    }
}
