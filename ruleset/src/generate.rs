//! Random rulesets and facts out of raw bytes, for property tests and fuzz targets. Alphabets are
//! small on purpose, so that rules really match. Not used outside tests.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;

pub use crate::entropy::Entropy;
use crate::{
    Action, Composed, Condition, Defaults, Fact, Facts, Field, FieldType, FieldValues,
    HeaderFields, Phase, Protocol, ProtocolSet, Rule, RuleGroup, Ruleset, Source, Test,
    TimeZoneOffsets, ValueList, Weekdays, WeeklySchedule, generate_many,
};

/// How many cases a property test makes: so many, times `SALLYPORT_PROPERTY_TIMES` of the
/// environment, for long runs.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "tests are told by it how long to run"
)]
pub fn cases(count: u32) -> u32 {
    let times = std::env::var("SALLYPORT_PROPERTY_TIMES").ok();
    let times = times.and_then(|times| times.parse().ok()).unwrap_or(1);
    count.saturating_mul(times)
}

/// Fields with several rules on each, so that indexes hold more than one predicate.
fn field(entropy: &mut Entropy<'_>) -> Field {
    let headers = ["x-a", "x-b", "accept"];
    match entropy.below(11) {
        10 => Field::SourceLabel(entropy.word(&headers).into()),
        0 => Field::RequestHeader(entropy.word(&headers).into()),
        1 => Field::ResponseHeader(entropy.word(&headers).into()),
        2..=4 => Field::DestinationDomain,
        5 => Field::HttpUri,
        _ => {
            let position = entropy.below(Source::ALL.len() - 3);
            Field::words()
                .nth(position)
                .map_or(Field::HttpMethod, |(_, field)| field.clone())
        }
    }
}

const LABELS: [&str; 5] = ["a", "b", "com", "example", "co"];
const PIECES: [&str; 6] = ["/", "/a", "/ab", "b", "%2F", ".php"];

fn text(field: &Field, entropy: &mut Entropy<'_>) -> String {
    match field {
        Field::DestinationDomain | Field::TlsSni => {
            entropy.some(3, |entropy| entropy.word(&LABELS)).join(".")
        }
        Field::HttpUri => {
            let path = entropy.some(3, |entropy| entropy.word(&PIECES)).concat();
            let query = entropy.word(&["", "", "?", "?a=1", "?b=/a"]);
            format!("/{path}{query}")
        }
        Field::DestinationHost => entropy.word(&["a.com", "b.a.com", "192.0.2.1", "[2001:db8::1]"]),
        Field::Authority => entropy.word(&["a.com:80", "a.com:443", "192.0.2.1:80", "[::1]:443"]),
        Field::Url => {
            let front = entropy.word(&["http://a.com", "https://a.com:81", "a.com:443"]);
            let path = entropy.some(3, |entropy| entropy.word(&PIECES)).concat();
            format!("{front}{path}")
        }
        Field::HttpContentType | Field::ResponseContentType => {
            let normal = [
                "text/html",
                "text/plain",
                "text/html;charset=utf-8",
                "a/b;c",
            ];
            entropy.word(&normal)
        }
        Field::Protocol => entropy.word(&["connect", "http", "https", "h2", "HTTP"]),
        _ => entropy.word(&["", "a", "A", "ab", "abc", "aBc", "curl/8.0", "GET", "POST"]),
    }
}

fn glob(field: &Field, entropy: &mut Entropy<'_>) -> String {
    let value = text(field, entropy);
    match entropy.below(7) {
        0 => format!("*.{value}"),
        1 => format!("{value}*"),
        2 => format!("*{value}*"),
        3 => value.replacen(['a', '/', '.'], "?", 1),
        4 => value.replacen(['a', '/', '.'], "*", 2),
        5 => "*".into(),
        _ => value,
    }
}

fn regex(field: &Field, entropy: &mut Entropy<'_>) -> String {
    let value = text(field, entropy).replace(['.', '?', '/'], ".");
    match entropy.below(6) {
        0 => format!("^{value}$"),
        1 => format!("{value}|com"),
        2 => format!("(?i){value}"),
        3 => format!("[ab]+{value}?"),
        4 => "^[a-z]*$".into(),
        _ => value,
    }
}

/// A condition, its test fitting the field.
fn condition(entropy: &mut Entropy<'_>) -> Condition {
    let field = field(entropy);
    condition_on(field, entropy)
}

