//! A text of which some tests hold and others do not: the shortest, by a search over all tests at
//! once, or the proof that there is none. Best first: what the tests that must hold still need
//! counts as if it were read.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::alphabet::Alphabet;
use super::machine::{Machine, START, State};
use super::universe::Universe;
use super::value::Found;

/// What was read, by where each test and the universe are.
struct Node {
    states: Vec<State>,
    parent: usize,
    byte: u8,
    depth: usize,
}

/// The tests that must hold, then those that must not.
pub(super) struct Product<'s> {
    pub(super) universe: Universe,
    pub(super) alphabet: &'s Alphabet,
    pub(super) machines: &'s mut [Machine],
    pub(super) positive: &'s [usize],
    pub(super) negative: &'s [usize],
}

impl Product<'_> {
    /// Searches; gives up after `steps_max` steps of single tests.
    pub(super) fn search(self, steps_max: usize) -> Found<Vec<u8>> {
        let tests = self.positive.len() + self.negative.len();
        let mut nodes = vec![Node {
            states: vec![START; tests + 1],
            parent: 0,
            byte: 0,
            depth: 0,
        }];
        let mut seen: HashMap<Vec<State>, usize> = HashMap::from([(vec![START; tests + 1], 0)]);
        let mut queue = BinaryHeap::from([Reverse((0, 0, 0_usize))]);
        let (mut steps, mut has_unfit) = (0_usize, false);
        while let Some(Reverse((_, _, at))) = queue.pop() {
            let Some(node) = nodes.get(at) else { break };
            let (states, depth) = (node.states.clone(), node.depth);
            if seen.get(&states).is_some_and(|best| *best < depth) {
                continue;
            }
            if self.accepts(&states) {
                let text = text(&nodes, at, self.universe.is_reversed());
                if self.universe.permits(&text) {
                    return Found::Value(text);
                }
                has_unfit = true;
            }
            if depth >= self.universe.bytes_max() {
                continue;
            }
            for byte in &self.alphabet.bytes {
                steps += tests + 1;
                let Some(next) = Self::step(
                    self.machines,
                    self.universe,
                    self.positive,
                    self.negative,
                    &states,
                    *byte,
                ) else {
                    continue;
                };
                let depth = depth + 1;
                if seen.get(&next).is_some_and(|best| *best <= depth) {
                    continue;
                }
                let distance = self.distance(&next);
                seen.insert(next.clone(), depth);
                queue.push(Reverse((depth + distance, distance, nodes.len())));
                nodes.push(Node {
                    states: next,
                    parent: at,
                    byte: *byte,
                    depth,
                });
            }
            if steps > steps_max {
                return Found::Unknown;
            }
        }
        if has_unfit {
            Found::Unknown
        } else {
            Found::Empty
        }
    }

    fn accepts(&self, states: &[State]) -> bool {
        let Some((universe, states)) = states.split_first() else {
            return false;
        };
        let tests = self.positive.iter().chain(self.negative).zip(states);
        let mut holds = tests.map(|(test, state)| {
            self.machines
                .get(*test)
                .is_some_and(|machine| machine.accepts(*state))
        });
        self.universe.accepts(*universe)
            && holds.by_ref().take(self.positive.len()).all(|holds| holds)
            && holds.all(|holds| !holds)
    }

    /// `None` when nothing that follows can do.
    fn step(
        machines: &mut [Machine],
        universe: Universe,
        positive: &[usize],
        negative: &[usize],
        states: &[State],
        byte: u8,
    ) -> Option<Vec<State>> {
        let (first, states) = states.split_first()?;
        let mut next = Vec::with_capacity(states.len() + 1);
        next.push(universe.step(*first, byte)?);
        let tests = positive.iter().chain(negative).zip(states).enumerate();
        for (position, (test, state)) in tests {
            let machine = machines.get_mut(*test)?;
            let state = machine.step(*state, byte);
            let is_hopeless = if position < positive.len() {
                machine.is_dead(state)
            } else {
                machine.is_certain(state)
            };
            if is_hopeless {
                return None;
            }
            next.push(state);
        }
        Some(next)
    }

    fn distance(&self, states: &[State]) -> usize {
        let tests = self.positive.iter().zip(states.iter().skip(1));
        let distances = tests.filter_map(|(test, state)| {
            let machine = self.machines.get(*test)?;
            Some(machine.distance(*state))
        });
        distances.max().unwrap_or(0)
    }
}

fn text(nodes: &[Node], at: usize, is_reversed: bool) -> Vec<u8> {
    let mut text = Vec::new();
    let mut at = at;
    while let Some(node) = nodes.get(at).filter(|node| node.depth > 0) {
        text.push(node.byte);
        at = node.parent;
    }
    if !is_reversed {
        text.reverse();
    }
    text
}
