//! An imported Squid configuration decides as Squid does: random configurations, and a plain
//! evaluator that walks their access lines as Squid's documentation tells.
//!
//! Here are the ACL types that ask the same here as there, on requests where nothing is decrypted and
//! each name has one address; the others are in the cases of `tests/import`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use sallyport_rules::import::Import;
use sallyport_rules::import::input::MemoryInput;
use sallyport_rules::import::squid::{self, SquidOptions};
use sallyport_rules::pipeline::{self, Options};
use sallyport_rules::source::MemoryFiles;
use sallyport_ruleset::generate::Entropy;
use sallyport_ruleset::{
    Bundle, Composed, Decision, Fact, Facts, Host, Outcome, Phase, Protocol, ProtocolSet,
    UrlScheme, evaluate,
};

const NAMES: [&str; 5] = ["a.test", "b.a.test", "c.b.a.test", "xa.test", "d.test"];
const PORTS: [u16; 5] = [80, 81, 443, 1_025, 8_080];
const USERS: [&str; 3] = ["ann", "bob", "Ann"];
const PATHS: [&str; 4] = ["/", "/a/b", "/B/a", "/b"];
const PIECES: [&str; 6] = ["a", "b", "B", "/a", "a.test", "."];

/// What an access line is decided on.
#[derive(Debug)]
struct Request {
    source: Ipv4Addr,
    /// `None`: the URL has the address itself.
    name: Option<&'static str>,
    destination: Ipv4Addr,
    port: u16,
    /// `None`: a CONNECT whose tunnel nobody sees into.
    seen: Option<Seen>,
    user: Option<&'static str>,
    /// Days since Monday, and minutes of the day.
    time: (u32, u32),
}

#[derive(Debug)]
struct Seen {
    method: &'static str,
    path: &'static str,
}

#[derive(Debug)]
struct Acl {
    name: String,
    kind: Kind,
}

