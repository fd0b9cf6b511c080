//! What browsers take and webpki refuses: servers' certificates that say CA:TRUE, the exemption of
//! self-issued certificates from path lengths and name constraints (RFC 5280 sections 6.1.3 and 6.1.4),
//! and name constraints over directory names.
//!
//! webpki has no switch for any. So it is given copies in which that is not said, and signatures are
//! checked over what was really signed. What the copies no longer say of path lengths and directory
//! names, `path_rules` reads in the originals. Called by `verify`, for chains that webpki has refused for one of these.

use rustls::pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm,
};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::X509Extension;
use x509_parser::oid_registry::{
    OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_NAME_CONSTRAINTS, OID_X509_EXT_SUBJECT_ALT_NAME,
};

use crate::certificate::{is_self_issued, parse};
use crate::directory_constraints;

/// TRUE and FALSE in DER (X.690 section 8.2), tag and length first.
const TRUE: [u8; 3] = [0x01, 0x01, 0xff];
const FALSE: [u8; 3] = [0x01, 0x01, 0x00];
/// subjectAltName (2.5.29.17) in DER, and a number beside it that nobody knows.
const SUBJECT_ALT_NAME: [u8; 5] = [0x06, 0x03, 0x55, 0x1d, 17];
const UNKNOWN: [u8; 5] = [0x06, 0x03, 0x55, 0x1d, 0x7f];
/// The longest path length that a byte of DER can say.
const PATH_LENGTH_MAX: u8 = 0x7f;

/// A chain as webpki is to see it.
#[derive(Debug)]
pub(crate) struct Tolerated {
    leaf: CertificateDer<'static>,
    intermediates: Vec<CertificateDer<'static>>,
    changed: Vec<Changed>,
}

/// A certificate that is not what was signed.
#[derive(Debug)]
struct Changed {
    copy: CertificateDer<'static>,
    original: CertificateDer<'static>,
    copy_signed: Vec<u8>,
    original_signed: Vec<u8>,
}

impl Tolerated {
    /// Copies of a chain; `None` if there is nothing to tolerate in it.
    pub(crate) fn of(
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
    ) -> Option<Self> {
        let mut changed = Vec::new();
        let mut copy = |der: &CertificateDer<'_>, change: Change| {
            let (copy, change) = change(der).unzip();
            changed.extend(change);
            copy.unwrap_or_else(|| der.clone().into_owned())
        };
        let leaf = copy(leaf, no_authority);
        let is_self_issued = |der| parse(der).is_some_and(|parsed| is_self_issued(&parsed));
        let exempt = intermediates.iter().any(is_self_issued);
        let intermediates = intermediates
            .iter()
            .map(|der| match exempt {
                true => copy(der, unbounded),
                false => copy(der, without_directory_constraints),
            })
            .collect();
        (!changed.is_empty()).then_some(Self {
            leaf,
            intermediates,
            changed,
        })
    }

    pub(crate) fn leaf(&self) -> &CertificateDer<'static> {
        &self.leaf
    }

    pub(crate) fn intermediates(&self) -> &[CertificateDer<'static>] {
        &self.intermediates
    }

    /// What was sent where `copy` stands.
    pub(crate) fn original(&self, copy: &CertificateDer<'_>) -> Option<&CertificateDer<'static>> {
        let mut changed = self.changed.iter();
        changed
            .find(|changed| changed.copy == *copy)
            .map(|changed| &changed.original)
    }

    /// The algorithms of webpki, which check the originals' signatures.
    pub(crate) fn algorithms(&self) -> Vec<OfOriginals<'_>> {
        let all = webpki::ALL_VERIFICATION_ALGS.iter();
        all.map(|algorithm| OfOriginals {
            algorithm: *algorithm,
            changed: &self.changed,
        })
        .collect()
    }
}

/// Checks signatures over what was signed instead of over its copy.
#[derive(Debug)]
pub(crate) struct OfOriginals<'a> {
    algorithm: &'static dyn SignatureVerificationAlgorithm,
    changed: &'a [Changed],
}

impl SignatureVerificationAlgorithm for OfOriginals<'_> {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let mut changed = self.changed.iter();
        let signed = changed
            .find(|changed| changed.copy_signed == message)
            .map_or(message, |changed| &changed.original_signed);
        self.algorithm
            .verify_signature(public_key, signed, signature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.signature_alg_id()
    }

    fn fips(&self) -> bool {
        self.algorithm.fips()
    }
}

type Change = fn(&CertificateDer<'_>) -> Option<(CertificateDer<'static>, Changed)>;

