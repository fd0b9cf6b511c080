//! Tests of the certificate rooms in memory: authorities, minting, and a matrix of bad origins.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod authorities;
mod browsers;
mod directory_names;
#[allow(
    dead_code,
    reason = "shared with the engine's tests, which use the rest"
)]
mod fixture;
mod minting;
mod mutations;
mod origin_facts;
mod origins;
mod unusable;
