//! New configuration and rules: read and verified aside, then handed to each shard.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use thiserror::Error;

use super::bundle_store::{self, BundleStoreError, Fingerprint};
use crate::clock::unix_time;
use crate::config::checked::{Listener, Log};
use crate::config::{Config, ConfigErrors, Overrides};
use crate::destination::own_networks;
use crate::identity::{Identities, IdentityFileError};
use crate::shard::Generation;
use crate::tls::credentials::{TlsCredentials, TlsCredentialsError};

/// Why new configuration or rules are not used.
#[derive(Debug, Error)]
pub(crate) enum ReloadError {
    #[error("{0}")]
    Config(ConfigErrors),
    #[error("{}, {error}", file.display())]
    Credentials {
        file: PathBuf,
        error: TlsCredentialsError,
    },
    #[error("{}, {error}", file.display())]
    Identity {
        file: PathBuf,
        error: IdentityFileError,
    },
    #[error(transparent)]
    Bundle(#[from] BundleStoreError),
}

/// Where configuration and rules come from, and what is in force.
#[derive(Debug)]
pub(crate) struct Source {
    file: PathBuf,
    overrides: Overrides,
    /// The bundle file that was read last, whether it could be used or not.
    seen: Option<Fingerprint>,
    /// What was read of the files of TLS, and for which configuration.
    credentials: Option<(Arc<Config>, Arc<TlsCredentials>)>,
    /// The same of the files that say who clients are.
    identities: Option<IdentityFiles>,
}

/// What was read of the files that say who clients are.
#[derive(Debug)]
struct IdentityFiles {
    config: Arc<Config>,
    /// As they were when they were read, whether they could be used or not.
    files: Vec<Option<Fingerprint>>,
    identities: Option<Arc<Identities>>,
}

impl Source {
    pub(crate) fn new(file: PathBuf, overrides: Overrides) -> Self {
        Self {
            file,
            overrides,
            seen: None,
            credentials: None,
            identities: None,
        }
    }

    /// Reads the configuration.
    pub(crate) fn config(&self) -> Result<Arc<Config>, ReloadError> {
        Config::load(&self.file, &self.overrides)
            .map(Arc::new)
            .map_err(ReloadError::Config)
    }

    /// Reads the bundle that `config` names, and joins both.
    pub(crate) fn generation(
        &mut self,
        config: Arc<Config>,
        listeners: Arc<[SocketAddr]>,
    ) -> Result<Generation, ReloadError> {
        self.seen = Fingerprint::of(&config.ruleset);
        let started = Instant::now();
        let bundle = bundle_store::load(&config.ruleset, &config.trusted_keys)?;
        let load_ms = started.elapsed().as_secs_f64() * 1e3;
        tracing::info!(bundle = bundle.id(), load_ms, "bundle loaded and validated");
        let credentials = self.credentials(&config)?;
        let identities = self.identities(&config)?;
        Ok(Generation {
            credentials,
            identities,
            config,
            bundle,
            listeners,
            own_networks: own_networks().into(),
            fallbacks: Arc::default(),
            rule_hits: Arc::default(),
        })
    }

    /// Reads the files of TLS that `config` names, once for each time that it was read.
    fn credentials(&mut self, config: &Arc<Config>) -> Result<Arc<TlsCredentials>, ReloadError> {
        let before = self.credentials.as_ref();
        if let Some((of, credentials)) = before
            && Arc::ptr_eq(of, config)
        {
            return Ok(Arc::clone(credentials));
        }
        let before = before.map(|(_, credentials)| &**credentials);
        let credentials = TlsCredentials::load(config, before, unix_time());
        let credentials = credentials.map_err(|error| ReloadError::Credentials {
            file: self.file.clone(),
            error,
        })?;
        let credentials = Arc::new(credentials);
        self.credentials = Some((Arc::clone(config), Arc::clone(&credentials)));
        Ok(credentials)
    }

