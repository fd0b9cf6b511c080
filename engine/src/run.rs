//! The process: start-up, the control loop (signals, reloads, drain), the end.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use thiserror::Error;

use crate::access_log::{LogError, Writer};
use crate::config::Overrides;
use crate::config::checked::{Config, LogFormat};
use crate::listener::accept::BoundListener;
use crate::listener::bind::{self, BindError};
use crate::reload::{ReloadError, Source, warn_of_restart};
use crate::shard::control::Message;
use crate::shard::{Driver, Generation, ShardPlan, allowed_cores, probe_io_uring, start};

/// Why the proxy did not start, or ended otherwise than asked.
#[derive(Debug, Error)]
pub enum RunError {
    /// The configuration or the ruleset cannot be used.
    #[error("{0}")]
    Load(String),
    /// A listener could not be set up.
    #[error("{0}")]
    Bind(String),
    /// The access log could not be opened.
    #[error("access log: {0}")]
    Log(#[from] LogError),
    /// The operating system refused something else.
    #[error("{what}: {source}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// What it answered.
        source: io::Error,
    },
    /// A shard ended by itself.
    #[error("shard {0} ended unexpectedly; see the messages before this one")]
    ShardLost(usize),
}

impl From<ReloadError> for RunError {
    fn from(error: ReloadError) -> Self {
        Self::Load(error.to_string())
    }
}

impl From<BindError> for RunError {
    fn from(error: BindError) -> Self {
        Self::Bind(error.to_string())
    }
}

/// What the command line says.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The configuration file.
    pub config: PathBuf,
    /// Instead of `ruleset` in the file.
    pub ruleset: Option<PathBuf>,
}

impl RunOptions {
    fn source(&self) -> Source {
        Source::new(
            self.config.clone(),
            Overrides {
                ruleset: self.ruleset.clone(),
            },
        )
    }
}

/// What wakes the control loop.
enum Event {
    Signal(Signal),
    ShardEnded(usize),
}

/// How often the control loop looks at the ruleset file.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// Does all of start-up but listening: reads and verifies configuration and ruleset.
///
/// Returns one line that says what would run.
///
/// # Errors
/// What `run` would refuse to start with.
pub fn check(options: &RunOptions) -> Result<String, RunError> {
    let mut source = options.source();
    let config = source.config()?;
    let generation = source.generation(Arc::clone(&config), Arc::new([]))?;
    Ok(format!(
        "configuration {} and bundle {} are usable: {} listeners, {} shards",
        config.id,
        generation.bundle.id(),
        config.listeners.len(),
        config.shards
    ))
}

/// Runs the proxy until it is told to end and has drained.
///
/// # Errors
/// When it cannot start, or a shard is lost.
pub fn run(options: &RunOptions) -> Result<(), RunError> {
    let mut source = options.source();
    let config = source.config()?;
    init_messages(&config);
    let driver = choose_driver();
    raise_descriptor_limit(&config);
    let (listeners, sockets) = bind_all(&config)?;
    let generation = source.generation(Arc::clone(&config), Arc::clone(&listeners))?;
    // Blocked before any thread starts, so that only the signal thread ever sees them.
    let signals = handled_signals();
    signals
        .thread_block()
        .map_err(|errno| system("blocking signals", errno))?;
    let (writer, logs) = Writer::start(&config.log, config.shards)?;
    let (events, inbox) = mpsc::channel();
    let cores = allowed_cores();
    let mut shards = Shards::default();
    for (index, (log, sockets)) in logs.into_iter().zip(sockets).enumerate() {
        let (mailbox, messages) = mpsc::channel();
        let plan = ShardPlan {
            index,
            core: cores.get(index % cores.len().max(1)).copied(),
            driver,
            listeners: sockets,
            generation: generation.clone(),
            log,
            messages,
        };
        let ended = events.clone();
        let thread =
            start(plan, move || drop(ended.send(Event::ShardEnded(index)))).map_err(|source| {
                RunError::System {
                    what: "starting a shard",
                    source,
                }
            })?;
        shards.add(mailbox, thread);
    }
    watch_signals(signals, events);
    for address in &*listeners {
        tracing::info!(%address, bundle = generation.bundle.id(), config = config.id, "listening");
    }
    let outcome = control(&inbox, &mut source, generation, &shards, &writer);
    shards.join();
    writer.finish()?;
    outcome
}

