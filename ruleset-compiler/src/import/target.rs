//! Where requests go, as importers of lists and policies collect it, and the questions that it becomes.

use sallyport_ruleset::{Field, Protocol};

use super::condition::{Condition, Formula, Values, operator};
use crate::operator::{Comparison, Question};

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Anywhere.
    Any,
    /// Just that name.
    Exact(String),
    /// That name and all names under it.
    Tree(String),
    /// Names with a wildcard; `*` also stands for dots.
    Like(String),
    /// Names that an expression matches.
    Matches(String),
    /// Addresses, whether a name led there or not.
    Network(String),
    /// Addresses that are asked for as such.
    Literal(String),
}

/// Targets of one rule.
#[derive(Clone, Debug, Default)]
pub(super) struct Targets {
    pub(super) any: bool,
    pub(super) exact: Vec<String>,
    pub(super) trees: Vec<String>,
    pub(super) patterns: Vec<String>,
    pub(super) expressions: Vec<String>,
    pub(super) networks: Vec<String>,
    pub(super) literals: Vec<String>,
}

impl Targets {
    /// A request goes to one of them. Value lists that are long are called `name`.
    pub(super) fn formula(&self, name: &str) -> Formula {
        if self.any {
            return Formula::Always;
        }
        let domain = |question, items: &[String], kind: &str| {
            one(
                Field::DestinationDomain,
                question,
                &format!("{name}{kind}"),
                items,
            )
        };
        let networks = |items: &[String], kind: &str| {
            one(
                Field::DestinationIp,
                Question::Ip,
                &format!("{name}{kind}"),
                items,
            )
        };
        let no_name = Condition::null(Field::DestinationDomain, true);
        Formula::any([
            domain(Question::Equals, &self.exact, ""),
            domain(Question::Domain, &self.trees, "-trees"),
            domain(Question::Like, &self.patterns, "-patterns"),
            domain(Question::Matches, &self.expressions, "-expressions"),
            networks(&self.networks, "-networks"),
            Formula::all([no_name.into(), networks(&self.literals, "-addresses")]),
        ])
    }
}

/// One question over a field; without values it never holds.
pub(super) fn one(field: Field, question: Question, name: &str, items: &[String]) -> Formula {
    if items.is_empty() {
        return Formula::Never;
    }
    let values = Values {
        name: name.to_owned(),
        origin: String::new(),
        items: items.to_vec(),
    };
    Condition::new(field, operator(question, false), values).into()
}

/// Ports, each a number or `from-to`; none given: every port.
pub(super) fn ports(items: &[String]) -> Formula {
    if items.is_empty() {
        return Formula::Always;
    }
    let field = Field::DestinationPort;
    if items.iter().all(|item| !item.contains('-')) {
        return one(field, Question::Number(Comparison::Equal), "ports", items);
    }
    let ranges: Vec<String> = items
        .iter()
        .map(|item| {
            if item.contains('-') {
                item.clone()
            } else {
                format!("{item}-{item}")
            }
        })
        .collect();
    one(field, Question::Between, "ports", &ranges)
}

/// The request came as one of these.
pub(super) fn protocols(words: &[Protocol]) -> Formula {
    let items: Vec<String> = words.iter().map(|word| word.name().to_owned()).collect();
    one(Field::Protocol, Question::Equals, "protocols", &items)
}

/// A port, or a range `from-to`, as numbers from 1 to 65535.
pub(super) fn port(text: &str) -> Option<String> {
    let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    match text.split_once(['-', ':']) {
        None => number(text).map(|port| port.to_string()),
        Some((from, to)) => {
            let (from, to) = (number(from)?, number(to)?);
            (from <= to).then(|| format!("{from}-{to}"))
        }
    }
}
