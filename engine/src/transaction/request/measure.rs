//! A transaction that has ended, as the metrics count it: once, where its log line is written.

use std::time::Duration;

use sallyport_ruleset::Decision;

use crate::decisions::PhaseDecision;
use crate::observe::{Action, Phase, Reused, StatusClass, TransactionKind};
use crate::transaction::request::context::Request;
use crate::transaction::request::record_builder::RecordBuilder;

/// How a transaction ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// By which phase.
    pub(crate) decided: Option<PhaseDecision>,
    /// By a rule or by the configuration.
    pub(crate) is_denied: bool,
    pub(crate) elapsed: Duration,
    /// Microseconds since 1970.
    pub(crate) ended_us: u64,
}

impl RecordBuilder {
    /// Counts the transaction.
    pub(crate) fn count(&self, request: &Request<'_>, outcome: Outcome) {
        let metrics = &request.proxy.shard.metrics;
        let action = match (outcome.is_denied, outcome.decided) {
            (true, _) => Action::Deny,
            (false, Some(decided)) if decided.action == Decision::Allow => Action::Allow,
            (false, _) => Action::None,
        };
        metrics.requests.count((
            request.client.listener_index,
            outcome.decided.map_or(Phase::None, phase),
            action,
            StatusClass::of(self.status),
        ));
        let is_tunnel = match self.status {
            Some(200..=299) => request.head.is_connect,
            status => status == Some(101),
        };
        let kind = match is_tunnel {
            true => TransactionKind::Tunnel,
            false => TransactionKind::Request,
        };
        metrics.request_duration.observe((kind,), outcome.elapsed);
        metrics
            .decision_duration
            .observe((), self.decisions.elapsed);
        self.count_rules(request, outcome.ended_us);
        if let Some(reused) = self.upstream_reused {
            let reused = match reused {
                true => Reused::Yes,
                false => Reused::No,
            };
            metrics.upstream_requests.count((reused,));
        }
    }

    fn count_rules(&self, request: &Request<'_>, now_us: u64) {
        let hits = &self.snapshot(request).rule_hits;
        for decision in self.decisions.by_phase() {
            hits.count(decision.phase, decision.rule, now_us);
        }
        // A default that alerts has decided as well.
        for alert in self
            .decisions
            .alerts
            .iter()
            .filter(|alert| alert.rule.is_some())
        {
            hits.count(alert.phase, alert.rule, now_us);
        }
    }
}

fn phase(decided: PhaseDecision) -> Phase {
    match decided.phase {
        sallyport_ruleset::Phase::PreDns => Phase::PreDns,
        sallyport_ruleset::Phase::PreRequest => Phase::PreRequest,
        sallyport_ruleset::Phase::PostResponse => Phase::PostResponse,
    }
}
