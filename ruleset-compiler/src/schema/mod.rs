//! JSON Schemas of the TOML form, made from the tables of keys and operators, so that editors
//! complete rules and mark what is wrong while they are written.
//!
//! They say a little less than the compiler: values are checked for their kind, not for what they
//! mean; and they know keys in one spelling only.

mod conditions;
mod files;

pub use files::{group, ruleset};
