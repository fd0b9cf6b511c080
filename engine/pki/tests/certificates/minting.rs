//! What is minted, read back by a parser and judged by the verifier that origins meet.

use std::collections::HashSet;

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, DnValue,
    GeneralSubtree, IsCa, NameConstraints,
};
use rustls::pki_types::{CertificateDer, ServerName};
use sallyport_pki::{
    CertificateName, LeafKey, LeafSubject, MintError, Minted, Minter, OriginCertificate,
};
use sallyport_pki::{Trust, TrustSources};
use x509_parser::prelude::*;

use crate::fixture::{
    DAY, Issuer, NOW, at, authority_params, below, date, leaf_params, load, minter, name, now,
    root, root_of, signed,
};

fn trust(issuer: &Issuer) -> Trust {
    Trust::new(TrustSources {
        extra: vec![issuer.der().clone()],
        ..TrustSources::default()
    })
    .unwrap()
}

fn mint(minter: &Minter, asked: &str, origin: Option<&OriginCertificate>) -> Minted {
    let subject = LeafSubject {
        asked: &name(asked),
        origin,
        key: LeafKey::Ecdsa,
    };
    minter.mint(subject, now()).unwrap()
}

/// The names of the leaf, in order.
fn names(minted: &Minted) -> Vec<String> {
    let origin = OriginCertificate::read(&minted.certified_key.cert[0]);
    origin
        .names()
        .iter()
        .map(CertificateName::to_string)
        .collect()
}

fn origin(params: &CertificateParams) -> OriginCertificate {
    OriginCertificate::read(&signed(&root(authority_params("Origins")), params))
}

#[test]
fn a_minted_certificate_is_believed_for_the_name_that_was_asked_for() {
    for algorithm in [
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_RSA_SHA256,
    ] {
        let root = root_of(authority_params("A trial"), algorithm);
        let trust = trust(&root);
        let minter = minter(load(&root, &[]));
        for asked in ["a.test", "xn--bcher-kva.a.test", "192.0.2.1", "2001:db8::1"] {
            let minted = mint(&minter, asked, None);
            let chain = &minted.certified_key.cert;
            minted.certified_key.keys_match().unwrap();
            assert_eq!(chain.len(), 1);
            let server = ServerName::try_from(asked).unwrap();
            assert_eq!(trust.judge(&chain[0], &[], &server, now()), Ok(()));
            let (_, leaf) = X509Certificate::from_der(&chain[0]).unwrap();
            assert_eq!(leaf.subject().to_string(), format!("CN={asked}"));
            assert_eq!(names(&minted), [asked]);
        }
    }
}

#[test]
fn what_stands_in_it() {
    let root = root(authority_params("A"));
    let minted = mint(&minter(load(&root, &[])), "a.test", None);
    let (_, issuer) = X509Certificate::from_der(root.der()).unwrap();
    let (_, leaf) = X509Certificate::from_der(&minted.certified_key.cert[0]).unwrap();
    assert_eq!(leaf.version(), X509Version::V3);
    assert_eq!(leaf.issuer().as_raw(), issuer.subject().as_raw());
    assert_eq!(
        leaf.validity().not_before.timestamp().unsigned_abs(),
        NOW - 3600
    );
    assert_eq!(
        leaf.validity().not_after.timestamp().unsigned_abs(),
        NOW + 30 * DAY
    );
    assert_eq!(minted.use_until.as_secs(), NOW + 30 * DAY * 3 / 4);
    assert!(leaf.key_usage().unwrap().unwrap().value.digital_signature());
    assert_eq!(leaf.key_usage().unwrap().unwrap().value.flags, 1);
    let usage = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.server_auth && !usage.any && !usage.client_auth);
    assert!(!leaf.basic_constraints().unwrap().unwrap().value.ca);
    let identifier = |certificate: &X509Certificate<'_>, of_issuer: bool| {
        let found = certificate.extensions().iter().find_map(|extension| {
            match extension.parsed_extension() {
                ParsedExtension::SubjectKeyIdentifier(key) if !of_issuer => Some(key.0.to_vec()),
                ParsedExtension::AuthorityKeyIdentifier(key) if of_issuer => {
                    key.key_identifier.as_ref().map(|key| key.0.to_vec())
                }
                _ => None,
            }
        });
        found.unwrap()
    };
    assert_eq!(identifier(&leaf, true), identifier(&issuer, false));
    assert_eq!(identifier(&leaf, false).len(), 20);
    assert!(leaf.extensions().iter().all(|extension| !matches!(
        extension.parsed_extension(),
        ParsedExtension::ParseError { .. } | ParsedExtension::UnsupportedExtension { .. }
    )));
}

