//! The matrix of origins: each chain with the one right word for what is wrong with it.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    CidrSubnet, CustomExtension, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyIdMethod,
    KeyUsagePurpose, NameConstraints, RevokedCertParams, SanType, SerialNumber,
};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, ServerName};
use sallyport_pki::CertificateFault::{self as Fault, *};
use sallyport_pki::{OriginFault, Trust, TrustSources};

use crate::fixture::{
    DAY, Issuer, NOW, authority_params, below, date, leaf_params, now, root, self_signed, signed,
};

/// A root that is trusted.
pub(crate) struct World {
    pub(crate) root: Issuer,
    pub(crate) trust: Trust,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_root(authority_params("Root"))
    }

    pub(crate) fn with_root(params: CertificateParams) -> Self {
        let root = root(params);
        let trust = trusting([root.der().clone()]);
        Self { root, trust }
    }

    /// Judges a leaf that the root signed, for `a.test`.
    pub(crate) fn leaf(&self, params: &CertificateParams) -> Result<(), Fault> {
        judge(&self.trust, &[signed(&self.root, params)], "a.test")
    }

    /// Judges a good leaf under authorities, the highest of which the root signed.
    pub(crate) fn under(
        &self,
        authorities: impl IntoIterator<Item = CertificateParams>,
    ) -> Result<(), Fault> {
        judge(&self.trust, &self.chain(authorities), "a.test")
    }

    /// Leaf first.
    pub(crate) fn chain(
        &self,
        authorities: impl IntoIterator<Item = CertificateParams>,
    ) -> Vec<CertificateDer<'static>> {
        let mut issuers: Vec<Issuer> = Vec::new();
        for params in authorities {
            let issuer = below(issuers.last().unwrap_or(&self.root), params);
            issuers.push(issuer);
        }
        let leaf = signed(
            issuers.last().unwrap_or(&self.root),
            &leaf_params(&["a.test"]),
        );
        let above = issuers.iter().rev().map(|issuer| issuer.der().clone());
        std::iter::once(leaf).chain(above).collect()
    }
}

fn trusting(roots: impl Into<Vec<CertificateDer<'static>>>) -> Trust {
    Trust::new(TrustSources {
        extra: roots.into(),
        ..TrustSources::default()
    })
    .unwrap()
}

