//! The commands of the binary, one room each.

pub mod compile;
pub mod cost;
pub mod diff;
pub mod explain;
pub mod import;
pub mod inspect;
pub mod log;
pub mod progress;
pub mod replay;
pub mod request;
pub mod request_args;
pub mod schema;
pub mod sign;
pub mod stats;
pub mod table;
pub mod test;
