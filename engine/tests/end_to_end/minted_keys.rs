//! Clients of old, and authorities that may not vouch for every host: what is minted for whom, which
//! alert says that nothing can be, and what the log says.

use std::process::{Command, Stdio};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, GeneralSubtree, IsCa, KeyPair,
    KeyUsagePurpose, NameConstraints,
};
use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::pki::Pki;
use crate::common::programs::system;
use crate::common::proxy::Setup;
use crate::common::{ALLOW_ALL, Origin, Proxy};

/// What `openssl s_client` says of one request through the tunnel.
fn s_client(proxy: &Proxy, pki: &Pki, port: u16, more: &[&str]) -> Option<String> {
    let mut child = Command::new(system("openssl")?)
        .args(["s_client", "-proxy", &proxy.address.to_string()])
        .args(["-connect", &format!("a.test:{port}")])
        .args(["-servername", "a.test", "-CAfile", &pki.authority()])
        .args(["-verify_return_error", "-ign_eof"])
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let request = format!("GET / HTTP/1.1\r\nHost: a.test:{port}\r\nConnection: close\r\n\r\n");
    // A client that was refused no longer reads.
    let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), request.as_bytes());
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    Some(String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn clients_that_take_no_ecdsa_get_rsa_where_that_is_wanted() {
    let offers: [&[&str]; 3] = [
        &["-tls1_3", "-sigalgs", "RSA-PSS+SHA256"],
        &["-tls1_2", "-sigalgs", "RSA-PSS+SHA256:RSA+SHA256"],
        &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"],
    ];
    for is_wanted in [true, false] {
        let (setup, pki) = Setup::intercepting();
        let setup = setup.key("tls.rsa_leaf", if is_wanted { "true" } else { "false" });
        let proxy = setup.start(ALLOW_ALL);
        let origin = Origin::certified(&pki.origin(&["a.test"]));
        for (index, offer) in offers.into_iter().enumerate() {
            let Some(said) = s_client(&proxy, &pki, origin.port(), offer) else {
                return;
            };
            assert_eq!(
                said.contains("HTTP/1.1 200"),
                is_wanted,
                "{offer:?}: {said}"
            );
            if is_wanted {
                assert!(said.contains("Server public key is 2048 bit"), "{said}");
                continue;
            }
            assert!(
                said.contains("alert handshake failure"),
                "{offer:?}: {said}"
            );
            let detail =
                "the client takes no ECDSA certificates, and no others are minted (tls.rsa_leaf)";
            let lines = proxy.log.transactions(index + 1);
            let expected =
                json!({"error": "tls_protocol_error", "method": "CONNECT", "detail": detail});
            assert_fields(&lines[index], &expected);
        }
        // Others get what is quicker, by a certificate of its own.
        let said = s_client(&proxy, &pki, origin.port(), &["-tls1_3"]).unwrap();
        assert!(said.contains("Server public key is 256 bit"), "{said}");
    }
}

#[test]
fn versions_of_old_are_told_so() {
    for (least, offers, expected) in [
        ("1.2", &["-tls1", "-tls1_1"][..], "TLSv1.2"),
        ("1.3", &["-tls1_1", "-tls1_2"], "TLSv1.3"),
    ] {
        let (setup, pki) = Setup::intercepting();
        let proxy = setup
            .key("tls.version_min", &format!("\"{least}\""))
            .start(ALLOW_ALL);
        let origin = Origin::certified(&pki.origin(&["a.test"]));
        for (index, offer) in offers.iter().enumerate() {
            let arguments = [*offer, "-cipher", "DEFAULT@SECLEVEL=0"];
            let Some(said) = s_client(&proxy, &pki, origin.port(), &arguments) else {
                return;
            };
            assert!(said.contains("alert protocol version"), "{offer}: {said}");
            let offered = offer
                .replace("-tls1_", "TLSv1.")
                .replace("-tls1", "TLSv1.0");
            let detail = format!(
                "the client offers {offered} at most, and {expected} is the least that is served (tls.version_min)"
            );
            let lines = proxy.log.transactions(index + 1);
            assert_fields(
                &lines[index],
                &json!({"error": "tls_protocol_error", "detail": detail}),
            );
        }
    }
}

#[test]
fn a_host_that_the_authority_may_not_vouch_for_gets_a_clear_alert() {
    let (setup, pki) = Setup::intercepting();
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "Constrained");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("b.test".to_owned())],
        excluded_subtrees: vec![],
    });
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    setup.write_file("ca.pem", authority.pem().as_bytes());
    setup.write_file("ca.key", authority.key().serialize_pem().as_bytes());
    let proxy = setup.start(ALLOW_ALL);
    let origin = Origin::certified(&pki.origin(&["a.test"]));
    let Some(said) = s_client(&proxy, &pki, origin.port(), &[]) else {
        return;
    };
    assert!(said.contains("tlsv1 unrecognized name"), "{said}");
    let detail = "the name constraints of the certificate authority do not permit `a.test`";
    assert_fields(
        &proxy.log.transaction(),
        &json!({"error": "tls_certificate_error", "detail": detail}),
    );
}
