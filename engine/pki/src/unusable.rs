//! Why a root or a revocation list of the configuration cannot be used: what is wrong, what was expected.
//!
//! webpki names faults by the names of its variants; whoever mends a file needs more. Called at start
//! and reload by the engine, for each object of a file.

use webpki::{Error, OwnedCertRevocationList, anchor_from_trusted_cert};
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use rustls::pki_types::CertificateDer;

const ROOT_EXPECTED: &str = "a certificate (X.509 version 3, RFC 5280 section 4)";
const LIST_EXPECTED: &str = "a complete certificate revocation list (version 2, with a number and a next update, RFC 5280 section 5)";

/// What is wrong with a root; `None` if it can be used.
#[must_use]
pub fn root(der: &CertificateDer<'_>) -> Option<String> {
    let error = anchor_from_trusted_cert(der).err()?;
    let wrong = match other_size(der) {
        Some(size) => size,
        None if is_list(der) => "it is a certificate revocation list".to_owned(),
        None => of_encoding(&error, "certificate"),
    };
    Some(format!("{wrong}; expected {ROOT_EXPECTED}"))
}

/// What is wrong with a revocation list; `None` if it can be used.
#[must_use]
pub fn revocation_list(der: &[u8]) -> Option<String> {
    let error = OwnedCertRevocationList::from_der(der).err()?;
    let wrong = match (&error, other_size(der)) {
        (_, Some(size)) => size,
        (Error::UnsupportedCrlVersion, None) => "it is of version 1".to_owned(),
        (Error::InvalidCrlNumber, None) => "its number is not one of 1 to 20 bytes".to_owned(),
        (Error::UnsupportedDeltaCrl, None) => "it is a delta list".to_owned(),
        (Error::UnsupportedIndirectCrl, None) => {
            "it is an indirect list, of more than one issuer".to_owned()
        }
        (Error::UnsupportedRevocationReasonsPartitioning, None) => {
            "it is for some reasons of revocation only".to_owned()
        }
        (Error::UnsupportedCriticalExtension, None) => {
            "it has a critical extension that is not known here".to_owned()
        }
        (_, None) if is_certificate(der) => "it is a certificate".to_owned(),
        (Error::BadDer, None) if lacks_next_update(der) => "it has no next update".to_owned(),
        (error, None) => of_encoding(error, "revocation list"),
    };
    Some(format!("{wrong}; expected {LIST_EXPECTED}"))
}

fn of_encoding(error: &Error, kind: &str) -> String {
    match error {
        Error::BadDer => format!("what its outer length spans is not the DER of a {kind}"),
        Error::BadDerTime => "a time in it is not encoded as DER has it".to_owned(),
        Error::TrailingData(part) => format!("bytes follow the end of a part of it ({part:?})"),
        error => format!("the parser says {error:?}"),
    }
}

/// Whether the outer length is another one than that of the bytes: cut short, or with something behind.
fn other_size(der: &[u8]) -> Option<String> {
    let total = match der {
        [0x30, short @ ..=0x7f, ..] => usize::from(*short) + 2,
        [0x30, long @ 0x81..=0x84, rest @ ..] => {
            let bytes = usize::from(*long & 0x7f);
            let length = rest.get(..bytes)?.iter();
            2 + bytes + length.fold(0, |sum, byte| (sum << 8) | usize::from(*byte))
        }
        _ => return Some("it does not begin with a DER SEQUENCE (byte 0x30)".to_owned()),
    };
    let found = der.len();
    (total != found).then(|| format!("its outer length says {total} bytes, and there are {found}"))
}

fn is_certificate(der: &[u8]) -> bool {
    x509_parser::certificate::X509Certificate::from_der(der).is_ok()
}

fn is_list(der: &[u8]) -> bool {
    CertificateRevocationList::from_der(der).is_ok()
}

fn lacks_next_update(der: &[u8]) -> bool {
    let parsed = CertificateRevocationList::from_der(der);
    parsed.is_ok_and(|(_, list)| list.next_update().is_none())
}
