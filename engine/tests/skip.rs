//! How a test says that it cannot run here. The tests of all crates include this file by its path, and
//! a tidy test sees that none skips in another way: what is only printed counts as passed.

#![allow(
    dead_code,
    reason = "cargo takes this file for a test of its own as well"
)]

/// Says that a test does not run, and why.
///
/// # Panics
/// If the environment says `SALLYPORT_TESTS_NO_SKIP=1`.
pub(crate) fn skip(reason: &str) {
    let may_skip = std::env::var_os("SALLYPORT_TESTS_NO_SKIP").is_none_or(|value| value != "1");
    assert!(
        may_skip,
        "{reason}, and SALLYPORT_TESTS_NO_SKIP=1 forbids to skip"
    );
    // Past the capture of the test runner: a skip is to be seen.
    let line = format!("SKIPPED: {reason}\n");
    let written = std::fs::OpenOptions::new().write(true).open("/dev/stderr");
    match written {
        Ok(mut stderr) => drop(std::io::Write::write_all(&mut stderr, line.as_bytes())),
        Err(_) => eprint!("{line}"),
    }
}
