//! The process from its start to its end: what is verified, in which order, and what then runs.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::affinity::allowed_cores;
use super::bundle_store::BundleStoreError;
use super::control_loop::{self, Inbox, Shards};
use super::reload::{ReloadError, Source};
use super::run_error::RunError;
use super::shard_thread::{ShardPlan, start, verify_for_shards};
use crate::access_log::{ShardLog, Writer};
use crate::admin::{self, AdminSocket, Instance, InstanceParts};
use crate::client::Verifiers;
use crate::clock::since_1970;
use crate::config::Overrides;
use crate::config::checked::Config;
use crate::io::driver::Driver;
use crate::listener::accept::BoundListener;
use crate::listener::bind;
use crate::messages::Messages;
use crate::observe::{Names, ShardMetrics};
use crate::shard::{Generation, UsageBoard};
use crate::unseen;

/// What the command line says.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The configuration file.
    pub config: PathBuf,
    /// Instead of `ruleset` in the file.
    pub ruleset: Option<PathBuf>,
}

impl RunOptions {
    /// What the command line names is the command's own; what a file names is part of that file.
    fn failed(&self, error: &ReloadError) -> RunError {
        let is_unreadable = match error {
            ReloadError::Config(errors) => errors.is_unreadable,
            ReloadError::Bundle(BundleStoreError::Read { .. }) => self.ruleset.is_some(),
            ReloadError::Bundle(_)
            | ReloadError::Credentials { .. }
            | ReloadError::Identity { .. } => false,
        };
        match is_unreadable {
            true => RunError::Unreadable(error.to_string()),
            false => RunError::Load(error.to_string()),
        }
    }

    fn source(&self) -> Source {
        Source::new(
            self.config.clone(),
            Overrides {
                ruleset: self.ruleset.clone(),
            },
        )
    }
}

/// Does all of start-up but listening: reads and verifies configuration, ruleset and every file that is
/// named, looks at the sink of the access log and at the addresses, and changes nothing.
///
/// Returns a line that says what would run.
///
/// # Errors
/// What `run` would refuse to start with.
pub fn check(options: &RunOptions) -> Result<String, RunError> {
    let mut source = options.source();
    let config = source.config().map_err(|error| options.failed(&error))?;
    let driver = Driver::choose(config.io.driver)?;
    let generation = source
        .generation(Arc::clone(&config), Arc::new([]))
        .map_err(|error| options.failed(&error))?;
    let note = verify(&generation)?;
    for listener in &config.listeners {
        bind::check(listener.address)?;
    }
    admin::check(&config.admin.listen)?;
    let mut said = format!(
        "configuration {} and bundle {} are usable: {} listeners, {} shards on {}",
        config.id,
        generation.bundle.id(),
        config.listeners.len(),
        config.shards,
        driver.name()
    );
    if let Some(note) = note {
        said.push_str("\nnote: ");
        said.push_str(&note);
    }
    for warning in unseen::warnings(&config, &generation.bundle) {
        said.push_str("\nwarning: ");
        said.push_str(&warning);
    }
    Ok(said)
}

/// What only shards and the writer of the log would find, in time. Returns what an operator should know
/// though nothing fails for it.
fn verify(generation: &Generation) -> Result<Option<String>, RunError> {
    verify_for_shards(generation).map_err(RunError::Load)?;
    Ok(Writer::check(&generation.config.log)?)
}

