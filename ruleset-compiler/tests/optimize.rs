//! Each optimization, alone and with the others, against the reference over the rules as written;
//! and no rule that is said to be covered ever decides or alerts.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use sallyport_rules::cover::{self, Covers};
use sallyport_rules::optimize::{self, Optimization, Optimizations};
use sallyport_ruleset::bundle::write_reachable;
use sallyport_ruleset::generate::{self, Entropy, OwnedFacts};
use sallyport_ruleset::generate_near;
use sallyport_ruleset::reference::{Reference, ReferenceOutcome};
use sallyport_ruleset::{
    Action, BuildRecord, Bundle, Outcome, Phase, RuleIndex, Ruleset, Scratch, evaluate,
};

fn entropy(bytes: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), bytes)
}

/// Half of the rulesets talk of few fields, so that conditions meet.
fn rules() -> impl Strategy<Value = Ruleset> {
    (entropy(700), any::<bool>()).prop_map(|(bytes, is_narrow)| {
        let mut entropy = Entropy::new(&bytes);
        match is_narrow {
            true => generate::narrow_ruleset(&mut entropy),
            false => generate::ruleset(&mut entropy),
        }
    })
}

fn choices() -> impl Iterator<Item = Optimizations> {
    let alone = Optimization::ALL.map(|one| Optimizations::NONE.with(one));
    let without = Optimization::ALL.map(|one| Optimizations::ALL.without(one));
    [Optimizations::ALL].into_iter().chain(alone).chain(without)
}

fn compile(ruleset: &Ruleset, covers: &Covers, wanted: Optimizations) -> Bundle {
    let optimized = optimize::run(ruleset.clone(), covers, wanted);
    let record = BuildRecord::default();
    let bytes = write_reachable(&optimized.ruleset, &optimized.unreachable, &record).unwrap();
    Bundle::load(bytes).unwrap()
}

fn fast(
    bundle: &Bundle,
    phase: Phase,
    facts: &OwnedFacts,
    unknown: u64,
    scratch: &mut Scratch,
) -> ReferenceOutcome {
    facts.with(unknown, |facts| ReferenceOutcome {
        outcome: evaluate(bundle, phase, facts, scratch),
        alerts: scratch.alerts().to_vec(),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(generate::cases(400)))]

    #[test]
    fn optimized_is_plain(ruleset in rules(), requests in entropy(1_200)) {
        let reference = Reference::new(&ruleset).unwrap();
        let covers = cover::find(&ruleset).covers;
        for wanted in choices() {
            let bundle = compile(&ruleset, &covers, wanted);
            let mut scratch = bundle.scratch();
            let mut entropy = Entropy::new(&requests);
            for _ in 0..4 {
                let facts = generate::facts(&mut entropy);
                let unknown = entropy.mask();
                for phase in Phase::ALL {
                    let plain = facts.with(0, |facts| reference.evaluate(phase, facts));
                    let found = fast(&bundle, phase, &facts, 0, &mut scratch);
                    prop_assert_eq!(&found, &plain, "{:?} {:?}", wanted, phase);
                    let early = facts.with(unknown, |facts| reference.evaluate(phase, facts));
                    let found = fast(&bundle, phase, &facts, unknown, &mut scratch);
                    // It may see sooner what the outcome will be, never another one.
                    let is_right = found == early
                        || early.outcome == Outcome::Undetermined && found == plain;
                    prop_assert!(is_right, "{:?} {:?}: {:?}, not {:?}", wanted, phase, found, early);
                }
            }
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(generate::cases(2_000)))]

    /// What is claimed of a rule holds of facts made of the very values of the ruleset.
    #[test]
    fn covered_rules_never_act(ruleset in rules(), requests in entropy(4_000)) {
        let covers = cover::find(&ruleset).covers;
        if covers.iter().all(Vec::is_empty) {
            return Ok(());
        }
        let reference = Reference::new(&ruleset).unwrap();
        let mut entropy = Entropy::new(&requests);
        for round in 0..24 {
            let facts = match round % 2 {
                0 => generate::facts(&mut entropy),
                _ => generate_near::facts_near(&ruleset, &mut entropy),
            };
            for (phase, covers) in Phase::ALL.into_iter().zip(&covers) {
                let rules: Vec<_> = ruleset.rules(phase).map(|(_, rule)| rule).collect();
                let holds = |at: usize| {
                    let mut conditions = rules[at].conditions.iter();
                    facts.with(0, |facts| {
                        conditions.all(|c| reference.condition_holds(c, facts) == Some(true))
                    })
                };
                let answer = facts.with(0, |facts| reference.evaluate(phase, facts));
                for cover in covers {
                    if !cover.unreachable {
                        prop_assert!(!holds(cover.rule) || cover.by.iter().all(|by| holds(*by)));
                        continue;
                    }
                    let rule = RuleIndex(u32::try_from(cover.rule).unwrap());
                    prop_assert!(!answer.alerts.contains(&rule), "{:?} alerts", cover);
                    if let Outcome::Decided(verdict) = answer.outcome {
                        prop_assert!(verdict.rule != Some(rule), "{:?} decides", cover);
                    }
                    // The rules that are named do it, without any other.
                    let is_taken = cover.by.iter().any(|by| {
                        *by < cover.rule && rules[*by].action != Action::Alert && holds(*by)
                    });
                    prop_assert!(!holds(cover.rule) || is_taken, "{:?} is not covered", cover);
                }
            }
        }
    }
}

/// Otherwise the tests above prove nothing.
#[test]
fn the_generator_makes_rules_that_others_cover() {
    let mut alone = 0;
    let mut together = 0;
    let mut never = 0;
    for seed in 0..2_000_u32 {
        let bytes: Vec<u8> = (0..400_u32)
            .map(|n| (n + seed * 400).wrapping_mul(2_654_435_761).to_le_bytes()[3])
            .collect();
        let ruleset = generate::narrow_ruleset(&mut Entropy::new(&bytes));
        for cover in cover::find(&ruleset).covers.into_iter().flatten() {
            match cover.by.len() {
                0 => never += 1,
                1 => alone += 1,
                _ => together += 1,
            }
        }
    }
    assert!(
        alone > 500 && together > 30 && never > 30,
        "{alone} {together} {never}"
    );
}
