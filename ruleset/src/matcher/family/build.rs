//! From expressions to a table: determinized by regex-automata with all matches kept, then cut down
//! to what a scan asks.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};
use regex_syntax::hir::Hir;

use super::{Shape, nfa};
use crate::limits::REGEX_STATES_MAX;

/// What an automaton may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) states_max: usize,
    /// Memory while it is built: a state is a set of states of the members. So the time has a bound too.
    pub(crate) build_bytes_max: usize,
}

/// What a state takes beside its row, on average.
const STATE_BYTES: usize = 64;

/// An automaton as it is written.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) shape: Shape,
    pub(crate) bytes: Vec<u8>,
    /// For each report the members that match, ascending.
    pub(crate) reports: Vec<Vec<u32>>,
}

/// Builds the automaton of expressions that each were built alone before; `None` when it would be over
/// the budget. Those that begin alike should be neighbors.
pub(crate) fn compile(members: &[Hir], budget: Budget) -> Option<Compiled> {
    let nfa = nfa::build(members).ok()?;
    let row_bytes = nfa.byte_classes().alphabet_len().next_power_of_two() * size_of::<u32>();
    let config = dense::Config::new()
        .match_kind(MatchKind::All)
        .start_kind(StartKind::Unanchored)
        .accelerate(false)
        .dfa_size_limit(Some(budget.states_max * (row_bytes + STATE_BYTES)))
        .determinize_size_limit(Some(budget.build_bytes_max));
    let dfa = dense::Builder::new()
        .configure(config)
        .build_from_nfa(&nfa)
        .ok()?;
    Transcript::of(&dfa, budget)?.compiled(&dfa)
}

/// The reachable states in the order in which they are met, breadth first.
struct Transcript {
    states: Vec<StateID>,
    /// One byte of each class.
    representatives: Vec<u8>,
}

impl Transcript {
    fn of(dfa: &dense::DFA<Vec<u32>>, budget: Budget) -> Option<Self> {
        let representatives: Vec<u8> = dfa
            .byte_classes()
            .representatives(..)
            .filter_map(|unit| unit.as_u8())
            .collect();
        let first = dfa
            .start_state(&start::Config::new().anchored(Anchored::No))
            .ok()?;
        let mut states = vec![first];
        let mut met: HashMap<StateID, (), FixedState> = HashMap::from_iter([(first, ())]);
        let mut position = 0;
        while let Some(state) = states.get(position).copied() {
            position += 1;
            for byte in &representatives {
                let next = dfa.next_state(state, *byte);
                if dfa.is_quit_state(next) {
                    return None;
                }
                if !dfa.is_dead_state(next) && met.insert(next, ()).is_none() {
                    states.push(next);
                }
            }
            // The dead state is one more.
            if states.len() >= budget.states_max.min(REGEX_STATES_MAX) {
                return None;
            }
        }
        Some(Self {
            states,
            representatives,
        })
    }

    fn compiled(self, dfa: &dense::DFA<Vec<u32>>) -> Option<Compiled> {
        let (telling, silent): (Vec<StateID>, Vec<StateID>) = self
            .states
            .iter()
            .copied()
            .partition(|state| dfa.is_match_state(*state));
        // A match is told of one byte late, so that the first state is never one that tells.
        let ordered = || telling.iter().chain(&silent).copied();
        let numbers: HashMap<StateID, u16, FixedState> = ordered().zip(1..).collect();
        let mut reports = Reports::default();
        let mut words: Vec<u16> = vec![0; self.representatives.len()];
        for state in ordered() {
            for byte in &self.representatives {
                let next = dfa.next_state(state, *byte);
                words.push(numbers.get(&next).copied().unwrap_or(0));
            }
        }
        // The text does not end in the dead state.
        words.push(0);
        for state in ordered() {
            let end = dfa.next_eoi_state(state);
            words.push(match dfa.is_match_state(end) {
                true => reports.of(dfa, end)?.checked_add(1)?,
                false => 0,
            });
        }
        for state in &telling {
            words.push(reports.of(dfa, *state)?);
        }
        let classes = dfa.byte_classes();
        let mut bytes: Vec<u8> = (0..=255).map(|byte| classes.get(byte)).collect();
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        Some(Compiled {
            shape: Shape {
                states: self.states.len() + 1,
                classes: self.representatives.len(),
                telling: telling.len(),
            },
            bytes,
            reports: reports.members,
        })
    }
}

/// Distinct sets of members.
#[derive(Default)]
struct Reports {
    members: Vec<Vec<u32>>,
    numbers: HashMap<Vec<u32>, u16, FixedState>,
}

impl Reports {
    fn of(&mut self, dfa: &dense::DFA<Vec<u32>>, state: StateID) -> Option<u16> {
        let matches = 0..dfa.match_len(state);
        let mut members: Vec<u32> = matches
            .map(|at| dfa.match_pattern(state, at).as_u32())
            .collect();
        members.sort_unstable();
        if let Some(known) = self.numbers.get(&members) {
            return Some(*known);
        }
        let new = u16::try_from(self.members.len()).ok()?;
        self.members.push(members.clone());
        self.numbers.insert(members, new);
        Some(new)
    }
}
