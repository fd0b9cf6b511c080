//! Hosts that are addresses: they are text for a firewall and no name here. Patterns over that text
//! become the networks whose addresses, as text, they match.

use super::unsupported::Unsupported;

use std::collections::HashMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use regex_automata::Anchored;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::util::{primitives::StateID, start, syntax};

/// Networks that are collected, and those that they may be together. More would be unreadable.
const COLLECTED_MAX: usize = 1024;
const NETWORKS_MAX: usize = 128;
/// States that are looked at before a pattern counts as too involved.
const STATES_MAX: usize = 20_000;
/// Memory for one automaton, in bytes.
const AUTOMATON_BYTES_MAX: usize = 4 * 1024 * 1024;

/// IPv6 as text, in the brackets of URLs or without. One that ends as IPv4 is written is an IPv4
/// address for rules (RFC 4291 section 2.5.5.2).
const VERSION_6: &str = r"^\[?(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}\]?$";

/// Which addresses are meant, as far as it can be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Addresses {
    /// `None`: some, and too many networks to name them.
    pub(super) version_4: Option<Vec<Ipv4Net>>,
    pub(super) version_6: Extent,
}

/// How much of something is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    None,
    Some,
    All,
}

impl Addresses {
    pub(super) fn is_none(&self) -> bool {
        self.version_4.as_ref().is_some_and(Vec::is_empty) && self.version_6 == Extent::None
    }

    pub(super) fn is_all(&self) -> bool {
        let all = |nets: &Vec<Ipv4Net>| nets.iter().any(|net| net.prefix_len() == 0);
        self.version_4.as_ref().is_some_and(all) && self.version_6 == Extent::All
    }

    /// Some addresses, which is all that is known.
    const UNKNOWN: Self = Self {
        version_4: None,
        version_6: Extent::Some,
    };
}

/// The addresses whose text these expressions match, negated ones not.
///
/// # Errors
/// When an expression is too large.
pub(super) fn matching(expressions: &[(String, bool)]) -> Result<Addresses, Unsupported> {
    let mut automata = Vec::with_capacity(expressions.len());
    for (expression, negated) in expressions {
        automata.push(Searched {
            automaton: automaton(expression)?,
            negated: *negated,
        });
    }
    let mut walk = Walk {
        automata,
        known: HashMap::new(),
        nets: Vec::new(),
        is_given_up: false,
    };
    let Some(start) = walk.start() else {
        return Ok(Addresses::UNKNOWN);
    };
    let version_6 = walk.version_6(&start)?;
    walk.collect(0, &start, 0);
    let is_complete = !walk.is_given_up && walk.nets.len() <= COLLECTED_MAX;
    let networks = is_complete.then(|| Ipv4Net::aggregate(&walk.nets));
    Ok(Addresses {
        version_4: networks.filter(|networks| networks.len() <= NETWORKS_MAX),
        version_6,
    })
}

fn automaton(expression: &str) -> Result<dense::DFA<Vec<u32>>, Unsupported> {
    dense::Builder::new()
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .thompson(
            regex_automata::nfa::thompson::Config::new()
                .utf8(false)
                .nfa_size_limit(Some(AUTOMATON_BYTES_MAX)),
        )
        .configure(
            dense::Config::new()
                .start_kind(StartKind::Unanchored)
                .dfa_size_limit(Some(AUTOMATON_BYTES_MAX))
                .determinize_size_limit(Some(AUTOMATON_BYTES_MAX)),
        )
        .build(expression)
        .map_err(|_| Unsupported::TooLarge)
}

struct Searched {
    automaton: dense::DFA<Vec<u32>>,
    negated: bool,
}

/// Where each automaton is; `None`: it has matched.
type Place = Vec<Option<StateID>>;

/// Addresses as text, an octet at a time.
struct Walk {
    automata: Vec<Searched>,
    /// How much of what follows is meant, by the number of octets read and the place.
    known: HashMap<(usize, Place), Extent>,
    nets: Vec<Ipv4Net>,
    is_given_up: bool,
}

impl Walk {
    fn start(&self) -> Option<Place> {
        let mut place = Vec::with_capacity(self.automata.len());
        for searched in &self.automata {
            let start = start::Config::new().anchored(Anchored::No);
            let state = searched.automaton.start_state(&start).ok()?;
            place.push((!searched.automaton.is_match_state(state)).then_some(state));
        }
        Some(place)
    }

    fn read(&self, place: &Place, text: &[u8]) -> Place {
        let steps = self.automata.iter().zip(place);
        steps
            .map(|(searched, state)| {
                let mut state = (*state)?;
                for byte in text {
                    state = searched.automaton.next_state(state, *byte);
                    if searched.automaton.is_match_state(state) {
                        return None;
                    }
                }
                Some(state)
            })
            .collect()
    }

    /// Whether all hold of a text that ends here.
    fn holds_at_end(&self, place: &Place) -> bool {
        self.automata.iter().zip(place).all(|(searched, state)| {
            let is_match = state.is_none_or(|state| {
                let end = searched.automaton.next_eoi_state(state);
                searched.automaton.is_match_state(end)
            });
            is_match != searched.negated
        })
    }

