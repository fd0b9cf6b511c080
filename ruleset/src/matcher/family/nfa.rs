//! The nondeterministic automaton of a family: expressions that begin alike share the states of what
//! they have in common, so that a state of the determinized automaton is a set of few.
//!
//! ```text
//! /shop/[a-z]+/x1$     ─ / s h o p / ─ [a-z]+ ─ / x ┬ 1 $ ─ 0
//! /shop/[a-z]+/x2$                                  └ 2 $ ─ 1
//! ```
//! It is only asked *whether* an expression matches somewhere. So a repetition at one of its ends is
//! as good as the fewest of it, without which a family of `word[0-9].*` would have a state for each set of words.

use regex_automata::nfa::thompson::{BuildError, Builder, NFA, Transition};
use regex_automata::util::primitives::StateID;
use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};
use regex_syntax::utf8::Utf8Sequences;

use crate::limits::REGEX_BUILD_BYTES_MAX;

/// Too many states.
#[derive(Clone, Copy, Debug)]
pub(super) struct OverBudget;

impl From<BuildError> for OverBudget {
    fn from(_: BuildError) -> Self {
        Self
    }
}

/// Builds the automaton; pattern numbers are positions. Only neighbors share their beginnings.
pub(super) fn build(members: &[Hir]) -> Result<NFA, OverBudget> {
    let mut builder = Builder::new();
    builder.set_size_limit(Some(REGEX_BUILD_BYTES_MAX))?;
    let root = builder.add_union(Vec::new())?;
    // What was shared last: an item and the state behind it.
    let mut path: Vec<(Hir, StateID)> = Vec::new();
    for member in members {
        builder.start_pattern()?;
        let items = items(member);
        let known = path.iter().zip(&items);
        let shared = known.take_while(|((one, _), other)| one == *other).count();
        path.truncate(shared);
        let mut at = path.last().map_or(root, |(_, state)| *state);
        for item in items.into_iter().skip(shared) {
            let part = add(&mut builder, &item)?;
            builder.patch(at, part.first)?;
            at = builder.add_union(Vec::new())?;
            builder.patch(part.last, at)?;
            path.push((item, at));
        }
        let end = builder.add_match()?;
        builder.patch(at, end)?;
        builder.finish_pattern(root)?;
    }
    let anywhere = builder.add_union(vec![root])?;
    let any = builder.add_range(Transition {
        start: 0,
        end: 255,
        next: anywhere,
    })?;
    builder.patch(anywhere, any)?;
    Ok(builder.build(root, anywhere)?)
}

/// What an expression asks for, one after the other, without what it can do without.
fn items(hir: &Hir) -> Vec<Hir> {
    let mut items = Vec::new();
    flatten(hir, &mut items);
    while let Some(fewest) = items.last().and_then(fewest) {
        items.pop();
        flatten(&fewest, &mut items);
    }
    while let Some(fewest) = items.first().and_then(fewest) {
        let mut front = Vec::new();
        flatten(&fewest, &mut front);
        items.splice(..1, front);
    }
    items
}

fn flatten(hir: &Hir, items: &mut Vec<Hir>) {
    match hir.kind() {
        HirKind::Empty => {}
        HirKind::Capture(capture) => flatten(&capture.sub, items),
        HirKind::Concat(parts) => parts.iter().for_each(|part| flatten(part, items)),
        HirKind::Literal(literal) => items.extend(literal.0.iter().map(|b| Hir::literal([*b]))),
        _ => items.push(hir.clone()),
    }
}

/// What is as good as the item at an end of an expression, if that is less. Whatever asks for what stands
/// beside it is left alone.
fn fewest(item: &Hir) -> Option<Hir> {
    if !item.properties().look_set().is_empty() {
        return None;
    }
    if item.properties().minimum_len() == Some(0) {
        return Some(Hir::empty());
    }
    match item.kind() {
        HirKind::Repetition(repetition) if repetition.max != Some(repetition.min) => {
            Some(Hir::repetition(Repetition {
                max: Some(repetition.min),
                ..repetition.clone()
            }))
        }
        _ => None,
    }
}

/// States that lead from the first to the last, which leads nowhere yet.
#[derive(Clone, Copy)]
struct Part {
    first: StateID,
    last: StateID,
}

