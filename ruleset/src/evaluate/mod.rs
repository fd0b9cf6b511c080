//! The hot path: the verdict of one phase over what is known. It allocates nothing and looks only
//! at rules that may match; `reference.rs` says what the answer must be.
//!
//! 1. Sources that some rule is filed under are looked up: value → predicates that hold → rules
//!    filed under them (`index/access.rs`). These are the candidates.
//! 2. Candidates are judged in their order. Predicates of sources that were not needed so far are
//!    looked up when first asked for; those that no index answers are tested, once.
//! 3. The first candidate that holds and does not only alert decides; one that may hold stops the
//!    evaluation, since what follows rests on it.

use crate::bundle::plan::PhasePlan;
use crate::cost::{Free, Meter, Spent, record_bytes};
use crate::index::record::*;
use crate::index::rule_set::{Candidates, NumberSet};
use crate::invariant::at;
use crate::limits::VALUE_BYTES_MAX;
use crate::matcher::exact;
use crate::{Action, Bundle, Decision, Facts, Outcome, Phase, RuleIndex, Source, Verdict};

mod lookup;
mod pattern;
mod residual;
#[cfg(test)]
mod tests;
mod text;

/// Longer lists of rules are walked where they are instead of being copied.
const INSERTED_MAX: usize = 16;
/// So many lists are walked at once; further ones are copied.
const CURSORS_MAX: usize = 8;
/// First size of the buffer for content types.
const BUFFER_BYTES: usize = 1024;

/// The memory of evaluations, one per shard, made for one bundle and used again and again. It
/// grows only when a content type is longer than 1 KiB.
#[derive(Debug)]
pub struct Scratch {
    /// Predicates that hold.
    holds: NumberSet,
    /// Predicates that were tested and do not.
    refuted: NumberSet,
    /// Patterns that were tested on the text at hand.
    tested: NumberSet,
    /// Literals that were met in it, and pieces of one shape after them.
    met: NumberSet,
    /// Reports of a family that it has led to.
    reported: NumberSet,
    /// Fields of which a header was seen.
    present: NumberSet,
    candidates: Candidates,
    cursors: [Cursor; CURSORS_MAX],
    cursors_count: usize,
    alerts: Vec<RuleIndex>,
    /// A content type in its normal form.
    buffer: Vec<u8>,
    /// A value in lower case; as long as the longest that can be looked up.
    folded: Vec<u8>,
    /// An evaluation has begun and not come to its end. Where one finds it set, another was torn down by a
    /// panic and has left what it knew.
    is_in_use: bool,
}

/// A list of rules and the position of the first that was not judged.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    list: u32,
    position: usize,
}

impl Scratch {
    /// The alert rules that fired in the last evaluation, in their order; none when it was
    /// undetermined.
    #[must_use]
    pub fn alerts(&self) -> &[RuleIndex] {
        &self.alerts
    }

    /// Makes ready for an evaluation, which [`Evaluation::outcome`] ends.
    ///
    /// Each set is empty between the uses of it, but for what the last evaluation found: so to empty those few
    /// is enough. What an abandoned one leaves could hide from the next that a pattern is still to be tried.
    #[inline]
    fn begin(&mut self) {
        if std::mem::replace(&mut self.is_in_use, true) {
            self.reset();
        }
        self.holds.clear();
        self.refuted.clear();
        self.present.clear();
        self.cursors_count = 0;
        self.alerts.clear();
    }

    /// Forgets what an abandoned evaluation knew.
    #[cold]
    #[inline(never)]
    fn reset(&mut self) {
        for set in [&mut self.tested, &mut self.met, &mut self.reported] {
            set.reset();
        }
        for set in [&mut self.holds, &mut self.refuted, &mut self.present] {
            set.reset();
        }
        self.candidates.reset();
    }
}

impl Bundle {
    /// Memory for evaluations of this bundle; all of it is taken here.
    #[must_use]
    pub fn scratch(&self) -> Scratch {
        let rules = Phase::ALL
            .iter()
            .map(|phase| self.rules_count(*phase))
            .max()
            .unwrap_or(0);
        let alerts = |phase: &Phase| {
            self.rules(*phase)
                .iter()
                .filter(|rule| rule.action == Action::Alert)
                .count()
        };
        let whole = self.index.tables.iter().filter(|table| !table.by_label);
        let longest = whole.map(|table| table.bound as usize).max().unwrap_or(0);
        let needles = self
            .index
            .views
            .iter()
            .map(|view| view.needles.len as usize);
        let pieces = self.index.windows.iter();
        let pieces = pieces.map(|window| window.keys.len as usize);
        let met = needles.chain(pieces);
        let families = self.index.families.iter();
        let reports = families.map(|family| family.reports.len as usize);
        Scratch {
            holds: NumberSet::new(self.index.predicates.len()),
            refuted: NumberSet::new(self.index.predicates.len()),
            tested: NumberSet::new(self.index.patterns.len()),
            met: NumberSet::new(met.max().unwrap_or(0)),
            reported: NumberSet::new(reports.max().unwrap_or(0)),
            present: NumberSet::new(self.index.fields.len()),
            candidates: Candidates::new(rules),
            cursors: [Cursor::default(); CURSORS_MAX],
            cursors_count: 0,
            alerts: Vec::with_capacity(Phase::ALL.iter().map(alerts).max().unwrap_or(0)),
            buffer: Vec::with_capacity(BUFFER_BYTES),
            folded: Vec::with_capacity(longest.min(VALUE_BYTES_MAX)),
            is_in_use: false,
        }
    }
}

