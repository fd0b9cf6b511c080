//! Is there a request of which some claims hold, and of each of some rules not all? The search
//! holds a request, one value for each field, and looks which rules it still meets. Of such a rule
//! some condition must not hold: each is tried, and each try asks the field for another value.
//! That a field has none is a proof, so a search that comes to its end without a request is one.

use std::rc::Rc;

use super::claims::{Claim, Vocabulary};
use super::fields::{FieldValue, Found};

/// Tries in one search before it is given up.
const TRIES_MAX: usize = 20_000;

/// One search.
pub(super) struct Search<'v> {
    vocabulary: &'v mut Vocabulary,
    /// Rules that must not match.
    excluded: Rc<[Vec<Claim>]>,
    /// What must hold or not, by field.
    constraints: Vec<Vec<(usize, bool)>>,
    values: Vec<FieldValue>,
    /// Whether each predicate holds of the values, as far as it was asked.
    truth: Vec<Option<bool>>,
    tries: usize,
}

/// What undoes an assumption.
struct Undo {
    field: usize,
    constraints: usize,
    value: Option<FieldValue>,
}

impl<'v> Search<'v> {
    /// A request of which all `claims` hold, and of each of `excluded` not all. The values are in
    /// the order of [`Vocabulary::fields`].
    pub(super) fn run(
        vocabulary: &'v mut Vocabulary,
        claims: &[Claim],
        excluded: Vec<Vec<Claim>>,
    ) -> Found<Vec<FieldValue>> {
        match Self::begin(vocabulary, claims) {
            Found::Value(mut search) => {
                search.excluded = excluded.into();
                search.solve()
            }
            Found::Empty => Found::Empty,
            Found::Unknown => Found::Unknown,
        }
    }

    /// Whether all `claims` can hold at once.
    pub(super) fn is_possible(vocabulary: &mut Vocabulary, claims: &[Claim]) -> bool {
        !matches!(Search::begin(vocabulary, claims), Found::Empty)
    }

    fn begin(vocabulary: &'v mut Vocabulary, claims: &[Claim]) -> Found<Self> {
        let mut values = Vec::with_capacity(vocabulary.spaces.len());
        for space in &mut vocabulary.spaces {
            match space.find(&[]) {
                Found::Value(value) => values.push(value),
                Found::Empty | Found::Unknown => return Found::Unknown,
            }
        }
        let mut search = Self {
            constraints: vec![Vec::new(); vocabulary.fields.len()],
            truth: vec![None; vocabulary.predicates.len()],
            vocabulary,
            excluded: Rc::new([]),
            values,
            tries: 0,
        };
        // All that is asked of a field at once: fewer values are looked for.
        for claim in claims {
            search.constrain(*claim);
        }
        let mut is_known = true;
        for field in 0..search.values.len() {
            match search.settle(field) {
                Found::Value(()) => {}
                Found::Empty => return Found::Empty,
                Found::Unknown => is_known = false,
            }
        }
        if is_known {
            Found::Value(search)
        } else {
            Found::Unknown
        }
    }

    fn constrain(&mut self, claim: Claim) -> usize {
        let Some(predicate) = self.vocabulary.predicates.get(claim.predicate) else {
            return 0;
        };
        if let Some(constraints) = self.constraints.get_mut(predicate.field) {
            constraints.push((predicate.test, claim.holds));
        }
        predicate.field
    }

    /// Finds a value for a field as its constraints are, if the one it has does not fit.
    fn settle(&mut self, field: usize) -> Found<()> {
        let (Some(space), Some(constraints), Some(value)) = (
            self.vocabulary.spaces.get_mut(field),
            self.constraints.get(field),
            self.values.get_mut(field),
        ) else {
            return Found::Unknown;
        };
        if constraints
            .iter()
            .all(|(test, holds)| space.holds(*test, value) == *holds)
        {
            return Found::Value(());
        }
        match space.find(constraints) {
            Found::Value(found) => {
                *value = found;
                for (truth, predicate) in self.truth.iter_mut().zip(&self.vocabulary.predicates) {
                    if predicate.field == field {
                        *truth = None;
                    }
                }
                Found::Value(())
            }
            Found::Empty => Found::Empty,
            Found::Unknown => Found::Unknown,
        }
    }

    /// Adds a claim, if a value can be found.
    fn assume(&mut self, claim: Claim) -> (Found<()>, Undo) {
        let field = self.constrain(claim);
        let before = self.values.get(field).cloned();
        let settled = self.settle(field);
        let constraints = self.constraints.get(field).map_or(0, Vec::len);
        let value = before.filter(|before| self.values.get(field) != Some(before));
        let undo = Undo {
            field,
            constraints: constraints.saturating_sub(1),
            value,
        };
        (settled, undo)
    }

