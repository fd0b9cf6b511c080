//! Works a certificate out of an index: the same walk that evaluation makes, with the worst of every
//! structure in the place of what a request meets.

use std::collections::BTreeSet;

use super::certificate::{Certificate, Cost, CostlyRule, PhaseCost, SourceCost, Why};
use super::record_bytes;
use super::structures::{self, Chains};
use crate::bundle::plan::PhasePlan;
use crate::index::record::*;
use crate::invariant::{Invariant, at, nth};
use crate::{Phase, RuleIndex, Source};

/// Bit of the depths that have no bit of their own.
const DEEPEST: u32 = 1 << 31;
/// Rules that are named in each phase, for patterns and for being always looked at.
const COSTLY_RULES_MAX: usize = 5;

/// The certificate of an index. `slots` are those of all hash tables.
pub(crate) fn compute(index: &Index, slots: &[[u32; 4]], strings: &[u8]) -> Certificate {
    let chains: Vec<Chains> = index
        .tables
        .iter()
        .map(|table| Chains::of(table.slots, slots))
        .collect();
    let patterns: Vec<(Cost, Cost)> = index
        .patterns
        .iter()
        .map(|record| structures::pattern(index, strings, record.pattern))
        .collect();
    let window_chains: Vec<Chains> = index
        .windows
        .iter()
        .map(|window| Chains::of(window.slots, slots))
        .collect();
    let tables = (chains.as_slice(), window_chains.as_slice());
    Certificate {
        phases: Phase::ALL.map(|phase| {
            let computation = Computation::new(index, strings, tables, &patterns, phase);
            computation.phase()
        }),
    }
}

/// One phase.
struct Computation<'i> {
    index: &'i Index,
    strings: &'i [u8],
    chains: &'i [Chains],
    window_chains: &'i [Chains],
    patterns: &'i [(Cost, Cost)],
    plan: PhasePlan,
    phase: Phase,
    /// By predicate: the rules that are filed under it, and the bytes of the records that say so.
    filed: Vec<Cost>,
    /// The worst that a key of a hash table stands for.
    worst_meaning: Cost,
}

/// What one value costs: whatever its length, and for each byte.
#[derive(Clone, Copy, Default)]
struct ValueCost {
    each: Cost,
    per_byte: Cost,
}

impl std::ops::Add for ValueCost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            each: self.each + other.each,
            per_byte: self.per_byte + other.per_byte,
        }
    }
}

impl<'i> Computation<'i> {
    fn new(
        index: &'i Index,
        strings: &'i [u8],
        (chains, window_chains): (&'i [Chains], &'i [Chains]),
        patterns: &'i [(Cost, Cost)],
        phase: Phase,
    ) -> Self {
        let mut filed = vec![Cost::default(); index.predicates.len()];
        for record in &index.access {
            if let Some(predicate) = (record.predicate as usize).checked_sub(1)
                && record.phase as usize == phase.index()
            {
                let place = filed.get_mut(predicate).or_broken("a predicate");
                let rules = index.list(record.rules).len() as u64;
                *place = *place
                    + Cost {
                        rules: if record.mask == 0 { rules } else { 0 },
                        bytes: list_bytes(rules) + record_bytes::ACCESS as u64,
                        ..Cost::default()
                    };
            }
        }
        let mut computation = Self {
            index,
            strings,
            chains,
            window_chains,
            patterns,
            plan: PhasePlan::new(index, phase),
            phase,
            filed,
            worst_meaning: Cost::default(),
        };
        computation.worst_meaning = computation.worst_meaning();
        computation
    }

