//! `replay`: logged requests, decided again. `decide.rs` makes facts of a log line and asks the
//! bundle, `memo.rs` keeps its answers, `missing.rs` what was not told, `tally.rs` adds up,
//! `command.rs` runs over the file, `report.rs` says what came of it.

mod command;
mod decide;
mod memo;
mod missing;
mod report;
mod tally;

pub use command::{Args, run};
pub use decide::{Again, Decider};
pub use missing::Missing;
