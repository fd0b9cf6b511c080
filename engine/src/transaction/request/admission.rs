//! The decision of PreDNS that let a tunnel in. It stands in the lines of the requests inside too, since no
//! other PreDNS is run for them.

use std::rc::Rc;

use sallyport_ruleset::Phase;

use crate::enforcement::{Decisions, PhaseDecision};
use crate::shard::Snapshot;

/// What PreDNS said of a tunnel.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    /// Whose rule it names.
    judged_under: Rc<Snapshot>,
    decision: PhaseDecision,
}

impl Admission {
    /// That among `decisions`, which came about under `snapshot`.
    pub(crate) fn of(snapshot: &Rc<Snapshot>, decisions: &Decisions) -> Option<Self> {
        Some(Self {
            judged_under: Rc::clone(snapshot),
            decision: decisions.decision(Phase::PreDns)?,
        })
    }

    /// Notes it for a request inside, unless that has another ruleset, whose rules have other names.
    pub(crate) fn note(&self, snapshot: &Snapshot, decisions: &mut Decisions) {
        let its_own = self.judged_under.rules.bundle();
        let bundle = snapshot.rules.bundle();
        if std::ptr::eq(its_own, bundle) || its_own.id() == bundle.id() {
            decisions.inherit(self.decision);
        }
    }
}
