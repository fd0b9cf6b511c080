//! What the log will say about a transaction, collected while it runs.

use std::time::Duration;

use sallyport_ruleset::{Action, Bundle, Decision};
use sallyport_wire::http1::{HeaderName, ResponseHead, Version};
use sallyport_wire::invariant::part;

use crate::access_log::{CacheOutcome, Event, PhaseOutcome, Record, TlsHandling};
use crate::clock;
use crate::enforcement::{Decisions, PhaseDecision};
use crate::limits::LOG_DECISIONS_MAX;
use crate::proxy_error::ProxyError;
use crate::shard::Snapshot;
use crate::transaction::request::context::Request;
use crate::transaction::request::destination::Destination;
use crate::transaction::request::measure::Outcome;
use crate::transaction::request::record_builder::RecordBuilder;

impl RecordBuilder {
    /// The rules that the decisions are of.
    pub(crate) fn snapshot<'s>(&'s self, request: &Request<'s>) -> &'s Snapshot {
        self.judged_under.as_ref().unwrap_or(request.snapshot)
    }

    /// Keeps what the log says of a user agent that has several lines.
    pub(crate) fn note_user_agents(&mut self, request: &Request<'_>) {
        let all = || request.head.end_to_end(HeaderName::UserAgent);
        if all().nth(1).is_some() {
            join(
                &mut self.user_agents,
                all().map(|value| value.of(request.bytes)),
            );
        }
    }

    /// Keeps what the log says of the content type of a response.
    pub(crate) fn note_content_types(&mut self, head: &ResponseHead, bytes: &[u8]) {
        let all = head.end_to_end(HeaderName::ContentType);
        join(&mut self.content_type, all.map(|value| value.of(bytes)));
    }

    /// Writes a line for each alert that has none yet.
    pub(crate) fn write_alerts(
        &mut self,
        request: &Request<'_>,
        destination: Option<&Destination<'_>>,
    ) {
        let bundle = self.snapshot(request).rules.bundle();
        for alert in self.decisions.alerts.iter().skip(self.alerts_written) {
            let mut record = self.record(request, destination);
            record.event = Event::Alert;
            record.decided = Some(PhaseOutcome {
                phase: alert.phase,
                action: Action::Alert,
                rule: alert.rule,
                names: bundle,
            });
            request.proxy.shard.log.borrow_mut().write(&record);
        }
        self.alerts_written = self.decisions.alerts.len();
    }

    /// Writes a line of `Event::Alert` that no rule made.
    pub(crate) fn write_notice(
        &self,
        request: &Request<'_>,
        destination: &Destination<'_>,
        detail: &str,
    ) {
        let mut record = self.record(request, Some(destination));
        record.event = Event::Alert;
        record.action = Some(Action::Alert);
        record.detail = Some(detail.as_bytes());
        request.proxy.shard.log.borrow_mut().write(&record);
    }

    /// Writes the line of a denial (when a rule made it) and the one of the transaction.
    pub(crate) fn finish(&self, request: &Request<'_>, destination: Option<&Destination<'_>>) {
        let bundle = self.snapshot(request).rules.bundle();
        let decided = self.decisions.decided;
        let denied_by_rules = decided.is_some_and(|decided| decided.action == Decision::Deny);
        let is_denied = denied_by_rules || self.error.is_some_and(ProxyError::is_denial);
        // What the configuration denies (ports, addresses, fronting) no phase has decided.
        let decided = decided.filter(|_| denied_by_rules == is_denied);
        let mut alerts: Vec<&str> = Vec::new();
        for alert in &self.decisions.alerts {
            alerts.push(match alert.rule {
                Some(rule) => bundle.rule_name(alert.phase, rule),
                None => "default",
            });
        }
        let mut record = self.record(request, destination);
        record.decided = decided.map(|decision| outcome(decision, bundle));
        record.action = is_denied.then_some(Action::Deny);
        record.decisions = outcomes(&self.decisions, bundle);
        record.alerts = &alerts;
        record.status = self.status;
        let elapsed = clock::since(request.started);
        record.t_total = Some(micros(elapsed));
        self.count(
            request,
            Outcome {
                decided,
                is_denied,
                elapsed,
                ended_us: record.ts_us,
            },
        );
        let mut log = request.proxy.shard.log.borrow_mut();
        if is_denied {
            log.write(&Record {
                event: Event::Deny,
                ..record
            });
        }
        log.write(&record);
    }

    /// Writes a line of a transaction that goes on; `moved` are the bytes of the step that it is in. There
    /// may be no room for it, as for none that is not of an end.
    pub(crate) fn write_progress(
        &self,
        request: &Request<'_>,
        destination: &Destination<'_>,
        event: Event,
        moved: Option<(u64, u64)>,
    ) {
        let bundle = self.snapshot(request).rules.bundle();
        let (up, down) = moved.unwrap_or_default();
        let mut record = self.record(request, Some(destination));
        record.event = event;
        record.decisions = outcomes(&self.decisions, bundle);
        record.status = self.status;
        record.bytes_up = moved.map(|_| self.bytes_up + up);
        record.bytes_down = moved.map(|_| self.bytes_down + down);
        record.t_total = Some(micros(clock::since(request.started)));
        request.proxy.shard.log.borrow_mut().write_if_room(&record);
    }