pub(crate) fn judge(trust: &Trust, chain: &[CertificateDer<'_>], host: &str) -> Result<(), Fault> {
    judge_in_detail(trust, chain, host).map_err(|fault| fault.fault)
}

fn judge_in_detail(
    trust: &Trust,
    chain: &[CertificateDer<'_>],
    host: &str,
) -> Result<(), OriginFault> {
    let host = ServerName::try_from(host).unwrap();
    trust.judge(&chain[0], &chain[1..], &host, now())
}

pub(crate) fn leaf(change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = leaf_params(&["a.test"]);
    change(&mut params);
    params
}

pub(crate) fn authority(
    name: &str,
    change: impl FnOnce(&mut CertificateParams),
) -> CertificateParams {
    let mut params = authority_params(name);
    change(&mut params);
    params
}

pub(crate) fn plain(name: &str) -> CertificateParams {
    authority_params(name)
}

#[test]
fn good_chains() {
    let world = World::new();
    assert_eq!(world.leaf(&leaf_params(&["a.test"])), Ok(()));
    assert_eq!(world.under([plain("Middle")]), Ok(()));
    assert_eq!(world.under([plain("Middle"), plain("Low")]), Ok(()));
    let bare = leaf(|params| {
        params.key_usages.clear();
        params.extended_key_usages.clear();
    });
    assert_eq!(world.leaf(&bare), Ok(()), "usages may be left out");
    // Out of order, with the root, with something that does not belong there.
    let mut chain = world.chain([plain("Middle"), plain("Low")]);
    chain[1..].reverse();
    chain.insert(1, world.root.der().clone());
    chain.insert(1, root(authority_params("Stranger")).der().clone());
    assert_eq!(judge(&world.trust, &chain, "a.test"), Ok(()));
}

#[test]
fn validity() {
    let world = World::new();
    let over = |params: &mut CertificateParams| params.not_after = date(NOW - 1);
    let ahead = |params: &mut CertificateParams| params.not_before = date(NOW + 1);
    assert_eq!(world.leaf(&leaf(over)), Err(Expired));
    assert_eq!(world.leaf(&leaf(ahead)), Err(NotYetValid));
    assert_eq!(
        world.leaf(&leaf(|params| params.not_after = date(NOW))),
        Ok(())
    );
    assert_eq!(
        world.leaf(&leaf(|params| params.not_before = date(NOW))),
        Ok(())
    );
    assert_eq!(world.under([authority("Middle", over)]), Err(Expired));
    assert_eq!(world.under([authority("Middle", ahead)]), Err(NotYetValid));
    let expired_root = World::with_root(authority("Root", over));
    assert_eq!(expired_root.leaf(&leaf_params(&["a.test"])), Err(Expired));
    let later = leaf(|params| params.not_after = date(NOW - DAY));
    let fault = judge_in_detail(&world.trust, &[signed(&world.root, &later)], "a.test");
    assert_eq!(
        fault.unwrap_err().to_string(),
        "expired (since 2026-05-31T00:00:00Z)"
    );
}

#[test]
fn names() {
    let world = World::new();
    let judged = |names: &[&str], host: &str| {
        judge(
            &world.trust,
            &[signed(&world.root, &leaf_params(names))],
            host,
        )
    };
    for (names, host) in [
        (&["b.test", "A.Test"][..], "a.test"),
        (&["*.a.test"], "b.a.test"),
        (&["xn--bcher-kva.test"], "xn--bcher-kva.test"),
        (&["192.0.2.1"], "192.0.2.1"),
        (&["2001:db8::1"], "2001:db8:0::1"),
    ] {
        assert_eq!(judged(names, host), Ok(()), "{names:?} {host}");
    }
    for (names, host) in [
        (&["b.test"][..], "a.test"),
        (&["*.a.test"], "a.test"),
        (&["*.a.test"], "c.b.a.test"),
        (&["*.test"], "a.test"),
        (&["*"], "test"),
        (&["b*.a.test"], "bc.a.test"),
        (&["*.*.test"], "b.a.test"),
        (&["www.a.test"], "a.test"),
        (&["a.test"], "www.a.test"),
        (&["192.0.2.1"], "192.0.2.2"),
        (&["192.0.2.1"], "a.test"),
        (&["a.test"], "192.0.2.1"),
        (&["::ffff:192.0.2.1"], "192.0.2.1"),
    ] {
        assert_eq!(judged(names, host), Err(NameMismatch), "{names:?} {host}");
    }
    // An address is no host name, even if it is written as one.
    let mut address_as_host = leaf_params(&[]);
    address_as_host.subject_alt_names = vec![SanType::DnsName("192.0.2.1".try_into().unwrap())];
    let chain = [signed(&world.root, &address_as_host)];
    assert_eq!(judge(&world.trust, &chain, "192.0.2.1"), Err(NameMismatch));
    let fault = judge_in_detail(
        &world.trust,
        &[signed(&world.root, &leaf_params(&["b.test", "*.c.test"]))],
        "a.test",
    );
    let said = fault.unwrap_err().to_string();
    assert!(
        said.contains("b.test") && said.contains("*.c.test"),
        "{said}"
    );
}

#[test]
fn a_common_name_is_no_name() {
    let world = World::new();
    let mut params = leaf_params(&["a.test"]);
    params.subject_alt_names.clear();
    assert_eq!(world.leaf(&params), Err(CommonNameOnly));
    params.subject_alt_names = vec![SanType::Rfc822Name("a@a.test".try_into().unwrap())];
    assert_eq!(world.leaf(&params), Err(NameMismatch));
}

#[test]
fn issuers() {
    let world = World::new();
    let judged = |chain: &[CertificateDer<'_>]| judge(&world.trust, chain, "a.test");
    assert_eq!(
        judged(&[self_signed(&leaf_params(&["a.test"]))]),
        Err(SelfSigned)
    );
    let as_authority = leaf(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    assert_eq!(judged(&[self_signed(&as_authority)]), Err(SelfSigned));

    let stranger = World::with_root(plain("Stranger"));
    let mut chain = stranger.chain([plain("Middle")]);
    assert_eq!(judged(&chain), Err(UnknownIssuer), "the root was not sent");
    chain.push(stranger.root.der().clone());
    assert_eq!(judged(&chain), Err(UnknownIssuer), "the root was sent");
    assert_eq!(judged(&stranger.chain([])), Err(UnknownIssuer));
    // The name of a root that is trusted, another key: a root that was made anew, or an impostor.
    let other = World::with_root(plain("Root"));
    let fault = judge_in_detail(&world.trust, &other.chain([]), "a.test").unwrap_err();
    assert_eq!(fault.fault, UnknownIssuer);
    assert!(fault.detail.contains("of another key"), "{fault}");
    let under_middle = other.chain([plain("Middle")]);
    assert_eq!(judged(&under_middle), Err(UnknownIssuer));
    // With the certificate that leads from the old root to the new one it is believed.
    let link = CertifiedIssuer::signed_by(plain("Root"), other.root.key(), &world.root).unwrap();
    let mut linked = other.chain([]);
    linked.push(link.der().clone());
    assert_eq!(judged(&linked), Ok(()));
}

#[test]
fn an_intermediate_that_was_not_sent() {
    let world = World::new();
    let middle = below(&world.root, plain("Middle"));
    // id-pe-authorityInfoAccess: caIssuers, http://a.test/
    let access = yasna::construct_der(|writer| {
        writer.write_sequence(|list| {
            list.next().write_sequence(|description| {
                let issuers =
                    yasna::models::ObjectIdentifier::from_slice(&[1, 3, 6, 1, 5, 5, 7, 48, 2]);
                description.next().write_oid(&issuers);
                description
                    .next()
                    .write_tagged_implicit(yasna::Tag::context(6), |uri| {
                        uri.write_ia5_string("http://a.test/");
                    });
            });
        });
    });
    let with_access = leaf(|params| {
        params.custom_extensions = vec![CustomExtension::from_oid_content(
            &[1, 3, 6, 1, 5, 5, 7, 1, 1],
            access,
        )];
    });
    let lonely = [signed(&middle, &with_access)];
    let fault = judge_in_detail(&world.trust, &lonely, "a.test").unwrap_err();
    assert_eq!(
        fault.to_string(),
        "missing intermediate (that of CN=Middle)"
    );
    let whole = [lonely[0].clone(), middle.der().clone()];
    assert_eq!(judge(&world.trust, &whole, "a.test"), Ok(()));
    // Nobody says that there is one.
    let silent = [signed(&middle, &leaf_params(&["a.test"]))];
    assert_eq!(judge(&world.trust, &silent, "a.test"), Err(UnknownIssuer));
}

#[test]
fn usages() {
    let world = World::new();
    let extended =
        |usage| move |params: &mut CertificateParams| params.extended_key_usages = vec![usage];
    let plain_usage = |usage| move |params: &mut CertificateParams| params.key_usages = vec![usage];
    let client = extended(ExtendedKeyUsagePurpose::ClientAuth);
    assert_eq!(world.leaf(&leaf(client.clone())), Err(WrongUsage));
    assert_eq!(
        world.leaf(&leaf(plain_usage(KeyUsagePurpose::KeyEncipherment))),
        Err(WrongUsage)
    );
    assert_eq!(
        world.leaf(&leaf(plain_usage(KeyUsagePurpose::KeyCertSign))),
        Err(WrongUsage)
    );
    assert_eq!(world.under([authority("Middle", client)]), Err(WrongUsage));
    let no_signer = authority("Middle", plain_usage(KeyUsagePurpose::DigitalSignature));
    assert_eq!(world.under([no_signer]), Err(WrongUsage));
    for kind in [IsCa::NoCa, IsCa::ExplicitNoCa] {
        let no_authority = authority("Middle", |params| params.is_ca = kind);
        assert_eq!(world.under([no_authority]), Err(WrongUsage));
    }
    let no_signer = World::with_root(authority("Root", |params| {
        params.key_usages = vec![KeyUsagePurpose::CrlSign];
    }));
    assert_eq!(no_signer.leaf(&leaf_params(&["a.test"])), Err(WrongUsage));
}

#[test]
fn name_constraints() {
    let dns = |name: &str| GeneralSubtree::DnsName(name.to_owned());
    let network = GeneralSubtree::IpAddress(CidrSubnet::V4([10, 0, 0, 0], [255, 0, 0, 0]));
    let constrained = |permitted: &[GeneralSubtree], excluded: &[GeneralSubtree]| {
        let constraints = NameConstraints {
            permitted_subtrees: permitted.to_vec(),
            excluded_subtrees: excluded.to_vec(),
        };
        authority("Middle", |params| {
            params.name_constraints = Some(constraints)
        })
    };
    let world = World::new();
    assert_eq!(world.under([constrained(&[dns("test")], &[])]), Ok(()));
    assert_eq!(world.under([constrained(&[dns("a.test")], &[])]), Ok(()));
    assert_eq!(
        world.under([constrained(&[dns("b.test")], &[])]),
        Err(NameConstraints)
    );
    assert_eq!(
        world.under([constrained(&[], &[dns("test")])]),
        Err(NameConstraints)
    );
    assert_eq!(world.under([constrained(&[], &[dns("b.test")])]), Ok(()));
    assert_eq!(
        world.under([constrained(std::slice::from_ref(&network), &[])]),
        Ok(()),
        "of another kind"
    );
    let above = [constrained(&[dns("b.test")], &[]), plain("Low")];
    assert_eq!(world.under(above), Err(NameConstraints), "two above");
    let root = World::with_root(constrained(&[dns("b.test")], &[]));
    assert_eq!(root.leaf(&leaf_params(&["a.test"])), Err(NameConstraints));
    let root = World::with_root(constrained(&[network], &[]));
    let chain = [signed(&root.root, &leaf_params(&["192.0.2.1"]))];
    assert_eq!(
        judge(&root.trust, &chain, "192.0.2.1"),
        Err(NameConstraints)
    );
}

#[test]
fn path_lengths() {
    let narrow = |name: &str, length| {
        authority(name, |params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(length))
        })
    };
    let world = World::new();
    assert_eq!(world.under([narrow("Middle", 0)]), Ok(()));
    assert_eq!(
        world.under([narrow("Middle", 0), plain("Low")]),
        Err(PathLength)
    );
    assert_eq!(world.under([narrow("Middle", 1), plain("Low")]), Ok(()));
    let root = World::with_root(narrow("Root", 0));
    assert_eq!(root.leaf(&leaf_params(&["a.test"])), Ok(()));
    assert_eq!(root.under([plain("Middle")]), Err(PathLength));
    let deep = (0..12).map(|n| plain(&format!("Level {n}")));
    assert_eq!(world.under(deep), Err(TooLarge));
}

#[test]
fn critical_extensions() {
    let world = World::new();
    let unknown = |critical| {
        move |params: &mut CertificateParams| {
            let mut extension =
                CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 1], vec![5, 0]);
            extension.set_criticality(critical);
            params.custom_extensions = vec![extension];
        }
    };
    assert_eq!(world.leaf(&leaf(unknown(true))), Err(CriticalExtension));
    assert_eq!(world.leaf(&leaf(unknown(false))), Ok(()));
    assert_eq!(
        world.under([authority("Middle", unknown(true))]),
        Err(CriticalExtension)
    );
    assert_eq!(world.under([authority("Middle", unknown(false))]), Ok(()));
}

