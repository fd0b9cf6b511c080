//! The cache beside the plainest thing that does the same.

use std::num::NonZeroUsize;
use std::sync::Arc;

use proptest::prelude::*;
use rustls::sign::CertifiedKey;
use sallyport_pki::{CertificateName, LeafKey, LeafSubject, MintError, Minter, OriginCertificate};

use super::fixture::{DAY, NOW, at, authority_params, keys, load, minter, name, now, root};
use crate::tls::CertificateCache;

/// A list, the most recently used last.
struct Model {
    capacity: usize,
    entries: Vec<Entry>,
}

struct Entry {
    host: usize,
    origin: Option<usize>,
    minted: u64,
    certified_key: Arc<CertifiedKey>,
}

impl Model {
    /// What the cache must give, if it must give something that it has.
    fn find(&mut self, host: usize, origin: Option<usize>, now: u64) -> Option<Arc<CertifiedKey>> {
        let place = self
            .entries
            .iter()
            .position(|entry| entry.host == host && entry.origin == origin)?;
        let entry = self.entries.remove(place);
        // A certificate is valid for 30 days and used for three quarters of that.
        let is_fit = (entry.minted - 3600..entry.minted + 30 * DAY * 3 / 4).contains(&now);
        let found = Arc::clone(&entry.certified_key);
        if is_fit {
            self.entries.push(entry);
        }
        is_fit.then_some(found)
    }

    fn put(&mut self, entry: Entry) {
        if self.entries.len() == self.capacity {
            self.entries.remove(0);
        }
        self.entries.push(entry);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Ask { host: usize, origin: Option<usize> },
    Pass { seconds: i64 },
    Renew,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (0..6_usize, proptest::option::of(0..2_usize)).prop_map(|(host, origin)| Step::Ask { host, origin }),
        2 => (0..20 * DAY.cast_signed()).prop_map(|seconds| Step::Pass { seconds }),
        // The clock is set back.
        2 => (-2 * DAY.cast_signed()..0).prop_map(|seconds| Step::Pass { seconds }),
        1 => Just(Step::Renew),
    ];
    proptest::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_gives_what_a_list_would_give(steps in steps(), capacity in 1..5_usize) {
        let keys = keys(load(&root(authority_params("A")), &[]));
        let hosts: Vec<CertificateName> =
            ["a.test", "b.test", "d.test", "192.0.2.1", "2001:db8::1", "c.test"].map(name).into();
        let origins = [OriginCertificate::read(b"one"), OriginCertificate::read(b"two")];
        let minter = Minter::new(Arc::clone(&keys)).unwrap();
        let mut cache = CertificateCache::new(minter, NonZeroUsize::new(capacity).unwrap());
        let mut model = Model { capacity, entries: Vec::new() };
        let (mut clock, mut asked, mut given) = (NOW, 0, Vec::new());
        for step in steps {
            match step {
                Step::Ask { host, origin } => {
                    let subject = LeafSubject {
                        asked: &hosts[host],
                        origin: origin.map(|origin| &origins[origin]),
                        key: LeafKey::Ecdsa,
                    };
                    let Ok(certified_key) = cache.certificate(subject, at(clock)) else {
                        // The authority is valid for half a year.
                        prop_assert!(clock >= NOW + 180 * DAY);
                        break;
                    };
                    asked += 1;
                    match model.find(host, origin, clock) {
                        Some(expected) => prop_assert!(Arc::ptr_eq(&certified_key, &expected)),
                        None => {
                            for old in &given {
                                prop_assert!(!Arc::ptr_eq(&certified_key, old), "it is stale");
                            }
                            given.push(Arc::clone(&certified_key));
                            // Close to the end of the authority the rules are others.
                            if clock + 30 * DAY > NOW + 180 * DAY {
                                break;
                            }
                            model.put(Entry { host, origin, minted: clock, certified_key });
                        }
                    }
                }
                Step::Pass { seconds } => clock = clock.saturating_add_signed(seconds),
                Step::Renew => {
                    let renewed = keys.renewed(at(clock)).unwrap();
                    cache.replace_minter(Minter::new(Arc::new(renewed)).unwrap());
                    model.entries.clear();
                }
            }
            prop_assert_eq!(cache.len(), model.entries.len());
            prop_assert_eq!(cache.hits() + cache.misses(), asked);
        }
    }
}

#[test]
fn a_new_leaf_key_is_served_at_once() {
    let keys = keys(load(&root(authority_params("A")), &[]));
    assert!(!keys.is_due(at(NOW + DAY - 1)));
    assert!(keys.is_due(at(NOW + DAY)));
    assert!(keys.is_due(at(NOW - DAY)), "the clock was set back");
    let mut cache = CertificateCache::new(
        Minter::new(Arc::clone(&keys)).unwrap(),
        NonZeroUsize::new(10).unwrap(),
    );
    let host = name("a.test");
    let subject = LeafSubject {
        asked: &host,
        origin: None,
        key: LeafKey::Ecdsa,
    };
    let before = cache.certificate(subject, now()).unwrap();
    let tomorrow = at(NOW + DAY);
    let renewed = Arc::new(keys.renewed(tomorrow).unwrap());
    assert!(!renewed.is_due(tomorrow));
    cache.replace_minter(Minter::new(renewed).unwrap());
    let after = cache.certificate(subject, tomorrow).unwrap();
    assert_ne!(before.key.public_key(), after.key.public_key());
    after.keys_match().unwrap();
}

#[test]
fn a_failure_is_not_remembered_and_holds_no_place() {
    let authority = load(&root(authority_params("A")), &[]);
    let mut cache = CertificateCache::new(minter(authority), NonZeroUsize::MIN);
    let host = name("a.test");
    let subject = LeafSubject {
        asked: &host,
        origin: None,
        key: LeafKey::Ecdsa,
    };
    let late = cache.certificate(subject, at(NOW + 180 * DAY));
    assert!(matches!(late, Err(MintError::AuthorityNotValid)));
    assert!(cache.is_empty());
    cache.certificate(subject, now()).unwrap();
    assert_eq!(cache.len(), 1);
}
