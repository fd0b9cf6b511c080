//! One structure per kind of value: each answers for one value of a field which of many tests
//! match it. What they share: sets of predicates are lists, named by number. Not here: which
//! field has which structure (`index`).

pub mod cidr;
pub(crate) mod domain;
pub(crate) mod exact;
pub(crate) mod family;
pub mod glob;
pub(crate) mod hash;
pub(crate) mod interval;
pub(crate) mod literals;
pub mod regex;
pub(crate) mod window;
