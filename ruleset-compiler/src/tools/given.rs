//! Facts given by the key that asks for them, and laid over what follows from a URL: `--fact KEY=VALUE`,
//! `--absent KEY`, `--unknown KEY`. Any key can be said to have any value that its field can have, also
//! such as no URL leads to: so the requests that `diff` shows can be explained.

use sallyport_ruleset::{Composed, Fact, Facts, Field, FieldValues, HeaderFields, Phase, Source};

use crate::suggest;
use crate::tools::given_error::GivenError;
use crate::tools::given_values::{VALUE, Values, unescape};

type HeaderLines = Vec<(Vec<u8>, Vec<u8>)>;

/// What stands for a key in `--absent` and `--unknown`, as the options of `explain` are called.
const SHORT: [(&str, Field); 9] = [
    ("from", Field::SourceIp),
    ("from-port", Field::SourcePort),
    ("vpce", Field::SourceVpce),
    ("vpc", Field::SourceVpc),
    ("account", Field::SourceAccount),
    ("principal", Field::Principal),
    ("time", Field::Time),
    ("dst-ip", Field::DestinationIp),
    ("sni", Field::TlsSni),
];

/// Facts by key.
#[derive(Debug, Default)]
pub(super) struct Given {
    facts: Vec<(Subject, Told)>,
    /// Names and values of what has both: known as soon as one of them was given.
    labels: Lines,
    request_headers: Lines,
    response_headers: Lines,
}

/// What is told about.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    Field(Field),
    /// All labels, or all headers of a message.
    All(Source),
}

#[derive(Clone, Debug)]
enum Told {
    Absent,
    Unknown,
    Values(Values),
}

/// Lines of a message or labels, as they are changed by what was given.
#[derive(Debug, Default)]
struct Lines {
    /// What was there before; none: nothing is known of them.
    before: Option<HeaderLines>,
    changed: Option<HeaderLines>,
}

impl Given {
    /// Reads what was given: `facts` as `KEY=VALUE`, the others as keys.
    ///
    /// # Errors
    /// See [`GivenError`].
    pub(super) fn new(
        facts: &[String],
        absent: &[String],
        unknown: &[String],
    ) -> Result<Self, GivenError> {
        let mut given = Self::default();
        for fact in facts {
            given.add_fact(fact)?;
        }
        for (keys, told) in [(absent, Told::Absent), (unknown, Told::Unknown)] {
            for key in keys.iter().flat_map(|keys| keys.split(',')) {
                let mut subject = subject(key.trim())?;
                // Names and values are known together or not at all.
                if let (Told::Unknown, Subject::Field(field)) = (&told, &subject)
                    && has_lines(field.source())
                {
                    subject = Subject::All(field.source());
                }
                if given.of(&subject).is_some() {
                    return Err(GivenError::Twice(key.to_owned()));
                }
                given.facts.push((subject, told.clone()));
            }
        }
        Ok(given)
    }

    /// Whether something is told about a source.
    pub(super) fn tells_of_source(&self, wanted: Source) -> bool {
        self.facts.iter().any(|(subject, _)| match subject {
            Subject::Field(field) => field.source() == wanted,
            Subject::All(source) => *source == wanted,
        })
    }

    fn of(&self, subject: &Subject) -> Option<&Told> {
        let found = self.facts.iter().find(|(known, _)| known == subject);
        found.map(|(_, told)| told)
    }

    fn add_fact(&mut self, fact: &str) -> Result<(), GivenError> {
        let (key, value) = fact
            .split_once('=')
            .ok_or_else(|| GivenError::NoValue(fact.to_owned()))?;
        let Subject::Field(field) = subject(key.trim())? else {
            return Err(GivenError::KeyOfLines(key.to_owned()));
        };
        let value = unescape(value)?;
        let parsed =
            Values::parse(&field, &value).map_err(|expected| GivenError::NotOfTheType {
                fact: fact.to_owned(),
                field: field.clone(),
                expected,
            })?;
        let subject = Subject::Field(field.clone());
        let found = self.facts.iter_mut().find(|(known, _)| *known == subject);
        match found {
            None => self.facts.push((subject, Told::Values(parsed))),
            Some((_, Told::Values(before))) if field.has_several_values() => before.join(parsed),
            Some(_) => return Err(GivenError::SecondValue(field)),
        }
        Ok(())
    }

