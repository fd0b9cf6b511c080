//! What can be wrong with an origin's certificate, in the field's words.
//!
//! `verify` finds it, rustls carries it out of a handshake inside its error, and the caller puts it
//! on the error page and into the log. No decision is made here.

use std::fmt;
use std::sync::Arc;

use rustls::{CertificateError, InvalidMessage, OtherError};

/// Most bytes of [`OriginFault::detail`]: names in it were chosen by the origin.
const DETAIL_BYTES_MAX: usize = 240;

/// Why a certificate is not believed. The text of each is stable: it stands in the log and on the
/// error page, and people search for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CertificateFault {
    /// Its validity, or that of a certificate above it, is over.
    Expired,
    /// Its validity, or that of a certificate above it, has not begun.
    NotYetValid,
    /// It names other hosts than the one that was asked for.
    NameMismatch,
    /// It names the host in its common name only, which RFC 9525 section 2 forbids to believe.
    CommonNameOnly,
    /// It is signed by itself and is not among the trusted roots.
    SelfSigned,
    /// The chain ends at a root that is not trusted.
    UnknownIssuer,
    /// The origin did not send a certificate between its own and a root.
    MissingIntermediate,
    /// A certificate revocation list names it, or one above it.
    Revoked,
    /// Its key usages do not allow it to identify a server, or one above it to sign certificates.
    WrongUsage,
    /// A key in the chain is too short: RSA below 2048 bits.
    WeakKey,
    /// A signature in the chain uses SHA-1 or MD5.
    WeakSignature,
    /// A signature in the chain uses an algorithm that is not supported.
    UnsupportedAlgorithm,
    /// A signature in the chain does not verify.
    BadSignature,
    /// It has a name that a certificate above it may not vouch for.
    NameConstraints,
    /// More certificate authorities stand between it and the root than one of them allows.
    PathLength,
    /// It, or one above it, has a critical extension that is not understood.
    CriticalExtension,
    /// It is not a well-formed X.509 certificate of version 3.
    BadEncoding,
    /// The chain is larger than anyone needs, or has too many ways to a root.
    TooLarge,
}

impl CertificateFault {
    /// The words for it.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotYetValid => "not yet valid",
            Self::NameMismatch => "name mismatch",
            Self::CommonNameOnly => "common name without subject alternative name",
            Self::SelfSigned => "self-signed",
            Self::UnknownIssuer => "unknown issuer",
            Self::MissingIntermediate => "missing intermediate",
            Self::Revoked => "revoked",
            Self::WrongUsage => "wrong usage",
            Self::WeakKey => "weak key",
            Self::WeakSignature => "weak signature",
            Self::UnsupportedAlgorithm => "unsupported algorithm",
            Self::BadSignature => "bad signature",
            Self::NameConstraints => "name constraints violated",
            Self::PathLength => "path length exceeded",
            Self::CriticalExtension => "unknown critical extension",
            Self::BadEncoding => "bad encoding",
            Self::TooLarge => "too large",
        }
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text())
    }
}

/// A fault and the particulars of this certificate, for example which names it does have.
///
/// `Display` gives both: `expired (since 2026-01-31T00:00:00Z)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginFault {
    /// What is wrong.
    pub fault: CertificateFault,
    /// Printable text without control characters, of bounded length; may be empty.
    pub detail: String,
}

impl OriginFault {
    /// A fault without particulars.
    #[must_use]
    pub const fn bare(fault: CertificateFault) -> Self {
        Self {
            fault,
            detail: String::new(),
        }
    }

    /// A fault with particulars, which are made printable and cut to size.
    #[must_use]
    pub fn new(fault: CertificateFault, detail: &str) -> Self {
        let mut printable = String::new();
        for character in detail.chars() {
            if printable.len() + character.len_utf8() > DETAIL_BYTES_MAX {
                printable.push('…');
                break;
            }
            printable.push(if character.is_control() {
                '\u{fffd}'
            } else {
                character
            });
        }
        Self {
            fault,
            detail: printable,
        }
    }

    /// What the library itself found; usually `verify` has found it before.
    fn of_certificate_error(error: &CertificateError) -> Self {
        Self::bare(match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                CertificateFault::Expired
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                CertificateFault::NotYetValid
            }
            CertificateError::Revoked => CertificateFault::Revoked,
            CertificateError::UnknownIssuer => CertificateFault::UnknownIssuer,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                CertificateFault::NameMismatch
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                CertificateFault::WrongUsage
            }
            _ => CertificateFault::BadEncoding,
        })
    }

    /// The fault that made a TLS handshake with an origin fail, if it was its certificate.
    #[must_use]
    pub fn of_tls_error(error: &rustls::Error) -> Option<Self> {
        match error {
            rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => {
                Some(match inner.downcast_ref::<Self>() {
                    Some(fault) => fault.clone(),
                    None => Self::new(CertificateFault::BadEncoding, &inner.to_string()),
                })
            }
            rustls::Error::InvalidCertificate(CertificateError::BadSignature) => {
                let detail = "the origin does not hold the key of its certificate";
                Some(Self::new(CertificateFault::BadSignature, detail))
            }
            rustls::Error::InvalidCertificate(other) => Some(Self::of_certificate_error(other)),
            rustls::Error::InvalidMessage(
                InvalidMessage::CertificatePayloadTooLarge
                | InvalidMessage::HandshakePayloadTooLarge,
            ) => {
                let detail = "the certificate message is larger than 64 KiB";
                Some(Self::new(CertificateFault::TooLarge, detail))
            }
            _ => None,
        }
    }
}

impl fmt::Display for OriginFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.fault.text())?;
        if self.detail.is_empty() {
            return Ok(());
        }
        write!(formatter, " ({})", self.detail)
    }
}

impl std::error::Error for OriginFault {}

impl From<OriginFault> for rustls::Error {
    fn from(fault: OriginFault) -> Self {
        Self::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(fault))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_travels_through_an_error_of_rustls() {
        let fault = OriginFault::new(CertificateFault::Expired, "since 2026-01-31T00:00:00Z");
        let carried = rustls::Error::from(fault.clone());
        assert_eq!(OriginFault::of_tls_error(&carried), Some(fault.clone()));
        assert_eq!(fault.to_string(), "expired (since 2026-01-31T00:00:00Z)");
        let other = rustls::Error::HandshakeNotComplete;
        assert_eq!(OriginFault::of_tls_error(&other), None);
    }

    #[test]
    fn what_the_origin_chose_is_printable_and_bounded() {
        let fault = OriginFault::new(CertificateFault::NameMismatch, "a\r\n\u{1b}[2Jb");
        assert_eq!(fault.detail, "a\u{fffd}\u{fffd}\u{fffd}[2Jb");
        let long = OriginFault::new(CertificateFault::NameMismatch, &"ü".repeat(10_000));
        assert!(long.detail.len() <= DETAIL_BYTES_MAX + '…'.len_utf8());
        assert!(long.detail.ends_with("ü…"));
    }
}
