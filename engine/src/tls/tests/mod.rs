//! Tests of the certificates' files and of their cache.

mod cache;
mod files;
#[path = "../../../pki/tests/certificates/fixture.rs"]
#[allow(
    dead_code,
    reason = "shared with the tests of `sallyport_pki`, which use all of it"
)]
mod fixture;
