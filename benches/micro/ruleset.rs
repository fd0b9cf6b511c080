//! Rules alone: nanoseconds per evaluation by the number of rules and values (bars R1 to R3), and
//! the time to write and to load a bundle (R4, R5).
//!
//! `cargo bench -p sallyport-benches --bench ruleset`. Names and requests are made here from fixed
//! seeds; each iteration is one request of a ring that is larger than the caches of one value.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark of its own input, run by hand"
)]

use std::cell::Cell;

use divan::Bencher;
use sallyport_benches::noise;
use sallyport_ruleset::bundle::write;
use sallyport_ruleset::{
    Action, BuildRecord, Bundle, Condition, Defaults, Fact, Facts, Field, FieldValues,
    HeaderFields, Phase, Protocol, ProtocolSet, Rule, RuleGroup, Ruleset, Test, evaluate,
};

fn main() {
    divan::main();
}

/// R1: one phase, one list. Half of the requests are for a name under one of the list.
#[divan::bench(sample_count = 50, sample_size = 8_192, args = [10, 1_000, 10_000, 100_000, 1_000_000])]
fn domain_list(bencher: Bencher<'_, '_>, values: usize) {
    let bundle = compile(&domain_rules(values));
    let names: Vec<String> = (0..4_096).map(|n| requested_name(n, values)).collect();
    let mut scratch = bundle.scratch();
    let next = Cell::new(0);
    bencher.bench_local(|| {
        let mut facts = Facts::unknown();
        facts.destination_domain = Fact::Known(&names[next.get() % names.len()]);
        next.set(next.get() + 1);
        evaluate(
            &bundle,
            Phase::PreDns,
            divan::black_box(&facts),
            &mut scratch,
        )
    });
}

/// R2, R3: a mixed policy, all three phases of one transaction.
#[divan::bench(sample_count = 50, sample_size = 8_192, args = [1_000, 10_000, 100_000])]
fn mixed_policy(bencher: Bencher<'_, '_>, rules: usize) {
    let bundle = compile(&mixed_rules(rules));
    let requests: Vec<Request> = (0..1_024).map(|n| Request::new(n, rules)).collect();
    let mut scratch = bundle.scratch();
    let next = Cell::new(0);
    bencher.bench_local(|| {
        let request = &requests[next.get() % requests.len()];
        next.set(next.get() + 1);
        let facts = request.facts();
        Phase::ALL.map(|phase| evaluate(&bundle, phase, divan::black_box(&facts), &mut scratch))
    });
}

/// A mixed policy while only what is known before the request head is: the early decision.
#[divan::bench(sample_count = 50, sample_size = 8_192, args = [1_000, 10_000])]
fn mixed_policy_early(bencher: Bencher<'_, '_>, rules: usize) {
    let bundle = compile(&mixed_rules(rules));
    let requests: Vec<Request> = (0..1_024).map(|n| Request::new(n, rules)).collect();
    let mut scratch = bundle.scratch();
    let next = Cell::new(0);
    bencher.bench_local(|| {
        let request = &requests[next.get() % requests.len()];
        next.set(next.get() + 1);
        let facts = request.early_facts();
        evaluate(
            &bundle,
            Phase::PreRequest,
            divan::black_box(&facts),
            &mut scratch,
        )
    });
}

/// R4 without the text: 100 000 domain values and 1 000 mixed rules to bytes.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn write_bundle(bencher: Bencher<'_, '_>) {
    let ruleset = large_rules();
    bencher.bench_local(|| write(&ruleset, &BuildRecord::default()).map(|bytes| bytes.len()));
}

/// R5: the same from bytes to a bundle that can be evaluated.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn load_bundle(bencher: Bencher<'_, '_>) {
    let bytes = write(&large_rules(), &BuildRecord::default()).expect("the rules are valid");
    println!("bundle: {} bytes", bytes.len());
    println!(
        "{:?}",
        Bundle::load(bytes.clone())
            .expect("it was just written")
            .sizes()
    );
    bencher
        .with_inputs(|| bytes.clone())
        .bench_local_values(Bundle::load);
}

fn compile(ruleset: &Ruleset) -> Bundle {
    let bytes = write(ruleset, &BuildRecord::default()).expect("the rules are valid");
    Bundle::load(bytes).expect("it was just written")
}

fn listed_name(number: usize) -> String {
    const TOPS: [&str; 5] = ["com", "net", "org", "co.uk", "io"];
    let word = noise(number);
    let letters: String = (0..5 + word % 9)
        .map(|place| char::from(b'a' + u8::try_from(noise(word + place) % 26).unwrap_or(0)))
        .collect();
    format!("{letters}{number}.{}", TOPS[word % TOPS.len()])
}

fn requested_name(number: usize, values: usize) -> String {
    let name = listed_name(noise(number) % values + (number % 2) * values);
    if number.is_multiple_of(3) {
        name
    } else {
        format!("www.{name}")
    }
}

fn rule(name: String, action: Action, conditions: Vec<(Field, Test)>) -> Rule {
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

fn group(rules: [Vec<Rule>; 3]) -> Ruleset {
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

fn domain_rules(values: usize) -> Ruleset {
    let list = Test::Domain((0..values).map(listed_name).collect());
    let rule = rule(
        "listed".into(),
        Action::Allow,
        vec![(Field::DestinationDomain, list)],
    );
    group([vec![rule], Vec::new(), Vec::new()])
}

/// Ten kinds of rules over all keys; a fifth has globs, a tenth a regular expression.
fn mixed_rules(count: usize) -> Ruleset {
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

fn large_rules() -> Ruleset {
    let mut ruleset = mixed_rules(1_000);
    ruleset.groups.extend(domain_rules(100_000).groups);
    ruleset
}

struct Request {
    name: String,
    uri: String,
    agent: String,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    seed: usize,
}

impl Request {
    fn new(number: usize, rules: usize) -> Self {
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

    fn early_facts(&self) -> Facts<'_> {
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

    fn facts(&self) -> Facts<'_> {
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
