//! All that says who clients are under one configuration: ways to authenticate by listener, users, tokens,
//! issuers of tokens, and what is known of whom. Never changed; a reload makes a new one.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use sallyport_identity::{JwtIssuer, KeySet, PasswordFile, TokenFile};

use super::files::{self, IdentityFileError};
use super::sources::Sources;
use crate::config::Config;
use crate::config::checked::AuthMethods;

/// What clients are known by.
#[derive(Debug)]
pub(crate) struct Identities {
    /// Unlike that of any other of this process: what was found out under another one may not hold.
    pub(crate) id: u64,
    pub(crate) users: PasswordFile,
    pub(crate) tokens: TokenFile,
    pub(crate) issuers: Vec<Issuer>,
    pub(crate) sources: Sources,
    /// `auth.failures_per_minute`, or no limit.
    pub(crate) failures_per_minute: Option<u32>,
    /// How clients authenticate, by the address that the configuration gives their listener.
    listeners: Vec<(SocketAddr, AuthMethods)>,
}

/// Whose JWTs are taken, and by which keys.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) issuer: JwtIssuer,
    pub(crate) keys: KeySet,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Identities {
    /// Reads what `config` names; `None` if it says nothing of identity, and no request has to look. A
    /// listener of which `before` speaks and `config` does not is there until a restart, and asks as it did.
    pub(crate) fn load(
        config: &Config,
        before: Option<&Self>,
    ) -> Result<Option<Self>, IdentityFileError> {
        let listeners = asking(config, before);
        let auth = &config.auth;
        // Read in any case, so that what is wrong is told before somebody needs it.
        let users = auth.users.as_ref().map(files::users).transpose()?;
        let tokens = auth.tokens.as_ref().map(files::tokens).transpose()?;
        let issuers = auth.issuers.iter().map(|configured| {
            Ok(Issuer {
                issuer: configured.issuer.clone(),
                keys: files::keys(&configured.jwks)?,
            })
        });
        let issuers = issuers.collect::<Result<Vec<_>, _>>()?;
        let sources = Sources::new(&config.identity_sources);
        if listeners.is_empty() && sources.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            users: users.unwrap_or_default(),
            tokens: tokens.unwrap_or_default(),
            issuers,
            sources,
            failures_per_minute: auth.failures_per_minute,
            listeners,
        }))
    }

    /// How the clients of a listener authenticate; in no way, if they need not.
    pub(crate) fn methods(&self, listener: SocketAddr) -> AuthMethods {
        let mut listeners = self.listeners.iter();
        let found = listeners.find(|(address, _)| *address == listener);
        found.map_or_else(AuthMethods::default, |(_, methods)| *methods)
    }
}

/// The listeners that ask who their clients are.
fn asking(config: &Config, before: Option<&Identities>) -> Vec<(SocketAddr, AuthMethods)> {
    let now = config.listeners.iter();
    let now = now.map(|listener| (listener.address, listener.auth));
    let is_forgotten = |(address, _): &&(SocketAddr, AuthMethods)| {
        let mut listeners = config.listeners.iter();
        !listeners.any(|listener| listener.address == *address)
    };
    let forgotten = before.map_or(&[][..], |before| &before.listeners);
    let forgotten = forgotten.iter().filter(is_forgotten).copied();
    now.chain(forgotten)
        .filter(|(_, methods)| methods.are_any())
        .collect()
}
