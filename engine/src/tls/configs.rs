//! How this shard speaks TLS: one configuration for what it intercepts, one for each `https`
//! listener, one for the origins of each scope. Made once for each generation of the configuration.

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustls::client::{self, ResolvesClientCert};
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ServerConfig};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, SignatureScheme, SupportedProtocolVersion, version};
use sallyport_pki::{OriginVerifier, UpstreamVerify};

use super::credentials::{ListenerCredentials, TlsCredentials};
use super::provider::provider;
use super::sessions::{OriginSessions, Resumption, SessionsAt};
use crate::clock::Clock;
use crate::config::checked::{Config, TlsMode, TlsVersion, TunnelEnds};

/// Protocols inside TLS, in order of preference (RFC 7301).
pub(crate) const ALPN_HTTP2: &[u8] = b"h2";
/// See [`ALPN_HTTP2`].
const ALPN_HTTP1: &[u8] = b"http/1.1";

/// How the clients of one `https` listener are spoken to.
#[derive(Debug)]
struct ListenerSide {
    /// The address that the configuration gives it.
    configured: SocketAddr,
    config: Arc<ServerConfig>,
    client_verifier: Option<Arc<dyn ClientCertVerifier>>,
}

/// Everything that a shard hands to rustls.
#[derive(Debug)]
pub(crate) struct TlsConfigs {
    pub(crate) credentials: Arc<TlsCredentials>,
    /// Towards clients whose tunnels are intercepted; what is minted is put in for each of them.
    intercepted: Option<ServerConfig>,
    /// Towards the clients of `https` listeners.
    listeners: Vec<ListenerSide>,
    /// Towards origins, by scope.
    scopes: Vec<Arc<OriginParameters>>,
    /// Towards origins of tunnels that no scope speaks of.
    unscoped: Arc<OriginParameters>,
    /// Towards origins of tunnels that have no one scope, because their addresses have different ones:
    /// what is not believed is refused, and no certificate of ours is shown.
    strict: Arc<OriginParameters>,
}

/// The scope of a tunnel: what is remembered of an origin in one holds in no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ScopeName {
    /// The `[[tls.scope]]` at this place.
    Entry(usize),
    /// No scope speaks of the tunnel.
    None,
    /// Different ones speak of its addresses.
    Several,
}

/// How the origins of one scope are spoken to.
#[derive(Debug)]
pub(crate) struct OriginParameters {
    pub(crate) scope: ScopeName,
    /// Unlike that of any other parameters of this process: connections made with different ones
    /// are not interchangeable.
    pub(crate) id: u64,
    pub(crate) verify: UpstreamVerify,
    /// Whether there is a certificate to show to origins that ask.
    pub(crate) has_certificate: bool,
    config: ClientConfig,
    /// The same for what HTTP/2 does not carry to every origin: WebSockets.
    http1: ClientConfig,
    sessions: Arc<OriginSessions>,
}

/// Which versions of HTTP an origin is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Versions {
    /// HTTP/2 and HTTP/1.1, as it likes.
    Any,
    /// HTTP/1.1, which every origin switches from to WebSockets.
    Http1,
}

impl OriginParameters {
    /// For one connection to `address`; and what tells whether an earlier session was offered on it.
    pub(crate) fn connection_to(
        &self,
        address: SocketAddr,
        versions: Versions,
        resumption: Resumption,
    ) -> (Arc<ClientConfig>, Arc<SessionsAt>) {
        let sessions = Arc::new(SessionsAt::new(&self.sessions, address, resumption));
        let mut config = match versions {
            Versions::Any => self.config.clone(),
            Versions::Http1 => self.http1.clone(),
        };
        config.resumption = client::Resumption::store(Arc::clone(&sessions) as _);
        (Arc::new(config), sessions)
    }
}

/// What is done with a tunnel.
#[derive(Debug, Clone)]
pub(crate) enum Handling {
    Passthrough,
    Intercept(Arc<OriginParameters>),
}

