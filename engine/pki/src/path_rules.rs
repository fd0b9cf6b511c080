//! What RFC 5280 and the TLS server profile ask of a path, beyond what webpki checks: key usage, key
//! lengths, and the validity and constraints of roots, which webpki takes as bare keys.
//!
//! Called by `verify` for a path that webpki has found good.

use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::VerifiedPath;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension, X509Extension};
use x509_parser::oid_registry::{
    OID_PKIX_AUTHORITY_INFO_ACCESS, OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER,
    OID_X509_EXT_SUBJECT_KEY_IDENTIFIER,
};
use x509_parser::x509::X509Version;

use crate::certificate::{date, is_self_issued, parse, short_rsa_key, unix_time};
use crate::directory_constraints::{DirectoryConstraints, Violated};
use crate::distinguished_name;
use crate::fault::{CertificateFault, OriginFault};
use crate::name::CertificateName;
use crate::tolerance::Tolerated;
use crate::trust::Trust;

/// Extensions that may be critical, because somebody here reads them: webpki, or this room. By their
/// last number under id-ce (2.5.29).
const READ_EXTENSIONS: &[u64] = &[14, 15, 17, 19, 30, 31, 32, 35, 37];

/// What an origin has sent, behind what webpki was given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent<'a> {
    /// As webpki has it.
    pub(crate) leaf: &'a CertificateDer<'a>,
    /// What webpki was given instead of what was sent, if it was.
    pub(crate) copies: Option<&'a Tolerated>,
}

impl Sent<'_> {
    /// What was sent where webpki has seen `der`.
    fn original<'b>(&'b self, der: &'b CertificateDer<'b>) -> &'b CertificateDer<'b> {
        let original = self.copies.and_then(|copies| copies.original(der));
        original.unwrap_or(der)
    }
}

/// The certificates above the leaf, the root too if more than its key is known.
pub(crate) fn path(
    path: &VerifiedPath<'_>,
    sent: Sent<'_>,
    trust: &Trust,
    now: UnixTime,
) -> Result<(), OriginFault> {
    directory_names(path, sent, trust)?;
    let mut below = 0;
    for intermediate in path.intermediate_certificates() {
        let der = intermediate.der();
        let certificate = read(sent.original(&der))?;
        well_formed(&certificate)?;
        authority(&certificate, below)?;
        // RFC 5280 section 6.1.4 (l): a self-issued one does not count.
        below += usize::from(!is_self_issued(&certificate));
    }
    // The certificates belong to the first of the anchors, one to one.
    let mut known = trust.anchors.iter().zip(&trust.certificates);
    if let Some((_, root)) = known.find(|(anchor, _)| *anchor == path.anchor()) {
        let root = read(root)?;
        valid_now(&root, now)?;
        if root.version() == X509Version::V3 {
            well_formed(&root)?;
            known_extensions(&root)?;
            is_authority(&root)?;
        }
        authority(&root, below)?;
    }
    Ok(())
}

/// Name constraints over directory names, which webpki compares none of.
fn directory_names(
    path: &VerifiedPath<'_>,
    sent: Sent<'_>,
    trust: &Trust,
) -> Result<(), OriginFault> {
    let mut known = trust.directory_constraints.iter();
    let of_root = known.find(|(anchor, _)| anchor == path.anchor());
    let intermediates: Vec<_> = path
        .intermediate_certificates()
        .map(|intermediate| intermediate.der())
        .collect();
    // The server's own is exempt from nothing, whoever has issued it (RFC 5280 section 6.1.3 (b)).
    let mut below = vec![read(sent.original(sent.leaf))?];
    for der in &intermediates {
        let certificate = read(sent.original(der))?;
        let constraints = DirectoryConstraints::of(&certificate);
        within(
            &constraints.ok_or_else(|| encoding("name constraints"))?,
            &below,
        )?;
        if !is_self_issued(&certificate) {
            below.push(certificate);
        }
    }
    match of_root {
        Some((_, constraints)) => within(constraints, &below),
        None => Ok(()),
    }
}

