//! Name constraints over directory names (RFC 5280 section 4.2.1.10), for the chains of origins.
//!
//! webpki refuses every chain with such a constraint, since it compares no directory names. So it is
//! given copies of these certificates in which they are constraints over a form of names that no
//! certificate of a server has (`tolerance`, `trust`), and `path_rules` asks here for what they said.

use std::ops::Range;

use rustls::pki_types::TrustAnchor;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::OID_X509_EXT_NAME_CONSTRAINTS;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

use crate::directory_name::DirectoryName;

/// Tags of DER (X.690 section 8.1.2) that stand in the extension.
const SEQUENCE: u8 = 0x30;
const PERMITTED: u8 = 0xa0;
const EXCLUDED: u8 = 0xa1;
/// directoryName and ediPartyName of a GeneralName (RFC 5280 section 4.2.1.6).
const DIRECTORY_NAME: u8 = 0xa4;
const EDI_PARTY_NAME: u8 = 0xa5;

/// Which directory names the certificates under an authority may have.
#[derive(Debug, Clone, Default)]
pub(crate) struct DirectoryConstraints {
    permitted: Vec<DirectoryName>,
    excluded: Vec<DirectoryName>,
}

/// A certificate has a name that an authority above it may not vouch for, or one that cannot be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Violated;

impl DirectoryConstraints {
    /// Those of a certificate; `None` if they cannot be read.
    pub(crate) fn of(certificate: &X509Certificate<'_>) -> Option<Self> {
        let found = certificate.get_extension_unique(&OID_X509_EXT_NAME_CONSTRAINTS);
        match found.ok()? {
            Some(extension) => Self::read(extension.value.get(content(extension.value)?)?),
            None => Some(Self::default()),
        }
    }

    /// Those of a root, of which not more than a key may be known.
    pub(crate) fn of_anchor(anchor: &TrustAnchor<'_>) -> Option<Self> {
        Self::read(anchor.name_constraints.as_deref().unwrap_or_default())
    }

    /// From the content of a NameConstraints.
    fn read(content: &[u8]) -> Option<Self> {
        let found = Subtrees::find(content)?;
        let names = |list: &[Range<usize>]| -> Option<Vec<DirectoryName>> {
            list.iter()
                .map(|range| {
                    let (rest, name) = X509Name::from_der(content.get(range.clone())?).ok()?;
                    rest.is_empty().then(|| DirectoryName::of(&name))
                })
                .collect()
        };
        Some(Self {
            permitted: names(&found.permitted)?,
            excluded: names(&found.excluded)?,
        })
    }

    /// Whether there are none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.permitted.is_empty() && self.excluded.is_empty()
    }

    /// Whether they let a name pass.
    pub(crate) fn permit(&self, name: &DirectoryName) -> bool {
        let permitted = &self.permitted;
        (permitted.is_empty() || permitted.iter().any(|tree| tree.holds(name)))
            && !self.excluded.iter().any(|tree| tree.holds(name))
    }

    /// Whether all directory names of a certificate pass. What that costs webpki has counted before: to it,
    /// each of these names was one more to compare with each subtree, and it compares 250 000 times.
    pub(crate) fn check(&self, certificate: &X509Certificate<'_>) -> Result<(), Violated> {
        let check = |name: &X509Name<'_>| match self.permit(&DirectoryName::of(name)) {
            true => Ok(()),
            false => Err(Violated),
        };
        // Only a subject that is not empty counts (RFC 5280 section 4.2.1.10).
        if certificate.subject().iter_rdn().next().is_some() {
            check(certificate.subject())?;
        }
        let names = certificate
            .subject_alternative_name()
            .map_err(|_| Violated)?;
        let names = names.iter().flat_map(|names| &names.value.general_names);
        for name in names {
            match name {
                GeneralName::DirectoryName(name) => check(name)?,
                GeneralName::Invalid(..) => return Err(Violated),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Makes directory names in the content of a NameConstraints names of EDI parties, in place: webpki then
/// lets every chain pass in which no certificate has a name of that kind. What cannot be read is left as it
/// is, so that webpki refuses it.
pub(crate) fn hide(content: &mut [u8]) {
    if DirectoryConstraints::read(content).is_none() {
        return;
    }
    let found = Subtrees::find(content);
    for at in found.iter().flat_map(|found| &found.tags) {
        if let Some(tag) = content.get_mut(*at) {
            *tag = EDI_PARTY_NAME;
        }
    }
}

/// Where in the value of the extension its content stands.
pub(crate) fn content(value: &[u8]) -> Option<Range<usize>> {
    element(value, 0)
        .filter(|element| element.tag == SEQUENCE)
        .map(|element| element.value)
}

/// Where directory names stand in the content of a NameConstraints.
#[derive(Debug, Default)]
struct Subtrees {
    permitted: Vec<Range<usize>>,
    excluded: Vec<Range<usize>>,
    /// The tags of all of them.
    tags: Vec<usize>,
}

impl Subtrees {
    fn find(content: &[u8]) -> Option<Self> {
        let mut found = Self::default();
        let mut at = 0;
        while at < content.len() {
            let list = element(content, at)?;
            at = list.value.end;
            let names = match list.tag {
                PERMITTED => &mut found.permitted,
                EXCLUDED => &mut found.excluded,
                _ => return None,
            };
            let mut next = list.value.start;
            while next < list.value.end {
                let subtree = element(content, next).filter(|subtree| subtree.tag == SEQUENCE)?;
                next = subtree.value.end;
                let base = element(content, subtree.value.start)?;
                if base.tag == DIRECTORY_NAME {
                    names.push(base.value);
                    found.tags.push(subtree.value.start);
                }
            }
        }
        Some(found)
    }
}

struct Element {
    tag: u8,
    value: Range<usize>,
}

/// The element of DER that begins at `at`, whole; of up to 64 KiB, as certificates are.
fn element(bytes: &[u8], at: usize) -> Option<Element> {
    let rest = bytes.get(at..)?;
    let (header, length) = match rest {
        [_, length @ 0..=0x7f, ..] => (2, usize::from(*length)),
        [_, 0x81, length, ..] => (3, usize::from(*length)),
        [_, 0x82, high, low, ..] => (4, usize::from(u16::from_be_bytes([*high, *low]))),
        _ => return None,
    };
    let start = at + header;
    let end = start + length;
    let tag = *rest.first()?;
    (end <= bytes.len()).then_some(Element {
        tag,
        value: start..end,
    })
}