    /// Takes in the lines that a request has of itself; `None`: unknown.
    pub(super) fn complete(
        &mut self,
        labels: Option<&HeaderLines>,
        request_headers: Option<&HeaderLines>,
        response_headers: Option<&HeaderLines>,
    ) {
        let facts = &self.facts;
        for (lines, before, source) in [
            (&mut self.labels, labels, Source::SourceLabels),
            (
                &mut self.request_headers,
                request_headers,
                Source::RequestHeaders,
            ),
            (
                &mut self.response_headers,
                response_headers,
                Source::ResponseHeaders,
            ),
        ] {
            lines.before = before.cloned();
            lines.change(facts, source);
        }
    }

    /// Lends the facts of a phase with what was given over them.
    pub(super) fn with<T>(
        &self,
        phase: Phase,
        facts: Facts<'_>,
        take: impl FnOnce(&Facts<'_>) -> T,
    ) -> T {
        let protocols: Vec<&[u8]> = match self.of(&Subject::Field(Field::TlsAlpn)) {
            Some(Told::Values(Values::Texts(lines))) => {
                lines.iter().map(|(_, value)| value.as_slice()).collect()
            }
            _ => Vec::new(),
        };
        let mut facts = facts;
        for (subject, told) in &self.facts {
            let source = match subject {
                Subject::Field(field) => field.source(),
                Subject::All(source) => *source,
            };
            if phase < first_phase(source) {
                continue;
            }
            match told {
                Told::Unknown => source.forget(&mut facts),
                _ if has_lines(source) => {}
                told => lay(source, told, &protocols, &mut facts),
            }
        }
        if let Some(lines) = self.labels.fact() {
            facts.source_labels = lines;
        }
        if let Some(lines) = self
            .request_headers
            .fact()
            .filter(|_| phase >= Phase::PreRequest)
        {
            facts.request_headers = lines;
        }
        if let Some(lines) = self
            .response_headers
            .fact()
            .filter(|_| phase >= Phase::PostResponse)
        {
            facts.response_headers = lines;
        }
        take(&facts)
    }
}

impl Lines {
    fn change(&mut self, facts: &[(Subject, Told)], source: Source) {
        for (subject, told) in facts {
            let name = match subject {
                Subject::All(all) if *all == source => {
                    self.changed = match told {
                        Told::Absent => Some(Vec::new()),
                        _ => None,
                    };
                    self.before = None;
                    continue;
                }
                Subject::Field(
                    Field::SourceLabel(name)
                    | Field::RequestHeader(name)
                    | Field::ResponseHeader(name),
                ) => name.as_bytes(),
                _ => continue,
            };
            let Subject::Field(field) = subject else {
                continue;
            };
            if field.source() != source {
                continue;
            }
            let before = self.changed.take().or_else(|| self.before.clone());
            let mut lines = before.unwrap_or_default();
            lines.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            if let Told::Values(Values::Texts(texts)) = told {
                lines.extend(texts.iter().map(|(_, text)| (name.to_vec(), text.clone())));
            }
            self.changed = Some(lines);
        }
    }

