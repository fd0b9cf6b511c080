//! `[identity]`: what is known of clients, by what they show.

use std::collections::{BTreeMap, HashSet};

use ipnet::IpNet;
use sallyport_identity::SpiffeId;
use toml::de::DeValue;

use crate::config::checked::{IdentitySource, SourceOf};
use crate::config::raw::{Entry, Report, Section, Span};
use crate::config::values::{self, Wrong};
use crate::limits::{IDENTITY_SOURCE_ENTRIES_MAX, IDENTITY_SOURCES_MAX, IDENTITY_WORD_BYTES_MAX};

/// The keys of which each entry has exactly one.
const KINDS: [&str; 4] = ["vpce", "clients", "principal", "spiffe"];

/// All entries.
pub(in crate::config) fn identity_sources(
    section: Section<'_>,
    report: &Report<'_>,
) -> Vec<IdentitySource> {
    let mut sources = Vec::new();
    let mut seen = Seen::default();
    for (index, (entry, span)) in section.sections("source").into_iter().enumerate() {
        if index == IDENTITY_SOURCES_MAX {
            let found = "one source more".to_owned();
            let expected = format!("at most {IDENTITY_SOURCES_MAX}");
            section.wrong("source", Some(span.clone()), &Wrong { found, expected });
        }
        sources.extend(source(entry, &span, report, &mut seen));
    }
    if sources.is_empty() {
        // So that every key is known also where no source is.
        source(section.absent("source"), &(0..0), report, &mut seen);
    }
    section.finish();
    sources
}

