//! Groups the regular expressions of a view into families, each one automaton (`matcher/family`).
//!
//! In the order of their text, so that those that begin alike are together, as many at a time as a
//! budget allows: more after a group that fits, until one does not, half after that. What fits in no
//! group stays alone: expressions that have little in common make more states together than each for
//! itself. An expression that is in a family has no automaton of its own in the file.

use super::builder::Builder;
use super::error::WriteError;
use super::record::*;
use super::tables::{Overflow, number};
use crate::invariant::{Invariant, at};
use crate::limits::{AUTOMATA_BYTES_MAX, REGEX_BUILD_BYTES_MAX, REGEX_STATES_MAX};
use crate::matcher::family::{self, Budget};
use crate::matcher::regex;

/// Fewer expressions of a view are tried one by one: a text is read so many times at most.
const EXPRESSIONS_MIN: usize = 16;
/// The smallest family, and the first size that is tried.
const MEMBERS_MIN: usize = 8;
const MEMBERS_FIRST: usize = 64;
/// How many times as many are tried after a group that fits.
const GROWTH: usize = 4;
/// Bytes of expressions, without what each shares with the one before: about a state each.
const BYTES_MAX: usize = REGEX_STATES_MAX / 2;
/// A family has at most one state for so many of its members alone, and some more.
const STATES_DIVISOR: usize = 2;
const STATES_MIN: usize = 64;
/// Of so many bytes of a group one stands at the same place in the expression before, at the least.
const SHARED_DIVISOR: usize = 4;
/// Memory for each state of its members alone that building a family may take, some more, and the most.
const BUILD_BYTES_FACTOR: usize = 320;
const BUILD_BYTES_MIN: usize = 64 * 1024;
const BUILD_BYTES_MAX: usize = 4 * REGEX_BUILD_BYTES_MAX;
/// States of the members of groups that may not fit, besides as many as all expressions have alone: then the
/// rest stays alone.
const WASTE_MIN: usize = 8_192;
/// Most expressions that are passed over after one more small group that does not fit.
const SKIPPED_MAX: usize = 64;
/// Predicates of all reports, for each predicate of a member: a pass reads each report once at most.
const REPORTED_FACTOR: usize = 16;

/// Some patterns of a view in one.
pub(super) struct Family {
    pub(super) record: PatternRecord,
    /// Their positions in the view.
    pub(super) members: Vec<usize>,
}

#[derive(Clone, Copy)]
struct Member<'r> {
    position: usize,
    value: &'r str,
    automaton: u32,
    states: usize,
    /// List of those that hold when it matches.
    predicates: u32,
}

impl<'r> Builder<'r> {
    /// The families of the patterns of a view, by the list of predicates of each.
    pub(super) fn families(
        &mut self,
        patterns: &[Pattern],
        predicates: &[u32],
    ) -> Result<Vec<Family>, WriteError> {
        let members = self.members(patterns, predicates);
        let mut families = Vec::new();
        if members.len() < EXPRESSIONS_MIN {
            return Ok(families);
        }
        let mut waste = states(&members) + WASTE_MIN;
        let (mut size, mut growth, mut skipped) = (MEMBERS_FIRST, GROWTH, MEMBERS_MIN);
        let mut rest = members.as_slice();
        while rest.len() >= MEMBERS_MIN {
            // If it does not fit, halves of it can still be tried.
            let (group, behind) = rest.split_at(beginning(rest, size, waste / 2));
            if begin_alike(group) {
                if let Some(record) = self.family(group)? {
                    let members = group.iter().map(|member| member.position).collect();
                    families.push(Family { record, members });
                    (size, skipped) = (group.len() * growth, MEMBERS_MIN);
                    rest = behind;
                    continue;
                }
                let Some(left) = waste.checked_sub(states(group)) else {
                    break;
                };
                waste = left;
            }
            // The next ones are probably of the same kind.
            (size, growth) = (group.len() / 2, 1);
            if size < MEMBERS_MIN {
                rest = rest.get(skipped..).unwrap_or_default();
                (size, growth) = (MEMBERS_MIN, GROWTH);
                skipped = SKIPPED_MAX.min(skipped * 2);
            }
        }
        Ok(families)
    }

