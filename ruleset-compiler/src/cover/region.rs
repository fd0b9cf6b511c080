//! Conditions of one field that no value can meet together.
//!
//! Numbers, times and addresses are exact: what is wanted less what is excluded, as ranges. Texts
//! are looked at value by value: each element that a wanted test lets through must be excluded. "No
//! contradiction" only means that none was found.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::ops::RangeInclusive;

use foldhash::fast::FixedState;
use sallyport_ruleset::matcher::cidr::{self, Family};
use sallyport_ruleset::{Condition, Field, FieldType, Test, ValueList};

use super::element::{self, Element};
use crate::limits::{COVERING_LOOKUPS_MAX, COVERING_RANGES_MAX};

/// Values from which on a list is searched through a hash table.
const HASHED_VALUES_MIN: usize = 16;
/// What comparing two patterns costs, in lookups of a text.
const COMPARISON_LOOKUPS: usize = 8;

/// What is taken for given: a test of a field, and its answer.
#[derive(Clone, Copy, Debug)]
pub struct Assumption<'r> {
    /// The field.
    pub field: &'r Field,
    /// What is asked of it.
    pub test: &'r Test,
    /// The answer.
    pub holds: bool,
}

impl<'r> Assumption<'r> {
    /// The condition holds.
    #[must_use]
    pub const fn of(condition: &'r Condition) -> Self {
        Self {
            field: &condition.field,
            test: &condition.test,
            holds: !condition.negated,
        }
    }

    /// Whether it is so where the field is absent.
    #[must_use]
    pub const fn holds_if_absent(self) -> bool {
        matches!(self.test, Test::Absent(true) | Test::Every(_)) == self.holds
    }

    /// The other answer.
    #[must_use]
    pub const fn turned(self) -> Self {
        Self {
            holds: !self.holds,
            ..self
        }
    }
}

/// A value of a field that has one.
#[derive(Clone, Copy, Debug)]
pub enum Point<'p> {
    /// Of a number.
    Number(u128),
    /// Of an address.
    Address(IpAddr),
    /// Of a text, in its normal form.
    Text(&'p str),
}

/// Answers what follows from what, within a budget for all questions together.
#[derive(Debug, Default)]
pub struct Oracle<'r> {
    tables: HashMap<&'r ValueList, HashSet<&'r str, FixedState>, FixedState>,
    lookups_count: usize,
}

