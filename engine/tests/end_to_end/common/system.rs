//! Programs of the system, which may be absent. The tests of other crates include this file by its path.

#[path = "../../skip.rs"]
mod skip;

use std::env;
use std::path::PathBuf;

pub(crate) use skip::skip;

/// A program of the system, or `None` after saying so.
///
/// # Panics
/// If it is absent and the environment says `SALLYPORT_TESTS_NO_SKIP=1`.
pub(crate) fn system(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let found = folders
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file());
    if found.is_none() {
        skip(&format!("{name} is not installed"));
    }
    found
}
