//! `[headers]` and `[responses]`: what the proxy changes in heads, and what it says itself.

use std::path::Path;

use sallyport_ruleset::normalize::is_token;
use toml::de::DeValue;

use crate::config::checked::{HeaderEdits, Headers, Page, Responses};
use crate::config::environment::Environment;
use crate::config::raw::{Entry, Report, Section};
use crate::config::values::{self, Wrong};
use crate::limits::{
    HEADER_EDITS_MAX, HEADER_VALUE_BYTES_MAX, PAGE_BYTES_MAX, VIA_BYTES_MAX, VIA_DEFAULT,
};

/// Fields that frame messages, belong to one connection or say who forwarded: the proxy's own.
const CONTROLLED: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// Changes to forwarded heads.
pub(in crate::config) fn headers(section: Section<'_>, report: &Report<'_>) -> Headers {
    let via = section.read("via", via);
    let headers = Headers {
        via: via.map_or_else(|| VIA_DEFAULT.to_owned(), |placed| placed.value),
        forwarded: section.flag("forwarded", false).value,
        x_forwarded_for: section.flag("x_forwarded_for", false).value,
        request: edits(section.section("request"), report),
        response: edits(section.section("response"), report),
    };
    section.finish();
    headers
}

fn via(value: &DeValue<'_>) -> Result<String, Wrong> {
    let expected = format!("a token (RFC 9110 section 5.6.2) of at most {VIA_BYTES_MAX} bytes");
    let text = values::text(value, &expected)?;
    let is_right = is_token(text.as_bytes()) && text.len() <= VIA_BYTES_MAX;
    if is_right {
        Ok(text.to_owned())
    } else {
        Err(Wrong::value(value, expected))
    }
}

fn edits(section: Section<'_>, report: &Report<'_>) -> HeaderEdits {
    let strip = section.list("strip", 0..=HEADER_EDITS_MAX, "header names", |value| {
        field_name(values::text(value, "a header name")?)
    });
    let mut strip: Vec<_> = strip
        .unwrap_or_default()
        .into_iter()
        .map(|name| name.value)
        .collect();
    strip.sort_unstable();
    strip.dedup();
    let entries = section.entries("set");
    if entries.len() > HEADER_EDITS_MAX {
        let found = format!("{} headers", entries.len());
        let expected = format!("at most {HEADER_EDITS_MAX}");
        section.wrong("set", None, &Wrong { found, expected });
    }
    let mut set: Vec<(String, String)> = Vec::new();
    for entry in entries {
        match field(&entry, &strip, &set) {
            Ok(field) => set.push(field),
            Err((span, wrong)) => report.wrong(&entry.key, Some(span), &wrong),
        }
    }
    section.finish();
    HeaderEdits { strip, set }
}

/// One entry of a `set` table, or what is wrong with it and where.
fn field(
    entry: &Entry<'_>,
    strip: &[String],
    set: &[(String, String)],
) -> Result<(String, String), (std::ops::Range<usize>, Wrong)> {
    let at_name = |wrong| (entry.name_span.clone(), wrong);
    let name = field_name(entry.name).map_err(at_name)?;
    if strip.contains(&name) {
        return Err(at_name(Wrong::text(
            entry.name,
            "a header that `strip` does not name",
        )));
    }
    if set
        .iter()
        .any(|(other, _)| other.eq_ignore_ascii_case(&name))
    {
        return Err(at_name(Wrong::text(
            entry.name,
            "each header once, whatever its case",
        )));
    }
    let value = field_value(entry.value.get_ref()).map_err(|wrong| (entry.value.span(), wrong))?;
    Ok((entry.name.to_owned(), value))
}

/// A name that may be edited, lower-case.
fn field_name(text: &str) -> Result<String, Wrong> {
    if !is_token(text.as_bytes()) {
        return Err(Wrong::text(text, "a header name"));
    }
    let name = text.to_ascii_lowercase();
    if CONTROLLED.contains(&name.as_str()) {
        return Err(Wrong::text(
            text,
            "a header that the proxy does not control itself",
        ));
    }
    Ok(name)
}

// RFC 9110 section 5.5: visible characters, with spaces and tabs between them.
fn field_value(value: &DeValue<'_>) -> Result<String, Wrong> {
    let expected =
        format!("a header value: visible ASCII and spaces, at most {HEADER_VALUE_BYTES_MAX} bytes");
    let text = values::text(value, &expected)?;
    let is_right = text.len() <= HEADER_VALUE_BYTES_MAX
        && text.trim() == text
        && text
            .bytes()
            .all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte));
    if is_right {
        Ok(text.to_owned())
    } else {
        Err(Wrong::value(value, expected))
    }
}

/// Replies of the proxy's own.
pub(in crate::config) fn responses(
    section: Section<'_>,
    environment: &Environment<'_>,
) -> Responses {
    let page = section.read("page", |value| {
        let path = values::text(value, "the path of a file")?;
        read_page(&environment.base_dir().join(path), environment)
            .map_err(|expected| Wrong::value(value, expected))
    });
    let reveal_rule = section.flag("reveal_rule", false).value;
    section.finish();
    Responses {
        reveal_rule,
        page: page.map(|placed| placed.value),
    }
}

/// The page, or what would have been right.
fn read_page(path: &Path, environment: &Environment<'_>) -> Result<Page, String> {
    let body = (environment.read)(path)
        .map_err(|error| format!("a file that can be read ({}: {error})", path.display()))?;
    if body.len() > PAGE_BYTES_MAX {
        return Err(format!(
            "a file of at most {PAGE_BYTES_MAX} bytes, not {}",
            body.len()
        ));
    }
    let content_type = match path.extension().and_then(|extension| extension.to_str()) {
        Some("html" | "htm") => "text/html; charset=utf-8",
        Some("json") => "application/json",
        _ => "text/plain; charset=utf-8",
    };
    Ok(Page {
        content_type,
        body: body.into(),
    })
}
