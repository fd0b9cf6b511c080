//! Which authorities are loaded, and what is said of the others.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use sallyport_pki::{Authority, AuthorityError};

use crate::fixture::{DAY, NOW, authority_params, below, date, load, now, root};

fn try_load(certificates: &str, key: &str) -> Result<Authority, AuthorityError> {
    Authority::load(certificates.as_bytes(), key.as_bytes(), now())
}

/// What is said of an authority that is its own root.
fn complaint(params: CertificateParams) -> String {
    let issuer = root(params);
    let error = try_load(&issuer.pem(), &issuer.key().serialize_pem()).unwrap_err();
    error.to_string()
}

fn changed(change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = authority_params("A");
    change(&mut params);
    params
}

#[test]
fn a_root_is_not_sent_along_and_what_is_below_it_is() {
    let top = root(authority_params("Top"));
    assert!(load(&top, &[]).chain().is_empty());
    let middle = below(&top, authority_params("Middle"));
    let low = below(&middle, authority_params("Low"));
    // The order in the file does not matter, nor whether the root is in it.
    for above in [&[&middle][..], &[&top, &middle]] {
        let authority = load(&low, above);
        assert_eq!(authority.subject_text(), "CN=Low");
        let chain: Vec<&[u8]> = authority.chain().iter().map(AsRef::as_ref).collect();
        assert_eq!(chain, [low.der().as_ref(), middle.der().as_ref()]);
    }
    let key = low.key().serialize_pem();
    let shuffled = middle.pem() + &top.pem() + &low.pem() + &key;
    let authority = try_load(&shuffled, &shuffled).unwrap();
    assert_eq!(authority.certificate(), low.der());
    assert_eq!(authority.chain().len(), 2);
}

#[test]
fn the_end_that_comes_first_is_the_end_of_all() {
    let top = root(changed(|params| params.not_after = date(NOW + 29 * DAY)));
    let low = below(&top, authority_params("Low"));
    let authority = load(&low, &[&top]);
    assert_eq!(authority.not_after().as_secs(), NOW + 29 * DAY);
    let left = authority.expires_soon(now()).unwrap();
    assert_eq!(left.as_secs(), 29 * DAY);
    assert_eq!(load(&low, &[]).expires_soon(now()), None);
}

#[test]
fn what_clients_would_refuse_is_refused_at_once() {
    let cases: &[(&str, CertificateParams)] = &[
        (
            "`CN=A` is not a certificate authority",
            changed(|params| params.is_ca = IsCa::NoCa),
        ),
        (
            "`CN=A` is not a certificate authority",
            changed(|params| params.is_ca = IsCa::ExplicitNoCa),
        ),
        (
            "key usage lacks keyCertSign",
            changed(|params| params.key_usages = vec![KeyUsagePurpose::DigitalSignature]),
        ),
        (
            "extended key usage lacks serverAuth",
            changed(|params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]
            }),
        ),
        (
            "`CN=A` expired on 2026-05-31T00:00:00Z",
            changed(|params| params.not_after = date(NOW - DAY)),
        ),
        (
            "`CN=A` is not valid before 2026-06-02T00:00:00Z; is the clock right?",
            changed(|params| params.not_before = date(NOW + DAY)),
        ),
    ];
    for (expected, params) in cases {
        let said = complaint(params.clone());
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn path_lengths_above_it_must_allow_it() {
    let narrow =
        |length| changed(|params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(length)));
    let top = root(narrow(0));
    load(&top, &[]);
    let low = below(&top, authority_params("Low"));
    let pem = low.pem() + &top.pem();
    let error = try_load(&pem, &low.key().serialize_pem()).unwrap_err();
    assert!(matches!(error, AuthorityError::PathLength(subject) if subject == "CN=A"));
    let top = root(narrow(1));
    load(&below(&top, authority_params("Low")), &[&top]);
}