/// Decides a phase over what is known. Fired alerts are in the scratch afterwards.
///
/// A decision made while facts are unknown is the one that all facts would give. `scratch` must
/// come from the same bundle; with another's the answer means nothing, or there is none but a panic.
pub fn evaluate(
    bundle: &Bundle,
    phase: Phase,
    facts: &Facts<'_>,
    scratch: &mut Scratch,
) -> Outcome {
    let rules = bundle.rules(phase);
    // Most rulesets leave a phase without rules: it costs nothing then.
    if rules.is_empty() {
        scratch.alerts.clear();
        return Outcome::Decided(Verdict::of_default(bundle.defaults().action(phase)));
    }
    Evaluation::new(bundle, phase, facts, scratch, Free).outcome(rules)
}

/// As [`evaluate`], and counts what it costs, for tests and tools. Slower.
pub fn evaluate_counted(
    bundle: &Bundle,
    phase: Phase,
    facts: &Facts<'_>,
    scratch: &mut Scratch,
    spent: &Spent,
) -> Outcome {
    let rules = bundle.rules(phase);
    Evaluation::new(bundle, phase, facts, scratch, spent).outcome(rules)
}

/// One evaluation under way.
pub(crate) struct Evaluation<'a, 's, M> {
    bundle: &'a Bundle,
    index: &'a Index,
    bytes: &'a [u8],
    plan: &'a PhasePlan,
    phase: Phase,
    phase_bit: u32,
    facts: &'a Facts<'a>,
    scratch: &'s mut Scratch,
    /// Bits of sources that are unknown.
    unknown: u64,
    /// Bits of sources that were looked up.
    done: u64,
    /// Predicates that hold bring in the rules filed under them.
    is_collecting: bool,
    meter: M,
}

impl<'a, 's, M: Meter> Evaluation<'a, 's, M> {
    pub(crate) fn new(
        bundle: &'a Bundle,
        phase: Phase,
        facts: &'a Facts<'a>,
        scratch: &'s mut Scratch,
        meter: M,
    ) -> Self {
        scratch.begin();
        let plan = bundle.plan(phase);
        let unknown = plan
            .sources
            .iter()
            .filter(|source| source.is_unknown(facts))
            .fold(0, |mask, source| mask | bit(*source));
        Self {
            bundle,
            index: &bundle.index,
            bytes: bundle.bytes(),
            plan,
            phase,
            phase_bit: 1 << phase.index(),
            facts,
            scratch,
            unknown,
            done: 0,
            is_collecting: false,
            meter,
        }
    }

    fn outcome(mut self, rules: &[RuleRecord]) -> Outcome {
        self.find_candidates();
        let outcome = self.judge_candidates(rules);
        self.scratch.is_in_use = false;
        outcome
    }

    fn find_candidates(&mut self) {
        self.is_collecting = true;
        let plan = self.plan;
        for (source, masks) in &plan.lookups {
            // A rule is filed under each of its conditions, with the sources that must be unknown for that
            // record to count. Where none counts, no rule hangs on this source now, and looking it up waits
            // until a candidate asks.
            let counts = masks.iter().any(|mask| mask & !self.unknown == 0);
            if counts && self.unknown & bit(*source) == 0 {
                self.look_up(*source);
            }
        }
        // What is looked up from here on only answers for candidates that are known already.
        self.is_collecting = false;
        self.collect(&plan.always);
    }

    /// Adds the rules of the records whose mask is unknown.
    fn collect(&mut self, records: &[AccessRecord]) {
        self.meter.bytes(records.len() * record_bytes::ACCESS);
        for record in records
            .iter()
            .filter(|record| record.mask & !self.unknown == 0)
        {
            let rules = self.index.list(record.rules);
            self.meter.bytes((rules.len() + 1) * record_bytes::NUMBER);
            let free = self.scratch.cursors.get_mut(self.scratch.cursors_count);
            // To insert a rule sets two bits, and to find it again walks over them: for the few rules of a usual
            // list that is cheapest. The list of a predicate that thousands of rules share is left where it
            // is and merged with the others, since most often an early rule decides.
            match free {
                Some(cursor) if rules.len() > INSERTED_MAX => {
                    *cursor = Cursor {
                        list: record.rules,
                        position: 0,
                    };
                    self.scratch.cursors_count += 1;
                }
                _ => rules
                    .iter()
                    .for_each(|rule| self.scratch.candidates.insert(*rule)),
            }
        }
    }

