//! The body of an answer of the proxy's own: built in, in the format that the client prefers, or the
//! page of the operator (`responses.page`).

use std::borrow::Cow;

use html_escape::encode_safe;
use serde_json::json;

use sallyport_wire::invariant::part;

use crate::config::checked::Page;
use crate::transaction::request::accept::{Format, preferred};
use crate::transaction::request::reply::{Reply, reason_phrase};

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

/// Needs nothing but itself, and is light or dark as the reader's system is.
const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:1rem/1.5 system-ui,sans-serif;max-width:38rem;margin:12vh auto;padding:0 1.25rem}\
h1{font-size:1.5rem;font-weight:600;margin:0 0 .75rem}\
p{margin:.5rem 0}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin-top:1.5rem;padding-top:1rem;\
border-top:1px solid color-mix(in srgb,currentColor 25%,transparent);font-size:.875rem}\
dt{opacity:.7}dd{margin:0;overflow-wrap:anywhere}code{font-family:ui-monospace,monospace}";

impl Reply<'_> {
    /// The content and its type.
    pub(crate) fn body(&self) -> (&'static str, Vec<u8>) {
        let page = self.config.responses.page.as_ref();
        match page.filter(|_| self.refusal.status == 403) {
            Some(page) => (page.content_type, self.filled(page)),
            None => self.built_in(),
        }
    }

    /// The operator's page with what it asks for put in, and nothing else touched.
    fn filled(&self, page: &Page) -> Vec<u8> {
        let mut out = Vec::with_capacity(page.body.len() + 128);
        let mut rest = &*page.body;
        while let Some(start) = memchr::memchr(b'{', rest) {
            let (before, from) = rest.split_at(start);
            out.extend_from_slice(before);
            let name = placeholder(from);
            let value = name.and_then(|name| self.value(name));
            let taken = match (name, value) {
                (Some(name), Some(value)) => {
                    out.extend_from_slice(escaped(&value, page.content_type).as_bytes());
                    name.len() + 2
                }
                _ => {
                    out.push(b'{');
                    1
                }
            };
            rest = part(from, taken..);
        }
        out.extend_from_slice(rest);
        out
    }

    /// What stands for a placeholder; what is not known, or may not be told, is empty.
    fn value(&self, name: &[u8]) -> Option<Cow<'_, str>> {
        Some(match name {
            b"id" => self.transaction.to_string().into(),
            b"phase" => self.phase().into(),
            b"reason" => Cow::Borrowed(&*self.refusal.detail),
            b"rule" => self.rule.unwrap_or_default().into(),
            _ => return None,
        })
    }

    fn phase(&self) -> &'static str {
        self.refusal
            .phase
            .map_or("", sallyport_ruleset::Phase::name)
    }

    fn built_in(&self) -> (&'static str, Vec<u8>) {
        let format = self.request.map_or(Format::Text, |(head, bytes)| {
            preferred(head.header_values(bytes, "accept"))
        });
        match format {
            Format::Text => ("text/plain; charset=utf-8", self.text().into_bytes()),
            Format::Json => (JSON, self.json().into_bytes()),
            Format::Html => (HTML, self.html().into_bytes()),
        }
    }

    fn text(&self) -> String {
        let rule = self
            .rule
            .map_or(String::new(), |rule| format!("rule: {rule}\n"));
        let phrase = reason_phrase(self.refusal.status);
        format!(
            "{phrase}: {}\n{rule}transaction: {}\n",
            self.refusal.detail, self.transaction
        )
    }

    fn json(&self) -> String {
        let refusal = self.refusal;
        let phase = refusal.phase.map(|phase| phase.to_string());
        let body = json!({
            "status": refusal.status, "error": refusal.error.token(), "detail": refusal.detail,
            "phase": phase, "rule": self.rule, "transaction": self.transaction.to_string(),
        });
        format!("{body}\n")
    }

    fn html(&self) -> String {
        let (status, phrase) = (self.refusal.status, reason_phrase(self.refusal.status));
        let mut entries = String::new();
        let mut entry = |term: &str, value: &str| {
            if !value.is_empty() {
                let value = encode_safe(value);
                entries.push_str(&format!("<dt>{term}<dd><code>{value}</code>\n"));
            }
        };
        entry("Phase", self.phase());
        entry("Rule", self.rule.unwrap_or_default());
        entry("Transaction", &self.transaction.to_string());
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <title>{status} {phrase}</title>\n<style>{STYLE}</style>\n\
             <h1>{phrase}</h1>\n<p>{}</p>\n<dl>\n{entries}</dl>\n",
            encode_safe(&*self.refusal.detail)
        )
    }
}

/// The name between the braces that `bytes` begin with.
fn placeholder(bytes: &[u8]) -> Option<&[u8]> {
    let inner = bytes.strip_prefix(b"{")?;
    let end = inner.iter().position(|byte| !byte.is_ascii_lowercase())?;
    (inner.get(end) == Some(&b'}')).then(|| inner.get(..end))?
}

/// `value` so that it is text and nothing else in content of this type.
fn escaped<'v>(value: &'v str, content_type: &str) -> Cow<'v, str> {
    match content_type {
        HTML => encode_safe(value),
        JSON => {
            let quoted = serde_json::Value::from(value).to_string();
            let inner = quoted.get(1..quoted.len().saturating_sub(1));
            inner.unwrap_or_default().to_owned().into()
        }
        _ => value.into(),
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_words_in_braces() {
        for (text, name) in [
            ("{id}", Some("id")),
            ("{id}{rule}", Some("id")),
            ("{}", Some("")),
            ("{ id}", None),
            ("{id", None),
            ("{id }", None),
            ("{ID}", None),
            ("{{id}}", None),
            ("id}", None),
        ] {
            let found = placeholder(text.as_bytes()).map(<[u8]>::to_vec);
            assert_eq!(found, name.map(|name| name.as_bytes().to_vec()), "{text}");
        }
    }

    #[test]
    fn values_stay_text_in_every_kind_of_page() {
        let value = "a<b>\"c\"\\'\n";
        assert_eq!(escaped(value, HTML), "a&lt;b&gt;&quot;c&quot;\\&#x27;\n");
        assert_eq!(escaped(value, JSON), "a<b>\\\"c\\\"\\\\'\\n");
        assert_eq!(escaped(value, "text/plain; charset=utf-8"), value);
    }
}
