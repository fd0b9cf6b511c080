//! What an evaluation can cost at worst: the certificate that every bundle carries, and the meter
//! that tests hold against it.
//!
//! Costs are counts, not times: they are the same on every machine, and they can be proven.

mod bound;
mod certificate;
mod compute;
mod meter;
mod tables;

pub(crate) use certificate::{CostRecord, CostlyRuleRecord, PhaseCostRecord};
pub use certificate::{Certificate, Cost, CostlyRule, InputLimits, PhaseCost, SourceCost, Why};
pub(crate) use compute::compute;
pub use meter::Spent;
pub(crate) use meter::{Free, Meter};
