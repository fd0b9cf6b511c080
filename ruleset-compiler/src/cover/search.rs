//! Rules that can never decide or alert, because earlier rules take all that they could match.
//!
//! A rule is covered when nothing is left of its conditions after each earlier deciding rule is taken
//! away. Taking a rule away leaves one part for each of its conditions that does not follow anyway:
//! where that condition fails. Each part must then be covered by the rules that are left. The search
//! is bounded per rule and over a phase; a rule that it gives up on counts as reachable. Most rules
//! are done with before: no earlier one matches a certain request that they match (`witness.rs`).

use std::collections::HashMap;

use foldhash::fast::FixedState;
use sallyport_ruleset::{Action, Condition, Field, FieldType, Phase, Rule, Ruleset, Test};

use super::region::{Assumption, Oracle};
use super::witness::Witness;
use crate::limits::{COVERING_CANDIDATES_MAX, COVERING_PHASE_STEPS_MAX, COVERING_STEPS_MAX};

/// Values of a condition up to which the rule is found by each of them.
const ANCHOR_VALUES_MAX: usize = 64;
/// Conditions of an earlier rule that may be left open: more never help in practice.
const OPEN_CONDITIONS_MAX: usize = 3;
/// Rules that are named together up to which it is tried to do without each.
const NAMED_RULES_MAX: usize = 16;

/// Why a rule is not needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cover {
    /// Its position in the order of evaluation of the phase.
    pub rule: usize,
    /// Positions of the earlier rules that take all it could match, ascending; none when its own
    /// conditions contradict each other.
    pub by: Vec<usize>,
    /// The one rule of `by` has the same conditions.
    pub repeated: bool,
    /// The rule is never reached. Otherwise it alerts where an earlier rule has alerted already.
    pub unreachable: bool,
}

/// What was found in each phase, by [`Phase::index`].
pub type Covers = [Vec<Cover>; 3];

/// What the search has come to.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The covered rules.
    pub covers: Covers,
    /// Rules that the search gave up on; they count as reachable.
    pub undecided_count: usize,
}

/// Looks for covered rules in all phases.
#[must_use]
pub fn find(ruleset: &Ruleset) -> Found {
    let mut undecided_count = 0;
    let covers = Phase::ALL.map(|phase| {
        let rules: Vec<&Rule> = ruleset.rules(phase).map(|(_, rule)| rule).collect();
        let mut search = Search::new(&rules);
        let mut covers = Vec::new();
        for at in 0..rules.len() {
            covers.extend(search.cover(at));
            search.add(at);
        }
        undecided_count += search.undecided_count;
        covers
    });
    Found {
        covers,
        undecided_count,
    }
}

/// Earlier rules, found by what they ask for.
struct Search<'a, 'r> {
    rules: &'a [&'r Rule],
    /// All rules by their conditions: positions of the first deciding and the first alerting one.
    same: HashMap<Vec<&'r Condition>, [Option<usize>; 2], FixedState>,
    /// Deciding rules by each value of a condition with few values.
    anchored: HashMap<(&'r Field, &'r str), Vec<usize>, FixedState>,
    /// The other deciding rules, by their fields.
    others: HashMap<Vec<&'r Field>, Vec<usize>, FixedState>,
    oracle: Oracle<'r>,
    steps_left: usize,
    /// Of the whole phase.
    phase_steps_left: usize,
    undecided_count: usize,
}

