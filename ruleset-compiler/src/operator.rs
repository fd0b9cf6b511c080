//! The operators of rule text: their names, what they ask, and which fields they fit.

use sallyport_ruleset::FieldType;

/// An operator: a question and whether its answer is turned round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The word in rule text.
    pub name: &'static str,
    /// What is asked.
    pub question: Question,
    /// Holds when the question's answer is no, or the field is absent.
    pub negated: bool,
    /// The answer is yes when each value of the field fits, and when there is none; otherwise, when
    /// some value fits.
    pub every: bool,
}

/// IAM's prefix for "some value of the field": false when there is none.
pub const ANY_PREFIX: &str = "ForAnyValue:";
/// IAM's prefix for "each value of the field": true when there is none.
pub const ALL_PREFIX: &str = "ForAllValues:";

/// What an operator asks of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Is it one of the values?
    Equals,
    /// The same without regard to the case of ASCII letters.
    EqualsIgnoreCase,
    /// Does it match a wildcard pattern?
    Like,
    /// Does a regular expression match somewhere in it?
    Matches,
    /// Is it one of the domains, or a name under one?
    Domain,
    /// How does a number compare?
    Number(Comparison),
    /// Does a number lie in a range?
    Between,
    /// Does an address lie in a network?
    Ip,
    /// How does a time compare?
    Date(Comparison),
    /// Does a time lie in a weekly schedule?
    TimeOfDay,
    /// Is the field absent?
    Null,
}

/// How a number or time compares to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The same.
    Equal,
    /// Smaller.
    Less,
    /// Smaller or the same.
    LessOrEqual,
    /// Greater.
    Greater,
    /// Greater or the same.
    GreaterOrEqual,
}

const fn plain(name: &'static str, question: Question) -> Operator {
    Operator {
        name,
        question,
        negated: false,
        every: false,
    }
}

const fn negated(name: &'static str, question: Question) -> Operator {
    Operator {
        name,
        question,
        negated: true,
        every: false,
    }
}

/// All operators, in the order of the reference.
pub const OPERATORS: [Operator; 29] = [
    plain("StringEquals", Question::Equals),
    negated("StringNotEquals", Question::Equals),
    plain("StringEqualsIgnoreCase", Question::EqualsIgnoreCase),
    negated("StringNotEqualsIgnoreCase", Question::EqualsIgnoreCase),
    plain("StringLike", Question::Like),
    negated("StringNotLike", Question::Like),
    plain("StringMatches", Question::Matches),
    negated("StringNotMatches", Question::Matches),
    plain("DomainMatch", Question::Domain),
    negated("NotDomainMatch", Question::Domain),
    plain("NumericEquals", Question::Number(Comparison::Equal)),
    negated("NumericNotEquals", Question::Number(Comparison::Equal)),
    plain("NumericLessThan", Question::Number(Comparison::Less)),
    plain(
        "NumericLessThanEquals",
        Question::Number(Comparison::LessOrEqual),
    ),
    plain("NumericGreaterThan", Question::Number(Comparison::Greater)),
    plain(
        "NumericGreaterThanEquals",
        Question::Number(Comparison::GreaterOrEqual),
    ),
    plain("NumericBetween", Question::Between),
    negated("NumericNotBetween", Question::Between),
    plain("IpAddress", Question::Ip),
    negated("NotIpAddress", Question::Ip),
    plain("DateEquals", Question::Date(Comparison::Equal)),
    negated("DateNotEquals", Question::Date(Comparison::Equal)),
    plain("DateLessThan", Question::Date(Comparison::Less)),
    plain(
        "DateLessThanEquals",
        Question::Date(Comparison::LessOrEqual),
    ),
    plain("DateGreaterThan", Question::Date(Comparison::Greater)),
    plain(
        "DateGreaterThanEquals",
        Question::Date(Comparison::GreaterOrEqual),
    ),
    plain("TimeOfDay", Question::TimeOfDay),
    negated("NotTimeOfDay", Question::TimeOfDay),
    plain("Null", Question::Null),
];

impl Operator {
    /// The operator of this name, letters with case; before it may stand one of IAM's prefixes.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (asks_all, base) = match name.strip_prefix(ALL_PREFIX) {
            Some(base) => (Some(true), base),
            None => match name.strip_prefix(ANY_PREFIX) {
                Some(base) => (Some(false), base),
                None => (None, name),
            },
        };
        let operator = OPERATORS.into_iter().find(|known| known.name == base)?;
        match asks_all {
            None => Some(operator),
            Some(_) if operator.question == Question::Null => None,
            // "Some value is none of these" is the negation of "each value is one of these", and
            // the two others are what the operators mean by themselves.
            Some(asks_all) => Some(Self {
                every: asks_all != operator.negated,
                ..operator
            }),
        }
    }

    /// Whether it can be asked of fields of this type.
    #[must_use]
    pub const fn fits(self, field_type: FieldType) -> bool {
        match self.question {
            Question::Equals | Question::EqualsIgnoreCase | Question::Like | Question::Matches => {
                matches!(field_type, FieldType::String | FieldType::Domain)
            }
            Question::Domain => matches!(field_type, FieldType::Domain),
            Question::Number(_) | Question::Between => matches!(field_type, FieldType::Number),
            Question::Ip => matches!(field_type, FieldType::Ip),
            Question::Date(_) | Question::TimeOfDay => matches!(field_type, FieldType::Time),
            Question::Null => true,
        }
    }

    /// The operators for fields of a type.
    pub fn for_type(field_type: FieldType) -> impl Iterator<Item = Self> {
        OPERATORS
            .into_iter()
            .filter(move |operator| operator.fits(field_type))
    }
}

/// The type's name in messages.
#[must_use]
pub const fn type_name(field_type: FieldType) -> &'static str {
    match field_type {
        FieldType::String => "text",
        FieldType::Domain => "a domain name",
        FieldType::Ip => "an address",
        FieldType::Number => "a number",
        FieldType::Time => "a time",
    }
}
