//! Many regular expressions in one automaton, which tells in one pass over a text which of them match.
//!
//! A text can hold the literals of as many expressions as it is long. Tried one by one, each reads
//! all of it. Together they cost one step a byte, if they are of one kind: expressions that begin alike
//! share what they have in common (`nfa.rs`). Others explode, which a budget notices; whoever groups them
//! (`index/families.rs`) then tries fewer.

mod build;
mod nfa;
mod table;

pub(crate) use build::{Budget, compile};
pub(crate) use table::{Automaton, Shape};

#[cfg(test)]
mod tests;
