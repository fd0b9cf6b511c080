//! The certificates of an authority's file in their order, and every check of them that can be made
//! before the first client sees a certificate of it (RFC 5280 section 6.1.4).
//!
//! Called by `authority` alone.

use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::EndEntityCert;
use x509_parser::certificate::X509Certificate;

use crate::authority_error::AuthorityError;
use crate::certificate::{is_self_issued, short_rsa_key, unix_time, weak_signature};
use crate::distinguished_name::rfc_4514;

/// The certificate of the key, then those above it as far as the file has them.
///
/// Every certificate of the file must lead upwards from it: one that does not is a mistake that
/// clients would tell of one by one, as a chain that they cannot follow.
pub(crate) fn chain<'a, 'c>(
    certificates: &'a [X509Certificate<'c>],
    public_key: &[u8],
) -> Result<Vec<&'a X509Certificate<'c>>, AuthorityError> {
    let is_own = |certificate: &&X509Certificate<'_>| {
        certificate.public_key().subject_public_key.as_ref() == public_key
    };
    let Some(mut last) = certificates.iter().find(is_own) else {
        let first = certificates
            .first()
            .ok_or(AuthorityError::NoCertificate(""))?;
        return Err(AuthorityError::OtherKey(rfc_4514(first.subject())));
    };
    let mut chain = vec![last];
    while !is_root(last) {
        let is_new = |candidate: &X509Certificate<'_>| {
            !chain.iter().any(|known| std::ptr::eq(*known, candidate))
        };
        let mut candidates = certificates.iter();
        let Some(above) = candidates.find(|above| is_signed_by(last, above) && is_new(above))
        else {
            break;
        };
        chain.push(above);
        last = above;
    }
    match stranger(certificates, &chain) {
        None => Ok(chain),
        Some(index) => Err(misplaced(certificates, index, last)),
    }
}

/// Whether a certificate is signed by its own key. One that only has the name of its issuer is none:
/// the link between two keys of one root.
pub(crate) fn is_root(certificate: &X509Certificate<'_>) -> bool {
    is_self_issued(certificate) && is_signed_by(certificate, certificate)
}

