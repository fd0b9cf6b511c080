//! How rules are found: each is filed under one predicate that must hold for it.
//!
//! Of a rule's positive conditions that an index answers, the rarest is its access: unless that
//! predicate holds, the rule is never looked at. While the source of the access is unknown, the
//! rule is filed under its next rarest condition, and so on; a rule whose positive conditions are
//! all unknown (or that has none) is a candidate by itself. So each rule has one record for each
//! of its positive conditions, with the mask of the sources that must be unknown for it to count.

use std::collections::BTreeMap;

use super::builder::PredicateSource;
use super::record::AccessRecord;
use super::tables::{Lists, Overflow};
use crate::invariant::{Invariant, at};
use crate::{Field, Source, Test};

/// What access needs to know of a rule.
pub(crate) struct RuleConditions<'a> {
    pub(crate) phase: u32,
    /// Position in the phase.
    pub(crate) rule: u32,
    /// Predicates of the positive conditions.
    pub(crate) positive: &'a [u32],
}

/// Files all rules.
pub(crate) fn build(
    rules: &[RuleConditions<'_>],
    predicates: &[PredicateSource<'_>],
    lists: &mut Lists,
) -> Result<Vec<AccessRecord>, Overflow> {
    let mut usage: BTreeMap<(u32, u32), u64> = BTreeMap::new();
    for rule in rules {
        for predicate in rule.positive {
            *usage.entry((rule.phase, *predicate)).or_default() += 1;
        }
    }
    let mut filed: BTreeMap<(u32, u32, u64), Vec<u32>> = BTreeMap::new();
    for rule in rules {
        let mut ranked: Vec<(u64, u32, u64)> = rule
            .positive
            .iter()
            .filter_map(|id| {
                let predicate = at(predicates, *id);
                let used = usage.get(&(rule.phase, *id));
                let used = *used.or_broken("the uses of a predicate");
                let cost = frequency(predicate.field, predicate.test).saturating_mul(used);
                let source = 1_u64 << predicate.field.source().index();
                (!predicate.has_residuals).then_some((cost, *id, source))
            })
            .collect();
        ranked.sort_unstable();
        let mut mask: u64 = 0;
        for (_, predicate, source) in ranked {
            if mask & source == 0 {
                filed
                    .entry((rule.phase, predicate + 1, mask))
                    .or_default()
                    .push(rule.rule);
            }
            mask |= source;
        }
        filed
            .entry((rule.phase, 0, mask))
            .or_default()
            .push(rule.rule);
    }
    filed
        .into_iter()
        .map(|((phase, predicate, mask), rules)| {
            Ok(AccessRecord {
                phase,
                predicate,
                mask,
                rules: lists.intern(&rules)?,
            })
        })
        .collect()
}

/// How often the test holds, guessed, in thousandths of requests (at least 1). Only the order
/// matters, and it only matters for speed.
fn frequency(field: &Field, test: &Test) -> u64 {
    let by_source = match field.source() {
        Source::HttpMethod
        | Source::Protocol
        | Source::TlsAlpn
        | Source::TlsVersion
        | Source::TlsEch => 300,
        Source::ResponseContentType | Source::ResponseStatusCode => 150,
        Source::SourceVpc | Source::SourceVpce | Source::SourceAccount | Source::SourceLabels => {
            100
        }
        _ => 5,
    };
    let by_test = match test {
        Test::Exact { values, .. } | Test::Domain(values) => many(values.len()),
        Test::Glob(values) | Test::Regex(values) => 20 + many(values.len()),
        Test::Number(ranges) => {
            let common = [80, 200, 443].iter();
            let is_common = common
                .clone()
                .any(|port| ranges.iter().any(|r| r.contains(port)));
            if is_common { 400 } else { 40 }
        }
        Test::Ip(networks) => {
            let widest = networks
                .iter()
                .map(|n| n.max_prefix_len() - n.prefix_len())
                .max();
            if widest.unwrap_or(0) > 16 {
                200
            } else {
                many(networks.len())
            }
        }
        Test::Time(_) | Test::TimeOfDay(_) => 500,
        Test::Absent(_) => 500,
        Test::Every(test) => 300.max(frequency(field, test)),
    };
    by_source.max(by_test)
}

/// A list of many values holds more often than one of few.
fn many(values: usize) -> u64 {
    match values {
        0..10 => 2,
        10..1_000 => 10,
        _ => 100,
    }
}
