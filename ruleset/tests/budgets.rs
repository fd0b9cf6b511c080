//! Patterns that are made to explode: each compiles within its budget, or is refused with the place
//! of the rule, soon.
#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::time::Instant;

use sallyport_ruleset::bundle::write;
use sallyport_ruleset::{
    BuildRecord, Condition, Field, Phase, Ruleset, Test, ValueList, WriteError, generate,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Accepted,
    Refused,
}
use Expected::{Accepted, Refused};

/// With a wide margin: a machine under load, code that is not optimized.
const SECONDS_MAX: u64 = 60;
/// Of a bundle with one such pattern.
const BYTES_MAX: usize = 3 * 1024 * 1024;

fn ruleset(test: Test) -> Ruleset {
    generate::single_rule(vec![Condition {
        field: Field::HttpUri,
        negated: false,
        test,
    }])
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test is of how long something takes"
)]
fn check(what: &str, test: Test, expected: Expected) {
    let started = Instant::now();
    let written = write(&ruleset(test), &BuildRecord::default());
    assert!(
        started.elapsed().as_secs() < SECONDS_MAX,
        "{what} takes {:?}",
        started.elapsed()
    );
    let place = match &written {
        Ok(bytes) => {
            assert_eq!(expected, Accepted, "{what}");
            assert!(bytes.len() < BYTES_MAX, "{what}: {} bytes", bytes.len());
            return;
        }
        Err(
            WriteError::Regex { at, .. }
            | WriteError::TooCostly { at, .. }
            | WriteError::ValueTooLong { at },
        ) => at,
        Err(error) => panic!("{what}: {error}"),
    };
    assert_eq!(expected, Refused, "{what}: {written:?}");
    assert_eq!(
        (place.group, place.phase, place.rule),
        (0, Phase::PreDns, 0)
    );
}

#[test]
fn regular_expressions() {
    let alternation: Vec<String> = (0..900).map(|n| format!("word{n}")).collect();
    let nested = format!("{}a{}", "(".repeat(100), ")*".repeat(100));
    for (pattern, expected) in [
        ("(a*)*b", Accepted),
        ("(a+)+$", Accepted),
        ("(a|aa)+$", Accepted),
        ("(.*)(.*)(.*)(.*)x", Accepted),
        (".{1000}", Accepted),
        ("(?:.{100}){100}", Refused),
        ("[ab]*a[ab]{20}", Refused),
        ("(x+x+)+y", Accepted),
        (r"(?u)\w{200}", Refused),
        (r"(?u)\p{Greek}+", Accepted),
        (r"\p{Greek}", Refused),
        (&alternation.join("|"), Accepted),
        (&nested, Accepted),
        (&"(".repeat(5_000), Refused),
        (&"a?".repeat(500), Accepted),
        (
            &format!("{}{}", "a?".repeat(1_000), "a".repeat(1_000)),
            Accepted,
        ),
        ("a{4000000000}", Refused),
        ("((((a{30}){30}){30}){30})", Refused),
        (&"a".repeat(9_000), Refused),
    ] {
        let shown: String = pattern.chars().take(40).collect();
        check(
            &shown,
            Test::Regex([pattern].into_iter().collect()),
            expected,
        );
    }
}

#[test]
fn globs() {
    let many = |make: &dyn Fn(usize) -> String, count| (0..count).map(make).collect::<ValueList>();
    let letters = |n: usize| {
        let letter = |n: usize| char::from(b'a' + u8::try_from(n % 26).unwrap());
        format!("*{}*{}*{}*", letter(n), letter(n / 26), letter(n / 676))
    };
    for (what, values, expected) in [
        ("stars", many(&|_| "*a".repeat(1_000), 1), Accepted),
        ("question marks", many(&|_| "?".repeat(5_000), 1), Accepted),
        (
            "a long piece with ?",
            many(&|_| format!("*{}*", "a?".repeat(40)), 1),
            Refused,
        ),
        (
            "a short piece with ?",
            many(&|_| format!("*{}*", "a?".repeat(30)), 1),
            Accepted,
        ),
        ("few without a literal", many(&letters, 1_000), Accepted),
        ("many without a literal", many(&letters, 10_000), Refused),
        (
            "many with one",
            many(&|n| format!("*name-{n}*"), 10_000),
            Accepted,
        ),
    ] {
        check(what, Test::Glob(values), expected);
    }
}
