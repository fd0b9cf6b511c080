//! The one thread of the process that writes the access log, and the handle to it.
//!
//! It takes chunks from every shard in turn, writes them, and sends them back. A sink that fails is
//! tried again until it works: meanwhile the buffers of the shards fill, and `log.on_overflow` says
//! what then. Nothing that was handed over is given up before the process ends.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::broadcast;

use super::buffer::{self, BufferPlan, Chunk, ShardChannel, ShardLog};
use super::followers::Followers;
use super::sinks::{self, Checked, Resume, Sink};
use crate::config::checked::{AccessSink, Log};
use crate::limits::{LOG_FINISH_TIMEOUT, LOG_FINISH_TRIED, LOG_RETRY_INTERVAL};

/// How long the thread sleeps when nobody wakes it; only a guard, as every hand-over does.
const SLEEP: Duration = Duration::from_secs(1);
/// How often the end of the thread is looked for.
const FINISH_LOOK: Duration = Duration::from_millis(50);

/// Why the access log cannot be started, or what its end left behind.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The sink cannot be opened: the operator's to mend.
    #[error("cannot open the access log {sink}: {source}")]
    Open {
        /// As in `log.access`.
        sink: String,
        /// What the system said.
        source: io::Error,
    },
    /// The system gives no thread.
    #[error("cannot start the thread that writes the access log: {0}")]
    Thread(io::Error),
    /// The sink failed until the end.
    #[error("{lines} lines of the access log could not be written")]
    Lost {
        /// How many, those of overfull messages included.
        lines: u64,
    },
    /// The lines were written, but the disk did not confirm them.
    #[error("the access log was not brought to the disk: {0}")]
    Sync(io::Error),
    /// The thread did not end in time: the sink blocks.
    #[error("the access log is stuck in a write: {lines} lines are lost")]
    Stuck {
        /// How many were on their way.
        lines: u64,
    },
}

/// What the writer has done so far, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriterCounters {
    /// Lines that the sink took.
    pub lines_written: u64,
    /// Their bytes.
    pub bytes_written: u64,
    /// Failed writes, rotations and reopenings.
    pub errors: u64,
    /// Lines that can never be delivered, or were given up at the end.
    pub lines_lost: u64,
}

/// What others may know of a writer, on any thread.
#[derive(Debug, Clone)]
pub struct LogSource {
    shared: Arc<Shared>,
    is_written: bool,
}

impl LogSource {
    /// What was written so far.
    #[must_use]
    pub fn counters(&self) -> WriterCounters {
        self.shared.counters()
    }

    /// Whether there is a log.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.is_written
    }

    /// The lines that are handed over from now on, some at a time. Who does not keep up loses some.
    #[must_use]
    pub fn follow(&self) -> broadcast::Receiver<Arc<[u8]>> {
        self.shared.followers.subscribe()
    }

    /// How many follow.
    #[must_use]
    pub fn followers(&self) -> usize {
        self.shared.followers.count()
    }
}

/// The handle to the writer thread.
#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
    /// `None` if the log is off.
    running: Option<Running>,
}

