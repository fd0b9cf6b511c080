//! Minting: microseconds per certificate by the kind of the authority's key, with the leaf key that
//! all share and with a new one each; judging an origin's chain.
//!
//! `cargo bench -p sallyport-pki --bench minting`
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark of its own input, run by hand"
)]

use std::sync::Arc;

use divan::Bencher;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rcgen::{KeyUsagePurpose, SignatureAlgorithm};
use rustls::pki_types::{ServerName, UnixTime};
use sallyport_pki::{
    Authority, CertificateName, LeafKey, LeafSubject, Minter, MintingKeys, OriginCertificate,
    Trust, TrustSources,
};

fn main() {
    divan::main();
}

/// The key of the authority.
#[derive(Debug, Clone, Copy)]
enum Kind {
    P256,
    P384,
    Rsa2048,
}

const KINDS: [Kind; 3] = [Kind::P256, Kind::P384, Kind::Rsa2048];

fn root(kind: Kind) -> CertifiedIssuer<'static, KeyPair> {
    let algorithm: &SignatureAlgorithm = match kind {
        Kind::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
        Kind::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
        Kind::Rsa2048 => &rcgen::PKCS_RSA_SHA256,
    };
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate_for(algorithm).unwrap()).unwrap()
}

fn keys(kind: Kind) -> Arc<MintingKeys> {
    let root = root(kind);
    let key = root.key().serialize_pem();
    let now = UnixTime::now();
    let authority = Authority::load(root.pem().as_bytes(), key.as_bytes(), now).unwrap();
    Arc::new(MintingKeys::new(Arc::new(authority), now).unwrap())
}

fn host() -> CertificateName {
    CertificateName::dns("www.a.test").unwrap()
}

fn subject(asked: &CertificateName) -> LeafSubject<'_> {
    LeafSubject {
        asked,
        origin: None,
        key: LeafKey::Ecdsa,
    }
}

/// What a miss of the cache costs.
#[divan::bench(args = KINDS)]
fn shared_leaf_key(bencher: Bencher<'_, '_>, kind: Kind) {
    let (minter, now, host) = (Minter::new(keys(kind)).unwrap(), UnixTime::now(), host());
    bencher.bench_local(|| minter.mint(subject(&host), now).unwrap());
}

/// What it would cost with a leaf key for each certificate.
#[divan::bench(args = KINDS)]
fn new_leaf_key(bencher: Bencher<'_, '_>, kind: Kind) {
    let (keys, now, host) = (keys(kind), UnixTime::now(), host());
    bencher.bench_local(|| {
        let renewed = Arc::new(keys.renewed(now).unwrap());
        Minter::new(renewed)
            .unwrap()
            .mint(subject(&host), now)
            .unwrap()
    });
}

/// An origin with as many names as are taken over.
#[divan::bench]
fn origin_with_256_names(bencher: Bencher<'_, '_>) {
    let names: Vec<String> = (0..256).map(|n| format!("n{n}.a.test")).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let origin = OriginCertificate::read(made.cert.der());
    let (minter, now, host) = (
        Minter::new(keys(Kind::P256)).unwrap(),
        UnixTime::now(),
        host(),
    );
    let subject = LeafSubject {
        asked: &host,
        origin: Some(&origin),
        key: LeafKey::Ecdsa,
    };
    bencher.bench_local(|| minter.mint(subject, now).unwrap());
}

/// The facts of an origin, read once for each upstream connection.
#[divan::bench]
fn read_origin(bencher: Bencher<'_, '_>) {
    let names = vec!["a.test".to_owned(), "*.a.test".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    bencher.bench_local(|| OriginCertificate::read(divan::black_box(made.cert.der())));
}

/// The judgment on an origin with one intermediate, part of each full handshake with it.
#[divan::bench(args = KINDS)]
fn judge_origin(bencher: Bencher<'_, '_>, kind: Kind) {
    let root = root(kind);
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "Middle");
    let key = || KeyPair::generate().unwrap();
    let middle = CertifiedIssuer::signed_by(params, key(), &root).unwrap();
    let mut params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
    params.use_authority_key_identifier_extension = true;
    let leaf = params.signed_by(&key(), &middle).unwrap();
    let trust = Trust::new(TrustSources {
        built_in: true,
        extra: vec![root.der().clone()],
        ..TrustSources::default()
    });
    let (trust, now) = (trust.unwrap(), UnixTime::now());
    let name = ServerName::try_from("a.test").unwrap();
    let above = [middle.der().clone()];
    bencher.bench_local(|| trust.judge(leaf.der(), &above, &name, now).unwrap());
}
