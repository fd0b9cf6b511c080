//! `[auth]` and `listener.auth`: how clients say who they are.

use std::collections::BTreeMap;

use sallyport_identity::{Algorithm, Authority, ClaimPath, JwtIssuer};
use toml::de::DeValue;

use crate::config::checked::{Auth, AuthMethods, JwtSource};
use crate::config::environment::Environment;
use crate::config::raw::{Placed, Report, Section, Span};
use crate::config::sections::identity::is_label_name;
use crate::config::sections::tls::file;
use crate::config::values::{self, Wrong};
use crate::limits::{
    AUTH_FAILURES_PER_MINUTE_DEFAULT, AUTH_FAILURES_PER_MINUTE_MAX, JWT_AUDIENCES_MAX,
    JWT_ISSUERS_MAX, JWT_LEEWAY_DEFAULT, JWT_LEEWAY_MAX,
};

/// Files of users and tokens, issuers of JWTs.
pub(in crate::config) fn auth(
    section: Section<'_>,
    report: &Report<'_>,
    environment: &Environment<'_>,
) -> Auth {
    let mut issuers = Vec::new();
    for (index, (entry, span)) in section.sections("jwt").into_iter().enumerate() {
        if index == JWT_ISSUERS_MAX {
            let found = "one issuer more".to_owned();
            let expected = format!("at most {JWT_ISSUERS_MAX}");
            section.wrong("jwt", Some(span.clone()), &Wrong { found, expected });
        }
        issuers.extend(jwt(entry, &span, report, environment));
    }
    if !section.is_present("jwt") {
        // So that every key is known also where no issuer is.
        jwt(section.absent("jwt"), &(0..0), report, environment);
    }
    let failures = section.count(
        "failures_per_minute",
        AUTH_FAILURES_PER_MINUTE_DEFAULT,
        0..=AUTH_FAILURES_PER_MINUTE_MAX,
    );
    let auth = Auth {
        users: file(&section, "users", "auth.users", environment),
        tokens: file(&section, "tokens", "auth.tokens", environment),
        issuers,
        failures_per_minute: u32::try_from(failures.value)
            .ok()
            .filter(|&failures| failures > 0),
    };
    section.finish();
    auth
}

fn jwt(
    section: Section<'_>,
    span: &Span,
    report: &Report<'_>,
    environment: &Environment<'_>,
) -> Option<JwtSource> {
    let authority = authority(&section, span);
    let audiences = audiences(&section, span);
    let jwks = jwks(&section, span, environment);
    let algorithms = section.list(
        "algorithms",
        1..=Algorithm::ALL.len(),
        "algorithms",
        algorithm,
    );
    let leeway = section.duration(
        "leeway",
        JWT_LEEWAY_DEFAULT,
        std::time::Duration::ZERO..=JWT_LEEWAY_MAX,
    );
    let labels = labels(&section, report);
    section.finish();
    Some(JwtSource {
        issuer: JwtIssuer {
            authority: authority?,
            audiences: audiences?,
            algorithms: match algorithms {
                Some(listed) => listed.into_iter().map(|one| one.value).collect(),
                None => Algorithm::ALL.to_vec(),
            },
            labels,
            leeway_seconds: u32::try_from(leeway.value.as_secs()).unwrap_or(u32::MAX),
        },
        jwks: jwks?,
    })
}

