//! Authorities and certificates made on the spot, around a fixed time.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SignatureAlgorithm,
};
use rustls::pki_types::{CertificateDer, UnixTime};
use time::OffsetDateTime;

use sallyport_pki::{Authority, CertificateName, Minter, MintingKeys};

/// 2026-06-01T00:00:00Z.
pub(crate) const NOW: u64 = 1_780_272_000;
pub(crate) const DAY: u64 = 24 * 3600;

pub(crate) type Issuer = CertifiedIssuer<'static, KeyPair>;

pub(crate) fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

pub(crate) fn now() -> UnixTime {
    at(NOW)
}

pub(crate) fn date(seconds: u64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).unwrap()).unwrap()
}

/// Parameters of an authority that is valid for half a year either side of [`NOW`].
pub(crate) fn authority_params(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// Parameters of a server's certificate, with the names and for as long.
pub(crate) fn leaf_params(names: &[&str]) -> CertificateParams {
    let mut params = params(names.first().unwrap_or(&"nobody"));
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    params.subject_alt_names = CertificateParams::new(names).unwrap().subject_alt_names;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date(NOW - 180 * DAY);
    params.not_after = date(NOW + 180 * DAY);
    params.use_authority_key_identifier_extension = true;
    params
}

pub(crate) fn root_of(params: CertificateParams, algorithm: &'static SignatureAlgorithm) -> Issuer {
    let key = KeyPair::generate_for(algorithm).unwrap();
    CertifiedIssuer::self_signed(params, key).unwrap()
}

pub(crate) fn root(params: CertificateParams) -> Issuer {
    root_of(params, &rcgen::PKCS_ECDSA_P256_SHA256)
}

/// An authority below another.
pub(crate) fn below(issuer: &Issuer, params: CertificateParams) -> Issuer {
    CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), issuer).unwrap()
}

/// A certificate signed by an authority.
pub(crate) fn signed(issuer: &Issuer, params: &CertificateParams) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    params.signed_by(&key, issuer).unwrap().into()
}

/// A certificate signed by itself.
pub(crate) fn self_signed(params: &CertificateParams) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().into()
}

/// An authority as the proxy loads it; `above` are the certificates between it and a root.
pub(crate) fn load(issuer: &Issuer, above: &[&Issuer]) -> Authority {
    let key = issuer.key().serialize_pem();
    let mut pem = issuer.pem();
    pem.extend(above.iter().map(|issuer| issuer.pem()));
    Authority::load(pem.as_bytes(), key.as_bytes(), now()).unwrap()
}

pub(crate) fn keys(authority: Authority) -> Arc<MintingKeys> {
    Arc::new(MintingKeys::new(Arc::new(authority), now()).unwrap())
}

pub(crate) fn minter(authority: Authority) -> Minter {
    Minter::new(keys(authority)).unwrap()
}

pub(crate) fn name(text: &str) -> CertificateName {
    match text.parse() {
        Ok(address) => CertificateName::Address(address),
        Err(_) => CertificateName::dns(text).unwrap(),
    }
}
