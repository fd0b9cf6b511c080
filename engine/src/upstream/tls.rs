//! TLS towards an origin: the handshake on a connection that was dialed, and what its certificate is
//! worth. Who calls it says which origin is meant; where to was judged before.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CommonState};
use sallyport_pki::{CertificateFault, OriginCertificate, OriginFault, Trust, UpstreamVerify};
use thiserror::Error;

use crate::clock::unix_time;
use crate::observe::Leg;
use crate::shard::Shard;
use crate::tls::caches::OriginKey;
use crate::tls::client_certificate::CertificateDemand;
use crate::tls::configs::{OriginParameters, Versions};
use crate::tls::handshakes::count_handshake;
use crate::tls::sessions::Resumption;
use crate::tls::stream::{HandshakeError, LastFlight};
use crate::tls::words::{alert_name, tls_fault};
use crate::transport::{TlsConnection, Transport};

/// An origin as TLS knows it.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// The host that it is asked for, in normal form.
    pub(crate) host: Rc<str>,
    pub(crate) port: u16,
    /// The same as its certificate must have it.
    pub(crate) name: ServerName<'static>,
    pub(crate) parameters: Arc<OriginParameters>,
}

impl Origin {
    /// What it is remembered under.
    pub(crate) fn key(&self) -> OriginKey<'_> {
        OriginKey {
            host: &self.host,
            port: self.port,
            parameters: self.parameters.id,
        }
    }
}

/// A connection over which TLS is to be spoken.
#[derive(Debug)]
pub(crate) struct Carrier {
    pub(crate) transport: Transport,
    pub(crate) address: SocketAddr,
    pub(crate) versions: Versions,
    pub(crate) resumption: Resumption,
}

/// A connection that is up.
#[derive(Debug)]
pub(crate) struct Secured {
    pub(crate) transport: Transport,
    pub(crate) certificate: Rc<OriginCertificate>,
    /// What is wrong with the certificate, where that is let pass.
    pub(crate) fault: Option<OriginFault>,
    /// What the origin says about a certificate of ours.
    pub(crate) demand: Rc<CertificateDemand>,
}

/// Why no connection came up.
#[derive(Debug)]
pub(crate) struct OriginTlsFailure {
    pub(crate) error: OriginTlsError,
    /// The handshake offered to go on with an earlier session.
    pub(crate) offered_session: bool,
    /// What the origin says about a certificate of ours.
    pub(crate) demand: Rc<CertificateDemand>,
}

impl OriginTlsFailure {
    /// Whether a handshake from the beginning may come to something that this one did not. Servers
    /// differ in what they make of a session that they do not know, or that is withdrawn after a
    /// HelloRetryRequest, as rustls does.
    pub(crate) fn may_be_of_resumption(&self) -> bool {
        let is_otherwise = matches!(
            self.error,
            OriginTlsError::Certificate(_) | OriginTlsError::TimedOut
        );
        self.offered_session && !is_otherwise && !self.demand.is_unmet()
    }
}

/// What went wrong.
#[derive(Debug, Error)]
pub(crate) enum OriginTlsError {
    #[error("the origin's certificate is refused: {0}")]
    Certificate(OriginFault),
    #[error("the origin refused the TLS handshake: {}", alert_name(*.0))]
    Alert(AlertDescription),
    #[error("the TLS handshake with the origin failed: {}", tls_fault(.0))]
    Protocol(rustls::Error),
    #[error("the origin closed the connection within the TLS handshake")]
    Closed,
    #[error("the TLS handshake with the origin took too long")]
    TimedOut,
}

