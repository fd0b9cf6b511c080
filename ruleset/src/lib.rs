//! Fields, rules, bundle format, indexes and evaluation of Sallyport rulesets.
//!
//! The ground floor of the house: a function from bytes and facts to a verdict. No I/O, no clock,
//! no randomness. The compiler builds a [`Ruleset`] and writes it as a bundle; the engine loads
//! the bundle and asks it once per phase.
#![forbid(unsafe_code)]

pub mod action;
pub mod bundle;
pub mod composed;
pub mod condition;
pub mod cost;
#[cfg(any(test, feature = "test-support"))]
mod entropy;
mod evaluate;
pub mod explain;
pub mod facts;
pub mod field;
#[cfg(any(test, feature = "test-support"))]
pub mod generate;
#[cfg(any(test, feature = "test-support"))]
mod generate_many;
#[cfg(any(test, feature = "test-support"))]
pub mod generate_near;
mod index;
mod invariant;
mod known_values;
pub mod limits;
pub mod matcher;
pub mod normalize;
pub mod phase;
#[cfg(any(test, feature = "reference"))]
pub mod reference;
pub mod rule;
mod source;
pub mod value_list;

pub use action::{Action, Decision, Outcome, RuleIndex, Verdict};
pub use bundle::{BuildRecord, Bundle, BundleError, PublicKey, SignatureError, WriteError};
pub use composed::{Composed, Host, UrlScheme};
pub use condition::{Condition, Test, TimeZoneOffsets, Weekdays, WeeklySchedule};
pub use evaluate::{Scratch, evaluate, evaluate_counted};
pub use facts::{Fact, Facts, FieldValues, HeaderFields, Protocol, ProtocolSet};
pub use field::Field;
pub use phase::Phase;
pub use rule::{Defaults, Rule, RuleGroup, Ruleset};
pub use source::{FieldType, Source};
pub use value_list::ValueList;