/// A leaf that no longer says CA:TRUE.
fn no_authority(der: &CertificateDer<'_>) -> Option<(CertificateDer<'static>, Changed)> {
    changed(der, |certificate, copy| {
        let constraints = value_of(certificate, der, &OID_X509_EXT_BASIC_CONSTRAINTS);
        if let Some(start) = constraints {
            // SEQUENCE, its length, then cA.
            replace(copy, start + 2, &TRUE, &FALSE);
        }
    })
}

/// An intermediate that allows any number of others below it and, if it is self-issued, has no names
/// that could violate the constraints above it.
fn unbounded(der: &CertificateDer<'_>) -> Option<(CertificateDer<'static>, Changed)> {
    changed(der, |certificate, copy| {
        let constraints = value_of(certificate, der, &OID_X509_EXT_BASIC_CONSTRAINTS);
        if let Some(start) = constraints {
            let length = start + 2 + TRUE.len();
            // INTEGER of one byte.
            if copy.get(length..length + 2) == Some(&[0x02, 0x01])
                && let Some(byte) = copy.get_mut(length + 2)
            {
                *byte = PATH_LENGTH_MAX;
            }
        }
        hide_directory_constraints(certificate, der, copy);
        if is_self_issued(certificate)
            && let Some(value) = value_of(certificate, der, &OID_X509_EXT_SUBJECT_ALT_NAME)
        {
            hide_names(copy, value);
        }
    })
}

/// An intermediate of whose name constraints webpki sees only those that it compares.
fn without_directory_constraints(
    der: &CertificateDer<'_>,
) -> Option<(CertificateDer<'static>, Changed)> {
    changed(der, |certificate, copy| {
        hide_directory_constraints(certificate, der, copy);
    })
}

fn hide_directory_constraints(
    certificate: &X509Certificate<'_>,
    der: &CertificateDer<'_>,
    copy: &mut [u8],
) {
    let value = value_of(certificate, der, &OID_X509_EXT_NAME_CONSTRAINTS);
    let content = value.and_then(|value| {
        let content = directory_constraints::content(der.get(value..)?)?;
        copy.get_mut(value + content.start..value + content.end)
    });
    if let Some(content) = content {
        directory_constraints::hide(content);
    }
}

/// Renames the extension whose value begins at `value`, as one that may be passed over.
fn hide_names(copy: &mut [u8], value: usize) {
    // Before the value stand the number, perhaps that it is critical, and tag and length of an OCTET
    // STRING: 2 to 5 bytes.
    for header in 2..=5 {
        let Some(end) = value.checked_sub(header) else {
            return;
        };
        let plain = end.checked_sub(SUBJECT_ALT_NAME.len());
        if plain.is_some_and(|start| replace(copy, start, &SUBJECT_ALT_NAME, &UNKNOWN)) {
            return;
        }
        let critical = end.checked_sub(TRUE.len());
        let number = critical.and_then(|critical| critical.checked_sub(SUBJECT_ALT_NAME.len()));
        if let (Some(critical), Some(number)) = (critical, number)
            && replace(copy, number, &SUBJECT_ALT_NAME, &UNKNOWN)
        {
            replace(copy, critical, &TRUE, &FALSE);
            return;
        }
    }
}

/// Puts `new` in place of `old`, if that is what stands there.
fn replace<const N: usize>(bytes: &mut [u8], at: usize, old: &[u8; N], new: &[u8; N]) -> bool {
    match bytes.get_mut(at..at + N) {
        Some(found) if found == old => {
            found.copy_from_slice(new);
            true
        }
        _ => false,
    }
}

fn changed(
    der: &CertificateDer<'_>,
    change: impl FnOnce(&X509Certificate<'_>, &mut [u8]),
) -> Option<(CertificateDer<'static>, Changed)> {
    let certificate = parse(der)?;
    let mut copy = der.to_vec();
    change(&certificate, &mut copy);
    if copy == **der {
        return None;
    }
    let copy = CertificateDer::from(copy);
    let copy_signed = parse(&copy)?.tbs_certificate.as_ref().to_vec();
    let changed = Changed {
        copy: copy.clone(),
        original: der.clone().into_owned(),
        copy_signed,
        original_signed: certificate.tbs_certificate.as_ref().to_vec(),
    };
    Some((copy, changed))
}

/// Where in the certificate the value of an extension begins.
fn value_of(
    certificate: &X509Certificate<'_>,
    der: &CertificateDer<'_>,
    oid: &x509_parser::der_parser::asn1_rs::Oid<'_>,
) -> Option<usize> {
    let extension: &X509Extension<'_> = certificate.get_extension_unique(oid).ok()??;
    // The parser borrows from `der`.
    let start = extension
        .value
        .as_ptr()
        .addr()
        .checked_sub(der.as_ptr().addr())?;
    (start < der.len()).then_some(start)
}
