//! Rules that can never be reached because an earlier rule takes all they could match, and rules
//! that say what an earlier rule says. Warnings only.
//!
//! What is reported is proven: each condition of the earlier rule follows from a condition of the
//! later one. What is not reported may still be shadowed, for instance by several rules together.

use std::collections::{HashMap, HashSet};

use foldhash::fast::FixedState;
use sallyport_ruleset::{Action, Condition, Field, Phase, Rule, Ruleset, Test, ValueList};

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::limits::{COVERING_CANDIDATES_MAX, COVERING_LOOKUPS_MAX};
use crate::source::Span;

/// Fields of a rule beyond which it is only compared with rules of equal conditions: the search
/// walks the subsets of its fields.
const COMPARED_FIELDS_MAX: usize = 6;
/// Pairs of networks that are compared for one pair of conditions.
const NETWORK_PAIRS_MAX: usize = 10_000;
/// Values from which on a list is searched through a hash table.
const HASHED_VALUES_MIN: usize = 16;

/// Warns of shadowed and repeated rules of one phase. `names` are the places of the rules' names,
/// in the order of evaluation.
pub fn warn(ruleset: &Ruleset, phase: Phase, names: &[Span], diagnostics: &mut Diagnostics) {
    let rules: Vec<_> = ruleset.rules(phase).collect();
    let title = |at: usize| {
        rules.get(at).map_or_else(String::new, |(group, rule)| {
            format!("{}/{}", group.name, rule.name)
        })
    };
    let mut search = Search::default();
    for (at, (_, rule)) in rules.iter().enumerate() {
        let found = search.covering(rule);
        search.add(rule, at);
        let Some(Covering { by, repeated }) = found else {
            continue;
        };
        let (Some(span), Some(other)) = (names.get(at), names.get(by)) else {
            continue;
        };
        let ends = rules
            .get(by)
            .is_some_and(|(_, rule)| rule.action != Action::Alert);
        let what = match (repeated, ends) {
            (true, true) => "has the conditions of",
            (true, false) => "alerts just like",
            (false, _) => "matches only what is decided by",
        };
        let code = if repeated {
            Code::DuplicateRule
        } else {
            Code::UnreachableRule
        };
        let never = if ends { ": it is never reached" } else { "" };
        let message = format!("the rule `{}` {what} `{}`{never}", title(at), title(by));
        diagnostics.report(
            Diagnostic::new(code, *span, message)
                .related(*other, format!("`{}` comes first,", title(by)))
                .help(if repeated {
                    "remove one of them"
                } else {
                    "move it before the other, or remove it"
                }),
        );
    }
}

/// The earlier rule that takes all.
struct Covering {
    by: usize,
    /// The conditions are the same.
    repeated: bool,
}

/// Earlier rules, found by the fields they ask for.
#[derive(Default)]
struct Search<'r> {
    /// Rules that end the phase, by their set of fields.
    deciding: HashMap<Vec<&'r Field>, Vec<(usize, &'r Rule)>, FixedState>,
    /// All rules by their conditions: positions of the first deciding and the first alerting one.
    same: HashMap<Vec<&'r Condition>, [Option<usize>; 2], FixedState>,
    sets: Sets<'r>,
}

impl<'r> Search<'r> {
    fn covering(&mut self, rule: &'r Rule) -> Option<Covering> {
        if let Some([deciding, alerting]) = self.same.get(&conditions_of(rule)) {
            let by = match rule.action {
                Action::Alert => deciding.or(*alerting),
                Action::Allow | Action::Deny => *deciding,
            };
            if let Some(by) = by {
                return Some(Covering { by, repeated: true });
            }
        }
        let fields = fields_of(rule);
        if fields.len() > COMPARED_FIELDS_MAX {
            return None;
        }
        let mut found: Option<usize> = None;
        for subset in 0..1u32 << fields.len() {
            let wanted: Vec<&Field> = fields
                .iter()
                .enumerate()
                .filter(|(bit, _)| subset >> bit & 1 == 1)
                .map(|(_, field)| *field)
                .collect();
            let candidates = self.deciding.get(&wanted).map_or(&[][..], Vec::as_slice);
            let sets = &mut self.sets;
            let covers = |(_, earlier): &&(usize, &'r Rule)| {
                earlier
                    .conditions
                    .iter()
                    .all(|c| rule.conditions.iter().any(|own| implies(own, c, sets)))
            };
            let first = candidates.iter().take(COVERING_CANDIDATES_MAX).find(covers);
            found = found.into_iter().chain(first.map(|(at, _)| *at)).min();
        }
        found.map(|by| Covering {
            by,
            repeated: false,
        })
    }

