//! Bundles that are broken behind the back of validation: whatever is out of range, the evaluation that
//! meets it ends in a panic and never in a verdict.

use std::net::{IpAddr, Ipv4Addr};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::bundle::write;
use crate::{
    BuildRecord, Condition, Fact, Field, FieldValues, Protocol, ProtocolSet, Test, TimeZoneOffsets,
    Weekdays, WeeklySchedule, generate,
};

/// Out of range of every table, and no list.
const NOWHERE: u32 = u32::MAX / 2;
const BEYOND: Span = Span {
    start: NOWHERE,
    len: 1,
};

fn values(values: impl IntoIterator<Item = impl AsRef<str>>) -> crate::ValueList {
    values.into_iter().collect()
}

/// One rule, which denies. What it does not decide is allowed.
fn bundle(condition: &Condition) -> Bundle {
    let ruleset = generate::single_rule(vec![condition.clone()]);
    Bundle::load(write(&ruleset, &BuildRecord::default()).unwrap()).unwrap()
}

fn facts() -> Facts<'static> {
    let mut facts = Facts::unknown();
    facts.source_ip = Fact::Known(IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3)));
    facts.destination_domain = Fact::Known("www.a.com");
    facts.destination_port = Fact::Known(443);
    facts.protocol = Fact::Known([Protocol::Https].into_iter().collect::<ProtocolSet>());
    facts.time = Fact::Known(1_000);
    facts.uri = Fact::Known(b"/shop/n07x/secret/one.php");
    facts.host = Fact::Known(b"/shop/n07x");
    facts.method = Fact::Known(b"PUT");
    facts.user_agent = Fact::Known(FieldValues::One(b"xx-ab!cd-yy"));
    facts
}

fn verdict(bundle: &Bundle, scratch: &mut Scratch) -> std::thread::Result<Outcome> {
    catch_unwind(AssertUnwindSafe(|| {
        evaluate(bundle, Phase::PreDns, &facts(), scratch)
    }))
}

fn denies(outcome: &std::thread::Result<Outcome>) -> bool {
    matches!(outcome, Ok(Outcome::Decided(verdict)) if verdict.action == Decision::Deny)
}

/// A rule that denies what [`facts`] tells of; each of `breakages` takes away one thing that this rests on.
fn check(what: &str, condition: Condition, breakages: &[fn(&mut Index)]) {
    for (number, breakage) in breakages.iter().enumerate() {
        let mut bundle = bundle(&condition);
        let mut scratch = bundle.scratch();
        assert!(denies(&verdict(&bundle, &mut scratch)), "{what}: sound");
        breakage(&mut bundle.index);
        let panic = verdict(&bundle, &mut scratch).expect_err(&format!("{what} {number} passes"));
        let said = panic.downcast_ref::<String>().unwrap();
        assert!(said.starts_with("broken invariant: "), "{what}: {said}");
    }
}

fn on(field: Field, test: Test) -> Condition {
    Condition {
        field,
        negated: false,
        test,
    }
}

#[test]
fn rules_and_predicates() {
    let domains = on(Field::DestinationDomain, Test::Domain(values(["a.com"])));
    check(
        "a rule",
        domains.clone(),
        &[
            |index| index.rules[0].conditions = BEYOND,
            |index| index.conditions[0] = NOWHERE,
            |index| index.rules.clear(),
            |index| index.lists.truncate(1),
        ],
    );
    check(
        "a predicate",
        domains,
        &[
            |index| index.predicates.clear(),
            |index| index.predicates[0].field = NOWHERE,
            |index| index.fields.clear(),
            |index| index.fields[0].present = NOWHERE,
            |index| index.fields[0].index = FieldIndex::Tree { first: 0, v6: 0 },
        ],
    );
}

#[test]
fn tables_and_trees() {
    check(
        "a table",
        on(Field::DestinationDomain, Test::Domain(values(["a.com"]))),
        &[
            |index| index.views.clear(),
            |index| index.tables.clear(),
            |index| index.tables[0].slots = BEYOND,
            |index| index.tables[0].slots.len = 0,
            |index| index.meanings.clear(),
            |index| index.meanings[0].below = NOWHERE,
        ],
    );
    let networks = Test::Ip(vec!["10.0.0.0/8".parse().unwrap()]);
    check(
        "a tree",
        on(Field::SourceIp, networks),
        &[
            |index| index.trees.clear(),
            |index| index.trees[0].bounds = BEYOND,
            |index| index.trees[0].nodes = BEYOND,
            |index| index.trees[0].nodes.len = 1,
            |index| index.nodes.fill(NOWHERE),
            |index| index.fields[0].index = FieldIndex::Text { short: 0, full: 0 },
        ],
    );
    check(
        "the words of a protocol",
        on(Field::Protocol, Test::Glob(values(["http*"]))),
        &[
            |index| index.nodes.clear(),
            |index| index.nodes.fill(NOWHERE),
            |index| index.fields[0].index = FieldIndex::Protocol { nodes: 0 },
            |index| index.fields[0].index = FieldIndex::Text { short: 0, full: 0 },
        ],
    );
}

