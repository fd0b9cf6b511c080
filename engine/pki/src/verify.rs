//! Judging the certificate chain of an origin, and saying what is wrong in the field's words.
//!
//! webpki finds and checks the path; `path_rules` adds what it leaves out; here both are put in
//! order and its errors translated. Pure: chain, name and time come in. `origin_verifier` calls it
//! inside a handshake.

use std::cell::RefCell;

use rustls::pki_types::{
    CertificateDer, ServerName, SignatureVerificationAlgorithm, TrustAnchor, UnixTime,
};
use sha1::{Digest, Sha1};
use webpki::{EndEntityCert, Error, KeyUsage, RevocationCheckDepth, RevocationOptionsBuilder};
use webpki::{ExpirationPolicy, UnknownStatusPolicy, VerifiedPath};
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::asn1_rs::BitString;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::x509::AlgorithmIdentifier;

use crate::certificate::{date, is_self_issued, parse, weak_signature};
use crate::distinguished_name;
use crate::fault::{CertificateFault, OriginFault};
use crate::path_rules::{self, Sent};
use crate::tolerance::Tolerated;
use crate::trust::Trust;

/// What rustls takes of the certificates of a peer.
const CERTIFICATE_MESSAGE_BYTES_MAX: usize = 0xffff;

impl Trust {
    /// Whether the chain that an origin sent is to be believed for `name`.
    ///
    /// # Errors
    /// What is wrong with it. Where several things are, the one that webpki holds for the most
    /// specific: validity before names, names before signatures, those before the issuer.
    pub fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), OriginFault> {
        let chain = Chain {
            leaf,
            intermediates,
        };
        // More fits into no certificate message of TLS, and webpki reads no larger certificate.
        if chain.bytes() > CERTIFICATE_MESSAGE_BYTES_MAX {
            let detail = format!("{} bytes", chain.bytes());
            return Err(OriginFault::new(CertificateFault::TooLarge, &detail));
        }
        let end_entity = EndEntityCert::try_from(leaf).map_err(|error| chain.unreadable(&error))?;
        let certificate = path_rules::read(leaf)?;
        if self.certificates.contains(leaf) {
            // Trusted by itself, whatever its issuer: only its own rules count.
            path_rules::pinned(&certificate, now)?;
        } else {
            self.judge_path(&chain, now)?;
            path_rules::no_authority(&certificate)?;
        }
        end_entity
            .verify_is_valid_for_subject_name(name)
            .map_err(|error| chain.explain(&error, self))?;
        path_rules::leaf(&certificate, name)
    }

    /// As webpki does, and once more with what browsers take beyond that.
    fn judge_path(&self, chain: &Chain<'_>, now: UnixTime) -> Result<(), OriginFault> {
        let strict = self.find_path(
            chain.leaf,
            chain.intermediates,
            webpki::ALL_VERIFICATION_ALGS,
            None,
            now,
        );
        let outcome = match strict {
            // Which of its errors webpki tells depends on the ways that it tried.
            Err(PathFault::Found(_)) => match Tolerated::of(chain.leaf, chain.intermediates) {
                Some(copies) => self.find_path_with(&copies, now),
                None => strict,
            },
            strict => strict,
        };
        outcome.map_err(|fault| match fault {
            PathFault::Found(error) => chain.explain(&error, self),
            PathFault::Rules(fault) => fault,
        })
    }

    fn find_path_with(&self, copies: &Tolerated, now: UnixTime) -> Result<(), PathFault> {
        let algorithms = copies.algorithms();
        let algorithms: Vec<&dyn SignatureVerificationAlgorithm> =
            algorithms.iter().map(|algorithm| algorithm as _).collect();
        self.find_path(
            copies.leaf(),
            copies.intermediates(),
            &algorithms,
            Some(copies),
            now,
        )
    }

    fn find_path(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        algorithms: &[&dyn SignatureVerificationAlgorithm],
        copies: Option<&Tolerated>,
        now: UnixTime,
    ) -> Result<(), PathFault> {
        let end_entity = EndEntityCert::try_from(leaf).map_err(PathFault::Found)?;
        let lists: Vec<_> = self.revocation_lists.iter().collect();
        let revocation = RevocationOptionsBuilder::new(&lists).ok().map(|options| {
            options
                .with_depth(RevocationCheckDepth::Chain)
                .with_status_policy(UnknownStatusPolicy::Allow)
                .with_expiration_policy(ExpirationPolicy::Ignore)
                .build()
        });
        let found = RefCell::new(None);
        let check = |path: &VerifiedPath<'_>| {
            path_rules::path(path, Sent { leaf, copies }, self, now).map_err(|fault| {
                found.replace(Some(fault));
                // Any that webpki ranks high: what counts is `found`.
                Error::CertDistrusted
            })
        };
        let verified = end_entity.verify_for_usage(
            algorithms,
            &self.anchors,
            intermediates,
            now,
            KeyUsage::server_auth(),
            revocation,
            Some(&check),
        );
        match verified {
            Ok(_) => Ok(()),
            Err(Error::CertDistrusted) if found.borrow().is_some() => {
                let fault = found.take();
                Err(PathFault::Rules(fault.unwrap_or_else(|| {
                    OriginFault::bare(CertificateFault::UnknownIssuer)
                })))
            }
            Err(error) => Err(PathFault::Found(error)),
        }
    }
}

