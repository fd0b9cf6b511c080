//! The control thread while the shards serve: signals, reloads, the drain.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::reload::{ReloadError, Source, warn_of_restart};
use super::run_error::RunError;
use super::shard_loop::Message;
use crate::access_log::Writer;
use crate::admin::{Instance, Orders, ShardUsage};
use crate::clock::since_1970;
use crate::config::checked::Config;
use crate::destination::{AddressChanges, own_networks};
use crate::limits::SHARD_END_TIMEOUT;
use crate::observe::ReloadResult;
use crate::shard::Generation;
use crate::unseen;

/// What wakes the control loop.
#[derive(Debug)]
enum Event {
    Signal(Signal),
    Reload(oneshot::Sender<Result<(), String>>),
    Drain(oneshot::Sender<Duration>),
    ShardEnded(usize),
}

/// How often the control loop looks at the ruleset file.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// Where events arrive, those of before the loop too.
#[derive(Debug)]
pub(crate) struct Inbox {
    signals: SigSet,
    sender: Sender<Event>,
    events: Receiver<Event>,
}

impl Inbox {
    /// Has the signals that are handled wait from now on. To be called before any other thread starts, as
    /// each thread takes over what the one has blocked that starts it.
    pub(crate) fn open() -> Result<Self, RunError> {
        let handled = [
            Signal::SIGTERM,
            Signal::SIGINT,
            Signal::SIGHUP,
            Signal::SIGUSR1,
        ];
        let signals: SigSet = handled.into_iter().collect();
        signals.thread_block().map_err(|errno| RunError::System {
            what: "blocking signals",
            source: errno.into(),
        })?;
        let (sender, events) = mpsc::channel();
        Ok(Self {
            signals,
            sender,
            events,
        })
    }

    /// Turns signals into events, those first that have waited.
    pub(crate) fn watch_signals(&self) {
        let (signals, sender) = (self.signals, self.sender.clone());
        // Ends with the process: there is no way to interrupt a wait for signals, nor a need.
        thread::spawn(move || {
            while let Ok(signal) = signals.wait() {
                if sender.send(Event::Signal(signal)).is_err() {
                    break;
                }
            }
        });
    }

    /// Whether another signal to end has come since the last look.
    pub(crate) fn is_asked_to_end(&self) -> bool {
        let is_end = |event| {
            matches!(
                event,
                Event::Signal(Signal::SIGTERM | Signal::SIGINT) | Event::Drain(_)
            )
        };
        self.events.try_iter().any(is_end)
    }

    /// Where orders to this process and its shards are left.
    pub(crate) fn desk(&self, shards: &Shards) -> Box<dyn Orders> {
        Box::new(Desk {
            events: self.sender.clone(),
            mailboxes: shards.mailboxes.clone(),
        })
    }

    /// To be called at the end of a shard.
    pub(crate) fn when_ended(&self, shard: usize) -> impl FnOnce() + Send + 'static {
        let sender = self.sender.clone();
        move || drop(sender.send(Event::ShardEnded(shard)))
    }
}

/// Where others leave what they want to have done.
#[derive(Debug)]
struct Desk {
    events: Sender<Event>,
    mailboxes: Vec<Sender<Message>>,
}

// A process that ends takes no orders: what is let go of tells who waits.
impl Orders for Desk {
    fn reload(&self, done: oneshot::Sender<Result<(), String>>) {
        let _ = self.events.send(Event::Reload(done));
    }

    fn drain(&self, done: oneshot::Sender<Duration>) {
        let _ = self.events.send(Event::Drain(done));
    }

    fn usage(&self, to: UnboundedSender<ShardUsage>) {
        for mailbox in &self.mailboxes {
            let _ = mailbox.send(Message::Usage(to.clone()));
        }
    }
}

/// The shards as the control thread knows them.
#[derive(Debug, Default)]
pub(crate) struct Shards {
    mailboxes: Vec<Sender<Message>>,
    threads: Vec<JoinHandle<io::Result<()>>>,
}

impl Shards {
    pub(crate) fn add(&mut self, mailbox: Sender<Message>, thread: JoinHandle<io::Result<()>>) {
        self.mailboxes.push(mailbox);
        self.threads.push(thread);
    }

    fn tell(&self, message: impl Fn() -> Message) {
        for mailbox in &self.mailboxes {
            // A shard that has ended needs no message.
            let _ = mailbox.send(message());
        }
    }

    /// Says how each shard has ended. One that is stuck is left to the end of the process.
    pub(crate) fn join(self) {
        for (index, thread) in self.threads.into_iter().enumerate() {
            let end = Instant::now() + THREAD_END_PATIENCE;
            // A shard says that it has ended shortly before its thread does.
            while !thread.is_finished() && Instant::now() < end {
                thread::sleep(Duration::from_millis(1));
            }
            if !thread.is_finished() {
                tracing::error!(shard = index, "the shard did not end: abandoned");
                continue;
            }
            match thread.join() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(shard = index, %error, "the shard failed"),
                Err(_) => tracing::error!(shard = index, "the shard panicked"),
            }
        }
    }
}

const THREAD_END_PATIENCE: Duration = Duration::from_millis(500);

