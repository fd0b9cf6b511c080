//! `stats`: how often each rule decided or alerted, and which never did. `command.rs` has the counters of
//! a running proxy and the report, `logged.rs` a log that is decided again.

mod command;
mod counts;
mod logged;

pub use command::{Args, run};