/// What webpki lets pass, see `path_rules`.
#[test]
fn what_is_not_as_rfc_5280_has_it() {
    let extension = |oid: &'static [u64], critical: bool, content: Vec<u8>| {
        move |params: &mut CertificateParams| {
            let mut extension = CustomExtension::from_oid_content(oid, content.clone());
            extension.set_criticality(critical);
            params.custom_extensions.push(extension);
        }
    };
    let world = World::new();
    let twice = |params: &mut CertificateParams| {
        for _ in 0..2 {
            extension(&[1, 3, 6, 1, 4, 1, 99_999, 1], false, vec![5, 0])(params);
        }
    };
    let access: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 1];
    let damaged = extension(access, false, b"damaged".to_vec());
    let long = |params: &mut CertificateParams| {
        params.serial_number = Some(SerialNumber::from(vec![1; 21]));
    };
    let fits = |params: &mut CertificateParams| {
        params.serial_number = Some(SerialNumber::from(vec![0xff; 20]));
    };
    assert_eq!(world.leaf(&leaf(fits)), Ok(()));
    assert_eq!(world.leaf(&leaf(twice)), Err(BadEncoding));
    assert_eq!(world.leaf(&leaf(&damaged)), Err(BadEncoding));
    assert_eq!(world.leaf(&leaf(long)), Err(BadEncoding));
    assert_eq!(world.under([authority("Middle", twice)]), Err(BadEncoding));
    assert_eq!(
        world.under([authority("Middle", &damaged)]),
        Err(BadEncoding)
    );
    assert_eq!(world.under([authority("Middle", long)]), Err(BadEncoding));
    let signer = leaf(|params| params.key_usages.push(KeyUsagePurpose::KeyCertSign));
    assert_eq!(world.leaf(&signer), Err(WrongUsage));
    let nameless = |params: &mut CertificateParams| {
        params.distinguished_name = rcgen::DistinguishedName::new();
    };
    assert_eq!(
        world.under([authority("Middle", nameless)]),
        Err(BadEncoding)
    );

    let under_root = |change: &dyn Fn(&mut CertificateParams)| {
        World::with_root(authority("Root", change)).leaf(&leaf_params(&["a.test"]))
    };
    let client = ExtendedKeyUsagePurpose::ClientAuth;
    let server = ExtendedKeyUsagePurpose::ServerAuth;
    assert_eq!(
        under_root(&|params| params.extended_key_usages = vec![server.clone()]),
        Ok(())
    );
    assert_eq!(
        under_root(&|params| params.extended_key_usages = vec![client.clone()]),
        Err(WrongUsage)
    );
    for kind in [IsCa::NoCa, IsCa::ExplicitNoCa] {
        assert_eq!(under_root(&|params| params.is_ca = kind), Err(WrongUsage));
    }
    let unknown = extension(&[1, 3, 6, 1, 4, 1, 99_999, 1], true, vec![5, 0]);
    assert_eq!(under_root(&unknown), Err(CriticalExtension));
    assert_eq!(under_root(&nameless), Err(BadEncoding));
}

