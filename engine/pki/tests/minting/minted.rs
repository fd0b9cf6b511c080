//! Chains minted for others to verify, written as files.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    KeyUsagePurpose, SignatureAlgorithm,
};
use rustls::pki_types::UnixTime;
use sallyport_pki::OriginCertificate;
use sallyport_pki::{Authority, CertificateName, LeafKey, LeafSubject, Minter, MintingKeys};

/// A chain and what to verify it for.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) root: PathBuf,
    pub(crate) chain: PathBuf,
}

impl Case {
    pub(crate) fn is_address(&self) -> bool {
        self.name.parse::<IpAddr>().is_ok()
    }
}

/// Each kind of authority with each kind of name: what every verifier must accept.
pub(crate) fn cases(folder: &Path) -> Vec<Case> {
    let long = format!("{}.{}.test", "l".repeat(63), "m".repeat(63));
    let hosts = [
        "a.test",
        "deep.under.a.test",
        "xn--bcher-kva.test",
        "192.0.2.1",
        "2001:db8::1",
        &long,
    ];
    let origin = origin(&["www.b.test", "*.b.test", "192.0.2.2"]);
    let mut cases = Vec::new();
    for (kind, authority, root_pem) in authorities() {
        let root = folder.join(format!("{kind}.pem"));
        fs::write(&root, root_pem).unwrap();
        let minter = minter(authority);
        let mut add = |host: &str, origin: Option<&OriginCertificate>| {
            let chain = folder.join(format!("{kind}-{}.pem", cases.len()));
            fs::write(&chain, mint(&minter, host, origin)).unwrap();
            cases.push(Case {
                name: host.to_owned(),
                root: root.clone(),
                chain,
            });
        };
        for host in hosts {
            add(host, None);
        }
        for host in ["www.b.test", "x.b.test", "192.0.2.2"] {
            add(host, Some(&origin));
        }
    }
    cases
}

/// Roots of three kinds of key, and a subordinate two below its root.
fn authorities() -> Vec<(&'static str, Authority, String)> {
    let mut all = Vec::new();
    for (kind, algorithm) in [
        ("p256", &rcgen::PKCS_ECDSA_P256_SHA256),
        ("p384", &rcgen::PKCS_ECDSA_P384_SHA384),
        ("rsa", &rcgen::PKCS_RSA_SHA256),
    ] {
        let root = root(kind, algorithm);
        all.push((kind, load(&root, &root.pem()), root.pem()));
    }
    let top = root("Top", &rcgen::PKCS_RSA_SHA256);
    let key = || KeyPair::generate().unwrap();
    let middle = CertifiedIssuer::signed_by(params("Middle", 1), key(), &top).unwrap();
    let low = CertifiedIssuer::signed_by(params("Low", 0), key(), &middle).unwrap();
    let authority = load(&low, &(low.pem() + &middle.pem()));
    all.push(("subordinate", authority, top.pem()));
    all
}

fn root(name: &str, algorithm: &'static SignatureAlgorithm) -> CertifiedIssuer<'static, KeyPair> {
    let key = KeyPair::generate_for(algorithm).unwrap();
    CertifiedIssuer::self_signed(params(name, 2), key).unwrap()
}

fn params(name: &str, path_length: u8) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, "Acme, Inc.");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    let now = i64::try_from(UnixTime::now().as_secs()).unwrap();
    let date = |seconds| time::OffsetDateTime::from_unix_timestamp(seconds).unwrap();
    params.not_before = date(now - 86_400);
    params.not_after = date(now + 365 * 86_400);
    params
}

fn load(issuer: &CertifiedIssuer<'static, KeyPair>, pem: &str) -> Authority {
    let key = issuer.key().serialize_pem();
    Authority::load(pem.as_bytes(), key.as_bytes(), UnixTime::now()).unwrap()
}

/// The facts of an origin's certificate with these names.
pub(crate) fn origin(names: &[&str]) -> OriginCertificate {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    OriginCertificate::read(made.cert.der())
}

pub(crate) fn minter(authority: Authority) -> Minter {
    let keys = MintingKeys::new(Arc::new(authority), UnixTime::now()).unwrap();
    Minter::new(Arc::new(keys)).unwrap()
}

/// The chain as PEM, leaf first.
pub(crate) fn mint(minter: &Minter, host: &str, origin: Option<&OriginCertificate>) -> String {
    let asked = &name(host);
    let minted = minter
        .mint(
            LeafSubject {
                asked,
                origin,
                key: LeafKey::Ecdsa,
            },
            UnixTime::now(),
        )
        .unwrap();
    let chain = minted.certified_key.cert.iter();
    chain.map(|der| pem(der)).collect()
}

pub(crate) fn name(host: &str) -> CertificateName {
    match host.parse() {
        Ok(address) => CertificateName::Address(address),
        Err(_) => CertificateName::dns(host).unwrap(),
    }
}

fn pem(der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("-----BEGIN CERTIFICATE-----");
    for (index, triple) in der.chunks(3).enumerate() {
        if index % 16 == 0 {
            text.push('\n');
        }
        let bits = triple
            .iter()
            .fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        let bits = bits << (8 * (3 - triple.len()));
        for place in 0..4 {
            let letter = char::from(ALPHABET[bits >> (18 - 6 * place) & 63]);
            text.push(if place <= triple.len() { letter } else { '=' });
        }
    }
    text + "\n-----END CERTIFICATE-----\n"
}
