//! What a shard has learned about hosts and keeps from one tunnel to the next: minted certificates,
//! certificates of origins that were verified, clients that refuse ours. Everything is bounded; what was used least recently goes first.

use std::cell::{Cell, RefCell};
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use lru::LruCache;
use rustls::sign::CertifiedKey;
use sallyport_pki::{LeafSubject, MintError, Minter, OriginCertificate};

use super::certificate_cache::CertificateCache;
use super::credentials::TlsCredentials;
use crate::clock;
use crate::hashing::MapHasher;
use crate::limits::{ORIGIN_MEMORY_ENTRIES, ORIGIN_MEMORY_LIFE, REFUSAL_ENTRIES};
use crate::observe::{MintResult, ShardMetrics};

type Table<V> = LruCache<Box<str>, V, MapHasher>;

/// The caches of one shard.
#[derive(Debug)]
pub(crate) struct TlsCaches {
    certificates: RefCell<Option<CertificateCache>>,
    /// By host and port, and the parameters that it was spoken to with.
    origins: RefCell<Table<Vec<KnownOrigin>>>,
    refusals: RefCell<Table<u64>>,
    next_id: Cell<u64>,
}

/// An origin that was spoken to.
#[derive(Debug, Clone)]
pub(crate) struct KnownOrigin {
    port: u16,
    parameters: u64,
    /// Its certificate as it came.
    der: Rc<[u8]>,
    certificate: Rc<OriginCertificate>,
    /// Let pass although it was not believed.
    is_faulty: bool,
    seen: Instant,
}

/// Which origin is meant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OriginKey<'a> {
    /// The name that it was asked for.
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    /// [`super::configs::OriginParameters::id`]
    pub(crate) parameters: u64,
}

impl TlsCaches {
    pub(crate) fn new() -> Self {
        Self {
            certificates: RefCell::default(),
            origins: RefCell::new(table(ORIGIN_MEMORY_ENTRIES)),
            refusals: RefCell::new(table(REFUSAL_ENTRIES)),
            next_id: Cell::new(0),
        }
    }

    /// A number that was not given before.
    pub(crate) fn next_id(&self) -> u64 {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        id
    }

    /// Goes over to new credentials: what was minted by the same keys stays.
    pub(crate) fn adopt(
        &self,
        before: Option<&TlsCredentials>,
        credentials: &TlsCredentials,
        entries: NonZeroUsize,
    ) -> Result<(), MintError> {
        self.origins.borrow_mut().clear();
        let is_same = match (before.map(|before| &before.minting), &credentials.minting) {
            (Some(Some(old)), Some(new)) => Arc::ptr_eq(old, new),
            _ => false,
        };
        let mut certificates = self.certificates.borrow_mut();
        let Some(keys) = &credentials.minting else {
            *certificates = None;
            return Ok(());
        };
        if !is_same || certificates.is_none() {
            let minter = Minter::new(Arc::clone(keys))?;
            *certificates = Some(CertificateCache::new(minter, entries));
        }
        Ok(())
    }

    /// The certificate to show to a client. `None` if nothing is minted here.
    pub(crate) fn certificate(
        &self,
        subject: LeafSubject<'_>,
        metrics: &ShardMetrics,
    ) -> Option<Result<Arc<CertifiedKey>, MintError>> {
        let mut certificates = self.certificates.borrow_mut();
        let cache = certificates.as_mut()?;
        let hits = cache.hits();
        let certificate = cache.certificate(subject, clock::unix_time());
        if certificate.is_ok() {
            metrics.mints.count((match cache.hits() > hits {
                true => MintResult::Cached,
                false => MintResult::Minted,
            },));
        }
        Some(certificate)
    }

    /// What is known of an origin that was verified not long ago.
    pub(crate) fn origin(&self, key: OriginKey<'_>) -> Option<KnownOrigin> {
        let mut origins = self.origins.borrow_mut();
        let known = origins.get(key.host)?;
        let known = known.iter().find(|known| known.is_for(key))?;
        known.is_fresh().then(|| known.clone())
    }

