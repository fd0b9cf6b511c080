//! Keys, certificates and roots that the configuration names, read and verified aside: what a start
//! or a reload hands to every shard. Never changed; a renewed key makes a new one.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::UnixTime;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use sallyport_pki::unusable;
use sallyport_pki::{MintingKeys, Trust, TrustError, TrustSources};
use thiserror::Error;

use super::files::{
    FileError, read_authority, read_certificates, read_private_key, read_revocation_lists,
};
use super::provider::provider;
use super::tickets::TicketKeys;
use crate::config::checked::{Config, FileKey, Identity, ListenerTls, TlsUpstream};

/// Why the files that the configuration names cannot be used.
#[derive(Debug, Error)]
pub(crate) enum TlsCredentialsError {
    /// One of them cannot.
    #[error("line {line}: {key}: {reason}")]
    File {
        /// The key of the configuration that names it.
        key: &'static str,
        /// The line of the key.
        line: usize,
        /// Why.
        reason: String,
    },
    /// All roots and lists together cannot.
    #[error("tls.upstream: {0}")]
    Trust(#[from] TrustError),
    /// Keys cannot be made here.
    #[error("the system gives no random numbers")]
    NoEntropy,
}

impl TlsCredentialsError {
    fn of(file: &FileKey, reason: impl ToString) -> Self {
        Self::File {
            key: file.key,
            line: file.line,
            reason: reason.to_string(),
        }
    }
}

/// All of it.
#[derive(Debug)]
pub(crate) struct TlsCredentials {
    /// What is minted with, if anything is intercepted.
    pub(crate) minting: Option<Arc<MintingKeys>>,
    /// Whom origins are believed.
    pub(crate) trust: Arc<Trust>,
    /// What is shown to origins that ask, by scope.
    pub(crate) client_identities: Vec<Option<Arc<CertifiedKey>>>,
    /// What is shown to clients and asked of them, by listener.
    pub(crate) listeners: Vec<Option<ListenerCredentials>>,
    pub(crate) tickets: Arc<TicketKeys>,
}

/// What an `https` listener needs.
#[derive(Debug)]
pub(crate) struct ListenerCredentials {
    pub(crate) identity: Arc<CertifiedKey>,
    pub(crate) client_verifier: Option<Arc<dyn ClientCertVerifier>>,
}

impl TlsCredentials {
    /// Reads what `config` names. What does not depend on it goes on from `before`.
    pub(crate) fn load(
        config: &Config,
        before: Option<&Self>,
        now: UnixTime,
    ) -> Result<Self, TlsCredentialsError> {
        let identities = config.tls.scopes.iter().map(|scope| {
            let identity = scope.client_certificate.as_ref();
            identity.map(read_identity).transpose()
        });
        let listeners = config.listeners.iter().map(|listener| {
            let tls = listener.protocol.tls();
            // Who has no certificate may have something else to show.
            let is_optional = listener.auth.mtls && listener.auth.are_credentials();
            tls.map(|tls| read_listener(tls, is_optional)).transpose()
        });
        let tickets = match before {
            Some(before) => Arc::clone(&before.tickets),
            None => Arc::new(TicketKeys::new(now).ok_or(TlsCredentialsError::NoEntropy)?),
        };
        Ok(Self {
            minting: minting(config, before, now)?,
            trust: Arc::new(trust(&config.tls.upstream)?),
            client_identities: identities.collect::<Result<_, _>>()?,
            listeners: listeners.collect::<Result<_, _>>()?,
            tickets,
        })
    }