/// Why no path is good.
enum PathFault {
    /// As webpki says.
    Found(Error),
    /// As `path_rules` say.
    Rules(OriginFault),
}

/// What an origin sent.
struct Chain<'a> {
    leaf: &'a CertificateDer<'a>,
    intermediates: &'a [CertificateDer<'a>],
}

impl Chain<'_> {
    fn bytes(&self) -> usize {
        let above = self.intermediates.iter().map(|der| der.len());
        self.leaf.len() + above.sum::<usize>()
    }

    /// A leaf that webpki does not read.
    fn unreadable(&self, error: &Error) -> OriginFault {
        match error {
            Error::UnsupportedCriticalExtension => {
                OriginFault::bare(CertificateFault::CriticalExtension)
            }
            error => OriginFault::new(CertificateFault::BadEncoding, &error.to_string()),
        }
    }

    /// The fault that an error of webpki stands for.
    fn explain(&self, error: &Error, trust: &Trust) -> OriginFault {
        use CertificateFault as Fault;
        match error {
            Error::CertExpired { not_after, .. } => {
                OriginFault::new(Fault::Expired, &format!("since {}", date(*not_after)))
            }
            Error::CertNotValidYet { not_before, .. } => {
                OriginFault::new(Fault::NotYetValid, &format!("until {}", date(*not_before)))
            }
            Error::CertNotValidForName(context) if context.presented.is_empty() => {
                self.without_names()
            }
            Error::CertNotValidForName(context) => {
                let names = format!("it is for {}", context.presented.join(", "));
                OriginFault::new(Fault::NameMismatch, &names)
            }
            Error::CertRevoked => OriginFault::bare(Fault::Revoked),
            Error::CertDistrusted => OriginFault::new(Fault::Revoked, "a key that was compromised"),
            Error::InvalidSignatureForPublicKey => self.bad_signature(trust),
            Error::InvalidCrlSignatureForPublicKey => {
                OriginFault::new(Fault::BadSignature, "of the revocation list of its issuer")
            }
            Error::IssuerNotCrlSigner => OriginFault::new(
                Fault::WrongUsage,
                "its issuer may not sign revocation lists",
            ),
            Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => {
                OriginFault::new(Fault::WrongUsage, "extended key usage lacks serverAuth")
            }
            Error::CaUsedAsEndEntity if self.is_self_issued() => {
                OriginFault::bare(Fault::SelfSigned)
            }
            Error::CaUsedAsEndEntity => {
                OriginFault::new(Fault::WrongUsage, "it is a certificate authority's")
            }
            Error::EndEntityUsedAsCa => {
                OriginFault::new(Fault::WrongUsage, "its issuer is no certificate authority")
            }
            Error::NameConstraintViolation => OriginFault::bare(Fault::NameConstraints),
            Error::PathLenConstraintViolated => OriginFault::bare(Fault::PathLength),
            Error::UnsupportedSignatureAlgorithmContext(_)
            | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
                self.unsupported_algorithm()
            }
            Error::UnsupportedCriticalExtension => OriginFault::bare(Fault::CriticalExtension),
            Error::MaximumSignatureChecksExceeded
            | Error::MaximumPathBuildCallsExceeded
            | Error::MaximumPathDepthExceeded
            | Error::MaximumNameConstraintComparisonsExceeded => {
                OriginFault::new(Fault::TooLarge, "too many ways from it to a root")
            }
            Error::UnknownIssuer => self.unknown_issuer(trust),
            other => OriginFault::new(Fault::BadEncoding, &other.to_string()),
        }
    }

    /// No name at all that webpki reads.
    fn without_names(&self) -> OriginFault {
        let Some(leaf) = parse(self.leaf) else {
            return OriginFault::bare(CertificateFault::NameMismatch);
        };
        let has_names = leaf.subject_alternative_name().is_ok_and(|extension| {
            extension.is_some_and(|extension| !extension.value.general_names.is_empty())
        });
        match distinguished_name::common_name(leaf.subject()) {
            Some(name) if !has_names => OriginFault::new(
                CertificateFault::CommonNameOnly,
                &format!("it is for {name}"),
            ),
            _ => OriginFault::new(CertificateFault::NameMismatch, "it is for no host"),
        }
    }

    fn is_self_issued(&self) -> bool {
        parse(self.leaf).is_some_and(|leaf| is_self_issued(&leaf))
    }

    /// One that does not verify: with a key that is too short, since aws-lc refuses those without
    /// saying so; with the key of a root that has the same name by chance; or by forgery.
    fn bad_signature(&self, trust: &Trust) -> OriginFault {
        let roots = trust.certificates.iter().filter_map(|root| parse(root));
        let is_above = |root: &X509Certificate<'_>| {
            self.all()
                .any(|certificate| certificate.issuer().as_raw() == root.subject().as_raw())
        };
        let mut concerned = self.all().chain(roots.filter(is_above));
        if let Some(weak) = concerned.find_map(|certificate| path_rules::weak_key(&certificate)) {
            return weak;
        }
        if self.is_self_issued() {
            return OriginFault::bare(CertificateFault::SelfSigned);
        }
        match self.all().find(|below| has_another_root(below, trust)) {
            Some(below) => {
                let root = distinguished_name::rfc_4514(below.issuer());
                let detail = format!("{root}: a root of this name is trusted, but of another key");
                OriginFault::new(CertificateFault::UnknownIssuer, &detail)
            }
            None => OriginFault::bare(CertificateFault::BadSignature),
        }
    }

    fn unsupported_algorithm(&self) -> OriginFault {
        let mut unsupported = None;
        for certificate in self.all() {
            let algorithm = certificate.signature_algorithm.algorithm.to_id_string();
            if let Some(name) = weak_signature(&algorithm) {
                return OriginFault::new(CertificateFault::WeakSignature, name);
            }
            unsupported.get_or_insert(algorithm);
        }
        let detail = unsupported.unwrap_or_default();
        OriginFault::new(CertificateFault::UnsupportedAlgorithm, &detail)
    }

    /// Climbs from the leaf as far as certificates were sent, and looks at where that ends.
    fn unknown_issuer(&self, trust: &Trust) -> OriginFault {
        let Some(leaf) = parse(self.leaf) else {
            return OriginFault::bare(CertificateFault::UnknownIssuer);
        };
        if is_self_issued(&leaf) {
            return OriginFault::bare(CertificateFault::SelfSigned);
        }
        let sent: Vec<_> = self
            .intermediates
            .iter()
            .filter_map(|der| parse(der))
            .collect();
        let mut top = &leaf;
        for _ in &sent {
            let issuer = top.issuer().as_raw();
            match sent.iter().find(|other| other.subject().as_raw() == issuer) {
                Some(above) if !is_self_issued(top) => top = above,
                _ => break,
            }
        }
        let issuer = distinguished_name::rfc_4514(top.issuer());
        let is_trusted_name = trust
            .anchors
            .iter()
            .any(|anchor| top.issuer().as_raw().ends_with(anchor.subject.as_ref()));
        if !is_self_issued(top) && !is_trusted_name && names_its_issuer(top) {
            let detail = format!("that of {issuer}");
            return OriginFault::new(CertificateFault::MissingIntermediate, &detail);
        }
        OriginFault::new(CertificateFault::UnknownIssuer, &issuer)
    }

    /// The leaf and what came with it, as far as it parses.
    fn all(&self) -> impl Iterator<Item = X509Certificate<'_>> {
        std::iter::once(self.leaf)
            .chain(self.intermediates)
            .filter_map(|der| parse(der))
    }
}