/// What entries before have spoken of: of two for the same clients nobody could say which counts.
#[derive(Default)]
struct Seen {
    texts: HashSet<(&'static str, String)>,
    networks: HashSet<IpNet>,
}

fn source(
    section: Section<'_>,
    span: &Span,
    report: &Report<'_>,
    seen: &mut Seen,
) -> Option<IdentitySource> {
    let of = of(&section, span, seen);
    let [vpc, account] =
        ["vpc", "account"].map(|name| Some(section.read(name, word)?.value.to_owned()));
    let source = IdentitySource {
        of: of?,
        vpc,
        account,
        labels: labels(&section, report),
    };
    if source.vpc.is_none() && source.account.is_none() && source.labels.is_empty() {
        let is_said = ["vpc", "account", "labels"];
        if !is_said.into_iter().any(|name| section.is_present(name)) {
            let found = "nothing about these clients".to_owned();
            let expected = "vpc, account or labels".to_owned();
            section.wrong("vpc", Some(span.clone()), &Wrong { found, expected });
        }
    }
    section.finish();
    Some(source)
}

/// Of whom an entry speaks.
fn of(section: &Section<'_>, span: &Span, seen: &mut Seen) -> Option<SourceOf> {
    let endpoint = once(section, "vpce", seen, |value| Ok(word(value)?.to_owned()));
    let principal = once(section, "principal", seen, |value| {
        Ok(word(value)?.to_owned())
    });
    let spiffe = once(section, "spiffe", seen, spiffe);
    let counts = 1..=IDENTITY_SOURCE_ENTRIES_MAX;
    let clients = section.list("clients", counts, "networks", |value| {
        values::network(values::text(value, "a network")?)
    });
    let clients: Option<Vec<IpNet>> = clients.map(|networks| {
        for network in &networks {
            if !seen.networks.insert(network.value) {
                let wrong = Wrong::text(
                    &network.value.to_string(),
                    "a network that no source before it has",
                );
                section.wrong("clients", network.span.clone(), &wrong);
            }
        }
        networks.into_iter().map(|network| network.value).collect()
    });
    let present: Vec<_> = KINDS
        .into_iter()
        .filter(|name| section.is_present(name))
        .collect();
    if present.len() != 1 && !span.is_empty() {
        let found = match &*present {
            [] => "nobody".to_owned(),
            names => names.join(" and "),
        };
        let expected = "one of vpce, clients, principal and spiffe".to_owned();
        let name = present.first().copied().unwrap_or("clients");
        section.wrong(name, Some(span.clone()), &Wrong { found, expected });
    }
    let endpoint = endpoint.map(SourceOf::Endpoint);
    let clients = clients.map(SourceOf::Clients);
    let principal = principal.map(SourceOf::Principal);
    let spiffe = spiffe.map(SourceOf::Spiffe);
    endpoint.or(clients).or(principal).or(spiffe)
}

/// A value that no entry before has.
fn once<T: ToString>(
    section: &Section<'_>,
    name: &'static str,
    seen: &mut Seen,
    parse: impl FnOnce(&DeValue<'_>) -> Result<T, Wrong>,
) -> Option<T> {
    let placed = section.read(name, parse)?;
    let text = placed.value.to_string();
    let is_new = seen.texts.insert((name, text.clone()));
    if !is_new {
        let wrong = Wrong::text(&text, "one that no source before it has");
        section.wrong(name, placed.span, &wrong);
    }
    Some(placed.value)
}

fn spiffe(value: &DeValue<'_>) -> Result<SpiffeId, Wrong> {
    const EXPECTED: &str = r#"a SPIFFE id such as "spiffe://example.org/ns/pay""#;
    SpiffeId::parse(values::text(value, EXPECTED)?)
        .map_err(|error| Wrong::value(value, format!("{EXPECTED}: {error}")))
}

/// What logs and rules can take.
fn word<'v>(value: &'v DeValue<'_>) -> Result<&'v str, Wrong> {
    let expected =
        format!("a text of 1 to {IDENTITY_WORD_BYTES_MAX} bytes without control characters");
    let text = values::text(value, &expected)?;
    let is_word = (1..=IDENTITY_WORD_BYTES_MAX).contains(&text.len());
    match is_word && !text.contains(char::is_control) {
        true => Ok(text),
        false => Err(Wrong::value(value, expected)),
    }
}

/// Labels by their names, of which letters count in either case.
fn labels(section: &Section<'_>, report: &Report<'_>) -> BTreeMap<String, Vec<String>> {
    let entries = section.entries("labels");
    let mut labels = BTreeMap::new();
    if entries.len() > IDENTITY_SOURCE_ENTRIES_MAX {
        let found = format!("{} labels", entries.len());
        let expected = format!("at most {IDENTITY_SOURCE_ENTRIES_MAX}");
        section.wrong("labels", None, &Wrong { found, expected });
    }
    for entry in &entries {
        let values = label_values(entry, report);
        if !is_label_name(entry.name) {
            let wrong = Wrong::text(
                entry.name,
                "the name of a label: letters, digits and `-._~` and the like, as of a header field",
            );
            report.wrong(&entry.key, Some(entry.name_span.clone()), &wrong);
        } else if labels
            .insert(entry.name.to_ascii_lowercase(), values)
            .is_some()
        {
            let wrong = Wrong::text(entry.name, "a label that is not there in other letters");
            report.wrong(&entry.key, Some(entry.name_span.clone()), &wrong);
        }
    }
    labels
}

/// As `request:SourceLabel/NAME` can ask for it: a token of RFC 9110 section 5.6.2.
pub(super) fn is_label_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=IDENTITY_WORD_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_token)
}

/// One text, or a list of them.
fn label_values(entry: &Entry<'_>, report: &Report<'_>) -> Vec<String> {
    let value = entry.value.get_ref();
    let items = match value.as_array() {
        None => vec![entry.value],
        Some(list) => list.iter().collect(),
    };
    if !(1..=IDENTITY_SOURCE_ENTRIES_MAX).contains(&items.len()) {
        let expected = format!("a text, or a list of 1 to {IDENTITY_SOURCE_ENTRIES_MAX}");
        let wrong = Wrong::value(value, expected);
        report.wrong(&entry.key, Some(entry.value.span()), &wrong);
    }
    let mut values = Vec::new();
    for item in items {
        match word(item.get_ref()) {
            Ok(text) => values.push(text.to_owned()),
            Err(wrong) => report.wrong(&entry.key, Some(item.span()), &wrong),
        }
    }
    values
}
