//! A tunnel whose TLS ends here and starts again towards the origin: whom to ask, what to show the
//! client, and then a session like any other inside.
//!
//! The origin is asked first, if the rules let packets leave for it before a request is seen and its
//! certificate is not remembered. Whatever is wrong with it, the client is answered inside TLS.

use std::rc::Rc;
use std::sync::Arc;

use rustls::AlertDescription as Alert;
use rustls::server::{ServerConfig, UnbufferedServerConnection};
use rustls::{CipherSuite, CommonState, ProtocolVersion};
use sallyport_pki::{CertificateName, LeafKey, LeafSubject, MintError};
use sallyport_ruleset::normalize::normalize_domain;
use sallyport_ruleset::{Fact, Facts};
use sallyport_wire::tls::{AlertDescription, ClientHello};

use crate::access_log::TlsHandling;
use crate::clock;
use crate::enforcement::{Decisions, Early};
use crate::observe::Leg;
use crate::proxy_error::ProxyError;
use crate::tls::caches::KnownOrigin;
use crate::tls::configs::{Handling, Versions};
use crate::tls::handshakes::count_handshake;
use crate::tls::stream::{HandshakeError, LastFlight};
use crate::tls::words::{alert_name, tls_fault};
use crate::transaction::exchange::origin_connection::begin_session;
use crate::transaction::exchange::origin_dial::{connect_plain, pool_key};
use crate::transaction::exchange::origin_tls::{Asked, secure};
use crate::transaction::exchange::work::ResponseWork;
use crate::transaction::phases;
use crate::transaction::request::context::Request;
use crate::transaction::request::destination::{Destination, NormalHost};
use crate::transaction::request::record_builder::RecordBuilder;
use crate::transaction::request::reply::Refusal;
use crate::transaction::request::tls_notes::{TlsNotes, notes};
use crate::transaction::tunnel::client_hello::{check_brackets, check_sni, note_odd_name};
use crate::transaction::tunnel::held::Hello;
use crate::transaction::tunnel::offer;
use crate::transaction::tunnel::opened::{EarlyPermit, Opened};
use crate::transaction::tunnel::outcome::{Carrier, InnerConnection, Inside};
use crate::transport::TlsConnection;
use crate::upstream::tls::Origin;

/// A tunnel that is to be intercepted.
#[derive(Debug)]
pub(crate) struct Intercepted<'t, 'a> {
    pub(crate) request: &'t Request<'a>,
    pub(crate) destination: &'t Destination<'a>,
    pub(crate) opened: Opened,
}

impl Intercepted<'_, '_> {
    /// Ends TLS with the client.
    pub(crate) async fn open(
        mut self,
        hello: Box<ClientHello>,
        draft: &mut RecordBuilder,
        work: &mut ResponseWork<'_>,
    ) -> Result<Inside, (Refusal, Option<AlertDescription>)> {
        draft.tls = Some(Rc::new(notes(&hello, TlsHandling::Intercept)));
        check_brackets(&hello)
            .map_err(|refusal| (refusal, Some(AlertDescription::IllegalParameter)))?;
        note_odd_name(&hello, draft);
        let denied = Some(AlertDescription::AccessDenied);
        check_sni(self.request, self.destination, &hello, draft)
            .map_err(|refusal| (refusal, denied))?;
        let leaf_key = offer::leaf_key(&hello, &self.request.snapshot.config.tls)?;
        let protocols: Vec<Box<[u8]>> = hello.alpn().map(Into::into).collect();
        let alpn: Vec<&[u8]> = protocols.iter().map(|protocol| &**protocol).collect();
        let mut scratch = String::new();
        let host = self.host(&hello, &mut scratch);
        // It is large, and the tunnel may live for days.
        drop(hello);
        let origin = self.origin(host)?;
        // Ours takes over the names of the origin's certificate: that is looked at first, if packets may leave for it.
        let permit = self.permit(&alpn, draft);
        let mut failure = None;
        let mut known = self.request.proxy.shard.tls.origin(origin.key());
        if known.is_none()
            && let Some(permit) = permit
        {
            // Boxed: it is gone before the tunnel's long life begins.
            match Box::pin(self.ask(&origin, permit, draft)).await {
                Ok(found) => known = found,
                Err(refusal) => failure = Some(refusal),
            }
        }
        let config = self.server_config(&host, known.as_ref(), leaf_key)?;
        let stream = Box::pin(self.shake_hands(config, host.as_str(), draft, work)).await?;
        self.note_agreed(&stream, draft);
        Ok(Inside {
            guarded: self.opened.guarded,
            slot: self.opened.slot,
            carrier: Carrier::Tls(Box::new(InnerConnection {
                stream,
                origin,
                protocols,
                failure,
            })),
        })
    }

