//! Conditions as importers build them: field, operator, checked values, joined by "all", "any" and
//! "not", and brought into the form that rules have: any of several conjunctions.
//!
//! Every value is checked by the code that will compile it, so that what an importer writes can
//! only be refused where the importer can still say why.

use std::rc::Rc;

use sallyport_ruleset::Field;

use crate::operator::{OPERATORS, Operator, Question};
use crate::value::schedule::Schedules;
use crate::value::text::{Normalizer, TextForm};
use crate::value::{BadValue, address, number};

/// Conjunctions that one formula may become. More would be unreadable, and may grow without end.
pub const ALTERNATIVES_MAX: usize = 64;

/// Values of a condition, shared by all conditions made of them.
#[derive(Debug, PartialEq, Eq)]
pub struct Values {
    /// What a list file of them is called.
    pub name: String,
    /// Where they come from, for the list file's first line.
    pub origin: String,
    /// As in rule text, without the escape for a leading `@`.
    pub items: Vec<String>,
}

/// One condition of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What is looked at.
    pub field: Field,
    /// What is asked.
    pub operator: Operator,
    /// Any of them; of a negated operator none.
    pub values: Rc<Values>,
}

/// What must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Formula {
    /// Holds for every request.
    Always,
    /// Holds for none.
    Never,
    /// Holds when the condition does.
    One(Condition),
    /// All must hold.
    All(Vec<Self>),
    /// One must hold.
    Any(Vec<Self>),
}

/// A formula is too wide to be written as rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it would take more than {0} rules to say this")]
pub struct TooManyAlternatives(pub usize);

/// Why the compiler will not take a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Texts of rules have none.
    #[error("it has control characters")]
    ControlCharacters,
    /// What the compiler says of it.
    #[error("{0}")]
    Bad(String),
    /// The same, with what would be good.
    #[error("{0} ({1})")]
    BadWithHelp(String, String),
}

impl From<BadValue> for ValueError {
    fn from(bad: BadValue) -> Self {
        match bad.help {
            Some(help) => Self::BadWithHelp(bad.message, help),
            None => Self::Bad(bad.message),
        }
    }
}

impl Condition {
    /// A condition over values that were checked by [`Checker::check`].
    #[must_use]
    pub fn new(field: Field, operator: Operator, values: Values) -> Self {
        Self {
            field,
            operator,
            values: Rc::new(values),
        }
    }

    /// Whether the field is there, or not.
    #[must_use]
    pub fn null(field: Field, absent: bool) -> Self {
        let values = Values {
            name: String::new(),
            origin: String::new(),
            items: vec![absent.to_string()],
        };
        Self::new(field, operator(Question::Null, false), values)
    }

    /// The condition that holds exactly where this one does not.
    #[must_use]
    pub fn negated(self) -> Self {
        if self.operator.question == Question::Null {
            let absent = self.values.items.iter().any(|item| item == "true");
            return Self::null(self.field, !absent);
        }
        Self {
            operator: operator(self.operator.question, !self.operator.negated),
            ..self
        }
    }

    fn is_null(&self, absent: bool) -> bool {
        self.operator.question == Question::Null
            && self
                .values
                .items
                .iter()
                .any(|item| *item == absent.to_string())
    }
}

/// The operator that asks this. Comparisons of numbers and times have no negated form, and none
/// is built of them here.
#[must_use]
pub fn operator(question: Question, negated: bool) -> Operator {
    let wanted =
        |operator: &&Operator| operator.question == question && operator.negated == negated;
    OPERATORS.iter().find(wanted).copied().unwrap_or(Operator {
        name: "StringEquals",
        question,
        negated,
        every: false,
    })
}

