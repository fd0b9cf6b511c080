//! `import`: other products' rules to a folder with a ruleset, and a report of every line.
//!
//! `format.rs` has the formats, `args.rs` and `lists.rs` what they take, `auto.rs` tells what a file is, and
//! `run.rs` carries the command out.

mod args;
mod auto;
mod format;
mod lists;
mod run;

pub use format::Format;
pub use run::run;