impl<'r> Oracle<'r> {
    /// Whether the assumptions leave no room for one more.
    pub fn contradicts(
        &mut self,
        assumptions: &[Assumption<'r>],
        one_more: Assumption<'r>,
    ) -> bool {
        let field = one_more.field;
        let mut wanted = Vec::new();
        let mut excluded = Vec::new();
        let of_field = assumptions
            .iter()
            .filter(|assumption| assumption.field == field);
        for assumption in of_field.chain([&one_more]) {
            match assumption.holds {
                true => wanted.push(assumption.test),
                false => excluded.push(assumption.test),
            }
        }
        self.is_empty(field, &wanted, &excluded)
    }

    /// Whether a condition holds wherever the assumptions do.
    pub fn follows(&mut self, assumptions: &[Assumption<'r>], condition: &'r Condition) -> bool {
        self.contradicts(assumptions, Assumption::of(condition).turned())
    }

    /// Whether a assumption is so where its field has one value, and that is the point; `None`: that cannot
    /// be told.
    pub fn holds_at(&mut self, assumption: Assumption<'r>, point: Point<'_>) -> Option<bool> {
        let (field, test) = (assumption.field, plain(assumption.test));
        let fits = match (test, point) {
            (Test::Absent(is_absent), _) => Some(!is_absent),
            (_, Point::Text(text)) => self.holds(Element::Whole(text), test, field),
            (_, Point::Number(number)) => ranges(test).map(|all| contain(&all, Family::V4, number)),
            (_, Point::Address(address)) => ranges(test).map(|all| {
                let (family, number) = cidr::key(address);
                contain(&all, family, number)
            }),
        };
        fits.map(|fits| fits == assumption.holds)
    }

    fn is_empty(&mut self, field: &'r Field, wanted: &[&'r Test], excluded: &[&'r Test]) -> bool {
        let holds_if_absent = |test: &&&Test| matches!(test, Test::Absent(true) | Test::Every(_));
        let is_absent_possible = wanted.iter().all(|test| holds_if_absent(&test))
            && !excluded.iter().any(|test| holds_if_absent(&test));
        if is_absent_possible {
            return false;
        }
        if wanted.contains(&&Test::Absent(true))
            || excluded.contains(&&Test::Absent(false))
            || wanted.iter().any(|test| excluded.contains(test))
        {
            return true;
        }
        // Of a field that is there and has one value, "every" is "the". Of several values nothing is
        // concluded from it.
        let (wanted, excluded) = if field.has_several_values() {
            (wanted.to_vec(), excluded.to_vec())
        } else {
            let plain = |tests: &[&'r Test]| tests.iter().map(|test| plain(test)).collect();
            (plain(wanted), plain(excluded))
        };
        let (wanted, excluded): (&[&Test], &[&Test]) = (&wanted, &excluded);
        match field.field_type() {
            FieldType::String | FieldType::Domain => self.is_empty_text(field, wanted, excluded),
            FieldType::Number | FieldType::Time | FieldType::Ip => {
                is_empty_of_ranges(field, wanted, excluded)
            }
        }
    }

    /// The field is there, with some text.
    fn is_empty_text(
        &mut self,
        field: &'r Field,
        wanted: &[&'r Test],
        excluded: &[&'r Test],
    ) -> bool {
        let any = |test: &&&Test| match test {
            Test::Glob(values) => values.iter().any(element::is_any),
            _ => false,
        };
        if excluded.iter().any(|test| any(&test)) {
            return true;
        }
        // Of several values of a field, each wanted test may mean another one.
        let single = !field.has_several_values();
        wanted.iter().enumerate().any(|(at, test)| {
            let Some(values) = element::values(test) else {
                return false;
            };
            values.iter().all(|value| {
                element::of_value(test, value, field)
                    .into_iter()
                    .all(|element| {
                        excluded
                            .iter()
                            .any(|test| self.holds(element, test, field) == Some(true))
                            || single
                                && wanted.iter().enumerate().any(|(other, test)| {
                                    other != at && self.holds(element, test, field) == Some(false)
                                })
                    })
            })
        })
    }

    /// Whether a test holds for all texts of an element, for none, or that is not known.
    fn holds(&mut self, element: Element<'_>, test: &'r Test, field: &Field) -> Option<bool> {
        let values = element::values(test)?;
        if values.len() >= HASHED_VALUES_MIN {
            return self.holds_by_table(element, test, values, field);
        }
        let mut answer = Some(false);
        for value in values.iter() {
            let cost = match element {
                Element::Whole(_) => 1,
                _ => COMPARISON_LOOKUPS,
            };
            if !self.may_look_up(cost) {
                return None;
            }
            match element.fits(test, value, field) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => answer = None,
            }
        }
        answer
    }

    /// Only what a table can answer: whether the value, or a name above it, is in the list.
    fn holds_by_table(
        &mut self,
        element: Element<'_>,
        test: &Test,
        values: &'r ValueList,
        field: &Field,
    ) -> Option<bool> {
        let found = match (test, element) {
            (
                Test::Exact {
                    ignore_case: false, ..
                },
                Element::Whole(text),
            )
            | (Test::Glob(_), Element::Glob(text))
            | (Test::Regex(_), Element::Regex(text)) => self.contains(values, text),
            (Test::Domain(_), Element::Whole(name) | Element::Below(name)) => {
                std::iter::successors(Some(name), |name| name.split_once('.').map(|(_, up)| up))
                    .any(|name| self.contains(values, name))
            }
            _ => false,
        };
        let is_told = element::has_one_form(field)
            && match (test, element) {
                (Test::Exact { ignore_case, .. }, Element::Whole(_)) => !ignore_case,
                (Test::Domain(_), Element::Whole(_)) => true,
                _ => false,
            };
        match found {
            true => Some(true),
            false => (is_told && !self.is_exhausted()).then_some(false),
        }
    }

    fn contains(&mut self, values: &'r ValueList, value: &str) -> bool {
        self.may_look_up(1)
            && self
                .tables
                .entry(values)
                .or_insert_with(|| values.iter().collect())
                .contains(value)
    }

    /// Not any more, once too much has been asked.
    fn may_look_up(&mut self, cost: usize) -> bool {
        self.lookups_count = self.lookups_count.saturating_add(cost);
        !self.is_exhausted()
    }

    /// Whether so much has been asked that nothing is answered any more for texts.
    pub const fn is_exhausted(&self) -> bool {
        self.lookups_count > COVERING_LOOKUPS_MAX
    }
}

fn plain(test: &Test) -> &Test {
    match test {
        Test::Every(test) => test,
        test => test,
    }
}

/// Ranges of numbers, in one space for each address family; times as numbers in their order.
type Ranges = Vec<(Family, RangeInclusive<u128>)>;

fn is_empty_of_ranges(field: &Field, wanted: &[&Test], excluded: &[&Test]) -> bool {
    let mut left = universe(field);
    let steps = wanted.iter().map(|test| (test, true));
    for (test, is_wanted) in steps.chain(excluded.iter().map(|test| (test, false))) {
        // Passing over a test leaves more than there is, which is safe.
        match ranges(test).filter(|ranges| left.len() * ranges.len() <= COVERING_RANGES_MAX) {
            Some(ranges) if is_wanted => left = intersected(&left, &ranges),
            Some(ranges) => left = without(left, &ranges),
            None => {}
        }
    }
    left.is_empty()
}

fn universe(field: &Field) -> Ranges {
    match field {
        Field::SourcePort | Field::DestinationPort | Field::ResponseStatusCode => {
            vec![(Family::V4, 0..=u128::from(u16::MAX))]
        }
        _ if field.field_type() == FieldType::Ip => vec![
            (Family::V4, 0..=u128::from(u32::MAX)),
            (Family::V6, 0..=u128::MAX),
        ],
        _ => vec![(Family::V4, 0..=u128::from(u64::MAX))],
    }
}

/// `None` for a test that is no set of ranges: taking it for one that always holds only makes the
/// region larger.
fn ranges(test: &Test) -> Option<Ranges> {
    match test {
        Test::Number(ranges) => Some(
            ranges
                .iter()
                .map(|r| (Family::V4, u128::from(*r.start())..=u128::from(*r.end())))
                .collect(),
        ),
        Test::Time(ranges) => {
            let key = |time: i64| u128::from(time.cast_unsigned() ^ 1 << 63);
            Some(
                ranges
                    .iter()
                    .map(|r| (Family::V4, key(*r.start())..=key(*r.end())))
                    .collect(),
            )
        }
        Test::Ip(networks) => Some(networks.iter().map(|n| cidr::range(*n)).collect()),
        _ => None,
    }
}

fn contain(ranges: &Ranges, family: Family, number: u128) -> bool {
    let mut of_family = ranges.iter().filter(|(own, _)| *own == family);
    of_family.any(|(_, range)| range.contains(&number))
}

fn intersected(left: &Ranges, right: &Ranges) -> Ranges {
    let mut both = Ranges::new();
    for (family, a) in left {
        for (other, b) in right {
            let range = *a.start().max(b.start())..=*a.end().min(b.end());
            if family == other && !range.is_empty() {
                both.push((*family, range));
            }
        }
    }
    both
}

fn without(mut left: Ranges, right: &Ranges) -> Ranges {
    for (family, cut) in right.iter().filter(|(_, cut)| !cut.is_empty()) {
        let mut rest = Ranges::with_capacity(left.len() + 1);
        for (own, range) in left {
            let is_apart = own != *family || range.end() < cut.start() || cut.end() < range.start();
            if is_apart {
                rest.push((own, range));
                continue;
            }
            if range.start() < cut.start() {
                rest.push((own, *range.start()..=cut.start() - 1));
            }
            if cut.end() < range.end() {
                rest.push((own, cut.end() + 1..=*range.end()));
            }
        }
        left = rest;
    }
    left
}
