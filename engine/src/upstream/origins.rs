//! What one shard has towards origins, for all its clients.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use super::http1_only::Http1Only;
use super::pool::Pool;
use super::resolver::Resolver;
use super::settings::{pool_limits, resolver};
use super::shared_dial::SharedDials;
use crate::config::checked::Config;

/// Connections that are kept, those that are being made, and what is known of origins.
#[derive(Debug)]
pub(crate) struct Origins {
    pub(crate) pool: RefCell<Pool>,
    pub(crate) dials: SharedDials,
    pub(crate) http1_only: Http1Only,
    resolver: RefCell<Rc<Resolver>>,
}

impl Origins {
    /// As `config` asks for.
    ///
    /// # Errors
    /// When the system gives no random number.
    pub(crate) fn new(config: &Config) -> io::Result<Self> {
        Ok(Self {
            pool: RefCell::new(Pool::new(pool_limits(config))),
            dials: SharedDials::default(),
            http1_only: Http1Only::default(),
            resolver: RefCell::new(resolver(config)?),
        })
    }

    pub(crate) fn resolver(&self) -> Rc<Resolver> {
        Rc::clone(&self.resolver.borrow())
    }

    /// Goes on as `config` asks for.
    pub(crate) fn adopt(&self, config: &Config, before: &Config) {
        if config.dns != before.dns || config.hosts != before.hosts {
            match resolver(config) {
                // Lookups in flight end with the resolver that they began with.
                Ok(resolver) => {
                    self.resolver.replace(resolver);
                }
                Err(error) => {
                    tracing::error!(%error, "no entropy for a new resolver: the old one stays");
                }
            }
        }
        self.pool.borrow_mut().set_limits(pool_limits(config));
    }

    /// Whether what `config` asks for can be had.
    ///
    /// # Errors
    /// As [`Origins::new`].
    pub(crate) fn verify(config: &Config) -> io::Result<()> {
        resolver(config).map(drop)
    }
}
