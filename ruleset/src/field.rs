//! Condition keys: their spelling, and the phases in which they are known.

use std::fmt;

use crate::{FieldType, Phase, Source};

/// A condition key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// `request:SourceIp`
    SourceIp,
    /// `request:SourcePort`
    SourcePort,
    /// `request:SourceVpce`
    SourceVpce,
    /// `request:SourceVpc`
    SourceVpc,
    /// `request:SourceAccount`
    SourceAccount,
    /// `request:SourceLabel/NAME`, several values; the name is in lower case.
    SourceLabel(Box<str>),
    /// `request:Principal`
    Principal,
    /// `request:Time`
    Time,
    /// `request:Protocol`, several values: see [`crate::Protocol`].
    Protocol,
    /// `request:DestinationDomain`
    DestinationDomain,
    /// `request:DestinationHost`
    DestinationHost,
    /// `request:Authority`
    Authority,
    /// `request:DestinationPort`
    DestinationPort,
    /// `request:DestinationIp`
    DestinationIp,
    /// `request:TlsSni`
    TlsSni,
    /// `request:TlsAlpn`, several values.
    TlsAlpn,
    /// `request:TlsVersion`
    TlsVersion,
    /// `request:Ja4`
    Ja4,
    /// `request:TlsEch`
    TlsEch,
    /// `request:Http:Uri`
    HttpUri,
    /// `request:Url`
    Url,
    /// `request:Http:Method`
    HttpMethod,
    /// `request:Http:UserAgent`, several values.
    HttpUserAgent,
    /// `request:Http:ContentType`, several values.
    HttpContentType,
    /// `request:Http:Host`
    HttpHost,
    /// `request:Http:ContentLength`
    HttpContentLength,
    /// `request:Http:Header/NAME`, several values; the name is in lower case.
    RequestHeader(Box<str>),
    /// `response:Http:StatusCode`
    ResponseStatusCode,
    /// `response:Http:ContentLength`
    ResponseContentLength,
    /// `response:Http:ContentType`, several values.
    ResponseContentType,
    /// `response:Http:Header/NAME`, several values; the name is in lower case.
    ResponseHeader(Box<str>),
    /// `response:TlsIssuer`
    ResponseTlsIssuer,
    /// `response:TlsSha256`
    ResponseTlsSha256,
}

/// Keys that are only a word; headers and labels carry a name and are apart.
const WORDS: [(&str, Field); 30] = [
    ("request:SourceIp", Field::SourceIp),
    ("request:SourcePort", Field::SourcePort),
    ("request:SourceVpce", Field::SourceVpce),
    ("request:SourceVpc", Field::SourceVpc),
    ("request:SourceAccount", Field::SourceAccount),
    ("request:Principal", Field::Principal),
    ("request:Time", Field::Time),
    ("request:Protocol", Field::Protocol),
    ("request:DestinationDomain", Field::DestinationDomain),
    ("request:DestinationHost", Field::DestinationHost),
    ("request:Authority", Field::Authority),
    ("request:DestinationPort", Field::DestinationPort),
    ("request:DestinationIp", Field::DestinationIp),
    ("request:TlsSni", Field::TlsSni),
    ("request:TlsAlpn", Field::TlsAlpn),
    ("request:TlsVersion", Field::TlsVersion),
    ("request:Ja4", Field::Ja4),
    ("request:TlsEch", Field::TlsEch),
    ("request:Http:Uri", Field::HttpUri),
    ("request:Url", Field::Url),
    ("request:Http:Method", Field::HttpMethod),
    ("request:Http:UserAgent", Field::HttpUserAgent),
    ("request:Http:ContentType", Field::HttpContentType),
    ("request:Http:Host", Field::HttpHost),
    ("request:Http:ContentLength", Field::HttpContentLength),
    ("response:Http:StatusCode", Field::ResponseStatusCode),
    ("response:Http:ContentLength", Field::ResponseContentLength),
    ("response:Http:ContentType", Field::ResponseContentType),
    ("response:TlsIssuer", Field::ResponseTlsIssuer),
    ("response:TlsSha256", Field::ResponseTlsSha256),
];

const SOURCE_LABEL: &str = "request:SourceLabel/";
const REQUEST_HEADER: &str = "request:Http:Header/";
const RESPONSE_HEADER: &str = "response:Http:Header/";

impl Field {
    /// The beginnings of keys that carry a name: of a label or of a header.
    pub const NAMED: [&str; 3] = [SOURCE_LABEL, REQUEST_HEADER, RESPONSE_HEADER];

    /// Reads a key as in rule text; letters without case. `None`: no such key, or the name of a
    /// header or label is no token (RFC 9110 section 5.6.2).
    #[must_use]
    pub fn parse(key: &str) -> Option<Self> {
        if let Some(name) = strip_prefix_ignoring_case(key, SOURCE_LABEL) {
            return header_name(name).map(Self::SourceLabel);
        }
        if let Some(name) = strip_prefix_ignoring_case(key, REQUEST_HEADER) {
            return header_name(name).map(Self::RequestHeader);
        }
        if let Some(name) = strip_prefix_ignoring_case(key, RESPONSE_HEADER) {
            return header_name(name).map(Self::ResponseHeader);
        }
        WORDS
            .iter()
            .find(|(word, _)| word.eq_ignore_ascii_case(key))
            .map(|(_, field)| field.clone())
    }

    /// All keys that are only a word, for messages; there are those of [`Field::NAMED`] besides.
    pub fn words() -> impl Iterator<Item = (&'static str, &'static Self)> {
        static TABLE: [(&str, Field); 30] = WORDS;
        TABLE.iter().map(|(word, field)| (*word, field))
    }

