//! From a [`Record`] to one line of JSON, by hand: this runs once a transaction on the shard.
//!
//! Whatever the network put into a value, the result is one line and valid JSON: controls, line
//! separators and bytes that are not UTF-8 are escaped, and values are bounded. It only appends to
//! a buffer; `buffer` sees to it that there is room.

use std::io::Write;
use std::net::IpAddr;

use super::record::{PhaseOutcome, Record};
use crate::limits::{
    LOG_ALERTS_MAX, LOG_DECISIONS_MAX, LOG_NAME_BYTES_MAX, LOG_TEXT_BYTES_MAX, LOG_URI_BYTES_MAX,
    LOG_WORD_BYTES_MAX,
};

/// `,"name":` as bytes, put together at compile time.
macro_rules! key {
    ($name:literal) => {
        concat!(",\"", $name, "\":").as_bytes()
    };
}

/// Writes lines; remembers the text of the current second, which most lines share.
#[derive(Debug)]
pub(crate) struct Encoder {
    second: u64,
    /// `2026-11-21T03:21:50`.
    second_text: String,
}

impl Encoder {
    /// An encoder for one shard.
    pub(crate) fn new() -> Self {
        Self {
            second: 0,
            second_text: second_text(0),
        }
    }

    /// Appends the line of `record`, newline included.
    pub(crate) fn record(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        self.timestamp(record.ts_us, out);
        string(out, key!("event"), record.event.as_str().as_bytes());
        if let Some(transaction) = record.txn {
            id(out, key!("txn"), transaction.0);
        }
        id(out, key!("conn"), record.conn.0);
        number(out, key!("core"), Some(record.core as u64));
        word(out, key!("bundle"), non_empty(record.bundle));
        word(out, key!("config"), non_empty(record.config));
        address(out, key!("client_ip"), Some(record.client_ip));
        number(out, key!("client_port"), Some(record.client_port));
        request_fields(record, out);
        outcome_fields(record, out);
        durations(record, out);
        out.extend_from_slice(b"}\n");
    }