    /// Reads the files of users, tokens and keys of issuers that `config` names, once for each content of
    /// them: what was found out about clients counts as long as these are the same.
    fn identities(&mut self, config: &Arc<Config>) -> Result<Option<Arc<Identities>>, ReloadError> {
        let files = Fingerprint::of_identity(config);
        if let Some(before) = &self.identities
            && Arc::ptr_eq(&before.config, config)
            && before.files == files
        {
            return Ok(before.identities.clone());
        }
        let before = self.identities.as_ref();
        let before = before.and_then(|before| before.identities.as_deref());
        let identities = Identities::load(config, before).map_err(|error| {
            let file = self.file.clone();
            ReloadError::Identity { file, error }
        })?;
        let identities = identities.map(Arc::new);
        self.identities = Some(IdentityFiles {
            config: Arc::clone(config),
            files,
            identities: identities.clone(),
        });
        Ok(identities)
    }

    /// What the files say of clients, if one of them has been replaced since it was read. One that cannot be
    /// used is told once, and what it said before stays in force.
    pub(crate) fn renew_identities(&mut self) -> Option<Option<Arc<Identities>>> {
        let before = self.identities.as_mut()?;
        let files = Fingerprint::of_identity(&before.config);
        // A file that is gone is about to be there again.
        if before.files == files || files.contains(&None) {
            return None;
        }
        before.files = files;
        match Identities::load(&before.config, before.identities.as_deref()) {
            Ok(identities) => {
                before.identities = identities.map(Arc::new);
                Some(before.identities.clone())
            }
            Err(error) => {
                let file = self.file.display();
                tracing::error!("a file was replaced and is not used: {file}, {error}");
                None
            }
        }
    }

    /// New keys for minting and for session tickets, if old ones have served their time.
    pub(crate) fn renew_keys(&mut self) -> Option<Arc<TlsCredentials>> {
        let (_, credentials) = self.credentials.as_mut()?;
        *credentials = Arc::new(credentials.renewed(unix_time())?);
        Some(Arc::clone(credentials))
    }

    /// Whether the bundle file is another one than was read last. A file that is gone is not: the
    /// moment between removing and renaming is no reason to complain.
    pub(crate) fn has_changed(&self, ruleset: &Path) -> bool {
        Fingerprint::of(ruleset).is_some_and(|now| self.seen != Some(now))
    }
}

/// Says which changes of the configuration need a restart.
pub(crate) fn warn_of_restart(old: &Config, new: &Config) {
    let changes = [
        ("shards", old.shards != new.shards),
        ("io.driver", old.io != new.io),
        ("admin", old.admin != new.admin),
        ("listener", listens_elsewhere(old, new)),
        ("log", differs_for_the_writer(&old.log, &new.log)),
        (
            "limits.buffer_bytes",
            old.limits.buffer_bytes != new.limits.buffer_bytes,
        ),
    ];
    for (key, _) in changes.iter().filter(|(_, changed)| *changed) {
        tracing::warn!(
            key,
            "changed in the configuration, but takes effect only at a restart"
        );
    }
}

/// Whether other sockets are needed, or something else is spoken on one of them. The rest of a listener is
/// read by each connection.
fn listens_elsewhere(old: &Config, new: &Config) -> bool {
    let is_same = |(old, new): (&Listener, &Listener)| {
        let speaks_tls = |listener: &Listener| listener.protocol.tls().is_some();
        old.address == new.address && speaks_tls(old) == speaks_tls(new)
    };
    old.listeners.len() != new.listeners.len()
        || !old.listeners.iter().zip(&new.listeners).all(is_same)
}

/// Whether anything is different that transactions do not take from their own configuration.
fn differs_for_the_writer(old: &Log, new: &Log) -> bool {
    let taken_over = Log {
        query: new.query,
        progress: new.progress,
        connections: new.connections,
        ..old.clone()
    };
    taken_over != *new
}
