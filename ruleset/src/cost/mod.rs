//! What an evaluation can cost at worst: the certificate that every bundle carries, and the meter
//! that tests hold against it.
//!
//! Costs are counts, not times: they are the same on every machine, and they can be proven.

mod certificate;
mod compute;
mod meter;
mod structures;

pub use certificate::{Certificate, Cost, CostlyRule, InputLimits, PhaseCost, SourceCost, Why};
pub(crate) use certificate::{CertificateRecords, CostRecord, CostlyRuleRecord, PhaseCostRecord};
pub(crate) use compute::compute;
pub use meter::Spent;
pub(crate) use meter::{Free, Meter};

/// Bytes of the records that evaluation reads, as they are counted.
pub(crate) mod record_bytes {
    pub(crate) const SLOT: usize = 16;
    pub(crate) const BOUND: usize = 16;
    pub(crate) const NUMBER: usize = 4;
    pub(crate) const MEANING: usize = 8;
    pub(crate) const ACCESS: usize = 24;
    pub(crate) const RULE: usize = 36;
    /// The number of a condition, its predicate and its field.
    pub(crate) const CONDITION: usize = 4 + 32 + 32;
    pub(crate) const TRANSITION: usize = 12;
    /// A step of the search for literals reads a state.
    pub(crate) const SEARCH_STEP: usize = 4;
    /// A step of a regular expression reads a class and a state.
    pub(crate) const REGEX_STEP: usize = 3;
    /// A step of a family also what the state tells.
    pub(crate) const FAMILY_STEP: usize = 5;
}
