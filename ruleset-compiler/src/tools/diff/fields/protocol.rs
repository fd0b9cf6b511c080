//! `request:Protocol`: a set of seven words, so all sets are tried.

use sallyport_ruleset::matcher::glob;
use sallyport_ruleset::{Protocol, ProtocolSet, Test};

use super::value::Quantified;

/// Which words fit each test.
#[derive(Debug)]
pub(super) struct ProtocolSpace {
    tests: Vec<ProtocolSet>,
}

/// Sets as they occur, to be tried first.
const NATURAL: [&[Protocol]; 6] = [
    &[Protocol::Http],
    &[Protocol::Connect, Protocol::Https],
    &[Protocol::Connect],
    &[Protocol::Ws],
    &[Protocol::Connect, Protocol::Wss],
    &[Protocol::Connect, Protocol::Tcp],
];

impl ProtocolSpace {
    /// `None` when an expression is too large.
    pub(super) fn new(tests: &[&Test]) -> Option<Self> {
        let words = |test: &&Test| {
            let mut set = ProtocolSet::EMPTY;
            for word in Protocol::ALL {
                if fits(test, word.name())? {
                    set = set.with(word);
                }
            }
            Some(set)
        };
        Some(Self {
            tests: tests.iter().map(words).collect::<Option<_>>()?,
        })
    }

    /// Whether some word fits, or each does.
    pub(super) fn holds(&self, test: usize, is_every: bool, value: ProtocolSet) -> bool {
        let Some(fitting) = self.tests.get(test) else {
            return false;
        };
        if is_every {
            value.iter().all(|word| fitting.contains(word))
        } else {
            value.iter().any(|word| fitting.contains(word))
        }
    }

    /// A set that is not empty and of which all the claims hold.
    pub(super) fn find(&self, claims: &[Quantified]) -> Option<ProtocolSet> {
        let natural = NATURAL.iter().map(|words| words.iter().copied().collect());
        let all = (1..1_u8 << Protocol::ALL.len()).map(|bits| {
            let words = Protocol::ALL.into_iter().zip(0..);
            words
                .filter(|(_, bit)| bits >> bit & 1 == 1)
                .map(|(word, _)| word)
                .collect()
        });
        natural.chain(all).find(|set: &ProtocolSet| {
            claims
                .iter()
                .all(|claim| self.holds(claim.test, claim.is_every, *set) == claim.holds)
        })
    }
}

fn fits(test: &Test, word: &str) -> Option<bool> {
    Some(match test {
        Test::Exact {
            values,
            ignore_case,
        } => values
            .iter()
            .any(|value| value == word || *ignore_case && value.eq_ignore_ascii_case(word)),
        Test::Glob(values) => values
            .iter()
            .any(|value| glob::matches(value.as_bytes(), word.as_bytes())),
        Test::Regex(values) => {
            for value in values.iter() {
                let dfa = super::machine::automaton(value, false)?;
                if super::machine::is_match(&dfa, word.as_bytes()) {
                    return Some(true);
                }
            }
            false
        }
        _ => false,
    })
}