fn within(
    constraints: &DirectoryConstraints,
    below: &[X509Certificate<'_>],
) -> Result<(), OriginFault> {
    if constraints.is_empty() {
        return Ok(());
    }
    for certificate in below {
        constraints.check(certificate).map_err(|Violated| {
            let subject = distinguished_name::rfc_4514(certificate.subject());
            OriginFault::new(CertificateFault::NameConstraints, &subject)
        })?;
    }
    Ok(())
}

/// A certificate that signs others (RFC 5280 section 6.1.4); `below` authorities stand under it.
fn authority(certificate: &X509Certificate<'_>, below: usize) -> Result<(), OriginFault> {
    if let Some(fault) = weak_key(certificate) {
        return Err(fault);
    }
    // RFC 5280 section 4.1.2.6.
    if certificate.subject().iter().next().is_none() {
        return Err(encoding("an issuer without a name"));
    }
    let usage = certificate.key_usage().map_err(|_| encoding("key usage"))?;
    if usage.is_some_and(|usage| !usage.value.key_cert_sign()) {
        let detail = "key usage of its issuer lacks keyCertSign";
        return Err(OriginFault::new(CertificateFault::WrongUsage, detail));
    }
    serves(
        certificate,
        "extended key usage of its issuer lacks serverAuth",
    )?;
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

/// RFC 5280 section 4.2.1.9: the key of a certificate of version 3 without CA:TRUE verifies no
/// other. webpki asks it of intermediates; a root is only a key to it.
fn is_authority(root: &X509Certificate<'_>) -> Result<(), OriginFault> {
    let constraints = root
        .basic_constraints()
        .map_err(|_| encoding("basic constraints"))?;
    if constraints.is_some_and(|constraints| constraints.value.ca) {
        return Ok(());
    }
    let detail = "its root is no certificate authority";
    Err(OriginFault::new(CertificateFault::WrongUsage, detail))
}

fn known_extensions(root: &X509Certificate<'_>) -> Result<(), OriginFault> {
    let is_read = |extension: &X509Extension<'_>| {
        let mut numbers = extension.oid.iter().into_iter().flatten();
        let under = [numbers.next(), numbers.next(), numbers.next()];
        under == [Some(2), Some(5), Some(29)]
            && numbers
                .next()
                .is_some_and(|last| READ_EXTENSIONS.contains(&last))
    };
    let unknown = root
        .extensions()
        .iter()
        .find(|extension| extension.critical && !is_read(extension));
    match unknown {
        Some(extension) => {
            let oid = extension.oid.to_id_string();
            Err(OriginFault::new(CertificateFault::CriticalExtension, &oid))
        }
        None => Ok(()),
    }
}

/// The leaf itself.
pub(crate) fn leaf(
    certificate: &X509Certificate<'_>,
    name: &ServerName<'_>,
) -> Result<(), OriginFault> {
    well_formed(certificate)?;
    if let Some(fault) = weak_key(certificate) {
        return Err(fault);
    }
    // RFC 8446 section 4.4.2.2: if there is a key usage, digitalSignature must be in it.
    let usage = certificate.key_usage().map_err(|_| encoding("key usage"))?;
    if usage.is_some_and(|usage| !usage.value.digital_signature()) {
        let detail = "key usage lacks digitalSignature";
        return Err(OriginFault::new(CertificateFault::WrongUsage, detail));
    }
    wildcards(certificate, name)
}

/// webpki takes `*.test` for every host under a top-level domain; nobody else does.
fn wildcards(certificate: &X509Certificate<'_>, name: &ServerName<'_>) -> Result<(), OriginFault> {
    let Some(asked @ CertificateName::Dns(_)) = CertificateName::of_server(name) else {
        return Ok(());
    };
    let extension = certificate
        .subject_alternative_name()
        .map_err(|_| encoding("subject alternative name"))?;
    let names = extension.map(|extension| &extension.value.general_names);
    let covers = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => {
            CertificateName::dns(name).is_some_and(|name| name.covers(&asked))
        }
        _ => false,
    };
    if names.is_some_and(|names| names.iter().any(covers)) {
        return Ok(());
    }
    let detail = "a wildcard right under a top-level domain";
    Err(OriginFault::new(CertificateFault::NameMismatch, detail))
}

