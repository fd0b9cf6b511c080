//! What several rooms ask of a parsed certificate, and how its times and addresses are read.

use std::net::IpAddr;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;

use crate::limits::RSA_KEY_BITS_MIN;

/// `None` for bytes that are no certificate.
pub(crate) fn parse<'a>(der: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    X509Certificate::from_der(der)
        .ok()
        .map(|(_, certificate)| certificate)
}

/// Whether it has the name of its issuer, whoever's key has signed it.
pub(crate) fn is_self_issued(certificate: &X509Certificate<'_>) -> bool {
    certificate.subject().as_raw() == certificate.issuer().as_raw()
}

/// The bits of its key, if that is an RSA key which clients refuse as too short.
pub(crate) fn short_rsa_key(certificate: &X509Certificate<'_>) -> Option<usize> {
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => Some(key.key_size()).filter(|bits| *bits < RSA_KEY_BITS_MIN),
        _ => None,
    }
}

/// Signatures with a broken hash, by the name that people know.
pub(crate) fn weak_signature(algorithm: &str) -> Option<&'static str> {
    Some(match algorithm {
        "1.2.840.113549.1.1.2" => "md2WithRSAEncryption",
        "1.2.840.113549.1.1.4" => "md5WithRSAEncryption",
        "1.2.840.113549.1.1.5" => "sha1WithRSAEncryption",
        "1.2.840.10040.4.3" => "dsa-with-SHA1",
        "1.2.840.10045.4.1" => "ecdsa-with-SHA1",
        _ => return None,
    })
}

/// RFC 7093 section 2, method 1: the first 160 bits of the SHA-256 of the public key.
pub(crate) fn key_identifier_of(public_key: &[u8]) -> Vec<u8> {
    Sha256::digest(public_key)
        .iter()
        .copied()
        .take(20)
        .collect()
}

/// Four or sixteen octets.
pub(crate) fn address(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(octets) {
        return Some(IpAddr::from(four));
    }
    <[u8; 16]>::try_from(octets).ok().map(IpAddr::from)
}

/// `None` before 1970.
pub(crate) fn unix_time(seconds: i64) -> Option<UnixTime> {
    let seconds = u64::try_from(seconds).ok()?;
    Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}

/// A moment, for people.
pub(crate) fn date(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    match jiff::Timestamp::from_second(seconds) {
        Ok(timestamp) => timestamp.to_string(),
        Err(_) => "a time beyond reckoning".to_owned(),
    }
}
