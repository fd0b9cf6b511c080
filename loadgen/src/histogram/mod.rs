//! Times, kept so that every percentile of the run can be told: `latency` is one thread's; `merge`
//! makes one of many and reads the figures off.

pub(crate) mod latency;
pub(crate) mod merge;