impl Writer {
    /// Opens the sink, starts the thread, and makes the producers of `shards_count` shards, in
    /// order. Memory: `shards_count` × `log.buffer_bytes`, allocated here.
    ///
    /// # Errors
    /// A file that cannot be opened, or no thread. Sockets connect later and are tried for ever.
    pub fn start(log: &Log, shards_count: usize) -> Result<(Self, Vec<ShardLog>), LogError> {
        let shared = Arc::new(Shared::default());
        let opened = Sink::open(&log.access);
        let sink = opened.map_err(|source| LogError::Open {
            sink: name(&log.access),
            source,
        })?;
        let Some(sink) = sink else {
            let logs = (0..shards_count).map(|_| ShardLog::off()).collect();
            return Ok((
                Self {
                    shared,
                    running: None,
                },
                logs,
            ));
        };
        let (channels_sender, channels) = sync_channel(1);
        let (done_sender, done) = sync_channel(1);
        let task = Task {
            sink,
            name: name(&log.access),
            shared: Arc::clone(&shared),
            failing_since: None,
            give_up_at: None,
        };
        let thread = std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || task.run(&channels, &done_sender))
            .map_err(LogError::Thread)?;
        let plan = BufferPlan {
            buffer_bytes: log.buffer_bytes,
            on_overflow: log.on_overflow,
        };
        let (logs, channels): (Vec<_>, Vec<_>) = (0..shards_count)
            .map(|core| {
                let handed_over = Arc::clone(&shared.lines_handed_over);
                buffer::channel(core, plan, thread.thread().clone(), handed_over)
            })
            .unzip();
        // The thread waits for exactly this message.
        drop(channels_sender.send(channels));
        Ok((
            Self {
                shared,
                running: Some(Running { thread, done }),
            },
            logs,
        ))
    }

    /// What would keep the sink from being opened, without opening it: nothing is created and nothing
    /// written. A socket that nobody serves now is only noted, since it is tried for ever.
    ///
    /// # Errors
    /// What [`Writer::start`] would fail with.
    pub fn check(log: &Log) -> Result<Option<String>, LogError> {
        let sink = name(&log.access);
        match sinks::check(&log.access) {
            Ok(Checked::Usable) => Ok(None),
            Ok(Checked::Away(error)) => Ok(Some(format!(
                "nobody takes the lines of {sink} now ({error}); they are kept until somebody does"
            ))),
            Err(source) => Err(LogError::Open { sink, source }),
        }
    }

    /// Opens the file anew (SIGUSR1: it was renamed). The thread does it between two lines.
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Ordering::Release);
        self.wake();
    }

    /// What others may know of it.
    #[must_use]
    pub fn source(&self) -> LogSource {
        LogSource {
            shared: Arc::clone(&self.shared),
            is_written: self.running.is_some(),
        }
    }

    /// What was written so far.
    #[must_use]
    pub fn counters(&self) -> WriterCounters {
        self.shared.counters()
    }

    /// Writes what the shards handed over, brings it to the disk and ends the thread. Drop the
    /// [`ShardLog`]s first: each hands over its last lines then.
    ///
    /// It takes at most [`LOG_FINISH_TIMEOUT`](crate::limits::LOG_FINISH_TIMEOUT), and less once
    /// `is_impatient` says so, which is asked now and then.
    ///
    /// # Errors
    /// Lines that were lost, as the sink fails or blocks for that long.
    pub fn finish(mut self, is_impatient: impl Fn() -> bool) -> Result<(), LogError> {
        self.shared.stop.store(true, Ordering::Release);
        self.wake();
        let Some(running) = self.running.take() else {
            return Ok(());
        };
        let end = Instant::now() + LOG_FINISH_TIMEOUT;
        let synced = loop {
            match running.done.recv_timeout(FINISH_LOOK) {
                Ok(synced) => break synced,
                Err(_) if Instant::now() < end && !is_impatient() => {}
                Err(_) => {
                    // In a write or a connect, or at work on what the sink does not take.
                    let counters = self.counters();
                    let handed_over = self.shared.lines_handed_over.load(Ordering::Relaxed);
                    let lines = handed_over.saturating_sub(counters.lines_written);
                    return Err(LogError::Stuck { lines });
                }
            }
        };
        // It has sent its last message, so this does not wait, and it does not panic.
        drop(running.thread.join());
        match self.counters().lines_lost {
            0 => synced.map_err(LogError::Sync),
            lines => Err(LogError::Lost { lines }),
        }
    }

    fn wake(&self) {
        if let Some(running) = &self.running {
            running.thread.thread().unpark();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.wake();
    }
}

#[derive(Debug)]
struct Running {
    thread: JoinHandle<()>,
    /// Gets the result of the last sync when all is written.
    done: Receiver<io::Result<()>>,
}

/// What the handle and the thread share.
#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    reopen: AtomicBool,
    /// The shards add to it.
    lines_handed_over: Arc<AtomicU64>,
    // Only the thread adds to these.
    lines_written: AtomicU64,
    bytes_written: AtomicU64,
    errors: AtomicU64,
    lines_lost: AtomicU64,
    followers: Followers,
}

impl Shared {
    fn counters(&self) -> WriterCounters {
        WriterCounters {
            lines_written: self.lines_written.load(Ordering::Relaxed),
            bytes_written: self.bytes_written.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            lines_lost: self.lines_lost.load(Ordering::Relaxed),
        }
    }
}

/// The state of the thread.
struct Task {
    sink: Sink,
    name: String,
    shared: Arc<Shared>,
    failing_since: Option<Instant>,
    /// Set when the process ends: until when a failing sink is still tried.
    give_up_at: Option<Instant>,
}

impl Task {
    fn run(mut self, channels: &Receiver<Vec<ShardChannel>>, done: &SyncSender<io::Result<()>>) {
        let Ok(shards) = channels.recv() else { return };
        loop {
            // Read before the channels are: what was handed over before the stop is then seen.
            let stopping = self.observe_stop();
            self.reopen_if_asked();
            if self.write_one_of_each(&shards) {
                continue;
            }
            if stopping {
                break;
            }
            std::thread::park_timeout(SLEEP);
        }
        // The receiver waits for it or is gone.
        drop(done.try_send(self.sink.sync()));
    }

    /// Writes at most one chunk of each shard, so that none starves another. False: there was none.
    fn write_one_of_each(&mut self, shards: &[ShardChannel]) -> bool {
        let mut any = false;
        for shard in shards {
            let Ok(mut chunk) = shard.full.try_recv() else {
                continue;
            };
            any = true;
            self.shared.followers.offer(&chunk.bytes);
            self.write(&chunk);
            chunk.clear();
            // There is a slot for each chunk; if the shard has ended, the chunk is freed here.
            drop(shard.empty.try_send(chunk));
        }
        any
    }

