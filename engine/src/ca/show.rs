//! `sallyport ca show`: what a certificate authority is, and how clients come to trust it.

use std::fmt::Write as _;
use std::path::Path;

use data_encoding::BASE64;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use sallyport_pki::rfc_4514;
use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;

use super::error::CaError;
use crate::tls::read_certificates;

/// How each kind of client comes to trust it; `{ca}` stands for the file.
const GUIDE: &str = include_str!("trust_guide.txt");

/// Describes the authority of a file, says whom clients are to trust, then the guide.
///
/// # Errors
/// If the file cannot be read or holds no certificate.
pub(crate) fn show(path: &Path, now: Timestamp) -> Result<String, CaError> {
    let ders = read_certificates(path)?;
    let certificates = parse_all(path, &ders)?;
    let family = Family::of(path, &certificates)?;
    let facts = facts(path, family.own.as_raw(), now)?;
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let file = shell_word(&absolute.to_string_lossy());
    let (whom, trusted) = match family.root {
        _ if is_self_issued(family.own) => (String::new(), file),
        Some((number, root)) => (
            format!(
                "Root         {root} (certificate {number} of the file)\n\n\
                 Clients trust the root, not this certificate: it stands below the root, and the proxy sends it to them.\n\
                 Take the root out of the file; below, root.pem is what this makes:\n  \
                 sallyport ca show --root {file} > root.pem\n",
                root = rfc_4514(root.subject()),
            ),
            "root.pem".to_owned(),
        ),
        None => (
            format!(
                "Root         above {top}, which is not in the file\n\n\
                 Clients trust the root, not this certificate: it stands below the root, and the proxy sends it to them.\n\
                 Have the root's certificate of those who run it; below, root.pem is that file.\n",
                top = rfc_4514(family.top.issuer()),
            ),
            "root.pem".to_owned(),
        ),
    };
    let guide = GUIDE.replace("{ca}", &trusted);
    Ok(format!("{facts}{whom}\n{}", guide.trim_end()))
}

/// The root of a file in PEM: what clients are to trust.
///
/// # Errors
/// If the file cannot be read, or the root is not in it.
pub(crate) fn show_root(path: &Path) -> Result<String, CaError> {
    let ders = read_certificates(path)?;
    let certificates = parse_all(path, &ders)?;
    let family = Family::of(path, &certificates)?;
    let Some((_, root)) = family.root else {
        let top = rfc_4514(family.top.issuer());
        return Err(CaError::NotACertificate {
            path: path.to_owned(),
            reason: format!("the root is not in the file: `{top}` stands above what is"),
        });
    };
    let base64 = BASE64.encode(root.as_raw());
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    // RFC 7468 section 2: lines of 64 characters.
    for line in base64.as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----");
    Ok(text)
}

/// The certificates of a file by the names of their issuers.
struct Family<'a> {
    /// The authority: what issued none of the others.
    own: &'a X509Certificate<'a>,
    /// The last of those above it.
    top: &'a X509Certificate<'a>,
    /// It, if it is a root, and its place in the file from 1.
    root: Option<(usize, &'a X509Certificate<'a>)>,
}

impl<'a> Family<'a> {
    fn of(path: &Path, certificates: &'a [X509Certificate<'a>]) -> Result<Self, CaError> {
        let names = |issuer: &X509Certificate<'_>, other: &X509Certificate<'_>| {
            other.issuer().as_raw() == issuer.subject().as_raw()
        };
        let issued_none = |candidate: &&X509Certificate<'_>| {
            let mut others = certificates
                .iter()
                .filter(|other| !std::ptr::eq(*other, *candidate));
            !others.any(|other| names(candidate, other))
        };
        let first = certificates
            .first()
            .ok_or_else(|| CaError::NotACertificate {
                path: path.to_owned(),
                reason: "there is no certificate".to_owned(),
            })?;
        let own = certificates.iter().find(issued_none).unwrap_or(first);
        let mut top = own;
        for _ in certificates {
            match certificates.iter().find(|above| names(above, top)) {
                Some(above) if !is_self_issued(top) => top = above,
                _ => break,
            }
        }
        let place = certificates
            .iter()
            .position(|other| std::ptr::eq(other, top));
        let root = place.filter(|_| is_self_issued(top));
        Ok(Self {
            own,
            top,
            root: root.map(|index| (index + 1, top)),
        })
    }
}

fn parse_all<'a>(
    path: &Path,
    ders: &'a [CertificateDer<'_>],
) -> Result<Vec<X509Certificate<'a>>, CaError> {
    ders.iter().map(|der| parse(path, der)).collect()
}

fn parse<'a>(path: &Path, der: &'a [u8]) -> Result<X509Certificate<'a>, CaError> {
    let parsed = X509Certificate::from_der(der);
    let (_, certificate) = parsed.map_err(|error| CaError::NotACertificate {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(certificate)
}

fn is_self_issued(certificate: &X509Certificate<'_>) -> bool {
    certificate.subject().as_raw() == certificate.issuer().as_raw()
}

/// Subject, key, validity and fingerprints, a line each.
pub(super) fn facts(path: &Path, der: &[u8], now: Timestamp) -> Result<String, CaError> {
    let certificate = parse(path, der)?;
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
