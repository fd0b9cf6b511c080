//! The rules of one snapshot as a shard evaluates them, and what a denial says.

use std::cell::RefCell;
use std::sync::Arc;

use sallyport_ruleset::normalize::media_types_differ;
use sallyport_ruleset::{
    Action, Bundle, Decision, Fact, Facts, FieldValues, Outcome, Phase, Scratch, Source, Verdict,
    evaluate,
};

use super::remembered::{AnswerId, Remembered};
use crate::clock;
use crate::decisions::{Decisions, PhaseDecision};

/// The ruleset as one shard uses it. A transaction keeps the one that it began with.
pub(crate) struct Rules {
    bundle: Arc<Bundle>,
    scratch: RefCell<Scratch>,
    pub(super) remembered: RefCell<Remembered>,
    /// Whether PreREQUEST can differ between two addresses of one name.
    pub(super) judges_addresses: bool,
    /// Whether a phase can differ between two content types of a request, or of a response.
    judges_content_types: [bool; 2],
    /// Whether what is inside TLS is judged: by HTTP fields of a request, or by a rule for responses.
    judges_content: bool,
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rules")
            .field("bundle", &self.bundle.id())
            .finish_non_exhaustive()
    }
}

impl Rules {
    pub(crate) fn new(bundle: Arc<Bundle>) -> Self {
        let judges_addresses = bundle
            .sources(Phase::PreRequest)
            .contains(&Source::DestinationIp);
        let judges = |wanted: &[Source]| {
            let all = Phase::ALL
                .into_iter()
                .flat_map(|phase| bundle.sources(phase));
            all.into_iter().any(|source| wanted.contains(source))
        };
        let judges_content_types = [
            judges(&[Source::HttpContentType, Source::RequestHeaders]),
            judges(&[Source::ResponseContentType, Source::ResponseHeaders]),
        ];
        let mut sources = bundle.sources(Phase::PreRequest).iter();
        let judges_content = sources.any(|source| *source >= Source::HttpUri)
            || bundle.rules_count(Phase::PostResponse) > 0
            || bundle.defaults().post_response == Action::Deny;
        Self {
            scratch: RefCell::new(bundle.scratch()),
            remembered: RefCell::new(Remembered::new(&bundle)),
            bundle,
            judges_addresses,
            judges_content_types,
            judges_content,
        }
    }

    /// Whether a message may pass as far as its content types go. If a message names several media
    /// types, the recipient takes one of them, and nobody knows which: to a rule that denies one of
    /// them the message is denied, but one that allows one of them has not allowed the others.
    pub(crate) fn has_one_meaning(&self, facts: &Facts<'_>) -> bool {
        let [of_requests, of_responses] = self.judges_content_types;
        let differ = |is_judged: bool, fact: &Fact<FieldValues<'_>>| match fact {
            Fact::Known(values) if is_judged => media_types_differ(*values),
            _ => false,
        };
        !differ(of_requests, &facts.content_type)
            && !differ(of_responses, &facts.response_content_type)
    }

    /// Whether a tunnel that is passed through escapes rules that it would meet if it were intercepted.
    pub(crate) fn judges_content(&self) -> bool {
        self.judges_content
    }

    pub(crate) fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    pub(super) fn evaluate(
        &self,
        phase: Phase,
        facts: &Facts<'_>,
        decisions: &mut Decisions,
    ) -> Outcome {
        let started = clock::now();
        let mut scratch = self.scratch.borrow_mut();
        let outcome = evaluate(&self.bundle, phase, facts, &mut scratch);
        if let Outcome::Decided(verdict) = outcome {
            decisions.record(phase, verdict, scratch.alerts());
        }
        decisions.elapsed += clock::since(started);
        outcome
    }

    /// PreDNS, with every fact that is known before a name is resolved. The id is that of the answer, if it
    /// is remembered.
    pub(super) fn decide_pre_dns(
        &self,
        facts: &Facts<'_>,
        decisions: &mut Decisions,
    ) -> Result<Option<AnswerId>, Denied> {
        let phase = Phase::PreDns;
        let mut remembered = self.remembered.borrow_mut();
        let Some(question) = remembered.question(facts) else {
            return self.decide(phase, facts, decisions).map(|_| None);
        };
        if let Some((verdict, id)) = remembered.answer(&question) {
            decisions.record(phase, verdict, &[]);
            let decided = Outcome::Decided(verdict);
            return Self::conclude(phase, decided, decisions).map(|_| Some(id));
        }
        let outcome = self.evaluate(phase, facts, decisions);
        let mut id = None;
        if let Outcome::Decided(verdict) = outcome
            && self.scratch.borrow().alerts().is_empty()
        {
            id = remembered.remember(&question, verdict);
        }
        Self::conclude(phase, outcome, decisions).map(|_| id)
    }

    /// An evaluation in which every fact is known or absent: what is not allowed is denied.
    pub(super) fn decide(
        &self,
        phase: Phase,
        facts: &Facts<'_>,
        decisions: &mut Decisions,
    ) -> Result<Verdict, Denied> {
        let outcome = self.evaluate(phase, facts, decisions);
        Self::conclude(phase, outcome, decisions)
    }

    fn conclude(
        phase: Phase,
        outcome: Outcome,
        decisions: &mut Decisions,
    ) -> Result<Verdict, Denied> {
        match outcome {
            Outcome::Decided(verdict) if verdict.action == Decision::Allow => Ok(verdict),
            Outcome::Decided(verdict) => Err(Denied::by(phase, verdict)),
            Outcome::Undetermined => {
                // Cannot happen while the callers set every fact; if it does, the gate stays shut.
                tracing::error!(%phase, "a rule was left undetermined: denied");
                decisions.note(PhaseDecision {
                    phase,
                    action: Decision::Deny,
                    rule: None,
                });
                Err(Denied {
                    phase,
                    by: DeniedBy::Default,
                })
            }
        }
    }
}

/// The rules said no; the [`Decisions`] say which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Denied {
    pub(crate) phase: Phase,
    pub(crate) by: DeniedBy,
}

/// What in a phase has denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeniedBy {
    Rule,
    /// No rule decided: the default action did.
    Default,
}

impl Denied {
    pub(super) fn by(phase: Phase, verdict: Verdict) -> Self {
        let by = match verdict.rule {
            Some(_) => DeniedBy::Rule,
            None => DeniedBy::Default,
        };
        Self { phase, by }
    }
}
