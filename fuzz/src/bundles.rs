//! Bundles and what is decided with them: bytes from anywhere, bundles forged behind good hashes,
//! and the fast evaluator against the reference.

use sallyport_ruleset::bundle::{reseal, write};
use sallyport_ruleset::generate::{self, Entropy, OwnedFacts};
use sallyport_ruleset::reference::{Reference, ReferenceOutcome};
use sallyport_ruleset::{BuildRecord, Bundle, Outcome, Phase, Ruleset, Scratch, evaluate};

use crate::input::Input;

/// Any bytes are refused or are a bundle that evaluates to its end, with their own hashes and with
/// hashes made to fit.
pub fn bundle_bytes(data: &[u8]) {
    for bytes in [Some(data.to_vec()), reseal(data)].into_iter().flatten() {
        if let Ok(bundle) = Bundle::load(bytes) {
            evaluate_some(&bundle, data);
        }
    }
}

/// A good bundle of random rules with some of its words replaced, each by a choice of the input,
/// and all hashes made to fit: refused, or harmless.
pub fn bundle_forged(data: &[u8]) {
    let mut input = Input::new(data);
    let forgeries_count = usize::from(input.below(4));
    let forgeries = input.take(forgeries_count * FORGERY_BYTES);
    let rules = input.rest();
    let mut bytes = write_bundle(&generate::ruleset(&mut Entropy::new(rules)));
    assert_eq!(reseal(&bytes).as_ref(), Some(&bytes));
    let words_count = bytes.len() / 4;
    for forgery in forgeries.as_chunks::<FORGERY_BYTES>().0 {
        let [high, low, word @ ..] = forgery;
        let at = usize::from(u16::from_be_bytes([*high, *low])) % words_count * 4;
        bytes[at..at + 4].copy_from_slice(word);
    }
    let Some(resealed) = reseal(&bytes) else {
        return;
    };
    if let Ok(bundle) = Bundle::load(resealed) {
        evaluate_some(&bundle, rules);
    }
}

/// Where, and what to put there.
const FORGERY_BYTES: usize = 6;

/// Random rules over random facts, any of them unknown: the evaluators agree, and a decision made
/// early stays when the rest becomes known. One half of the input makes the rules, one the facts.
pub fn evaluation(data: &[u8]) {
    let (rules, requests) = data.split_at(data.len() / 2);
    let ruleset = generate::ruleset(&mut Entropy::new(rules));
    let bundle = Bundle::load(write_bundle(&ruleset)).expect("what was written loads");
    check_agreement(&ruleset, &bundle, requests);
}

/// Compares the evaluators over the facts that `entropy` gives.
pub(crate) fn check_agreement(ruleset: &Ruleset, bundle: &Bundle, entropy: &[u8]) {
    let reference = Reference::new(ruleset).expect("expressions that were compiled");
    let mut entropy = Entropy::new(entropy);
    // One for all, so that what an evaluation leaves behind would be seen.
    let mut scratch = bundle.scratch();
    for _ in 0..2 {
        let facts = generate::facts(&mut entropy);
        for phase in Phase::ALL {
            let full = fast(bundle, phase, &facts, 0, &mut scratch);
            for unknown in [0, entropy.mask() & entropy.mask(), entropy.mask(), u64::MAX] {
                let found = fast(bundle, phase, &facts, unknown, &mut scratch);
                let expected = facts.with(unknown, |facts| reference.evaluate(phase, facts));
                let is_decided = found.outcome != Outcome::Undetermined;
                assert!(!is_decided || found == full, "decided too early");
                // Conditions on one key are one to it: where no value fulfills them all, the value need
                // not be known, which the reference does not see.
                let sees_more = is_decided && expected.outcome == Outcome::Undetermined;
                if !sees_more {
                    assert_eq!(found, expected, "{phase:?}, unknown {unknown:#x}");
                }
            }
        }
    }
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

/// Whatever was forged, evaluation ends.
fn evaluate_some(bundle: &Bundle, entropy: &[u8]) {
    let facts = generate::facts(&mut Entropy::new(entropy));
    let mut scratch = bundle.scratch();
    for phase in Phase::ALL {
        for unknown in [0, 0x1234_5678] {
            fast(bundle, phase, &facts, unknown, &mut scratch);
        }
    }
}

fn write_bundle(ruleset: &Ruleset) -> Vec<u8> {
    write(ruleset, &BuildRecord::default()).expect("generated rules can be written")
}
