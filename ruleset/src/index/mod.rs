//! From rules to structures that answer for all of them at once.
//!
//! Conditions become predicates, shared between rules that say the same; each field has an index
//! that turns a value into the predicates that hold. Each rule is filed under one predicate that
//! must hold for it (`access.rs`), so that evaluation meets only rules that may match. `record.rs`
//! is the shape that builder, bundle and evaluation share.

pub(crate) mod access;
pub(crate) mod build;
mod builder;
pub(crate) mod error;
mod families;
mod layout;
mod lower;
pub(crate) mod record;
pub(crate) mod rule_set;
pub(crate) mod tables;
pub(crate) mod values;
mod windows;