/// Handles events until all shards have ended.
fn control(
    inbox: &Receiver<Event>,
    source: &mut Source,
    mut current: Generation,
    shards: &Shards,
    writer: &Writer,
) -> Result<(), RunError> {
    let mut running = shards.threads.len();
    let mut draining = false;
    let mut outcome = Ok(());
    while running > 0 {
        match inbox.recv_timeout(WATCH_INTERVAL) {
            Ok(Event::Signal(Signal::SIGHUP)) => reload(source, &mut current, shards),
            Ok(Event::Signal(Signal::SIGUSR1)) => writer.reopen(),
            Ok(Event::Signal(signal)) => {
                // The second request to end is the impatient one.
                let timeout = if draining {
                    Duration::ZERO
                } else {
                    current.config.drain.timeout
                };
                tracing::info!(%signal, ?timeout, "draining");
                draining = true;
                shards.tell(|| Message::Drain(timeout));
            }
            Ok(Event::ShardEnded(index)) => {
                running -= 1;
                if !draining {
                    outcome = Err(RunError::ShardLost(index));
                    draining = true;
                    shards.tell(|| Message::Drain(current.config.drain.timeout));
                }
            }
            Err(RecvTimeoutError::Timeout) if !draining => {
                if source.has_changed(&current.config.ruleset) {
                    tracing::info!(file = %current.config.ruleset.display(), "the ruleset file was replaced");
                    let config = Arc::clone(&current.config);
                    adopt(source, config, &mut current, shards);
                }
                if let Some(material) = source.renew_keys() {
                    tracing::info!("keys for minting and session tickets renewed");
                    current.material = material;
                    shards.tell(|| Message::Adopt(Box::new(current.clone())));
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    tracing::info!("ended");
    outcome
}

fn reload(source: &mut Source, current: &mut Generation, shards: &Shards) {
    match source.config() {
        Ok(config) => {
            warn_of_restart(&current.config, &config);
            adopt(source, config, current, shards);
        }
        Err(error) => tracing::error!("reload refused, nothing is changed: {error}"),
    }
}

fn adopt(source: &mut Source, config: Arc<Config>, current: &mut Generation, shards: &Shards) {
    match source.generation(config, Arc::clone(&current.listeners)) {
        Ok(generation) => {
            tracing::info!(
                bundle = generation.bundle.id(),
                config = generation.config.id,
                "reloaded: each connection's next request uses it"
            );
            *current = generation;
            shards.tell(|| Message::Adopt(Box::new(current.clone())));
        }
        Err(error) => tracing::error!("reload refused, nothing is changed: {error}"),
    }
}

/// The shards as the control thread knows them.
#[derive(Default)]
struct Shards {
    mailboxes: Vec<Sender<Message>>,
    threads: Vec<JoinHandle<io::Result<()>>>,
}

impl Shards {
    fn add(&mut self, mailbox: Sender<Message>, thread: JoinHandle<io::Result<()>>) {
        self.mailboxes.push(mailbox);
        self.threads.push(thread);
    }

    fn tell(&self, message: impl Fn() -> Message) {
        for mailbox in &self.mailboxes {
            // A shard that has ended needs no message.
            let _ = mailbox.send(message());
        }
    }

    fn join(self) {
        for (index, thread) in self.threads.into_iter().enumerate() {
            match thread.join() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(shard = index, %error, "the shard failed"),
                Err(_) => tracing::error!(shard = index, "the shard panicked"),
            }
        }
    }
}

/// Where the process listens, and the sockets of each shard.
type Bound = (Arc<[SocketAddr]>, Vec<Vec<BoundListener>>);

fn bind_all(config: &Config) -> Result<Bound, RunError> {
    let mut addresses = Vec::new();
    let mut per_shard: Vec<Vec<BoundListener>> = (0..config.shards).map(|_| Vec::new()).collect();
    for listener in &config.listeners {
        let (address, sockets) = bind::bind(listener.address, config.shards)?;
        addresses.push(address);
        for (shard, socket) in per_shard.iter_mut().zip(sockets) {
            shard.push(BoundListener {
                address,
                configured: listener.address,
                socket,
            });
        }
    }
    Ok((addresses.into(), per_shard))
}

fn choose_driver() -> Driver {
    match probe_io_uring() {
        Ok(()) => Driver::IoUring,
        Err(error) => {
            tracing::warn!(
                %error,
                "io_uring cannot be used, falling back to epoll, which costs more CPU; it needs Linux 6.1 \
                 or newer, kernel.io_uring_disabled = 0, and a seccomp profile that allows io_uring_setup"
            );
            Driver::Epoll
        }
    }
}

/// Each client connection needs a descriptor and mostly one upstream.
fn raise_descriptor_limit(config: &Config) {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return;
    };
    if soft < hard {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
    let wanted = config.limits.connections as u64 * 2 + 256;
    if hard < wanted {
        tracing::warn!(
            limit = hard,
            wanted,
            "the descriptor limit (ulimit -n) is below what limits.connections may need"
        );
    }
}

fn handled_signals() -> SigSet {
    [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGUSR1,
    ]
    .into_iter()
    .collect()
}

fn watch_signals(signals: SigSet, events: Sender<Event>) {
    // Ends with the process: there is no way to interrupt a wait for signals, nor a need.
    thread::spawn(move || {
        while let Ok(signal) = signals.wait() {
            if events.send(Event::Signal(signal)).is_err() {
                break;
            }
        }
    });
}

fn init_messages(config: &Config) {
    let builder = tracing_subscriber::fmt()
        .with_max_level(config.log.level.as_tracing())
        .with_target(false)
        .with_writer(io::stderr);
    // A second initialization (a demo that runs a proxy in a thread) keeps the first.
    let _ = match config.log.format {
        LogFormat::Text => builder
            .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
            .try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}

fn system(what: &'static str, errno: nix::errno::Errno) -> RunError {
    RunError::System {
        what,
        source: errno.into(),
    }
}
