//! What a request can cost at worst, by the certificate of the bundle: said when it is much, refused when
//! it is more than was asked for. A request's rules are evaluated on the thread that serves others too.

use sallyport_ruleset::Phase;

use crate::diagnostic::{Code, Diagnostic};
use crate::emit::Worst;
use crate::source::Span;

/// More steps than that are warned of: some 50 ms of a thread for one request that is made to be costly.
pub const STEPS_WARNED: u64 = 10_000_000;
/// A step through an automaton, measured with tables larger than a core's own caches.
const NANOSECONDS_PER_STEP: u64 = 5;

/// Judges a phase; `costliest` is where its costliest rule stands.
#[must_use]
pub fn judge(
    phase: Phase,
    worst: &Worst,
    steps_max: Option<u64>,
    costliest: Span,
) -> Option<Diagnostic> {
    let (code, bound) = match steps_max {
        Some(most) if worst.steps > most => (Code::OverBudget, most),
        // Who gave a budget has said what is much.
        Some(_) => return None,
        None if worst.steps > STEPS_WARNED => (Code::CostlyPatterns, STEPS_WARNED),
        None => return None,
    };
    let milliseconds = worst.steps.saturating_mul(NANOSECONDS_PER_STEP) / 1_000_000;
    let message = format!(
        "one request can take {} steps through the patterns of {phase}, about {milliseconds} ms",
        worst.steps
    );
    let per_byte = worst.costliest.map_or(0, |rule| rule.steps_per_byte);
    Some(
        Diagnostic::new(code, costliest, message)
            .expected(format!("at most {bound} steps"))
            .help(format!(
                "this rule's patterns take up to {per_byte} steps for each byte: patterns of which a text can hold the literals are tried one by one, unless they are regular expressions that begin alike. Exact values and `DomainMatch` cost nothing like it"
            )),
    )
}