    fn undo(&mut self, undo: Undo) {
        if let Some(constraints) = self.constraints.get_mut(undo.field) {
            constraints.truncate(undo.constraints);
        }
        let (Some(value), Some(before)) = (self.values.get_mut(undo.field), undo.value) else {
            return;
        };
        *value = before;
        for (truth, predicate) in self.truth.iter_mut().zip(&self.vocabulary.predicates) {
            if predicate.field == undo.field {
                *truth = None;
            }
        }
    }

    fn holds(&mut self, claim: Claim) -> bool {
        let known = self.truth.get(claim.predicate).copied().flatten();
        let truth = known.unwrap_or_else(|| self.ask(claim.predicate));
        truth == claim.holds
    }

    fn ask(&mut self, predicate: usize) -> bool {
        let Some(of) = self.vocabulary.predicates.get(predicate) else {
            return false;
        };
        let space = self.vocabulary.spaces.get_mut(of.field);
        let (Some(space), Some(value)) = (space, self.values.get(of.field)) else {
            return false;
        };
        let truth = space.holds(of.test, value);
        if let Some(place) = self.truth.get_mut(predicate) {
            *place = Some(truth);
        }
        truth
    }

    /// Goes on until no excluded rule matches the request.
    fn solve(&mut self) -> Found<Vec<FieldValue>> {
        let mut undos = Vec::new();
        let found = loop {
            self.tries += 1;
            if self.tries > TRIES_MAX {
                break Found::Unknown;
            }
            match self.next_split() {
                Split::Done => break Found::Value(self.values.clone()),
                Split::Dead => break Found::Empty,
                Split::Forced(claim) => {
                    let (settled, undo) = self.assume(claim);
                    undos.push(undo);
                    match settled {
                        Found::Value(()) => {}
                        Found::Empty => break Found::Empty,
                        Found::Unknown => break Found::Unknown,
                    }
                }
                Split::Choice(claims) => break self.branch(&claims),
            }
        };
        for undo in undos.into_iter().rev() {
            self.undo(undo);
        }
        found
    }

    /// Tries each claim, with those before it turned round: no request is met twice.
    fn branch(&mut self, claims: &[Claim]) -> Found<Vec<FieldValue>> {
        let mut undos = Vec::new();
        let mut answer = Found::Empty;
        for claim in claims {
            let (settled, undo) = self.assume(*claim);
            let found = match settled {
                Found::Value(()) => self.solve(),
                Found::Empty => Found::Empty,
                Found::Unknown => Found::Unknown,
            };
            self.undo(undo);
            match found {
                Found::Value(values) => {
                    answer = Found::Value(values);
                    break;
                }
                Found::Empty => {}
                Found::Unknown => answer = Found::Unknown,
            }
            let (settled, undo) = self.assume(claim.turned());
            undos.push(undo);
            match settled {
                Found::Value(()) => {}
                Found::Empty => break,
                Found::Unknown => {
                    answer = Found::Unknown;
                    break;
                }
            }
        }
        for undo in undos.into_iter().rev() {
            self.undo(undo);
        }
        answer
    }

    /// Of the excluded rules that match the request, one with the fewest ways out.
    fn next_split(&mut self) -> Split {
        let excluded = Rc::clone(&self.excluded);
        let mut best: Option<Vec<Claim>> = None;
        for rule in excluded.iter() {
            if !rule.iter().all(|claim| self.holds(*claim)) {
                continue;
            }
            let turned = rule.iter().map(|claim| claim.turned());
            let ways: Vec<Claim> = turned.filter(|way| self.may_hold(*way)).collect();
            match ways.as_slice() {
                [] => return Split::Dead,
                [way] => return Split::Forced(*way),
                _ => {}
            }
            if best.as_ref().is_none_or(|best| ways.len() < best.len()) {
                best = Some(ways);
            }
        }
        best.map_or(Split::Done, Split::Choice)
    }

    /// Whether a claim can hold besides what must.
    fn may_hold(&mut self, claim: Claim) -> bool {
        let Some(of) = self.vocabulary.predicates.get(claim.predicate) else {
            return false;
        };
        let mut constraints = self.constraints.get(of.field).cloned().unwrap_or_default();
        constraints.push((of.test, claim.holds));
        let space = self.vocabulary.spaces.get_mut(of.field);
        space.is_some_and(|space| space.find(&constraints) != Found::Empty)
    }
}

/// How a search goes on.
enum Split {
    /// The request meets no excluded rule.
    Done,
    /// A rule matches all that is left.
    Dead,
    /// One way out.
    Forced(Claim),
    /// Several.
    Choice(Vec<Claim>),
}

impl Claim {
    const fn turned(self) -> Self {
        Self {
            predicate: self.predicate,
            holds: !self.holds,
        }
    }
}
