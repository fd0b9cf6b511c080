//! The rules and the requests of each kind. All from fixed numbers, the same in every run.

use sallyport_benches::noise;
use sallyport_ruleset::{
    Action, Condition, Defaults, Fact, Facts, Field, Rule, RuleGroup, Ruleset, Test,
};

/// What the values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// One list of names, with all names under them.
    Domains,
    /// One list of networks.
    Networks,
    /// One list of globs over paths, each with a literal.
    Globs,
    /// One list of regular expressions over paths, each with a literal.
    Regexes,
    /// As many rules, by turns of each kind.
    Mixed,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [
        Self::Domains,
        Self::Networks,
        Self::Globs,
        Self::Regexes,
        Self::Mixed,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Domains => "domains",
            Self::Networks => "networks",
            Self::Globs => "globs",
            Self::Regexes => "regular expressions",
            Self::Mixed => "mixed rules",
        }
    }

    /// The value of a number; of a mixed ruleset the kinds take turns.
    pub(crate) fn value(self, number: usize) -> String {
        match self.of(number) {
            Self::Networks => {
                let bits = noise(number);
                let (a, b, c) = (bits >> 16 & 0xff, bits >> 8 & 0xff, bits & 0xff);
                format!("{}.{b}.{c}.0/24", 1 + a % 223)
            }
            Self::Globs => format!("*/{}/*.php", word(number)),
            Self::Regexes => format!(r"/{}/\d+/[a-z]+$", word(number)),
            Self::Domains | Self::Mixed => name(number),
        }
    }

    const fn of(self, number: usize) -> Self {
        match self {
            Self::Mixed => match number % 4 {
                0 => Self::Domains,
                1 => Self::Networks,
                2 => Self::Globs,
                _ => Self::Regexes,
            },
            kind => kind,
        }
    }

    fn test(self, values: &[String]) -> Test {
        let texts = || values.iter().collect();
        match self {
            Self::Networks => Test::Ip(values.iter().filter_map(|v| v.parse().ok()).collect()),
            Self::Globs => Test::Glob(texts()),
            Self::Regexes => Test::Regex(texts()),
            Self::Domains | Self::Mixed => Test::Domain(texts()),
        }
    }

    const fn field(self) -> Field {
        match self {
            Self::Networks => Field::DestinationIp,
            Self::Globs | Self::Regexes => Field::HttpUri,
            Self::Domains | Self::Mixed => Field::DestinationDomain,
        }
    }

    /// One rule with all values; of the mixed kind a rule for each.
    pub(crate) fn ruleset(self, values: &[String]) -> Ruleset {
        let rule = |kind: Self, number: usize, values: &[String]| Rule {
            name: format!("rule-{number}"),
            description: String::new(),
            action: Action::Deny,
            conditions: vec![Condition {
                field: kind.field(),
                negated: false,
                test: kind.test(values),
            }],
        };
        let rules = match self {
            Self::Mixed => (0..)
                .zip(values)
                .map(|(number, value)| rule(self.of(number), number, std::slice::from_ref(value)))
                .collect(),
            kind => vec![rule(kind, 0, values)],
        };
        Ruleset {
            defaults: Defaults::all(Action::Allow),
            groups: vec![RuleGroup {
                name: "curve".into(),
                priority: 1,
                rules: [Vec::new(), rules, Vec::new()],
            }],
        }
    }

    /// A request that the value of the number fits, or that none fits.
    pub(crate) fn request(self, number: usize, is_hit: bool) -> Request {
        let kind = self.of(number);
        let word = match is_hit {
            true => word(number),
            false => format!("other{number}"),
        };
        let domain = match (is_hit && kind == Self::Domains, number % 2) {
            (true, 0) => name(number),
            (true, _) => format!("www.{}", name(number)),
            (false, _) => format!("www.other{number}.example"),
        };
        let path = match kind {
            Self::Globs => format!("/app/{word}/index.php"),
            Self::Regexes => format!("/api/{word}/{number}/edit"),
            _ => format!("/static/{word}/image.png"),
        };
        let bits = noise(number);
        let (a, b, c) = (bits >> 16 & 0xff, bits >> 8 & 0xff, bits & 0xff);
        let first = if is_hit && kind == Self::Networks {
            1 + a % 223
        } else {
            240
        };
        let octet = |number: usize| u8::try_from(number & 0xff).unwrap_or(0);
        Request {
            url: format!("https://{domain}{path}"),
            domain,
            path,
            address: [octet(first), octet(b), octet(c), octet(number)],
        }
    }
}

/// What is asked.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) url: String,
    pub(crate) domain: String,
    pub(crate) path: String,
    pub(crate) address: [u8; 4],
}

impl Request {
    pub(crate) fn facts(&self) -> Facts<'_> {
        let mut facts = Facts::unknown();
        facts.destination_domain = Fact::Known(&self.domain);
        facts.destination_ip = Fact::Known(std::net::IpAddr::from(self.address));
        facts.uri = Fact::Known(self.path.as_bytes());
        facts
    }
}

fn name(number: usize) -> String {
    const TOPS: [&str; 5] = ["com", "net", "org", "co.uk", "io"];
    let top = TOPS
        .get(noise(number) % TOPS.len())
        .copied()
        .unwrap_or("com");
    format!("{}.{top}", word(number))
}

fn word(number: usize) -> String {
    let seed = noise(number);
    let letter = |place: usize| u8::try_from(noise(seed + place) % 26).unwrap_or(0);
    let letters: String = (0..5 + seed % 9)
        .map(|at| char::from(b'a' + letter(at)))
        .collect();
    format!("{letters}{number}")
}
