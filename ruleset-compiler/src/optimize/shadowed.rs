//! Rules that are never reached stay in the bundle, for `explain` and for counters that show that
//! they were never hit; they are only not looked for.

use sallyport_ruleset::bundle::Unreachable;
use sallyport_ruleset::{Phase, RuleIndex};

use crate::cover::Covers;

/// The rules that can be left out of the search.
pub(super) fn unreachable(covers: &Covers) -> Unreachable {
    let mut unreachable = Unreachable::default();
    for (phase, covers) in Phase::ALL.into_iter().zip(covers) {
        for cover in covers.iter().filter(|cover| cover.unreachable) {
            // A ruleset with more rules is refused later on.
            if let Ok(rule) = u32::try_from(cover.rule) {
                unreachable.insert(phase, RuleIndex(rule));
            }
        }
    }
    unreachable
}
