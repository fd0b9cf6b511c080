//! The access log as tools read it: lines, their members, and the request that they tell of.
//! `docs/log-format.md` says what is in it.

mod lines;
mod names;
mod record;
mod scan;

pub use lines::{Portion, for_each_line, portions};
pub use record::{BadLine, Event, LogReader, LogRecord, LoggedDecision};