    fn phase(&self) -> PhaseCost {
        let span = self.index.phases.get(self.phase.index());
        let rules = span.or_broken("a phase").of(&self.index.rules);
        let conditions_max = rules.iter().map(|rule| rule.conditions.len).max();
        let always: Vec<u32> = self
            .plan
            .always
            .iter()
            .filter(|record| record.mask == 0)
            .flat_map(|record| self.index.list(record.rules).iter().copied())
            .collect();
        let mut sources: Vec<SourceCost> = self
            .plan
            .sources
            .iter()
            .map(|source| self.source(*source))
            .collect();
        // What is read of the records of rules that no predicate leads to is a cost of the phase.
        if let Some(first) = sources.first_mut() {
            first.fixed = first.fixed + self.always_bytes();
        }
        PhaseCost {
            sources,
            always: always.len() as u64,
            rules: rules.iter().filter(|rule| rule.is_reachable).count() as u64,
            rule_bytes: record_bytes::RULE as u64
                + u64::from(conditions_max.unwrap_or(0)) * record_bytes::CONDITION as u64
                + self.without_sources(),
            costly: self.costly(rules, &always),
        }
    }

    /// A phase whose rules have no conditions has no source to put its records to.
    fn without_sources(&self) -> u64 {
        if self.plan.sources.is_empty() {
            self.always_bytes().bytes
        } else {
            0
        }
    }

    fn always_bytes(&self) -> Cost {
        let records = self.plan.always.iter();
        let bytes = records.map(|record| {
            record_bytes::ACCESS as u64 + list_bytes(self.index.list(record.rules).len() as u64)
        });
        Cost {
            bytes: bytes.sum(),
            ..Cost::default()
        }
    }

    fn source(&self, source: Source) -> SourceCost {
        let mut cost = SourceCost {
            source,
            fixed: Cost::default(),
            per_value: Cost::default(),
            per_byte: Cost::default(),
        };
        if source.has_named_fields() {
            // The name of each line is looked up once.
            cost.per_value.probes = 1;
        }
        let fields = (0..).zip(&self.index.fields);
        for (number, field) in fields.filter(|(_, field)| field.source == source) {
            cost.fixed = cost.fixed + self.marks(field.absent) + self.marks(field.present);
            let mut value = self.value(field);
            for predicate in &self.index.predicates {
                if predicate.field == number && predicate.phases >> self.phase.index() & 1 == 1 {
                    let on_demand = self.residuals(predicate);
                    value.each = value.each + on_demand.each;
                    value.per_byte = value.per_byte + on_demand.per_byte;
                }
            }
            cost.per_value = cost.per_value + value.each;
            cost.per_byte = cost.per_byte + value.per_byte;
        }
        cost
    }

    /// Marking the predicates of a list, and taking in the rules filed under them.
    fn marks(&self, list: u32) -> Cost {
        let items = self.index.list(list);
        let read = Cost {
            bytes: list_bytes(items.len() as u64),
            ..Cost::default()
        };
        items
            .iter()
            .fold(read, |sum, predicate| sum + *at(&self.filed, *predicate))
    }

    fn value(&self, field: &FieldRecord) -> ValueCost {
        match field.index {
            FieldIndex::Text { short, full } => {
                let again = nth(&self.index.views, full).filter(|view| view.tried_on_short);
                let again = again.map(|view| self.patterns_of(view));
                self.view(short) + self.view(full) + again.unwrap_or_default()
            }
            FieldIndex::Tree { first, v6 } => ValueCost {
                each: worst(self.tree(first), self.tree(v6)),
                per_byte: Cost::default(),
            },
            FieldIndex::Protocol { nodes } => {
                let lists = FieldIndex::protocol_lists(nodes).or_broken("the words of a protocol");
                let lists = lists.of(&self.index.nodes).iter();
                let each = lists.map(|list| self.marks(*list));
                ValueCost {
                    each: each.fold(Cost::default(), worst),
                    per_byte: Cost::default(),
                }
            }
        }
    }

    fn view(&self, number: u32) -> ValueCost {
        let Some(view) = nth(&self.index.views, number) else {
            return ValueCost::default();
        };
        self.table(view.table) + self.table(view.folded) + self.patterns_of(view)
    }

