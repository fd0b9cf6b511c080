//! Name constraints over directory names (RFC 5280 section 4.2.1.10).

use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue, GeneralSubtree,
    NameConstraints as Constraints,
};
use rustls::pki_types::CertificateDer;
use sallyport_pki::CertificateFault::{self as Fault, *};

use crate::fixture::{leaf_params, signed};
use crate::origins::{World, authority, judge, leaf, plain};

const UTF8: u8 = 12;

/// A name of parts like `O=Acme`, as UTF8String.
fn name(parts: &[&str]) -> DistinguishedName {
    written(parts, |text| DnValue::Utf8String(text.to_owned()))
}

fn printable(parts: &[&str]) -> DistinguishedName {
    written(parts, |text| {
        DnValue::PrintableString(text.try_into().unwrap())
    })
}

fn written(parts: &[&str], value: impl Fn(&str) -> DnValue) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    for part in parts {
        let (kind, text) = part.split_once('=').unwrap();
        let kind = match kind {
            "C" => DnType::CountryName,
            "O" => DnType::OrganizationName,
            "OU" => DnType::OrganizationalUnitName,
            _ => DnType::CommonName,
        };
        name.push(kind, value(text));
    }
    name
}

fn trees(names: &[DistinguishedName]) -> Vec<GeneralSubtree> {
    names
        .iter()
        .cloned()
        .map(GeneralSubtree::DirectoryName)
        .collect()
}

/// An authority whose certificates may have names under one of `permitted` and none under `excluded`.
fn constrained(
    permitted: &[DistinguishedName],
    excluded: &[DistinguishedName],
) -> CertificateParams {
    authority("Middle", |params| {
        params.name_constraints = Some(Constraints {
            permitted_subtrees: trees(permitted),
            excluded_subtrees: trees(excluded),
        });
    })
}

fn of(subject: DistinguishedName) -> CertificateParams {
    leaf(|params| params.distinguished_name = subject)
}

/// Judges a leaf that the last of the authorities has signed.
fn under(
    world: &World,
    authorities: Vec<CertificateParams>,
    leaf: &CertificateParams,
) -> Result<(), Fault> {
    judge(&world.trust, &chain(world, authorities, leaf), "a.test")
}

fn chain(
    world: &World,
    authorities: Vec<CertificateParams>,
    leaf: &CertificateParams,
) -> Vec<CertificateDer<'static>> {
    let mut issuers = Vec::new();
    for params in authorities {
        let issuer = crate::fixture::below(issuers.last().unwrap_or(&world.root), params);
        issuers.push(issuer);
    }
    let leaf = signed(issuers.last().unwrap_or(&world.root), leaf);
    let above = issuers.iter().rev().map(|issuer| issuer.der().clone());
    std::iter::once(leaf).chain(above).collect()
}

#[test]
fn a_name_begins_with_what_is_permitted() {
    let world = World::new();
    let permitted = || vec![constrained(&[name(&["C=DE", "O=Acme"])], &[])];
    for (subject, expected) in [
        (&["C=DE", "O=Acme", "CN=a.test"][..], Ok(())),
        (&["C=DE", "O=Acme"], Ok(())),
        (&["C=DE"], Err(NameConstraints)),
        (&["O=Acme", "CN=a.test"], Err(NameConstraints)),
        (&["C=DE", "O=Acme Labs", "CN=a.test"], Err(NameConstraints)),
        (&["C=FR", "O=Acme", "CN=a.test"], Err(NameConstraints)),
        (&["O=Acme", "C=DE", "CN=a.test"], Err(NameConstraints)),
        (&["C=DE", "OU=Acme", "CN=a.test"], Err(NameConstraints)),
        // Nothing is constrained in a name that is not there.
        (&[], Ok(())),
    ] {
        let leaf = of(name(subject));
        assert_eq!(under(&world, permitted(), &leaf), expected, "{subject:?}");
    }
    let two = [name(&["O=Other"]), name(&["C=DE"])];
    let leaf = of(name(&["C=DE", "CN=a.test"]));
    assert_eq!(
        under(&world, vec![constrained(&two, &[])], &leaf),
        Ok(()),
        "one of them is enough"
    );
}

#[test]
fn a_name_does_not_begin_with_what_is_excluded() {
    let world = World::new();
    let excluded = || vec![constrained(&[], &[name(&["C=DE", "O=Acme"])])];
    for (subject, expected) in [
        (&["C=DE", "O=Acme", "CN=a.test"][..], Err(NameConstraints)),
        (&["C=DE", "O=ACME", "CN=a.test"], Err(NameConstraints)),
        (&["C=DE", "CN=a.test"], Ok(())),
        (&["C=DE", "O=Other", "CN=a.test"], Ok(())),
        (&[], Ok(())),
    ] {
        let leaf = of(name(subject));
        assert_eq!(under(&world, excluded(), &leaf), expected, "{subject:?}");
    }
    let all = vec![constrained(&[], &[name(&[])])];
    assert_eq!(
        under(&world, all, &of(name(&["CN=a.test"]))),
        Err(NameConstraints)
    );
}

