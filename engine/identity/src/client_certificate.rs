//! Names in a client's certificate. That it is to be believed has been verified before, with the TLS
//! handshake.

use thiserror::Error;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

use crate::limits::{CERTIFICATE_NAMES_MAX, NAME_BYTES_MAX};
use crate::spiffe_id::{SpiffeId, SpiffeIdError};

/// Whom a certificate is of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateIdentity {
    /// The common name, if the subject has one.
    pub common_name: Option<String>,
    /// Names of hosts, in the order of the certificate.
    pub dns_names: Vec<String>,
    /// The SPIFFE id.
    pub spiffe_id: Option<SpiffeId>,
}

/// Why a certificate names nobody that can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CertificateIdentityError {
    /// The bytes are no certificate, or something follows it.
    #[error("expected one X.509 certificate in DER")]
    Malformed,
    /// More names than are read.
    #[error("a certificate with more than {CERTIFICATE_NAMES_MAX} names")]
    TooManyNames,
    /// A name that logs and rules cannot take.
    #[error("expected names of 1 to {NAME_BYTES_MAX} bytes without control characters")]
    Name,
    /// Two common names, or two URIs of which one is a SPIFFE id: whose it is cannot be said
    /// (X509-SVID.md section 2: exactly one URI).
    #[error("a certificate of two identities")]
    Ambiguous,
    /// A URI begins as a SPIFFE id, and is none.
    #[error(transparent)]
    SpiffeId(#[from] SpiffeIdError),
}

impl CertificateIdentity {
    /// Reads the certificate of a client.
    ///
    /// # Errors
    /// See [`CertificateIdentityError`].
    pub fn parse(der: &[u8]) -> Result<Self, CertificateIdentityError> {
        let (rest, certificate) =
            X509Certificate::from_der(der).map_err(|_| CertificateIdentityError::Malformed)?;
        if !rest.is_empty() {
            return Err(CertificateIdentityError::Malformed);
        }
        let mut identity = Self {
            common_name: common_name(&certificate)?,
            ..Self::default()
        };
        let names = certificate
            .subject_alternative_name()
            .map_err(|_| CertificateIdentityError::Malformed)?;
        let names = names.map_or(&[][..], |extension| &extension.value.general_names);
        if names.len() > CERTIFICATE_NAMES_MAX {
            return Err(CertificateIdentityError::TooManyNames);
        }
        let mut uris_count = 0;
        for name in names {
            match name {
                GeneralName::DNSName(name) => identity.dns_names.push(checked(name)?),
                GeneralName::URI(uri) => {
                    uris_count += 1;
                    if uri.starts_with("spiffe:") {
                        identity.spiffe_id = Some(SpiffeId::parse(uri)?);
                    }
                }
                _ => {}
            }
        }
        if identity.spiffe_id.is_some() && uris_count > 1 {
            return Err(CertificateIdentityError::Ambiguous);
        }
        Ok(identity)
    }
}

fn common_name(
    certificate: &X509Certificate<'_>,
) -> Result<Option<String>, CertificateIdentityError> {
    let mut names = certificate.subject().iter_common_name();
    let Some(name) = names.next() else {
        return Ok(None);
    };
    if names.next().is_some() {
        return Err(CertificateIdentityError::Ambiguous);
    }
    let name = name.as_str().map_err(|_| CertificateIdentityError::Name)?;
    checked(name).map(Some)
}

fn checked(name: &str) -> Result<String, CertificateIdentityError> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains(char::is_control) {
        return Err(CertificateIdentityError::Name);
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    /// Common names, hosts, URIs.
    fn certificate(common_names: &[&str], hosts: &[&str], uris: &[&str]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for name in common_names {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        let hosts = hosts
            .iter()
            .map(|name| SanType::DnsName((*name).try_into().unwrap()));
        let uris = uris
            .iter()
            .map(|uri| SanType::URI((*uri).try_into().unwrap()));
        params.subject_alt_names = hosts.chain(uris).collect();
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    fn identity(
        common_names: &[&str],
        hosts: &[&str],
        uris: &[&str],
    ) -> Result<CertificateIdentity, CertificateIdentityError> {
        CertificateIdentity::parse(&certificate(common_names, hosts, uris))
    }

    #[test]
    fn names() {
        let found = identity(
            &["web"],
            &["a.test", "b.test"],
            &["spiffe://example.org/web"],
        );
        let found = found.unwrap();
        assert_eq!(found.common_name.as_deref(), Some("web"));
        assert_eq!(found.dns_names, ["a.test", "b.test"]);
        assert_eq!(
            found.spiffe_id.unwrap().as_str(),
            "spiffe://example.org/web"
        );
        let found = identity(&[], &[], &["https://a.test/", "urn:b"]).unwrap();
        assert_eq!(found, CertificateIdentity::default());
    }

    #[test]
    fn names_that_cannot_be_relied_on() {
        let spiffe = "spiffe://example.org/web";
        for uris in [
            [spiffe, "https://a.test/"],
            ["https://a.test/", spiffe],
            [spiffe, spiffe],
        ] {
            let found = identity(&["web"], &[], &uris);
            assert_eq!(found, Err(CertificateIdentityError::Ambiguous), "{uris:?}");
        }
        let expected = Err(CertificateIdentityError::SpiffeId(SpiffeIdError::Path));
        assert_eq!(
            identity(&[], &[], &["spiffe://example.org/a/../b"]),
            expected
        );
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        for name in ["", "a\nb", long.as_str()] {
            let found = identity(&[name], &[], &[]);
            assert_eq!(found, Err(CertificateIdentityError::Name), "{name}");
        }
        let many = vec!["a.test"; CERTIFICATE_NAMES_MAX + 1];
        let expected = Err(CertificateIdentityError::TooManyNames);
        assert_eq!(identity(&[], &many, &[]), expected);
        assert!(identity(&[], &many[1..], &[]).is_ok());
    }

    #[test]
    fn bytes_that_are_none() {
        let der = certificate(&["web"], &["a.test"], &[]);
        let malformed = Err(CertificateIdentityError::Malformed);
        for end in 0..der.len() {
            assert_eq!(CertificateIdentity::parse(&der[..end]), malformed);
        }
        let longer = [&der[..], &[0]].concat();
        assert_eq!(CertificateIdentity::parse(&longer), malformed);
    }

    proptest! {
        #[test]
        fn any_change_of_a_certificate(at: prop::sample::Index, byte: u8) {
            let mut der = certificate(&["web"], &["a.test"], &["spiffe://example.org/web"]);
            let at = at.index(der.len());
            der[at] = byte;
            let _ = CertificateIdentity::parse(&der);
        }
    }
}
