//! What is believed beyond the profile of RFC 5280 as webpki reads it, because browsers do; and that
//! nothing else comes in with it.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, GeneralSubtree, IsCa, KeyUsagePurpose,
    NameConstraints, SanType,
};
use rustls::pki_types::CertificateDer;
use sallyport_pki::CertificateFault::{
    BadSignature, Expired, NameConstraints as Violated, NameMismatch, PathLength, SelfSigned,
    WrongUsage,
};

use crate::fixture::{NOW, below, date, leaf_params, self_signed, signed};
use crate::origins::{World, authority, judge, leaf, plain};

fn as_authority(change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    leaf(|params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyCertSign,
        ];
        change(params);
    })
}

#[test]
fn a_server_may_have_a_certificate_of_an_authority() {
    let world = World::new();
    assert_eq!(world.leaf(&as_authority(|_| ())), Ok(()));
    let under_middle = |params: &CertificateParams| {
        let middle = below(&world.root, plain("Middle"));
        let chain = [signed(&middle, params), middle.der().clone()];
        judge(&world.trust, &chain, "a.test")
    };
    assert_eq!(under_middle(&as_authority(|_| ())), Ok(()));
    // Everything else is asked of it as of any other.
    let over = as_authority(|params| params.not_after = date(NOW - 1));
    assert_eq!(world.leaf(&over), Err(Expired));
    let other = as_authority(|params| {
        params.subject_alt_names = leaf_params(&["b.test"]).subject_alt_names;
    });
    assert_eq!(world.leaf(&other), Err(NameMismatch));
    let signer = as_authority(|params| params.key_usages = vec![KeyUsagePurpose::KeyCertSign]);
    assert_eq!(world.leaf(&signer), Err(WrongUsage));
    let alone = self_signed(&as_authority(|_| ()));
    assert_eq!(judge(&world.trust, &[alone], "a.test"), Err(SelfSigned));
    // Its signature is checked over what was signed.
    let mut forged = signed(&world.root, &as_authority(|_| ())).to_vec();
    let place = memchr::memmem::rfind(&forged, b"a.test").unwrap();
    forged[place] = b'b';
    let forged = CertificateDer::from(forged);
    assert_eq!(judge(&world.trust, &[forged], "b.test"), Err(BadSignature));
}

/// RFC 5280 section 6.1.4 (l).
#[test]
fn self_issued_authorities_do_not_count_for_path_lengths() {
    let world = World::new();
    let narrow = |length| {
        authority("Middle", |params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(length));
        })
    };
    assert_eq!(world.under([narrow(0), plain("Middle")]), Ok(()));
    assert_eq!(
        world.under([narrow(0), plain("Middle"), plain("Middle")]),
        Ok(())
    );
    assert_eq!(
        world.under([narrow(0), plain("Middle"), plain("Low")]),
        Err(PathLength)
    );
    assert_eq!(world.under([narrow(0), plain("Low")]), Err(PathLength));
    assert_eq!(
        world.under([narrow(1), plain("Middle"), plain("Low")]),
        Ok(())
    );
}

/// RFC 5280 section 6.1.3 (b).
#[test]
fn self_issued_authorities_are_exempt_from_name_constraints() {
    let world = World::with_root(authority("Root", |params| {
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName("a.test".to_owned())],
            excluded_subtrees: vec![],
        });
    }));
    let named = |params: &mut CertificateParams| {
        params.subject_alt_names = vec![SanType::DnsName("elsewhere.test".try_into().unwrap())];
    };
    assert_eq!(world.under([authority("Root", named)]), Ok(()));
    // Critical, as it must be without a subject, and is by mistake with one.
    let critical = |params: &mut CertificateParams| {
        let names = b"\x30\x10\x82\x0eelsewhere.test".to_vec();
        let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 17], names);
        extension.set_criticality(true);
        params.custom_extensions.push(extension);
    };
    assert_eq!(world.under([authority("Root", critical)]), Ok(()));
    // One of another name is not, nor is the leaf, whatever its subject.
    assert_eq!(world.under([authority("Middle", named)]), Err(Violated));
    // Which fault is told then depends on the ways that webpki tried.
    let below_renewed = world.under([authority("Root", named), authority("Middle", named)]);
    assert!(below_renewed.is_err());
    let renewed = below(&world.root, authority("Root", named));
    let outside = |subject: &str| {
        let mut params = leaf_params(&[subject]);
        params.subject_alt_names = leaf_params(&["b.test"]).subject_alt_names;
        let chain = [signed(&renewed, &params), renewed.der().clone()];
        judge(&world.trust, &chain, "b.test")
    };
    assert!(outside("b.test").is_err());
    assert!(outside("Root").is_err());
}
