//! Minted certificates of one shard: bounded, the least recently used goes first, dropped well
//! before they expire.
//!
//! A shard is one thread and minting does not wait, so a name is minted once however many
//! connections ask for it at a time. A hit costs a hash, and no allocation.

use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;
use rustls::pki_types::UnixTime;
use rustls::sign::CertifiedKey;
use sallyport_pki::{
    CertificateName, LeafKey, LeafSubject, MintError, Minted, Minter, OriginCertificate,
};

use crate::hashing::MapHasher;

/// Bytes of the longest key: a fingerprint, the kinds of key and name, and a host name (RFC 1035
/// section 3.1).
const KEY_BYTES_MAX: usize = 32 + 2 + 255;

/// Minter and cache of a shard.
#[derive(Debug)]
pub struct CertificateCache {
    minter: Minter,
    entries: LruCache<Box<[u8]>, Minted, MapHasher>,
    hits: u64,
    misses: u64,
}

impl CertificateCache {
    /// An empty cache of at most `capacity` certificates. Each takes 1 KiB and what the names of
    /// the origin take, at most 8 KiB, and the chain of the authority.
    #[must_use]
    pub fn new(minter: Minter, capacity: NonZeroUsize) -> Self {
        let hasher = MapHasher::default();
        Self {
            minter,
            entries: LruCache::with_hasher(capacity, hasher),
            hits: 0,
            misses: 0,
        }
    }

    /// Mints with another minter from now on, and forgets what the old one made: after a day, or
    /// when the authority changed.
    pub fn replace_minter(&mut self, minter: Minter) {
        self.minter = minter;
        self.entries.clear();
    }

    /// The certificate for a host, from the cache or minted now.
    ///
    /// # Errors
    /// As [`Minter::mint`]; failures are not remembered.
    pub fn certificate(
        &mut self,
        subject: LeafSubject<'_>,
        now: UnixTime,
    ) -> Result<Arc<CertifiedKey>, MintError> {
        let mut buffer = [0; KEY_BYTES_MAX];
        let key = key(subject, &mut buffer);
        if let Some(key) = key
            && let Some(entry) = self.entries.get(key)
        {
            // The clock may have been set back.
            if entry.not_before <= now && now < entry.use_until {
                self.hits += 1;
                return Ok(Arc::clone(&entry.certified_key));
            }
            self.entries.pop(key);
        }
        self.misses += 1;
        let minted = self.minter.mint(subject, now)?;
        let certified_key = Arc::clone(&minted.certified_key);
        if let Some(key) = key {
            self.entries.put(key.into(), minted);
        }
        Ok(certified_key)
    }

    /// Certificates held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Requests that were answered from the cache, since start.
    #[must_use]
    pub const fn hits(&self) -> u64 {
        self.hits
    }

    /// Requests that had to mint, since start.
    #[must_use]
    pub const fn misses(&self) -> u64 {
        self.misses
    }
}

/// Fingerprint of the origin's certificate (zeros if there is none), kind of key, kind of name, name. `None` for
/// a name that is longer than any host name.
fn key<'b>(subject: LeafSubject<'_>, buffer: &'b mut [u8; KEY_BYTES_MAX]) -> Option<&'b [u8]> {
    let mut length = 0;
    let mut append = |bytes: &[u8]| {
        let end = length + bytes.len();
        buffer.get_mut(length..end)?.copy_from_slice(bytes);
        length = end;
        Some(())
    };
    let fingerprint = subject.origin.map_or(&[0; 32], OriginCertificate::sha256);
    append(fingerprint)?;
    append(match subject.key {
        LeafKey::Ecdsa => b"e",
        LeafKey::Rsa => b"r",
    })?;
    match subject.asked {
        CertificateName::Dns(name) => {
            append(b"d")?;
            append(name.as_bytes())?;
        }
        CertificateName::Address(std::net::IpAddr::V4(address)) => {
            append(b"4")?;
            append(&address.octets())?;
        }
        CertificateName::Address(std::net::IpAddr::V6(address)) => {
            append(b"6")?;
            append(&address.octets())?;
        }
    }
    buffer.get(..length)
}
