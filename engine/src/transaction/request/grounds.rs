//! What an open tunnel was let in by, or why it does not go on.

use std::rc::Rc;

use crate::enforcement::{Decisions, Guarded};
use crate::proxy_error::ProxyError;
use crate::shard::Snapshot;
use crate::transaction::request::admission::Admission;
use crate::transaction::request::record_builder::RecordBuilder;
use crate::transaction::request::reply::Refusal;
use crate::upstream::tls::Origin;

/// What a tunnel was let in by.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) snapshot: Rc<Snapshot>,
    /// Where requests inside may go.
    pub(crate) guarded: Option<Guarded>,
    /// How the origin is spoken to, if its TLS ends here.
    pub(crate) origin: Option<Origin>,
    /// What PreDNS said, for the log.
    pub(crate) admission: Option<Admission>,
}

impl Standing {
    /// Where requests inside may go.
    pub(crate) fn guarded(&self) -> Result<&Guarded, Refusal> {
        const NONE: &str = "the tunnel leads nowhere";
        self.guarded
            .as_ref()
            .ok_or_else(|| Refusal::new(ProxyError::ProxyInternalError, NONE))
    }
}

/// Why a tunnel does not go on.
#[derive(Debug)]
pub(crate) struct Over {
    pub(crate) snapshot: Rc<Snapshot>,
    pub(crate) decisions: Decisions,
    pub(crate) refusal: Refusal,
}

impl Over {
    /// The answer to what still comes, and why in the log.
    pub(crate) fn refuse(&self, draft: &mut RecordBuilder) -> Refusal {
        draft.overrule(&self.snapshot, self.decisions.clone());
        draft.fail(self.refusal.error, self.refusal.detail.clone());
        self.refusal.clone()
    }
}
