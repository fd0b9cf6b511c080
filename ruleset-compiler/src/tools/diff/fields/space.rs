//! The values of one field and the tests of it: whether they hold of a value, and a value of which
//! some hold and others do not, or the proof that there is none.

use std::collections::HashMap;

use sallyport_ruleset::{Field, Test};

use super::interval::IntervalSpace;
use super::protocol::ProtocolSpace;
use super::text::TextSpace;
use super::value::{FieldValue, Found, Quantified};

/// A test as conditions ask it.
#[derive(Clone, Copy, Debug)]
enum Asked {
    /// `Null`.
    Absent(bool),
    /// Of the values: some passes, or each does.
    Values { test: usize, is_every: bool },
}

/// The values of one field.
#[derive(Debug)]
pub(in crate::tools::diff) struct FieldSpace {
    has_several: bool,
    prefers_absent: bool,
    is_always_there: bool,
    asked: Vec<Asked>,
    values: Values,
    /// Answers given, by the tests that must hold or not.
    memory: HashMap<Vec<(usize, bool)>, Found<FieldValue>>,
}

#[derive(Debug)]
enum Values {
    Intervals(IntervalSpace),
    Text(Box<TextSpace>),
    Protocol(ProtocolSpace),
    /// An expression could not be made an automaton.
    Unknown,
}

impl FieldSpace {
    /// The field, and all tests that rules make of it.
    pub(in crate::tools::diff) fn new(field: &Field, tests: &[&Test]) -> Self {
        let mut plain = Vec::new();
        let mut asked = Vec::new();
        for test in tests {
            let (is_every, test) = match test {
                Test::Absent(expected) => {
                    asked.push(Asked::Absent(*expected));
                    continue;
                }
                Test::Every(test) => (true, &**test),
                test => (false, *test),
            };
            asked.push(Asked::Values {
                test: plain.len(),
                is_every,
            });
            plain.push(test);
        }
        let values = if *field == Field::Protocol {
            ProtocolSpace::new(&plain).map(Values::Protocol)
        } else if let Some(space) = IntervalSpace::new(field, &plain) {
            Some(Values::Intervals(space))
        } else {
            TextSpace::new(field, &plain).map(|space| Values::Text(Box::new(space)))
        };
        Self {
            has_several: field.has_several_values(),
            prefers_absent: !is_usually_there(field),
            is_always_there: is_always_there(field),
            asked,
            values: values.unwrap_or(Values::Unknown),
            memory: HashMap::new(),
        }
    }

    /// Whether a test holds of a value.
    pub(in crate::tools::diff) fn holds(&mut self, test: usize, value: &FieldValue) -> bool {
        match self.asked.get(test) {
            Some(Asked::Absent(expected)) => (*value == FieldValue::Absent) == *expected,
            Some(Asked::Values { test, is_every }) => self.values.holds(*test, *is_every, value),
            None => false,
        }
    }

    /// A value of which the tests hold or not, as they are given with each.
    pub(in crate::tools::diff) fn find(&mut self, claims: &[(usize, bool)]) -> Found<FieldValue> {
        let mut key = claims.to_vec();
        key.sort_unstable();
        key.dedup();
        if let Some(found) = self.memory.get(&key) {
            return found.clone();
        }
        let found = self.search(&key);
        self.memory.insert(key, found.clone());
        found
    }

    fn search(&mut self, claims: &[(usize, bool)]) -> Found<FieldValue> {
        let (mut may_be_absent, mut may_be_there) = (!self.is_always_there, true);
        let mut of_values = Vec::new();
        for (test, holds) in claims {
            match self.asked.get(*test) {
                Some(Asked::Absent(expected)) => {
                    let must_be_absent = *expected == *holds;
                    may_be_absent &= must_be_absent;
                    may_be_there &= !must_be_absent;
                }
                Some(Asked::Values { test, is_every }) => {
                    // Of no value: some passes not, each does.
                    may_be_absent &= *is_every == *holds;
                    of_values.push(Quantified {
                        test: *test,
                        is_every: *is_every,
                        holds: *holds,
                    });
                }
                None => return Found::Unknown,
            }
        }
        if may_be_absent && self.prefers_absent {
            return Found::Value(FieldValue::Absent);
        }
        let found = if may_be_there {
            self.values.find(&of_values, self.has_several)
        } else {
            Found::Empty
        };
        match found {
            Found::Value(value) => Found::Value(value),
            _ if may_be_absent => Found::Value(FieldValue::Absent),
            other => other,
        }
    }
}