/// A type of ACL with its values.
#[derive(Debug)]
enum Kind {
    Source(Vec<Range>),
    Destination(Vec<Range>),
    /// With a leading dot or without.
    Domain(Vec<String>),
    DomainExpression(Vec<Expression>),
    PathExpression(Vec<Expression>),
    Port(Vec<(u16, u16)>),
    Method(Vec<&'static str>),
    Scheme(&'static str),
    User(Vec<&'static str>),
    /// Days since Monday, first and last minute.
    Time(Vec<u32>, (u32, u32)),
    Any(Vec<AclReference>),
    All(Vec<AclReference>),
}

/// Addresses as they are written, and the last octets of the first and the last.
#[derive(Debug)]
struct Range {
    text: String,
    first: u8,
    last: u8,
}

#[derive(Debug)]
struct Expression {
    at_start: bool,
    at_end: bool,
    ignore_case: bool,
    text: &'static str,
}

/// The name of an ACL; true: it must not match.
type AclReference = (bool, String);

#[derive(Debug)]
struct Configuration {
    acls: Vec<Acl>,
    /// True: allow.
    lines: Vec<(bool, Vec<AclReference>)>,
}

impl Configuration {
    /// The first line whose ACLs all match; else the opposite of the last line; denied without any.
    fn allows(&self, request: &Request) -> bool {
        for (allows, acls) in &self.lines {
            match self.all_hold(acls, request) {
                Ok(true) => return *allows,
                Ok(false) => {}
                Err(Challenge) => return false,
            }
        }
        self.lines.last().is_some_and(|(allows, _)| !allows)
    }

    fn all_hold(&self, acls: &[AclReference], request: &Request) -> Result<bool, Challenge> {
        for literal in acls {
            if !self.holds(literal, request)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn holds(&self, (negated, name): &AclReference, request: &Request) -> Result<bool, Challenge> {
        let acl = self.acls.iter().find(|acl| acl.name == *name);
        let matches = match acl.map(|acl| &acl.kind) {
            Some(Kind::User(_)) if request.user.is_none() => return Err(Challenge),
            Some(Kind::Any(acls)) => {
                let mut any = false;
                for literal in acls {
                    any = any || self.holds(literal, request)?;
                }
                any
            }
            Some(Kind::All(acls)) => self.all_hold(acls, request)?,
            Some(kind) => matches(kind, request),
            None if name == "all" => true,
            None if name == "CONNECT" => request.seen.is_none(),
            None => panic!("there is no {name}"),
        };
        Ok(matches != *negated)
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for acl in &self.acls {
            for line in acl.kind.lines() {
                writeln!(text, "acl {} {line}", acl.name).unwrap();
            }
        }
        for (allows, acls) in &self.lines {
            let action = if *allows { "allow" } else { "deny" };
            writeln!(text, "http_access {action} {}", acl_references(acls)).unwrap();
        }
        text
    }
}

/// An ACL over users is asked, and there is no user: Squid asks for credentials and serves nothing.
struct Challenge;

fn matches(kind: &Kind, request: &Request) -> bool {
    let seen = request.seen.as_ref();
    match kind {
        Kind::Source(ranges) => ranges.iter().any(|range| range.has(request.source)),
        Kind::Destination(ranges) => ranges.iter().any(|range| range.has(request.destination)),
        Kind::Domain(values) => match request.name {
            None => values.contains(&request.destination.to_string()),
            Some(name) => values.iter().any(|value| match value.strip_prefix('.') {
                Some(tree) => name == tree || name.ends_with(value),
                None => name == value,
            }),
        },
        Kind::DomainExpression(expressions) => {
            let address = request.destination.to_string();
            let host = request.name.unwrap_or(&address);
            expressions.iter().any(|one| one.matches(host))
        }
        Kind::PathExpression(expressions) => {
            seen.is_some_and(|seen| expressions.iter().any(|one| one.matches(seen.path)))
        }
        Kind::Port(ranges) => ranges
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&request.port)),
        Kind::Method(methods) => {
            let method = seen.map_or("CONNECT", |seen| seen.method);
            methods.iter().any(|one| one.eq_ignore_ascii_case(method))
        }
        Kind::Scheme(scheme) => match *scheme {
            "HTTP" => seen.is_some(),
            // A CONNECT has no scheme.
            _ => false,
        },
        Kind::User(users) => request.user.is_some_and(|user| users.contains(&user)),
        Kind::Time(days, (first, last)) => {
            let (day, minute) = request.time;
            days.contains(&day) && (*first..=*last).contains(&minute)
        }
        Kind::Any(_) | Kind::All(_) => panic!("a group is asked one by one"),
    }
}

fn acl_references(acls: &[AclReference]) -> String {
    let words = acls.iter().map(|(negated, name)| match negated {
        true => format!("!{name}"),
        false => name.clone(),
    });
    words.collect::<Vec<_>>().join(" ")
}

impl Range {
    fn has(&self, address: Ipv4Addr) -> bool {
        (self.first..=self.last).contains(&address.octets()[3])
    }
}

impl Expression {
    fn matches(&self, subject: &str) -> bool {
        let (subject, text) = match self.ignore_case {
            true => (subject.to_ascii_lowercase(), self.text.to_ascii_lowercase()),
            false => (subject.to_owned(), self.text.to_owned()),
        };
        match (self.at_start, self.at_end) {
            (true, true) => subject == text,
            (true, false) => subject.starts_with(&text),
            (false, true) => subject.ends_with(&text),
            (false, false) => subject.contains(&text),
        }
    }

    /// `+i` undoes the `-i` of the expression before.
    fn text(&self) -> String {
        let case = if self.ignore_case { "-i" } else { "+i" };
        let start = if self.at_start { "^" } else { "" };
        let end = if self.at_end { "$" } else { "" };
        format!("{case} {start}{}{end}", self.text.replace('.', "\\."))
    }
}

impl Kind {
    /// The type with its values; long ones go on in a second line of the same name.
    fn lines(&self) -> Vec<String> {
        let ranges = |ranges: &[Range]| ranges.iter().map(|range| range.text.clone()).collect();
        let texts = |all: &[Expression]| all.iter().map(Expression::text).collect();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let (kind, values): (&str, Vec<String>) = match self {
            Self::Source(values) => ("src", ranges(values)),
            Self::Destination(values) => ("dst", ranges(values)),
            Self::Domain(values) => ("dstdomain", values.clone()),
            Self::DomainExpression(values) => ("dstdom_regex", texts(values)),
            Self::PathExpression(values) => ("urlpath_regex", texts(values)),
            Self::Port(values) => {
                let values = values.iter().map(|(first, last)| match first == last {
                    true => first.to_string(),
                    false => format!("{first}-{last}"),
                });
                ("port", values.collect())
            }
            Self::Method(values) => ("method", words(values)),
            Self::Scheme(value) => ("proto", words(&[value])),
            Self::User(values) => ("proxy_auth", words(values)),
            Self::Time(days, (first, last)) => return vec![time_line(days, *first, *last)],
            Self::Any(values) => return vec![format!("any-of {}", acl_references(values))],
            Self::All(values) => return vec![format!("all-of {}", acl_references(values))],
        };
        let lines = values.chunks(2);
        lines
            .map(|values| format!("{kind} {}", values.join(" ")))
            .collect()
    }
}

fn time_line(days: &[u32], first: u32, last: u32) -> String {
    let letters: String = days
        .iter()
        .filter_map(|day| "MTWHFAS".chars().nth(usize::try_from(*day).unwrap()))
        .collect();
    let clock = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
    format!("time {letters} {}-{}", clock(first), clock(last))
}

fn pick<T: Copy>(entropy: &mut Entropy<'_>, items: &[T]) -> T {
    items[entropy.below(items.len())]
}

fn some<T>(entropy: &mut Entropy<'_>, mut make: impl FnMut(&mut Entropy<'_>) -> T) -> Vec<T> {
    let count = 1 + entropy.below(3);
    (0..count).map(|_| make(entropy)).collect()
}

fn octet(entropy: &mut Entropy<'_>) -> u8 {
    u8::try_from(entropy.below(16)).unwrap()
}

fn range(entropy: &mut Entropy<'_>) -> Range {
    let octet = octet(entropy);
    let end = 15 - octet % 4;
    let (text, first, last) = match entropy.below(4) {
        0 => (format!("10.0.0.{octet}"), octet, octet),
        1 => (format!("10.0.0.{octet}/30"), octet & !3, octet | 3),
        2 => (
            format!("10.0.0.{octet}/255.255.255.248"),
            octet & !7,
            octet | 7,
        ),
        _ => (
            format!("10.0.0.{}-10.0.0.{end}", octet.min(end)),
            octet.min(end),
            end,
        ),
    };
    Range { text, first, last }
}

fn domain(entropy: &mut Entropy<'_>) -> String {
    match entropy.below(5) {
        0 => format!("10.0.0.{}", octet(entropy)),
        1 | 2 => format!(".{}", pick(entropy, &NAMES)),
        _ => pick(entropy, &NAMES).to_owned(),
    }
}

fn expression(entropy: &mut Entropy<'_>) -> Expression {
    Expression {
        at_start: entropy.below(2) == 1,
        at_end: entropy.below(2) == 1,
        ignore_case: entropy.below(2) == 1,
        text: pick(entropy, &PIECES),
    }
}

/// One of those before, or one that Squid knows by itself.
fn acl_reference(entropy: &mut Entropy<'_>, acls: &[Acl]) -> AclReference {
    let negated = entropy.below(3) == 1;
    let name = match entropy.below(acls.len() + 2) {
        0 => "all",
        1 => "CONNECT",
        at => &acls[at - 2].name,
    };
    (negated, name.to_owned())
}

fn kind(entropy: &mut Entropy<'_>, acls: &[Acl]) -> Kind {
    match entropy.below(12) {
        0 => Kind::Source(some(entropy, range)),
        1 => Kind::Destination(some(entropy, range)),
        2 => Kind::Domain(some(entropy, domain)),
        3 => Kind::DomainExpression(some(entropy, expression)),
        4 => Kind::PathExpression(some(entropy, expression)),
        5 => Kind::Port(some(entropy, |entropy| {
            let (one, other) = (pick(entropy, &PORTS), pick(entropy, &PORTS));
            (one.min(other), one.max(other))
        })),
        6 => Kind::Method(some(entropy, |entropy| {
            pick(entropy, &["GET", "POST", "CONNECT", "get"])
        })),
        7 => Kind::Scheme(pick(entropy, &["HTTP", "HTTPS", "FTP"])),
        8 => Kind::User(some(entropy, |entropy| pick(entropy, &USERS))),
        9 => {
            let minute = u32::try_from(entropy.below(24)).unwrap() * 60;
            let days = (0..7).filter(|_| entropy.below(2) == 1).chain([2]);
            let mut days: Vec<u32> = days.collect();
            days.sort_unstable();
            days.dedup();
            Kind::Time(days, (minute.min(720), minute))
        }
        10 => Kind::Any(some(entropy, |entropy| acl_reference(entropy, acls))),
        _ => Kind::All(some(entropy, |entropy| acl_reference(entropy, acls))),
    }
}

fn configuration(entropy: &mut Entropy<'_>) -> Configuration {
    let mut acls = Vec::new();
    for number in 0..2 + entropy.below(6) {
        let kind = kind(entropy, &acls);
        let name = format!("acl{number}");
        acls.push(Acl { name, kind });
    }
    let lines = (0..entropy.below(6)).map(|_| {
        let allows = entropy.below(2) == 1;
        (
            allows,
            some(entropy, |entropy| acl_reference(entropy, &acls)),
        )
    });
    let lines = lines.collect();
    Configuration { acls, lines }
}

fn request(entropy: &mut Entropy<'_>) -> Request {
    let is_tunnel = entropy.below(3) == 0;
    let minute = u32::try_from(entropy.below(24)).unwrap() * 60;
    let seen = Seen {
        method: pick(entropy, &["GET", "POST", "PUT"]),
        path: pick(entropy, &PATHS),
    };
    Request {
        source: Ipv4Addr::new(10, 0, 0, octet(entropy)),
        name: (entropy.below(4) != 0).then(|| pick(entropy, &NAMES)),
        destination: Ipv4Addr::new(10, 0, 0, octet(entropy)),
        port: pick(entropy, &PORTS),
        seen: (!is_tunnel).then_some(seen),
        user: (entropy.below(3) != 0).then(|| pick(entropy, &USERS)),
        time: (
            u32::try_from(entropy.below(7)).unwrap(),
            minute + u32::try_from(entropy.below(2)).unwrap(),
        ),
    }
}

/// A Monday at midnight, UTC.
const MONDAY: i64 = 4 * 86_400;

impl Request {
    /// What is known in a phase, as the proxy says it.
    fn facts(&self, phase: Phase) -> Facts<'_> {
        let (day, minute) = self.time;
        let protocol = match (&self.seen, phase) {
            (Some(_), _) => ProtocolSet::EMPTY.with(Protocol::Http),
            (None, Phase::PreDns) => ProtocolSet::EMPTY.with(Protocol::Connect),
            (None, _) => ProtocolSet::EMPTY
                .with(Protocol::Connect)
                .with(Protocol::Https),
        };
        let host = match self.name {
            Some(name) => Host::Name(name),
            None => Host::Address(self.destination.into()),
        };
        let authority = Composed::Authority(host, self.port);
        let facts = Facts {
            destination_host: Fact::Known(Composed::Host(host)),
            authority: Fact::Known(authority),
            source_ip: Fact::Known(IpAddr::V4(self.source)),
            principal: self.user.map(str::as_bytes).into(),
            time: Fact::Known(MONDAY + i64::from(day) * 86_400 + i64::from(minute) * 60 + 59),
            protocol: Fact::Known(protocol),
            destination_domain: self.name.into(),
            destination_port: Fact::Known(self.port),
            ..Facts::unknown()
        };
        if phase == Phase::PreDns {
            return facts;
        }
        Facts {
            destination_ip: Fact::Known(IpAddr::V4(self.destination)),
            url: Fact::Known(match &self.seen {
                None => authority,
                Some(seen) => Composed::Url {
                    scheme: UrlScheme::Http,
                    host,
                    port: self.port,
                    uri: seen.path.as_bytes(),
                },
            }),
            uri: self.seen.as_ref().map(|seen| seen.path.as_bytes()).into(),
            method: self.seen.as_ref().map(|seen| seen.method.as_bytes()).into(),
            ..facts
        }
    }
}

fn import(text: &str) -> Import {
    let files = MemoryInput::default().with("squid.conf", text);
    squid::import(&files, "squid.conf", &SquidOptions::default()).unwrap()
}

fn compile(import: &Import) -> Bundle {
    let files = import.files.iter();
    let files = files.fold(MemoryFiles::default(), |files, (path, text)| {
        files.with(path.clone(), text.clone())
    });
    let compiled = pipeline::compile(&files, &import.files[0].0, &Options::default()).unwrap();
    Bundle::load(compiled.emitted.unwrap().bytes).unwrap()
}

/// The phase that denies, if one does.
fn denied_in(bundle: &Bundle, request: &Request) -> Option<Phase> {
    let mut scratch = bundle.scratch();
    [Phase::PreDns, Phase::PreRequest]
        .into_iter()
        .find(|phase| {
            let outcome = evaluate(bundle, *phase, &request.facts(*phase), &mut scratch);
            let Outcome::Decided(verdict) = outcome else {
                panic!("{phase} does not decide");
            };
            verdict.action == Decision::Deny
        })
}

fn configurations() -> impl Strategy<Value = Configuration> {
    let bytes = proptest::collection::vec(any::<u8>(), 160);
    bytes.prop_map(|bytes| configuration(&mut Entropy::new(&bytes)))
}

fn requests() -> impl Strategy<Value = Vec<Request>> {
    let bytes = proptest::collection::vec(any::<u8>(), 16);
    proptest::collection::vec(
        bytes.prop_map(|bytes| request(&mut Entropy::new(&bytes))),
        16,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_import_decides_as_squid(configuration in configurations(), requests in requests()) {
        let text = configuration.text();
        let import = import(&text);
        // A line that would take too many rules is left, and says so.
        prop_assume!(import.report.count("left") == 0);
        let bundle = compile(&import);
        for request in requests {
            let allowed = denied_in(&bundle, &request).is_none();
            prop_assert_eq!(
                allowed, configuration.allows(&request),
                "{}\n{:?}\n{:#?}", text, request, import.files
            );
        }
    }
}

/// Otherwise the test above proves nothing.
#[test]
fn the_generator_makes_configurations_that_matter() {
    let (mut left, mut allowed, mut early, mut late) = (0, 0, 0, 0);
    for seed in 0..300_u32 {
        let bytes: Vec<u8> = (0..260_u32)
            .map(|n| (n + seed * 260).wrapping_mul(2_654_435_761).to_le_bytes()[3])
            .collect();
        let mut entropy = Entropy::new(&bytes);
        let import = import(&configuration(&mut entropy).text());
        if import.report.count("left") > 0 {
            left += 1;
            continue;
        }
        let bundle = compile(&import);
        match denied_in(&bundle, &request(&mut entropy)) {
            None => allowed += 1,
            Some(Phase::PreDns) => early += 1,
            Some(_) => late += 1,
        }
    }
    let enough = left < 30 && allowed > 60 && early > 20 && late > 5;
    assert!(
        enough,
        "left {left}, allowed {allowed}, denied {early} before resolution, {late} after"
    );
}
