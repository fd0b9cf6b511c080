//! `InsertPosition`: where a rule or group stands among its like. Zero-based and without gaps, or
//! given for none.

use std::collections::HashMap;

use super::reader::Reader;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Located, Span};

/// An item and its position, if it has one.
pub(super) struct Placed<T> {
    pub(super) item: T,
    /// Where the item stands in the text.
    pub(super) span: Span,
    pub(super) position: Option<Located<u32>>,
}

impl Reader<'_> {
    /// The items by their positions; in source order if no item has one. Gaps, repetitions and
    /// missing positions are reported.
    pub(super) fn by_position<T>(&mut self, mut items: Vec<Placed<T>>) -> Vec<T> {
        if items.iter().any(|placed| placed.position.is_some()) {
            self.check_positions(&items);
            items.sort_by_key(|placed| placed.position.as_ref().map(|position| position.value));
        }
        items.into_iter().map(|placed| placed.item).collect()
    }

    fn check_positions<T>(&mut self, items: &[Placed<T>]) {
        const EXPECTED: &str = "0 for the first, 1 for the second, and so on, each once";
        let mut seen: HashMap<u32, Span> = HashMap::new();
        for placed in items {
            let Some(position) = &placed.position else {
                self.report(
                    Diagnostic::new(
                        Code::BadPosition,
                        placed.span,
                        "no `InsertPosition` here, but beside it",
                    )
                    .expected("a position for all of this array, or for none"),
                );
                continue;
            };
            if let Some(first) = seen.insert(position.value, position.span) {
                self.report(
                    Diagnostic::new(
                        Code::BadPosition,
                        position.span,
                        format!("the position {} is taken", position.value),
                    )
                    .expected(EXPECTED)
                    .related(first, "it was given"),
                );
            }
        }
        let mut positions: Vec<_> = seen.into_iter().collect();
        positions.sort_unstable_by_key(|(position, _)| *position);
        let gap = (0..)
            .zip(&positions)
            .find(|(wanted, (found, _))| wanted != found);
        if let Some((wanted, (found, span))) = gap {
            self.report(
                Diagnostic::new(
                    Code::BadPosition,
                    *span,
                    format!("position {found}, but nothing at {wanted}"),
                )
                .expected(EXPECTED),
            );
        }
    }
}
