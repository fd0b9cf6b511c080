//! The configuration file: from text to a value that cannot be wrong.
//!
//! ```text
//! text ─raw─▶ values with their places ─check─▶ checked::Config, or every problem at once
//! ```
//!
//! `main` loads it at start and on SIGHUP; every other room takes the checked types.

pub mod checked;

pub use checked::Config;