/// Speaks TLS to `origin` over `carrier`.
pub(crate) async fn secure(
    shard: &Shard,
    trust: &Trust,
    origin: &Origin,
    carrier: Carrier,
    timeout: Duration,
) -> Result<Secured, OriginTlsFailure> {
    let plain = |error| OriginTlsFailure {
        error,
        offered_session: false,
        demand: Rc::default(),
    };
    let Carrier {
        transport: carrier,
        address,
        versions,
        resumption,
    } = carrier;
    let parameters = &origin.parameters;
    let (config, sessions) = parameters.connection_to(address, versions, resumption);
    let connection = UnbufferedClientConnection::new(config, origin.name.clone())
        .map_err(|error| plain(OriginTlsError::Protocol(error)))?;
    let carrier = Rc::new(carrier);
    let stream = TlsConnection::client(Rc::clone(&carrier), &shard.buffers, connection);
    carrier.arm(timeout);
    let shaken = stream.handshake(LastFlight::Now).await;
    carrier.disarm();
    count_handshake(&shard.metrics, Leg::Origin, &stream, shaken.is_ok());
    let demand = Rc::clone(stream.demand());
    let failed = |error| OriginTlsFailure {
        error,
        offered_session: sessions.was_offered(),
        demand: Rc::clone(&demand),
    };
    let fault = stream.with_common(|common| fault(common, trust, origin));
    if fault == Some(None) {
        demand.note_believed();
    }
    if let Err(error) = shaken {
        let error = match error {
            _ if carrier.expired() => OriginTlsError::TimedOut,
            error => classify(error),
        };
        if matches!(error, OriginTlsError::Certificate(_)) {
            shard.tls.forget(origin.key());
        }
        let failure = failed(error);
        if failure.offered_session {
            sessions.forget(&origin.name);
        }
        return Err(failure);
    }
    let known = certified(shard, origin, &stream, fault);
    let (certificate, fault) = known.map_err(|fault| {
        shard.tls.forget(origin.key());
        failed(OriginTlsError::Certificate(fault))
    })?;
    Ok(Secured {
        transport: Transport::Tls(Box::new(stream)),
        certificate,
        fault,
        demand,
    })
}

/// The certificate of an origin whose handshake has succeeded, and what is wrong with it.
fn certified(
    shard: &Shard,
    origin: &Origin,
    stream: &TlsConnection,
    fault: Option<Option<OriginFault>>,
) -> Result<(Rc<OriginCertificate>, Option<OriginFault>), OriginFault> {
    let remembered = stream.with_common(|common| {
        let leaf = common.peer_certificates().unwrap_or_default().first()?;
        let fault = fault?;
        let certificate = shard.tls.remember(origin.key(), leaf, fault.is_some());
        Some((certificate, fault))
    });
    let (certificate, fault) =
        remembered.ok_or_else(|| OriginFault::bare(CertificateFault::BadEncoding))?;
    let end = certificate.not_after();
    // A session that is resumed shows no certificate: the one of before must still be valid.
    if origin.parameters.verify == UpstreamVerify::Deny && end.is_some_and(|end| end < unix_time())
    {
        return Err(OriginFault::bare(CertificateFault::Expired));
    }
    Ok((certificate, fault))
}

/// What is wrong with the certificate that was verified, where that is let pass; `None` if none was.
fn fault(common: &CommonState, trust: &Trust, origin: &Origin) -> Option<Option<OriginFault>> {
    // rustls has them only once it has asked the verifier, and checked who holds the key.
    let (leaf, rest) = common.peer_certificates()?.split_first()?;
    Some(match origin.parameters.verify {
        UpstreamVerify::Deny => None,
        UpstreamVerify::Alert => trust.judge(leaf, rest, &origin.name, unix_time()).err(),
    })
}

fn classify(error: HandshakeError) -> OriginTlsError {
    if let Some(alert) = error.alert() {
        return OriginTlsError::Alert(alert);
    }
    match error {
        HandshakeError::Connection(_) => OriginTlsError::Closed,
        HandshakeError::Tls(error) => match OriginFault::of_tls_error(&error) {
            Some(fault) => OriginTlsError::Certificate(fault),
            None => OriginTlsError::Protocol(error),
        },
    }
}