impl Handling {
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Passthrough, Self::Passthrough) => true,
            (Self::Intercept(one), Self::Intercept(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl TlsConfigs {
    /// What one shard speaks with. `next_id` gives numbers that were never given before.
    pub(crate) fn new(
        config: &Config,
        credentials: Arc<TlsCredentials>,
        mut next_id: impl FnMut() -> u64,
    ) -> Result<Self, rustls::Error> {
        // One for each shard: its reference count is nobody else's business.
        let provider = Arc::new(provider());
        let origin = |scope, verify, identity: Option<&Arc<CertifiedKey>>, id| {
            let has_certificate = identity.is_some();
            let config = client_config(config, &provider, &credentials, verify, identity)?;
            let mut http1 = config.clone();
            http1.alpn_protocols = vec![ALPN_HTTP1.to_vec()];
            Ok::<_, rustls::Error>(Arc::new(OriginParameters {
                scope,
                id,
                verify,
                has_certificate,
                config,
                http1,
                sessions: Arc::default(),
            }))
        };
        let mut scopes = Vec::new();
        let entries = config.tls.scopes.iter().zip(&credentials.client_identities);
        for (index, (scope, identity)) in entries.enumerate() {
            let name = ScopeName::Entry(index);
            let verify = scope.upstream_verify;
            scopes.push(origin(name, verify, identity.as_ref(), next_id())?);
        }
        let verify = config.tls.upstream.verify;
        let unscoped = origin(ScopeName::None, verify, None, next_id())?;
        let strict = origin(ScopeName::Several, UpstreamVerify::Deny, None, next_id())?;
        let mut listeners = Vec::new();
        for (listener, tls) in config.listeners.iter().zip(&credentials.listeners) {
            if let Some(tls) = tls {
                let config = listener_config(config, &provider, &credentials, tls)?;
                listeners.push(ListenerSide {
                    configured: listener.address,
                    config,
                    client_verifier: tls.client_verifier.clone(),
                });
            }
        }
        let intercepted = match &credentials.minting {
            None => None,
            Some(_) => Some(server_config(config, &provider, &credentials)?),
        };
        Ok(Self {
            intercepted,
            listeners,
            scopes,
            unscoped,
            strict,
            credentials,
        })
    }

    /// What the configuration says about a tunnel that may go to any of `addresses`.
    ///
    /// Where it says different things of them the tunnel is intercepted, in the strictest way: which
    /// of them it goes to turns out when they are dialed, and none may get less than was said of it.
    pub(crate) fn handling(
        &self,
        config: &Config,
        tunnel: &TunnelEnds<'_>,
        addresses: &[IpAddr],
    ) -> Handling {
        let at = |address: Option<IpAddr>| {
            let tunnel = TunnelEnds {
                destination: address,
                ..*tunnel
            };
            self.handling_at(config, &tunnel)
        };
        let chosen = at(addresses.first().copied());
        let mut scopes = config.tls.scopes.iter();
        let looks_at_addresses = scopes.any(|scope| !scope.destinations.is_empty());
        let mut others = addresses.iter().skip(1);
        if looks_at_addresses && others.any(|other| !at(Some(*other)).is_same(&chosen)) {
            return Handling::Intercept(Arc::clone(&self.strict));
        }
        chosen
    }

    /// How an origin is spoken to that TLS is begun with on behalf of a client, whatever is done with
    /// tunnels to it. Addresses of different scopes: as for [`TlsConfigs::handling`].
    pub(crate) fn towards_origin(
        &self,
        config: &Config,
        ends: &TunnelEnds<'_>,
        addresses: &[IpAddr],
    ) -> Arc<OriginParameters> {
        let at = |address: Option<IpAddr>| {
            let ends = TunnelEnds {
                destination: address,
                ..*ends
            };
            self.scope_at(config, &ends).1
        };
        let chosen = at(addresses.first().copied());
        let mut others = addresses.iter().skip(1);
        let differ = others.any(|other| !Arc::ptr_eq(at(Some(*other)), chosen));
        Arc::clone(if differ { &self.strict } else { chosen })
    }

    /// What it says of one address.
    fn handling_at(&self, config: &Config, tunnel: &TunnelEnds<'_>) -> Handling {
        match self.scope_at(config, tunnel) {
            (TlsMode::Passthrough, _) => Handling::Passthrough,
            (TlsMode::Intercept, origin) => Handling::Intercept(Arc::clone(origin)),
        }
    }

    /// The first scope that matches, else the default.
    fn scope_at(
        &self,
        config: &Config,
        tunnel: &TunnelEnds<'_>,
    ) -> (TlsMode, &Arc<OriginParameters>) {
        let scopes = config.tls.scopes.iter().zip(&self.scopes);
        let mut matching = scopes.filter(|(scope, _)| scope.matches(tunnel));
        match matching.next() {
            Some((scope, origin)) => (scope.mode, origin),
            None => (config.tls.mode, &self.unscoped),
        }
    }

    /// Towards one client, with what was minted for it.
    pub(crate) fn intercepted(&self, certified: Arc<CertifiedKey>) -> Option<Arc<ServerConfig>> {
        let mut config = self.intercepted.clone()?;
        config.cert_resolver = Arc::new(SingleCertAndKey::from(certified));
        Some(Arc::new(config))
    }

    /// Towards the clients of the listener that is configured at `address`, if it speaks TLS.
    pub(crate) fn listener(&self, address: SocketAddr) -> Option<&Arc<ServerConfig>> {
        Some(&self.listener_side(address)?.config)
    }

    /// What decides about the certificates of its clients, if it asks for any.
    pub(crate) fn client_verifier(
        &self,
        address: SocketAddr,
    ) -> Option<&Arc<dyn ClientCertVerifier>> {
        self.listener_side(address)?.client_verifier.as_ref()
    }

    /// Whether who decides about clients is still the same, for every listener.
    pub(crate) fn asks_clients_as(&self, other: &Self) -> bool {
        self.listeners.iter().all(|listener| {
            let before = other.client_verifier(listener.configured);
            match (&listener.client_verifier, before) {
                (Some(now), Some(before)) => Arc::ptr_eq(now, before),
                (now, before) => now.is_none() && before.is_none(),
            }
        })
    }

    fn listener_side(&self, address: SocketAddr) -> Option<&ListenerSide> {
        let mut listeners = self.listeners.iter();
        listeners.find(|listener| listener.configured == address)
    }
}

fn versions(oldest: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    static FROM_12: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];
    static FROM_13: [&SupportedProtocolVersion; 1] = [&version::TLS13];
    match oldest {
        TlsVersion::V12 => &FROM_12,
        TlsVersion::V13 => &FROM_13,
    }
}

fn server_config(
    config: &Config,
    provider: &Arc<CryptoProvider>,
    credentials: &TlsCredentials,
) -> Result<ServerConfig, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions(config.tls.version_min))?;
    let mut server = builder
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::server::ResolvesServerCertUsingSni::new()));
    server.ignore_client_order = true;
    server.alpn_protocols = vec![ALPN_HTTP2.to_vec(), ALPN_HTTP1.to_vec()];
    server.time_provider = Arc::new(Clock);
    // Tickets hold all state: no session is stored here.
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.ticketer = Arc::clone(&credentials.tickets) as _;
    Ok(server)
}

