//! What RFC 5280 and the TLS server profile ask of a path, beyond what webpki checks: key usage, key
//! lengths, and the validity and constraints of roots, which webpki takes as bare keys.
//!
//! Called by `verify` for a path that webpki has found good.

use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::VerifiedPath;
use x509_parser::certificate::X509Certificate;

use super::fault::{CertificateFault, OriginFault};
use super::origin_certificate::unix_time;
use super::verify;

/// The certificates above the leaf. `roots` are the certificates of the roots that are known as
/// such; of others only the key is known.
pub(super) fn path(
    path: &VerifiedPath<'_>,
    roots: &[CertificateDer<'static>],
    now: UnixTime,
) -> Result<(), OriginFault> {
    let mut below = 0;
    for intermediate in path.intermediate_certificates() {
        let der = intermediate.der();
        authority(&read(&der)?, below)?;
        below += 1;
    }
    let anchor = path.anchor();
    let is_root = |root: &&CertificateDer<'static>| {
        webpki::anchor_from_trusted_cert(root).is_ok_and(|other| {
            other.subject == anchor.subject
                && other.subject_public_key_info == anchor.subject_public_key_info
        })
    };
    if let Some(root) = roots.iter().find(is_root) {
        let root = read(root)?;
        valid_now(&root, now)?;
        authority(&root, below)?;
    }
    Ok(())
}

/// A certificate that signs others (RFC 5280 section 6.1.4); `below` authorities stand under it.
fn authority(certificate: &X509Certificate<'_>, below: usize) -> Result<(), OriginFault> {
    if let Some(fault) = verify::weak_key(certificate) {
        return Err(fault);
    }
    let usage = certificate.key_usage().map_err(|_| encoding("key usage"))?;
    if usage.is_some_and(|usage| !usage.value.key_cert_sign()) {
        let detail = "key usage of its issuer lacks keyCertSign";
        return Err(OriginFault::new(CertificateFault::WrongUsage, detail));
    }
    let constraints = certificate
        .basic_constraints()
        .map_err(|_| encoding("basic constraints"))?;
    let allowed = constraints.and_then(|constraints| constraints.value.path_len_constraint);
    let allowed = allowed.and_then(|allowed| usize::try_from(allowed).ok());
    if allowed.is_some_and(|allowed| below > allowed) {
        return Err(OriginFault::bare(CertificateFault::PathLength));
    }
    Ok(())
}

/// The leaf itself.
pub(super) fn leaf(der: &CertificateDer<'_>) -> Result<(), OriginFault> {
    let certificate = read(der)?;
    if let Some(fault) = verify::weak_key(&certificate) {
        return Err(fault);
    }
    // RFC 8446 section 4.4.2.2: if there is a key usage, digitalSignature must be in it.
    let usage = certificate.key_usage().map_err(|_| encoding("key usage"))?;
    if usage.is_some_and(|usage| !usage.value.digital_signature()) {
        let detail = "key usage lacks digitalSignature";
        return Err(OriginFault::new(CertificateFault::WrongUsage, detail));
    }
    Ok(())
}

/// A leaf that stands among the roots itself.
pub(super) fn pinned(der: &CertificateDer<'_>, now: UnixTime) -> Result<(), OriginFault> {
    let certificate = read(der)?;
    valid_now(&certificate, now)?;
    let usage = certificate
        .extended_key_usage()
        .map_err(|_| encoding("extended key usage"))?;
    if usage.is_some_and(|usage| !usage.value.any && !usage.value.server_auth) {
        let detail = "extended key usage lacks serverAuth";
        return Err(OriginFault::new(CertificateFault::WrongUsage, detail));
    }
    Ok(())
}

fn valid_now(certificate: &X509Certificate<'_>, now: UnixTime) -> Result<(), OriginFault> {
    let validity = certificate.validity();
    let epoch = UnixTime::since_unix_epoch(std::time::Duration::ZERO);
    let not_before = unix_time(validity.not_before.timestamp()).unwrap_or(epoch);
    let not_after = unix_time(validity.not_after.timestamp()).unwrap_or(epoch);
    if now > not_after {
        let detail = format!("since {}", verify::date(not_after));
        return Err(OriginFault::new(CertificateFault::Expired, &detail));
    }
    if now < not_before {
        let detail = format!("until {}", verify::date(not_before));
        return Err(OriginFault::new(CertificateFault::NotYetValid, &detail));
    }
    Ok(())
}

fn read<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, OriginFault> {
    verify::parse(der).ok_or_else(|| OriginFault::bare(CertificateFault::BadEncoding))
}

fn encoding(of: &str) -> OriginFault {
    OriginFault::new(CertificateFault::BadEncoding, of)
}
