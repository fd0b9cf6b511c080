//! `import`: other products' rules to a folder with a ruleset, and a report of every line.
//!
//! Reading order: the command with the formats that have options of their own, the formats that are
//! lists and policies, and how a file is recognised.

mod run;

mod lists;

mod auto;

pub use run::{Format, run};