impl Formula {
    /// All of them, flattened.
    #[must_use]
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut kept = Vec::new();
        for part in parts {
            match part {
                Self::Always => {}
                Self::Never => return Self::Never,
                Self::All(inner) => kept.extend(inner),
                other => kept.push(other),
            }
        }
        match (kept.len(), kept.pop()) {
            (_, None) => Self::Always,
            (1, Some(only)) => only,
            (_, Some(last)) => {
                kept.push(last);
                Self::All(kept)
            }
        }
    }

    /// Any of them, flattened.
    #[must_use]
    pub fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut kept = Vec::new();
        for part in parts {
            match part {
                Self::Never => {}
                Self::Always => return Self::Always,
                Self::Any(inner) => kept.extend(inner),
                other => kept.push(other),
            }
        }
        match (kept.len(), kept.pop()) {
            (_, None) => Self::Never,
            (1, Some(only)) => only,
            (_, Some(last)) => {
                kept.push(last);
                Self::Any(kept)
            }
        }
    }

    /// Holds exactly where this one does not: an absent field makes a plain operator false and its
    /// negated twin true.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::Always => Self::Never,
            Self::Never => Self::Always,
            Self::One(condition) => Self::One(condition.negated()),
            Self::All(parts) => Self::any(parts.into_iter().map(Self::negated)),
            Self::Any(parts) => Self::all(parts.into_iter().map(Self::negated)),
        }
    }

    /// The conjunctions any of which must hold. None at all: it never holds; an empty one: always.
    ///
    /// # Errors
    /// When there are more than [`ALTERNATIVES_MAX`].
    pub fn alternatives(&self) -> Result<Vec<Vec<Condition>>, TooManyAlternatives> {
        self.alternatives_up_to(ALTERNATIVES_MAX)
    }

    /// The same with another bound.
    ///
    /// # Errors
    /// When there are more than `most`.
    pub fn alternatives_up_to(
        &self,
        most: usize,
    ) -> Result<Vec<Vec<Condition>>, TooManyAlternatives> {
        let mut found = self.expand(most)?;
        found.retain_mut(|conditions| {
            merge(conditions);
            !contradicts(conditions)
        });
        Ok(found)
    }

    fn expand(&self, most: usize) -> Result<Vec<Vec<Condition>>, TooManyAlternatives> {
        let found = match self {
            Self::Always => vec![Vec::new()],
            Self::Never => Vec::new(),
            Self::One(condition) => vec![vec![condition.clone()]],
            Self::Any(parts) => {
                let mut found = Vec::new();
                for part in parts {
                    found.extend(part.expand(most)?);
                }
                found
            }
            Self::All(parts) => {
                let mut found = vec![Vec::new()];
                for part in parts {
                    let more = part.expand(most)?;
                    if found.len().saturating_mul(more.len()) > most {
                        return Err(TooManyAlternatives(most));
                    }
                    found = product(&found, &more);
                }
                found
            }
        };
        if found.len() > most {
            return Err(TooManyAlternatives(most));
        }
        Ok(found)
    }
}

impl From<Condition> for Formula {
    fn from(condition: Condition) -> Self {
        Self::One(condition)
    }
}

fn product(left: &[Vec<Condition>], right: &[Vec<Condition>]) -> Vec<Vec<Condition>> {
    let pairs = left
        .iter()
        .flat_map(|left| right.iter().map(move |right| (left, right)));
    pairs
        .map(|(left, right)| left.iter().chain(right).cloned().collect())
        .collect()
}

/// Says each thing once: repetitions go, and "none of these" and "none of those" become one.
fn merge(conditions: &mut Vec<Condition>) {
    let mut merged: Vec<Condition> = Vec::with_capacity(conditions.len());
    for condition in conditions.drain(..) {
        let same = merged.iter_mut().find(|other| {
            other.field == condition.field
                && other.operator == condition.operator
                && (condition.operator.negated || other.values == condition.values)
        });
        match same {
            None => merged.push(condition),
            Some(other) if other.values == condition.values => {}
            Some(other) => other.values = Rc::new(joined(&other.values, &condition.values)),
        }
    }
    *conditions = merged;
}

fn joined(first: &Values, second: &Values) -> Values {
    let mut items = first.items.clone();
    let new = second
        .items
        .iter()
        .filter(|item| !first.items.contains(item));
    items.extend(new.cloned());
    let both = |first: &str, second: &str, link: &str| match (first, second) {
        (first, "") => first.to_owned(),
        ("", second) => second.to_owned(),
        (first, second) if first == second => first.to_owned(),
        (first, second) => format!("{first}{link}{second}"),
    };
    Values {
        name: both(&first.name, &second.name, "-"),
        origin: both(&first.origin, &second.origin, ", "),
        items,
    }
}

/// A field that must be absent, and have a value; or be one of some values, and none of more.
fn contradicts(conditions: &[Condition]) -> bool {
    let excludes = |negated: &Condition, plain: &Condition| {
        let asks_the_same = negated.field == plain.field
            && negated.operator.question == plain.operator.question
            && negated.operator.every == plain.operator.every;
        asks_the_same
            && negated.operator.negated
            && !plain.operator.negated
            && !plain.operator.every
            && plain.operator.question != Question::Null
            && plain
                .values
                .items
                .iter()
                .all(|item| negated.values.items.contains(item))
    };
    let is_excluded = |plain: &Condition| conditions.iter().any(|other| excludes(other, plain));
    if conditions.iter().any(is_excluded) {
        return true;
    }
    conditions
        .iter()
        .filter(|condition| condition.is_null(true))
        .any(|absent| {
            conditions.iter().any(|other| {
                let asks_value =
                    other.operator.question != Question::Null && !other.operator.negated;
                other.field == absent.field && (asks_value || other.is_null(false))
            })
        })
}

