//! Facts that rules and logs see of an origin's certificate.

use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, SanType};
use sallyport_pki::OriginCertificate;

use crate::fixture::{authority_params, leaf_params, name, root, self_signed, signed};

fn issuer_text(parts: &[(DnType, DnValue)]) -> String {
    let mut params: CertificateParams = leaf_params(&["a.test"]);
    params.distinguished_name = DistinguishedName::new();
    for (kind, value) in parts {
        params.distinguished_name.push(kind.clone(), value.clone());
    }
    OriginCertificate::read(&self_signed(&params))
        .issuer()
        .to_owned()
}

fn text(value: &str) -> DnValue {
    DnValue::Utf8String(value.to_owned())
}

#[test]
fn the_issuer_is_written_as_in_rfc_4514() {
    let custom = |oid: &[u64]| DnType::CustomDnType(oid.to_vec());
    let cases: &[(&[(DnType, DnValue)], &str)] = &[
        (
            &[
                (DnType::CountryName, text("US")),
                (DnType::OrganizationName, text("Let's Encrypt")),
                (DnType::CommonName, text("R11")),
            ],
            "CN=R11,O=Let's Encrypt,C=US",
        ),
        // RFC 4514 section 4, the examples that concern escapes.
        (
            &[(DnType::CommonName, text("James \"Jim\" Smith, III"))],
            "CN=James \\\"Jim\\\" Smith\\, III",
        ),
        (
            &[(DnType::CommonName, text("Before\rAfter"))],
            "CN=Before\\0DAfter",
        ),
        (&[(DnType::CommonName, text("Lučić"))], "CN=Lučić"),
        (
            &[(DnType::CommonName, text("#a +b;<c>\\ "))],
            "CN=\\#a \\+b\\;\\<c\\>\\\\\\ ",
        ),
        (&[(DnType::CommonName, text(" "))], "CN=\\ "),
        (&[(DnType::CommonName, text("a\nb\u{7f}"))], "CN=a\\0Ab\\7F"),
        (
            &[(custom(&[1, 3, 6, 1, 4, 1, 1466, 0]), text("Hi"))],
            "1.3.6.1.4.1.1466.0=#0c024869",
        ),
        (
            &[(custom(&[0, 9, 2342, 19_200_300, 100, 1, 25]), text("test"))],
            "DC=test",
        ),
        (
            &[(
                DnType::CommonName,
                DnValue::BmpString("Ünï".try_into().unwrap()),
            )],
            "CN=Ünï",
        ),
        (&[], ""),
    ];
    for (parts, expected) in cases {
        assert_eq!(issuer_text(parts), *expected);
    }
}

#[test]
fn the_fingerprint_is_that_of_the_whole_certificate() {
    use sha2::Digest;
    let der = signed(&root(authority_params("A")), &leaf_params(&["a.test"]));
    let facts = OriginCertificate::read(&der);
    let expected: String = sha2::Sha256::digest(&der)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(facts.sha256_hex(), expected);
    assert_eq!(facts.issuer(), "CN=A");
    assert_eq!(facts.common_name(), Some("a.test"));
}

#[test]
fn only_hosts_and_addresses_are_names() {
    let mut params = leaf_params(&["A.test", "*.b.test", "192.0.2.1"]);
    params.subject_alt_names.extend([
        SanType::DnsName("not a host".try_into().unwrap()),
        SanType::DnsName("*".try_into().unwrap()),
        SanType::Rfc822Name("a@b.test".try_into().unwrap()),
        SanType::URI("https://c.test/".try_into().unwrap()),
    ]);
    let facts = OriginCertificate::read(&self_signed(&params));
    assert_eq!(facts.names(), ["a.test", "*.b.test", "192.0.2.1"].map(name));
}

#[test]
fn what_is_no_certificate_has_a_fingerprint_only() {
    let der = self_signed(&leaf_params(&["a.test"]));
    for bytes in [&b""[..], b"\x30\x80", &der[..der.len() - 1]] {
        let facts = OriginCertificate::read(bytes);
        assert_eq!(facts.sha256_hex().len(), 64);
        assert_eq!(
            (facts.issuer(), facts.names().len(), facts.not_after()),
            ("", 0, None)
        );
    }
}