    /// The regular expressions, in the order of their text.
    fn members(&self, patterns: &[Pattern], predicates: &[u32]) -> Vec<Member<'r>> {
        let numbered = patterns.iter().zip(predicates).enumerate();
        let members = numbered.filter_map(|(position, (pattern, predicates))| {
            let Pattern::Regex(automaton) = *pattern else {
                return None;
            };
            let record = at(&self.index.automata, automaton);
            Some(Member {
                position,
                // One that was made of several values has none of its own.
                value: self.automata_values.get(&automaton).copied()?,
                automaton,
                states: record.states as usize,
                predicates: *predicates,
            })
        });
        let mut members: Vec<Member<'r>> = members.collect();
        members.sort_unstable_by_key(|member| member.value);
        members
    }

    /// All of a group in one automaton, unless that is over the budget.
    fn family(&mut self, group: &[Member<'_>]) -> Result<Option<PatternRecord>, WriteError> {
        let key: Vec<(u32, u32)> = group
            .iter()
            .map(|member| (member.automaton, member.predicates))
            .collect();
        if let Some(known) = self.known_families.get(&key) {
            return Ok(*known);
        }
        let record = self.new_family(group)?;
        self.known_families.insert(key, record);
        Ok(record)
    }

    fn new_family(&mut self, group: &[Member<'_>]) -> Result<Option<PatternRecord>, WriteError> {
        let expressions = group.iter().map(|member| regex::parse(member.value).ok());
        let Some(expressions) = expressions.collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        let Some(compiled) = family::compile(&expressions, budget(group)) else {
            return Ok(None);
        };
        let bytes = self.automata.len() + self.family_automata.len() + compiled.bytes.len();
        let predicates = |member: &Member<'_>| self.lists.get(member.predicates).len();
        let reported = compiled.reports.iter().flatten();
        let reported = reported.map(|member| at(group, *member));
        let reported: usize = reported.map(predicates).sum();
        let own: usize = group.iter().map(predicates).sum();
        if bytes > AUTOMATA_BYTES_MAX || reported > own * REPORTED_FACTOR {
            return Ok(None);
        }
        let record = PatternRecord {
            pattern: Pattern::Family(number(self.index.families.len())?),
            predicates: self.union(group.iter())?,
        };
        let start = number(self.index.reports.len())?;
        for report in &compiled.reports {
            let members = report.iter().map(|member| at(group, *member));
            let list = self.union(members)?;
            self.index.reports.push(list);
        }
        self.index.families.push(FamilyRecord {
            offset: number(self.family_automata.len())?,
            states: number(compiled.shape.states)?,
            classes: number(compiled.shape.classes)?,
            telling: number(compiled.shape.telling)?,
            reports: Span {
                start,
                len: number(compiled.reports.len())?,
            },
        });
        self.family_automata.extend_from_slice(&compiled.bytes);
        Ok(Some(record))
    }

    /// The list of the predicates of any of some members.
    fn union<'m>(
        &mut self,
        members: impl Iterator<Item = &'m Member<'m>>,
    ) -> Result<u32, Overflow> {
        let lists = members.map(|member| self.lists.get(member.predicates));
        let mut predicates: Vec<u32> = lists.flatten().copied().collect();
        predicates.sort_unstable();
        predicates.dedup();
        self.lists.intern(&predicates)
    }

    /// Puts the automata of families behind those of expressions alone, of which only those stay that
    /// are asked for.
    pub(super) fn finish_automata(&mut self) -> Result<(), WriteError> {
        let index = &mut self.index;
        let patterns = index.patterns.iter_mut().map(|record| &mut record.pattern);
        let residuals = index.residuals.iter_mut();
        let residuals = residuals.filter_map(|residual| match residual {
            ResidualRecord::Short(pattern) | ResidualRecord::Full(pattern) => Some(pattern),
            ResidualRecord::Schedule(_) => None,
        });
        let mut asked: Vec<&mut u32> = patterns
            .chain(residuals)
            .filter_map(|pattern| match pattern {
                Pattern::Regex(automaton) => Some(automaton),
                Pattern::Glob(_) | Pattern::Family(_) => None,
            })
            .collect();
        // In their old order.
        asked.sort_unstable();
        let mut records: Vec<AutomataRecord> = Vec::new();
        let mut bytes: Vec<u8> = Vec::new();
        for same in asked.chunk_by_mut(|a, b| a == b) {
            let old = **same.first().or_broken("an automaton");
            let record = at(&index.automata, old);
            let new = number(records.len())?;
            same.iter_mut().for_each(|number| **number = new);
            records.push(AutomataRecord {
                offset: number(bytes.len())?,
                ..*record
            });
            let end = index.automata.get(old as usize + 1);
            let end = end.map_or(self.automata.len(), |next| next.offset as usize);
            let own = self.automata.get(record.offset as usize..end);
            bytes.extend_from_slice(own.or_broken("the bytes of an automaton"));
        }
        let end = number(bytes.len())?;
        for family in &mut index.families {
            family.offset += end;
        }
        bytes.append(&mut self.family_automata);
        number(bytes.len())?;
        index.automata = records;
        self.automata = bytes;
        Ok(())
    }
}