impl<'a, 'r> Search<'a, 'r> {
    fn new(rules: &'a [&'r Rule]) -> Self {
        Self {
            rules,
            same: HashMap::default(),
            anchored: HashMap::default(),
            others: HashMap::default(),
            oracle: Oracle::default(),
            steps_left: 0,
            phase_steps_left: COVERING_PHASE_STEPS_MAX,
            undecided_count: 0,
        }
    }

    fn rule(&self, at: usize) -> Option<&'r Rule> {
        self.rules.get(at).copied()
    }

    fn cover(&mut self, at: usize) -> Option<Cover> {
        let rule = self.rule(at)?;
        let found = |by: Vec<usize>, repeated, unreachable| {
            Some(Cover {
                rule: at,
                by,
                repeated,
                unreachable,
            })
        };
        let mut assumptions = Vec::with_capacity(rule.conditions.len());
        for condition in &rule.conditions {
            if self
                .oracle
                .contradicts(&assumptions, Assumption::of(condition))
            {
                return found(Vec::new(), false, true);
            }
            assumptions.push(Assumption::of(condition));
        }
        if let Some([deciding, alerting]) = self.same.get(&conditions_of(rule)) {
            match (deciding, alerting, rule.action) {
                (Some(by), _, _) => return found(vec![*by], true, true),
                (None, Some(by), Action::Alert) => return found(vec![*by], true, false),
                _ => {}
            }
        }
        let candidates = self.candidates(rule);
        let witness = Witness::of(rule, &mut self.oracle);
        let matching = candidates.iter().copied().filter(|by| {
            let earlier = self.rules.get(*by);
            earlier.is_some_and(|earlier| witness.may_match(earlier, &mut self.oracle))
        });
        let matching: Vec<usize> = matching.collect();
        if matching.is_empty() {
            return None;
        }
        if self.oracle.is_exhausted() {
            self.undecided_count += 1;
            return None;
        }
        let alone = matching.into_iter().find(|by| {
            let earlier = self.rules.get(*by);
            earlier.is_some_and(|earlier| {
                let mut conditions = earlier.conditions.iter();
                conditions.all(|condition| self.oracle.follows(&assumptions, condition))
            })
        });
        if let Some(by) = alone {
            return found(vec![by], false, true);
        }
        let mut used = Vec::new();
        if !self.is_covered_within_budget(&mut assumptions, &candidates, &mut used) {
            self.undecided_count += usize::from(self.steps_left == 0);
            return None;
        }
        found(self.needed(&mut assumptions, used), false, true)
    }

    fn is_covered_within_budget(
        &mut self,
        assumptions: &mut Vec<Assumption<'r>>,
        candidates: &[usize],
        used: &mut Vec<usize>,
    ) -> bool {
        let budget = COVERING_STEPS_MAX.min(self.phase_steps_left);
        self.steps_left = budget;
        let is_covered = self.is_covered(assumptions, candidates, used);
        self.phase_steps_left -= budget - self.steps_left;
        is_covered
    }

    /// Whether the candidates take all of where the assumptions hold; `used` are those that do.
    fn is_covered(
        &mut self,
        assumptions: &mut Vec<Assumption<'r>>,
        candidates: &[usize],
        used: &mut Vec<usize>,
    ) -> bool {
        for (position, at) in candidates.iter().enumerate() {
            let Some(left) = self.steps_left.checked_sub(1) else {
                return false;
            };
            self.steps_left = left;
            let Some(open) = self.open_conditions(assumptions, *at) else {
                continue;
            };
            let rest = candidates.get(position + 1..).unwrap_or_default();
            for condition in open {
                assumptions.push(Assumption::of(condition).turned());
                let is_covered = self.is_covered(assumptions, rest, used);
                assumptions.pop();
                if !is_covered {
                    // What is left without this rule is more, and so is not covered either.
                    return false;
                }
            }
            used.push(*at);
            return true;
        }
        false
    }

    /// The conditions of a rule that do not follow from the assumptions; `None` when the rule cannot
    /// match where they hold, or leaves too many open.
    fn open_conditions(
        &mut self,
        assumptions: &[Assumption<'r>],
        at: usize,
    ) -> Option<Vec<&'r Condition>> {
        let rule = self.rule(at)?;
        let mut open = Vec::new();
        for condition in &rule.conditions {
            if self
                .oracle
                .contradicts(assumptions, Assumption::of(condition))
            {
                return None;
            }
            if !self.oracle.follows(assumptions, condition) {
                open.push(condition);
            }
        }
        (open.len() <= OPEN_CONDITIONS_MAX).then_some(open)
    }

    /// Those of the used rules that it does not go without.
    fn needed(
        &mut self,
        assumptions: &mut Vec<Assumption<'r>>,
        mut used: Vec<usize>,
    ) -> Vec<usize> {
        used.sort_unstable();
        used.dedup();
        if used.len() > NAMED_RULES_MAX {
            return used;
        }
        for at in used.clone() {
            let without: Vec<usize> = used.iter().copied().filter(|one| *one != at).collect();
            if self.is_covered_within_budget(assumptions, &without, &mut Vec::new()) {
                used = without;
            }
        }
        used
    }

    /// Earlier deciding rules that may match where the rule does, ascending.
    fn candidates(&self, rule: &'r Rule) -> Vec<usize> {
        let fields = fields_of(rule);
        let mut found: Vec<usize> = Vec::new();
        for (own, others) in &self.others {
            if own.iter().filter(|field| !fields.contains(field)).count() <= 1 {
                found.extend(others.iter().take(COVERING_CANDIDATES_MAX));
            }
        }
        for condition in rule.conditions.iter().filter(|c| !c.negated) {
            let Some(values) = anchor_values(&condition.test) else {
                continue;
            };
            // Whatever covers a long list alone must cover its first value too.
            let count = match values.len() {
                0..=ANCHOR_VALUES_MAX => values.len(),
                _ => 1,
            };
            for value in values.iter().take(count) {
                let value = value.strip_prefix("*.").unwrap_or(value);
                for name in names_above(&condition.field, value) {
                    let known = self.anchored.get(&(&condition.field, name));
                    let known = known.into_iter().flatten();
                    found.extend(known.take(COVERING_CANDIDATES_MAX));
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found.truncate(COVERING_CANDIDATES_MAX);
        found
    }

    fn add(&mut self, at: usize) {
        let Some(rule) = self.rule(at) else { return };
        let [deciding, alerting] = self.same.entry(conditions_of(rule)).or_default();
        if rule.action == Action::Alert {
            alerting.get_or_insert(at);
            return;
        }
        deciding.get_or_insert(at);
        let anchor = rule.conditions.iter().find_map(|condition| {
            let values = anchor_values(&condition.test)?;
            (!condition.negated && values.len() <= ANCHOR_VALUES_MAX)
                .then_some((&condition.field, values))
        });
        let Some((field, values)) = anchor else {
            self.others.entry(fields_of(rule)).or_default().push(at);
            return;
        };
        for value in values.iter() {
            let value = value.strip_prefix("*.").unwrap_or(value);
            self.anchored.entry((field, value)).or_default().push(at);
        }
    }
}

/// Values by which a rule can be found: those of which an equal one, or one above it, is needed.
fn anchor_values(test: &Test) -> Option<&sallyport_ruleset::ValueList> {
    let is_parent = |value: &str| {
        value
            .strip_prefix("*.")
            .is_some_and(|v| !v.contains(['*', '?']))
    };
    match test {
        Test::Exact {
            values,
            ignore_case: false,
        }
        | Test::Domain(values) => Some(values),
        Test::Glob(values) if values.iter().all(is_parent) => Some(values),
        _ => None,
    }
}

/// A value, and if it is a name the names above it.
fn names_above<'v>(field: &Field, value: &'v str) -> impl Iterator<Item = &'v str> {
    let is_domain = field.field_type() == FieldType::Domain;
    std::iter::successors(Some(value), move |name| {
        name.split_once('.')
            .filter(|_| is_domain)
            .map(|(_, above)| above)
    })
}

fn fields_of(rule: &Rule) -> Vec<&Field> {
    let mut fields: Vec<&Field> = rule
        .conditions
        .iter()
        .map(|condition| &condition.field)
        .collect();
    fields.sort();
    fields.dedup();
    fields
}

/// The conditions in an order that does not depend on how they were written.
fn conditions_of(rule: &Rule) -> Vec<&Condition> {
    use std::hash::BuildHasher;
    let mut conditions: Vec<&Condition> = rule.conditions.iter().collect();
    conditions.sort_by_cached_key(|condition| FixedState::default().hash_one(condition));
    conditions
}