/// A leaf that does not stand among the roots: RFC 5280 section 4.2.1.9 forbids it to claim that it
/// signs certificates, unless it says that it is an authority.
pub(crate) fn no_authority(certificate: &X509Certificate<'_>) -> Result<(), OriginFault> {
    let constraints = certificate
        .basic_constraints()
        .map_err(|_| encoding("basic constraints"))?;
    if constraints.is_some_and(|constraints| constraints.value.ca) {
        return Ok(());
    }
    let usage = certificate.key_usage().map_err(|_| encoding("key usage"))?;
    if usage.is_some_and(|usage| usage.value.key_cert_sign()) {
        let detail = "key usage has keyCertSign, and it is no certificate authority";
        return Err(OriginFault::new(CertificateFault::WrongUsage, detail));
    }
    Ok(())
}

/// A leaf that stands among the roots itself.
pub(crate) fn pinned(certificate: &X509Certificate<'_>, now: UnixTime) -> Result<(), OriginFault> {
    valid_now(certificate, now)?;
    serves(certificate, "extended key usage lacks serverAuth")
}

/// The fault of a certificate whose own key is too short.
pub(crate) fn weak_key(certificate: &X509Certificate<'_>) -> Option<OriginFault> {
    let bits = short_rsa_key(certificate)?;
    let detail = format!("RSA, {bits} bits");
    Some(OriginFault::new(CertificateFault::WeakKey, &detail))
}

fn serves(certificate: &X509Certificate<'_>, otherwise: &str) -> Result<(), OriginFault> {
    let usage = certificate
        .extended_key_usage()
        .map_err(|_| encoding("extended key usage"))?;
    if usage.is_some_and(|usage| !usage.value.any && !usage.value.server_auth) {
        return Err(OriginFault::new(CertificateFault::WrongUsage, otherwise));
    }
    Ok(())
}

/// What webpki lets pass since it does not look: extensions that stand there twice (RFC 5280 section
/// 4.2), those for finding issuers that are damaged, serial numbers of more than 20 octets (section
/// 4.1.2.2).
fn well_formed(certificate: &X509Certificate<'_>) -> Result<(), OriginFault> {
    if certificate.extensions_map().is_err() {
        return Err(encoding("an extension that occurs twice"));
    }
    let is_damaged = |extension: &X509Extension<'_>| {
        let is_for_finding = [
            OID_PKIX_AUTHORITY_INFO_ACCESS,
            OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER,
            OID_X509_EXT_SUBJECT_KEY_IDENTIFIER,
        ]
        .contains(&extension.oid);
        let parsed = extension.parsed_extension();
        is_for_finding && matches!(parsed, ParsedExtension::ParseError { .. })
    };
    if certificate.extensions().iter().any(is_damaged) {
        return Err(encoding("an extension that is damaged"));
    }
    // A leading zero keeps it positive and does not count.
    let serial = certificate.raw_serial();
    let serial = serial.strip_prefix(&[0]).unwrap_or(serial);
    if serial.len() > 20 {
        return Err(encoding("a serial number of more than 20 octets"));
    }
    Ok(())
}

fn valid_now(certificate: &X509Certificate<'_>, now: UnixTime) -> Result<(), OriginFault> {
    let validity = certificate.validity();
    let epoch = UnixTime::since_unix_epoch(std::time::Duration::ZERO);
    let not_before = unix_time(validity.not_before.timestamp()).unwrap_or(epoch);
    let not_after = unix_time(validity.not_after.timestamp()).unwrap_or(epoch);
    if now > not_after {
        let detail = format!("since {}", date(not_after));
        return Err(OriginFault::new(CertificateFault::Expired, &detail));
    }
    if now < not_before {
        let detail = format!("until {}", date(not_before));
        return Err(OriginFault::new(CertificateFault::NotYetValid, &detail));
    }
    Ok(())
}

pub(crate) fn read<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, OriginFault> {
    parse(der).ok_or_else(|| OriginFault::bare(CertificateFault::BadEncoding))
}

fn encoding(of: &str) -> OriginFault {
    OriginFault::new(CertificateFault::BadEncoding, of)
}
