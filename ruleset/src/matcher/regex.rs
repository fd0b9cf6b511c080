//! Regular expressions, one small automaton each.
//!
//! Each expression is determinized alone (many together explode), searched unanchored, and only
//! asked *whether* it matches: every matching state is one absorbing state. The table is written
//! in a form of its own, which a bundle's reader can check completely and search without copying.

use regex_automata::Anchored;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
#[cfg(any(test, feature = "reference"))]
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::util::{start, syntax};
use std::collections::HashMap;

use crate::invariant::Invariant;
use crate::limits::{REGEX_BUILD_BYTES_MAX, REGEX_BYTES_MAX, REGEX_STATES_MAX};

/// Why an expression is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegexError {
    /// It does not parse; the message points at the place.
    #[error("{0}")]
    Syntax(String),
    /// It needs more than a limit of `limits.rs` allows, or a Unicode word boundary.
    #[error("the expression is too large or not supported: {0}")]
    TooLarge(String),
}

/// Checks an expression as thoroughly as writing it into a bundle does, by building it.
///
/// # Errors
/// When it does not parse or is too large.
pub fn check(pattern: &str) -> Result<(), RegexError> {
    compile(pattern).map(drop)
}

/// State that nothing leads out of and that does not match.
const DEAD: u16 = 0;
/// State that nothing leads out of and that matches.
const ACCEPT: u16 = 1;
/// Where a search begins.
const START: u16 = 2;

/// An automaton as it is written: 256 classes, then a row of `u16` states per state, then a byte
/// per state: whether the text may end here.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) states: usize,
    pub(crate) classes: usize,
    pub(crate) bytes: Vec<u8>,
}

/// Bytes of an automaton with so many states and classes; `None` if that is no possible size.
pub(crate) fn size(states: usize, classes: usize) -> Option<usize> {
    let possible = (3..=REGEX_STATES_MAX).contains(&states) && (1..=256).contains(&classes);
    // Only of what is possible: other counts come from a file, and their product may be no number.
    possible.then(|| 256 + states * classes * 2 + states)
}

/// Builds the automaton of one expression.
pub(crate) fn compile(pattern: &str) -> Result<Compiled, RegexError> {
    parse(pattern)?;
    let too_large = |error: &dyn std::fmt::Display| RegexError::TooLarge(error.to_string());
    let dfa = dense::Builder::new()
        .syntax(syntax_config())
        .thompson(thompson_config())
        .configure(
            dense::Config::new()
                .start_kind(StartKind::Unanchored)
                .accelerate(false)
                .dfa_size_limit(Some(REGEX_BUILD_BYTES_MAX))
                .determinize_size_limit(Some(REGEX_BUILD_BYTES_MAX)),
        )
        .build(pattern)
        .map_err(|error| too_large(&error))?;
    let compiled = transcribe(&dfa).ok_or_else(|| too_large(&"more states than allowed"))?;
    if compiled.bytes.len() > REGEX_BYTES_MAX {
        return Err(too_large(&format_args!("{} bytes", compiled.bytes.len())));
    }
    Ok(compiled)
}

/// The syntax tree, for literals.
pub(crate) fn parse(pattern: &str) -> Result<regex_syntax::hir::Hir, RegexError> {
    regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .build()
        .parse(pattern)
        .map_err(|error| RegexError::Syntax(error.to_string()))
}

/// Whether a match may hang on what stands behind it. An expression that asks for nothing there matches
/// a text if it matches a beginning of it.
pub(crate) fn asks_what_follows(hir: &regex_syntax::hir::Hir) -> bool {
    use regex_syntax::hir::Look;
    let asked = hir.properties().look_set();
    asked
        .iter()
        .any(|look| !matches!(look, Look::Start | Look::StartLF))
}

/// A slow engine that shares nothing with [`compile`] but the parser, for the reference.
#[cfg(any(test, feature = "reference"))]
pub(crate) fn interpreter(pattern: &str) -> Result<PikeVM, RegexError> {
    PikeVM::builder()
        .syntax(syntax_config())
        .thompson(thompson_config())
        .build(pattern)
        .map_err(|error| RegexError::Syntax(error.to_string()))
}

fn syntax_config() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false)
}

fn thompson_config() -> thompson::Config {
    thompson::Config::new()
        .utf8(false)
        .nfa_size_limit(Some(REGEX_BUILD_BYTES_MAX))
}