    fn fact(&self) -> Option<Fact<&dyn HeaderFields>> {
        let lines = self.changed.as_ref()?;
        Some(Fact::Known(lines as &dyn HeaderFields))
    }
}

const fn has_lines(source: Source) -> bool {
    matches!(
        source,
        Source::SourceLabels | Source::RequestHeaders | Source::ResponseHeaders
    )
}

fn first_phase(source: Source) -> Phase {
    let of_words = Field::words().find(|(_, field)| field.source() == source);
    match (of_words, source) {
        (Some((_, field)), _) => field.first_phase(),
        (None, Source::SourceLabels) => Phase::PreDns,
        (None, Source::RequestHeaders) => Phase::PreRequest,
        (None, _) => Phase::PostResponse,
    }
}

/// Sets one member of the facts, of those that are no lines.
fn lay<'f>(source: Source, told: &'f Told, protocols: &'f [&'f [u8]], facts: &mut Facts<'f>) {
    let values = match told {
        Told::Values(values) => Some(values),
        Told::Absent | Told::Unknown => None,
    };
    let text = || Fact::from(values.and_then(Values::text));
    let named = || match values {
        Some(Values::Texts(lines)) => Fact::Known(FieldValues::Named(lines, VALUE)),
        _ => Fact::Absent,
    };
    let composed = || Fact::from(values.and_then(Values::text).map(Composed::Text));
    let short = || {
        Fact::from(
            values
                .and_then(Values::number)
                .and_then(|it| u16::try_from(it).ok()),
        )
    };
    let long = || Fact::from(values.and_then(Values::number));
    let address = || match values {
        Some(Values::Ip(address)) => Fact::Known(*address),
        _ => Fact::Absent,
    };
    match source {
        Source::SourceIp => facts.source_ip = address(),
        Source::SourcePort => facts.source_port = short(),
        Source::SourceVpce => facts.source_vpce = text(),
        Source::SourceVpc => facts.source_vpc = text(),
        Source::SourceAccount => facts.source_account = text(),
        Source::Principal => facts.principal = text(),
        Source::Time => {
            facts.time = match values {
                Some(Values::Time(time)) => Fact::Known(*time),
                _ => Fact::Absent,
            };
        }
        Source::Protocol => {
            facts.protocol = match values {
                Some(Values::Protocols(set)) => Fact::Known(*set),
                _ => Fact::Absent,
            };
        }
        Source::DestinationDomain => {
            facts.destination_domain = match values {
                Some(Values::Domain(domain)) => Fact::Known(domain),
                _ => Fact::Absent,
            };
        }
        Source::DestinationHost => facts.destination_host = composed(),
        Source::Authority => facts.authority = composed(),
        Source::DestinationPort => facts.destination_port = short(),
        Source::DestinationIp => facts.destination_ip = address(),
        Source::TlsSni => facts.tls_sni = text(),
        Source::TlsAlpn => facts.tls_alpn = Fact::Known(protocols),
        Source::TlsVersion => facts.tls_version = text(),
        Source::Ja4 => facts.ja4 = text(),
        Source::TlsEch => facts.tls_ech = text(),
        Source::HttpUri => facts.uri = text(),
        Source::Url => facts.url = composed(),
        Source::HttpMethod => facts.method = text(),
        Source::HttpUserAgent => facts.user_agent = named(),
        Source::HttpContentType => facts.content_type = named(),
        Source::HttpHost => facts.host = text(),
        Source::HttpContentLength => facts.content_length = long(),
        Source::ResponseStatusCode => facts.status_code = short(),
        Source::ResponseContentLength => facts.response_content_length = long(),
        Source::ResponseContentType => facts.response_content_type = named(),
        Source::ResponseTlsIssuer => facts.tls_issuer = text(),
        Source::ResponseTlsSha256 => facts.tls_sha256 = text(),
        // Those that have lines.
        Source::SourceLabels | Source::RequestHeaders | Source::ResponseHeaders => {}
    }
}

/// A key as in rules, without its `request:` too, or the name of an option.
fn subject(key: &str) -> Result<Subject, GivenError> {
    match key {
        "label" => return Ok(Subject::All(Source::SourceLabels)),
        "header" => return Ok(Subject::All(Source::RequestHeaders)),
        "response-header" => return Ok(Subject::All(Source::ResponseHeaders)),
        _ => {}
    }
    let short = SHORT.iter().find(|(word, _)| *word == key);
    let field = short
        .map(|(_, field)| field.clone())
        .or_else(|| Field::parse(key))
        .or_else(|| Field::parse(&format!("request:{key}")));
    field.map(Subject::Field).ok_or_else(|| {
        let keys = Field::words().map(|(word, _)| word);
        GivenError::UnknownKey {
            key: key.to_owned(),
            nearest: suggest::nearest(key, keys.chain(SHORT.iter().map(|(word, _)| *word))),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_by_their_names() {
        for (word, field) in Field::words() {
            assert_eq!(subject(word).unwrap(), Subject::Field(field.clone()));
        }
        for (word, field) in &SHORT {
            assert_eq!(subject(word).unwrap(), Subject::Field(field.clone()));
        }
        assert_eq!(
            subject("Http:Host").unwrap(),
            Subject::Field(Field::HttpHost)
        );
        assert!(
            subject("request:Http:Metod")
                .unwrap_err()
                .to_string()
                .contains("request:Http:Method")
        );
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (fact, expected) in [
            ("request:Principal", "KEY=VALUE"),
            ("request:SourceIp=x", "an IP address"),
            ("request:DestinationPort=65536", "a number up to 65535"),
            ("request:Time=noon", "request:Time is"),
            ("request:Protocol=ftp", "one of connect, http"),
            ("request:DestinationDomain=10.0.0.1", "--absent"),
            ("request:Principal=a\\b", "backslash"),
            ("label=x", "no key that has a value"),
        ] {
            let error = Given::new(&[fact.to_owned()], &[], &[]).unwrap_err();
            let error = error.to_string();
            assert!(error.contains(expected), "{fact}: {error}");
        }
        let principal = |value: &str| format!("request:Principal={value}");
        assert!(Given::new(&[principal("a"), principal("b")], &[], &[]).is_err());
        assert!(Given::new(&[principal("a")], &["principal".to_owned()], &[]).is_err());
    }
}
