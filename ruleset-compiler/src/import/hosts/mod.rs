//! Lists of names: hosts files, plain lists of domains, and the filter lists of ad blockers, as
//! far as they are about whole hosts.

mod adblock;
mod plain;
mod walk;

pub use walk::{Action, Format, HostsOptions, import};