/// Whether `issuer` has signed `certificate`: the names say so, and the signature where it can be
/// checked. What it is too weak for is told by `check`.
fn is_signed_by(certificate: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> bool {
    if certificate.issuer().as_raw() != issuer.subject().as_raw() {
        return false;
    }
    if weak_hash(certificate).is_some() || short_rsa_key(issuer).is_some() {
        return true;
    }
    let der = CertificateDer::from(issuer.as_raw());
    // webpki reads no certificates of version 1, which old roots have.
    let Ok(issuer) = EndEntityCert::try_from(&der) else {
        return true;
    };
    let (message, signature) = (&certificate.tbs_certificate, &certificate.signature_value);
    webpki::ALL_VERIFICATION_ALGS.iter().any(|algorithm| {
        issuer
            .verify_signature(*algorithm, message.as_ref(), &signature.data)
            .is_ok()
    })
}

/// The index of a certificate to which no way leads from the authority's own, over cross-certificates
/// either.
fn stranger(certificates: &[X509Certificate<'_>], chain: &[&X509Certificate<'_>]) -> Option<usize> {
    let mut known = chain.to_vec();
    let is_known = |known: &[&X509Certificate<'_>], certificate: &X509Certificate<'_>| {
        known.iter().any(|known| std::ptr::eq(*known, certificate))
    };
    let is_above = |below: &X509Certificate<'_>, certificate: &X509Certificate<'_>| {
        is_same_authority(below, certificate) || is_signed_by(below, certificate)
    };
    // Each round finds one at least, or is the last; a file has few certificates.
    while let Some(next) = certificates.iter().find(|certificate| {
        !is_known(&known, certificate) && known.iter().any(|below| is_above(below, certificate))
    }) {
        known.push(next);
    }
    certificates
        .iter()
        .position(|certificate| !is_known(&known, certificate))
}

/// Whether two certificates are of one authority, by different issuers.
fn is_same_authority(one: &X509Certificate<'_>, other: &X509Certificate<'_>) -> bool {
    one.subject().as_raw() == other.subject().as_raw()
        && one.public_key().subject_public_key == other.public_key().subject_public_key
}

/// What is wrong with a file in which the certificate at `index` is not above the authority, whose chain
/// ends with `top`.
fn misplaced(
    certificates: &[X509Certificate<'_>],
    index: usize,
    top: &X509Certificate<'_>,
) -> AuthorityError {
    let (subject, issuer) = (rfc_4514(top.subject()), rfc_4514(top.issuer()));
    let has_name = certificates
        .iter()
        .any(|certificate| certificate.subject().as_raw() == top.issuer().as_raw());
    let stranger = certificates.get(index);
    let stranger = stranger.map_or_else(String::new, |stranger| rfc_4514(stranger.subject()));
    match is_root(top) {
        true => AuthorityError::Stranger {
            number: index + 1,
            subject: stranger,
        },
        false if has_name => AuthorityError::OtherIssuer { subject, issuer },
        false => AuthorityError::Gap {
            subject,
            issuer,
            stranger,
        },
    }
}

/// What RFC 5280 section 6.1.4 asks of each certificate that signs another.
pub(crate) fn check(chain: &[&X509Certificate<'_>], now: UnixTime) -> Result<(), AuthorityError> {
    for (below, certificate) in chain.iter().enumerate() {
        let subject = || rfc_4514(certificate.subject());
        let bad = |reason: &str| AuthorityError::BadCertificate {
            number: below + 1,
            reason: reason.to_owned(),
        };
        let constraints = certificate
            .basic_constraints()
            .map_err(|_| bad("it has two basic constraints"))?
            .filter(|constraints| constraints.value.ca)
            .ok_or_else(|| AuthorityError::NotAnAuthority(subject()))?;
        let allowed = constraints.value.path_len_constraint;
        if allowed
            .is_some_and(|allowed| usize::try_from(allowed).is_ok_and(|allowed| below > allowed))
        {
            return Err(AuthorityError::PathLength(subject()));
        }
        if let Some(lacks) =
            lacking_usage(certificate).map_err(|()| bad("its key usage is damaged"))?
        {
            let subject = subject();
            return Err(AuthorityError::MayNotSign { subject, lacks });
        }
        if let Some(bits) = short_rsa_key(certificate) {
            return Err(AuthorityError::WeakKey(bits));
        }
        // The signature of a root is not checked by anybody.
        if let Some(algorithm) = weak_hash(certificate).filter(|_| !is_self_issued(certificate)) {
            let subject = subject();
            return Err(AuthorityError::WeakSignature { subject, algorithm });
        }
        check_validity(certificate, now)?;
    }
    Ok(())
}

fn lacking_usage(certificate: &X509Certificate<'_>) -> Result<Option<&'static str>, ()> {
    let usage = certificate.key_usage().map_err(|_| ())?;
    if usage.is_some_and(|usage| !usage.value.key_cert_sign()) {
        return Ok(Some("its key usage lacks keyCertSign"));
    }
    let extended = certificate.extended_key_usage().map_err(|_| ())?;
    let may_serve = extended.is_none_or(|usage| usage.value.any || usage.value.server_auth);
    Ok((!may_serve).then_some("its extended key usage lacks serverAuth"))
}

fn check_validity(certificate: &X509Certificate<'_>, now: UnixTime) -> Result<(), AuthorityError> {
    let (not_before, not_after) = validity(certificate);
    let subject = || rfc_4514(certificate.subject());
    if now > not_after {
        let subject = subject();
        return Err(AuthorityError::Expired { subject, not_after });
    }
    if now < not_before {
        return Err(AuthorityError::NotYetValid {
            subject: subject(),
            not_before,
        });
    }
    Ok(())
}

/// The algorithm of its signature, if clients refuse that for its hash.
fn weak_hash(certificate: &X509Certificate<'_>) -> Option<&'static str> {
    weak_signature(&certificate.signature_algorithm.algorithm.to_id_string())
}

/// The time in which all of the chain is valid.
pub(crate) fn common_validity(chain: &[&X509Certificate<'_>]) -> (UnixTime, UnixTime) {
    let all = chain.iter().map(|certificate| validity(certificate));
    let widest = (
        UnixTime::since_unix_epoch(Duration::ZERO),
        UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX)),
    );
    all.fold(widest, |common, own| {
        (common.0.max(own.0), common.1.min(own.1))
    })
}

fn validity(certificate: &X509Certificate<'_>) -> (UnixTime, UnixTime) {
    let validity = certificate.validity();
    let epoch = UnixTime::since_unix_epoch(Duration::ZERO);
    (
        unix_time(validity.not_before.timestamp()).unwrap_or(epoch),
        unix_time(validity.not_after.timestamp()).unwrap_or(epoch),
    )
}
