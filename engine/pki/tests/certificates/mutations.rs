//! Certificates with bytes changed, cut and inserted: nothing but a judgment may come of them.

use proptest::prelude::*;
use rcgen::{CustomExtension, DnType, GeneralSubtree, NameConstraints};
use rustls::pki_types::{CertificateDer, ServerName};
use sallyport_pki::{OriginCertificate, Trust, TrustSources};

use crate::fixture::{authority_params, below, leaf_params, now, root, signed};

/// One change at a place that is given in parts of the whole.
#[derive(Debug, Clone)]
enum Edit {
    Set(f64, u8),
    Cut(f64, usize),
    Insert(f64, Vec<u8>),
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "any place will do"
        )]
        let place = |part: f64, length: usize| (part * length as f64) as usize;
        match self {
            Self::Set(part, byte) => {
                let place = place(*part, bytes.len());
                if let Some(old) = bytes.get_mut(place) {
                    *old = *byte;
                }
            }
            Self::Cut(part, count) => {
                let begin = place(*part, bytes.len());
                let end = bytes.len().min(begin + count);
                bytes.drain(begin..end);
            }
            Self::Insert(part, new) => {
                let place = place(*part, bytes.len());
                bytes.splice(place..place, new.iter().copied());
            }
        }
    }
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = prop_oneof![
        4 => (0.0..1.0, any::<u8>()).prop_map(|(part, byte)| Edit::Set(part, byte)),
        1 => (0.0..1.0, 1..40_usize).prop_map(|(part, count)| Edit::Cut(part, count)),
        1 => (0.0..1.0, proptest::collection::vec(any::<u8>(), 1..8))
            .prop_map(|(part, new)| Edit::Insert(part, new)),
    ];
    proptest::collection::vec(edit, 1..6)
}

/// Leaf, intermediate and root with as many kinds of contents as there are.
fn chain() -> [CertificateDer<'static>; 3] {
    let root = root(authority_params("Root"));
    let mut params = authority_params("Middle");
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("test".to_owned())],
        excluded_subtrees: vec![GeneralSubtree::DnsName("b.test".to_owned())],
    });
    let middle = below(&root, params);
    let mut params = leaf_params(&["a.test", "*.a.test", "192.0.2.1", "2001:db8::1"]);
    params
        .distinguished_name
        .push(DnType::OrganizationName, "Müller, Söhne");
    params.custom_extensions = vec![CustomExtension::from_oid_content(
        &[1, 3, 6, 1, 5, 5, 7, 1, 1],
        vec![0x30, 0],
    )];
    let leaf = signed(&middle, &params);
    [leaf, middle.der().clone(), root.der().clone()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_was_changed_is_not_believed(edits in edits(), which in 0..2_usize) {
        let original = chain();
        let [mut leaf, mut middle, root] = original.clone();
        let changed = if which == 0 { &mut leaf } else { &mut middle };
        let mut bytes = changed.to_vec();
        for edit in &edits {
            edit.apply(&mut bytes);
        }
        let is_same = bytes == changed.as_ref();
        *changed = CertificateDer::from(bytes);
        let facts = OriginCertificate::read(&leaf);
        prop_assert_eq!(facts.sha256_hex().len(), 64);
        let trust = Trust::new(TrustSources { extra: vec![root], ..TrustSources::default() }).unwrap();
        let host = ServerName::try_from("a.test").unwrap();
        let judged = trust.judge(&leaf, &[middle], &host, now());
        prop_assert_eq!(judged.is_ok(), is_same, "{:?}", judged);
    }
}
