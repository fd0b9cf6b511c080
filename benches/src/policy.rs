//! A mixed policy and requests that it judges, from fixed numbers: the same in every run.
#![expect(
    clippy::indexing_slicing,
    reason = "input of benchmarks, from numbers that are cut to fit"
)]

use sallyport_ruleset::{
    Action, Condition, Defaults, Fact, Facts, Field, FieldValues, HeaderFields, Phase, Protocol,
    ProtocolSet, Rule, RuleGroup, Ruleset, Test,
};

use crate::noise;

/// Ten kinds of rules over all keys; a fifth has globs, a tenth a regular expression.
#[must_use]
pub fn mixed_rules(count: usize) -> Ruleset {
    let mut rules = [Vec::new(), Vec::new(), Vec::new()];
    for number in 0..count {
        let (phase, conditions) = mixed_conditions(number);
        let action = [Action::Deny, Action::Allow, Action::Alert][noise(number) % 3];
        rules[phase.index()].push(rule(format!("rule-{number}"), action, conditions));
    }
    group(rules)
}

fn mixed_conditions(number: usize) -> (Phase, Vec<(Field, Test)>) {
    let names = || (0..3).map(|n| listed_name(number * 3 + n)).collect();
    let network = |bits| {
        let address = u32::try_from(noise(number) & 0x00ff_ffff).unwrap_or(0) | 0x0a00_0000;
        let network = ipnet::Ipv4Net::new_assert(address.into(), bits).trunc();
        Test::Ip(vec![network.into()])
    };
    match number % 10 {
        0 | 1 => (
            Phase::PreDns,
            vec![(Field::DestinationDomain, Test::Domain(names()))],
        ),
        2 => (
            Phase::PreDns,
            vec![
                (Field::SourceIp, network(24)),
                (Field::DestinationPort, port(number % 9 + 440)),
            ],
        ),
        3 => (Phase::PreRequest, vec![(Field::DestinationIp, network(22))]),
        4 => (
            Phase::PreRequest,
            vec![
                (Field::HttpUri, glob(format!("*/{}/*", listed_name(number)))),
                (Field::HttpMethod, exact("POST")),
            ],
        ),
        5 => (
            Phase::PreRequest,
            vec![(
                Field::DestinationDomain,
                glob(format!("*.{}.*", listed_name(number))),
            )],
        ),
        6 => {
            let pattern = format!(r"/{}/\d+/[a-z]+$", listed_name(number));
            let test = Test::Regex([pattern].into_iter().collect());
            (Phase::PreRequest, vec![(Field::HttpUri, test)])
        }
        7 => (
            Phase::PreRequest,
            vec![
                (
                    Field::RequestHeader("x-tenant".into()),
                    exact(&format!("tenant-{number}")),
                ),
                (Field::HttpMethod, exact("PUT")),
            ],
        ),
        8 => (
            Phase::PostResponse,
            vec![
                (Field::DestinationDomain, Test::Domain(names())),
                (
                    Field::ResponseContentType,
                    exact("application/x-msdownload"),
                ),
            ],
        ),
        _ => (
            Phase::PostResponse,
            vec![
                (Field::ResponseStatusCode, port(200 + number % 300)),
                (Field::HttpUserAgent, exact(&format!("agent/{number}"))),
            ],
        ),
    }
}

/// What is asked.
#[derive(Debug)]
pub struct Request {
    name: String,
    uri: String,
    agent: String,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    seed: usize,
}

impl Request {
    /// Request `number` to a policy of so many rules.
    #[must_use]
    pub fn new(number: usize, rules: usize) -> Self {
        let seed = noise(number);
        let headers = [
            ("Accept", "text/html,application/xhtml+xml"),
            ("Accept-Encoding", "gzip, deflate, br"),
            ("Accept-Language", "en-US,en;q=0.5"),
            ("Connection", "keep-alive"),
            ("X-Tenant", &format!("tenant-{}", seed % rules)),
            ("Referer", "https://www.example.com/"),
            ("Cookie", "session=0123456789abcdef0123456789abcdef"),
            ("Cache-Control", "no-cache"),
        ];
        Self {
            name: requested_name(number, rules * 3),
            uri: format!(
                "/api/v2/{}/items/{}?page={}",
                listed_name(seed % rules),
                seed,
                number
            ),
            agent: format!("agent/{}", seed % rules),
            headers: headers
                .map(|(name, value)| (name.into(), value.into()))
                .into(),
            seed,
        }
    }

