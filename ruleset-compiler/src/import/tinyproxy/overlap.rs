//! Whether an expression over hosts may match a host that is an address. Rules over names are not
//! asked about such hosts, so it has to be known.

use std::collections::HashSet;

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::util::syntax;
use regex_automata::{Anchored, MatchKind};

/// How addresses are written as hosts: IPv4, and IPv6 with or without brackets.
const ADDRESS: &str = r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}|\[?[0-9a-f:]*:[0-9a-f:.]*\]?";
/// Bytes that such hosts are made of.
const BYTES: &[u8] = b"0123456789abcdef:.[]";
/// Larger automata are not looked at.
const AUTOMATON_BYTES_MAX: usize = 1 << 20;
/// Pairs of states that are looked at.
const PAIRS_MAX: usize = 200_000;

/// Whether the expression, which need not span the whole host, matches the text of some address.
/// Also true if that cannot be found out.
pub(super) fn may_match_an_address(pattern: &str) -> bool {
    let anywhere = format!("(?s-u:.)*(?:{pattern})(?s-u:.)*");
    let (Some(pattern), Some(address)) = (automaton(&anywhere), automaton(ADDRESS)) else {
        return true;
    };
    meet(&pattern, &address).unwrap_or(true)
}

fn automaton(pattern: &str) -> Option<dense::DFA<Vec<u32>>> {
    let configuration = dense::Config::new()
        .match_kind(MatchKind::All)
        .start_kind(StartKind::Anchored)
        .dfa_size_limit(Some(AUTOMATON_BYTES_MAX))
        .determinize_size_limit(Some(AUTOMATON_BYTES_MAX));
    let built = dense::Builder::new()
        .configure(configuration)
        .syntax(
            syntax::Config::new()
                .case_insensitive(true)
                .unicode(false)
                .utf8(false),
        )
        .thompson(regex_automata::nfa::thompson::Config::new().utf8(false))
        .build(pattern);
    built.ok()
}

/// Whether one text makes both match as a whole; `None` if too much would have to be looked at.
fn meet(left: &dense::DFA<Vec<u32>>, right: &dense::DFA<Vec<u32>>) -> Option<bool> {
    let begin = |automaton: &dense::DFA<Vec<u32>>| {
        let start = start::Config::new().anchored(Anchored::Yes);
        automaton.start_state(&start).ok()
    };
    let mut open: Vec<(StateID, StateID)> = vec![(begin(left)?, begin(right)?)];
    let mut seen: HashSet<(StateID, StateID)> = open.iter().copied().collect();
    while let Some((one, other)) = open.pop() {
        let ends = |automaton: &dense::DFA<Vec<u32>>, state| {
            automaton.is_match_state(automaton.next_eoi_state(state))
        };
        if ends(left, one) && ends(right, other) {
            return Some(true);
        }
        for byte in BYTES {
            let next = (left.next_state(one, *byte), right.next_state(other, *byte));
            let is_over = left.is_dead_state(next.0) || right.is_dead_state(next.1);
            if !is_over && seen.insert(next) {
                open.push(next);
            }
        }
        if seen.len() > PAIRS_MAX {
            return None;
        }
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_that_match_addresses() {
        for pattern in [
            r"^[0-9.]+$",
            "^10\\.",
            "1",
            ".",
            "",
            "^[^.]+\\.",
            "cafe",
            "::1",
            r"^\[",
            "192.168",
        ] {
            assert!(may_match_an_address(pattern), "{pattern}");
        }
        for pattern in [
            "casino",
            r"\.example\.com$",
            "^www",
            r"^ads?[0-9]*\.",
            "com$",
        ] {
            assert!(!may_match_an_address(pattern), "{pattern}");
        }
    }
}
