//! What is minted, read back by a parser and judged by the verifier that origins meet.

use rustls::pki_types::ServerName;
use x509_parser::prelude::*;

use super::fixture::{authority_params, load, minter, name, now, root_of};
use crate::tls::{LeafSubject, Trust, TrustSources};

#[test]
fn a_minted_certificate_is_believed_for_the_name_that_was_asked_for() {
    for algorithm in [
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_RSA_SHA256,
    ] {
        let root = root_of(authority_params("A trial"), algorithm);
        let trust = Trust::new(TrustSources {
            extra: vec![root.der().clone()],
            ..TrustSources::default()
        })
        .unwrap();
        let minter = minter(load(&root));
        for asked in ["a.test", "xn--bcher-kva.a.test", "192.0.2.1", "2001:db8::1"] {
            let subject = LeafSubject {
                asked: &name(asked),
                origin: None,
            };
            let minted = minter.mint(subject, now()).unwrap();
            let chain = &minted.certified_key.cert;
            minted.certified_key.keys_match().unwrap();
            assert_eq!(chain.len(), 1);
            let server = ServerName::try_from(asked).unwrap();
            assert_eq!(trust.judge(&chain[0], &[], &server, now()), Ok(()));
            let (_, leaf) = X509Certificate::from_der(&chain[0]).unwrap();
            assert_eq!(leaf.subject().to_string(), format!("CN={asked}"));
            assert!(leaf.raw_serial().len() >= 12, "16 random bytes");
            assert!(leaf.raw_serial()[0] < 128, "it is positive");
        }
    }
}
