//! The judgment of `verify` inside a handshake of rustls.
//!
//! The fault travels inside the error of rustls: [`OriginFault::of_tls_error`] takes it out again.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};

use crate::certificate::parse;
use crate::path_rules::weak_key;
use crate::trust::Trust;

/// What to do about a certificate that is not believed (`upstream_verify`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum UpstreamVerify {
    /// End the handshake; the client gets a 502 that names the cause.
    #[default]
    Deny,
    /// Go on. Whoever made the connection asks [`Trust::judge`] afterwards what there is to log.
    Alert,
}

/// Verifies origins in the handshakes of a `rustls::ClientConfig`.
#[derive(Debug)]
pub struct OriginVerifier {
    trust: Arc<Trust>,
    mode: UpstreamVerify,
    algorithms: WebPkiSupportedAlgorithms,
}

impl OriginVerifier {
    /// A verifier that believes `trust`.
    #[must_use]
    pub fn new(trust: Arc<Trust>, mode: UpstreamVerify) -> Self {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        Self {
            trust,
            mode,
            algorithms: provider.signature_verification_algorithms,
        }
    }

    /// Whether the signature of the handshake cannot be checked, because the key is too short or
    /// webpki does not read the certificate, and the configuration says to go on nevertheless.
    fn lets_pass(&self, certificate: &CertificateDer<'_>) -> bool {
        self.mode == UpstreamVerify::Alert
            && (webpki::EndEntityCert::try_from(certificate).is_err()
                || parse(certificate).is_none_or(|certificate| weak_key(&certificate).is_some()))
    }
}

impl ServerCertVerifier for OriginVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.mode == UpstreamVerify::Deny {
            self.trust
                .judge(end_entity, intermediates, server_name, now)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.lets_pass(certificate) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.lets_pass(certificate) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