    /// Searching a text for the patterns of a view.
    fn patterns_of(&self, view: &ViewRecord) -> ValueCost {
        let mut cost = ValueCost::default();
        let needles = view.needles.of(&self.index.needles);
        if !needles.is_empty() {
            cost.per_byte.steps += 1;
            cost.per_byte.bytes += record_bytes::SEARCH_STEP as u64;
        }
        let mut patterns: Vec<u32> = self.windows(view, &mut cost);
        for needle in needles {
            let list = self.index.list(needle.patterns);
            cost.each.bytes += list_bytes(list.len() as u64);
            patterns.extend(list);
        }
        patterns.sort_unstable();
        patterns.dedup();
        for number in patterns {
            let record = at(&self.index.patterns, number);
            let (fixed, per_byte) = at(self.patterns, number);
            if self.matters(record) {
                cost.each = cost.each + *fixed + self.marks(record.predicates);
                cost.per_byte = cost.per_byte + *per_byte;
            }
        }
        cost
    }

    /// Adds the looks for pieces of one shape, of which each may be met once; gives the patterns that need one.
    fn windows(&self, view: &ViewRecord, cost: &mut ValueCost) -> Vec<u32> {
        let (mut tried, mut proven) = (Vec::new(), Vec::new());
        let windows = view.windows.of(&self.index.windows);
        let chains = view.windows.of(self.window_chains);
        for (window, chains) in windows.iter().zip(chains) {
            cost.per_byte = cost.per_byte + chains.lookup();
            cost.per_byte.steps += u64::from(window.shape.bytes);
            for key in window.keys.of(&self.index.window_keys) {
                let list = self.index.list(key.tried);
                tried.extend(list);
                proven.push(key.proven);
                let marked = self.index.list(key.proven).len() as u64;
                cost.each.bytes += record_bytes::MEANING as u64
                    + list_bytes(list.len() as u64)
                    + list_bytes(marked);
            }
        }
        // The rules of a predicate are collected once.
        proven.sort_unstable();
        proven.dedup();
        for list in proven {
            cost.each = cost.each + self.marks(list);
        }
        tried
    }

    /// Whether a pattern is of a predicate of the phase.
    fn matters(&self, pattern: &PatternRecord) -> bool {
        self.index.list(pattern.predicates).iter().any(|predicate| {
            let record = at(&self.index.predicates, *predicate);
            record.phases >> self.phase.index() & 1 == 1
        })
    }

    fn table(&self, number: u32) -> ValueCost {
        let mut cost = ValueCost::default();
        let table = nth(&self.index.tables, number);
        let Some((table, chains)) = table.zip(nth(self.chains, number)) else {
            return cost;
        };
        let lookup = chains.lookup() + self.worst_meaning;
        if !table.by_label {
            cost.each = lookup;
            return cost;
        }
        // One lookup for each depth that has a key; the deepest share a bit.
        cost.each = lookup * u64::from((table.bound & !DEEPEST).count_ones());
        if table.bound & DEEPEST != 0 {
            cost.each = cost.each + lookup;
            cost.per_byte = lookup;
        }
        cost
    }

    /// Meanings are shared between tables.
    fn worst_meaning(&self) -> Cost {
        let meanings = self.index.meanings.iter();
        meanings
            .flat_map(|meaning| [meaning.whole, meaning.below])
            .map(|list| self.marks(list))
            .fold(Cost::default(), worst)
    }

    /// The worst path from a leaf to the root.
    fn tree(&self, number: u32) -> Cost {
        let Some(tree) = nth(&self.index.trees, number) else {
            return Cost::default();
        };
        let nodes = tree.nodes.of(&self.index.nodes);
        let bounds = tree.bounds.len as usize;
        let mut paths: Vec<Cost> = Vec::with_capacity(nodes.len());
        let mut worst_path = Cost::default();
        for (node, list) in nodes.iter().enumerate() {
            let above = match node {
                0 | 1 => Cost::default(),
                _ => *paths.get(node / 2).or_broken("the node above"),
            };
            let own = Cost {
                probes: 1,
                bytes: record_bytes::NUMBER as u64,
                ..Cost::default()
            };
            let path = above + own + self.marks(*list);
            worst_path = worst(worst_path, path);
            paths.push(path);
        }
        let search = structures::search_probes(bounds);
        worst_path
            + Cost {
                probes: search,
                bytes: search * record_bytes::BOUND as u64,
                ..Cost::default()
            }
    }

