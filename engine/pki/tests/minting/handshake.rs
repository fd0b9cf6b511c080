//! Minted certificates and judged origins in handshakes, in memory.

use std::sync::Arc;

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    ClientConfig, ClientConnection, ServerConfig, ServerConnection, SupportedProtocolVersion,
};
use sallyport_pki::{
    CertificateFault, LeafKey, LeafSubject, OriginCertificate, OriginFault, OriginVerifier, Trust,
    TrustSources, UpstreamVerify,
};

use crate::minted;

const VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

/// Shakes hands for `a.test`; gives the error of the client, if it has one.
fn shake(
    version: &'static SupportedProtocolVersion,
    verifier: Arc<dyn ServerCertVerifier>,
    served: Arc<CertifiedKey>,
) -> Result<(), rustls::Error> {
    let client = ClientConfig::builder_with_protocol_versions(&[version])
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    let server = ServerConfig::builder_with_protocol_versions(&[version])
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(served)));
    let name = ServerName::try_from("a.test").unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    let mut wire = Vec::new();
    while client.is_handshaking() || server.is_handshaking() {
        wire.clear();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets().unwrap();
        wire.clear();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    Ok(())
}

fn verifier(root: CertificateDer<'static>, mode: UpstreamVerify) -> Arc<OriginVerifier> {
    let trust = Trust::new(TrustSources {
        extra: vec![root],
        ..TrustSources::default()
    });
    Arc::new(OriginVerifier::new(Arc::new(trust.unwrap()), mode))
}

fn self_signed(names: &[&str]) -> (Arc<CertifiedKey>, CertificateDer<'static>) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).unwrap();
    let certificate = made.cert.der().clone();
    let served = CertifiedKey::new(vec![certificate.clone()], key);
    (Arc::new(served), certificate)
}

#[test]
fn the_fault_of_an_origin_comes_out_of_the_handshake() {
    let (served, certificate) = self_signed(&["b.test"]);
    let (_, stranger) = self_signed(&["a.test"]);
    for version in VERSIONS {
        for (root, expected) in [
            (&certificate, CertificateFault::NameMismatch),
            (&stranger, CertificateFault::SelfSigned),
        ] {
            let verifier = verifier(root.clone(), UpstreamVerify::Deny);
            let error = shake(version, verifier, Arc::clone(&served)).unwrap_err();
            let fault = OriginFault::of_tls_error(&error).unwrap();
            assert_eq!(fault.fault, expected);
        }
        let lenient = verifier(stranger.clone(), UpstreamVerify::Alert);
        assert_eq!(shake(version, lenient, Arc::clone(&served)), Ok(()));
    }
}

#[test]
fn an_origin_without_the_key_of_its_certificate_is_refused_in_any_mode() {
    let (served, _) = self_signed(&["a.test"]);
    let (_, certificate) = self_signed(&["a.test"]);
    let stolen = CertifiedKey::new(vec![certificate.clone()], Arc::clone(&served.key));
    let stolen = Arc::new(stolen);
    for version in VERSIONS {
        for mode in [UpstreamVerify::Deny, UpstreamVerify::Alert] {
            let verifier = verifier(certificate.clone(), mode);
            let error = shake(version, verifier, Arc::clone(&stolen)).unwrap_err();
            let fault = OriginFault::of_tls_error(&error).unwrap();
            assert_eq!(fault.fault, CertificateFault::BadSignature);
        }
    }
}

#[test]
fn minted_certificates_are_served() {
    let mut params = CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
    let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = root.key().serialize_pem();
    let now = rustls::pki_types::UnixTime::now();
    let authority = sallyport_pki::Authority::load(root.pem().as_bytes(), key.as_bytes(), now);
    let minter = minted::minter(authority.unwrap());
    let asked = minted::name("a.test");
    let origin: OriginCertificate = minted::origin(&["a.test", "b.test"]);
    for origin in [None, Some(&origin)] {
        let subject = LeafSubject {
            asked: &asked,
            origin,
            key: LeafKey::Ecdsa,
        };
        let served = minter.mint(subject, now).unwrap().certified_key;
        for version in VERSIONS {
            let verifier = verifier(root.der().clone(), UpstreamVerify::Deny);
            assert_eq!(shake(version, verifier, Arc::clone(&served)), Ok(()));
        }
    }
}
