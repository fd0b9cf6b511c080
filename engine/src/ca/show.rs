//! `sallyport ca show`: what a certificate authority is, and how clients come to trust it.

use std::fmt::Write as _;
use std::path::Path;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;

use super::error::CaError;
use crate::tls::{read_certificates, rfc_4514};

/// How each kind of client comes to trust it; `{ca}` stands for the file.
const GUIDE: &str = include_str!("trust_guide.txt");

/// Describes the first certificate of a file, then the guide.
///
/// # Errors
/// If the file cannot be read or holds no certificate.
pub(crate) fn show(path: &Path, now: Timestamp) -> Result<String, CaError> {
    let certificates = read_certificates(path)?;
    let missing = || CaError::NotACertificate {
        path: path.to_owned(),
        reason: "there is no certificate".to_owned(),
    };
    let first = certificates.first().ok_or_else(missing)?;
    let facts = facts(path, first, now)?;
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let guide = GUIDE.replace("{ca}", &shell_word(&absolute.to_string_lossy()));
    Ok(format!("{facts}\n{}", guide.trim_end()))
}

/// Subject, key, validity and fingerprints, a line each.
pub(super) fn facts(path: &Path, der: &[u8], now: Timestamp) -> Result<String, CaError> {
    let (_, certificate) =
        X509Certificate::from_der(der).map_err(|error| CaError::NotACertificate {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
    let is_authority = certificate
        .basic_constraints()
        .is_ok_and(|constraints| constraints.is_some_and(|constraints| constraints.value.ca));
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<12} {value}");
    };
    line("Subject", &rfc_4514(certificate.subject()));
    line("Issuer", &rfc_4514(certificate.issuer()));
    if !is_authority {
        line(
            "WARNING",
            "this is not a certificate authority: it cannot be used for interception",
        );
    }
    line("Key", &key(&certificate));
    line("Valid", &validity(&certificate, now));
    line("SHA-256", &colons(&Sha256::digest(der)));
    Ok(text)
}

fn key(certificate: &X509Certificate<'_>) -> String {
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => format!("RSA, {} bits", key.key_size()),
        Ok(PublicKey::EC(point)) => format!("ECDSA, P-{}", point.key_size()),
        _ => "of another kind".to_owned(),
    }
}

fn validity(certificate: &X509Certificate<'_>, now: Timestamp) -> String {
    let (begin, end) = (
        certificate.validity().not_before.timestamp(),
        certificate.validity().not_after.timestamp(),
    );
    let date = |seconds| match Timestamp::from_second(seconds) {
        Ok(timestamp) => timestamp.strftime("%Y-%m-%d").to_string(),
        Err(_) => "?".to_owned(),
    };
    let days_left = (end - now.as_second()) / (24 * 3600);
    let state = if now.as_second() > end {
        "EXPIRED".to_owned()
    } else if now.as_second() < begin {
        "NOT YET VALID".to_owned()
    } else {
        format!("{days_left} days left")
    };
    format!("{} to {} ({state})", date(begin), date(end))
}

/// As `openssl x509 -fingerprint` prints it.
fn colons(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

/// A path as a TOML string.
pub(super) fn quoted(path: &Path) -> String {
    toml::Value::from(path.to_string_lossy().into_owned()).to_string()
}

/// A word of a shell, quoted if it must be.
fn shell_word(word: &str) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || "/._-+,:@".contains(character);
    if word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}
