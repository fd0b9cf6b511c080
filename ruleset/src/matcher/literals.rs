//! Literals that a pattern cannot match without, and the one pass that finds them all.
//!
//! A text that holds none of a pattern's literals cannot match it; the few patterns whose literal
//! was met are then verified one by one. Patterns without a usable literal are the index's care.

use std::collections::{BTreeSet, HashMap};

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::{Anchored, MatchKind, dfa, nfa};
use foldhash::fast::FixedState;
use regex_syntax::hir::literal::{ExtractKind, Extractor, Seq};
use regex_syntax::hir::{Hir, HirKind};

use crate::invariant::Invariant;

/// Shorter literals are in almost every text: useless.
const LITERAL_BYTES_MIN: usize = 2;
/// More literals than that for one pattern cost more than they save.
const LITERALS_MAX: usize = 64;
/// Largest sum of literal bytes for which the faster, larger automaton is built.
const DFA_LITERAL_BYTES_MAX: usize = 32 * 1024;

/// Up to so many patterns may share a literal before another one of theirs is looked for.
const SHARED_MAX: usize = 8;
/// A literal that is taken because few share it must be rare in texts as well: so long, or as long as the
/// best.
const RARE_BYTES_MIN: usize = 4;

/// Literals of which a text that a pattern matches holds at least one.
pub(crate) type Literals = Vec<Vec<u8>>;

/// The runs of a glob without a wildcard that are long enough, the longest first: each is in whatever
/// the glob matches.
pub(crate) fn of_glob(glob: &str) -> Vec<Literals> {
    let mut pieces: Vec<&str> = glob
        .split(['*', '?'])
        .filter(|piece| piece.len() >= LITERAL_BYTES_MIN)
        .collect();
    // Of equally long ones the last: what globs have in common mostly stands before it.
    pieces.reverse();
    pieces.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
    pieces.dedup();
    let sets = pieces
        .into_iter()
        .map(|piece| vec![piece.as_bytes().to_vec()]);
    sets.collect()
}

/// Sets of literals of an expression: every match holds one of each set. The best set comes first.
pub(crate) fn of_regex(hir: &Hir) -> Vec<Literals> {
    let mut sets: Vec<Literals> = required(hir).into_iter().collect();
    let mut hir = hir;
    while let HirKind::Capture(capture) = hir.kind() {
        hir = &capture.sub;
    }
    let ends = [ExtractKind::Prefix, ExtractKind::Suffix].map(|kind| literals_at(kind, hir));
    sets.extend(ends.into_iter().flatten());
    if let HirKind::Concat(parts) = hir.kind() {
        sets.extend(parts.iter().filter_map(required));
    }
    for set in &mut sets {
        set.sort_unstable();
        set.dedup();
    }
    let mut distinct: Vec<Literals> = Vec::new();
    for set in sets {
        if !distinct.contains(&set) {
            distinct.push(set);
        }
    }
    distinct
}

/// For each pattern of a field, by its sets, the one by which it is found: the best, unless so many
/// patterns share it that one text could make all of them be tried, and few share another.
pub(crate) fn choose(patterns: &[Vec<Literals>]) -> Vec<&[Vec<u8>]> {
    let mut first: HashMap<&[u8], usize, FixedState> = HashMap::default();
    let mut any: HashMap<&[u8], usize, FixedState> = HashMap::default();
    for sets in patterns {
        for literal in sets.first().into_iter().flatten() {
            *first.entry(literal).or_default() += 1;
        }
        let all: BTreeSet<&[u8]> = sets.iter().flatten().map(Vec::as_slice).collect();
        for literal in all {
            *any.entry(literal).or_default() += 1;
        }
    }
    let most = |counts: &HashMap<&[u8], usize, FixedState>, set: &Literals| {
        let counts = set
            .iter()
            .filter_map(|literal| counts.get(literal.as_slice()));
        counts.copied().max().unwrap_or(0)
    };
    let chosen = patterns.iter().map(|sets| {
        let Some(best) = sets.first() else {
            return &[][..];
        };
        let shared = most(&first, best);
        if shared <= SHARED_MAX {
            return best;
        }
        let shortest = best.iter().map(Vec::len).min().unwrap_or(0);
        let bytes_min = shortest.min(RARE_BYTES_MIN);
        let is_rare = |set: &&Literals| set.iter().all(|one| one.len() >= bytes_min);
        let others = sets.iter().skip(1).filter(is_rare);
        let fewest = others.min_by_key(|set| most(&any, set));
        fewest
            .filter(|set| most(&any, set) < shared)
            .unwrap_or(best)
    });
    chosen.collect()
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
    let ends = [ExtractKind::Prefix, ExtractKind::Suffix].map(|kind| literals_at(kind, hir));
    ends.into_iter()
        .chain([inner])
        .flatten()
        .max_by_key(|literals| merit(literals))
}

fn literals_at(kind: ExtractKind, hir: &Hir) -> Option<Literals> {
    let mut extractor = Extractor::new();
    extractor.kind(kind).limit_total(LITERALS_MAX);
    usable(&extractor.extract(hir))
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
    pub(crate) fn scan(&self, text: &[u8], found: impl FnMut(u32)) {
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

fn scan(automaton: &impl Automaton, text: &[u8], mut found: impl FnMut(u32)) {
    let start = automaton.start_state(Anchored::No).ok();
    let mut state = start.or_broken("where a search begins");
    let mut rest = text;
    while !rest.is_empty() {
        (state, rest) = walk(automaton, state, rest);
        if automaton.is_match(state) {
            for position in 0..automaton.match_len(state) {
                found(automaton.match_pattern(state, position).as_u32());
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
        let sets = of_regex(&regex::parse(pattern).unwrap());
        Some(
            sets.into_iter()
                .next()?
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
        assert_eq!(
            of_glob("*a*bcd?e*bc"),
            [[b"bcd".to_vec()], [b"bc".to_vec()]]
        );
        assert_eq!(of_glob("*a*b?"), Vec::<Literals>::new());
    }

    /// What a family of patterns has in common is not what they are found by, if they differ elsewhere.
    #[test]
    fn few_share_a_literal() {
        let sets = |pattern: String| of_regex(&regex::parse(&pattern).unwrap());
        let family = |count: usize| -> Vec<_> {
            let patterns = (0..count).map(|n| format!("/common/prefix/[a-z]+/x{n:05}$"));
            patterns.map(sets).collect()
        };
        let small = family(8);
        assert!(
            choose(&small)
                .iter()
                .all(|set| *set == [b"/common/prefix/".to_vec()])
        );
        let large = family(2_000);
        let chosen = choose(&large);
        assert_eq!(chosen[7], [b"/x00007".to_vec()]);
        let distinct: BTreeSet<_> = chosen.iter().collect();
        assert_eq!(distinct.len(), 2_000);
        // Where all is common, it is the best.
        let same: Vec<_> = (0..20)
            .map(|_| sets("/common/[a-z]+/tail".to_owned()))
            .collect();
        assert!(
            choose(&same)
                .iter()
                .all(|set| *set == [b"/common/".to_vec()])
        );
        let globs: Vec<_> = (0..20)
            .map(|n| of_glob(&format!("*/common/*/t{n:03}")))
            .collect();
        assert_eq!(choose(&globs)[3], [b"/t003".to_vec()]);
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