#[test]
fn serial_numbers_are_positive_and_never_repeat() {
    let minter = minter(load(&root(authority_params("A")), &[]));
    let mut seen = HashSet::new();
    for _ in 0..500 {
        let minted = mint(&minter, "a.test", None);
        let (_, leaf) = X509Certificate::from_der(&minted.certified_key.cert[0]).unwrap();
        let serial = leaf.raw_serial();
        assert!(
            serial[0] < 128 && (12..=17).contains(&serial.len()),
            "{serial:?}"
        );
        assert!(seen.insert(serial.to_vec()));
    }
}

#[test]
fn the_names_of_the_origin_are_taken_over() {
    let minter = minter(load(&root(authority_params("A")), &[]));
    let mut params = leaf_params(&[
        "www.a.test",
        "*.b.test",
        "a.test",
        "192.0.2.7",
        "2001:db8::7",
    ]);
    params.distinguished_name.push(DnType::CommonName, "a.test");
    params
        .distinguished_name
        .push(DnType::OrganizationName, "Somebody");
    let origin = origin(&params);
    let minted = mint(&minter, "x.b.test", Some(&origin));
    assert_eq!(
        names(&minted),
        [
            "www.a.test",
            "*.b.test",
            "a.test",
            "192.0.2.7",
            "2001:db8::7"
        ]
    );
    let (_, leaf) = X509Certificate::from_der(&minted.certified_key.cert[0]).unwrap();
    assert_eq!(leaf.subject().to_string(), "CN=a.test");
    // What was asked for is among them even if the origin does not have it.
    let minted = mint(&minter, "c.test", Some(&origin));
    assert_eq!(names(&minted)[0], "c.test");
    assert_eq!(names(&minted).len(), 6);
}

#[test]
fn of_too_many_names_only_the_one_that_was_asked_for() {
    let minter = minter(load(&root(authority_params("A")), &[]));
    let many = |count: usize, length: usize| {
        let names: Vec<String> = (0..count)
            .map(|n| format!("{}{n}.a.test", "n".repeat(length)))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        origin(&leaf_params(&names))
    };
    let held = |origin: &OriginCertificate| names(&mint(&minter, "n1.a.test", Some(origin))).len();
    assert_eq!(held(&many(256, 1)), 256);
    assert_eq!(held(&many(257, 1)), 1);
    assert_eq!(held(&many(10_000, 1)), 1);
    assert_eq!(held(&many(200, 50)), 1, "more than 8 KiB");
}

#[test]
fn it_ends_with_the_authority_and_with_the_origin() {
    let ends = |authority: u64, of_origin: u64| {
        let mut params = authority_params("A");
        params.not_before = date(NOW - 60);
        params.not_after = date(authority);
        let minter = minter(load(&root(params), &[]));
        let mut params = leaf_params(&["a.test"]);
        params.not_after = date(of_origin);
        let minted = mint(&minter, "a.test", Some(&origin(&params)));
        let (_, leaf) = X509Certificate::from_der(&minted.certified_key.cert[0]).unwrap();
        assert_eq!(
            leaf.validity().not_before.timestamp().unsigned_abs(),
            NOW - 60
        );
        let end = leaf.validity().not_after.timestamp().unsigned_abs();
        assert!(minted.use_until.as_secs() < end);
        end
    };
    assert_eq!(ends(NOW + 100 * DAY, NOW + 90 * DAY), NOW + 30 * DAY);
    assert_eq!(ends(NOW + 10 * DAY, NOW + 90 * DAY), NOW + 10 * DAY);
    assert_eq!(ends(NOW + 100 * DAY, NOW + 600), NOW + 600);
}

#[test]
fn dates_beyond_2049_are_written_as_they_must_be() {
    let mut params = authority_params("A");
    params.not_after = date(NOW + 40 * 365 * DAY);
    let root = root(params);
    let minter = minter(load(&root, &[]));
    // 2049-12-15: the certificate begins in one form and ends in the other.
    let turn = at(2_523_139_200);
    let subject = LeafSubject {
        asked: &name("a.test"),
        origin: None,
        key: LeafKey::Ecdsa,
    };
    let minted = minter.mint(subject, turn).unwrap();
    let leaf = &minted.certified_key.cert[0];
    let contains = |text: &[u8]| memchr::memmem::find(leaf, text).is_some();
    assert!(contains(b"\x17\x0d491214230000Z"), "UTCTime");
    assert!(contains(b"\x18\x0f20500114000000Z"), "GeneralizedTime");
    let server = ServerName::try_from("a.test").unwrap();
    assert_eq!(trust(&root).judge(leaf, &[], &server, turn), Ok(()));
}

