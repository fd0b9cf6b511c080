//! A hit of the cache of minted certificates. What a miss costs is measured in `engine/pki/benches`.
//!
//! `cargo bench -p sallyport --bench certificate_cache`
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark of its own input, run by hand"
)]

use std::num::NonZeroUsize;
use std::sync::Arc;

use divan::Bencher;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::UnixTime;
use sallyport::tls::CertificateCache;
use sallyport_pki::{Authority, CertificateName, LeafKey, LeafSubject, Minter, MintingKeys};

fn main() {
    divan::main();
}

fn minter(now: UnixTime) -> Minter {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = root.key().serialize_pem();
    let authority = Authority::load(root.pem().as_bytes(), key.as_bytes(), now).unwrap();
    let keys = MintingKeys::new(Arc::new(authority), now).unwrap();
    Minter::new(Arc::new(keys)).unwrap()
}

/// Among a thousand.
#[divan::bench]
fn cache_hit(bencher: Bencher<'_, '_>) {
    let now = UnixTime::now();
    let mut cache = CertificateCache::new(minter(now), NonZeroUsize::new(1_000).unwrap());
    let hosts: Vec<CertificateName> = (0..1_000)
        .map(|n| CertificateName::dns(&format!("n{n}.a.test")).unwrap())
        .collect();
    let mut next = 0;
    bencher.bench_local(|| {
        next += 1;
        let subject = LeafSubject {
            asked: &hosts[next % hosts.len()],
            origin: None,
            key: LeafKey::Ecdsa,
        };
        cache.certificate(subject, now).unwrap()
    });
}
