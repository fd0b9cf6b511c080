//! A request that shows a difference: a value for each field that either ruleset looks at in the
//! phase. What no rule looks at is absent.

use sallyport_ruleset::{
    Composed, Fact, Facts, Field, FieldValues, HeaderFields, Phase, ProtocolSet,
};
use serde_json::{Value, json};

use super::fields::FieldValue;
use crate::tools::given_values::escape;
use crate::tools::request_args::phase_word;

/// Values by field.
#[derive(Clone, Debug)]
pub(super) struct Witness {
    pub(super) values: Vec<(Field, FieldValue)>,
}

type HeaderLines = Vec<(Vec<u8>, Vec<u8>)>;

const USER_AGENT: &str = "user-agent";
const CONTENT_TYPE: &str = "content-type";

/// What is borrowed by facts.
#[derive(Default)]
struct Held {
    labels: HeaderLines,
    request_headers: HeaderLines,
    response_headers: HeaderLines,
    user_agents: HeaderLines,
    content_types: HeaderLines,
    response_content_types: HeaderLines,
}

/// A dot at the end of a claimed name is dropped before it is compared.
fn claimed(name: &[u8]) -> Vec<u8> {
    let mut name = name.to_vec();
    if name.ends_with(b".") {
        name.push(b'.');
    }
    name
}