/// RFC 5280 section 7.1.
#[test]
fn how_a_text_is_written_does_not_matter() {
    let world = World::new();
    for (permitted, subject) in [
        (name(&["O=Acme Inc."]), name(&["O=ACME INC.", "CN=a.test"])),
        (name(&["O=Acme Inc."]), name(&["O=  acme   Inc. ", "CN=a"])),
        (name(&["O=Acme Inc."]), printable(&["O=Acme Inc.", "CN=a"])),
        (printable(&["O=Acme"]), name(&["O=acme", "CN=a.test"])),
        (name(&["O=ÄRZTE"]), name(&["O=Ärzte", "CN=a.test"])),
        (
            written(&["O=Acme"], |text| {
                DnValue::BmpString(text.try_into().unwrap())
            }),
            name(&["O=Acme", "CN=a.test"]),
        ),
    ] {
        let middle = vec![constrained(std::slice::from_ref(&permitted), &[])];
        let found = under(&world, middle, &of(subject.clone()));
        assert_eq!(found, Ok(()), "{permitted:?} {subject:?}");
    }
    let middle = vec![constrained(&[name(&["O=Acme Inc."])], &[])];
    let joined = of(name(&["O=AcmeInc.", "CN=a.test"]));
    assert_eq!(under(&world, middle, &joined), Err(NameConstraints));
}

#[test]
fn all_certificates_below_are_judged() {
    let world = World::new();
    let acme = || constrained(&[name(&["O=Acme"])], &[]);
    let good = of(name(&["O=Acme", "CN=a.test"]));
    let low = |subject| authority("Low", |params| params.distinguished_name = name(subject));
    let below = |authorities| under(&world, authorities, &good);
    assert_eq!(below(vec![acme(), low(&["O=Acme", "CN=Low"])]), Ok(()));
    assert_eq!(below(vec![acme(), low(&["CN=Low"])]), Err(NameConstraints));
    // Self-issued authorities are exempt, what is beside and above as well.
    assert_eq!(below(vec![acme(), plain("Middle")]), Ok(()));
    assert_eq!(below(vec![plain("Above"), acme()]), Ok(()));
    // All that stand above must hold.
    let narrower = authority("Low", |params| {
        params.distinguished_name = name(&["O=Acme", "CN=Low"]);
        params.name_constraints = Some(Constraints {
            permitted_subtrees: trees(&[name(&["O=Acme", "OU=Web"])]),
            excluded_subtrees: vec![],
        });
    });
    assert_eq!(below(vec![acme(), narrower]), Err(NameConstraints));
    // The leaf is never exempt.
    let own = of(name(&["CN=Middle"]));
    assert_eq!(under(&world, vec![acme()], &own), Err(NameConstraints));
}

#[test]
fn a_root_constrains_too() {
    let world = World::with_root(constrained(&[name(&["O=Acme"])], &[]));
    assert_eq!(world.leaf(&of(name(&["O=Acme", "CN=a.test"]))), Ok(()));
    assert_eq!(
        world.leaf(&of(name(&["O=Other", "CN=a.test"]))),
        Err(NameConstraints)
    );
    let middle = vec![plain("Low")];
    let good = of(name(&["O=Acme", "CN=a.test"]));
    assert_eq!(under(&world, middle, &good), Err(NameConstraints));
}

/// Names of directories may stand in the subject alternative name as well.
#[test]
fn alternative_names_are_judged() {
    let world = World::new();
    let with_alternative = |organization: &str| {
        let text = organization.as_bytes();
        let element = |tag: u8, content: &[u8]| {
            let length = u8::try_from(content.len()).unwrap();
            [&[tag, length], content].concat()
        };
        let attribute = [element(6, &[0x55, 4, 10]), element(UTF8, text)].concat();
        let rdns = element(0x30, &element(0x31, &element(0x30, &attribute)));
        let names = [element(0x82, b"a.test"), element(0xa4, &rdns)].concat();
        let mut params = leaf_params(&["a.test"]);
        params.distinguished_name = name(&["O=Acme", "CN=a.test"]);
        params.subject_alt_names.clear();
        let content = element(0x30, &names);
        let extension = CustomExtension::from_oid_content(&[2, 5, 29, 17], content);
        params.custom_extensions.push(extension);
        params
    };
    for (organization, expected) in [("acme", Ok(())), ("Other", Err(NameConstraints))] {
        let middle = vec![constrained(&[name(&["O=Acme"])], &[])];
        let leaf = with_alternative(organization);
        assert_eq!(under(&world, middle, &leaf), expected, "{organization}");
    }
}

/// What webpki compares it still does.
#[test]
fn other_constraints_beside_them_hold() {
    let world = World::new();
    let good = of(name(&["O=Acme", "CN=a.test"]));
    for (host, expected) in [("test", Ok(())), ("b.test", Err(NameConstraints))] {
        let middle = authority("Middle", |params| {
            let mut permitted = trees(&[name(&["O=Acme"])]);
            permitted.push(GeneralSubtree::DnsName(host.to_owned()));
            params.name_constraints = Some(Constraints {
                permitted_subtrees: permitted,
                excluded_subtrees: vec![],
            });
        });
        assert_eq!(under(&world, vec![middle], &good), expected, "{host}");
    }
}

/// Signatures are over what the authority has signed, with its constraints.
#[test]
fn a_chain_from_which_they_were_taken_is_refused() {
    let world = World::new();
    let middle = vec![constrained(&[name(&["O=Acme"])], &[])];
    let leaf = of(name(&["O=Other", "CN=a.test"]));
    let mut chain = chain(&world, middle, &leaf);
    assert_eq!(judge(&world.trust, &chain, "a.test"), Err(NameConstraints));
    let mut der = chain[1].to_vec();
    // directoryName, and the name within.
    let tags: Vec<usize> = (0..der.len() - 1)
        .filter(|at| der[*at] == 0xa4 && der[at + 2] == 0x30)
        .collect();
    assert_eq!(tags.len(), 1);
    der[tags[0]] = 0xa5;
    chain[1] = der.into();
    assert_eq!(judge(&world.trust, &chain, "a.test"), Err(BadSignature));
}
