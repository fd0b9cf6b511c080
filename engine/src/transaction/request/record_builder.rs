//! What becomes the log line of a transaction.

use std::borrow::Cow;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use sallyport_pki::OriginCertificate;
use sallyport_wire::http1::Version;

use crate::access_log::TransactionId;
use crate::enforcement::Decisions;
use crate::proxy_error::ProxyError;
use crate::shard::Snapshot;
use crate::transaction::request::tls_notes::TlsNotes;
use crate::transaction::request::told::Told;

/// Results that have no other home until the record is written.
#[derive(Debug, Default)]
pub(crate) struct RecordBuilder {
    pub(crate) transaction: Option<TransactionId>,
    pub(crate) decisions: Decisions,
    /// What was told while it goes on.
    pub(crate) told: Told,
    /// Alerts among the decisions that have a line already.
    pub(crate) alerts_written: usize,
    /// Under which rules the decisions came about, if not under those that the transaction began with.
    pub(crate) judged_under: Option<Rc<Snapshot>>,
    /// What the client was answered.
    pub(crate) status: Option<u16>,
    pub(crate) error: Option<ProxyError>,
    pub(crate) detail: Option<Cow<'static, str>>,
    pub(crate) dst_ip: Option<IpAddr>,
    pub(crate) content_type: Vec<u8>,
    /// Those of a request that names several; else it is in the request.
    pub(crate) user_agents: Vec<u8>,
    pub(crate) tls: Option<Rc<TlsNotes>>,
    /// The certificate of the origin that answered.
    pub(crate) certificate: Option<Rc<OriginCertificate>>,
    pub(crate) bytes_up: u64,
    pub(crate) bytes_down: u64,
    pub(crate) upstream_reused: Option<bool>,
    /// What was spoken with the origin.
    pub(crate) upstream_version: Option<Version>,
    pub(crate) t_dns: Option<Duration>,
    pub(crate) t_connect: Option<Duration>,
    pub(crate) t_tls_client: Option<Duration>,
    pub(crate) t_tls_origin: Option<Duration>,
    pub(crate) t_first_byte: Option<Duration>,
}

impl RecordBuilder {
    /// Ready for the next transaction; keeps its storage.
    pub(crate) fn clear(&mut self) {
        let mut content_type = std::mem::take(&mut self.content_type);
        content_type.clear();
        let mut decisions = std::mem::take(&mut self.decisions);
        decisions.clear();
        let mut told = std::mem::take(&mut self.told);
        told.clear();
        *self = Self {
            content_type,
            decisions,
            told,
            ..Self::default()
        };
    }

    /// Notes an error that the client was not told of by a reply.
    pub(crate) fn fail(&mut self, error: ProxyError, detail: impl Into<Cow<'static, str>>) {
        self.error = Some(error);
        self.detail = Some(detail.into());
    }

    /// Has other decisions, which came about under `snapshot`, take the place of the present ones.
    pub(crate) fn overrule(&mut self, snapshot: &Rc<Snapshot>, decisions: Decisions) {
        self.alerts_written = decisions.alerts.len();
        self.decisions = decisions;
        self.judged_under = Some(Rc::clone(snapshot));
    }

    /// Notes something that is no error, once, beside what is noted already.
    pub(crate) fn add_detail(&mut self, before: &str, words: &str) {
        let detail = match self.detail.as_deref() {
            None => format!("{before}{words}"),
            Some(others) if others.contains(words) => return,
            Some(others) if others.contains(before) => format!("{others}; {words}"),
            Some(others) => format!("{others}; {before}{words}"),
        };
        self.detail = Some(detail.into());
    }
}