/// Whether a certificate was issued under the name of a trusted root by another key than that root has:
/// the root was made anew, and what leads from the old one to the new was not sent.
fn has_another_root(certificate: &X509Certificate<'_>, trust: &Trust) -> bool {
    let issuer = certificate.issuer().as_raw();
    let mut named = trust
        .anchors
        .iter()
        .filter(|anchor| issuer.ends_with(anchor.subject.as_ref()))
        .peekable();
    if named.peek().is_none() {
        return false;
    }
    let Some(identifier) = authority_key_identifier(certificate) else {
        // Nothing says that it should be the trusted key.
        return true;
    };
    let certificates = trust.certificates.iter().filter_map(parse);
    let mut identifiers = certificates
        .filter(|root| root.subject().as_raw() == issuer)
        .filter_map(|root| subject_key_identifier(&root).map(<[u8]>::to_vec));
    // RFC 5280 section 4.2.1.2, the first way, where the root's own identifier is not known.
    let is_sha1_of = |anchor: &TrustAnchor<'_>| {
        let (key_bits, _) = AlgorithmIdentifier::from_der(&anchor.subject_public_key_info).ok()?;
        let (_, key) = BitString::from_der(key_bits).ok()?;
        Some(Sha1::digest(key.as_ref())[..] == *identifier)
    };
    !identifiers.any(|of_root| of_root == identifier)
        && !named.any(|anchor| is_sha1_of(anchor) == Some(true))
}

fn authority_key_identifier<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a [u8]> {
    certificate
        .extensions()
        .iter()
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(found) => {
                found.key_identifier.as_ref().map(|key| key.0)
            }
            _ => None,
        })
}

fn subject_key_identifier<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a [u8]> {
    certificate
        .extensions()
        .iter()
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(found) => Some(found.0),
            _ => None,
        })
}

/// Whether it says where the certificate of its issuer is to be had (RFC 5280 section 4.2.2.1):
/// then there is one, and the origin should have sent it.
fn names_its_issuer(certificate: &X509Certificate<'_>) -> bool {
    certificate.extensions().iter().any(|extension| {
        let ParsedExtension::AuthorityInfoAccess(access) = extension.parsed_extension() else {
            return false;
        };
        access.iter().any(|description| {
            description.access_method.to_id_string() == "1.3.6.1.5.5.7.48.2"
                && matches!(description.access_location, GeneralName::URI(_))
        })
    })
}
