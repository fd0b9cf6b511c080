//! A transaction judged by a thousand mixed rules.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a measurement of its own input"
)]

use std::hint::black_box;

use sallyport_benches::policy::{Request, mixed_rules};
use sallyport_ruleset::bundle::write;
use sallyport_ruleset::{BuildRecord, Bundle, Phase, evaluate};

use crate::Step;

const RULES: usize = 1_000;
/// Requests that take turns.
const REQUESTS: usize = 64;

fn policy() -> (Bundle, Vec<Request>) {
    let bytes = write(&mixed_rules(RULES), &BuildRecord::default());
    let bundle = Bundle::load(bytes.expect("the rules are valid")).expect("it was just written");
    let requests = (0..REQUESTS).map(|number| Request::new(number, RULES));
    (bundle, requests.collect())
}

/// All three phases.
pub(crate) fn three_phases() -> Step {
    let (bundle, requests) = policy();
    let mut scratch = bundle.scratch();
    Box::new(move |number| {
        let facts = requests[number % REQUESTS].facts();
        for phase in Phase::ALL {
            black_box(evaluate(&bundle, phase, black_box(&facts), &mut scratch));
        }
    })
}

/// PreREQUEST before the head of the request is known.
pub(crate) fn early_phase() -> Step {
    let (bundle, requests) = policy();
    let mut scratch = bundle.scratch();
    Box::new(move |number| {
        let facts = requests[number % REQUESTS].early_facts();
        let verdict = evaluate(&bundle, Phase::PreRequest, black_box(&facts), &mut scratch);
        black_box(verdict);
    })
}