fn condition_on(field: Field, entropy: &mut Entropy<'_>) -> Condition {
    let negated = entropy.chance(4);
    if entropy.chance(1) {
        return Condition {
            field,
            negated,
            test: Test::Absent(entropy.chance(8)),
        };
    }
    let test = match field.field_type() {
        FieldType::String => text_test(&field, entropy.below(4), entropy),
        FieldType::Domain => text_test(&field, entropy.below(6), entropy),
        FieldType::Ip => Test::Ip(entropy.some(3, network)),
        FieldType::Number => Test::Number(entropy.some(3, |entropy| {
            let start = entropy.pick(&NUMBERS).copied().unwrap_or(0);
            let width = entropy.below(4) as u64;
            if entropy.chance(2) {
                start..=u64::MAX
            } else {
                start..=start.saturating_add(width)
            }
        })),
        FieldType::Time if entropy.chance(8) => Test::TimeOfDay(entropy.some(2, schedule)),
        FieldType::Time => Test::Time(entropy.some(3, |entropy| {
            let start = time(entropy);
            start..=start.saturating_add(entropy.below(3) as i64)
        })),
    };
    let test = if entropy.chance(2) {
        Test::Every(Box::new(test))
    } else {
        test
    };
    Condition {
        field,
        negated,
        test,
    }
}

fn text_test(field: &Field, kind: usize, entropy: &mut Entropy<'_>) -> Test {
    let values = |make: fn(&Field, &mut Entropy<'_>) -> String, entropy: &mut Entropy<'_>| {
        entropy
            .some(3, |entropy| make(field, entropy))
            .into_iter()
            .collect::<ValueList>()
    };
    match kind {
        0 => Test::Exact {
            values: values(text, entropy),
            ignore_case: false,
        },
        1 => Test::Exact {
            values: values(text, entropy),
            ignore_case: true,
        },
        2 if entropy.chance(3) => Test::Glob(generate_many::globs(entropy)),
        2 => Test::Glob(values(glob, entropy)),
        3 if entropy.chance(3) => Test::Regex(generate_many::regexes(entropy)),
        3 => Test::Regex(values(regex, entropy)),
        _ => Test::Domain(values(text, entropy)),
    }
}

const NUMBERS: [u64; 7] = [0, 1, 2, 80, 200, 443, u64::MAX];

fn address(entropy: &mut Entropy<'_>) -> IpAddr {
    let low = u8::try_from(entropy.below(4)).unwrap_or(0);
    match entropy.below(4) {
        0 => Ipv4Addr::new(10, 0, 0, low).into(),
        1 => Ipv4Addr::new(10, low, 0, 1).into(),
        2 => Ipv4Addr::new(10, 0, 0, low).to_ipv6_mapped().into(),
        _ => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, low.into()).into(),
    }
}

fn network(entropy: &mut Entropy<'_>) -> IpNet {
    let address = address(entropy);
    let whole = if address.is_ipv4() { 32 } else { 128 };
    let prefix = [whole, whole - 1, whole - 2, 8, 0];
    let prefix = entropy.pick(&prefix).copied().unwrap_or(0);
    IpNet::new(address, prefix).map_or_else(|_| address.into(), |network| network.trunc())
}

fn time(entropy: &mut Entropy<'_>) -> i64 {
    let hours = i64::try_from(entropy.below(24 * 8)).unwrap_or(0);
    if entropy.chance(1) {
        -hours
    } else {
        hours * 3_600
    }
}

fn schedule(entropy: &mut Entropy<'_>) -> WeeklySchedule {
    let second = |entropy: &mut Entropy<'_>| 3_600 * u32::try_from(entropy.below(24)).unwrap_or(0);
    let zone = TimeZoneOffsets {
        name: "Test/Zone".into(),
        first_offset_seconds: 3_600,
        transitions: vec![(200_000, 7_200), (400_000, -3_600)],
    };
    WeeklySchedule {
        days: Weekdays::from_bits(u8::try_from(entropy.below(128)).unwrap_or(0)),
        from_second: second(entropy),
        to_second: second(entropy),
        zone: Arc::new(zone),
    }
}

fn action(entropy: &mut Entropy<'_>) -> Action {
    match entropy.below(4) {
        0 => Action::Deny,
        1 => Action::Allow,
        _ => Action::Alert,
    }
}

/// A ruleset of a few groups, with rules in all phases. Rules may use any field in any phase; the
/// evaluators do not mind.
#[must_use]
pub fn ruleset(entropy: &mut Entropy<'_>) -> Ruleset {
    let defaults = Defaults {
        pre_dns: action(entropy),
        pre_request: action(entropy),
        post_response: action(entropy),
    };
    let mut groups = Vec::new();
    for number in 0..=entropy.below(3) {
        let mut group = RuleGroup {
            name: format!("group-{number}"),
            priority: u32::try_from(number).unwrap_or(0),
            rules: [Vec::new(), Vec::new(), Vec::new()],
        };
        for phase in Phase::ALL {
            let count = entropy.below(9);
            *group.rules_mut(phase) = (0..count).map(|rule| self::rule(rule, entropy)).collect();
        }
        groups.push(group);
    }
    Ruleset { defaults, groups }
}