#[test]
fn damage() {
    let world = World::new();
    let good = signed(&world.root, &leaf_params(&["a.test"]));
    let judged = |bytes: Vec<u8>| judge(&world.trust, &[CertificateDer::from(bytes)], "a.test");
    assert_eq!(judged(Vec::new()), Err(BadEncoding));
    assert_eq!(judged(good[..good.len() - 1].to_vec()), Err(BadEncoding));
    assert_eq!(judged([good.as_ref(), b"\0"].concat()), Err(BadEncoding));
    let mut tampered = good.to_vec();
    let place = memchr::memmem::rfind(&tampered, b"a.test").unwrap();
    tampered[place] = b'b';
    let host = ServerName::try_from("b.test").unwrap();
    let fault = world
        .trust
        .judge(&CertificateDer::from(tampered), &[], &host, now());
    assert_eq!(fault.unwrap_err().fault, BadSignature);
    // Every single byte may change, and nothing but an error comes of it.
    for place in 0..good.len() {
        let mut changed = good.to_vec();
        changed[place] ^= 0x55;
        let judged = judged(changed);
        assert!(judged.is_err(), "byte {place}");
    }
}

#[test]
fn an_origin_that_is_trusted_itself() {
    for kind in [IsCa::NoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
        let pinned = |change: &dyn Fn(&mut CertificateParams)| {
            let certificate = self_signed(&leaf(|params| {
                params.is_ca = kind;
                change(params);
            }));
            judge(&trusting([certificate.clone()]), &[certificate], "a.test")
        };
        assert_eq!(pinned(&|_| ()), Ok(()));
        assert_eq!(
            pinned(&|params| params.not_after = date(NOW - 1)),
            Err(Expired)
        );
        assert_eq!(
            pinned(&|params| params.not_before = date(NOW + 1)),
            Err(NotYetValid)
        );
        let client = ExtendedKeyUsagePurpose::ClientAuth;
        assert_eq!(
            pinned(&|params| params.extended_key_usages = vec![client.clone()]),
            Err(WrongUsage)
        );
        let certificate = self_signed(&leaf(|params| params.is_ca = kind));
        let trust = trusting([certificate.clone()]);
        assert_eq!(judge(&trust, &[certificate], "b.test"), Err(NameMismatch));
    }
}

