//! A test of text as an automaton that is made while it runs: lists, globs and regular expressions
//! side by side, and which part of the text each looks at. States are sets of threads, one for
//! each value that may still fit.

use std::collections::{HashMap, HashSet};

use regex_automata::Anchored;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};
use sallyport_ruleset::Test;
use sallyport_ruleset::limits::REGEX_BUILD_BYTES_MAX;

use super::universe::Universe;
use super::words::{Form, Prefix, Words, WordsKind, by_form};

/// Number of a state of a [`Machine`].
pub(super) type State = u32;

/// The state in which a text begins.
pub(super) const START: State = 0;

type Dfa = dense::DFA<Vec<u32>>;

/// One test.
#[derive(Debug)]
pub(super) struct Machine {
    universe: Universe,
    pub(super) words: Vec<Words>,
    /// Symbols in the order in which the text is read.
    globs: Vec<(Vec<u8>, Form)>,
    regexes: Vec<(Dfa, Form)>,
    states: Vec<Vec<Thread>>,
    numbers: HashMap<Vec<Thread>, State>,
    steps: HashMap<(State, u8), State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Thread {
    /// Whatever follows, it fits.
    Fits,
    Words {
        list: u32,
        prefix: Prefix,
    },
    Glob {
        glob: u32,
        at: u32,
    },
    Regex {
        regex: u32,
        state: StateID,
    },
}

impl Machine {
    /// `None` when an expression is too large.
    pub(super) fn new(test: &Test, universe: Universe) -> Option<Self> {
        let separator = universe.separator();
        let is_reversed = universe.is_reversed();
        let (mut words, mut globs, mut regexes) = (Vec::new(), Vec::new(), Vec::new());
        match test {
            Test::Exact {
                values,
                ignore_case,
            } => {
                let lists = by_form(values, separator)
                    .into_iter()
                    .map(|(form, values)| {
                        Words::new(
                            values.into_iter(),
                            WordsKind::Whole,
                            form,
                            *ignore_case,
                            is_reversed,
                        )
                    });
                words.extend(lists.filter(|list| !list.is_empty()));
            }
            Test::Domain(values) => words.push(Words::new(
                values.iter(),
                WordsKind::Domain,
                Form::Full,
                false,
                is_reversed,
            )),
            Test::Glob(values) => {
                for value in values.iter() {
                    let mut symbols = value.as_bytes().to_vec();
                    if is_reversed {
                        symbols.reverse();
                    }
                    globs.push((symbols, pattern_form(value, universe)));
                }
            }
            Test::Regex(values) => {
                for value in values.iter() {
                    let form = pattern_form(value, universe);
                    regexes.push((automaton(value, is_reversed)?, form));
                }
            }
            _ => {}
        }
        let mut machine = Self {
            universe,
            words,
            globs,
            regexes,
            states: Vec::new(),
            numbers: HashMap::new(),
            steps: HashMap::new(),
        };
        let threads = machine.first_threads()?;
        machine.number(threads);
        Some(machine)
    }

    /// Whether the test has patterns besides lists.
    pub(super) fn has_patterns(&self) -> bool {
        !self.globs.is_empty() || !self.regexes.is_empty()
    }

    /// Whether the test holds of a text.
    pub(super) fn holds(&mut self, text: &[u8], stand_in: impl Fn(u8) -> u8) -> bool {
        if !self.has_patterns() {
            let short = self
                .universe
                .separator()
                .and_then(|separator| text.split(|byte| *byte == separator).next());
            return self.words.iter().any(|list| match list.form {
                Form::Short => list.contains(short.unwrap_or(text)),
                Form::Full | Form::Both => list.contains(text),
            });
        }
        let is_reversed = self.universe.is_reversed();
        let mut state = START;
        let mut read = |byte: &u8| state = self.step(state, stand_in(*byte));
        if is_reversed {
            text.iter().rev().for_each(&mut read);
        } else {
            text.iter().for_each(&mut read);
        }
        self.accepts(state)
    }

    /// The state after one more byte.
    pub(super) fn step(&mut self, state: State, byte: u8) -> State {
        if let Some(next) = self.steps.get(&(state, byte)) {
            return *next;
        }
        let threads = self.states.get(state as usize).cloned().unwrap_or_default();
        let mut next = Vec::new();
        for thread in threads {
            self.step_thread(thread, byte, &mut next);
        }
        next.sort_unstable();
        next.dedup();
        if next.first() == Some(&Thread::Fits) {
            next.truncate(1);
        }
        prune(&mut next, &self.globs);
        let number = self.number(next);
        self.steps.insert((state, byte), number);
        number
    }

