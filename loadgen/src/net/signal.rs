//! SIGINT and SIGTERM as a readable descriptor, so that a loop ends between two events.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::error::LoadError;

/// Readable once one of the two signals has arrived.
#[derive(Debug)]
pub(crate) struct Termination(SignalFd);

impl Termination {
    /// Blocks the two signals in this thread and those it starts later; call it first of all.
    pub(crate) fn block() -> Result<Self, LoadError> {
        let mut set = SigSet::empty();
        set.add(Signal::SIGINT);
        set.add(Signal::SIGTERM);
        let wrap = |error: nix::Error| LoadError::io("signals")(error.into());
        set.thread_block().map_err(wrap)?;
        SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
            .map(Self)
            .map_err(wrap)
    }
}

impl AsFd for Termination {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
