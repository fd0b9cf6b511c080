//! The cost certificate against evaluations that count what they do.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use sallyport_ruleset::bundle::write;
use sallyport_ruleset::cost::{InputLimits, Spent};
use sallyport_ruleset::generate::{self, Entropy};
use sallyport_ruleset::generate_near;
use sallyport_ruleset::{BuildRecord, Bundle, Outcome, Phase, Ruleset, evaluate, evaluate_counted};

fn compile(ruleset: &Ruleset) -> Bundle {
    Bundle::load(write(ruleset, &BuildRecord::default()).unwrap()).unwrap()
}

fn entropy(bytes: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), bytes)
}

/// No more than what the generated facts have, so that the bounds are as tight as they can be.
const LIMITS: InputLimits = InputLimits {
    lines: 16,
    head_bytes: 400,
    uri_bytes: 64,
    name_bytes: 64,
    text_bytes: 64,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(generate::cases(1_000)))]

    #[test]
    fn no_evaluation_costs_more_than_its_certificate(
        rules in entropy(700),
        requests in entropy(900),
        is_narrow in any::<bool>(),
    ) {
        let mut bytes = Entropy::new(&rules);
        let ruleset = match is_narrow {
            true => generate::narrow_ruleset(&mut bytes),
            false => generate::ruleset(&mut bytes),
        };
        let bundle = compile(&ruleset);
        prop_assert_eq!(bundle.certificate(), &bundle.certificate_again());
        let mut scratch = bundle.scratch();
        let mut entropy = Entropy::new(&requests);
        for _ in 0..4 {
            let facts = generate_near::facts_near(&ruleset, &mut entropy);
            for phase in Phase::ALL {
                let certificate = bundle.certificate().phase(phase);
                for unknown in [0, entropy.mask(), u64::MAX] {
                    let spent = Spent::default();
                    let (counted, plain) = facts.with(unknown, |facts| {
                        let counted = evaluate_counted(&bundle, phase, facts, &mut scratch, &spent);
                        (counted, evaluate(&bundle, phase, facts, &mut scratch))
                    });
                    prop_assert_eq!(counted, plain);
                    let bound = match unknown {
                        0 => certificate.worst(&LIMITS),
                        _ => certificate.worst_early(&LIMITS),
                    };
                    prop_assert!(
                        spent.cost().is_within(&bound),
                        "{:?} {:x}: {:?} is over {:?}", phase, unknown, spent.cost(), bound
                    );
                }
            }
        }
    }
}

/// The words of the protocol are tested one by one where all must match.
#[test]
fn each_word_of_the_protocol_is_read() {
    use sallyport_ruleset::{Condition, Fact, Facts, Field, Protocol, Test};
    let ruleset = generate::single_rule(vec![Condition {
        field: Field::Protocol,
        negated: false,
        test: Test::Every(Box::new(Test::Regex(["[a-z]+"].into_iter().collect()))),
    }]);
    let bundle = compile(&ruleset);
    let mut facts = Facts::unknown();
    facts.protocol = Fact::Known(Protocol::ALL.into_iter().collect());
    let spent = Spent::default();
    evaluate_counted(
        &bundle,
        Phase::PreDns,
        &facts,
        &mut bundle.scratch(),
        &spent,
    );
    let bound = bundle.certificate().phase(Phase::PreDns).worst(&LIMITS);
    assert!(
        spent.cost().steps > 0,
        "the regular expression was not tried"
    );
    assert!(
        spent.cost().is_within(&bound),
        "{:?} is over {bound:?}",
        spent.cost()
    );
}