    /// Whether the text may end here and fit.
    pub(super) fn accepts(&self, state: State) -> bool {
        let threads = self.states.get(state as usize);
        threads.is_some_and(|threads| threads.iter().any(|thread| self.is_complete(*thread)))
    }

    /// Whatever follows, it fits.
    pub(super) fn is_certain(&self, state: State) -> bool {
        let threads = self.states.get(state as usize);
        threads.is_some_and(|threads| threads.first() == Some(&Thread::Fits))
    }

    /// Whatever follows, it does not fit.
    pub(super) fn is_dead(&self, state: State) -> bool {
        self.states.get(state as usize).is_none_or(Vec::is_empty)
    }

    /// Bytes that are missing at least before the text can fit.
    pub(super) fn distance(&self, state: State) -> usize {
        let threads = self.states.get(state as usize).map(Vec::as_slice);
        let of = |thread: &Thread| match thread {
            Thread::Glob { glob, at } => {
                self.globs.get(*glob as usize).map_or(0, |(symbols, _)| {
                    let rest = symbols.get(*at as usize..).unwrap_or_default();
                    rest.iter().filter(|symbol| **symbol != b'*').count()
                })
            }
            _ => 0,
        };
        threads
            .unwrap_or_default()
            .iter()
            .map(of)
            .min()
            .unwrap_or(0)
    }

    /// Adds the bytes that values name.
    pub(super) fn literal_bytes(&self, bytes: &mut HashSet<u8>) {
        for list in &self.words {
            bytes.extend(list.bytes());
            if list.ignores_case {
                bytes.extend(list.bytes().iter().map(u8::to_ascii_uppercase));
            }
        }
        for (symbols, _) in &self.globs {
            bytes.extend(
                symbols
                    .iter()
                    .filter(|symbol| !matches!(symbol, b'*' | b'?')),
            );
        }
    }

    /// Adds the class of a byte in each expression.
    pub(super) fn classes(&self, byte: u8, classes: &mut Vec<u8>) {
        classes.extend(
            self.regexes
                .iter()
                .map(|(dfa, _)| dfa.byte_classes().get(byte)),
        );
    }

    fn number(&mut self, threads: Vec<Thread>) -> State {
        if let Some(number) = self.numbers.get(&threads) {
            return *number;
        }
        let number = State::try_from(self.states.len()).unwrap_or(State::MAX);
        self.states.push(threads.clone());
        self.numbers.insert(threads, number);
        number
    }

    fn first_threads(&self) -> Option<Vec<Thread>> {
        let mut threads = Vec::new();
        for (list, words) in (0..).zip(&self.words) {
            threads.push(Thread::Words {
                list,
                prefix: words.start(),
            });
        }
        for glob in (0..).take(self.globs.len()) {
            self.push_glob(glob, 0, &mut threads);
        }
        for (regex, (dfa, _)) in (0..).zip(&self.regexes) {
            let config = start::Config::new().anchored(Anchored::No);
            let state = dfa.start_state(&config).ok()?;
            threads.push(Thread::Regex { regex, state });
        }
        threads.sort_unstable();
        threads.dedup();
        prune(&mut threads, &self.globs);
        Some(threads)
    }

    fn form(&self, thread: Thread) -> Form {
        match thread {
            Thread::Fits => Form::Full,
            Thread::Words { list, .. } => self
                .words
                .get(list as usize)
                .map_or(Form::Full, |list| list.form),
            Thread::Glob { glob, .. } => self
                .globs
                .get(glob as usize)
                .map_or(Form::Full, |(_, form)| *form),
            Thread::Regex { regex, .. } => self
                .regexes
                .get(regex as usize)
                .map_or(Form::Full, |(_, form)| *form),
        }
    }