/// Rules of the first phase over few fields, with conditions that often meet, exclude or complete
/// each other.
#[must_use]
pub fn narrow_ruleset(entropy: &mut Entropy<'_>) -> Ruleset {
    let fields = [
        Field::DestinationPort,
        Field::DestinationDomain,
        Field::HttpMethod,
        Field::SourceIp,
        Field::RequestHeader("x-a".into()),
        Field::HttpUri,
    ];
    let first = entropy.below(fields.len());
    let second = entropy.below(fields.len());
    let chosen = [first, second].map(|at| fields.get(at).cloned().unwrap_or(Field::HttpMethod));
    let mut rules = Vec::new();
    for number in 0..4 + entropy.below(9) {
        let count = 1 + entropy.below(5) / 3;
        let conditions = (0..count)
            .map(|_| {
                let field = entropy.pick(&chosen).cloned();
                condition_on(field.unwrap_or(Field::HttpMethod), entropy)
            })
            .collect();
        let action = action(entropy);
        rules.push(Rule {
            name: format!("rule-{number}"),
            description: String::new(),
            action,
            conditions,
        });
    }
    let mut ruleset = single_rule(Vec::new());
    if let Some(group) = ruleset.groups.first_mut() {
        *group.rules_mut(Phase::PreDns) = rules;
    }
    ruleset
}

/// A ruleset of one rule in the first phase.
#[must_use]
pub fn single_rule(conditions: Vec<Condition>) -> Ruleset {
    let rule = Rule {
        name: "rule".into(),
        description: String::new(),
        action: Action::Deny,
        conditions,
    };
    let group = RuleGroup {
        name: "group".into(),
        priority: 0,
        rules: [vec![rule], Vec::new(), Vec::new()],
    };
    Ruleset {
        defaults: Defaults::all(Action::Allow),
        groups: vec![group],
    }
}

fn rule(number: usize, entropy: &mut Entropy<'_>) -> Rule {
    let conditions = (0..entropy.below(4)).map(|_| condition(entropy)).collect();
    Rule {
        name: format!("rule-{number}"),
        description: String::new(),
        action: action(entropy),
        conditions,
    }
}

/// Facts that own what they are made of.
#[derive(Clone, Debug)]
pub struct OwnedFacts {
    pub(crate) texts: Vec<(Field, Option<Vec<u8>>)>,
    pub(crate) alpn: Vec<Vec<u8>>,
    /// Lines of `user-agent`, of the request's `content-type`, and of the response's.
    pub(crate) named: [Vec<(Vec<u8>, Vec<u8>)>; 3],
    pub(crate) labels: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) request_headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) response_headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) addresses: [Option<IpAddr>; 2],
    pub(crate) ports: [Option<u16>; 3],
    pub(crate) lengths: [Option<u64>; 2],
    pub(crate) time: Option<i64>,
    pub(crate) protocol: ProtocolSet,
}

/// Random facts, all known (some absent).
#[must_use]
pub fn facts(entropy: &mut Entropy<'_>) -> OwnedFacts {
    let mut texts = Vec::new();
    for (_, field) in Field::words() {
        let value = (!entropy.chance(2)).then(|| fact_text(field, entropy));
        texts.push((field.clone(), value));
    }
    let headers = |entropy: &mut Entropy<'_>| {
        let count = entropy.below(4);
        let names = ["x-a", "X-A", "x-b", "Accept", "other"];
        (0..count)
            .map(|_| {
                let name = entropy.word(&names).into_bytes();
                (name, fact_text(&Field::HttpMethod, entropy))
            })
            .collect()
    };
    let number = |entropy: &mut Entropy<'_>| {
        let number = entropy.pick(&NUMBERS).copied().unwrap_or(0);
        number.saturating_add(entropy.below(3) as u64)
    };
    let port = |entropy: &mut Entropy<'_>| {
        (!entropy.chance(2)).then(|| u16::try_from(number(entropy)).unwrap_or(u16::MAX))
    };
    OwnedFacts {
        texts,
        alpn: (0..entropy.below(3))
            .map(|_| fact_text(&Field::TlsAlpn, entropy))
            .collect(),
        named: NAMED.map(|(field, name)| named_lines(&field, name, entropy)),
        labels: headers(entropy),
        request_headers: headers(entropy),
        response_headers: headers(entropy),
        addresses: [0; 2].map(|_| (!entropy.chance(2)).then(|| address(entropy))),
        ports: [0; 3].map(|_| port(entropy)),
        lengths: [0; 2].map(|_| (!entropy.chance(2)).then(|| number(entropy))),
        time: (!entropy.chance(1)).then(|| time(entropy)),
        protocol: Protocol::ALL
            .into_iter()
            .filter(|_| entropy.chance(5))
            .collect(),
    }
}