fn listener_config(
    config: &Config,
    provider: &Arc<CryptoProvider>,
    credentials: &TlsCredentials,
    listener: &ListenerCredentials,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut server = server_config(config, provider, credentials)?;
    if let Some(verifier) = &listener.client_verifier {
        let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
            .with_protocol_versions(versions(config.tls.version_min))?;
        server = builder
            .with_client_cert_verifier(Arc::clone(verifier))
            .with_cert_resolver(Arc::clone(&server.cert_resolver));
        server.ignore_client_order = true;
        server.alpn_protocols = vec![ALPN_HTTP2.to_vec(), ALPN_HTTP1.to_vec()];
        server.time_provider = Arc::new(Clock);
        // A client is asked each time: its certificate may have been withdrawn since.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
    }
    server.cert_resolver = Arc::new(SingleCertAndKey::from(Arc::clone(&listener.identity)));
    Ok(Arc::new(server))
}

fn client_config(
    config: &Config,
    provider: &Arc<CryptoProvider>,
    credentials: &TlsCredentials,
    verify: UpstreamVerify,
    identity: Option<&Arc<CertifiedKey>>,
) -> Result<ClientConfig, rustls::Error> {
    let verifier = OriginVerifier::new(Arc::clone(&credentials.trust), verify);
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions(config.tls.upstream.version_min))?;
    let mut client = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(ClientIdentity {
            identity: identity.cloned(),
        }));
    client.alpn_protocols = vec![ALPN_HTTP2.to_vec(), ALPN_HTTP1.to_vec()];
    client.time_provider = Arc::new(Clock);
    // An origin that chooses a protocol that was not offered, or none, is spoken HTTP/1.1 to.
    client.resumption = client::Resumption::disabled();
    Ok(client)
}

thread_local! {
    /// Whether an origin has asked who we are since this was last looked at.
    static ASKED: Cell<bool> = const { Cell::new(false) };
}

/// Whether the handshake step that was just made was asked for a certificate.
pub(crate) fn take_asked() -> bool {
    ASKED.replace(false)
}

/// Shows a certificate to those who ask, and remembers that they did.
#[derive(Debug)]
struct ClientIdentity {
    identity: Option<Arc<CertifiedKey>>,
}

impl ResolvesClientCert for ClientIdentity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        ASKED.set(true);
        self.identity.clone()
    }

    fn has_certs(&self) -> bool {
        // Also without one: else nobody would tell us that somebody asked.
        true
    }
}