    /// Remembers an origin whose handshake has just succeeded, by the certificate that it sent.
    pub(crate) fn remember(
        &self,
        key: OriginKey<'_>,
        der: &[u8],
        is_faulty: bool,
    ) -> Rc<OriginCertificate> {
        let mut origins = self.origins.borrow_mut();
        let known = origins.get_or_insert_mut(key.host.into(), Vec::new);
        let found = known.iter_mut().find(|known| known.is_for(key));
        if let Some(found) = found {
            found.seen = clock::now();
            found.is_faulty = is_faulty;
            if *found.der != *der {
                found.der = der.into();
                found.certificate = Rc::new(OriginCertificate::read(der));
            }
            return Rc::clone(&found.certificate);
        }
        // A host has few ports; parameters that are no more go with the reload that ended them.
        known.retain(KnownOrigin::is_fresh);
        let certificate = Rc::new(OriginCertificate::read(der));
        if known.len() < ORIGINS_PER_HOST_MAX {
            known.push(KnownOrigin {
                port: key.port,
                parameters: key.parameters,
                der: der.into(),
                certificate: Rc::clone(&certificate),
                is_faulty,
                seen: clock::now(),
            });
        }
        certificate
    }

    /// Forgets an origin that could not be verified any more.
    pub(crate) fn forget(&self, key: OriginKey<'_>) {
        if let Some(known) = self.origins.borrow_mut().get_mut(key.host) {
            known.retain(|known| !known.is_for(key));
        }
    }

    /// Counts a client that refused our certificate for `host`; says how many did.
    pub(crate) fn count_refusal(&self, host: &str) -> u64 {
        let mut refusals = self.refusals.borrow_mut();
        let count = refusals.get_or_insert_mut(host.into(), || 0);
        *count += 1;
        *count
    }
}

/// Ports and parameters of one host that are remembered.
const ORIGINS_PER_HOST_MAX: usize = 16;

impl KnownOrigin {
    fn is_for(&self, key: OriginKey<'_>) -> bool {
        self.port == key.port && self.parameters == key.parameters
    }

    fn is_fresh(&self) -> bool {
        let not_after = self.certificate.not_after();
        clock::since(self.seen) < ORIGIN_MEMORY_LIFE
            && not_after.is_none_or(|end| self.is_faulty || clock::unix_time() < end)
    }

    /// The certificate whose names a minted one may take over: only one that was believed.
    pub(crate) fn believed(&self) -> Option<&OriginCertificate> {
        (!self.is_faulty).then_some(&*self.certificate)
    }
}

fn table<V>(entries: usize) -> Table<V> {
    let entries = NonZeroUsize::new(entries).unwrap_or(NonZeroUsize::MIN);
    LruCache::with_hasher(entries, MapHasher::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(port: u16, parameters: u64) -> OriginKey<'static> {
        OriginKey {
            host: "a.test",
            port,
            parameters,
        }
    }

    #[test]
    fn an_origin_is_known_by_host_port_and_parameters() {
        let caches = TlsCaches::new();
        let first = caches.remember(key(443, 1), b"no certificate", false);
        assert!(caches.origin(key(443, 1)).unwrap().believed().is_some());
        assert!(caches.origin(key(8443, 1)).is_none());
        assert!(caches.origin(key(443, 2)).is_none());
        let again = caches.remember(key(443, 1), b"no certificate", true);
        assert!(Rc::ptr_eq(&first, &again));
        assert!(caches.origin(key(443, 1)).unwrap().believed().is_none());
        let other = caches.remember(key(443, 1), b"another", false);
        assert_ne!(first.sha256(), other.sha256());
        caches.forget(key(443, 1));
        assert!(caches.origin(key(443, 1)).is_none());
    }

    #[test]
    fn one_host_cannot_fill_the_memory() {
        let caches = TlsCaches::new();
        for port in 0..1_000 {
            caches.remember(key(port, 0), b"x", false);
        }
        assert_eq!(
            caches.origins.borrow().peek("a.test").unwrap().len(),
            ORIGINS_PER_HOST_MAX
        );
    }

    #[test]
    fn refusals_are_counted_by_host() {
        let caches = TlsCaches::new();
        assert_eq!(caches.count_refusal("a.test"), 1);
        assert_eq!(caches.count_refusal("a.test"), 2);
        assert_eq!(caches.count_refusal("b.test"), 1);
    }
}
