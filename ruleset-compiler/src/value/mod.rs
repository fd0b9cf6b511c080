//! Single values of conditions, from their text to the ruleset crate's types. Pure: a value in,
//! a typed value or what is wrong with it out; `lower` knows where the value stands.

pub mod address;
pub mod date;
pub mod number;
pub mod schedule;
pub mod text;
pub mod url;

mod bad_value;

pub use bad_value::BadValue;
