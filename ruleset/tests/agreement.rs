//! The fast evaluator against the reference, over random rulesets, facts and unknown facts; and
//! bundles against every kind of damage.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use sallyport_ruleset::bundle::{reseal, write};
use sallyport_ruleset::generate::{self, Entropy, OwnedFacts};
use sallyport_ruleset::reference::{Reference, ReferenceOutcome};
use sallyport_ruleset::{
    Action, BuildRecord, Bundle, Defaults, Outcome, Phase, Ruleset, Scratch, evaluate,
};

fn compile(ruleset: &Ruleset) -> Bundle {
    Bundle::load(write(ruleset, &BuildRecord::default()).unwrap()).unwrap()
}

fn fast(
    bundle: &Bundle,
    phase: Phase,
    facts: &OwnedFacts,
    unknown: u64,
    scratch: &mut Scratch,
) -> ReferenceOutcome {
    facts.with(unknown, |facts| {
        let outcome = evaluate(bundle, phase, facts, scratch);
        ReferenceOutcome {
            outcome,
            alerts: scratch.alerts().to_vec(),
        }
    })
}

fn entropy(bytes: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(generate::cases(500)))]

    #[test]
    fn fast_equals_reference(rules in entropy(700), requests in entropy(900)) {
        let ruleset = generate::ruleset(&mut Entropy::new(&rules));
        let reference = Reference::new(&ruleset).unwrap();
        let bundle = compile(&ruleset);
        // One scratch for all, so that what an evaluation leaves behind would be seen.
        let mut scratch = bundle.scratch();
        let mut entropy = Entropy::new(&requests);
        for _ in 0..6 {
            let facts = generate::facts(&mut entropy);
            for phase in Phase::ALL {
                let full = fast(&bundle, phase, &facts, 0, &mut scratch);
                for unknown in [0, entropy.mask() & entropy.mask(), entropy.mask(), u64::MAX] {
                    let found = fast(&bundle, phase, &facts, unknown, &mut scratch);
                    let expected = facts.with(unknown, |facts| reference.evaluate(phase, facts));
                    prop_assert_eq!(&found, &expected, "{:?} {:x}", phase, unknown);
                    if found.outcome != Outcome::Undetermined {
                        prop_assert_eq!(&found, &full, "decided too early");
                    }
                }
            }
        }
    }

    /// Tools get back what was compiled.
    #[test]
    fn rules_come_back(rules in entropy(700)) {
        let ruleset = generate::ruleset(&mut Entropy::new(&rules));
        prop_assert_eq!(compile(&ruleset).ruleset(), Ok(ruleset));
    }

    #[test]
    fn same_rules_same_bytes(rules in entropy(400)) {
        let bytes = || {
            let ruleset = generate::ruleset(&mut Entropy::new(&rules));
            write(&ruleset, &BuildRecord::default()).unwrap()
        };
        prop_assert_eq!(bytes(), bytes());
    }

    /// Content made by hand, hashes that fit: refused, or harmless to evaluate.
    #[test]
    fn forged_content_does_no_harm(
        rules in entropy(300),
        requests in entropy(200),
        forgeries in proptest::collection::vec((any::<prop::sample::Index>(), forged_word()), 1..4),
    ) {
        let ruleset = generate::ruleset(&mut Entropy::new(&rules));
        let mut bytes = write(&ruleset, &BuildRecord::default()).unwrap();
        prop_assert_eq!(&reseal(&bytes), &Some(bytes.clone()));
        // Behind the frame, whose words are checked before.
        let first = u64::from_le_bytes(bytes[48..56].try_into().unwrap());
        let content = usize::try_from(first).unwrap()..bytes.len() - 4;
        for (place, word) in forgeries {
            let at = content.start + place.index(content.len()) / 4 * 4;
            bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        let Ok(bundle) = Bundle::load(reseal(&bytes).unwrap()) else { return Ok(()) };
        let mut scratch = bundle.scratch();
        let facts = generate::facts(&mut Entropy::new(&requests));
        for phase in Phase::ALL {
            for unknown in [0, 0x1234_5678] {
                fast(&bundle, phase, &facts, unknown, &mut scratch);
            }
        }
    }

    #[test]
    fn damage_is_an_error(rules in entropy(300), place in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let ruleset = generate::ruleset(&mut Entropy::new(&rules));
        let bytes = write(&ruleset, &BuildRecord::default()).unwrap();
        let mut flipped = bytes.clone();
        flipped[place.index(bytes.len())] ^= 1 << bit;
        prop_assert!(Bundle::load(flipped).is_err());
        let truncated = bytes[..place.index(bytes.len())].to_vec();
        prop_assert!(Bundle::load(truncated).is_err());
        let mut longer = bytes.clone();
        longer.push(0);
        prop_assert!(Bundle::load(longer).is_err());
        let id = Bundle::load(bytes).unwrap().id().to_owned();
        prop_assert_eq!(id.len(), 64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(generate::cases(60)))]

    /// Many rules on few predicates: lists of rules that are too long to copy.
    #[test]
    fn fast_equals_reference_with_many_rules(
        rules in proptest::collection::vec(entropy(300), 40),
        requests in entropy(600),
    ) {
        let mut ruleset = Ruleset { defaults: Defaults::all(Action::Deny), groups: Vec::new() };
        for rules in &rules {
            let mut part = generate::ruleset(&mut Entropy::new(rules));
            // Alerts only, or the first of the many rules would decide.
            for rule in part.groups.iter_mut().flat_map(|group| group.rules.iter_mut().flatten()) {
                rule.action = Action::Alert;
                rule.conditions.truncate(1);
            }
            ruleset.groups.extend(part.groups);
        }
        let reference = Reference::new(&ruleset).unwrap();
        let bundle = compile(&ruleset);
        let mut scratch = bundle.scratch();
        let mut entropy = Entropy::new(&requests);
        for _ in 0..4 {
            let facts = generate::facts(&mut entropy);
            for phase in Phase::ALL {
                for unknown in [0, 1 << entropy.below(28)] {
                    let found = fast(&bundle, phase, &facts, unknown, &mut scratch);
                    let expected = facts.with(unknown, |facts| reference.evaluate(phase, facts));
                    prop_assert_eq!(&found, &expected, "{:?} {:x}", phase, unknown);
                }
            }
        }
    }
}

