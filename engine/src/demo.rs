//! Demo.
pub(crate) fn run(_once: bool) -> Result<(), std::io::Error> { Ok(()) }