    /// The same with new keys where old ones have served their time; `None` if none has.
    pub(crate) fn renewed(&self, now: UnixTime) -> Option<Self> {
        let minting = self.minting.as_ref().filter(|keys| keys.is_due(now));
        let minting = minting.and_then(|keys| keys.renewed(now).ok());
        let tickets = self.tickets.is_due(now).then(|| self.tickets.rotated(now));
        let tickets = tickets.flatten();
        if minting.is_none() && tickets.is_none() {
            return None;
        }
        let listeners = self.listeners.iter().map(|listener| {
            listener.as_ref().map(|listener| ListenerCredentials {
                identity: Arc::clone(&listener.identity),
                client_verifier: listener.client_verifier.clone(),
            })
        });
        Some(Self {
            minting: minting.map(Arc::new).or_else(|| self.minting.clone()),
            trust: Arc::clone(&self.trust),
            client_identities: self.client_identities.clone(),
            listeners: listeners.collect(),
            tickets: tickets.map_or_else(|| Arc::clone(&self.tickets), Arc::new),
        })
    }
}

/// The authority, with the leaf key that it had before if it is the same one.
fn minting(
    config: &Config,
    before: Option<&TlsCredentials>,
    now: UnixTime,
) -> Result<Option<Arc<MintingKeys>>, TlsCredentialsError> {
    let Some(ca) = &config.tls.ca else {
        return Ok(None);
    };
    let key = config.tls.ca_key.as_ref();
    let authority = read_authority(&ca.path, key.map(|key| &*key.path), now);
    let authority = authority.map_err(|error| TlsCredentialsError::of(ca, error))?;
    if let Some(left) = authority.expires_soon(now) {
        let days = left.as_secs() / (24 * 3600);
        tracing::warn!(days, "the certificate authority (tls.ca) expires soon");
    }
    let same = before
        .and_then(|before| before.minting.as_ref())
        .filter(|keys| {
            let old = keys.authority();
            old.certificate() == authority.certificate()
                && old.chain() == authority.chain()
                && keys.has_rsa() == config.tls.rsa_leaf
        });
    if let Some(keys) = same {
        return Ok(Some(Arc::clone(keys)));
    }
    let keys = MintingKeys::new(Arc::new(authority), now);
    let keys = match config.tls.rsa_leaf {
        true => keys.and_then(MintingKeys::with_rsa),
        false => keys,
    };
    Ok(Some(Arc::new(
        keys.map_err(|error| TlsCredentialsError::of(ca, error))?,
    )))
}

fn trust(upstream: &TlsUpstream) -> Result<Trust, TlsCredentialsError> {
    let mut sources = TrustSources {
        built_in: upstream.built_in_roots,
        ..TrustSources::default()
    };
    if upstream.system_roots {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "a root of the system cannot be read");
        }
        sources.system = found.certs;
    }
    for file in &upstream.roots {
        let roots = read_from(file, read_certificates)?;
        refuse_unusable(file, "certificate", &roots, unusable::root)?;
        sources.extra.extend(roots);
    }
    for file in &upstream.crls {
        let lists = read_from(file, read_revocation_lists)?;
        refuse_unusable(file, "revocation list", &lists, |list| {
            unusable::revocation_list(list)
        })?;
        sources.revocation_lists.extend(lists);
    }
    Ok(Trust::new(sources)?)
}

/// Says of the first object of a file that cannot be used which one it is, and why.
fn refuse_unusable<T>(
    file: &FileKey,
    kind: &str,
    objects: &[T],
    fault: impl Fn(&T) -> Option<String>,
) -> Result<(), TlsCredentialsError> {
    for (index, object) in objects.iter().enumerate() {
        if let Some(reason) = fault(object) {
            let (path, number, count) = (file.path.display(), index + 1, objects.len());
            let reason = format!("{path}: {kind} {number} of {count}: {reason}");
            return Err(TlsCredentialsError::of(file, reason));
        }
    }
    Ok(())
}

/// Reads what a listener shows; certificates of its clients are asked for, and needed unless `is_optional`.
fn read_listener(
    tls: &ListenerTls,
    is_optional: bool,
) -> Result<ListenerCredentials, TlsCredentialsError> {
    let verifier = |file: &FileKey| {
        let mut roots = RootCertStore::empty();
        for certificate in read_from(file, read_certificates)? {
            let added = roots.add(certificate);
            added.map_err(|error| TlsCredentialsError::of(file, error))?;
        }
        let builder =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(provider()));
        let builder = match is_optional {
            true => builder.allow_unauthenticated(),
            false => builder,
        };
        builder
            .build()
            .map_err(|error| TlsCredentialsError::of(file, error))
    };
    Ok(ListenerCredentials {
        identity: read_identity(&tls.identity)?,
        client_verifier: tls.client_ca.as_ref().map(verifier).transpose()?,
    })
}

fn read_identity(identity: &Identity) -> Result<Arc<CertifiedKey>, TlsCredentialsError> {
    let chain = read_from(&identity.certificate, read_certificates)?;
    let key = read_from(&identity.key, read_private_key)?;
    let certified = CertifiedKey::from_der(chain, key, &provider());
    certified
        .map(Arc::new)
        .map_err(|error| TlsCredentialsError::of(&identity.key, error))
}

fn read_from<T>(
    file: &FileKey,
    read: impl FnOnce(&Path) -> Result<T, FileError>,
) -> Result<T, TlsCredentialsError> {
    read(&file.path).map_err(|error| TlsCredentialsError::of(file, error))
}
