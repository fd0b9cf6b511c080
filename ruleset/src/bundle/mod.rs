//! The compiled ruleset: one file, little-endian, the same bytes for the same rules.
//!
//! `header.rs` is the frame (magic, version, sections with their hashes, identity), `section.rs`
//! how records become words, `write.rs` and `validate.rs` the two directions, `read.rs` the loaded
//! [`Bundle`], `rules_back.rs` the way from it to the rules again, `signature.rs` and `verify.rs` who
//! vouches for it.
//! Nothing outside this folder interprets a bundle's bytes before they are checked.

mod error;
#[cfg(test)]
#[path = "tests/forged_patterns.rs"]
mod forged_patterns;
#[cfg(test)]
#[path = "tests/forgeries.rs"]
mod forgeries;
mod header;
pub(crate) mod plan;
mod read;
mod rules_back;
mod section;
mod signature;
pub(crate) mod tests_written;
mod unreachable;
mod validate;
mod verify;
mod write;

pub use error::BundleError;
pub use header::reseal;
pub use read::{Bundle, SectionSize, Sizes};
pub use signature::{PublicKey, PublicKeyError, Signature, SignatureError};
pub use unreachable::Unreachable;
pub use write::{BuildRecord, write, write_reachable};

pub use crate::index::error::{Place, WriteError};
