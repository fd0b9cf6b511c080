//! What rules ask for and a configuration never shows them, told to those who wrote them.
//!
//! Reading order: the warnings, then in which domains a rule is blind at all.

mod domains;
mod warnings;

pub(crate) use warnings::{warn, warnings};
