//! What is said of roots and revocation lists that cannot be used.

use rcgen::{CertificateRevocationListParams, KeyIdMethod, SerialNumber};
use rustls::pki_types::CertificateDer;
use sallyport_pki::unusable;

use crate::fixture::{DAY, NOW, authority_params, date, root};

fn list() -> Vec<u8> {
    let params = CertificateRevocationListParams {
        this_update: date(NOW - DAY),
        next_update: date(NOW + DAY),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = params.signed_by(&root(authority_params("A"))).unwrap();
    list.der().to_vec()
}

#[track_caller]
fn assert_list(der: &[u8], wrong: &str) {
    let said = unusable::revocation_list(der).unwrap();
    let expected = "; expected a complete certificate revocation list (version 2, with a number \
        and a next update, RFC 5280 section 5)";
    assert_eq!(said, format!("{wrong}{expected}"));
}

#[test]
fn revocation_lists() {
    let good = list();
    assert_eq!(unusable::revocation_list(&good), None);
    let size = good.len();
    let short = &good[..size - 7];
    assert_list(
        short,
        &format!(
            "its outer length says {size} bytes, and there are {}",
            size - 7
        ),
    );
    let long = [&good[..], b"\n"].concat();
    assert_list(
        &long,
        &format!(
            "its outer length says {size} bytes, and there are {}",
            size + 1
        ),
    );
    assert_list(b"", "it does not begin with a DER SEQUENCE (byte 0x30)");
    assert_list(b"what", "it does not begin with a DER SEQUENCE (byte 0x30)");
    assert_list(
        &[0x30, 2, 5, 0],
        "what its outer length spans is not the DER of a revocation list",
    );
    assert_list(root(authority_params("A")).der(), "it is a certificate");
    let version = good
        .windows(3)
        .position(|bytes| bytes == [2, 1, 1])
        .unwrap();
    let mut first = good.clone();
    first[version + 2] = 0;
    assert_list(&first, "it is of version 1");
}

#[test]
fn roots() {
    let good = root(authority_params("A")).der().to_vec();
    let of = |der: &[u8]| unusable::root(&CertificateDer::from(der.to_vec()));
    let expected = "; expected a certificate (X.509 version 3, RFC 5280 section 4)";
    assert_eq!(of(&good), None);
    let list = of(&list()).unwrap();
    assert_eq!(
        list,
        format!("it is a certificate revocation list{expected}")
    );
    let cut = of(&good[..100]).unwrap();
    let wrong = format!(
        "its outer length says {} bytes, and there are 100",
        good.len()
    );
    assert_eq!(cut, wrong + expected);
}
