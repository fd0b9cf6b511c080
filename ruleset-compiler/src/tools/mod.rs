//! The commands of the binary, one room each.

mod bundle_file;
pub mod compile;
pub mod cost;
pub mod diff;
pub mod explain;
mod given;
mod given_error;
mod given_values;
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
pub mod why;
