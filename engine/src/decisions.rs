//! What the rules said about a transaction, phase by phase, for its log record.
//!
//! `enforcement` writes it; no permit comes of it.

use std::time::Duration;

use sallyport_ruleset::{Decision, Phase, RuleIndex, Verdict};

use crate::limits::LOG_DECISIONS_MAX;

/// What was decided about a transaction so far, for its log record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Decisions {
    /// The decision of the last phase that ran.
    pub(crate) decided: Option<PhaseDecision>,
    /// The last decision of each phase that ran, by [`Phase::index`].
    pub(crate) of_phases: [Option<PhaseDecision>; LOG_DECISIONS_MAX],
    /// Alert rules that fired, in order, over all phases.
    pub(crate) alerts: Vec<Alert>,
    /// So many of them are of responses that have passed: a later evaluation leaves them.
    kept: usize,
    /// Time spent evaluating, all phases together.
    pub(crate) elapsed: Duration,
}

/// The outcome of one phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PhaseDecision {
    pub(crate) phase: Phase,
    pub(crate) action: Decision,
    /// `None`: the default action of the phase.
    pub(crate) rule: Option<RuleIndex>,
}

/// An alert rule that fired; no rule means a default action `alert`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Alert {
    pub(crate) phase: Phase,
    pub(crate) rule: Option<RuleIndex>,
}

impl Decisions {
    /// Takes in what an evaluation said.
    pub(crate) fn record(&mut self, phase: Phase, verdict: Verdict, alerts: &[RuleIndex]) {
        // An early evaluation may be repeated with more facts: its alerts are the same ones.
        if !self.alerts.is_empty() {
            let mut kept = self.kept;
            self.alerts.retain(|alert| {
                let is_kept = kept > 0;
                kept = kept.saturating_sub(1);
                is_kept || alert.phase != phase
            });
        }
        let of_default = verdict.default_alert.then_some(None);
        let fired = alerts.iter().map(|rule| Some(*rule)).chain(of_default);
        for alert in fired.map(|rule| Alert { phase, rule }) {
            self.add(alert);
        }
        self.note(PhaseDecision {
            phase,
            action: verdict.action,
            rule: verdict.rule,
        });
    }

    /// Takes in a decision that no evaluation made.
    pub(crate) fn note(&mut self, decision: PhaseDecision) {
        self.decided = Some(decision);
        self.inherit(decision);
    }

    /// Takes over what was decided before this transaction began and holds for it: PreDNS let its tunnel
    /// in.
    pub(crate) fn inherit(&mut self, decision: PhaseDecision) {
        if let Some(slot) = self.of_phases.get_mut(decision.phase.index()) {
            *slot = Some(decision);
        }
    }

    /// What `phase` decided, if it ran.
    pub(crate) fn decision(&self, phase: Phase) -> Option<PhaseDecision> {
        self.of_phases.get(phase.index()).copied().flatten()
    }

    /// What each phase decided that ran, in their order.
    pub(crate) fn by_phase(&self) -> impl Iterator<Item = PhaseDecision> {
        self.of_phases.iter().flatten().copied()
    }

    /// Once is enough.
    fn add(&mut self, alert: Alert) {
        if !self.alerts.contains(&alert) {
            self.alerts.push(alert);
        }
    }

    /// Takes in what was said of an interim response that passes: its alerts stay, whatever is said of
    /// the responses behind it.
    pub(crate) fn keep(&mut self, interim: Self) {
        self.adopt(interim);
        self.kept = self.alerts.len();
    }

    /// Takes in what was said of an interim response.
    pub(crate) fn adopt(&mut self, interim: Self) {
        self.decided = interim.decided;
        for decision in interim.by_phase() {
            self.inherit(decision);
        }
        self.elapsed += interim.elapsed;
        for alert in interim.alerts {
            self.add(alert);
        }
    }

    /// Ready for the next transaction; keeps its storage.
    pub(crate) fn clear(&mut self) {
        self.decided = None;
        self.of_phases = [None; LOG_DECISIONS_MAX];
        self.alerts.clear();
        self.kept = 0;
        self.elapsed = Duration::ZERO;
    }
}
