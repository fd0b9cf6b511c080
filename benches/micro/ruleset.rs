//! Rules alone: nanoseconds per evaluation by the number of rules and values (bars R1 to R3), and
//! the time to write and to load a bundle (R4, R5).
//!
//! `cargo bench -p sallyport-benches --bench ruleset`. Names and requests are made here from fixed
//! seeds; each iteration is one request of a ring that is larger than the caches of one value.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark of its own input, run by hand"
)]

use std::cell::Cell;

use divan::Bencher;
use sallyport_benches::policy::{Request, group, listed_name, mixed_rules, requested_name, rule};
use sallyport_ruleset::bundle::write;
use sallyport_ruleset::{
    Action, BuildRecord, Bundle, Fact, Facts, Field, Phase, Ruleset, Test, evaluate,
};

fn main() {
    divan::main();
}

/// R1: one phase, one list. Half of the requests are for a name under one of the list.
#[divan::bench(sample_count = 50, sample_size = 8_192, args = [10, 1_000, 10_000, 100_000, 1_000_000])]
fn domain_list(bencher: Bencher<'_, '_>, values: usize) {
    let bundle = compile(&domain_rules(values));
    let names: Vec<String> = (0..4_096).map(|n| requested_name(n, values)).collect();
    let mut scratch = bundle.scratch();
    let next = Cell::new(0);
    bencher.bench_local(|| {
        let mut facts = Facts::unknown();
        facts.destination_domain = Fact::Known(&names[next.get() % names.len()]);
        next.set(next.get() + 1);
        evaluate(
            &bundle,
            Phase::PreDns,
            divan::black_box(&facts),
            &mut scratch,
        )
    });
}

/// R2, R3: a mixed policy, all three phases of one transaction.
#[divan::bench(sample_count = 50, sample_size = 8_192, args = [1_000, 10_000, 100_000])]
fn mixed_policy(bencher: Bencher<'_, '_>, rules: usize) {
    let bundle = compile(&mixed_rules(rules));
    let requests: Vec<Request> = (0..1_024).map(|n| Request::new(n, rules)).collect();
    let mut scratch = bundle.scratch();
    let next = Cell::new(0);
    bencher.bench_local(|| {
        let request = &requests[next.get() % requests.len()];
        next.set(next.get() + 1);
        let facts = request.facts();
        Phase::ALL.map(|phase| evaluate(&bundle, phase, divan::black_box(&facts), &mut scratch))
    });
}

/// A mixed policy while only what is known before the request head is: the early decision.
#[divan::bench(sample_count = 50, sample_size = 8_192, args = [1_000, 10_000])]
fn mixed_policy_early(bencher: Bencher<'_, '_>, rules: usize) {
    let bundle = compile(&mixed_rules(rules));
    let requests: Vec<Request> = (0..1_024).map(|n| Request::new(n, rules)).collect();
    let mut scratch = bundle.scratch();
    let next = Cell::new(0);
    bencher.bench_local(|| {
        let request = &requests[next.get() % requests.len()];
        next.set(next.get() + 1);
        let facts = request.early_facts();
        evaluate(
            &bundle,
            Phase::PreRequest,
            divan::black_box(&facts),
            &mut scratch,
        )
    });
}

/// R4 without the text: 100 000 domain values and 1 000 mixed rules to bytes.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn write_bundle(bencher: Bencher<'_, '_>) {
    let ruleset = large_rules();
    bencher.bench_local(|| write(&ruleset, &BuildRecord::default()).map(|bytes| bytes.len()));
}

/// R5: the same from bytes to a bundle that can be evaluated.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn load_bundle(bencher: Bencher<'_, '_>) {
    let bytes = write(&large_rules(), &BuildRecord::default()).expect("the rules are valid");
    println!("bundle: {} bytes", bytes.len());
    println!(
        "{:?}",
        Bundle::load(bytes.clone())
            .expect("it was just written")
            .sizes()
    );
    bencher
        .with_inputs(|| bytes.clone())
        .bench_local_values(Bundle::load);
}

fn compile(ruleset: &Ruleset) -> Bundle {
    let bytes = write(ruleset, &BuildRecord::default()).expect("the rules are valid");
    Bundle::load(bytes).expect("it was just written")
}

fn domain_rules(values: usize) -> Ruleset {
    let list = Test::Domain((0..values).map(listed_name).collect());
    let rule = rule(
        "listed".into(),
        Action::Allow,
        vec![(Field::DestinationDomain, list)],
    );
    group([vec![rule], Vec::new(), Vec::new()])
}

fn large_rules() -> Ruleset {
    let mut ruleset = mixed_rules(1_000);
    ruleset.groups.extend(domain_rules(100_000).groups);
    ruleset
}
