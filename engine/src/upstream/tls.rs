//! TLS towards an origin: the handshake on a connection that was dialed, and what its certificate is
//! worth. Who calls it says which origin is meant; where to was judged before.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::AlertDescription;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::{ServerName, UnixTime};
use thiserror::Error;

use crate::io::transport::Transport;
use crate::shard::Shard;
use crate::tls::memory::OriginKey;
use crate::tls::parameters::OriginParameters;
use crate::tls::stream::{HandshakeError, LastFlight, TlsStream};
use crate::tls::{CertificateFault, OriginCertificate, OriginFault, Trust, UpstreamVerify};

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

/// Which versions of HTTP an origin is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Versions {
    /// HTTP/2 and HTTP/1.1, as it likes.
    Any,
    /// HTTP/1.1, which every origin switches from to WebSockets.
    Http1,
}

/// A connection that is up.
#[derive(Debug)]
pub(crate) struct Secured {
    pub(crate) transport: Transport,
    pub(crate) certificate: Rc<OriginCertificate>,
    /// What is wrong with the certificate, where that is let pass.
    pub(crate) fault: Option<OriginFault>,
    /// The origin has asked who we are.
    pub(crate) was_asked: bool,
}

/// Why no connection came up.
#[derive(Debug)]
pub(crate) struct OriginTlsFailure {
    pub(crate) error: OriginTlsError,
    /// The origin has asked who we are.
    pub(crate) was_asked: bool,
}

/// What went wrong.
#[derive(Debug, Error)]
pub(crate) enum OriginTlsError {
    #[error("the origin's certificate is refused: {0}")]
    Certificate(OriginFault),
    #[error("the origin refused the TLS handshake: {0:?}")]
    Alert(AlertDescription),
    #[error("the TLS handshake with the origin failed: {0}")]
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
    carrier: Transport,
    versions: Versions,
    timeout: Duration,
) -> Result<Secured, OriginTlsFailure> {
    let plain = |error| OriginTlsFailure {
        error,
        was_asked: false,
    };
    let config = Arc::clone(match versions {
        Versions::Any => &origin.parameters.config,
        Versions::Http1 => &origin.parameters.http1,
    });
    let connection = UnbufferedClientConnection::new(config, origin.name.clone())
        .map_err(|error| plain(OriginTlsError::Protocol(error)))?;
    let carrier = Rc::new(carrier);
    let stream = TlsStream::client(Rc::clone(&carrier), &shard.buffers, connection);
    carrier.arm(timeout);
    let shaken = stream.handshake(LastFlight::Now).await;
    carrier.disarm();
    let was_asked = stream.was_asked();
    let failed = |error| OriginTlsFailure { error, was_asked };
    if let Err(error) = shaken {
        let error = match error {
            _ if carrier.expired() => OriginTlsError::TimedOut,
            error => classify(error),
        };
        if matches!(error, OriginTlsError::Certificate(_)) {
            shard.tls.forget(origin.key());
        }
        return Err(failed(error));
    }
    let (certificate, fault) = stream
        .with_common(|common| {
            let chain = common.peer_certificates().unwrap_or_default();
            let (leaf, rest) = chain.split_first()?;
            let fault = match origin.parameters.verify {
                UpstreamVerify::Deny => None,
                UpstreamVerify::Alert => {
                    trust.judge(leaf, rest, &origin.name, UnixTime::now()).err()
                }
            };
            let certificate = shard.tls.remember(origin.key(), leaf, fault.is_some());
            Some((certificate, fault))
        })
        .ok_or_else(|| {
            let fault = OriginFault::bare(CertificateFault::BadEncoding);
            failed(OriginTlsError::Certificate(fault))
        })?;
    if origin.parameters.verify == UpstreamVerify::Deny
        && certificate
            .not_after()
            .is_some_and(|end| end < UnixTime::now())
    {
        // A session that is resumed shows no certificate: the one of before must still be valid.
        shard.tls.forget(origin.key());
        let fault = OriginFault::bare(CertificateFault::Expired);
        return Err(failed(OriginTlsError::Certificate(fault)));
    }
    Ok(Secured {
        transport: Transport::Tls(Box::new(stream)),
        certificate,
        fault,
        was_asked,
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
