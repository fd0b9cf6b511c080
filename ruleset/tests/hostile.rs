//! Bundles that nobody compiled: cut, flipped, with sections that overlap and counts that cannot be.
//! Exhaustive over a small bundle: every length, every bit, every word.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use sallyport_ruleset::bundle::{reseal, write};
use sallyport_ruleset::generate::{self, Entropy};
use sallyport_ruleset::{
    Action, BuildRecord, Bundle, BundleError, Condition, Field, Phase, Ruleset, Test, evaluate,
};
use sha2::{Digest, Sha256};

/// Bytes before the rows, and of each row: offset, length, hash.
const FIXED_BYTES: usize = 48;
const ROW_BYTES: usize = 48;

/// A rule of each kind, so that every section has something in it.
fn ruleset() -> Ruleset {
    let text = |field, test| Condition {
        field,
        negated: false,
        test,
    };
    let values = |values: &[&str]| values.iter().collect();
    let mut ruleset = generate::single_rule(vec![text(
        Field::DestinationDomain,
        Test::Domain(values(&["a.com", "b.org"])),
    )]);
    let conditions = [
        text(Field::HttpUri, Test::Glob(values(&["*/secret/*"]))),
        text(Field::HttpMethod, Test::Regex(values(&["^[A-Z]$"]))),
        text(
            Field::SourceIp,
            Test::Ip(vec!["10.0.0.0/8".parse().unwrap()]),
        ),
        text(Field::DestinationPort, Test::Number(vec![80..=443])),
        text(Field::Protocol, Test::Glob(values(&["h*"]))),
        text(Field::RequestHeader("x-a".into()), Test::Absent(true)),
    ];
    let group = ruleset.groups.first_mut().unwrap();
    for (number, condition) in conditions.into_iter().enumerate() {
        let mut rule = group.rules(Phase::PreDns)[0].clone();
        rule.name = format!("rule-{number}");
        rule.action = Action::Alert;
        rule.conditions = vec![condition];
        group.rules_mut(Phase::PreRequest).push(rule);
    }
    ruleset
}

fn bundle() -> Vec<u8> {
    let bytes = write(&ruleset(), &BuildRecord::default()).unwrap();
    Bundle::load(bytes.clone()).unwrap();
    bytes
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = bundle();
    for len in 0..bytes.len() {
        assert!(Bundle::load(bytes[..len].to_vec()).is_err(), "{len} bytes");
    }
}

#[test]
fn every_flipped_bit_is_an_error() {
    let bytes = bundle();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            assert!(Bundle::load(flipped).is_err(), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn another_version_says_so() {
    let bytes = bundle();
    let expected = u32::from_le_bytes(bytes[8..12].try_into().unwrap());
    for found in [0, expected - 1, expected + 1, u32::MAX] {
        let mut other = bytes.clone();
        other[8..12].copy_from_slice(&found.to_le_bytes());
        let error = Bundle::load(other).unwrap_err();
        assert_eq!(error, BundleError::Version { found, expected });
        assert!(error.to_string().contains("compile the rules again"));
    }
}

fn rows_count(bytes: &[u8]) -> usize {
    u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize
}

/// Makes the identity fit the rows, so that what is in them is looked at.
fn seal_rows(bytes: &mut [u8]) {
    let rows_end = FIXED_BYTES + rows_count(bytes) * ROW_BYTES;
    let id = Sha256::new()
        .chain_update(&bytes[..16])
        .chain_update(&bytes[FIXED_BYTES..rows_end])
        .finalize();
    bytes[16..48].copy_from_slice(&id);
}

#[test]
fn sections_that_overlap_or_lie_outside_are_an_error() {
    let bytes = bundle();
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    for row in 0..rows_count(&bytes) {
        let at = FIXED_BYTES + row * ROW_BYTES;
        let (offset, len) = (word(at), word(at + 8));
        let first = word(FIXED_BYTES);
        let absurd = [
            0,
            1,
            offset - 8,
            offset + 8,
            first,
            u64::MAX,
            u64::MAX - 7,
            1 << 32,
            1 << 63,
        ];
        for forged in absurd {
            // With the section's own hash and with the hash of where it now lies.
            for (place, other) in [(at, len), (at + 8, offset)] {
                let mut forgery = bytes.clone();
                forgery[place..place + 8].copy_from_slice(&forged.to_le_bytes());
                if forgery == bytes {
                    continue;
                }
                let (offset, len) = if place == at {
                    (forged, other)
                } else {
                    (other, forged)
                };
                let range = usize::try_from(offset)
                    .ok()
                    .zip(usize::try_from(offset.saturating_add(len)).ok());
                if let Some(content) = range.and_then(|(start, end)| bytes.get(start..end)) {
                    forgery[at + 16..at + 48].copy_from_slice(&Sha256::digest(content));
                }
                seal_rows(&mut forgery);
                assert!(Bundle::load(forgery).is_err(), "row {row}: {forged}");
            }
        }
    }
}

#[test]
fn absurd_section_counts_are_an_error() {
    let bytes = bundle();
    for count in [
        0,
        1,
        rows_count(&bytes) - 1,
        rows_count(&bytes) + 1,
        usize::MAX,
    ] {
        let mut forgery = bytes.clone();
        let word = u32::try_from(count).unwrap_or(u32::MAX);
        forgery[12..16].copy_from_slice(&word.to_le_bytes());
        assert!(Bundle::load(forgery).is_err(), "{count} sections");
    }
}

/// Every word of the content replaced by each of the numbers that are most likely to be too much,
/// with all hashes made to fit: refused, or harmless to evaluate.
#[test]
fn absurd_words_do_no_harm() {
    let bytes = bundle();
    let first = u64::from_le_bytes(bytes[FIXED_BYTES..FIXED_BYTES + 8].try_into().unwrap());
    let entropy: Vec<u8> = (0..200_u8).map(|n| n.wrapping_mul(167)).collect();
    let facts = generate::facts(&mut Entropy::new(&entropy));
    let (mut refused, mut loaded) = (0, 0);
    for at in (usize::try_from(first).unwrap()..bytes.len() - 4).step_by(4) {
        for word in [0, 1, 3, 1_000, 0x7fff_ffff, u32::MAX - 1, u32::MAX] {
            let mut forgery = bytes.clone();
            forgery[at..at + 4].copy_from_slice(&word.to_le_bytes());
            let Some(forgery) = reseal(&forgery) else {
                refused += 1;
                continue;
            };
            let Ok(bundle) = Bundle::load(forgery) else {
                refused += 1;
                continue;
            };
            loaded += 1;
            let mut scratch = bundle.scratch();
            facts.with(0, |facts| {
                for phase in Phase::ALL {
                    std::hint::black_box(evaluate(&bundle, phase, facts, &mut scratch));
                }
            });
        }
    }
    assert!(refused > 1_000 && loaded > 100, "{refused} {loaded}");
}
