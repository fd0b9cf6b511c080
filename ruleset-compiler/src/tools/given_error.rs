//! What can be wrong with what `given` reads: keys and values of facts on a command line or in a test.

use sallyport_ruleset::normalize::DomainError;
use sallyport_ruleset::{Field, Protocol};

/// What is wrong with something that was given by key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GivenError {
    /// No key of rules, and no option, is called so.
    #[error("there is no key `{key}`{}", hint(*.nearest))]
    UnknownKey {
        /// The key.
        key: String,
        /// The one that may be meant.
        nearest: Option<&'static str>,
    },
    /// A key is given more than once.
    #[error("`{0}` is given twice")]
    Twice(String),
    /// A fact without a `=`.
    #[error("`{0}` is no fact: expected `KEY=VALUE`")]
    NoValue(String),
    /// A key of all lines of a kind, which are given one by one.
    #[error("`{0}` is no key that has a value")]
    KeyOfLines(String),
    /// The value is none that the field can have.
    #[error("`{fact}` is no fact: {field} is {expected}")]
    NotOfTheType {
        /// The fact as it was written.
        fact: String,
        /// Its field.
        field: Field,
        /// What the field can have.
        expected: Expected,
    },
    /// A second value for a field that has one.
    #[error("{0} has one value, and is given two")]
    SecondValue(Field),
    /// A backslash that begins no byte.
    #[error("`{0}` has a backslash without `xNN`; a backslash itself is `\\x5c`")]
    Backslash(String),
}

/// What a value should have been.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Expected {
    /// Text.
    #[error("text in UTF-8")]
    Utf8,
    /// A word for what is spoken.
    #[error("one of {}", Protocol::ALL.map(Protocol::name).join(", "))]
    Protocol,
    /// A name.
    #[error("a domain name ({error}); for an address say `--absent {field}`")]
    Domain {
        /// Why it is none.
        error: DomainError,
        /// The field that an address leaves absent.
        field: Field,
    },
    /// An address.
    #[error("an IP address")]
    Address,
    /// A number with a bound.
    #[error("a number up to {0}")]
    NumberUpTo(u64),
    /// A moment, in the form that [`date`] reads.
    #[error("{0}")]
    Time(String),
}

fn hint(nearest: Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |word| format!(": did you mean `{word}`?"))
}