#[test]
fn patterns_behind_literals() {
    check(
        "a glob",
        on(Field::HttpUri, Test::Glob(values(["*/secret/*.php"]))),
        &[
            |index| index.needles.clear(),
            |index| index.needles.iter_mut().for_each(|n| n.patterns = NOWHERE),
            |index| index.patterns.clear(),
            |index| {
                for record in &mut index.patterns {
                    record.pattern = Pattern::Glob(BEYOND);
                }
            },
            |index| {
                for record in &mut index.patterns {
                    record.predicates = NOWHERE;
                }
            },
        ],
    );
    check(
        "an expression",
        on(Field::HttpUri, Test::Regex(values(["/secret/[a-z]+"]))),
        &[
            |index| index.automata.clear(),
            |index| index.automata[0].offset = NOWHERE,
            |index| index.automata[0].states = NOWHERE,
        ],
    );
    let family = (0..16).map(|number| format!("[a-z]+/n{number:02}x$"));
    check(
        "a family",
        on(Field::HttpHost, Test::Regex(values(family))),
        &[
            |index| index.families.clear(),
            |index| index.families[0].offset = NOWHERE,
            |index| index.families[0].reports = BEYOND,
            |index| index.families[0].reports.len = 0,
            |index| index.reports.fill(NOWHERE),
        ],
    );
    let letters: Vec<String> = ["ab", "cd", "ef", "gh", "ij", "kl", "mn", "op", "qr"]
        .iter()
        .flat_map(|one| {
            ["ab", "cd", "ef", "gh", "ij", "kl", "mn", "op", "qr"]
                .map(|two| format!("*{one}?{two}*"))
        })
        .collect();
    check(
        "globs of one shape",
        on(Field::HttpUserAgent, Test::Glob(values(letters))),
        &[
            |index| index.windows.clear(),
            |index| index.windows[0].slots = BEYOND,
            |index| index.windows[0].keys = BEYOND,
            |index| index.windows[0].keys.len = 0,
            |index| index.windows[0].shape.bytes = 65,
            |index| index.window_keys.clear(),
            |index| {
                index
                    .window_keys
                    .iter_mut()
                    .for_each(|key| key.proven = NOWHERE)
            },
        ],
    );
}

#[test]
fn tests_on_demand() {
    check(
        "a pattern",
        on(Field::HttpMethod, Test::Regex(values(["^[A-Z]+$"]))),
        &[
            |index| index.residuals.clear(),
            |index| index.predicates[0].residuals = BEYOND,
            |index| {
                index
                    .residuals
                    .fill(ResidualRecord::Short(Pattern::Regex(NOWHERE)))
            },
            |index| {
                index
                    .residuals
                    .fill(ResidualRecord::Short(Pattern::Family(0)))
            },
            |index| index.residuals.fill(ResidualRecord::Schedule(0)),
        ],
    );
    let schedule = WeeklySchedule {
        days: Weekdays::ALL,
        from_second: 0,
        to_second: 0,
        zone: TimeZoneOffsets {
            name: "Test/Zone".into(),
            first_offset_seconds: 0,
            transitions: vec![(0, 3_600), (100, 7_200)],
        }
        .into(),
    };
    check(
        "a schedule",
        on(Field::Time, Test::TimeOfDay(vec![schedule])),
        &[
            |index| index.schedules.clear(),
            |index| index.schedules[0].zone = NOWHERE,
            |index| index.schedules[0].days = NOWHERE,
            |index| index.zones.clear(),
            |index| index.zones[0].transitions = BEYOND,
            |index| {
                index
                    .residuals
                    .fill(ResidualRecord::Full(Pattern::Glob(BEYOND)))
            },
        ],
    );
}

/// What is worked out at load is followed in the same way.
#[test]
fn the_plan() {
    let domains = || on(Field::DestinationDomain, Test::Domain(values(["a.com"])));
    let globs = || on(Field::HttpUri, Test::Glob(values(["*/secret/*.php"])));
    type Breakage = fn(&mut Bundle);
    let breakages: [(Condition, Breakage); 4] = [
        (domains(), |bundle| bundle.source_fields.fill(None)),
        (domains(), |bundle| bundle.source_fields.fill(Some(NOWHERE))),
        (globs(), |bundle| bundle.searchers.clear()),
        (globs(), |bundle| bundle.pattern_phases.clear()),
    ];
    for (number, (condition, breakage)) in breakages.into_iter().enumerate() {
        let mut bundle = bundle(&condition);
        let mut scratch = bundle.scratch();
        assert!(denies(&verdict(&bundle, &mut scratch)));
        breakage(&mut bundle);
        assert!(verdict(&bundle, &mut scratch).is_err(), "{number} passes");
    }
}

/// What a torn evaluation had noted as tried is tried again by the next one with the same memory.
#[test]
fn memory_of_a_torn_evaluation_is_not_believed() {
    let conditions = [
        on(Field::HttpUri, Test::Regex(values(["/secret/[a-z]+"]))),
        on(
            Field::HttpUserAgent,
            Test::Glob(values(["*ab!cd*", "*b!c?-*"])),
        ),
    ];
    for condition in conditions {
        let mut bundle = bundle(&condition);
        let mut scratch = bundle.scratch();
        let sound = bundle.index.patterns.clone();
        for record in &mut bundle.index.patterns {
            record.predicates = NOWHERE;
        }
        assert!(verdict(&bundle, &mut scratch).is_err());
        bundle.index.patterns = sound;
        assert!(denies(&verdict(&bundle, &mut scratch)));
    }
}