impl Values {
    fn holds(&mut self, test: usize, is_every: bool, value: &FieldValue) -> bool {
        match (self, value) {
            (_, FieldValue::Absent) => is_every,
            (Self::Intervals(space), value) => space.holds(test, value),
            (Self::Protocol(space), FieldValue::Protocols(set)) => {
                space.holds(test, is_every, *set)
            }
            (Self::Text(space), FieldValue::Texts(texts)) => {
                if is_every {
                    texts.iter().all(|text| space.holds(test, text))
                } else {
                    texts.iter().any(|text| space.holds(test, text))
                }
            }
            _ => false,
        }
    }

    /// A value that is there.
    fn find(&mut self, claims: &[Quantified], has_several: bool) -> Found<FieldValue> {
        match self {
            Self::Protocol(space) => match space.find(claims) {
                Some(set) => Found::Value(FieldValue::Protocols(set)),
                None => Found::Empty,
            },
            Self::Intervals(space) => {
                let (positive, negative) = of_one_value(claims);
                space.find(&positive, &negative)
            }
            Self::Text(space) if has_several => several(space, claims),
            Self::Text(space) => {
                let (positive, negative) = of_one_value(claims);
                match space.find(&positive, &negative) {
                    Found::Value(text) => Found::Value(FieldValue::Texts(vec![text])),
                    Found::Empty => Found::Empty,
                    Found::Unknown => Found::Unknown,
                }
            }
            Self::Unknown => Found::Unknown,
        }
    }
}

/// With one value, "some" and "each" are the same.
fn of_one_value(claims: &[Quantified]) -> (Vec<usize>, Vec<usize>) {
    let (positive, negative): (Vec<_>, Vec<_>) = claims.iter().partition(|one| one.holds);
    let tests = |part: Vec<&Quantified>| part.iter().map(|one| one.test).collect();
    (tests(positive), tests(negative))
}

/// What holds of each value must hold of all that are found; what some value must be has one of
/// its own.
fn several(space: &mut TextSpace, claims: &[Quantified]) -> Found<FieldValue> {
    let of_each: Vec<&Quantified> = claims
        .iter()
        .filter(|one| one.is_every == one.holds)
        .collect();
    let tests = |holds: bool| {
        let part = of_each.iter().filter(|one| one.holds == holds);
        part.map(|one| one.test).collect::<Vec<_>>()
    };
    let (positive, negative) = (tests(true), tests(false));
    let of_some: Vec<&Quantified> = claims
        .iter()
        .filter(|one| one.is_every != one.holds)
        .collect();
    let mut texts = Vec::new();
    let wanted = of_some.iter().map(|one| Some(**one));
    let none = of_some.is_empty().then_some(None);
    for one in wanted.chain(none) {
        let (mut positive, mut negative) = (positive.clone(), negative.clone());
        match one {
            Some(one) if one.holds => positive.push(one.test),
            Some(one) => negative.push(one.test),
            None => {}
        }
        match space.find(&positive, &negative) {
            Found::Value(text) if texts.contains(&text) => {}
            Found::Value(text) => texts.push(text),
            Found::Empty => return Found::Empty,
            Found::Unknown => return Found::Unknown,
        }
    }
    Found::Value(FieldValue::Texts(texts))
}

/// Fields that requests mostly have; the others are left out of an example if that does.
/// What every request has, whatever it is: it comes over a connection, at a time, for a port.
const fn is_always_there(field: &Field) -> bool {
    matches!(
        field,
        Field::SourceIp
            | Field::SourcePort
            | Field::Time
            | Field::Protocol
            | Field::DestinationPort
    )
}

const fn is_usually_there(field: &Field) -> bool {
    matches!(
        field,
        Field::SourceIp
            | Field::SourcePort
            | Field::Time
            | Field::Protocol
            | Field::DestinationDomain
            | Field::DestinationHost
            | Field::Authority
            | Field::DestinationPort
            | Field::DestinationIp
            | Field::HttpUri
            | Field::Url
            | Field::HttpMethod
            | Field::ResponseStatusCode
    )
}