    fn step_thread(&self, thread: Thread, byte: u8, next: &mut Vec<Thread>) {
        let form = self.form(thread);
        if form != Form::Full && self.universe.separator() == Some(byte) {
            if self.is_complete(thread) {
                next.push(Thread::Fits);
                return;
            }
            if form == Form::Short {
                return;
            }
        }
        match thread {
            Thread::Fits => next.push(thread),
            Thread::Words { list, prefix } => {
                let Some(words) = self.words.get(list as usize) else {
                    return;
                };
                // Read backwards: a whole value, and then a label before it.
                if words.kind == WordsKind::Domain && byte == b'.' && words.is_value(prefix) {
                    next.push(Thread::Fits);
                }
                let step = words.step(prefix, byte);
                next.extend(step.map(|prefix| Thread::Words { list, prefix }));
            }
            Thread::Glob { glob, at } => {
                let symbols = self.globs.get(glob as usize).map(|(symbols, _)| symbols);
                match symbols.and_then(|symbols| symbols.get(at as usize)) {
                    Some(b'*') => self.push_glob(glob, at, next),
                    Some(symbol) if *symbol == byte || *symbol == b'?' => {
                        self.push_glob(glob, at + 1, next);
                    }
                    _ => {}
                }
            }
            Thread::Regex { regex, state } => {
                let Some((dfa, _)) = self.regexes.get(regex as usize) else {
                    return;
                };
                let state = dfa.next_state(state, byte);
                if dfa.is_match_state(state) {
                    next.push(Thread::Fits);
                } else if !dfa.is_dead_state(state) {
                    next.push(Thread::Regex { regex, state });
                }
            }
        }
    }

    /// The position, and those that a star leads to without a byte.
    fn push_glob(&self, glob: u32, at: u32, threads: &mut Vec<Thread>) {
        let mut at = at;
        threads.push(Thread::Glob { glob, at });
        let Some((symbols, form)) = self.globs.get(glob as usize) else {
            return;
        };
        while symbols.get(at as usize) == Some(&b'*') {
            at += 1;
            threads.push(Thread::Glob { glob, at });
        }
        // A star at the end takes all that follows.
        let is_last_star = at > 0 && symbols.get(at as usize - 1) == Some(&b'*');
        if *form != Form::Short && is_last_star && at as usize == symbols.len() {
            threads.push(Thread::Fits);
        }
    }

    fn is_complete(&self, thread: Thread) -> bool {
        match thread {
            Thread::Fits => true,
            Thread::Words { list, prefix } => {
                let words = self.words.get(list as usize);
                words.is_some_and(|words| words.is_value(prefix))
            }
            Thread::Glob { glob, at } => {
                let glob = self.globs.get(glob as usize);
                glob.is_some_and(|(symbols, _)| symbols.len() == at as usize)
            }
            Thread::Regex { regex, state } => {
                let regex = self.regexes.get(regex as usize);
                regex.is_some_and(|(dfa, _)| dfa.is_match_state(dfa.next_eoi_state(state)))
            }
        }
    }
}

/// What a glob can still match from its last star on is all that it can match from before: earlier
/// threads of the same glob are not needed.
fn prune(threads: &mut Vec<Thread>, globs: &[(Vec<u8>, Form)]) {
    let mut last_stars: HashMap<u32, u32> = HashMap::new();
    for thread in threads.iter() {
        if let Thread::Glob { glob, at } = thread
            && globs
                .get(*glob as usize)
                .is_some_and(|(symbols, _)| symbols.get(*at as usize) == Some(&b'*'))
        {
            let last = last_stars.entry(*glob).or_default();
            *last = (*last).max(*at);
        }
    }
    threads.retain(|thread| match thread {
        Thread::Glob { glob, at } => last_stars.get(glob).is_none_or(|last| at >= last),
        _ => true,
    });
}

/// A pattern for a URI fits when it fits the path, or path and query.
fn pattern_form(value: &str, universe: Universe) -> Form {
    match universe.separator() {
        None => Form::Full,
        Some(_) if universe == Universe::Uri => Form::Both,
        Some(separator) if value.as_bytes().contains(&separator) => Form::Full,
        Some(_) => Form::Short,
    }
}

/// The automaton of an expression that matches somewhere in the text, read backwards if so asked.
/// `None` when it is too large.
pub(super) fn automaton(pattern: &str, is_reversed: bool) -> Option<Dfa> {
    dense::Builder::new()
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .thompson(thompson::Config::new().utf8(false).reverse(is_reversed))
        .configure(
            dense::Config::new()
                .start_kind(StartKind::Unanchored)
                .accelerate(false)
                .dfa_size_limit(Some(REGEX_BUILD_BYTES_MAX))
                .determinize_size_limit(Some(REGEX_BUILD_BYTES_MAX)),
        )
        .build(pattern)
        .ok()
}

/// Whether an automaton that reads forwards matches somewhere in a text.
pub(super) fn is_match(dfa: &Dfa, text: &[u8]) -> bool {
    let config = start::Config::new().anchored(Anchored::No);
    let Ok(mut state) = dfa.start_state(&config) else {
        return false;
    };
    for byte in text {
        state = dfa.next_state(state, *byte);
        if dfa.is_match_state(state) {
            return true;
        }
    }
    dfa.is_match_state(dfa.next_eoi_state(state))
}
