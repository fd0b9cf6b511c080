//! Checks over whole rules and rulesets: names and bounds, and what is probably not meant.

pub mod budget;
pub mod condition;
pub mod lint;
mod method;
pub mod names;
mod query;
pub mod shadowed;