impl Witness {
    /// Lends the facts, all known or absent.
    pub(super) fn with<T>(&self, take: impl FnOnce(&Facts<'_>) -> T) -> T {
        let mut held = Held::default();
        for (field, value) in &self.values {
            let FieldValue::Texts(texts) = value else {
                continue;
            };
            let (lines, name) = match field {
                Field::SourceLabel(name) => (&mut held.labels, &**name),
                Field::RequestHeader(name) => (&mut held.request_headers, &**name),
                Field::ResponseHeader(name) => (&mut held.response_headers, &**name),
                Field::HttpUserAgent => (&mut held.user_agents, USER_AGENT),
                Field::HttpContentType => (&mut held.content_types, CONTENT_TYPE),
                Field::ResponseContentType => (&mut held.response_content_types, CONTENT_TYPE),
                _ => continue,
            };
            lines.extend(
                texts
                    .iter()
                    .map(|text| (name.as_bytes().to_vec(), text.clone())),
            );
        }
        let alpn: Vec<&[u8]> = match self.of(&Field::TlsAlpn) {
            Some(FieldValue::Texts(texts)) => texts.iter().map(Vec::as_slice).collect(),
            _ => Vec::new(),
        };
        let sni = self.text(&Field::TlsSni).map(claimed);
        take(&self.facts(&held, &alpn, sni.as_deref()))
    }

    fn facts<'f>(
        &'f self,
        held: &'f Held,
        alpn: &'f [&'f [u8]],
        sni: Option<&'f [u8]>,
    ) -> Facts<'f> {
        let text = |field| Fact::from(self.text(field));
        let composed = |field| Fact::from(self.text(field).map(Composed::Text));
        let short = |field| {
            Fact::from(
                self.number(field)
                    .and_then(|number| u16::try_from(number).ok()),
            )
        };
        let domain = self.text(&Field::DestinationDomain);
        let named = |lines: &'f HeaderLines, name| Fact::Known(FieldValues::Named(lines, name));
        let headers = |lines: &'f HeaderLines| Fact::Known(lines as &dyn HeaderFields);
        Facts {
            source_ip: self.address(&Field::SourceIp),
            source_port: short(&Field::SourcePort),
            source_vpce: text(&Field::SourceVpce),
            source_vpc: text(&Field::SourceVpc),
            source_account: text(&Field::SourceAccount),
            source_labels: headers(&held.labels),
            principal: text(&Field::Principal),
            time: match self.of(&Field::Time) {
                Some(FieldValue::Time(time)) => Fact::Known(*time),
                _ => Fact::Absent,
            },
            protocol: Fact::Known(match self.of(&Field::Protocol) {
                Some(FieldValue::Protocols(set)) => *set,
                _ => ProtocolSet::EMPTY,
            }),
            destination_domain: domain.and_then(|domain| str::from_utf8(domain).ok()).into(),
            destination_host: composed(&Field::DestinationHost),
            authority: composed(&Field::Authority),
            destination_port: short(&Field::DestinationPort),
            destination_ip: self.address(&Field::DestinationIp),
            tls_sni: sni.into(),
            tls_alpn: Fact::Known(alpn),
            tls_version: text(&Field::TlsVersion),
            ja4: text(&Field::Ja4),
            tls_ech: text(&Field::TlsEch),
            uri: text(&Field::HttpUri),
            url: composed(&Field::Url),
            method: text(&Field::HttpMethod),
            user_agent: named(&held.user_agents, USER_AGENT),
            content_type: named(&held.content_types, CONTENT_TYPE),
            host: text(&Field::HttpHost),
            content_length: self.number(&Field::HttpContentLength).into(),
            request_headers: headers(&held.request_headers),
            status_code: short(&Field::ResponseStatusCode),
            response_content_length: self.number(&Field::ResponseContentLength).into(),
            response_content_type: named(&held.response_content_types, CONTENT_TYPE),
            response_headers: headers(&held.response_headers),
            tls_issuer: text(&Field::ResponseTlsIssuer),
            tls_sha256: text(&Field::ResponseTlsSha256),
        }
    }

    pub(super) fn of(&self, wanted: &Field) -> Option<&FieldValue> {
        let found = self.values.iter().find(|(field, _)| field == wanted);
        found.map(|(_, value)| value)
    }

    pub(super) fn text(&self, field: &Field) -> Option<&[u8]> {
        match self.of(field) {
            Some(FieldValue::Texts(texts)) => texts.first().map(Vec::as_slice),
            _ => None,
        }
    }

    pub(super) fn number(&self, field: &Field) -> Option<u64> {
        match self.of(field) {
            Some(FieldValue::Number(number)) => Some(*number),
            _ => None,
        }
    }

    fn address(&self, field: &Field) -> Fact<std::net::IpAddr> {
        match self.of(field) {
            Some(FieldValue::Ip(address)) => Fact::Known(*address),
            _ => Fact::Absent,
        }
    }

    /// A line for each field that is there, and one for those that are not.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut absent = Vec::new();
        for (field, value) in &self.values {
            match shown(value).as_slice() {
                [] => absent.push(field.to_string()),
                values => lines.push(format!("{field} = {}", values.join(", "))),
            }
        }
        lines.sort();
        if !absent.is_empty() {
            absent.sort();
            lines.push(format!("absent: {}", absent.join(", ")));
        }
        lines
    }

    /// The arguments of `explain` that ask a phase about this request.
    pub(super) fn arguments(&self, phase: Phase) -> Vec<String> {
        let mut arguments = vec!["--phase".to_owned(), phase_word(phase).to_owned()];
        for (field, value) in &self.values {
            let values = match value {
                FieldValue::Absent => {
                    arguments.extend(["--absent".to_owned(), field.to_string()]);
                    continue;
                }
                FieldValue::Texts(texts) if *field == Field::TlsSni => {
                    texts.iter().map(|text| escape(&claimed(text))).collect()
                }
                FieldValue::Texts(texts) => texts.iter().map(|text| escape(text)).collect(),
                // Seconds say any time, also such as no calendar has.
                FieldValue::Time(seconds) => vec![seconds.to_string()],
                value => plain(value),
            };
            for value in values {
                arguments.extend(["--fact".to_owned(), format!("{field}={value}")]);
            }
        }
        arguments
    }

    /// An object: for each field a list of values, empty when it is absent.
    pub(super) fn as_value(&self) -> Value {
        let members = self.values.iter().map(|(field, value)| {
            let values: Vec<Value> = match value {
                FieldValue::Number(number) => vec![json!(number)],
                value => plain(value).into_iter().map(Value::from).collect(),
            };
            (field.to_string(), Value::from(values))
        });
        Value::Object(members.collect())
    }
}

/// As text; times as people write them.
fn plain(value: &FieldValue) -> Vec<String> {
    match value {
        FieldValue::Absent => Vec::new(),
        FieldValue::Number(number) => vec![number.to_string()],
        FieldValue::Time(time) => vec![
            jiff::Timestamp::from_second(*time)
                .map_or_else(|_| time.to_string(), |time| time.to_string()),
        ],
        FieldValue::Ip(address) => vec![address.to_string()],
        FieldValue::Texts(texts) => texts
            .iter()
            .map(|text| String::from_utf8_lossy(text).into_owned())
            .collect(),
        FieldValue::Protocols(set) => set.iter().map(|word| word.name().to_owned()).collect(),
    }
}

fn shown(value: &FieldValue) -> Vec<String> {
    match value {
        FieldValue::Texts(texts) => texts
            .iter()
            .map(|text| format!("\"{}\"", text.escape_ascii()))
            .collect(),
        value => plain(value),
    }
}