    fn record<'r>(
        &'r self,
        request: &Request<'r>,
        destination: Option<&Destination<'r>>,
    ) -> Record<'r> {
        let Request {
            proxy,
            client,
            subject,
            head,
            bytes,
            ..
        } = *request;
        let snapshot = self.snapshot(request);
        let method = head.method.of(bytes);
        let mut record = Record {
            ts_us: unix_micros(),
            txn: self.transaction,
            conn: client.id,
            core: proxy.shard.index,
            bundle: snapshot.rules.bundle().id(),
            config: &snapshot.config.id,
            client_ip: client.address.ip(),
            client_port: client.address.port(),
            vpce: subject.endpoint.as_deref().map(str::as_bytes),
            vpc: subject.attributes.vpc.as_deref().map(str::as_bytes),
            account: subject.attributes.account.as_deref().map(str::as_bytes),
            listener: Some(&client.listener),
            principal: subject.principal.as_deref().map(str::as_bytes),
            // What could not be read has no version, but streams are of HTTP/2 whatever is in them.
            http_version: (!method.is_empty() || head.version == Version::Http2)
                .then(|| head.version.number()),
            method: Some(method).filter(|method| !method.is_empty()),
            tls_mode: Some(TlsHandling::None),
            user_agent: match &*self.user_agents {
                [] => head
                    .end_to_end(HeaderName::UserAgent)
                    .next()
                    .map(|value| value.of(bytes)),
                several => Some(several),
            },
            dst_ip: self.dst_ip,
            content_type: Some(&*self.content_type).filter(|value| !value.is_empty()),
            error: self.error,
            detail: self.detail.as_deref().map(str::as_bytes),
            bytes_up: Some(self.bytes_up),
            bytes_down: Some(self.bytes_down),
            upstream_reused: self.upstream_reused,
            // This version has none.
            cache: Some(CacheOutcome::Off),
            upstream_http_version: self.upstream_version.map(Version::number),
            t_dns: self.t_dns.map(micros),
            t_connect: self.t_connect.map(micros),
            t_tls_client: self.t_tls_client.map(micros),
            t_tls_origin: self.t_tls_origin.map(micros),
            t_first_byte: self.t_first_byte.map(micros),
            t_rules: Some(micros(self.decisions.elapsed)),
            ..Record::default()
        };
        if let Some(destination) = destination {
            let uri = logged_uri(request, destination);
            record.proto = Some(destination.logged_protocol.name());
            record.domain = Some(destination.host.as_str().as_bytes());
            record.port = Some(destination.port);
            record.uri = Some(uri).filter(|uri| !uri.is_empty());
        }
        if let Some(tls) = self.tls.as_deref() {
            record.sni = tls.sni.as_deref();
            record.alpn = tls.alpn.as_deref();
            record.ja4 = Some(tls.ja4.as_bytes());
            record.tls_mode = Some(tls.handling);
            record.tls_version = tls.version;
            record.tls_cipher = tls.cipher;
        }
        record
    }
}

fn logged_uri<'r>(request: &Request<'_>, destination: &Destination<'r>) -> &'r [u8] {
    let uri = destination.path_and_query;
    let path_bytes = match request.snapshot.config.log.query {
        true => uri.len(),
        false => uri
            .iter()
            .position(|byte| *byte == b'?')
            .unwrap_or(uri.len()),
    };
    part(uri, ..path_bytes)
}

impl Request<'_> {
    /// Writes a log line for each alert that has fired since the last call.
    pub(crate) fn write_alerts(
        &self,
        draft: &mut RecordBuilder,
        destination: Option<&Destination<'_>>,
    ) {
        if draft.alerts_written < draft.decisions.alerts.len() {
            draft.write_alerts(self, destination);
        }
    }
}

/// Several values of a field as one (RFC 9110 section 5.3), in place of what `out` held.
fn join<'v>(out: &mut Vec<u8>, values: impl Iterator<Item = &'v [u8]>) {
    out.clear();
    for value in values {
        if !out.is_empty() {
            out.extend_from_slice(b", ");
        }
        out.extend_from_slice(value);
    }
}

/// What the phases decided, as the log takes it.
fn outcomes<'b>(
    decisions: &Decisions,
    bundle: &'b Bundle,
) -> [Option<PhaseOutcome<'b>>; LOG_DECISIONS_MAX] {
    decisions
        .of_phases
        .map(|decision| decision.map(|decision| outcome(decision, bundle)))
}

fn outcome(decision: PhaseDecision, bundle: &Bundle) -> PhaseOutcome<'_> {
    PhaseOutcome {
        phase: decision.phase,
        action: decision.action.into(),
        rule: decision.rule,
        names: bundle,
    }
}

pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

pub(crate) fn unix_micros() -> u64 {
    micros(clock::since_1970())
}