    /// Writes a chunk, however long that takes.
    fn write(&mut self, chunk: &Chunk) {
        if self.has_given_up() {
            add(&self.shared.lines_lost, chunk.lines);
            return;
        }
        let mut offset = 0;
        let mut lines_lost = 0;
        while let Some(rest) = chunk.bytes.get(offset..).filter(|rest| !rest.is_empty()) {
            match self.sink.write(rest) {
                Ok(0) => self.failed(&io::ErrorKind::WriteZero.into(), chunk, &mut offset),
                Ok(count) => {
                    offset += count;
                    self.recovered();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    add(&self.shared.errors, 1);
                    tracing::error!(sink = self.name, %error, "a log line cannot be delivered");
                    offset += rest
                        .iter()
                        .position(|&byte| byte == b'\n')
                        .map_or(rest.len(), |at| at + 1);
                    lines_lost += 1;
                }
                Err(error) => self.failed(&error, chunk, &mut offset),
            }
            if self.has_given_up() {
                let rest = chunk.bytes.get(offset..).unwrap_or_default();
                lines_lost += lines_count(rest);
                break;
            }
        }
        add(&self.shared.lines_lost, lines_lost);
        add(
            &self.shared.lines_written,
            chunk.lines.saturating_sub(lines_lost),
        );
        add(&self.shared.bytes_written, offset as u64);
        if let Err(error) = self.sink.chunk_written() {
            add(&self.shared.errors, 1);
            tracing::error!(sink = self.name, %error, "the access log cannot be rotated");
        }
    }

    /// Whether a sink that fails has had its time at the end of the process.
    fn has_given_up(&self) -> bool {
        self.failing_since.is_some() && self.give_up_at.is_some_and(|at| Instant::now() >= at)
    }

    /// Says so once, waits, and sets `offset` to where writing goes on.
    fn failed(&mut self, error: &io::Error, chunk: &Chunk, offset: &mut usize) {
        add(&self.shared.errors, 1);
        if self.failing_since.is_none() {
            self.failing_since = Some(Instant::now());
            tracing::error!(sink = self.name, %error, "the access log cannot be written; trying on");
        }
        let mut resume = self.sink.failed();
        self.pause();
        self.observe_stop();
        if self.reopen_if_asked() {
            resume = Resume::LineStart;
        }
        if resume == Resume::LineStart {
            *offset = line_start(&chunk.bytes, *offset);
        }
    }

    fn recovered(&mut self) {
        if let Some(since) = self.failing_since.take() {
            let seconds = since.elapsed().as_secs_f64();
            tracing::info!(sink = self.name, seconds, "the access log is written again");
        }
    }

    /// Waits a little; the shards wake the thread for every chunk, which does not end the pause,
    /// but an order from the handle does.
    fn pause(&self) {
        let retry_at = Instant::now() + LOG_RETRY_INTERVAL;
        let end = self
            .give_up_at
            .map_or(retry_at, |give_up_at| give_up_at.min(retry_at));
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let stop_is_new = self.give_up_at.is_none() && self.shared.stop.load(Ordering::Acquire);
            if left.is_zero() || stop_is_new || self.shared.reopen.load(Ordering::Acquire) {
                return;
            }
            std::thread::park_timeout(left);
        }
    }

    fn observe_stop(&mut self) -> bool {
        let stopping = self.shared.stop.load(Ordering::Acquire);
        if stopping && self.give_up_at.is_none() {
            self.give_up_at = Some(Instant::now() + LOG_FINISH_TRIED);
        }
        stopping
    }

    /// True if the sink is another one now.
    fn reopen_if_asked(&mut self) -> bool {
        if !self.shared.reopen.load(Ordering::Acquire) {
            return false;
        }
        self.shared.reopen.store(false, Ordering::Release);
        match self.sink.reopen() {
            Ok(()) => true,
            Err(error) => {
                add(&self.shared.errors, 1);
                tracing::error!(sink = self.name, %error, "the access log cannot be reopened");
                false
            }
        }
    }
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

fn lines_count(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}

/// Where the line that `offset` is in begins.
fn line_start(bytes: &[u8], offset: usize) -> usize {
    let before = bytes.get(..offset).unwrap_or_default();
    before
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |newline| newline + 1)
}

/// The sink as the configuration spells it.
fn name(sink: &AccessSink) -> String {
    let path = |scheme: &str, path: &PathBuf| format!("{scheme}{}", path.display());
    match sink {
        AccessSink::Off => "off".to_owned(),
        AccessSink::Stdout => "stdout".to_owned(),
        AccessSink::File(file) => path("", &file.path),
        AccessSink::UnixStream(at) => path("unix:", at),
        AccessSink::UnixDatagram(at) => path("unix-datagram:", at),
        AccessSink::SyslogUdp(at) => format!("syslog+udp://{}:{}", at.host, at.port),
        AccessSink::SyslogTcp(at) => format!("syslog+tcp://{}:{}", at.host, at.port),
    }
}
