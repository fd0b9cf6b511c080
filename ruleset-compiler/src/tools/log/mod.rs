//! The access log as tools read it: lines, their members, and the request that they tell of.
//! `docs/log-format.md` says what is in it.

mod facts;
mod input;
mod lines;
mod names;
mod record;
mod scan;
mod values;

pub use facts::{NormalForms, Told, assume_absent};
pub use input::{is_standard_input, open};
pub use lines::Part;
pub use record::{BadLine, Event, LogReader, LogRecord, LoggedDecision};