fn add(builder: &mut Builder, hir: &Hir) -> Result<Part, OverBudget> {
    match hir.kind() {
        HirKind::Empty => add_nothing(builder),
        HirKind::Literal(literal) => add_literal(builder, &literal.0),
        HirKind::Class(class) => add_class(builder, class),
        HirKind::Look(look) => add_look(builder, *look),
        HirKind::Repetition(repetition) => add_repetition(builder, repetition),
        HirKind::Capture(capture) => add(builder, &capture.sub),
        HirKind::Concat(parts) => {
            let whole = add_nothing(builder)?;
            parts.iter().try_fold(whole, |whole, part| {
                let part = add(builder, part)?;
                join(builder, whole, part)
            })
        }
        HirKind::Alternation(branches) => {
            let first = builder.add_union(Vec::new())?;
            let last = builder.add_empty()?;
            for branch in branches {
                let branch = add(builder, branch)?;
                builder.patch(first, branch.first)?;
                builder.patch(branch.last, last)?;
            }
            Ok(Part { first, last })
        }
    }
}

fn join(builder: &mut Builder, before: Part, after: Part) -> Result<Part, OverBudget> {
    builder.patch(before.last, after.first)?;
    Ok(Part {
        first: before.first,
        last: after.last,
    })
}

fn add_nothing(builder: &mut Builder) -> Result<Part, OverBudget> {
    let state = builder.add_empty()?;
    Ok(Part {
        first: state,
        last: state,
    })
}

fn add_look(builder: &mut Builder, look: Look) -> Result<Part, OverBudget> {
    let look = regex_automata::util::look::Look::from_repr(look.as_repr());
    let state = match look {
        Some(look) => builder.add_look(StateID::ZERO, look)?,
        None => builder.add_fail()?,
    };
    Ok(Part {
        first: state,
        last: state,
    })
}

fn add_literal(builder: &mut Builder, bytes: &[u8]) -> Result<Part, OverBudget> {
    let whole = add_nothing(builder)?;
    bytes.iter().try_fold(whole, |whole, byte| {
        let state = builder.add_range(Transition {
            start: *byte,
            end: *byte,
            next: StateID::ZERO,
        })?;
        let part = Part {
            first: state,
            last: state,
        };
        join(builder, whole, part)
    })
}

fn add_class(builder: &mut Builder, class: &Class) -> Result<Part, OverBudget> {
    let last = builder.add_empty()?;
    let first = match class {
        Class::Bytes(class) => {
            let ranges = class.iter().map(|range| Transition {
                start: range.start(),
                end: range.end(),
                next: last,
            });
            builder.add_sparse(ranges.collect())?
        }
        Class::Unicode(class) => {
            let first = builder.add_union(Vec::new())?;
            let ranges = class.iter();
            for sequence in ranges.flat_map(|r| Utf8Sequences::new(r.start(), r.end())) {
                let bytes = sequence.as_slice().iter().rev();
                let mut sequence = last;
                for range in bytes {
                    sequence = builder.add_range(Transition {
                        start: range.start,
                        end: range.end,
                        next: sequence,
                    })?;
                }
                builder.patch(first, sequence)?;
            }
            first
        }
    };
    Ok(Part { first, last })
}

fn add_repetition(builder: &mut Builder, repetition: &Repetition) -> Result<Part, OverBudget> {
    let mut whole = add_nothing(builder)?;
    for _ in 0..repetition.min {
        let part = add(builder, &repetition.sub)?;
        whole = join(builder, whole, part)?;
    }
    let Some(max) = repetition.max else {
        let again = builder.add_union(Vec::new())?;
        let part = add(builder, &repetition.sub)?;
        builder.patch(again, part.first)?;
        builder.patch(part.last, again)?;
        let last = builder.add_empty()?;
        builder.patch(again, last)?;
        let part = Part { first: again, last };
        return join(builder, whole, part);
    };
    let last = builder.add_empty()?;
    for _ in repetition.min..max {
        let first = builder.add_union(vec![last])?;
        let part = add(builder, &repetition.sub)?;
        builder.patch(first, part.first)?;
        let optional = Part {
            first,
            last: part.last,
        };
        whole = join(builder, whole, optional)?;
    }
    let end = Part { first: last, last };
    join(builder, whole, end)
}