/// Whether a group can fit at all. States are saved where expressions begin alike: what has less in
/// common does not make half of the states, and need not be built to be known for it.
fn begin_alike(group: &[Member<'_>]) -> bool {
    let bytes: usize = group.iter().map(|member| member.value.len()).sum();
    let pairs = group.iter().zip(group.iter().skip(1));
    let shared: usize = pairs
        .map(|(one, next)| shared_bytes(one.value.as_bytes(), next.value.as_bytes()))
        .sum();
    shared * SHARED_DIVISOR >= bytes
}

/// How many bytes at the beginning are the same.
fn shared_bytes(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

/// How many of the first members to try together.
fn beginning(members: &[Member<'_>], size: usize, mut states: usize) -> usize {
    let mut before: &[u8] = &[];
    let mut left = BYTES_MAX;
    let fitting = members.iter().take(size).take_while(|member| {
        let value = member.value.as_bytes();
        let shared = shared_bytes(before, value);
        before = value;
        let more = left.checked_sub(value.len() - shared);
        let more = more.zip(states.checked_sub(member.states));
        (left, states) = more.unwrap_or_default();
        more.is_some()
    });
    fitting.count().max(MEMBERS_MIN).min(members.len())
}

fn budget(group: &[Member<'_>]) -> Budget {
    let states = states(group);
    Budget {
        states_max: REGEX_STATES_MAX.min(states / STATES_DIVISOR + STATES_MIN),
        build_bytes_max: BUILD_BYTES_MAX.min(states * BUILD_BYTES_FACTOR + BUILD_BYTES_MIN),
    }
}

/// The states of the automata of members alone.
fn states(members: &[Member<'_>]) -> usize {
    members.iter().map(|member| member.states).sum()
}

#[cfg(test)]
mod tests {
    use crate::bundle::{Sizes, write};
    use crate::{BuildRecord, Bundle, Condition, Field, Test, generate};

    fn sizes(expressions: impl Iterator<Item = String>) -> Sizes {
        let values: Vec<String> = expressions.collect();
        let ruleset = generate::single_rule(vec![Condition {
            field: Field::HttpUri,
            negated: false,
            test: Test::Regex(values.iter().collect()),
        }]);
        let bytes = write(&ruleset, &BuildRecord::default()).unwrap();
        Bundle::load(bytes).unwrap().sizes()
    }

    /// (families, expressions alone, patterns)
    fn counted(expressions: impl Iterator<Item = String>) -> (usize, usize, usize) {
        let sizes = sizes(expressions);
        (
            sizes.families_count,
            sizes.automata_count,
            sizes.patterns_count,
        )
    }

    #[test]
    fn what_begins_alike_is_together() {
        let alike = |n: usize| format!("/shop/[a-z]+/x{n:03}$");
        assert_eq!(counted((0..64).map(alike)), (1, 0, 1));
        assert_eq!(counted((0..16).map(alike)), (1, 0, 1));
        assert_eq!(counted((0..15).map(alike)), (0, 15, 15));
        let many = sizes((0..1_000).map(alike));
        assert!((2..8).contains(&many.families_count), "{many:?}");
        assert_eq!(many.automata_count, 0);
        assert!(many.automata_states_count < 4_000, "{many:?}");
    }

    /// In whatever company.
    #[test]
    fn what_explodes_stays_alone() {
        let apart = |n: usize| format!("/{n:x}a/.*b{n:x}c");
        assert_eq!(counted((0..40).map(apart)), (0, 40, 40));
        let alike = (0..64).map(|n| format!("/shop/[a-z]+/x{n:03}"));
        let (families, alone, _) = counted((0..20).map(apart).chain(alike));
        assert!(
            families > 0 && (20..40).contains(&alone),
            "{families}, {alone}"
        );
    }
}
