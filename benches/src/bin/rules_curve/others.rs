//! What one would take instead: a `HashSet` of names that is asked for each suffix, a list of
//! networks in a `HashSet` by prefix length, and one multi-pattern regular expression (what
//! `RegexSet` is made of). Each answers only whether some value fits.

use std::collections::HashSet;

use regex_automata::meta::Regex;

use crate::kinds::{Kind, Request};

/// One expression of more patterns is no way any more: with 1 000 a search takes a millisecond, with
/// 10 000 it asks for tens of gigabytes.
const PATTERNS_MAX: usize = 100;

/// Another way to the same answer.
pub(crate) enum Other {
    Names(HashSet<String>),
    Networks(HashSet<u32>),
    Patterns(Box<Regex>),
}

impl Other {
    /// `None` where there is none, or it cannot be built.
    pub(crate) fn new(kind: Kind, values: &[String]) -> Option<Self> {
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
        }
    }
}
