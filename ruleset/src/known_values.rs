//! The values that a field has, as conditions see them: in their normal form. Slow and allocating; for the
//! naive evaluator and for people.

use std::net::IpAddr;

use crate::{Fact, Facts, Field, FieldValues, HeaderFields};

/// The values of a field that is not unknown, as text.
pub(crate) fn shown_values(field: &Field, facts: &Facts<'_>) -> Vec<String> {
    let shown = |value: &Value| match value {
        Value::Text(text) => format!("{:?}", String::from_utf8_lossy(text)),
        Value::Number(number) => number.to_string(),
        Value::Ip(address) => address.to_canonical().to_string(),
        Value::Time(time) => time.to_string(),
    };
    values(field, facts).iter().map(shown).collect()
}

/// One value.
pub(crate) enum Value {
    Text(Vec<u8>),
    Number(u64),
    Ip(IpAddr),
    Time(i64),
}

/// All values of a field that is not unknown; none when it is absent.
pub(crate) fn values(field: &Field, facts: &Facts<'_>) -> Vec<Value> {
    match field {
        Field::SourceIp => one(facts.source_ip, Value::Ip),
        Field::SourcePort => one(facts.source_port, |port| Value::Number(port.into())),
        Field::SourceVpce => one(facts.source_vpce, text),
        Field::SourceVpc => one(facts.source_vpc, text),
        Field::SourceAccount => one(facts.source_account, text),
        Field::SourceLabel(name) => header_values(facts.source_labels, name),
        Field::Principal => one(facts.principal, text),
        Field::Time => one(facts.time, Value::Time),
        Field::Protocol => match facts.protocol {
            Fact::Known(set) => set
                .iter()
                .map(|word| text(word.name().as_bytes()))
                .collect(),
            _ => Vec::new(),
        },
        Field::DestinationDomain => one(facts.destination_domain, |domain| text(domain.as_bytes())),
        Field::DestinationHost => one(facts.destination_host, composed),
        Field::Authority => one(facts.authority, composed),
        Field::DestinationPort => one(facts.destination_port, |port| Value::Number(port.into())),
        Field::DestinationIp => one(facts.destination_ip, Value::Ip),
        Field::TlsSni => one(facts.tls_sni, |sni| {
            text(&sni.strip_suffix(b".").unwrap_or(sni).to_ascii_lowercase())
        }),
        Field::TlsAlpn => match facts.tls_alpn {
            Fact::Known(protocols) => protocols.iter().map(|protocol| text(protocol)).collect(),
            _ => Vec::new(),
        },
        Field::TlsVersion => one(facts.tls_version, text),
        Field::Ja4 => one(facts.ja4, text),
        Field::TlsEch => one(facts.tls_ech, text),
        Field::HttpUri => one(facts.uri, text),
        Field::Url => one(facts.url, composed),
        Field::HttpMethod => one(facts.method, text),
        Field::HttpUserAgent => lines(facts.user_agent),
        Field::HttpContentType => content_types(facts.content_type),
        Field::HttpHost => one(facts.host, text),
        Field::HttpContentLength => one(facts.content_length, Value::Number),
        Field::RequestHeader(name) => header_values(facts.request_headers, name),
        Field::ResponseStatusCode => one(facts.status_code, |code| Value::Number(code.into())),
        Field::ResponseContentLength => one(facts.response_content_length, Value::Number),
        Field::ResponseContentType => content_types(facts.response_content_type),
        Field::ResponseHeader(name) => header_values(facts.response_headers, name),
        Field::ResponseTlsIssuer => one(facts.tls_issuer, text),
        Field::ResponseTlsSha256 => one(facts.tls_sha256, text),
    }
}

fn one<T>(fact: Fact<T>, value: impl Fn(T) -> Value) -> Vec<Value> {
    match fact {
        Fact::Known(known) => vec![value(known)],
        Fact::Unknown | Fact::Absent => Vec::new(),
    }
}

fn text(bytes: &[u8]) -> Value {
    Value::Text(bytes.to_vec())
}

fn composed(parts: crate::Composed<'_>) -> Value {
    text(parts.text(&mut Vec::new()))
}

fn lines(fact: Fact<FieldValues<'_>>) -> Vec<Value> {
    let mut values = Vec::new();
    if let Fact::Known(known) = fact {
        known.for_each(&mut |value| values.push(text(value)));
    }
    values
}

fn content_types(fact: Fact<FieldValues<'_>>) -> Vec<Value> {
    let mut values = Vec::new();
    if let Fact::Known(known) = fact {
        known.for_each_content_type(&mut |value| {
            let mut normal = Vec::new();
            crate::normalize::normalize_content_type(value, &mut normal);
            values.push(Value::Text(normal));
        });
    }
    values
}

fn header_values(headers: Fact<&dyn HeaderFields>, wanted: &str) -> Vec<Value> {
    let mut values = Vec::new();
    if let Fact::Known(headers) = headers {
        headers.for_each(&mut |name, value| {
            if name.eq_ignore_ascii_case(wanted.as_bytes()) {
                values.push(text(value));
            }
        });
    }
    values
}
