//! Conditions in the order of what they cost: a rule is dropped at the first that fails.

use sallyport_ruleset::{Condition, Phase, Ruleset, Source, Test};

/// Sorts the conditions of each rule; those of equal cost stay as they were written.
pub(super) fn run(ruleset: &mut Ruleset) {
    for group in &mut ruleset.groups {
        for phase in Phase::ALL {
            for rule in group.rules_mut(phase) {
                rule.conditions.sort_by_key(cost);
            }
        }
    }
}

/// What asking costs once the rule is looked at: the class counts, not the unit.
fn cost(condition: &Condition) -> u32 {
    let test = match &condition.test {
        Test::Every(test) => test,
        test => test,
    };
    let by_test = match test {
        Test::Absent(_) | Test::Number(_) | Test::Time(_) => 0,
        Test::Ip(_) | Test::Exact { .. } | Test::Domain(_) => 1,
        Test::TimeOfDay(_) => 2,
        Test::Glob(_) => 3,
        Test::Regex(_) | Test::Every(_) => 4,
    };
    // All header fields are walked to find one.
    let by_source = match condition.field.source() {
        Source::SourceLabels | Source::RequestHeaders | Source::ResponseHeaders => 2,
        _ => 0,
    };
    by_test + by_source
}
