//! One pure path of the proxy, so many times over: what `benches/instructions --check` counts the
//! instructions of.
//!
//! `hot_paths PATH COUNT`; without arguments it prints the names of the paths. Everything is the same in
//! every run: fixed input, fixed seeds, no thread. What a run costs beside the path itself is the same
//! for every count, so that two runs tell what one time costs.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "names, and what is wrong with the arguments"
)]

mod dns;
mod http1;
mod http2;
mod rules;

use std::process::ExitCode;

/// What is done once for each number.
type Step = Box<dyn FnMut(usize)>;

/// Makes ready for it.
type Prepare = fn() -> Step;

/// All paths by their names.
const PATHS: &[(&str, Prepare)] = &[
    ("request-head", http1::request_head),
    ("request-target", http1::request_target),
    ("request-forwarded", http1::request_forwarded),
    ("response-head", http1::response_head),
    ("response-forwarded", http1::response_forwarded),
    ("http2-request", http2::request),
    ("three-phases-1000-rules", rules::three_phases),
    ("early-phase-1000-rules", rules::early_phase),
    ("dns-lookup", dns::lookup),
    ("dns-lookup-cached", dns::cached_lookup),
];

/// Times before those that count: tables are full then, and what is allocated once is there.
const WARM_UP: usize = 100;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, count] = arguments.as_slice() else {
        for (name, _) in PATHS {
            println!("{name}");
        }
        return ExitCode::SUCCESS;
    };
    let path = PATHS.iter().find(|(known, _)| known == name);
    let (Some((_, prepare)), Ok(count)) = (path, count.parse::<usize>()) else {
        eprintln!("expected the name of a path and a number");
        return ExitCode::FAILURE;
    };
    let mut step = prepare();
    for number in 0..WARM_UP + count {
        step(number);
    }
    ExitCode::SUCCESS
}
