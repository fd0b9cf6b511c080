//! Proofs from what a rule lists: each host, authority or URL that it lists leaves nothing to choose for domain,
//! port and path. If for each of them something else is asked of those, no request meets the rule so.

use sallyport_ruleset::{Composed, Condition, Field, Test, UrlScheme};

use super::claims::{Claim, Vocabulary};
use super::consistent::OwnHost;
use super::fields::FieldValue;

/// Listed texts up to which each is looked at.
const TEXTS_MAX: usize = 1_000;

/// The field and the texts that a condition lists, if it pins other fields by that.
pub(super) fn listed(condition: &Condition) -> Option<(&Field, Vec<&str>)> {
    let Condition {
        field: field @ (Field::DestinationHost | Field::Authority | Field::Url),
        negated: false,
        test: Test::Exact {
            values,
            ignore_case: false,
        },
    } = condition
    else {
        return None;
    };
    (values.len() <= TEXTS_MAX).then(|| (field, values.iter().collect()))
}

/// Whether no request that has one of these texts meets all `claims` and no rule of `excluded`.
pub(super) fn is_impossible(
    vocabulary: &mut Vocabulary,
    (field, texts): (&Field, Vec<&str>),
    claims: &[Claim],
    excluded: &[Vec<Claim>],
) -> bool {
    texts.into_iter().all(|text| {
        let Some(values) = pinned(field, text) else {
            return true;
        };
        let mut holds = |claim: &Claim| holds(vocabulary, &values, *claim);
        claims.iter().any(|claim| holds(claim) == Some(false))
            || excluded
                .iter()
                .any(|rule| rule.iter().all(|claim| holds(claim) == Some(true)))
    })
}

/// Whether a claim holds; `None`: that is not pinned.
fn holds(
    vocabulary: &mut Vocabulary,
    values: &[(Field, FieldValue)],
    claim: Claim,
) -> Option<bool> {
    let of = vocabulary.predicates.get(claim.predicate)?;
    let field = vocabulary.fields.get(of.field)?;
    let (_, value) = values.iter().find(|(pinned, _)| pinned == field)?;
    let space = vocabulary.spaces.get_mut(of.field)?;
    Some(space.holds(of.test, value) == claim.holds)
}

/// What a text says of other fields; `None`: no request has it.
fn pinned(field: &Field, text: &str) -> Option<Vec<(Field, FieldValue)>> {
    let value = |text: &[u8]| FieldValue::Texts(vec![text.to_vec()]);
    let mut values = Vec::new();
    let host_text = match field {
        Field::DestinationHost => text,
        Field::Authority => authority(text, &mut values)?,
        _ => url(text, &mut values)?,
    };
    let host = OwnHost::parse(host_text.as_bytes())?;
    let written = Composed::Host(host.lend()).text(&mut Vec::new()).to_vec();
    // An address has one spelling.
    if written != host_text.as_bytes() {
        return None;
    }
    values.push((Field::DestinationHost, value(host_text.as_bytes())));
    match &host {
        OwnHost::Name(name) => {
            values.push((Field::DestinationDomain, value(name.as_bytes())));
        }
        OwnHost::Address(address) => values.extend([
            (Field::DestinationDomain, FieldValue::Absent),
            (Field::DestinationIp, FieldValue::Ip(*address)),
        ]),
    }
    Some(values)
}

/// Host and port; the host.
fn authority<'t>(text: &'t str, values: &mut Vec<(Field, FieldValue)>) -> Option<&'t str> {
    let (host, digits) = text.rsplit_once(':')?;
    let port: u16 = digits.parse().ok()?;
    (port.to_string() == digits).then_some(())?;
    values.extend([
        (Field::Authority, FieldValue::Texts(vec![text.into()])),
        (Field::DestinationPort, FieldValue::Number(port.into())),
    ]);
    Some(host)
}

/// A URL, or the authority of a tunnel that is not looked into; the host.
fn url<'t>(text: &'t str, values: &mut Vec<(Field, FieldValue)>) -> Option<&'t str> {
    values.push((Field::Url, FieldValue::Texts(vec![text.into()])));
    let known = [
        ("http://", UrlScheme::Http, 80),
        ("https://", UrlScheme::Https, 443_u16),
    ];
    let found = known
        .into_iter()
        .find_map(|(prefix, scheme, port)| Some((text.strip_prefix(prefix)?, scheme, port)));
    let Some((rest, scheme, own_port)) = found else {
        values.push((Field::HttpUri, FieldValue::Absent));
        values.push((Field::HttpMethod, FieldValue::Absent));
        return authority(text, values);
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let (before, path) = rest.split_at(end);
    let (host, port) = match before.rsplit_once(':') {
        Some((host, digits)) if !digits.ends_with(']') => (host, digits.parse().ok()?),
        _ => (before, own_port),
    };
    let uri = if path.is_empty() { "*" } else { path };
    let own_host = OwnHost::parse(host.as_bytes())?;
    let composed = Composed::Url {
        scheme,
        host: own_host.lend(),
        port,
        uri: uri.as_bytes(),
    };
    // The scheme's own port is not written.
    (composed.text(&mut Vec::new()) == text.as_bytes()).then_some(())?;
    let authority = format!("{host}:{port}");
    values.extend([
        (Field::HttpUri, FieldValue::Texts(vec![uri.into()])),
        (Field::DestinationPort, FieldValue::Number(port.into())),
        (
            Field::Authority,
            FieldValue::Texts(vec![authority.into_bytes()]),
        ),
    ]);
    Some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(field: &Field, text: &str) -> Option<Vec<String>> {
        let values = pinned(field, text)?;
        let show = |(field, value): &(Field, FieldValue)| {
            let value = match value {
                FieldValue::Texts(texts) => String::from_utf8(texts.concat()).unwrap(),
                FieldValue::Number(number) => number.to_string(),
                FieldValue::Ip(address) => address.to_string(),
                _ => "absent".to_owned(),
            };
            format!(
                "{} {value}",
                field.to_string().trim_start_matches("request:")
            )
        };
        Some(values.iter().map(show).collect())
    }

    #[test]
    fn texts_pin_other_fields() {
        let of = |values: &[&str]| Some(values.iter().map(|text| (*text).to_owned()).collect());
        assert_eq!(
            shown(&Field::DestinationHost, "a.test"),
            of(&["DestinationHost a.test", "DestinationDomain a.test"])
        );
        assert_eq!(
            shown(&Field::Authority, "[::1]:80"),
            of(&[
                "Authority [::1]:80",
                "DestinationPort 80",
                "DestinationHost [::1]",
                "DestinationDomain absent",
                "DestinationIp ::1"
            ])
        );
        assert_eq!(
            shown(&Field::Url, "https://a.test/x?y"),
            of(&[
                "Url https://a.test/x?y",
                "Http:Uri /x?y",
                "DestinationPort 443",
                "Authority a.test:443",
                "DestinationHost a.test",
                "DestinationDomain a.test"
            ])
        );
        for (field, text) in [
            (Field::DestinationHost, "[::0:1]"),
            (Field::Authority, "a.test"),
            (Field::Authority, "a.test:080"),
            (Field::Url, "https://a.test:443/"),
            (Field::Url, "ftp://a.test/"),
        ] {
            assert_eq!(shown(&field, text), None, "{text}");
        }
    }
}