/// Fields of which a message can have several lines, by the names of those.
pub(crate) const NAMED: [(Field, &str); 3] = [
    (Field::HttpUserAgent, "user-agent"),
    (Field::HttpContentType, "content-type"),
    (Field::ResponseContentType, "content-type"),
];

/// Up to three lines; one of another name is among them.
fn named_lines(field: &Field, name: &str, entropy: &mut Entropy<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let count = entropy.below(4);
    let names = [name, name, &name.to_uppercase(), "x-other"].map(str::to_owned);
    (0..count)
        .map(|_| {
            let name = entropy.pick(&names).cloned().unwrap_or_default();
            let mut line = fact_text(field, entropy);
            if *field != Field::HttpUserAgent && entropy.chance(3) {
                line.extend(entropy.word(&[",", " , ", ";a=\",\",", ",\""]).into_bytes());
                line.extend(fact_text(field, entropy));
            }
            (name.into_bytes(), line)
        })
        .collect()
}

fn fact_text(field: &Field, entropy: &mut Entropy<'_>) -> Vec<u8> {
    let text = text(field, entropy);
    match field {
        Field::TlsSni if entropy.chance(6) => format!("{}.", text.to_uppercase()).into_bytes(),
        Field::HttpContentType | Field::ResponseContentType if entropy.chance(6) => {
            text.to_uppercase().replace(';', " ; ").into_bytes()
        }
        Field::HttpUserAgent if entropy.chance(2) => vec![0xff, b'a'],
        _ => text.into_bytes(),
    }
}

impl OwnedFacts {
    /// Lends the facts, those of the sources in `unknown` (bits of [`Source::index`]) unknown.
    pub fn with<T>(&self, unknown: u64, take: impl FnOnce(&Facts<'_>) -> T) -> T {
        let text = |wanted: &Field| {
            let found = self.texts.iter().find(|(field, _)| field == wanted);
            Fact::from(found.and_then(|(_, value)| value.as_deref()))
        };
        let composed = |field| match text(field) {
            Fact::Known(text) => Fact::Known(Composed::Text(text)),
            Fact::Absent => Fact::Absent,
            Fact::Unknown => Fact::Unknown,
        };
        let domain = match text(&Field::DestinationDomain) {
            Fact::Known(bytes) => Fact::from(str::from_utf8(bytes).ok()),
            Fact::Absent => Fact::Absent,
            Fact::Unknown => Fact::Unknown,
        };
        let alpn: Vec<&[u8]> = self.alpn.iter().map(Vec::as_slice).collect();
        let [source_ip, destination_ip] = self.addresses.map(Fact::from);
        let [source_port, destination_port, status_code] = self.ports.map(Fact::from);
        let [content_length, response_content_length] = self.lengths.map(Fact::from);
        let named = |wanted: &Field| {
            let mut lines = NAMED.iter().zip(&self.named);
            let found = lines.find(|((field, _), _)| field == wanted);
            Fact::from(found.map(|((_, name), lines)| FieldValues::Named(lines, name)))
        };
        let labels: &dyn HeaderFields = &self.labels;
        let request_headers: &dyn HeaderFields = &self.request_headers;
        let response_headers: &dyn HeaderFields = &self.response_headers;
        let mut facts = Facts {
            source_ip,
            source_port,
            source_vpce: text(&Field::SourceVpce),
            source_vpc: text(&Field::SourceVpc),
            source_account: text(&Field::SourceAccount),
            source_labels: Fact::Known(labels),
            principal: text(&Field::Principal),
            time: self.time.into(),
            protocol: Fact::Known(self.protocol),
            destination_domain: domain,
            destination_host: composed(&Field::DestinationHost),
            authority: composed(&Field::Authority),
            destination_port,
            destination_ip,
            tls_sni: text(&Field::TlsSni),
            tls_alpn: Fact::Known(&alpn),
            tls_version: text(&Field::TlsVersion),
            ja4: text(&Field::Ja4),
            tls_ech: text(&Field::TlsEch),
            uri: text(&Field::HttpUri),
            url: composed(&Field::Url),
            method: text(&Field::HttpMethod),
            user_agent: named(&Field::HttpUserAgent),
            content_type: named(&Field::HttpContentType),
            host: text(&Field::HttpHost),
            content_length,
            request_headers: Fact::Known(request_headers),
            status_code,
            response_content_length,
            response_content_type: named(&Field::ResponseContentType),
            response_headers: Fact::Known(response_headers),
            tls_issuer: text(&Field::ResponseTlsIssuer),
            tls_sha256: text(&Field::ResponseTlsSha256),
        };
        for source in Source::ALL {
            if unknown >> source.index() & 1 == 1 {
                source.forget(&mut facts);
            }
        }
        take(&facts)
    }
}
