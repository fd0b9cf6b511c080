//! Literals that a pattern cannot match without, and the one pass that finds them all.
//!
//! A text that holds none of a pattern's literals cannot match it; the few patterns whose literal
//! was met are then verified one by one. Patterns without a usable literal are the index's care.

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::{Anchored, MatchKind, dfa, nfa};
use regex_syntax::hir::literal::{ExtractKind, Extractor, Seq};
use regex_syntax::hir::{Hir, HirKind};

/// Shorter literals are in almost every text: useless.
const LITERAL_BYTES_MIN: usize = 2;
/// More literals than that for one pattern cost more than they save.
const LITERALS_MAX: usize = 64;
/// Largest sum of literal bytes for which the faster, larger automaton is built.
const DFA_LITERAL_BYTES_MAX: usize = 32 * 1024;

/// The longest run of a glob without a wildcard, if it is long enough.
pub(crate) fn of_glob(glob: &str) -> Option<Vec<Vec<u8>>> {
    let longest = glob.split(['*', '?']).max_by_key(|piece| piece.len())?;
    (longest.len() >= LITERAL_BYTES_MIN).then(|| vec![longest.as_bytes().to_vec()])
}

/// Literals of which every match of the expression holds at least one.
pub(crate) fn of_regex(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    let mut literals = required(hir)?;
    literals.sort_unstable();
    literals.dedup();
    Some(literals)
}

fn required(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    let inner = match hir.kind() {
        HirKind::Capture(capture) => required(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => required(&repetition.sub),
        HirKind::Concat(parts) => parts
            .iter()
            .filter_map(required)
            .max_by_key(|literals| merit(literals)),
        HirKind::Alternation(branches) => branches
            .iter()
            .map(required)
            .collect::<Option<Vec<_>>>()
            .map(|sets| sets.concat())
            .filter(|literals| literals.len() <= LITERALS_MAX),
        _ => None,
    };
    let ends = [ExtractKind::Prefix, ExtractKind::Suffix].map(|kind| {
        let mut extractor = Extractor::new();
        extractor.kind(kind).limit_total(LITERALS_MAX);
        usable(&extractor.extract(hir))
    });
    ends.into_iter()
        .chain([inner])
        .flatten()
        .max_by_key(|literals| merit(literals))
}

fn usable(sequence: &Seq) -> Option<Vec<Vec<u8>>> {
    let literals: Vec<_> = sequence
        .literals()?
        .iter()
        .map(|literal| literal.as_bytes().to_vec())
        .collect();
    let long_enough = literals
        .iter()
        .all(|literal| literal.len() >= LITERAL_BYTES_MIN);
    (long_enough && !literals.is_empty() && literals.len() <= LITERALS_MAX).then_some(literals)
}

/// Longer is rarer; of equal length, fewer.
fn merit(literals: &[Vec<u8>]) -> (usize, usize) {
    let shortest = literals.iter().map(Vec::len).min().unwrap_or(0);
    (shortest, usize::MAX - literals.len())
}

/// Finds literals in a text. Rebuilt when a bundle is loaded: the library has no serial form.
#[derive(Debug)]
pub(crate) enum Searcher {
    /// One step per byte; large.
    Dfa(Box<dfa::DFA>),
    /// A few steps per byte; a tenth of the size.
    Nfa(Box<nfa::contiguous::NFA>),
}

impl Searcher {
    /// Builds the automaton; `None` when the literals are too many for the library.
    pub(crate) fn new<'l>(literals: impl Iterator<Item = &'l [u8]> + Clone) -> Option<Self> {
        let bytes: usize = literals.clone().map(<[u8]>::len).sum();
        let base = nfa::noncontiguous::Builder::new()
            .match_kind(MatchKind::Standard)
            .prefilter(false)
            .build(literals)
            .ok()?;
        if bytes <= DFA_LITERAL_BYTES_MAX {
            dfa::Builder::new()
                .build_from_noncontiguous(&base)
                .ok()
                .map(|dfa| Self::Dfa(Box::new(dfa)))
        } else {
            nfa::contiguous::Builder::new()
                .build_from_noncontiguous(&base)
                .ok()
                .map(|nfa| Self::Nfa(Box::new(nfa)))
        }
    }

    /// Calls `found` with the number of each literal at each place where it is.
    pub(crate) fn scan(&self, text: &[u8], found: impl FnMut(usize)) {
        match self {
            Self::Dfa(dfa) => scan(dfa.as_ref(), text, found),
            Self::Nfa(nfa) => scan(nfa.as_ref(), text, found),
        }
    }

    /// Memory of the automaton in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        match self {
            Self::Dfa(dfa) => dfa.memory_usage(),
            Self::Nfa(nfa) => nfa.memory_usage(),
        }
    }
}

fn scan(automaton: &impl Automaton, text: &[u8], mut found: impl FnMut(usize)) {
    let Ok(mut state) = automaton.start_state(Anchored::No) else {
        return;
    };
    let mut rest = text;
    while !rest.is_empty() {
        (state, rest) = walk(automaton, state, rest);
        if automaton.is_match(state) {
            for position in 0..automaton.match_len(state) {
                found(automaton.match_pattern(state, position).as_usize());
            }
        }
    }
}

/// Up to a state that is special, or to the end. A function of its own, so that the state stays in a
/// register: each step waits for the one before.
#[inline(never)]
fn walk<'t>(automaton: &impl Automaton, from: StateID, text: &'t [u8]) -> (StateID, &'t [u8]) {
    let mut state = from;
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        state = automaton.next_state(Anchored::No, state, *byte);
        rest = after;
        if automaton.is_special(state) {
            break;
        }
    }
    (state, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matcher::regex;

    fn of(pattern: &str) -> Option<Vec<String>> {
        let literals = of_regex(&regex::parse(pattern).unwrap())?;
        Some(
            literals
                .into_iter()
                .map(|bytes| String::from_utf8(bytes).unwrap())
                .collect(),
        )
    }

    #[test]
    fn literals_of_expressions() {
        assert_eq!(of(r"/wp-admin/.*\.php"), Some(vec!["/wp-admin/".into()]));
        assert_eq!(of(r"\d+/secret/\d+"), Some(vec!["/secret/".into()]));
        assert_eq!(
            of("(?:union|select) x"),
            Some(vec!["select x".into(), "union x".into()])
        );
        assert_eq!(of("a*"), None);
        assert_eq!(of("abc|"), None);
        assert_eq!(of(r"[0-9]+"), None);
    }

    #[test]
    fn literals_of_globs() {
        assert_eq!(of_glob("*a*bcd?e"), Some(vec![b"bcd".to_vec()]));
        assert_eq!(of_glob("*a*b?"), None);
    }

    #[test]
    fn finds_overlapping_literals() {
        let literals = [&b"ab"[..], b"abc", b"bc"];
        let searcher = Searcher::new(literals.into_iter()).unwrap();
        let mut found = Vec::new();
        searcher.scan(b"xabcab", |literal| found.push(literal));
        found.sort_unstable();
        assert_eq!(found, [0, 0, 1, 2]);
    }
}
