//! `[tls]`: what is intercepted, with what, and whom of the origins to believe.

use std::num::NonZeroUsize;

use sallyport_pki::UpstreamVerify;
use sallyport_ruleset::normalize::normalize_domain;
use toml::de::DeValue;

use crate::config::checked::{
    Ech, FileKey, Identity, ListenerTls, Tls, TlsMode, TlsScope, TlsUpstream, TlsVersion,
};
use crate::config::environment::Environment;
use crate::config::raw::{Section, Span};
use crate::config::sections::destinations::{networks, port};
use crate::config::values::{self, Wrong};
use crate::limits::{
    CERTIFICATE_CACHE_ENTRIES_DEFAULT, CERTIFICATE_CACHE_ENTRIES_MAX, TLS_FILES_MAX,
    TLS_SCOPE_ENTRIES_MAX, TLS_SCOPES_MAX,
};

const MODES: &[(&str, TlsMode)] = &[
    ("passthrough", TlsMode::Passthrough),
    ("intercept", TlsMode::Intercept),
];
const ECH: &[(&str, Ech)] = &[("allow", Ech::Allow), ("deny", Ech::Deny)];
const VERSIONS: &[(&str, TlsVersion)] = &[("1.2", TlsVersion::V12), ("1.3", TlsVersion::V13)];
const VERIFY: &[(&str, UpstreamVerify)] = &[
    ("deny", UpstreamVerify::Deny),
    ("alert", UpstreamVerify::Alert),
];

/// Everything about TLS inside tunnels.
pub(in crate::config) fn tls(section: Section<'_>, environment: &Environment<'_>) -> Tls {
    let upstream = upstream(section.section("upstream"), environment);
    let entries = section.count(
        "certificate_cache_entries",
        CERTIFICATE_CACHE_ENTRIES_DEFAULT,
        1..=CERTIFICATE_CACHE_ENTRIES_MAX,
    );
    let tls = Tls {
        mode: section.choice("mode", TlsMode::Passthrough, MODES),
        scopes: scopes(&section, &upstream, environment),
        ca: file(&section, "ca", "tls.ca", environment),
        ca_key: file(&section, "ca_key", "tls.ca_key", environment),
        version_min: section.choice("version_min", TlsVersion::V12, VERSIONS),
        rsa_leaf: section.flag("rsa_leaf", false).value,
        certificate_cache_entries: NonZeroUsize::new(entries.value).unwrap_or(NonZeroUsize::MIN),
        ech: section.choice("ech", Ech::Allow, ECH),
        client_certificate_fallback: section.flag("client_certificate_fallback", false).value,
        upstream,
    };
    if tls.intercepts() && !section.is_present("ca") {
        let wrong = Wrong {
            found: "nothing".to_owned(),
            expected: "a certificate authority, because something is to be intercepted; \
                       `sallyport ca init` makes one"
                .to_owned(),
        };
        section.wrong("ca", None, &wrong);
    }
    section.finish();
    tls
}

fn upstream(section: Section<'_>, environment: &Environment<'_>) -> TlsUpstream {
    let built_in_roots = section.flag("built_in_roots", true);
    let upstream = TlsUpstream {
        built_in_roots: built_in_roots.value,
        system_roots: section.flag("system_roots", false).value,
        roots: files(&section, "roots", "tls.upstream.roots", environment),
        crls: files(&section, "crls", "tls.upstream.crls", environment),
        version_min: section.choice("version_min", TlsVersion::V12, VERSIONS),
        verify: section.choice("verify", UpstreamVerify::Deny, VERIFY),
    };
    let has_roots = upstream.built_in_roots || upstream.system_roots || section.is_present("roots");
    if !has_roots {
        let wrong = Wrong {
            found: "no roots at all".to_owned(),
            expected: "built_in_roots, system_roots or roots: else no origin is believed"
                .to_owned(),
        };
        section.wrong("built_in_roots", built_in_roots.span, &wrong);
    }
    section.finish();
    upstream
}

fn scopes(
    tls: &Section<'_>,
    upstream: &TlsUpstream,
    environment: &Environment<'_>,
) -> Vec<TlsScope> {
    let mut scopes = Vec::new();
    for (index, (section, span)) in tls.sections("scope").into_iter().enumerate() {
        if index == TLS_SCOPES_MAX {
            let found = "one scope more".to_owned();
            let expected = format!("at most {TLS_SCOPES_MAX}");
            tls.wrong("scope", Some(span.clone()), &Wrong { found, expected });
        }
        scopes.push(scope(section, span, upstream, environment));
    }
    if scopes.is_empty() {
        // So that every key is known also where no scope is.
        scope(tls.absent("scope"), 0..0, upstream, environment);
    }
    scopes
}