/// Handles events until all shards have ended, or should have.
pub(crate) fn run(
    inbox: &Inbox,
    source: &mut Source,
    current: Generation,
    shards: &Shards,
    (writer, instance): (&Writer, &Instance),
) -> Result<(), RunError> {
    let mut control = Control {
        source,
        instance,
        current,
        addresses: AddressChanges::listen(),
        shards,
        running: shards.threads.len(),
        end_by: None,
        outcome: Ok(()),
    };
    while control.running > 0 {
        match inbox.events.recv_timeout(WATCH_INTERVAL) {
            // Who waits for an answer may be gone.
            Ok(Event::Reload(done)) => drop(done.send(control.reload())),
            Ok(Event::Drain(done)) => drop(done.send(control.end("an operator"))),
            Ok(Event::Signal(Signal::SIGHUP)) => drop(control.reload()),
            Ok(Event::Signal(Signal::SIGUSR1)) => writer.reopen(),
            Ok(Event::Signal(signal)) => drop(control.end(signal.as_str())),
            Ok(Event::ShardEnded(index)) => control.shard_ended(index),
            Err(RecvTimeoutError::Timeout) => control.look_around(),
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if control.end_by.is_some_and(|end| Instant::now() >= end) {
            return Err(RunError::ShardsStuck(control.running));
        }
    }
    control.outcome
}

/// What the loop knows.
struct Control<'a> {
    source: &'a mut Source,
    /// Who wants to know, told what is done.
    instance: &'a Instance,
    current: Generation,
    addresses: AddressChanges,
    shards: &'a Shards,
    /// Shards that have not ended.
    running: usize,
    /// Set while draining: when even the last shard should have ended.
    end_by: Option<Instant>,
    outcome: Result<(), RunError>,
}

impl Control<'_> {
    /// The second request to end is the impatient one.
    fn end(&mut self, who: &str) -> Duration {
        let timeout = match self.end_by {
            Some(_) => Duration::ZERO,
            None => self.current.config.drain.timeout,
        };
        tracing::info!(signal = who, ?timeout, "draining");
        self.drain(timeout);
        timeout
    }

    fn drain(&mut self, timeout: Duration) {
        self.instance.drains();
        self.end_by = Some(Instant::now() + timeout + SHARD_END_TIMEOUT);
        self.shards.tell(|| Message::Drain(timeout));
    }

    fn shard_ended(&mut self, index: usize) {
        self.running -= 1;
        if self.end_by.is_none() {
            self.outcome = Err(RunError::ShardLost(index));
            self.drain(self.current.config.drain.timeout);
        }
    }

    fn look_around(&mut self) {
        if self.end_by.is_some() {
            return;
        }
        if self.source.has_changed(&self.current.config.ruleset) {
            tracing::info!(file = %self.current.config.ruleset.display(), "the ruleset file was replaced");
            let _ = self.adopt(Arc::clone(&self.current.config));
        }
        if self.addresses.any() {
            self.see_addresses();
        }
        if let Some(identities) = self.source.renew_identities() {
            tracing::info!("a file of users, tokens or keys was replaced");
            self.current.identities = identities;
            self.hand_over();
        }
        if let Some(credentials) = self.source.renew_keys() {
            tracing::info!("keys for minting and session tickets renewed");
            self.current.credentials = credentials;
            self.hand_over();
        }
    }

    fn see_addresses(&mut self) {
        let own_networks: Arc<[_]> = own_networks().into();
        if own_networks != self.current.own_networks {
            tracing::info!("the addresses of this machine have changed");
            self.current.own_networks = own_networks;
            self.hand_over();
        }
    }

    /// The error is told already.
    fn reload(&mut self) -> Result<(), String> {
        match self.source.config() {
            Ok(config) => {
                warn_of_restart(&self.current.config, &config);
                self.adopt(config)
            }
            Err(error) => Err(self.refuse(&error)),
        }
    }

    fn refuse(&self, error: &ReloadError) -> String {
        self.instance.count_reload(ReloadResult::Refused);
        let error = error.to_string();
        tracing::error!("reload refused, nothing is changed: {error}");
        error
    }

    fn adopt(&mut self, config: Arc<Config>) -> Result<(), String> {
        let listeners = Arc::clone(&self.current.listeners);
        match self.source.generation(config, listeners) {
            Ok(mut generation) => {
                match generation.bundle.id() == self.current.bundle.id() {
                    true => generation.rule_hits = Arc::clone(&self.current.rule_hits),
                    false => generation.count_rules(self.shards.threads.len(), since_1970()),
                }
                tracing::info!(
                    bundle = generation.bundle.id(),
                    config = generation.config.id,
                    "reloaded: each connection's next request uses it"
                );
                unseen::warn(&generation.config, &generation.bundle);
                self.instance.count_reload(ReloadResult::Adopted);
                self.current = generation;
                self.hand_over();
                Ok(())
            }
            Err(error) => Err(self.refuse(&error)),
        }
    }

    fn hand_over(&self) {
        self.instance.adopt(&self.current);
        self.shards
            .tell(|| Message::Adopt(Box::new(self.current.clone())));
    }
}