    fn add(&mut self, rule: &'r Rule, at: usize) {
        let [deciding, alerting] = self.same.entry(conditions_of(rule)).or_default();
        match rule.action {
            Action::Alert => alerting.get_or_insert(at),
            Action::Allow | Action::Deny => deciding.get_or_insert(at),
        };
        if rule.action != Action::Alert {
            self.deciding
                .entry(fields_of(rule))
                .or_default()
                .push((at, rule));
        }
    }
}

/// Hash tables of long lists, made when first needed.
#[derive(Default)]
struct Sets<'r> {
    tables: HashMap<&'r ValueList, HashSet<&'r str, FixedState>, FixedState>,
    lookups_count: usize,
}

impl<'r> Sets<'r> {
    /// No, once too much has been asked.
    fn contains(&mut self, values: &'r ValueList, value: &str) -> bool {
        self.lookups_count += 1;
        if self.lookups_count > COVERING_LOOKUPS_MAX {
            return false;
        }
        if values.len() < HASHED_VALUES_MIN {
            return values.iter().any(|one| one == value);
        }
        self.tables
            .entry(values)
            .or_insert_with(|| values.iter().collect())
            .contains(value)
    }
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

/// Whether `wide` holds wherever `narrow` does. No is always a safe answer.
fn implies<'r>(narrow: &'r Condition, wide: &'r Condition, sets: &mut Sets<'r>) -> bool {
    if narrow.field != wide.field {
        return false;
    }
    if narrow == wide {
        return true;
    }
    match (narrow.negated, wide.negated) {
        (false, false) => lies_in(&narrow.test, &wide.test, sets),
        // Holds unless one of `narrow`'s values fits: then none of `wide`'s fewer values does.
        (true, true) => {
            !matches!(narrow.test, Test::Absent(_)) && lies_in(&wide.test, &narrow.test, sets)
        }
        _ => false,
    }
}

fn lies_in<'r>(narrow: &'r Test, wide: &'r Test, sets: &mut Sets<'r>) -> bool {
    match (narrow, wide) {
        (
            Test::Exact {
                values: narrow,
                ignore_case: false,
            },
            Test::Exact {
                values: wide,
                ignore_case: false,
            },
        )
        | (Test::Glob(narrow), Test::Glob(wide))
        | (Test::Regex(narrow), Test::Regex(wide)) => {
            narrow.iter().all(|value| sets.contains(wide, value))
        }
        (
            Test::Domain(narrow)
            | Test::Exact {
                values: narrow,
                ignore_case: false,
            },
            Test::Domain(wide),
        ) => narrow.iter().all(|name| {
            let mut parents =
                std::iter::successors(Some(name), |name| name.split_once('.').map(|(_, up)| up));
            parents.any(|name| sets.contains(wide, name))
        }),
        (Test::Number(narrow), Test::Number(wide)) => narrow.iter().all(|n| {
            wide.iter()
                .any(|w| w.start() <= n.start() && n.end() <= w.end())
        }),
        (Test::Ip(narrow), Test::Ip(wide)) => {
            narrow.len().saturating_mul(wide.len()) <= NETWORK_PAIRS_MAX
                && narrow.iter().all(|n| wide.iter().any(|w| w.contains(n)))
        }
        (Test::Time(narrow), Test::Time(wide)) => narrow.iter().all(|n| {
            wide.iter()
                .any(|w| w.start() <= n.start() && n.end() <= w.end())
        }),
        // A plain test never holds for an absent field.
        (Test::Absent(_) | Test::Every(_), Test::Absent(_)) => false,
        (_, Test::Absent(absent)) => !absent,
        _ => false,
    }
}
