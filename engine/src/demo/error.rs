//! Why the demo could not be shown.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why the demo could not be shown.
#[derive(Debug, Error)]
pub(crate) enum DemoError {
    #[error("{what}: {source}")]
    System {
        what: &'static str,
        source: io::Error,
    },
    #[error("{method} {host}{path}: {source}")]
    Step {
        method: &'static str,
        host: &'static str,
        path: &'static str,
        source: io::Error,
    },
    #[error(
        "{name} is not beside {} and this is not a run of cargo that could build it",
        beside.display()
    )]
    Missing { name: &'static str, beside: PathBuf },
    #[error("{program} failed: {output}")]
    Failed {
        program: &'static str,
        output: String,
    },
    #[error("{program} did not get ready in time: {output}")]
    NotReady {
        program: &'static str,
        output: String,
    },
    #[error("{missing} of the transactions are not in the access log {}", log.display())]
    Unlogged { missing: usize, log: PathBuf },
}

/// Names what was being done when the system said no.
pub(super) fn doing(what: &'static str) -> impl FnOnce(io::Error) -> DemoError {
    move |source| DemoError::System { what, source }
}
