//! What one path of 8 KB costs that is made to have as many patterns tried as it can.
//!
//! `cargo bench -p sallyport-benches --bench hostile`. Figures: `docs/benchmarks-rules.md`.
#![expect(
    clippy::expect_used,
    reason = "a benchmark of its own input, run by hand"
)]

use divan::Bencher;
use sallyport_benches::noise;
use sallyport_ruleset::bundle::write;
use sallyport_ruleset::{
    BuildRecord, Bundle, Condition, Fact, Facts, Field, Phase, Test, evaluate, generate,
};

fn main() {
    divan::main();
}

const TEXT_BYTES: usize = 8 * 1024;
const PREFIX: &str = "/common/prefix/";

/// What 5 000 regular expressions with one prefix differ in.
#[derive(Clone, Copy, Debug)]
enum Ends {
    /// A literal each; the path holds a thousand of them.
    Literal,
    /// A word in any case; the path holds hundreds.
    AnyCase,
    /// How many letters and digits: no literal tells them apart.
    Count,
}

#[divan::bench(sample_count = 20, sample_size = 1, args = [Ends::Literal, Ends::AnyCase, Ends::Count])]
fn expressions_with_one_prefix(bencher: Bencher<'_, '_>, ends: Ends) {
    let end = |number: usize| match ends {
        Ends::Literal => format!("+/x{number:05}$"),
        Ends::AnyCase => format!("+/(?i:{})[0-9]", word(number)),
        Ends::Count => format!("{{{},}}[0-9]{{{}}}$", number % 50 + 1, number / 50 + 1),
    };
    let piece = |number: usize| match ends {
        Ends::Literal => format!("/x{:05}", number * 4),
        Ends::AnyCase => format!("{PREFIX}a/{}", word(number)),
        Ends::Count => format!("{PREFIX}a"),
    };
    let expressions = (0..5_000).map(|number| format!("{PREFIX}[a-z]{}", end(number)));
    let text = fill(&format!("{PREFIX}abc"), piece);
    evaluate_path(bencher, Test::Regex(expressions.collect()), &text);
}

/// 100 000 globs `*ab?cd*`, and a path with all literals of theirs.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn globs_of_one_shape(bencher: Bencher<'_, '_>) {
    let globs = (0..100_000).map(|n| {
        let [a, b, c, d] = [n, n / 26, n / 676, n / 17_576].map(letter);
        format!("*{a}{b}?{c}{d}*")
    });
    let text = fill("/", |n| format!("{}{}", letter(n), letter(n / 26)));
    evaluate_path(bencher, Test::Glob(globs.collect()), &text);
}

fn evaluate_path(bencher: Bencher<'_, '_>, test: Test, path: &str) {
    let rules = generate::single_rule(vec![Condition {
        field: Field::HttpUri,
        negated: false,
        test,
    }]);
    let bytes = write(&rules, &BuildRecord::default()).expect("the rules are valid");
    let bundle = Bundle::load(bytes).expect("it was just written");
    let mut scratch = bundle.scratch();
    let mut facts = Facts::unknown();
    facts.uri = Fact::Known(path.as_bytes());
    bencher.bench_local(|| {
        evaluate(
            &bundle,
            Phase::PreDns,
            divan::black_box(&facts),
            &mut scratch,
        )
    });
}

/// Pieces after a beginning, up to 8 KB.
fn fill(beginning: &str, piece: impl Fn(usize) -> String) -> String {
    let mut text = beginning.to_owned();
    for piece in (0..).map(piece) {
        if text.len() + piece.len() > TEXT_BYTES {
            break;
        }
        text.push_str(&piece);
    }
    text
}

fn letter(number: usize) -> char {
    char::from(b'a' + u8::try_from(number % 26).unwrap_or(0))
}

/// A fixed pseudo-random word of 5 to 13 letters.
fn word(number: usize) -> String {
    let seed = noise(number);
    (0..5 + seed % 9)
        .map(|place| letter(noise(seed + place)))
        .collect()
}