    /// Appends the line that says how many records were dropped since the last such line.
    pub(crate) fn dropped(&mut self, ts_us: u64, core: usize, count: u64, out: &mut Vec<u8>) {
        self.timestamp(ts_us, out);
        string(out, key!("event"), b"dropped");
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
    word(out, key!("vpce"), record.vpce);
    word(out, key!("vpc"), record.vpc);
    word(out, key!("account"), record.account);
    bounded(out, key!("principal"), record.principal, LOG_NAME_BYTES_MAX);
    word(out, key!("listener"), record.listener.map(str::as_bytes));
    word(out, key!("proto"), record.proto.map(str::as_bytes));
    word(
        out,
        key!("http_version"),
        record.http_version.map(str::as_bytes),
    );
    word(out, key!("method"), record.method);
    bounded(out, key!("domain"), record.domain, LOG_NAME_BYTES_MAX);
    number(out, key!("port"), record.port);
    address(out, key!("dst_ip"), record.dst_ip);
    bounded(out, key!("sni"), record.sni, LOG_NAME_BYTES_MAX);
    word(out, key!("alpn"), record.alpn);
    word(out, key!("ja4"), record.ja4);
    word(
        out,
        key!("tls_mode"),
        record.tls_mode.map(|mode| mode.as_str().as_bytes()),
    );
    word(
        out,
        key!("tls_version"),
        record.tls_version.map(str::as_bytes),
    );
    word(
        out,
        key!("tls_cipher"),
        record.tls_cipher.map(str::as_bytes),
    );
    bounded(out, key!("uri"), record.uri, LOG_URI_BYTES_MAX);
    bounded(
        out,
        key!("user_agent"),
        record.user_agent,
        LOG_TEXT_BYTES_MAX,
    );
}

/// What became of it.
fn outcome_fields(record: &Record<'_>, out: &mut Vec<u8>) {
    number(out, key!("status"), record.status);
    bounded(
        out,
        key!("content_type"),
        record.content_type,
        LOG_NAME_BYTES_MAX,
    );
    word(out, key!("phase"), record.phase.map(str::as_bytes));
    word(out, key!("action"), record.action.map(str::as_bytes));
    word(out, key!("rule"), record.rule.map(str::as_bytes));
    word(out, key!("group"), record.group.map(str::as_bytes));
    decisions(out, record.decisions);
    alerts(out, record.alerts);
    word(out, key!("error"), record.error.map(str::as_bytes));
    bounded(out, key!("detail"), record.detail, LOG_TEXT_BYTES_MAX);
    number(out, key!("bytes_up"), record.bytes_up);
    number(out, key!("bytes_down"), record.bytes_down);
    if let Some(reused) = record.upstream_reused {
        out.extend_from_slice(key!("upstream_reused"));
        out.extend_from_slice(if reused { b"true" } else { b"false" });
    }
    word(
        out,
        key!("upstream_http_version"),
        record.upstream_http_version.map(str::as_bytes),
    );
    word(
        out,
        key!("cache"),
        record.cache.map(|outcome| outcome.as_str().as_bytes()),
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

fn number<N: itoa::Integer>(out: &mut Vec<u8>, key: &[u8], value: Option<N>) {
    let Some(value) = value else { return };
    out.extend_from_slice(key);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// A text of ours that needs no escape.
fn string(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    out.extend_from_slice(key);
    out.push(b'"');
    out.extend_from_slice(value);
    out.push(b'"');
}

/// Sixteen hexadecimal digits: JSON readers round larger integers than 2^53.
fn id(out: &mut Vec<u8>, key: &[u8], value: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'0'; 16];
    for (index, digit) in text.iter_mut().enumerate() {
        let nibble = (value >> (60 - 4 * index)) & 0xf;
        *digit = DIGITS.get(nibble as usize).copied().unwrap_or(b'0');
    }
    string(out, key, &text);
}

fn address(out: &mut Vec<u8>, key: &[u8], value: Option<IpAddr>) {
    let Some(value) = value else { return };
    out.extend_from_slice(key);
    out.push(b'"');
    match value {
        IpAddr::V4(v4) => {
            let mut digits = itoa::Buffer::new();
            for (index, octet) in v4.octets().into_iter().enumerate() {
                if index > 0 {
                    out.push(b'.');
                }
                out.extend_from_slice(digits.format(octet).as_bytes());
            }
        }
        // Writing to a `Vec` cannot fail.
        IpAddr::V6(v6) => drop(write!(out, "{v6}")),
    }
    out.push(b'"');
}

fn decisions(out: &mut Vec<u8>, outcomes: &[PhaseOutcome<'_>]) {
    if outcomes.is_empty() {
        return;
    }
    out.extend_from_slice(key!("decisions"));
    for (index, outcome) in outcomes.iter().take(LOG_DECISIONS_MAX).enumerate() {
        out.extend_from_slice(if index == 0 {
            b"[{\"phase\":\""
        } else {
            b",{\"phase\":\""
        });
        cut_and_escape(out, outcome.phase.as_bytes(), LOG_WORD_BYTES_MAX);
        out.push(b'"');
        word(out, key!("action"), Some(outcome.action.as_bytes()));
        word(out, key!("rule"), outcome.rule.map(str::as_bytes));
        word(out, key!("group"), outcome.group.map(str::as_bytes));
        out.push(b'}');
    }
    out.push(b']');
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

fn word(out: &mut Vec<u8>, key: &[u8], value: Option<&[u8]>) {
    bounded(out, key, value, LOG_WORD_BYTES_MAX);
}

fn bounded(out: &mut Vec<u8>, key: &[u8], value: Option<&[u8]>, bytes_max: usize) {
    let Some(value) = value else { return };
    out.extend_from_slice(key);
    out.push(b'"');
    cut_and_escape(out, value, bytes_max);
    out.push(b'"');
}

/// Appends at most `bytes_max` bytes of `value`; what was cut leaves `…(+N bytes)`.
fn cut_and_escape(out: &mut Vec<u8>, value: &[u8], bytes_max: usize) {
    if value.len() <= bytes_max {
        return escape(out, value);
    }
    let (kept, cut) = value.split_at(char_boundary(value, bytes_max));
    escape(out, kept);
    // Writing to a `Vec` cannot fail.
    drop(write!(out, "…(+{} bytes)", cut.len()));
}

/// The largest index up to `index` that is not inside a UTF-8 character.
fn char_boundary(value: &[u8], index: usize) -> usize {
    let is_continuation = |at: usize| value.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let lowest = index.saturating_sub(3);
    (lowest..=index)
        .rev()
        .find(|&at| !is_continuation(at))
        .unwrap_or(index)
}

fn escape(out: &mut Vec<u8>, value: &[u8]) {
    // Nearly every value is plain ASCII. Without a branch the scan becomes vector instructions.
    let special = value.iter().fold(false, |special, &byte| {
        special | !(0x20..=0x7e).contains(&byte) | (byte == b'"') | (byte == b'\\')
    });
    if special {
        escape_slowly(out, value)
    } else {
        out.extend_from_slice(value)
    }
}

#[cold]
fn escape_slowly(out: &mut Vec<u8>, value: &[u8]) {
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            escape_char(out, character);
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
}

fn escape_char(out: &mut Vec<u8>, character: char) {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        // Controls, and the separators that some viewers take for the end of a line. All of them
        // are below U+10000, so four digits do. Writing to a `Vec` cannot fail.
        c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
            drop(write!(out, "\\u{:04x}", u32::from(c)));
        }
        c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}
