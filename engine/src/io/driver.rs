//! How a shard waits for the kernel: by a ring (io_uring) or by readiness (epoll). Which of them can
//! be used is found out before any port is open, with a ring like that of a shard, in use.

#![expect(unsafe_code, reason = "see `enter_once`")]

use std::io;
use std::thread;
use std::time::Duration;

use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{IoUring, opcode};
use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};
use thiserror::Error;

use crate::config::checked::IoDriver;

/// Submission queue entries of a ring; the completion queue has twice as many.
const RING_ENTRIES: u32 = 4096;
/// How long the probe waits for an operation that takes a microsecond.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// How a shard waits for the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Driver {
    IoUring,
    Epoll,
}

/// `io.driver = "io_uring"`, and it cannot be had.
#[derive(Debug, Error)]
#[error("io.driver = \"io_uring\" cannot be used: {0}; {REMEDY}, or choose \"auto\" or \"epoll\"")]
pub(crate) struct DriverError(io::Error);

const REMEDY: &str = "it needs Linux 6.1 or newer, kernel.io_uring_disabled = 0, and a seccomp profile \
                      that allows io_uring_setup and io_uring_enter";

impl Driver {
    /// The one that the configuration asks for; with `"auto"` the ring, if it works here.
    pub(crate) fn choose(wanted: IoDriver) -> Result<Self, DriverError> {
        if wanted == IoDriver::Epoll {
            return Ok(Self::Epoll);
        }
        match probe_io_uring() {
            Ok(()) => Ok(Self::IoUring),
            Err(error) if wanted == IoDriver::IoUring => Err(DriverError(error)),
            Err(error) => {
                tracing::warn!(
                    %error,
                    "io_uring cannot be used, falling back to epoll, which costs more CPU; {REMEDY}"
                );
                Ok(Self::Epoll)
            }
        }
    }

    /// As in `io.driver`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::IoUring => "io_uring",
            Self::Epoll => "epoll",
        }
    }

    /// Runs a shard to its end on the thread that calls this.
    pub(crate) fn block_on<F: Future<Output = io::Result<()>>>(self, shard: F) -> io::Result<()> {
        match self {
            Self::IoUring => io_uring_runtime()?.enable_timer().build()?.block_on(shard),
            Self::Epoll => RuntimeBuilder::<LegacyDriver>::new()
                .enable_timer()
                .build()?
                .block_on(shard),
        }
    }
}

/// Whether a ring works here; the error says why not.
pub(crate) fn probe_io_uring() -> io::Result<()> {
    // The ring belongs to the thread that makes it, so the probe has one of its own.
    thread::spawn(|| {
        enter_once(&mut ring_flags().build(RING_ENTRIES)?)?;
        io_uring_runtime().and_then(|builder| builder.build().map(drop))
    })
    .join()
    .unwrap_or_else(|_| Err(io::Error::other("the set-up of a ring panicked")))
}

/// Submits an operation that does nothing and waits for it, by the very call that a shard waits with:
/// a sandbox may allow the set-up of rings and refuse their use.
fn enter_once(ring: &mut IoUring) -> io::Result<()> {
    let entry = opcode::Nop::new().build();
    // SAFETY: `SubmissionQueue::push` wants the parameters of the operation to outlive it, and a no-op
    // has none.
    let pushed = unsafe { ring.submission().push(&entry) };
    pushed.map_err(io::Error::other)?;
    let timeout = Timespec::new().sec(PROBE_TIMEOUT.as_secs());
    let arguments = SubmitArgs::new().timespec(&timeout);
    ring.submitter()
        .submit_with_args(1, &arguments)
        .map_err(|error| io::Error::new(error.kind(), format!("io_uring_enter: {error}")))?;
    match ring.completion().next() {
        Some(_) => Ok(()),
        None => Err(io::Error::other("io_uring_enter: nothing was completed")),
    }
}

/// A runtime on a ring.
pub(crate) fn io_uring_runtime() -> io::Result<RuntimeBuilder<IoUringDriver>> {
    Ok(RuntimeBuilder::<IoUringDriver>::new()
        .uring_builder(ring_flags())
        .with_entries(RING_ENTRIES))
}

/// The flags decide: with monoio's defaults a ring is slower than epoll (`docs/internals`).
fn ring_flags() -> io_uring::Builder {
    let mut flags = IoUring::builder();
    flags.setup_single_issuer().setup_defer_taskrun();
    flags
}