    /// The host that the client means: what it says in TLS, else what it said in the CONNECT.
    fn host<'h>(&self, hello: &ClientHello, scratch: &'h mut String) -> NormalHost<'h>
    where
        Self: 'h,
    {
        let Some(sni) = hello.server_name() else {
            let own = match self.destination.host {
                NormalHost::Domain(text) | NormalHost::Address(_, text) => text,
            };
            scratch.push_str(own);
            return match self.destination.host {
                NormalHost::Domain(_) => NormalHost::Domain(scratch),
                NormalHost::Address(address, _) => NormalHost::Address(address, scratch),
            };
        };
        let mut other = String::new();
        let normal = normalize_domain(sni, &mut other).unwrap_or(sni);
        scratch.push_str(normal);
        NormalHost::Domain(scratch)
    }

    fn origin(&self, host: NormalHost<'_>) -> Result<Origin, (Refusal, Option<AlertDescription>)> {
        let (Some(name), Handling::Intercept(parameters)) =
            (host.server_name(), &self.opened.handling)
        else {
            let refusal = Refusal::malformed(400, "no certificate can have this server name");
            return Err((refusal, Some(AlertDescription::UnrecognizedName)));
        };
        Ok(Origin {
            host: host.as_str().into(),
            port: self.destination.port,
            name,
            parameters: Arc::clone(parameters),
        })
    }

    /// Whether packets may leave before a request is seen, now that the ClientHello is. A no is said
    /// to each request, which is judged on its own.
    fn permit(&mut self, alpn: &[&[u8]], draft: &RecordBuilder) -> Option<EarlyPermit> {
        if let Some(permit) = self.opened.early.take() {
            return Some(permit);
        }
        let notes = draft.tls.as_deref()?;
        let hello = Hello { notes, alpn };
        let facts = hello.facts(Facts {
            protocol: Fact::Unknown,
            ..self.request.pre_dns_facts(self.destination)
        });
        match phases::early(
            self.request,
            &self.opened.guarded,
            &facts,
            &mut Decisions::default(),
        ) {
            Ok(Early::Allowed(dialable)) => Some(EarlyPermit {
                dialable,
                upstream: None,
            }),
            Ok(Early::Open) | Err(_) => None,
        }
    }

    /// Connects to the origin and looks at its certificate; the connection waits for the first
    /// request in the pool.
    async fn ask(
        &self,
        origin: &Origin,
        permit: EarlyPermit,
        draft: &mut RecordBuilder,
    ) -> Result<Option<KnownOrigin>, Refusal> {
        let request = self.request;
        let EarlyPermit { dialable, upstream } = permit;
        let upstream = match upstream {
            Some(upstream) => upstream,
            None => connect_plain(request, &dialable, draft).await?,
        };
        let destination = self.destination;
        let asked = Asked {
            origin,
            dialable: &dialable,
            versions: Versions::Any,
        };
        let secured = secure(request, destination, &asked, upstream, draft);
        let upstream = secured.await?;
        let key = pool_key(Some(origin), destination, upstream.address);
        let (pool, account) = (
            &request.proxy.origins.pool,
            request.client.registered.account(),
        );
        if upstream.transport.speaks_http2() {
            let certificate = upstream.certificate;
            let session = begin_session(request, upstream.transport, certificate).await?;
            pool.borrow_mut().add_session(key, session, account);
        } else {
            let mut pool = pool.borrow_mut();
            pool.check_in(key, upstream, account, clock::now());
        }
        Ok(request.proxy.shard.tls.origin(origin.key()))
    }

    /// What to show the client: a certificate for the host that it means, which takes over the names
    /// of the origin's if that one was believed.
    fn server_config(
        &self,
        host: &NormalHost<'_>,
        known: Option<&KnownOrigin>,
        leaf_key: LeafKey,
    ) -> Result<Arc<ServerConfig>, (Refusal, Option<AlertDescription>)> {
        let fault = |detail: String| {
            let refusal = Refusal::new(ProxyError::ProxyInternalError, detail);
            (refusal, Some(AlertDescription::InternalError))
        };
        let asked = match host {
            NormalHost::Domain(domain) => CertificateName::dns(domain),
            NormalHost::Address(address, _) => Some(CertificateName::Address(*address)),
        };
        let asked = asked.ok_or_else(|| fault("no certificate can have this name".to_owned()))?;
        let subject = LeafSubject {
            asked: &asked,
            origin: known.and_then(KnownOrigin::believed),
            key: leaf_key,
        };
        let shard = &self.request.proxy.shard;
        let minted = shard.tls.certificate(subject, &shard.metrics);
        let minted = minted.ok_or_else(|| fault("there is no authority (tls.ca)".to_owned()))?;
        let minted = minted.map_err(|error| match error {
            // Not our fault but what the authority was made for: there is no server of this name here.
            MintError::NotPermitted(_) => {
                let refusal =
                    Refusal::with_status(403, ProxyError::TlsCertificateError, error.to_string());
                (refusal, Some(AlertDescription::UnrecognizedName))
            }
            error => fault(format!("cannot mint: {error}")),
        })?;
        self.request
            .snapshot
            .tls
            .intercepted(minted)
            .ok_or_else(|| fault("there is no authority (tls.ca)".to_owned()))
    }

    /// The handshake with the client, whose ClientHello lies in `work.input`.
    async fn shake_hands(
        &self,
        config: Arc<ServerConfig>,
        host: &str,
        draft: &mut RecordBuilder,
        work: &mut ResponseWork<'_>,
    ) -> Result<TlsConnection, (Refusal, Option<AlertDescription>)> {
        let Request {
            client, snapshot, ..
        } = *self.request;
        let connection = UnbufferedServerConnection::new(config).map_err(|error| {
            let detail = format!("no TLS with the client: {}", tls_fault(&error));
            let refusal = Refusal::new(ProxyError::ProxyInternalError, detail);
            (refusal, Some(AlertDescription::InternalError))
        })?;
        // TLS begins with the ClientHello that was read in order to decide.
        let received = work.input.unread().to_vec();
        work.input.consume(usize::MAX);
        work.input.release(client.buffers());
        let carrier = Rc::clone(&client.transport);
        let stream = TlsConnection::server(carrier, client.buffers(), connection, received);
        let started = clock::now();
        client.transport.arm(snapshot.config.timeouts.tls_handshake);
        let shaken = stream.handshake(LastFlight::WithData).await;
        client.transport.disarm();
        draft.t_tls_client = Some(clock::since(started));
        let metrics = &self.request.proxy.shard.metrics;
        count_handshake(metrics, Leg::Client, &stream, shaken.is_ok());
        match shaken {
            Ok(()) => Ok(stream),
            Err(error) => Err((self.client_failed(&error, host), None)),
        }
    }

    fn client_failed(&self, error: &HandshakeError, host: &str) -> Refusal {
        if self.request.client.transport.expired() {
            let slow = "the client took too long for the TLS handshake";
            return Refusal::with_status(408, ProxyError::ConnectionReadTimeout, slow);
        }
        if let Some(alert) = error.alert().filter(|alert| is_refusal(*alert)) {
            let shard = &self.request.proxy.shard;
            shard.metrics.certificates_refused.count(());
            let count = shard.tls.count_refusal(host);
            tracing::info!(host, alert = %alert_name(alert), count, "a client refused our certificate");
            let alert = alert_name(alert);
            let detail = format!("the client refused our certificate: {alert}");
            return Refusal::with_status(400, ProxyError::TlsAlertReceived, detail);
        }
        let (proxy_error, detail) = match error {
            HandshakeError::Connection(_) => (
                ProxyError::ConnectionTerminated,
                "the client closed the connection within the TLS handshake".to_owned(),
            ),
            HandshakeError::Tls(error) => (
                ProxyError::TlsProtocolError,
                format!(
                    "the TLS handshake with the client failed: {}",
                    tls_fault(error)
                ),
            ),
        };
        Refusal::with_status(400, proxy_error, detail)
    }

    /// Adds what was agreed on to the notes, for the log of the tunnel and of the requests inside.
    fn note_agreed(&self, stream: &TlsConnection, draft: &mut RecordBuilder) {
        let before = draft.tls.take().map(Rc::unwrap_or_clone);
        let notes = stream.with_common(|common| TlsNotes {
            version: version_name(common),
            cipher: cipher_name(common),
            ..before.unwrap_or_else(|| TlsNotes::empty(TlsHandling::Intercept))
        });
        draft.tls = Some(Rc::new(notes));
    }
}

/// Alerts by which a client says that it does not believe our certificate (RFC 8446 section 6.2).
fn is_refusal(alert: Alert) -> bool {
    matches!(
        alert,
        Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
    )
}

fn version_name(common: &CommonState) -> Option<&'static str> {
    match common.protocol_version()? {
        ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
        ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
        _ => None,
    }
}

/// The name in the registry of IANA.
fn cipher_name(common: &CommonState) -> Option<&'static str> {
    let suite = common.negotiated_cipher_suite()?.suite();
    match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => Some("TLS_AES_128_GCM_SHA256"),
        CipherSuite::TLS13_AES_256_GCM_SHA384 => Some("TLS_AES_256_GCM_SHA384"),
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => Some("TLS_CHACHA20_POLY1305_SHA256"),
        suite => suite.as_str(),
    }
}
