//! From a [`Record`] to one line of JSON, by hand: this runs once a transaction on the shard.
//!
//! Whatever the network put into a value, the result is one line and valid JSON: controls, line
//! separators and bytes that are not UTF-8 are escaped, and values are bounded. It only appends to
//! a buffer; `buffer` sees to it that there is room.

use std::io::Write;

use sallyport_ruleset::Action;

use super::escape::cut_and_escape;
use super::fields::{address, array, bounded, id, key, number, own, text_key, word};
use super::outcomes::{OutcomeTexts, PhaseOutcome};
use super::record::{CacheOutcome, Record, TlsHandling};
use crate::limits::{
    LOG_ALERTS_MAX, LOG_NAME_BYTES_MAX, LOG_TEXT_BYTES_MAX, LOG_URI_BYTES_MAX, LOG_WORD_BYTES_MAX,
};
use crate::proxy_error::ProxyError;

/// Writes lines; remembers what most of them share: the text of the current second, and under which
/// rules and configuration they came about.
#[derive(Debug)]
pub(crate) struct Encoder {
    second: u64,
    /// `2026-11-21T03:21:50`.
    second_text: String,
    provenance: Provenance,
    outcomes: OutcomeTexts,
}

/// `core`, `bundle` and `config` of the line before.
#[derive(Debug, Default)]
struct Provenance {
    core: usize,
    bundle: String,
    config: String,
    /// As they are written.
    text: Vec<u8>,
}

impl Provenance {
    fn is_of(&self, record: &Record<'_>) -> bool {
        self.core == record.core
            && self.bundle == record.bundle
            && self.config == record.config
            && !self.text.is_empty()
    }

    fn take_over(&mut self, record: &Record<'_>) {
        self.core = record.core;
        record.bundle.clone_into(&mut self.bundle);
        record.config.clone_into(&mut self.config);
        self.text.clear();
        number(&mut self.text, key!("core"), Some(record.core as u64));
        word(
            &mut self.text,
            text_key!("bundle"),
            non_empty(record.bundle),
        );
        word(
            &mut self.text,
            text_key!("config"),
            non_empty(record.config),
        );
    }
}

impl Encoder {
    /// An encoder for one shard.
    pub(crate) fn new() -> Self {
        Self {
            second: 0,
            second_text: second_text(0),
            provenance: Provenance::default(),
            outcomes: OutcomeTexts::new(),
        }
    }

    /// Appends the line of `record`, newline included.
    pub(crate) fn record(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        self.timestamp(record.ts_us, out);
        own(out, text_key!("event"), Some(record.event.as_str()));
        if let Some(transaction) = record.txn {
            id(out, text_key!("txn"), transaction.0);
        }
        id(out, text_key!("conn"), record.conn.0);
        if !self.provenance.is_of(record) {
            self.provenance.take_over(record);
            self.outcomes.forget();
        }
        out.extend_from_slice(&self.provenance.text);
        address(out, text_key!("client_ip"), Some(record.client_ip));
        number(out, key!("client_port"), Some(record.client_port));
        request_fields(record, out);
        self.decision_fields(record, out);
        outcome_fields(record, out);
        durations(record, out);
        out.extend_from_slice(b"}\n");
    }

    /// What was decided, and by what.
    fn decision_fields(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        number(out, key!("status"), record.status);
        bounded(
            out,
            text_key!("content_type"),
            record.content_type,
            LOG_NAME_BYTES_MAX,
        );
        match &record.decided {
            Some(decided) => {
                out.push(b',');
                out.extend_from_slice(self.outcomes.of(decided));
            }
            None => own(out, text_key!("action"), record.action.map(Action::name)),
        }
        self.decisions(&record.decisions, out);
        alerts(out, record.alerts);
    }