#[test]
fn a_subordinate_sends_its_chain() {
    let top = root(authority_params("Top"));
    let middle = below(&top, authority_params("Middle"));
    let mut params = authority_params("Low");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let low = below(&middle, params);
    let minted = mint(&minter(load(&low, &[&middle])), "a.test", None);
    let chain = &minted.certified_key.cert;
    assert_eq!(chain.len(), 3);
    let server = ServerName::try_from("a.test").unwrap();
    assert_eq!(
        trust(&top).judge(&chain[0], &chain[1..], &server, now()),
        Ok(())
    );
}

#[test]
fn any_subject_of_the_authority_is_the_issuer_byte_by_byte() {
    let mut params = authority_params("A");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(
        DnType::OrganizationName,
        DnValue::PrintableString("Acme".try_into().unwrap()),
    );
    params.distinguished_name.push(
        DnType::CommonName,
        DnValue::TeletexString("Acme".try_into().unwrap()),
    );
    let root = root(params);
    let minted = mint(&minter(load(&root, &[])), "a.test", None);
    let server = ServerName::try_from("a.test").unwrap();
    let leaf: &CertificateDer<'_> = &minted.certified_key.cert[0];
    assert_eq!(trust(&root).judge(leaf, &[], &server, now()), Ok(()));
}

#[test]
fn name_constraints_of_the_authority_are_kept() {
    let dns = |name: &str| GeneralSubtree::DnsName(name.to_owned());
    let mut params = authority_params("A");
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            dns("a.test"),
            GeneralSubtree::IpAddress(CidrSubnet::V4([192, 0, 2, 0], [255, 255, 255, 0])),
        ],
        excluded_subtrees: vec![dns("secret.a.test")],
    });
    let root = root(params);
    let trust = trust(&root);
    let authority = load(&root, &[]);
    for (asked, is_permitted) in [
        ("a.test", true),
        ("b.a.test", true),
        ("b.test", false),
        ("aa.test", false),
        ("secret.a.test", false),
        ("x.secret.a.test", false),
        ("192.0.2.200", true),
        ("192.0.3.1", false),
        // Only IPv4 networks are permitted.
        ("2001:db8::1", false),
    ] {
        assert_eq!(
            authority.may_vouch_for(&name(asked)),
            is_permitted,
            "{asked}"
        );
    }
    let minter = minter(authority);
    let refused = minter.mint(
        LeafSubject {
            asked: &name("b.test"),
            origin: None,
            key: LeafKey::Ecdsa,
        },
        now(),
    );
    assert!(matches!(refused, Err(MintError::NotPermitted(host)) if host == name("b.test")));
    // Of the origin's names those remain that clients would let pass.
    let origin = origin(&leaf_params(&[
        "b.test",
        "www.a.test",
        "*.a.test",
        "192.0.2.9",
        "10.0.0.1",
    ]));
    let minted = mint(&minter, "www.a.test", Some(&origin));
    assert_eq!(names(&minted), ["www.a.test", "192.0.2.9"]);
    let server = ServerName::try_from("www.a.test").unwrap();
    assert_eq!(
        trust.judge(&minted.certified_key.cert[0], &[], &server, now()),
        Ok(())
    );
}

#[test]
fn a_subject_that_the_authority_may_not_sign_is_left_out() {
    let name = |kind, text| {
        let mut name = DistinguishedName::new();
        name.push(kind, text);
        vec![GeneralSubtree::DirectoryName(name)]
    };
    for (permitted, excluded, is_there) in [
        (name(DnType::OrganizationName, "Acme"), vec![], false),
        (vec![], name(DnType::OrganizationName, "Acme"), true),
        (vec![], name(DnType::CommonName, "A.TEST"), false),
    ] {
        let mut params = authority_params("A");
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: permitted,
            excluded_subtrees: excluded,
        });
        let root = root(params);
        let minted = mint(&minter(load(&root, &[])), "a.test", None);
        let der = &minted.certified_key.cert[0];
        let (_, leaf) = X509Certificate::from_der(der).unwrap();
        assert_eq!(leaf.subject().iter().count(), usize::from(is_there));
        let names = leaf.subject_alternative_name().unwrap().unwrap();
        assert_eq!(names.critical, !is_there);
        let server = ServerName::try_from("a.test").unwrap();
        assert_eq!(trust(&root).judge(der, &[], &server, now()), Ok(()));
    }
}

#[test]
fn a_name_that_is_too_long_for_a_common_name_is_a_name_nevertheless() {
    let root = root(authority_params("A"));
    let long = format!("{}.{}.test", "l".repeat(63), "m".repeat(63));
    let minted = mint(&minter(load(&root, &[])), &long, None);
    let (_, leaf) = X509Certificate::from_der(&minted.certified_key.cert[0]).unwrap();
    assert_eq!(leaf.subject().iter().count(), 0);
    let server = ServerName::try_from(long.as_str()).unwrap();
    assert_eq!(
        trust(&root).judge(&minted.certified_key.cert[0], &[], &server, now()),
        Ok(())
    );
}
