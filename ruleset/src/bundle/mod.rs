//! The compiled ruleset: one file, little-endian, the same bytes for the same rules.
//!
//! `header.rs` is the frame (magic, version, sections with their hashes, identity), `section.rs`
//! how records become words, `write.rs` and `validate.rs` the two directions, `read.rs` the loaded
//! [`Bundle`]. Nothing outside this folder interprets a bundle's bytes before they are checked.

mod error;
mod header;
pub(crate) mod plan;
mod read;
mod section;
mod validate;
mod write;

pub use error::BundleError;
pub use header::reseal;
pub use read::{Bundle, Sizes};
pub use write::{BuildRecord, write};

pub use crate::index::build::{Place, WriteError};
