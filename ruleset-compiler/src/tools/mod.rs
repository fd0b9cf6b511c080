//! The commands of the binary, one room each.

pub mod compile;
pub mod explain;
pub mod inspect;
pub mod request;
pub mod table;
