//! What follows from what: whether conditions contradict each other (`region.rs`, by the parts of
//! texts of `element.rs`), what a rule surely matches (`witness.rs`), and which rules earlier rules cover, alone or together (`search.rs`).
//!
//! Everything that is claimed here is proven; where a proof would need more than its budget, nothing
//! is claimed. Called by `validate/shadowed.rs`, which warns, and by `optimize`.

mod element;
mod region;
mod search;
mod witness;

pub use region::{Assumption, Oracle, Point};
pub use search::{Cover, Covers, Found, find};