    /// The tests that are made when a rule asks, each once for every value.
    fn residuals(&self, predicate: &PredicateRecord) -> ValueCost {
        let mut cost = ValueCost::default();
        for residual in predicate.residuals.of(&self.index.residuals) {
            match *residual {
                ResidualRecord::Short(pattern) | ResidualRecord::Full(pattern) => {
                    let (fixed, per_byte) = structures::pattern(self.index, self.strings, pattern);
                    cost.each = cost.each + fixed;
                    cost.per_byte = cost.per_byte + per_byte;
                }
                ResidualRecord::Schedule(number) => {
                    let schedule = at(&self.index.schedules, number);
                    let transitions = at(&self.index.zones, schedule.zone).transitions;
                    let probes = structures::search_probes(transitions.len as usize);
                    cost.each.probes += probes;
                    cost.each.bytes += probes * record_bytes::TRANSITION as u64;
                }
            }
        }
        cost
    }

    fn costly(&self, rules: &[RuleRecord], always: &[u32]) -> Vec<CostlyRule> {
        let mut behind_literals = vec![0_u64; self.index.predicates.len()];
        for (record, (_, per_byte)) in self.index.patterns.iter().zip(self.patterns) {
            for predicate in self.index.list(record.predicates) {
                let steps = behind_literals.get_mut(*predicate as usize);
                *steps.or_broken("a predicate") += per_byte.steps;
            }
        }
        for window in &self.index.windows {
            let keys = window.keys.of(&self.index.window_keys);
            let lists = keys.iter().map(|key| key.proven);
            let lists = lists.flat_map(|list| self.index.list(list));
            for predicate in lists.collect::<BTreeSet<_>>() {
                let steps = behind_literals.get_mut(*predicate as usize);
                *steps.or_broken("a predicate") += u64::from(window.shape.bytes);
            }
        }
        let mut by_steps: Vec<CostlyRule> = Vec::new();
        for (rule, record) in (0..).map(RuleIndex).zip(rules) {
            if !record.is_reachable {
                continue;
            }
            let conditions = record.conditions.of(&self.index.conditions);
            let (mut literal, mut on_demand) = (0, 0);
            for predicate in conditions.iter().map(|condition| condition / 2) {
                let record = at(&self.index.predicates, predicate);
                on_demand += self.residuals(record).per_byte.steps;
                literal += *at(&behind_literals, predicate);
            }
            if literal + on_demand > 0 {
                by_steps.push(CostlyRule {
                    rule,
                    why: if on_demand > 0 {
                        Why::OnDemand
                    } else {
                        Why::Patterns
                    },
                    steps_per_byte: literal + on_demand,
                });
            }
        }
        by_steps.sort_by_key(|rule| (std::cmp::Reverse(rule.steps_per_byte), rule.rule));
        by_steps.truncate(COSTLY_RULES_MAX);
        by_steps.extend(always.iter().take(COSTLY_RULES_MAX).map(|rule| CostlyRule {
            rule: RuleIndex(*rule),
            why: Why::Always,
            steps_per_byte: 0,
        }));
        by_steps
    }
}

/// The worse of two, count by count.
fn worst(a: Cost, b: Cost) -> Cost {
    Cost {
        probes: a.probes.max(b.probes),
        steps: a.steps.max(b.steps),
        rules: a.rules.max(b.rules),
        bytes: a.bytes.max(b.bytes),
    }
}

/// A list of so many items, and its length.
const fn list_bytes(items: u64) -> u64 {
    (items + 1) * record_bytes::NUMBER as u64
}
