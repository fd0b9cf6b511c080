//! The TOML form of rulesets and groups: from text to the intermediate form, with all mistakes of
//! shape reported. Knows which tables and keys there are, not what condition keys and operators
//! mean.

mod hint;
mod reader;
mod rule;
mod ruleset;

pub use ruleset::{group, ruleset};