/// What begins alike is tried together: a text that holds the ends of a thousand expressions is read a few
/// times.
#[test]
fn many_expressions_cost_a_few_passes() {
    use sallyport_ruleset::{Condition, Fact, Facts, Field, Test};
    let values: Vec<String> = (0..5_000)
        .map(|n| format!("/common/prefix/[a-z]+/x{n:04}$"))
        .collect();
    let ruleset = generate::single_rule(vec![Condition {
        field: Field::HttpUri,
        negated: false,
        test: Test::Regex(values.iter().collect()),
    }]);
    let bundle = compile(&ruleset);
    let mut text = String::from("/common/prefix/abc");
    (0..1_170).for_each(|n| text += &format!("/x{:04}", n * 4));
    let mut facts = Facts::unknown();
    let bound = bundle.certificate().phase(Phase::PreDns);
    let limits = InputLimits::default();
    let bound = bound.worst(&limits);
    assert!(bound.steps < 20 * limits.uri_bytes, "{bound:?}");
    let texts = [
        (text.clone(), None),
        (text + "/common/prefix/abc/x4999", Some(0)),
    ];
    for (text, expected) in &texts {
        facts.uri = Fact::Known(text.as_bytes());
        let spent = Spent::default();
        let outcome = evaluate_counted(
            &bundle,
            Phase::PreDns,
            &facts,
            &mut bundle.scratch(),
            &spent,
        );
        let Outcome::Decided(verdict) = outcome else {
            unreachable!("everything is known");
        };
        assert_eq!(verdict.rule.map(|rule| rule.0), *expected);
        let cost = spent.cost();
        assert!(cost.is_within(&bound), "{cost:?} is over {bound:?}");
        // Each family is read, and the pass over the literals.
        let families = bundle.sizes().families_count as u64;
        assert_eq!(cost.steps, (families + 1) * text.len() as u64);
    }
}

/// Globs of one shape cost one look for each position, whichever of them a text holds.
#[test]
fn many_globs_of_a_shape_cost_one_pass() {
    use sallyport_ruleset::{Condition, Fact, Facts, Field, Test};
    let letter = |n: usize| char::from(b'a' + u8::try_from(n % 10).unwrap());
    let values: Vec<String> = (0..10_000)
        .map(|n| {
            let [a, b, c, d] = [n, n / 10, n / 100, n / 1_000].map(letter);
            format!("*{a}{b}?{c}{d}*")
        })
        .collect();
    let ruleset = generate::single_rule(vec![Condition {
        field: Field::HttpUri,
        negated: true,
        test: Test::Glob(values.iter().collect()),
    }]);
    let bundle = compile(&ruleset);
    assert_eq!(bundle.sizes().window_keys_count, 10_000);
    let limits = InputLimits::default();
    let bound = bundle.certificate().phase(Phase::PreDns).worst(&limits);
    assert_eq!(bound.steps, 5 * limits.uri_bytes);
    let text: String = (0..8_192_usize).map(|n| letter(n * n / 7)).collect();
    let mut facts = Facts::unknown();
    facts.uri = Fact::Known(text.as_bytes());
    let spent = Spent::default();
    evaluate_counted(
        &bundle,
        Phase::PreDns,
        &facts,
        &mut bundle.scratch(),
        &spent,
    );
    let cost = spent.cost();
    assert!(cost.is_within(&bound), "{cost:?} is over {bound:?}");
    assert_eq!(cost.steps, 5 * (8_192 - 4));
}

/// A bound that allows everything would prove nothing.
#[test]
fn the_certificate_of_one_lookup_is_close() {
    use sallyport_ruleset::{Condition, Fact, Facts, Field, Test};
    let names: Vec<String> = (0..10_000)
        .map(|n| format!("host-{n}.example.com"))
        .collect();
    let ruleset = generate::single_rule(vec![Condition {
        field: Field::DestinationDomain,
        negated: false,
        test: Test::Domain(names.iter().collect()),
    }]);
    let bundle = compile(&ruleset);
    let mut scratch = bundle.scratch();
    let mut facts = Facts::unknown();
    facts.destination_domain = Fact::Known("www.host-5.example.com");
    let spent = Spent::default();
    evaluate_counted(&bundle, Phase::PreDns, &facts, &mut scratch, &spent);
    let bound = bundle
        .certificate()
        .phase(Phase::PreDns)
        .worst(&InputLimits::default());
    let cost = spent.cost();
    assert!(cost.is_within(&bound), "{cost:?} is over {bound:?}");
    assert_eq!((cost.rules, bound.rules), (1, 1));
    assert!(cost.probes >= 1 && bound.probes < 200, "{bound:?}");
    assert!(bound.bytes < 4_000, "{bound:?}");
}
