//! The `sallyport` program.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Measured beside others in `docs/internals/performance.md`.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    sallyport::cli::main()
}
