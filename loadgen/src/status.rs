//! How the program ends. The numbers are those of all three programs; `docs/exit-status.md` is the
//! one place that lists them.

use std::process::ExitCode;

/// What the exit status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// Done, and what was asked for holds.
    Holds,
    /// Done, and it does not hold: nothing was answered, no rate passes, a threshold is exceeded.
    Fails,
    /// Bad usage, a plan with problems of its own, a file or the operating system that refuses. A
    /// wrong command line ends with the same number, by clap.
    Impossible,
    /// Done, and nothing can be said: the meter itself was at fault.
    Undecided,
}

impl Status {
    /// The number that a shell sees.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Holds => 0,
            Self::Fails => 1,
            Self::Impossible => 2,
            Self::Undecided => 3,
        }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status.code())
    }
}