    /// The type of its values.
    #[must_use]
    pub const fn field_type(&self) -> FieldType {
        self.source().field_type()
    }

    /// Whether rules of this phase may use the field.
    #[must_use]
    pub fn is_available(&self, phase: Phase) -> bool {
        phase >= self.first_phase()
    }

    /// The phase from which on rules may use the field.
    #[must_use]
    pub fn first_phase(&self) -> Phase {
        match self.source() {
            source if source <= Source::DestinationPort => Phase::PreDns,
            source if source <= Source::RequestHeaders => Phase::PreRequest,
            _ => Phase::PostResponse,
        }
    }

    /// Whether the field can have several values at once.
    #[must_use]
    pub const fn has_several_values(&self) -> bool {
        self.source().has_several_values()
    }

    /// The member of [`crate::Facts`] that the field is read from.
    #[must_use]
    pub const fn source(&self) -> Source {
        match self {
            Self::SourceIp => Source::SourceIp,
            Self::SourcePort => Source::SourcePort,
            Self::SourceVpce => Source::SourceVpce,
            Self::SourceVpc => Source::SourceVpc,
            Self::SourceAccount => Source::SourceAccount,
            Self::SourceLabel(_) => Source::SourceLabels,
            Self::Principal => Source::Principal,
            Self::Time => Source::Time,
            Self::Protocol => Source::Protocol,
            Self::DestinationDomain => Source::DestinationDomain,
            Self::DestinationHost => Source::DestinationHost,
            Self::Authority => Source::Authority,
            Self::DestinationPort => Source::DestinationPort,
            Self::DestinationIp => Source::DestinationIp,
            Self::TlsSni => Source::TlsSni,
            Self::TlsAlpn => Source::TlsAlpn,
            Self::TlsVersion => Source::TlsVersion,
            Self::Ja4 => Source::Ja4,
            Self::TlsEch => Source::TlsEch,
            Self::HttpUri => Source::HttpUri,
            Self::Url => Source::Url,
            Self::HttpMethod => Source::HttpMethod,
            Self::HttpUserAgent => Source::HttpUserAgent,
            Self::HttpContentType => Source::HttpContentType,
            Self::HttpHost => Source::HttpHost,
            Self::HttpContentLength => Source::HttpContentLength,
            Self::RequestHeader(_) => Source::RequestHeaders,
            Self::ResponseStatusCode => Source::ResponseStatusCode,
            Self::ResponseContentLength => Source::ResponseContentLength,
            Self::ResponseContentType => Source::ResponseContentType,
            Self::ResponseHeader(_) => Source::ResponseHeaders,
            Self::ResponseTlsIssuer => Source::ResponseTlsIssuer,
            Self::ResponseTlsSha256 => Source::ResponseTlsSha256,
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SourceLabel(name) => write!(f, "{SOURCE_LABEL}{name}"),
            Self::RequestHeader(name) => write!(f, "{REQUEST_HEADER}{name}"),
            Self::ResponseHeader(name) => write!(f, "{RESPONSE_HEADER}{name}"),
            word => {
                let spelling = Self::words().find(|(_, field)| *field == word);
                f.pad(spelling.map_or("", |(spelling, _)| spelling))
            }
        }
    }
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn header_name(name: &str) -> Option<Box<str>> {
    crate::normalize::is_token(name.as_bytes()).then(|| name.to_ascii_lowercase().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        for (word, field) in Field::words() {
            assert_eq!(Field::parse(word).as_ref(), Some(field));
            assert_eq!(Field::parse(&word.to_uppercase()).as_ref(), Some(field));
            assert_eq!(field.to_string(), word);
        }
        assert_eq!(Field::parse("request:Nothing"), None);
    }

    #[test]
    fn header_names_are_tokens_in_lower_case() {
        let field = Field::parse("request:Http:Header/X-Thing").unwrap();
        assert_eq!(field, Field::RequestHeader("x-thing".into()));
        assert_eq!(field.to_string(), "request:Http:Header/x-thing");
        assert_eq!(Field::parse("request:Http:Header/"), None);
        assert_eq!(Field::parse("response:Http:Header/a b"), None);
        let label = Field::parse("Request:SourceLabel/Team").unwrap();
        assert_eq!(label, Field::SourceLabel("team".into()));
        assert_eq!(label.to_string(), "request:SourceLabel/team");
        assert_eq!(Field::parse("request:SourceLabel/"), None);
    }

    #[test]
    fn phases_follow_the_table_of_keys() {
        assert!(Field::DestinationPort.is_available(Phase::PreDns));
        assert!(Field::SourceLabel("team".into()).is_available(Phase::PreDns));
        assert!(Field::DestinationHost.is_available(Phase::PreDns));
        assert!(Field::Authority.is_available(Phase::PreDns));
        assert!(!Field::Url.is_available(Phase::PreDns));
        assert!(Field::Url.is_available(Phase::PreRequest));
        assert!(!Field::DestinationIp.is_available(Phase::PreDns));
        assert!(!Field::HttpMethod.is_available(Phase::PreDns));
        assert!(Field::HttpMethod.is_available(Phase::PostResponse));
        assert!(!Field::ResponseStatusCode.is_available(Phase::PreRequest));
        assert!(Field::ResponseTlsSha256.is_available(Phase::PostResponse));
    }

    #[test]
    fn sources_are_at_their_index() {
        for (position, source) in Source::ALL.into_iter().enumerate() {
            assert_eq!(source.index(), position);
        }
    }
}