/// Runs the proxy until it is told to end and has drained.
///
/// # Errors
/// When it cannot start, or a shard is lost.
pub fn run(options: &RunOptions) -> Result<(), RunError> {
    // Before any thread starts and any port opens: a signal that comes early waits for the control
    // loop, in place of ending the process.
    let inbox = Inbox::open()?;
    let mut source = options.source();
    let config = source.config().map_err(|error| options.failed(&error))?;
    let _messages = Messages::start(&config.log).map_err(|source| RunError::System {
        what: "starting the thread of messages",
        source,
    })?;
    let driver = Driver::choose(config.io.driver)?;
    raise_descriptor_limit(&config);
    // What is wrong is found before clients can connect.
    let mut generation = source
        .generation(Arc::clone(&config), Arc::new([]))
        .map_err(|error| options.failed(&error))?;
    if let Some(note) = verify(&generation)? {
        tracing::warn!("{note}");
    }
    unseen::warn(&config, &generation.bundle);
    let (listeners, sockets) = bind_all(&config)?;
    let admin = admin::bind(&config.admin.listen)?;
    // No request may lead to one of them.
    let of_admin = admin.as_ref().and_then(AdminSocket::address);
    generation.listeners = listeners.iter().copied().chain(of_admin).collect();
    generation.count_rules(config.shards, since_1970());
    let (writer, logs) = Writer::start(&config.log, config.shards)?;
    let names = Names::of_listeners(&listeners);
    let metrics = ShardMetrics::of_shards(config.shards, &names);
    let starting = Starting {
        driver,
        generation: &generation,
        inbox: &inbox,
        metrics: &metrics,
    };
    let (shards, accepting) = starting.shards(logs, sockets)?;
    let instance = Instance::new(InstanceParts {
        shards: metrics,
        names,
        driver: driver.name(),
        log: writer.source(),
        current: generation.clone(),
        orders: inbox.desk(&shards),
    });
    answer_operators(admin, &instance)?;
    inbox.watch_signals();
    // Ends when each shard accepts connections or has ended.
    if accepting.iter().count() == config.shards {
        let (driver, shards) = (driver.name(), config.shards);
        let (bundle, config) = (generation.bundle.id(), &*config.id);
        for address in &*listeners {
            tracing::info!(%address, driver, shards, bundle, config, "listening");
        }
        instance.accepts();
    }
    let outcome = control_loop::run(
        &inbox,
        &mut source,
        generation,
        &shards,
        (&writer, &instance),
    );
    shards.join();
    writer.finish(|| inbox.is_asked_to_end())?;
    tracing::info!("ended");
    outcome
}

/// Has the admin listener answer, if there is one.
fn answer_operators(socket: Option<AdminSocket>, instance: &Arc<Instance>) -> Result<(), RunError> {
    let Some(socket) = socket else {
        return Ok(());
    };
    let place = socket.place();
    admin::start(socket, Arc::clone(instance)).map_err(|source| RunError::System {
        what: "starting the thread of the admin listener",
        source,
    })?;
    tracing::info!(admin = place, "operators are answered");
    Ok(())
}

/// What all shards begin with.
struct Starting<'a> {
    driver: Driver,
    generation: &'a Generation,
    inbox: &'a Inbox,
    metrics: &'a [Arc<ShardMetrics>],
}

impl Starting<'_> {
    /// Starts the shards. What is returned with them gets a word from each that accepts connections.
    fn shards(
        &self,
        logs: Vec<ShardLog>,
        sockets: Vec<Vec<BoundListener>>,
    ) -> Result<(Shards, Receiver<()>), RunError> {
        let cores = allowed_cores();
        let mut shards = Shards::default();
        let (accepting, accepted) = mpsc::channel();
        let rows = UsageBoard::rows(sockets.len());
        let verifiers = Arc::new(Verifiers::default());
        let metrics = self.metrics.iter().cloned();
        let parts = logs.into_iter().zip(sockets).zip(rows).zip(metrics);
        for (index, (((log, sockets), row), metrics)) in parts.enumerate() {
            let (mailbox, messages) = mpsc::channel();
            let plan = ShardPlan {
                index,
                core: cores.get(index % cores.len().max(1)).copied(),
                driver: self.driver,
                listeners: sockets,
                generation: self.generation.clone(),
                log,
                metrics,
                row,
                verifiers: Arc::clone(&verifiers),
                messages,
                accepting: accepting.clone(),
            };
            let thread =
                start(plan, self.inbox.when_ended(index)).map_err(|source| RunError::System {
                    what: "starting a shard",
                    source,
                })?;
            shards.add(mailbox, thread);
        }
        Ok((shards, accepted))
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
