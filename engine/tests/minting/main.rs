//! Authorities as files: those that other programs made, the commands that make them, and what a
//! certificate from the cache costs.
//!
//! What a test needs of the system and does not find is said aloud (`SKIPPED` and why), or is a failure
//! with `SALLYPORT_TESTS_NO_SKIP=1`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    unsafe_code,
    reason = "a test that cannot go on has failed; an allocator that counts can only be written so"
)]

mod allocations;
mod authorities;
mod commands;
#[path = "../../pki/tests/minting/minted.rs"]
#[allow(
    dead_code,
    reason = "shared with the tests of `sallyport_pki`, which use the rest"
)]
mod minted;
#[path = "../../pki/tests/minting/openssl.rs"]
#[allow(
    dead_code,
    reason = "shared with the tests of `sallyport_pki`, which use the rest"
)]
mod openssl;
#[path = "../end_to_end/common/programs.rs"]
#[allow(
    dead_code,
    reason = "shared with the end-to-end tests, which use all of it"
)]
mod programs;