    fn judge_candidates(&mut self, rules: &[RuleRecord]) -> Outcome {
        let mut from = 0;
        let mut inserted = self.scratch.candidates.pop(&mut from);
        // In the order of the rules, so that the first that holds is the first of all that hold: a rule that is
        // no candidate has a condition that fails.
        while let Some(position) = self.next_candidate(&mut inserted, &mut from) {
            let rule = at(rules, position);
            let action = match (self.judge(rule), rule.action) {
                (Some(false), _) => continue,
                (Some(true), Action::Alert) => {
                    self.scratch.alerts.push(RuleIndex(position));
                    continue;
                }
                // Whether this rule decides is not known, so neither is whether any behind it is reached. The
                // alerts before it would be told twice if they were kept: the phase is asked again.
                (None, _) => {
                    self.scratch.candidates.clear(from);
                    self.scratch.alerts.clear();
                    return Outcome::Undetermined;
                }
                (Some(true), Action::Allow) => Decision::Allow,
                (Some(true), Action::Deny) => Decision::Deny,
            };
            self.scratch.candidates.clear(from);
            let rule = Some(RuleIndex(position));
            return Outcome::Decided(Verdict {
                action,
                rule,
                default_alert: false,
            });
        }
        Outcome::Decided(Verdict::of_default(self.index.defaults.action(self.phase)))
    }

    /// The first rule that is left, of those inserted and those of the cursors. A rule is filed so
    /// that it comes from one place only.
    fn next_candidate(&mut self, inserted: &mut Option<u32>, from: &mut usize) -> Option<u32> {
        let mut first = *inserted;
        let mut first_cursor = None;
        let cursors = self
            .scratch
            .cursors
            .iter_mut()
            .take(self.scratch.cursors_count);
        // There are a few cursors at most: to look at each is cheaper than to keep them in order.
        for cursor in cursors {
            let head = self.index.list(cursor.list).get(cursor.position).copied();
            if head.is_some_and(|head| first.is_none_or(|first| head < first)) {
                first = head;
                first_cursor = Some(cursor);
            }
        }
        match first_cursor {
            Some(cursor) => cursor.position += 1,
            None => *inserted = self.scratch.candidates.pop(from),
        }
        first
    }

    /// Whether all conditions hold; `None`: that is not known, and none surely fails.
    fn judge(&mut self, rule: &RuleRecord) -> Option<bool> {
        let mut answer = Some(true);
        let index = self.index;
        self.meter.rules(1);
        self.meter.bytes(record_bytes::RULE);
        for condition in rule.conditions.of(&index.conditions) {
            match self.condition_holds(*condition) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => answer = None,
            }
        }
        answer
    }

    /// Whether a condition holds.
    pub(crate) fn condition_holds(&mut self, condition: u32) -> Option<bool> {
        self.meter.bytes(record_bytes::CONDITION);
        self.predicate_holds(condition / 2)
            .map(|holds| holds != (condition % 2 == 1))
    }

    fn predicate_holds(&mut self, number: u32) -> Option<bool> {
        let predicate = at(&self.index.predicates, number);
        let field = at(&self.index.fields, predicate.field);
        let source = bit(field.source);
        // Before anything that was looked up: an unknown source has no predicates that hold, and that must not
        // be taken for a condition that fails.
        if self.unknown & source != 0 {
            return None;
        }
        if self.done & source == 0 {
            self.look_up(field.source);
        }
        if self.scratch.holds.contains(number) {
            return Some(true);
        }
        if predicate.residuals.len == 0 || self.scratch.refuted.contains(number) {
            return Some(false);
        }
        // The dearest tests, and several rules may share one: the answer is kept, whichever it is.
        let holds = self.any_residual_holds(predicate, field);
        if holds {
            self.scratch.holds.insert(number);
        } else {
            self.scratch.refuted.insert(number);
        }
        Some(holds)
    }

    /// Notes that the predicates of a list hold.
    fn mark(&mut self, list: u32) {
        let index = self.index;
        let predicates = index.list(list);
        self.meter
            .bytes((predicates.len() + 1) * record_bytes::NUMBER);
        for predicate in predicates {
            // Several values can make the same predicate hold; its rules come in once.
            if self.scratch.holds.insert(*predicate) && self.is_collecting {
                let plan = self.plan;
                self.collect(plan.access(*predicate));
            }
        }
    }
}

const fn bit(source: Source) -> u64 {
    1 << source.index()
}