/// Checks values as the compiler will; keeps what that needs between values.
#[derive(Debug, Default)]
pub struct Checker {
    normalizer: Normalizer,
    schedules: Schedules,
}

impl Checker {
    /// Whether the compiler will take this value.
    ///
    /// # Errors
    /// Why not.
    pub fn check(
        &mut self,
        field: &Field,
        question: Question,
        value: &str,
    ) -> Result<(), ValueError> {
        if value.chars().any(|c| c.is_control() && c != '\t') {
            return Err(ValueError::ControlCharacters);
        }
        let checked = match question {
            Question::Equals
            | Question::EqualsIgnoreCase
            | Question::Like
            | Question::Matches
            | Question::Domain => {
                let form = TextForm::of(field, question);
                self.normalizer.apply(form, value).map(drop)
            }
            Question::Ip => address::network(value).map(drop),
            Question::TimeOfDay => self.schedules.parse(value).map(drop),
            Question::Between => number::range(value, crate::lower::number_max(field)).map(drop),
            Question::Number(comparison) => {
                number::compared(value, comparison, crate::lower::number_max(field)).map(drop)
            }
            Question::Date(_) | Question::Null => Ok(()),
        };
        Ok(checked?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(field: Field, question: Question, items: &[&str]) -> Condition {
        let values = Values {
            name: "v".into(),
            origin: String::new(),
            items: items.iter().map(|item| (*item).to_owned()).collect(),
        };
        Condition::new(field, operator(question, false), values)
    }

    fn shown(formula: &Formula) -> Vec<Vec<String>> {
        let conjunctions = formula.alternatives().unwrap();
        let show = |condition: &Condition| {
            let items = condition.values.items.join(" ");
            format!("{} {} {items}", condition.field, condition.operator.name)
        };
        conjunctions
            .iter()
            .map(|conditions| conditions.iter().map(show).collect())
            .collect()
    }

    #[test]
    fn negation_is_pushed_to_the_operators() {
        let port = Formula::from(condition(
            Field::DestinationPort,
            Question::Between,
            &["1-2"],
        ));
        let name = Formula::from(condition(
            Field::DestinationDomain,
            Question::Domain,
            &["a.test"],
        ));
        let both = Formula::all([port.clone(), name.clone()]);
        assert_eq!(
            shown(&both.clone().negated()),
            [
                ["request:DestinationPort NumericNotBetween 1-2"],
                ["request:DestinationDomain NotDomainMatch a.test"]
            ]
        );
        assert_eq!(both.clone().negated().negated(), both);
        assert_eq!(shown(&Formula::any([port, name]).negated())[0].len(), 2);
    }

    #[test]
    fn what_is_said_twice_is_said_once() {
        let not = |name| condition(Field::DestinationDomain, Question::Equals, &[name]).negated();
        let formula = Formula::all([
            not("a.test").into(),
            not("b.test").into(),
            not("a.test").into(),
        ]);
        assert_eq!(
            shown(&formula),
            [["request:DestinationDomain StringNotEquals a.test b.test"]]
        );
    }

    #[test]
    fn what_cannot_be_is_not_written() {
        let absent = Condition::null(Field::DestinationDomain, true);
        let equals = condition(Field::DestinationDomain, Question::Equals, &["a.test"]);
        let never = Formula::all([absent.into(), equals.into()]);
        assert_eq!(shown(&never), Vec::<Vec<String>>::new());
        let name = |items| condition(Field::DestinationDomain, Question::Equals, items);
        let both = Formula::all([
            name(&["a.test"]).into(),
            name(&["b.test", "a.test"]).negated().into(),
        ]);
        assert_eq!(shown(&both), Vec::<Vec<String>>::new());
        let some = Formula::all([
            name(&["a.test", "c.test"]).into(),
            name(&["a.test"]).negated().into(),
        ]);
        assert_eq!(shown(&some).len(), 1);
    }

    #[test]
    fn growth_is_bounded() {
        let two = Formula::any([
            condition(Field::DestinationPort, Question::Between, &["1-2"]).into(),
            condition(Field::SourcePort, Question::Between, &["1-2"]).into(),
        ]);
        let many = Formula::all(vec![two; 40]);
        assert_eq!(
            many.alternatives(),
            Err(TooManyAlternatives(ALTERNATIVES_MAX))
        );
    }
}