/// Who vouches: an issuer, or a trust domain of SPIFFE.
fn authority(section: &Section<'_>, span: &Span) -> Option<Authority> {
    let issuer = section.read("issuer", |value| non_empty(value, "the `iss` of tokens"));
    let domain = section.read("trust_domain", |value| {
        non_empty(value, r#"a trust domain such as "example.org""#)
    });
    let principal = section.read("principal", claim);
    let has_one = section.is_present("issuer") != section.is_present("trust_domain");
    if !has_one && !span.is_empty() {
        let found = match section.is_present("issuer") {
            true => "issuer and trust_domain".to_owned(),
            false => "neither".to_owned(),
        };
        let expected = "issuer, or trust_domain for SPIFFE".to_owned();
        section.wrong("issuer", Some(span.clone()), &Wrong { found, expected });
    }
    if let (Some(_), Some(principal)) = (&domain, &principal) {
        let found = "a trust domain".to_owned();
        let expected = "no principal: it is the SPIFFE id in `sub`".to_owned();
        section.wrong(
            "principal",
            principal.span.clone(),
            &Wrong { found, expected },
        );
    }
    match (issuer, domain) {
        (Some(issuer), None) => Some(Authority::Issuer {
            issuer: issuer.value,
            principal: match principal {
                Some(claim) => claim.value,
                None => ClaimPath::parse("sub").ok()?,
            },
        }),
        (None, Some(domain)) => Some(Authority::TrustDomain(domain.value)),
        _ => None,
    }
}

/// What this proxy is called in tokens.
fn audiences(section: &Section<'_>, span: &Span) -> Option<Vec<String>> {
    const EXPECTED: &str = "what this proxy is called in `aud` of tokens";
    if !section.is_present("audience") && !span.is_empty() {
        // A token for somebody else must not serve here (RFC 8725 section 3.9).
        let (found, expected) = ("nothing".to_owned(), EXPECTED.to_owned());
        section.wrong("audience", Some(span.clone()), &Wrong { found, expected });
    }
    let audiences = section.read("audience", |value| {
        let Some(list) = value.as_array() else {
            return Ok(vec![non_empty(value, EXPECTED)?]);
        };
        if !(1..=JWT_AUDIENCES_MAX).contains(&list.len()) {
            let expected = format!("a text, or a list of 1 to {JWT_AUDIENCES_MAX}");
            return Err(Wrong::value(value, expected));
        }
        let texts = list.iter().map(|item| non_empty(item.get_ref(), EXPECTED));
        texts.collect()
    })?;
    Some(audiences.value)
}

/// The file with the keys of an issuer.
fn jwks(
    section: &Section<'_>,
    span: &Span,
    environment: &Environment<'_>,
) -> Option<crate::config::checked::FileKey> {
    let is_address = section.read("jwks", |value| {
        Ok(value.as_str().filter(|text| text.contains("://")))
    });
    if let Some(Placed {
        value: Some(address),
        span,
    }) = is_address
    {
        let expected = "the path of a key set in JSON: this version fetches none";
        section.wrong("jwks", span, &Wrong::text(address, expected));
        return None;
    }
    if !section.is_present("jwks") && !span.is_empty() {
        let found = "nothing".to_owned();
        let expected = "the path of the key set of this issuer (JWKS)".to_owned();
        section.wrong("jwks", Some(span.clone()), &Wrong { found, expected });
    }
    file(section, "jwks", "auth.jwt.jwks", environment)
}

/// Labels, and the claims that they are taken from.
fn labels(section: &Section<'_>, report: &Report<'_>) -> BTreeMap<String, ClaimPath> {
    let mut labels = BTreeMap::new();
    for entry in section.entries("labels") {
        if !is_label_name(entry.name) {
            let wrong = Wrong::text(entry.name, "the name of a label, as of a header field");
            report.wrong(&entry.key, Some(entry.name_span.clone()), &wrong);
        }
        match claim(entry.value.get_ref()) {
            Ok(claim) => {
                labels.insert(entry.name.to_ascii_lowercase(), claim);
            }
            Err(wrong) => report.wrong(&entry.key, Some(entry.value.span()), &wrong),
        }
    }
    labels
}

fn claim(value: &DeValue<'_>) -> Result<ClaimPath, Wrong> {
    const EXPECTED: &str = r#"a claim such as "sub", or a JSON Pointer such as "/realm/team""#;
    let text = values::text(value, EXPECTED)?;
    ClaimPath::parse(text).map_err(|error| Wrong::value(value, error.to_string()))
}

fn algorithm(value: &DeValue<'_>) -> Result<Algorithm, Wrong> {
    let names: Vec<_> = Algorithm::ALL.iter().map(|one| one.name()).collect();
    let expected = format!("one of {}", names.join(", "));
    let found = values::text(value, &expected)?;
    let algorithm = Algorithm::ALL.into_iter().find(|one| one.name() == found);
    algorithm.ok_or_else(|| Wrong::value(value, expected))
}

fn non_empty(value: &DeValue<'_>, expected: &str) -> Result<String, Wrong> {
    match values::text(value, expected)? {
        "" => Err(Wrong::value(value, expected)),
        text => Ok(text.to_owned()),
    }
}

/// How the clients of a listener say who they are, and whether there is what that needs.
pub(super) fn methods(section: &Section<'_>, auth: &Section<'_>, is_https: bool) -> AuthMethods {
    const WORDS: [&str; 4] = ["basic", "bearer", "jwt", "mtls"];
    let expected = r#""basic", "bearer", "jwt" or "mtls""#;
    let listed = section.list("auth", 0..=WORDS.len(), expected, |value| {
        let word = value.as_str().filter(|word| WORDS.contains(word));
        word.ok_or_else(|| Wrong::value(value, expected))
    });
    let mut methods = AuthMethods::default();
    for Placed { value: word, span } in listed.unwrap_or_default() {
        let needs = |is_there: bool, expected: &str| {
            if !is_there {
                let wrong = Wrong::text(word, expected);
                section.wrong("auth", span.clone(), &wrong);
            }
        };
        match word {
            "basic" => {
                methods.basic = true;
                needs(auth.is_present("users"), "auth.users as well");
            }
            "bearer" => {
                methods.bearer = true;
                needs(auth.is_present("tokens"), "auth.tokens as well");
            }
            "jwt" => {
                methods.jwt = true;
                needs(auth.is_present("jwt"), "[[auth.jwt]] as well");
            }
            _ => {
                methods.mtls = true;
                let has_authority = is_https && section.is_present("client_ca");
                let expected = r#"protocol = "https" and client_ca as well"#;
                needs(has_authority, expected);
            }
        }
    }
    methods
}
