//! `diff`: what is different between two rulesets, as text and in what they decide. `textual.rs`
//! compares the rules, `regions.rs` what they mean: which requests two rules decide differently is
//! a question about the tests of each field (`fields`), put together by `search.rs`, and each
//! answer is tried on both rulesets before it is believed (`witness.rs`), as a request whose fields fit
//! each other (`consistent.rs`).

mod claims;
mod command;
mod consistent;
mod fields;
mod pinned;
mod regions;
mod search;
mod side;
mod textual;
mod witness;

pub use command::{Args, Compared, compare_rulesets, run};
pub use side::CompareError;