    fn decisions(&mut self, outcomes: &[Option<PhaseOutcome<'_>>], out: &mut Vec<u8>) {
        let mut is_first = true;
        for outcome in outcomes.iter().flatten() {
            if is_first {
                out.extend_from_slice(key!("decisions"));
            }
            out.extend_from_slice(if is_first { b"[{" } else { b",{" });
            out.extend_from_slice(self.outcomes.of(outcome));
            out.push(b'}');
            is_first = false;
        }
        if !is_first {
            out.push(b']');
        }
    }

    /// Appends the line that says how many records were dropped since the last such line.
    pub(crate) fn dropped(&mut self, ts_us: u64, core: usize, count: u64, out: &mut Vec<u8>) {
        self.timestamp(ts_us, out);
        own(out, text_key!("event"), Some("dropped"));
        number(out, key!("core"), Some(core as u64));
        number(out, key!("count"), Some(count));
        out.extend_from_slice(b"}\n");
    }

    /// Appends `{"ts":"…"`, with which every line begins.
    fn timestamp(&mut self, ts_us: u64, out: &mut Vec<u8>) {
        let (second, micros) = (ts_us / 1_000_000, ts_us % 1_000_000);
        if second != self.second {
            self.second = second;
            self.second_text = second_text(second);
        }
        out.extend_from_slice(b"{\"ts\":\"");
        out.extend_from_slice(self.second_text.as_bytes());
        // The leading 1 keeps the zeros of the fraction; the point takes its place.
        let mut digits = itoa::Buffer::new();
        let fraction = digits.format(1_000_000 + micros);
        out.push(b'.');
        out.extend_from_slice(fraction.as_bytes().get(1..).unwrap_or_default());
        out.extend_from_slice(b"Z\"");
    }
}

/// RFC 3339, without fraction and zone. Beyond the year 9999 it stays there.
fn second_text(second: u64) -> String {
    let second = i64::try_from(second).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_second(second).unwrap_or(jiff::Timestamp::MAX);
    time.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// Who asked, and for what.
fn request_fields(record: &Record<'_>, out: &mut Vec<u8>) {
    word(out, text_key!("vpce"), record.vpce);
    word(out, text_key!("vpc"), record.vpc);
    word(out, text_key!("account"), record.account);
    bounded(
        out,
        text_key!("principal"),
        record.principal,
        LOG_NAME_BYTES_MAX,
    );
    word(
        out,
        text_key!("listener"),
        record.listener.map(str::as_bytes),
    );
    own(out, text_key!("proto"), record.proto);
    own(out, text_key!("http_version"), record.http_version);
    word(out, text_key!("method"), record.method);
    bounded(out, text_key!("domain"), record.domain, LOG_NAME_BYTES_MAX);
    number(out, key!("port"), record.port);
    address(out, text_key!("dst_ip"), record.dst_ip);
    bounded(out, text_key!("sni"), record.sni, LOG_NAME_BYTES_MAX);
    word(out, text_key!("alpn"), record.alpn);
    word(out, text_key!("ja4"), record.ja4);
    own(
        out,
        text_key!("tls_mode"),
        record.tls_mode.map(TlsHandling::as_str),
    );
    own(out, text_key!("tls_version"), record.tls_version);
    own(out, text_key!("tls_cipher"), record.tls_cipher);
    bounded(out, text_key!("uri"), record.uri, LOG_URI_BYTES_MAX);
    bounded(
        out,
        text_key!("user_agent"),
        record.user_agent,
        LOG_TEXT_BYTES_MAX,
    );
}

/// What became of it.
fn outcome_fields(record: &Record<'_>, out: &mut Vec<u8>) {
    own(out, text_key!("error"), record.error.map(ProxyError::token));
    bounded(out, text_key!("detail"), record.detail, LOG_TEXT_BYTES_MAX);
    number(out, key!("bytes_up"), record.bytes_up);
    number(out, key!("bytes_down"), record.bytes_down);
    if let Some(reused) = record.upstream_reused {
        out.extend_from_slice(key!("upstream_reused"));
        out.extend_from_slice(if reused { b"true" } else { b"false" });
    }
    own(
        out,
        text_key!("upstream_http_version"),
        record.upstream_http_version,
    );
    own(
        out,
        text_key!("cache"),
        record.cache.map(CacheOutcome::as_str),
    );
}

/// How long it took.
fn durations(record: &Record<'_>, out: &mut Vec<u8>) {
    number(out, key!("t_total"), record.t_total);
    number(out, key!("t_dns"), record.t_dns);
    number(out, key!("t_connect"), record.t_connect);
    number(out, key!("t_tls_client"), record.t_tls_client);
    number(out, key!("t_tls_origin"), record.t_tls_origin);
    number(out, key!("t_first_byte"), record.t_first_byte);
    number(out, key!("t_rules"), record.t_rules);
}

fn non_empty(value: &str) -> Option<&[u8]> {
    (!value.is_empty()).then_some(value.as_bytes())
}

fn alerts(out: &mut Vec<u8>, names: &[&str]) {
    if names.is_empty() {
        return;
    }
    out.extend_from_slice(key!("alerts"));
    for (index, name) in names.iter().take(LOG_ALERTS_MAX).enumerate() {
        out.extend_from_slice(if index == 0 { b"[\"" } else { b",\"" });
        cut_and_escape(out, name.as_bytes(), LOG_WORD_BYTES_MAX);
        out.push(b'"');
    }
    let unlisted = names.len().saturating_sub(LOG_ALERTS_MAX);
    if unlisted > 0 {
        // Writing to a `Vec` cannot fail.
        drop(write!(out, ",\"…(+{unlisted})\""));
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lines_have_in_common_is_that_of_their_own() {
        let mut encoder = Encoder::new();
        let mut line = |core, bundle, config| {
            let mut out = Vec::new();
            let record = Record {
                core,
                bundle,
                config,
                ..Record::default()
            };
            encoder.record(&record, &mut out);
            String::from_utf8(out).unwrap()
        };
        for (core, bundle, config, expected) in [
            (0, "b1", "c1", r#""core":0,"bundle":"b1","config":"c1","#),
            (0, "b1", "c1", r#""core":0,"bundle":"b1","config":"c1","#),
            (0, "b1", "c2", r#""core":0,"bundle":"b1","config":"c2","#),
            (0, "b2", "c2", r#""core":0,"bundle":"b2","config":"c2","#),
            (1, "b2", "c2", r#""core":1,"bundle":"b2","config":"c2","#),
            (1, "", "", r#""core":1,"client_ip""#),
        ] {
            let line = line(core, bundle, config);
            assert!(line.contains(expected), "{line}");
        }
    }
}