#[test]
fn revocation() {
    let [top, other, forged] = ["Root", "Other", "Middle"].map(|name| root(plain(name)));
    let middle = below(
        &top,
        authority("Middle", |params| {
            params.serial_number = Some(SerialNumber::from(7))
        }),
    );
    let leaf = signed(
        &middle,
        &leaf(|params| params.serial_number = Some(SerialNumber::from(8))),
    );
    let list = |issuer: &Issuer, serial: u64, next_update: u64| {
        let params = CertificateRevocationListParams {
            this_update: date(NOW - 10 * DAY),
            next_update: date(next_update),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![RevokedCertParams {
                serial_number: SerialNumber::from(serial),
                revocation_time: date(NOW - 20 * DAY),
                reason_code: None,
                invalidity_date: None,
            }],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        CertificateRevocationListDer::from(params.signed_by(issuer).unwrap())
    };
    let judged = |lists: Vec<CertificateRevocationListDer<'static>>| {
        let trust = Trust::new(TrustSources {
            extra: vec![top.der().clone(), other.der().clone()],
            revocation_lists: lists,
            ..TrustSources::default()
        });
        judge(
            &trust.unwrap(),
            &[leaf.clone(), middle.der().clone()],
            "a.test",
        )
    };
    assert_eq!(judged(vec![]), Ok(()));
    assert_eq!(judged(vec![list(&middle, 8, NOW + DAY)]), Err(Revoked));
    assert_eq!(judged(vec![list(&top, 7, NOW + DAY)]), Err(Revoked));
    assert_eq!(
        judged(vec![list(&middle, 8, NOW - DAY)]),
        Err(Revoked),
        "an old list still counts"
    );
    assert_eq!(judged(vec![list(&middle, 9, NOW + DAY)]), Ok(()));
    assert_eq!(
        judged(vec![list(&other, 8, NOW + DAY), list(&top, 8, NOW + DAY)]),
        Ok(())
    );
    assert_eq!(judged(vec![list(&forged, 8, NOW + DAY)]), Err(BadSignature));
}