/// Words that are most likely to be taken for something else.
fn forged_word() -> impl Strategy<Value = u32> {
    prop_oneof![
        0..40_u32,
        Just(u32::MAX),
        Just(u32::MAX - 1),
        Just(0x7fff_ffff),
        any::<u32>()
    ]
}

/// The generator must reach what it is for, or the tests above prove nothing.
#[test]
fn the_generator_meets_every_outcome() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut decided_by_rule = 0;
    let mut with_alerts = 0;
    let mut undetermined = 0;
    let mut by_default = 0;
    for _ in 0..300 {
        let bytes = entropy(1_600).new_tree(&mut runner).unwrap().current();
        let (rules, requests) = bytes.split_at(700);
        let ruleset = generate::ruleset(&mut Entropy::new(rules));
        let bundle = compile(&ruleset);
        let mut scratch = bundle.scratch();
        let mut entropy = Entropy::new(requests);
        let facts = generate::facts(&mut entropy);
        let unknown = entropy.mask() & entropy.mask();
        for phase in Phase::ALL {
            let found = fast(&bundle, phase, &facts, unknown, &mut scratch);
            with_alerts += usize::from(!found.alerts.is_empty());
            match found.outcome {
                Outcome::Decided(verdict) if verdict.rule.is_some() => decided_by_rule += 1,
                Outcome::Decided(_) => by_default += 1,
                Outcome::Undetermined => undetermined += 1,
            }
        }
    }
    for count in [decided_by_rule, with_alerts, undetermined, by_default] {
        assert!(
            count > 50,
            "{decided_by_rule} {with_alerts} {undetermined} {by_default}"
        );
    }
}

/// What the tests here compare has what only many patterns have, and it matters.
#[test]
fn rulesets_have_families_and_shapes() {
    let (mut families, mut alone, mut pieces) = (0, 0, 0);
    for seed in 0..200_u8 {
        let bytes: Vec<u8> = (0..1_600_u32)
            .map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[2] ^ seed)
            .collect();
        let bundle = compile(&generate::ruleset(&mut Entropy::new(&bytes)));
        let sizes = bundle.sizes();
        families += sizes.families_count;
        alone += sizes.automata_count;
        pieces += sizes.window_keys_count;
    }
    assert!(
        families > 20 && alone > 20 && pieces > 1_000,
        "{families} families, {alone} alone, {pieces} pieces"
    );
}
