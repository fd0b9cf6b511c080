//! Makes a ruleset cheaper to decide without changing what it decides: the same verdicts, deciding
//! rules and alerts for all facts. Rules keep their places and names, so that diagnostics, counters
//! and `explain` speak of the rules as written.
//!
//! One room for each optimization, each of which can be switched off (`compile --no-optimize NAME`).
//! `tests/optimize.rs` holds them, alone and together, against the reference evaluator.

mod dedupe;
mod merge_sets;
mod order;
mod passes;
mod shadowed;

pub use passes::{Optimization, Optimizations, Optimized, run};