#[test]
fn a_file_that_is_something_else_is_told_from_one_that_is_damaged() {
    let issuer = root(authority_params("A"));
    let (pem, key) = (issuer.pem(), issuer.key().serialize_pem());
    let other = KeyPair::generate().unwrap().serialize_pem();
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519)
        .unwrap()
        .serialize_pem();
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let legacy = key.replace("KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\n");
    let not_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let cases = [
        ("", key.as_str(), "there is no certificate"),
        (&key, &key, "there is no certificate"),
        (&pem, "", "there is no private key"),
        (&pem, &pem, "there is no private key"),
        (&pem, &other, "does not belong to the certificate `CN=A`"),
        (&pem, &encrypted, "openssl pkey"),
        (&pem, &legacy, "openssl pkey"),
        (&pem, &ed25519, "ECDSA P-256, P-384 and RSA"),
        (
            not_der,
            &key,
            "certificate 1 of the file is not a well-formed",
        ),
        (
            &pem[..100],
            &key,
            "a block has no line `-----END CERTIFICATE-----`",
        ),
        (&pem.repeat(9), &key, "there are 9 certificates"),
    ];
    for (certificates, key, expected) in cases {
        let said = try_load(certificates, key).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}\nexpected: {expected}");
    }
}

#[test]
fn every_certificate_of_the_file_leads_upwards() {
    let top = root(authority_params("Top"));
    let middle = below(&top, authority_params("Middle"));
    let low = below(&middle, authority_params("Low"));
    let key = low.key().serialize_pem();
    let gap = try_load(&(low.pem() + &top.pem()), &key).unwrap_err();
    let said = gap.to_string();
    assert!(
        said.contains("`CN=Low` was issued by `CN=Middle`") && said.contains("though `CN=Top` is"),
        "{said}"
    );
    let other = root(authority_params("Other"));
    let all = low.pem() + &middle.pem() + &other.pem() + &top.pem();
    let said = try_load(&all, &key).unwrap_err().to_string();
    assert!(
        said.contains("certificate 3 of the file, `CN=Other`"),
        "{said}"
    );
    // The root was made anew, with another key and the same name.
    let anew = root(authority_params("Top"));
    let said = try_load(&(low.pem() + &middle.pem() + &anew.pem()), &key);
    let said = said.unwrap_err().to_string();
    assert!(said.contains("`CN=Top` in the file has not signed `CN=Middle`"));
    // Both roots, and the certificate that leads from one to the other: that one is sent.
    let link = anew.key();
    let link = rcgen::CertifiedIssuer::signed_by(authority_params("Top"), link, &top).unwrap();
    let under_new = below(&anew, authority_params("Low"));
    let pem = under_new.pem() + &link.pem() + &top.pem();
    let authority = try_load(&pem, &under_new.key().serialize_pem()).unwrap();
    assert_eq!(authority.chain().len(), 2);
    // The authority is certified twice: both ways up may be in the file.
    let twice = rcgen::CertifiedIssuer::signed_by(authority_params("Low"), low.key(), &other);
    let pem = low.pem() + &middle.pem() + &top.pem() + &twice.unwrap().pem() + &other.pem();
    try_load(&pem, &key).unwrap();
}

#[test]
fn its_own_certificate_may_have_any_subject() {
    let odd = changed(|params| {
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CountryName, "AT");
        params
            .distinguished_name
            .push(DnType::OrganizationName, "Müller, Söhne & Co. \"KG\"");
        params.distinguished_name.push(
            DnType::CommonName,
            rcgen::DnValue::BmpString("Ünï".try_into().unwrap()),
        );
    });
    let authority = load(&root(odd), &[]);
    assert_eq!(
        authority.subject_text(),
        "CN=Ünï,O=Müller\\, Söhne & Co. \\\"KG\\\",C=AT"
    );
}

#[test]
fn debugging_output_holds_no_key() {
    let issuer = root(authority_params("A"));
    let shown = format!("{:?}", load(&issuer, &[]));
    assert!(shown.contains("CN=A") && shown.len() < 120, "{shown}");
}
