//! The configuration file: from text to a value that cannot be wrong.
//!
//! ```text
//! text ─raw─▶ values with their places ─check─▶ checked::Config, or every problem at once
//! ```
//!
//! `main` loads it at start and on SIGHUP; every other room takes the checked types.

mod check;
pub mod checked;
mod checked_admin;
mod checked_http;
mod checked_identity;
mod checked_log;
mod checked_tls;
mod environment;
mod error;
mod keys;
mod load;
mod raw;
mod sections;
mod values;

pub use checked::Config;
pub use environment::{Environment, Overrides};
pub use error::{ConfigErrors, Place, Problem};
pub use keys::KEYS;

#[cfg(test)]
mod tests;
