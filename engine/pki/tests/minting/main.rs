//! Minted certificates before the verifiers of others, and origins' certificates that only OpenSSL can
//! make.
//!
//! What a test needs of the system and does not find is said aloud (`SKIPPED` and why), or is a failure
//! with `SALLYPORT_TESTS_NO_SKIP=1`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed"
)]

mod handshake;
mod minted;
#[allow(
    dead_code,
    reason = "shared with the engine's tests, which use the rest"
)]
mod openssl;
mod origins;
#[path = "../../../tests/end_to_end/common/system.rs"]
#[allow(
    dead_code,
    reason = "shared with the end-to-end tests, which use all of it"
)]
mod programs;
mod verifiers;