/// Walks the reachable states breadth first and numbers them as they are met.
fn transcribe(dfa: &dense::DFA<Vec<u32>>) -> Option<Compiled> {
    let start = dfa
        .start_state(&start::Config::new().anchored(Anchored::No))
        .ok()?;
    let classes = dfa.byte_classes();
    let representatives: Vec<u8> = classes
        .representatives(..)
        .filter_map(|unit| unit.as_u8())
        .collect();
    let mut numbers = HashMap::from([(start, START)]);
    let mut queue = vec![start];
    let mut rows: Vec<u16> = vec![DEAD; representatives.len()];
    rows.resize(representatives.len() * 2, ACCEPT);
    let mut may_end = vec![0_u8, 1];
    let mut position = 0;
    while let Some(state) = queue.get(position).copied() {
        position += 1;
        for byte in &representatives {
            let next = dfa.next_state(state, *byte);
            let number = if dfa.is_match_state(next) {
                ACCEPT
            } else if dfa.is_dead_state(next) {
                DEAD
            } else if dfa.is_quit_state(next) {
                return None;
            } else if let Some(number) = numbers.get(&next) {
                *number
            } else {
                let number = u16::try_from(queue.len() + usize::from(START)).ok()?;
                numbers.insert(next, number);
                queue.push(next);
                number
            };
            rows.push(number);
        }
        may_end.push(u8::from(dfa.is_match_state(dfa.next_eoi_state(state))));
        if may_end.len() > REGEX_STATES_MAX {
            return None;
        }
    }
    let mut bytes: Vec<u8> = (0..=255).map(|byte| classes.get(byte)).collect();
    bytes.extend(rows.iter().flat_map(|state| state.to_le_bytes()));
    bytes.extend(&may_end);
    Some(Compiled {
        states: may_end.len(),
        classes: representatives.len(),
        bytes,
    })
}

/// An automaton in a bundle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Automata<'b> {
    classes: &'b [u8; 256],
    rows: &'b [[u8; 2]],
    may_end: &'b [u8],
    classes_count: usize,
}

impl<'b> Automata<'b> {
    /// Cuts the bytes of [`Compiled`]; `None` when there are too few.
    pub(crate) fn cut(bytes: &'b [u8], states: usize, classes: usize) -> Option<Self> {
        let (map, rest) = bytes.split_first_chunk::<256>()?;
        let (rows, may_end) = rest.split_at_checked(states * classes * 2)?;
        Some(Self {
            classes: map,
            rows: rows.as_chunks().0,
            may_end,
            classes_count: classes,
        })
    }

    /// Whether every class and every state that is named exists.
    pub(crate) fn is_sound(&self) -> bool {
        self.classes
            .iter()
            .all(|class| usize::from(*class) < self.classes_count)
            && self
                .rows
                .iter()
                .all(|state| usize::from(u16::from_le_bytes(*state)) < self.may_end.len())
    }

    /// Whether the expression matches somewhere in the text.
    pub(crate) fn is_match(&self, text: &[u8]) -> bool {
        let mut state = START;
        for byte in text {
            let class = *self.classes.get(usize::from(*byte)).or_broken("a class");
            let place = usize::from(state) * self.classes_count + usize::from(class);
            state = u16::from_le_bytes(*self.rows.get(place).or_broken("a state"));
            if state <= ACCEPT {
                return state == ACCEPT;
            }
        }
        *self.may_end.get(usize::from(state)).or_broken("a state") == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_match(pattern: &str, text: &[u8]) -> bool {
        let compiled = compile(pattern).unwrap();
        assert_eq!(
            size(compiled.states, compiled.classes),
            Some(compiled.bytes.len())
        );
        let automata = Automata::cut(&compiled.bytes, compiled.states, compiled.classes).unwrap();
        assert!(automata.is_sound());
        automata.is_match(text)
    }

    #[test]
    fn sizes_of_what_no_file_can_hold_are_none() {
        let most = u32::MAX as usize;
        for (states, classes) in [(2, 1), (3, 0), (3, 257), (most, most), (most, 1)] {
            assert_eq!(size(states, classes), None);
        }
        assert_eq!(size(3, 2), Some(256 + 12 + 3));
    }

    #[test]
    fn expressions() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("^$", "", true),
            ("^$", "a", false),
            ("b+c$", "aabbc", true),
            ("b+c$", "aabbcd", false),
            (r"\bid=\d+", "?id=4", true),
            (r"\bid=\d+", "?xid=4", false),
            ("(?i)SELECT", "a select b", true),
            ("a.c", "a\nc", false),
        ] {
            assert_eq!(
                is_match(pattern, text.as_bytes()),
                expected,
                "{pattern} on {text}"
            );
        }
        assert!(is_match("a.c", b"a\xffc"));
    }

    #[test]
    fn refuses_what_is_wrong_or_too_large() {
        assert!(matches!(check("a("), Err(RegexError::Syntax(_))));
        assert!(matches!(
            check("(a|b)*a(a|b){20}"),
            Err(RegexError::TooLarge(_))
        ));
        assert_eq!(check(r"(?i)union\s+select"), Ok(()));
    }

    proptest! {
        #[test]
        fn agrees_with_the_interpreter(
            pattern in r"\^?([ab]|[ab]\+|\(a\|b\)\*|\.|\[\^a\]|\\bb){0,5}\$?",
            text in "[abc ]{0,8}",
        ) {
            let vm = interpreter(&pattern).unwrap();
            let expected = vm.is_match(&mut vm.create_cache(), text.as_bytes());
            prop_assert_eq!(is_match(&pattern, text.as_bytes()), expected);
        }
    }
}
