//! The automaton of a family as it lies in a bundle, where a reader can check all of it.
//!
//! ```text
//! 256 classes │ a row for each state │ ends: a report or none for each │ reports of states that tell
//! ```
//! State 0 is dead: nothing leads out of it. States that tell of matches come next, so that a step need
//! not ask whether its state is one.

use crate::invariant::Invariant;
use crate::limits::REGEX_STATES_MAX;

/// How large an automaton is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) states: usize,
    pub(crate) classes: usize,
    /// States behind the dead one that tell of a match when they are entered; the next is the first of all.
    pub(crate) telling: usize,
}

impl Shape {
    /// Bytes of such an automaton; `None` if that is no possible size.
    pub(crate) fn size(self) -> Option<usize> {
        let possible = self.states <= REGEX_STATES_MAX
            && (1..=256).contains(&self.classes)
            && self.telling < self.states.saturating_sub(1);
        // Only of what is possible: other counts come from a file, and their product may be no number.
        possible.then(|| 256 + (self.states * self.classes + self.states + self.telling) * 2)
    }
}

/// An automaton in a bundle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Automaton<'b> {
    classes: &'b [u8; 256],
    rows: &'b [[u8; 2]],
    /// One more than the report of a text that ends in the state.
    ends: &'b [[u8; 2]],
    reports: &'b [[u8; 2]],
    classes_count: usize,
}

impl<'b> Automaton<'b> {
    /// Cuts the bytes of an automaton; `None` when there are too few.
    pub(crate) fn cut(bytes: &'b [u8], shape: Shape) -> Option<Self> {
        let (classes, rest) = bytes.split_first_chunk::<256>()?;
        let words = rest.as_chunks().0;
        let (rows, rest) = words.split_at_checked(shape.states * shape.classes)?;
        let (ends, rest) = rest.split_at_checked(shape.states)?;
        Some(Self {
            classes,
            rows,
            ends,
            reports: rest.get(..shape.telling)?,
            classes_count: shape.classes,
        })
    }

    /// Whether every class, state and report that is named exists.
    pub(crate) fn is_sound(&self, reports_count: usize) -> bool {
        let states = self.ends.len();
        self.classes
            .iter()
            .all(|class| usize::from(*class) < self.classes_count)
            && self.rows.iter().all(|state| number(*state) < states)
            && self.ends.iter().all(|end| number(*end) <= reports_count)
            && self.reports.iter().all(|one| number(*one) < reports_count)
    }

    /// Tells of each report that the text leads to, as often as it does.
    pub(crate) fn scan(&self, text: &[u8], mut report: impl FnMut(u16)) {
        let telling = self.reports.len();
        let mut state = telling + 1;
        for byte in text {
            let class = *self.classes.get(usize::from(*byte)).or_broken("a class");
            let place = state * self.classes_count + usize::from(class);
            state = number(*self.rows.get(place).or_broken("a state"));
            if state <= telling {
                let Some(telling) = state.checked_sub(1) else {
                    return; // The dead state.
                };
                let found = self.reports.get(telling).or_broken("a report");
                report(u16::from_le_bytes(*found));
            }
        }
        let end = *self.ends.get(state).or_broken("an end");
        if let Some(found) = u16::from_le_bytes(end).checked_sub(1) {
            report(found);
        }
    }
}

fn number(word: [u8; 2]) -> usize {
    u16::from_le_bytes(word).into()
}
