//! How often each rule decided or alerted, and when it last did, on one shard.

use sallyport_ruleset::{Bundle, Phase, RuleIndex};

use super::cell::{Apart, Cell};

/// The rules of one bundle, as one shard met them: 16 bytes a rule.
#[derive(Debug, Default)]
pub(crate) struct RuleHits {
    /// Since when, in microseconds since 1970.
    since_us: u64,
    phases: [Apart<Hits>; Phase::ALL.len()],
}

/// Those of a rule.
#[derive(Debug, Default)]
struct Hits {
    count: Cell,
    /// Microseconds since 1970.
    last: Cell,
}

/// What all shards have met of a rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RuleHit {
    pub(crate) count: u64,
    /// Microseconds since 1970; 0: never.
    pub(crate) last_us: u64,
}

impl RuleHits {
    /// None yet of a bundle. Behind the rules of each phase there is a place for its default.
    pub(crate) fn new(bundle: &Bundle, since_us: u64) -> Self {
        let of_phase = |phase| Apart::new(bundle.rules_count(phase) + 1);
        Self {
            since_us,
            phases: Phase::ALL.map(of_phase),
        }
    }

    /// Since when, in microseconds since 1970.
    pub(crate) fn since_us(&self) -> u64 {
        self.since_us
    }

    /// Counts that a rule, or else the default, decided or alerted.
    pub(crate) fn count(&self, phase: Phase, rule: Option<RuleIndex>, now_us: u64) {
        let hits = self.phases.get(phase.index()).and_then(|rules| match rule {
            Some(rule) => rules.get(rule.0 as usize),
            None => rules.all().last(),
        });
        if let Some(hits) = hits {
            hits.count.add(1);
            hits.last.set(now_us);
        }
    }

    /// What several shards have met; of a phase the default comes last.
    pub(crate) fn sum<'h>(
        shards: impl IntoIterator<Item = &'h Self>,
        phase: Phase,
    ) -> Vec<RuleHit> {
        let mut sum: Vec<RuleHit> = Vec::new();
        for shard in shards {
            let rules = shard.phases.get(phase.index()).map_or(&[][..], Apart::all);
            sum.resize(sum.len().max(rules.len()), RuleHit::default());
            for (sum, hits) in sum.iter_mut().zip(rules) {
                sum.count += hits.count.get();
                sum.last_us = sum.last_us.max(hits.last.get());
            }
        }
        sum
    }
}
