//! Minted certificates before the verifiers of others, authorities that other programs made, and
//! origins' certificates that only OpenSSL can make.
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
mod handshake;
mod minted;
#[allow(
    dead_code,
    reason = "shared with the end-to-end tests, which use the rest"
)]
mod openssl;
mod origins;
#[path = "../end_to_end/common/programs.rs"]
#[allow(
    dead_code,
    reason = "shared with the end-to-end tests, which use all of it"
)]
mod programs;
mod verifiers;
