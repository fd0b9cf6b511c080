//! How messages are forwarded: `[http]`.

use sallyport_wire::http1::Leniency;
use toml::de::DeValue;

use crate::config::checked::{Http, HttpScope, PathForm};
use crate::config::raw::Section;
use crate::config::sections::destinations::{networks, port};
use crate::config::sections::tls::domain;
use crate::config::values::{self, Wrong};
use crate::limits as bounds;

const PATHS: &[(&str, PathForm)] = &[
    ("as-is", PathForm::AsIs),
    ("merge-slashes", PathForm::MergeSlashes),
    ("reject-escaped-slashes", PathForm::RejectEscapedSlashes),
];

/// What is done with requests and responses on their way.
pub(in crate::config) fn http(section: Section<'_>) -> Http {
    let http = Http {
        retry_body_bytes: section
            .size(
                "retry_body_bytes",
                bounds::RETRY_BODY_BYTES_DEFAULT,
                0..=bounds::RETRY_BODY_BYTES_MAX,
            )
            .value,
        https_targets: section.flag("https_targets", true).value,
        path: section.choice("path", PathForm::AsIs, PATHS),
        origin_leniency: leniency(&section),
        scopes: scopes(&section),
    };
    section.finish();
    http
}

fn scopes(http: &Section<'_>) -> Vec<HttpScope> {
    let sections = http.sections("scope");
    if let Some((_, span)) = sections.get(bounds::HTTP_SCOPES_MAX) {
        let found = "one scope more".to_owned();
        let expected = format!("at most {}", bounds::HTTP_SCOPES_MAX);
        http.wrong("scope", Some(span.clone()), &Wrong { found, expected });
    }
    if sections.is_empty() {
        // So that every key is known also where no scope is.
        scope(http.absent("scope"));
    }
    sections
        .into_iter()
        .map(|(section, _)| scope(section))
        .collect()
}

fn scope(section: Section<'_>) -> HttpScope {
    let domains = section.list(
        "domains",
        0..=bounds::HTTP_SCOPE_ENTRIES_MAX,
        "domains",
        domain,
    );
    let ports = section.list("ports", 0..=bounds::HTTP_SCOPE_ENTRIES_MAX, "ports", port);
    let domains = domains.unwrap_or_default().into_iter();
    let ports = ports.unwrap_or_default().into_iter();
    let scope = HttpScope {
        domains: domains.map(|placed| placed.value).collect(),
        destinations: networks(&section, "destinations"),
        ports: ports.map(|placed| placed.value).collect(),
        origin_leniency: leniency(&section),
    };
    section.finish();
    scope
}

fn leniency(section: &Section<'_>) -> Leniency {
    let words = section.list("origin_leniency", 0..=8, "words", word);
    let mut leniency = Leniency::default();
    for permit in words.unwrap_or_default() {
        (permit.value)(&mut leniency);
    }
    leniency
}

fn word(value: &DeValue<'_>) -> Result<fn(&mut Leniency), Wrong> {
    const EXPECTED: &str = r#""bare-lf" or "length-with-chunked""#;
    match values::text(value, EXPECTED)? {
        "bare-lf" => Ok(|all| all.bare_lf = true),
        "length-with-chunked" => Ok(|all| all.length_with_coding = true),
        _ => Err(Wrong::value(value, EXPECTED)),
    }
}