    /// The place behind an octet, and behind the dot after it.
    fn behind(&self, place: &Place, octets_count: usize, octet: u8) -> Place {
        let dot = if octets_count < 3 { "." } else { "" };
        self.read(place, format!("{octet}{dot}").as_bytes())
    }

    fn extent(&mut self, octets_count: usize, place: &Place) -> Extent {
        if octets_count == 4 {
            return if self.holds_at_end(place) {
                Extent::All
            } else {
                Extent::None
            };
        }
        let key = (octets_count, place.clone());
        if let Some(extent) = self.known.get(&key) {
            return *extent;
        }
        if self.known.len() >= STATES_MAX {
            self.is_given_up = true;
            return Extent::Some;
        }
        let mut found: Option<Extent> = None;
        for octet in 0..=u8::MAX {
            let behind = self.behind(place, octets_count, octet);
            let extent = self.extent(octets_count + 1, &behind);
            found = match found {
                None => Some(extent),
                Some(before) if before == extent => Some(before),
                Some(_) => Some(Extent::Some),
            };
        }
        let extent = found.unwrap_or(Extent::None);
        self.known.insert(key, extent);
        extent
    }

    fn collect(&mut self, octets_count: usize, place: &Place, prefix: u32) {
        if self.is_given_up || self.nets.len() > COLLECTED_MAX {
            return;
        }
        match self.extent(octets_count, place) {
            Extent::None => {}
            Extent::All => {
                let bits = u8::try_from(octets_count * 8).unwrap_or(32);
                let shifted = prefix.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                self.nets
                    .extend(Ipv4Net::new(Ipv4Addr::from(shifted), bits));
            }
            Extent::Some => {
                for octet in 0..=u8::MAX {
                    let behind = self.behind(place, octets_count, octet);
                    self.collect(octets_count + 1, &behind, prefix << 8 | u32::from(octet));
                }
            }
        }
    }

    /// Whether texts of IPv6 addresses are meant: a search through all that can be written.
    fn version_6(&self, start: &Place) -> Result<Extent, Unsupported> {
        let grammar = automaton(VERSION_6)?;
        let config = start::Config::new().anchored(Anchored::No);
        let Ok(first) = grammar.start_state(&config) else {
            return Ok(Extent::Some);
        };
        let mut seen = std::collections::HashSet::from([(first, start.clone())]);
        let mut queue = vec![(first, start.clone())];
        let (mut some, mut all) = (false, true);
        while let Some((written, place)) = queue.pop() {
            if grammar.is_match_state(grammar.next_eoi_state(written)) {
                let holds = self.holds_at_end(&place);
                some |= holds;
                all &= holds;
            }
            if (some && !all) || seen.len() > STATES_MAX {
                return Ok(Extent::Some);
            }
            for byte in b"0123456789abcdef:[]" {
                let next = (
                    grammar.next_state(written, *byte),
                    self.read(&place, std::slice::from_ref(byte)),
                );
                if !grammar.is_dead_state(next.0) && seen.insert(next.clone()) {
                    queue.push(next);
                }
            }
        }
        Ok(match (some, all) {
            (false, _) => Extent::None,
            (true, true) => Extent::All,
            (true, false) => Extent::Some,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(expressions: &[(&str, bool)]) -> String {
        let expressions: Vec<(String, bool)> = expressions
            .iter()
            .map(|(expression, negated)| ((*expression).to_owned(), *negated))
            .collect();
        let found = matching(&expressions).unwrap();
        let nets = found.version_4.map_or_else(
            || "many".to_owned(),
            |nets| {
                let nets: Vec<String> = nets.iter().map(Ipv4Net::to_string).collect();
                nets.join(" ")
            },
        );
        format!("{nets}/{:?}", found.version_6)
    }

    #[test]
    fn patterns_over_addresses_are_networks() {
        for (expressions, expected) in [
            (&[(r"^203\.0\.113\.", false)][..], "203.0.113.0/24/None"),
            (&[(r"^203\.0\.113\.7$", false)], "203.0.113.7/32/None"),
            (
                &[(r"^(?:[0-9]{1,3}\.){3}[0-9]{1,3}$", false)],
                "0.0.0.0/0/None",
            ),
            (
                &[(r"^10\.", false), (r"^10\.9\.", true)],
                "10.0.0.0/13 10.8.0.0/16 10.10.0.0/15 10.12.0.0/14 10.16.0.0/12 10.32.0.0/11 10.64.0.0/10 10.128.0.0/9/None",
            ),
            (&[(r"\.test$", false)], "/None"),
            (&[(r"good\.test$", true)], "0.0.0.0/0/All"),
            (&[(r".", false)], "0.0.0.0/0/All"),
            (&[(r"\.", false)], "0.0.0.0/0/None"),
            (&[(r"203\.0\.113\.", false)], "203.0.113.0/24/None"),
            (&[(r"7", false)], "many/Some"),
            (&[(r"^\[?fe80:", false)], "/Some"),
            (
                &[(r"^1(?:92|93)\.0\.2\.1$", false)],
                "192.0.2.1/32 193.0.2.1/32/None",
            ),
        ] {
            assert_eq!(shown(expressions), expected, "{expressions:?}");
        }
    }
}
