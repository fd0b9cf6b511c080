//! What one would take instead: a `HashSet` of names that is asked for each suffix, a list of
//! networks in a `HashSet` by prefix length, one multi-pattern regular expression (what `RegexSet` is
//! made of), and the engine of a browser's ad blocker. Each answers only whether some value fits.

use std::collections::HashSet;

use adblock::Engine;
use adblock::request::Request as AdblockRequest;
use regex_automata::meta::Regex;

use crate::kinds::{Kind, Request};

/// One expression of more patterns is no way any more: with 1 000 a search takes a millisecond, with
/// 10 000 it asks for tens of gigabytes.
const PATTERNS_MAX: usize = 100;

/// It tries expressions one after the other: with 10 000 a request takes five milliseconds.
const ADBLOCK_PATTERNS_MAX: usize = 1_000;

/// Makes one for the values of a kind.
type Maker = fn(Kind, &[String]) -> Option<Other>;

/// Another way to the same answer.
pub(crate) enum Other {
    Names(HashSet<String>),
    Networks(HashSet<u32>),
    Patterns(Box<Regex>),
    Adblock(Box<Engine>),
}

impl Other {
    /// All that there are for a kind.
    pub(crate) fn makers(kind: Kind) -> Vec<Maker> {
        match kind {
            Kind::Networks | Kind::Mixed => vec![Self::new],
            Kind::Domains | Kind::Globs | Kind::Regexes => vec![Self::new, Self::adblock],
        }
    }

    fn adblock(kind: Kind, values: &[String]) -> Option<Self> {
        if kind == Kind::Regexes && values.len() > ADBLOCK_PATTERNS_MAX {
            return None;
        }
        let filter = |value: &String| match kind {
            Kind::Domains => format!("||{value}^\n"),
            // A filter matches anywhere in the URL.
            Kind::Globs => format!("{}|\n", value.trim_start_matches('*')),
            // What follows a `$` would be options.
            _ => format!("/{}/\n", value.trim_end_matches('$')),
        };
        let list: String = values.iter().map(filter).collect();
        Some(Self::Adblock(Box::new(Engine::new_with_list_text(list))))
    }

    /// `None` where there is none, or it cannot be built.
    fn new(kind: Kind, values: &[String]) -> Option<Self> {
        match kind {
            Kind::Domains => Some(Self::Names(values.iter().cloned().collect())),
            Kind::Networks => {
                let networks = values
                    .iter()
                    .filter_map(|v| v.parse::<ipnet::Ipv4Net>().ok());
                Some(Self::Networks(
                    networks.map(|n| n.network().to_bits() >> 8).collect(),
                ))
            }
            Kind::Regexes if values.len() <= PATTERNS_MAX => Self::patterns(values.to_vec()),
            Kind::Globs if values.len() <= PATTERNS_MAX => {
                let expression =
                    |glob: &String| format!("^{}$", glob.replace('.', "[.]").replace('*', ".*"));
                Self::patterns(values.iter().map(expression).collect())
            }
            _ => None,
        }
    }

    fn patterns(expressions: Vec<String>) -> Option<Self> {
        let config = Regex::config().nfa_size_limit(Some(1 << 30));
        let built = Regex::builder().configure(config).build_many(&expressions);
        built.ok().map(|regex| Self::Patterns(Box::new(regex)))
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Names(_) => "HashSet of names, each suffix",
            Self::Networks(_) => "HashSet of /24",
            Self::Patterns(_) => "regex-automata, all in one",
            Self::Adblock(_) => "adblock, its request made each time",
        }
    }

    pub(crate) fn holds(&self, request: &Request) -> bool {
        match self {
            Self::Names(names) => {
                let domain = Some(request.domain.as_str());
                std::iter::successors(domain, |name| name.split_once('.').map(|(_, above)| above))
                    .any(|name| names.contains(name))
            }
            Self::Networks(networks) => {
                networks.contains(&(u32::from_be_bytes(request.address) >> 8))
            }
            Self::Patterns(regex) => regex.is_match(request.path.as_bytes()),
            Self::Adblock(engine) => {
                let (url, host) = (&request.url, &request.domain);
                let asked = AdblockRequest::preparsed(url, host, host, "other", false, "GET");
                engine.check_network_request(&asked).should_block()
            }
        }
    }
}
