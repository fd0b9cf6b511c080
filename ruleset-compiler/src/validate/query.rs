//! Patterns for a path that a query can meet: `*.png` matches `/secret?x=.png` too. What is allowed
//! by such a pattern is whatever the client says it is.

use std::collections::HashSet;

use regex_automata::Anchored;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};
use sallyport_ruleset::normalize::is_uri_byte;

/// An automaton that needs more than that is not looked through.
const AUTOMATON_BYTES_MAX: usize = 1 << 20;
/// States that are looked through for one pattern.
const STATES_MAX: usize = 20_000;

type Dfa = dense::DFA<Vec<u32>>;

/// Where a text is that is being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    Start,
    Path,
    Query,
}

/// A path and query that the glob matches although it does not match the path.
pub(super) fn witness_of_glob(glob: &str) -> Option<String> {
    let mut expression = String::from("(?s)^");
    for piece in glob.split_inclusive(['*', '?']) {
        let literal = piece.trim_end_matches(['*', '?']);
        expression.push_str(&regex_syntax::escape(literal));
        expression.push_str(match piece.as_bytes().last() {
            Some(b'*') => ".*",
            Some(b'?') => ".",
            _ => "",
        });
    }
    expression.push('$');
    witness_of_regex(&expression)
}

/// The same of a regular expression. `None`: there is none, or it was not found in time.
pub(super) fn witness_of_regex(expression: &str) -> Option<String> {
    let dfa = automaton(expression)?;
    let bytes = bytes(&dfa);
    let config = start::Config::new().anchored(Anchored::No);
    let first = dfa.start_state(&config).ok()?;
    let mut seen = HashSet::from([(first, Part::Start)]);
    // Each with where it came from and by which byte, for the text.
    let mut queue = vec![(first, Part::Start, 0_usize, b'/')];
    let mut at = 0;
    while let Some((state, part, ..)) = queue.get(at).copied() {
        if part == Part::Query && is_match(&dfa, state) {
            return Some(text(&queue, at));
        }
        let is_decided = part == Part::Path && is_match(&dfa, state);
        for byte in &bytes {
            let next_part = match (part, byte) {
                (Part::Start, b'/') => Part::Path,
                (Part::Start, _) => continue,
                // The path fits by itself, and the query has no part in it.
                (Part::Path, b'?') if is_decided => continue,
                (Part::Path, b'?') | (Part::Query, _) => Part::Query,
                (Part::Path, _) => Part::Path,
            };
            let next = dfa.next_state(state, *byte);
            if !dfa.is_dead_state(next) && seen.insert((next, next_part)) {
                queue.push((next, next_part, at, *byte));
            }
        }
        at += 1;
        if queue.len() > STATES_MAX {
            return None;
        }
    }
    None
}

fn automaton(expression: &str) -> Option<Dfa> {
    dense::Builder::new()
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .thompson(thompson::Config::new().utf8(false))
        .configure(
            dense::Config::new()
                .start_kind(StartKind::Unanchored)
                .accelerate(false)
                .dfa_size_limit(Some(AUTOMATON_BYTES_MAX))
                .determinize_size_limit(Some(AUTOMATON_BYTES_MAX)),
        )
        .build(expression)
        .ok()
}

/// A byte of each class that URIs have, letters first; `/` and `?` for themselves.
fn bytes(dfa: &Dfa) -> Vec<u8> {
    let mut classes = HashSet::new();
    let mut bytes = vec![b'/', b'?'];
    let candidates = (b'a'..=b'z').chain(0..=u8::MAX);
    for byte in candidates.filter(|byte| is_uri_byte(*byte) && !b"/?".contains(byte)) {
        if classes.insert(dfa.byte_classes().get(byte)) {
            bytes.push(byte);
        }
    }
    bytes
}

fn is_match(dfa: &Dfa, state: StateID) -> bool {
    dfa.is_match_state(state) || dfa.is_match_state(dfa.next_eoi_state(state))
}

fn text(queue: &[(StateID, Part, usize, u8)], at: usize) -> String {
    let mut text = Vec::new();
    let mut at = at;
    while let Some((_, part, before, byte)) = queue.get(at)
        && *part != Part::Start
    {
        text.push(char::from(*byte));
        at = *before;
    }
    text.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_query_can_meet() {
        for (glob, is_met) in [
            ("*.png", true),
            ("/public/*", false),
            ("/public/*.css", true),
            ("/repos/*/releases/*", true),
            ("/a", false),
            ("/a?b", true),
            ("/???", true),
            ("*", false),
            ("/a*", false),
        ] {
            assert_eq!(
                witness_of_glob(glob).is_some(),
                is_met,
                "{glob}: {:?}",
                witness_of_glob(glob)
            );
        }
        for (expression, is_met) in [
            (r"^/public/[^?]*\.css$", false),
            (r"^/public/", false),
            (r"\.css$", true),
            (r"^/repos/[^/]+/releases/", true),
            (r"^/repos/[^/?]+/releases/", false),
            ("token=", true),
            ("(", false),
        ] {
            assert_eq!(
                witness_of_regex(expression).is_some(),
                is_met,
                "{expression}"
            );
        }
        assert_eq!(
            witness_of_glob("/public/*.css").as_deref(),
            Some("/public/?.css")
        );
    }
}