    /// What is known of it before its head is.
    #[must_use]
    pub fn early_facts(&self) -> Facts<'_> {
        let mut facts = Facts::unknown();
        let bits = u32::try_from(self.seed & 0x00ff_ffff).unwrap_or(0) | 0x0a00_0000;
        facts.source_ip = Fact::Known(std::net::Ipv4Addr::from(bits).into());
        facts.source_port = Fact::Known(40_000);
        facts.time = Fact::Known(1_800_000_000);
        facts.protocol = Fact::Known(ProtocolSet::EMPTY.with(Protocol::Http));
        facts.destination_domain = Fact::Known(&self.name);
        facts.destination_port = Fact::Known(443);
        facts.destination_ip = Fact::Known(std::net::Ipv4Addr::from(bits ^ 0x5555).into());
        facts
    }

    /// All that is known of it and of its response.
    #[must_use]
    pub fn facts(&self) -> Facts<'_> {
        let mut facts = self.early_facts();
        let headers: &dyn HeaderFields = &self.headers;
        facts.uri = Fact::Known(self.uri.as_bytes());
        facts.method = Fact::Known(b"GET");
        facts.user_agent = Fact::Known(FieldValues::One(self.agent.as_bytes()));
        facts.content_type = Fact::Absent;
        facts.host = Fact::Known(self.name.as_bytes());
        facts.content_length = Fact::Absent;
        facts.request_headers = Fact::Known(headers);
        facts.status_code = Fact::Known(200);
        facts.response_content_length = Fact::Known(1_024);
        facts.response_content_type = Fact::Known(FieldValues::One(b"text/html; charset=utf-8"));
        facts.response_headers = Fact::Known(headers);
        facts
    }
}

/// The name of a number.
#[must_use]
pub fn listed_name(number: usize) -> String {
    const TOPS: [&str; 5] = ["com", "net", "org", "co.uk", "io"];
    let word = noise(number);
    let letters: String = (0..5 + word % 9)
        .map(|place| char::from(b'a' + u8::try_from(noise(word + place) % 26).unwrap_or(0)))
        .collect();
    format!("{letters}{number}.{}", TOPS[word % TOPS.len()])
}

/// The name that request `number` is for; every second one is under one of so many listed names.
#[must_use]
pub fn requested_name(number: usize, values: usize) -> String {
    let name = listed_name(noise(number) % values + (number % 2) * values);
    if number.is_multiple_of(3) {
        name
    } else {
        format!("www.{name}")
    }
}

/// A rule of these conditions.
#[must_use]
pub fn rule(name: String, action: Action, conditions: Vec<(Field, Test)>) -> Rule {
    let conditions = conditions
        .into_iter()
        .map(|(field, test)| Condition {
            field,
            negated: false,
            test,
        })
        .collect();
    Rule {
        name,
        description: String::new(),
        action,
        conditions,
    }
}

/// A ruleset of one group.
#[must_use]
pub fn group(rules: [Vec<Rule>; 3]) -> Ruleset {
    let group = RuleGroup {
        name: "group".into(),
        priority: 1,
        rules,
    };
    Ruleset {
        defaults: Defaults::all(Action::Allow),
        groups: vec![group],
    }
}

fn exact(value: &str) -> Test {
    Test::Exact {
        values: [value].into_iter().collect(),
        ignore_case: false,
    }
}

fn glob(value: String) -> Test {
    Test::Glob([value].into_iter().collect())
}

fn port(number: usize) -> Test {
    let number = u64::try_from(number).unwrap_or(0);
    Test::Number(vec![number..=number])
}
