//! Authorities and certificates made on the spot, at a fixed time.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    SignatureAlgorithm,
};
use rustls::pki_types::UnixTime;
use time::OffsetDateTime;

use crate::tls::{Authority, CertificateName, Minter, MintingKeys};

/// 2026-06-01T00:00:00Z.
pub(super) const NOW: u64 = 1_780_272_000;
pub(super) const DAY: u64 = 24 * 3600;

pub(super) fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

pub(super) fn now() -> UnixTime {
    at(NOW)
}

pub(super) fn date(seconds: u64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).unwrap()).unwrap()
}

pub(super) type Issuer = CertifiedIssuer<'static, KeyPair>;

/// Parameters of an authority that is valid for a year around [`NOW`].
pub(super) fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date(NOW - 180 * DAY);
    params.not_after = date(NOW + 180 * DAY);
    params
}

pub(super) fn root_of(params: CertificateParams, algorithm: &'static SignatureAlgorithm) -> Issuer {
    let key = KeyPair::generate_for(algorithm).unwrap();
    CertifiedIssuer::self_signed(params, key).unwrap()
}

/// An authority as the proxy loads it.
pub(super) fn load(issuer: &Issuer) -> Authority {
    let key = issuer.key().serialize_pem();
    Authority::load(issuer.pem().as_bytes(), key.as_bytes(), now()).unwrap()
}

pub(super) fn minter(authority: Authority) -> Minter {
    let keys = MintingKeys::new(Arc::new(authority), now()).unwrap();
    Minter::new(Arc::new(keys)).unwrap()
}

pub(super) fn name(text: &str) -> CertificateName {
    match text.parse() {
        Ok(address) => CertificateName::Address(address),
        Err(_) => CertificateName::dns(text).unwrap(),
    }
}
