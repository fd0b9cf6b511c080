//! The queue of lines, and the one thread that waits for standard error.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tracing_subscriber::fmt::MakeWriter;

use super::limiter::Limiter;
use crate::limits::{
    MESSAGES_FINISH_TIMEOUT, MESSAGES_QUEUED_BYTES_MAX, MESSAGES_QUEUED_MAX, MESSAGES_TELL_INTERVAL,
};

/// Where lines are left; it never waits.
#[derive(Debug, Clone)]
pub(super) struct Outlet {
    sender: SyncSender<Box<[u8]>>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Bytes that were left here and are not yet written.
    queued_bytes: AtomicUsize,
    /// Lines that found no room, since the last time that was told.
    lost: AtomicU64,
}

impl Outlet {
    /// Starts the thread.
    pub(super) fn start(limiter: Arc<Limiter>) -> io::Result<Self> {
        // A descriptor of its own: the lock of `io::stderr` would be held for as long as nobody reads.
        let stderr = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        let (sender, lines) = sync_channel(MESSAGES_QUEUED_MAX);
        let shared = Arc::new(Shared::default());
        let outlet = Self {
            sender,
            shared: Arc::clone(&shared),
        };
        thread::Builder::new()
            .name("messages".to_owned())
            .spawn(move || write_lines(&lines, &shared, &limiter, stderr))?;
        Ok(outlet)
    }

    fn leave(&self, line: &[u8]) {
        let shared = &self.shared;
        let queued = shared.queued_bytes.fetch_add(line.len(), Relaxed);
        let has_room = queued + line.len() <= MESSAGES_QUEUED_BYTES_MAX;
        if !has_room || self.sender.try_send(line.into()).is_err() {
            shared.queued_bytes.fetch_sub(line.len(), Relaxed);
            shared.lost.fetch_add(1, Relaxed);
        }
    }

    /// Waits until all is written, but not for long.
    pub(super) fn finish(&self) {
        let end = Instant::now() + MESSAGES_FINISH_TIMEOUT;
        while self.shared.queued_bytes.load(Relaxed) > 0 && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// One message on its way to the queue.
#[derive(Debug)]
pub(super) struct Line<'a>(&'a Outlet);

impl<'a> MakeWriter<'a> for Outlet {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

impl Write for Line<'_> {
    /// Called once with the whole line.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.leave(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs for as long as the process does.
fn write_lines(lines: &Receiver<Box<[u8]>>, shared: &Shared, limiter: &Limiter, mut stderr: File) {
    let mut told = Instant::now();
    loop {
        match lines.recv_timeout(MESSAGES_TELL_INTERVAL) {
            Ok(line) => {
                write_whole(&mut stderr, &line);
                shared.queued_bytes.fetch_sub(line.len(), Relaxed);
                let count = shared.lost.swap(0, Relaxed);
                if count > 0 {
                    tracing::warn!(count, "messages were lost: standard error was not read");
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if told.elapsed() >= MESSAGES_TELL_INTERVAL {
            told = Instant::now();
            limiter.tell();
        }
    }
}

/// A reader that is gone is no reason to do anything but go on.
fn write_whole(stderr: &mut File, line: &[u8]) {
    let mut rest = line;
    while !rest.is_empty() {
        match stderr.write(rest) {
            Ok(count) if count > 0 => rest = rest.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut ready = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
                let _ = poll(&mut ready, PollTimeout::NONE);
            }
            Ok(_) | Err(_) => return,
        }
    }
}

/// Says why the process ends, unless standard error takes nothing.
pub(crate) fn complain(text: &str) {
    let line = format!("sallyport: {text}\n");
    let (done, wait) = mpsc::channel();
    let spoken = thread::Builder::new().spawn(move || {
        let _ = io::stderr().write_all(line.as_bytes());
        let _ = done.send(());
    });
    if spoken.is_ok() {
        let _ = wait.recv_timeout(MESSAGES_FINISH_TIMEOUT);
    }
}
