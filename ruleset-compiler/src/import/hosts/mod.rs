//! Lists of names: hosts files, plain lists of domains, and the filter lists of ad blockers, as
//! far as they are about whole hosts.

mod adblock;
mod name;
mod options;
mod plain;
mod walk;

pub use options::{Action, Format, HostsOptions};
pub use walk::import;