fn scope(
    section: Section<'_>,
    span: Span,
    upstream: &TlsUpstream,
    environment: &Environment<'_>,
) -> TlsScope {
    let domains = section.list("domains", 0..=TLS_SCOPE_ENTRIES_MAX, "domains", domain);
    let ports = section.list("ports", 0..=TLS_SCOPE_ENTRIES_MAX, "ports", port);
    let mode = section.read("mode", |value| {
        let mode = MODES.iter().find(|(word, _)| value.as_str() == Some(word));
        let wrong = || Wrong::value(value, r#""passthrough" or "intercept""#);
        mode.map(|&(_, mode)| mode).ok_or_else(wrong)
    });
    if mode.is_none() && !section.is_present("mode") && !span.is_empty() {
        let found = "nothing".to_owned();
        let expected = r#""passthrough" or "intercept""#.to_owned();
        section.wrong("mode", Some(span), &Wrong { found, expected });
    }
    let scope = TlsScope {
        domains: domains
            .unwrap_or_default()
            .into_iter()
            .map(|domain| domain.value)
            .collect(),
        destinations: networks(&section, "destinations"),
        ports: ports
            .unwrap_or_default()
            .into_iter()
            .map(|port| port.value)
            .collect(),
        clients: networks(&section, "clients"),
        mode: mode.map_or(TlsMode::Passthrough, |placed| placed.value),
        upstream_verify: section.choice("upstream_verify", upstream.verify, VERIFY),
        client_certificate: identity(
            &section,
            ["client_certificate", "client_key"],
            ["tls.scope.client_certificate", "tls.scope.client_key"],
            environment,
        ),
    };
    section.finish();
    scope
}

/// A name, or `*.` and a name, in normal form.
pub(super) fn domain(value: &DeValue<'_>) -> Result<String, Wrong> {
    const EXPECTED: &str = r#"a domain such as "bank.example" or "*.bank.example""#;
    let text = values::text(value, EXPECTED)?;
    let (prefix, name) = match text.strip_prefix("*.") {
        Some(name) => ("*.", name),
        None => ("", text),
    };
    let mut scratch = String::new();
    normalize_domain(name, &mut scratch)
        .map(|name| format!("{prefix}{name}"))
        .map_err(|_| Wrong::value(value, EXPECTED))
}

/// What an `https` listener needs; only such a listener may say any of it.
pub(in crate::config) fn listener_tls(
    section: &Section<'_>,
    environment: &Environment<'_>,
) -> Option<ListenerTls> {
    let identity = identity(
        section,
        ["certificate", "key"],
        ["listener.certificate", "listener.key"],
        environment,
    );
    let client_ca = file(section, "client_ca", "listener.client_ca", environment);
    identity.map(|identity| ListenerTls {
        identity,
        client_ca,
    })
}

/// A certificate and its key: the key is in the same file unless the second name is given.
fn identity(
    section: &Section<'_>,
    names: [&'static str; 2],
    keys: [&'static str; 2],
    environment: &Environment<'_>,
) -> Option<Identity> {
    let certificate = file(section, names[0], keys[0], environment);
    let key = file(section, names[1], keys[1], environment);
    if certificate.is_none() && key.is_some() && !section.is_present(names[0]) {
        let found = "a key alone".to_owned();
        let expected = format!("{} as well", keys[0]);
        section.wrong(names[1], None, &Wrong { found, expected });
    }
    let certificate = certificate?;
    let key = key.unwrap_or_else(|| certificate.clone());
    Some(Identity { certificate, key })
}

pub(super) fn file(
    section: &Section<'_>,
    name: &'static str,
    key: &'static str,
    environment: &Environment<'_>,
) -> Option<FileKey> {
    let placed = section.read(name, path)?;
    Some(FileKey {
        path: environment.base_dir().join(placed.value),
        key,
        line: section.line(placed.span.as_ref()),
    })
}

fn files(
    section: &Section<'_>,
    name: &'static str,
    key: &'static str,
    environment: &Environment<'_>,
) -> Vec<FileKey> {
    let listed = section.list(name, 0..=TLS_FILES_MAX, "paths", path);
    let listed = listed.unwrap_or_default().into_iter();
    listed
        .map(|placed| FileKey {
            path: environment.base_dir().join(placed.value),
            key,
            line: section.line(placed.span.as_ref()),
        })
        .collect()
}

fn path<'v>(value: &'v DeValue<'_>) -> Result<&'v str, Wrong> {
    const EXPECTED: &str = "the path of a file";
    match values::text(value, EXPECTED)? {
        "" => Err(Wrong::value(value, EXPECTED)),
        path => Ok(path),
    }
}
