//! What a seed is played on: one shard, its surroundings, and who tells it what to do.

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use sallyport_ruleset::bundle::{BuildRecord, write};
use sallyport_ruleset::{
    Action, Bundle, Condition, Defaults, Field, Rule, RuleGroup, Ruleset, Test,
};

use crate::access_log::{KeptLines, ShardLog};
use crate::client::{Authenticator, Verifiers};
use crate::clock;
use crate::config::checked::Config;
use crate::config::{Environment, Overrides};
use crate::fair_share::FairShare;
use crate::io::buffers::BufferPool;
use crate::io::line::Line;
use crate::io::scripted::{Answer, End, World};
use crate::listener::accept::{Entrance, Listeners, admit};
use crate::observe::{ListenerIndex, Names, ShardMetrics};
use crate::process::shard_loop::{self, Message};
use crate::shard::clients::Clients;
use crate::shard::{Generation, Shard, ShardParts, Snapshot};
use crate::tls::caches::TlsCaches;
use crate::tls::credentials::TlsCredentials;
use crate::transaction::Proxy;
use crate::upstream::origins::Origins;

use super::client::Client;
use super::ledger::Ledger;
use super::origin::{self, DENIED_TYPE};

/// More is never needed, by far.
const STEPS_MAX: usize = 200_000;

const CONFIGURATION: &str = r#"
ruleset = "rules.spb"
shards = 1
[[listener]]
address = "127.0.0.1:3128"
[hosts]
"a.test" = ["8.0.0.1"]
"two.test" = ["8.0.0.9", "8.0.0.1"]
"silent.test" = ["8.0.0.9"]
"refusing.test" = ["8.0.0.8"]
"denied.test" = ["8.0.0.7"]
"inside.test" = ["10.0.0.1"]
[dns]
servers = ["8.0.0.53"]
[guard]
ports = "any"
[timeouts]
head = "2s"
keep_alive = "3s"
connect_attempt = "1s"
connect = "2s"
response = "4s"
body_idle = "4s"
upload_idle = "2s"
linger = "1s"
[tunnel]
unknown_protocol = "allow"
idle_timeout = "5s"
sniff_timeout = "2s"
[limits]
connections = 6
connections_per_client = 5
tunnels_per_client = 2
[pool]
idle_timeout = "2s"
[http]
retry_body_bytes = "1KiB"
"#;

/// What is the same for all seeds.
pub(super) struct Setting {
    generation: Generation,
    /// The same with other rules.
    other: Generation,
}

/// What came of a seed.
#[derive(Debug, Default)]
pub(super) struct Played {
    pub(super) trace: u64,
    /// Requests, those that origins had, and those that clients had an answer to.
    requests: [usize; 3],
    connections: usize,
}

impl Played {
    pub(super) fn add(&mut self, other: &Self) {
        self.trace ^= other.trace;
        for (sum, count) in self.requests.iter_mut().zip(other.requests) {
            *sum += count;
        }
        self.connections += other.connections;
    }

    /// What is to happen in many runs did.
    pub(super) fn assert_varied(&self) {
        let [sent, arrived, answered] = self.requests;
        let is_varied = self.connections > 0 && arrived * 5 > sent && answered * 2 > sent;
        assert!(
            is_varied && answered < sent && arrived < answered,
            "{self:?}"
        );
    }
}

fn rule(name: &str, action: Action, field: Field, test: Test) -> Rule {
    let condition = Condition {
        field,
        negated: false,
        test,
    };
    Rule {
        name: name.to_owned(),
        description: String::new(),
        action,
        conditions: vec![condition],
    }
}

/// Rules that deny what the players hold to be denied, and paths under `also`.
fn bundle(also: &str) -> Arc<Bundle> {
    let list = |values: &[&str]| {
        let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        values.iter().collect()
    };
    let denied = Test::Exact {
        values: list(&["denied.test"]),
        ignore_case: false,
    };
    let paths = Test::Glob(list(&["/denied/*", also]));
    let types = Test::Exact {
        values: list(&[DENIED_TYPE]),
        ignore_case: false,
    };
    let rules = [
        vec![rule("host", Action::Deny, Field::DestinationDomain, denied)],
        vec![rule("path", Action::Deny, Field::HttpUri, paths)],
        vec![rule(
            "type",
            Action::Deny,
            Field::ResponseContentType,
            types,
        )],
    ];
    let ruleset = Ruleset {
        defaults: Defaults::all(Action::Allow),
        groups: vec![RuleGroup {
            name: "world".to_owned(),
            priority: 1,
            rules,
        }],
    };
    let bytes = write(&ruleset, &BuildRecord::default()).expect("a bundle");
    Arc::new(Bundle::load(bytes).expect("a bundle"))
}

impl Setting {
    pub(super) fn new() -> Self {
        let environment = Environment {
            file: Path::new("/world.toml"),
            overrides: &Overrides::default(),
            cores: 1,
            read: &|_| Err(std::io::ErrorKind::NotFound.into()),
        };
        let config = Config::parse(CONFIGURATION, &environment).expect("a configuration");
        let credentials = TlsCredentials::load(&config, None, clock::unix_time());
        let generation = Generation {
            config: Arc::new(config),
            bundle: bundle("/never/*"),
            listeners: Arc::new([]),
            own_networks: Arc::new([]),
            credentials: Arc::new(credentials.expect("credentials")),
            identities: None,
            fallbacks: Arc::default(),
            rule_hits: Arc::default(),
        };
        let other = Generation {
            bundle: bundle("/allowed/*7"),
            ..generation.clone()
        };
        Self { generation, other }
    }

    fn proxy(&self, log: ShardLog) -> Rc<Proxy> {
        let generation = self.generation.clone();
        let config = Arc::clone(&generation.config);
        let tls = TlsCaches::new();
        let snapshot = Snapshot::new(generation, 0, None, &tls).expect("a snapshot");
        let buffers = Rc::new(BufferPool::new(config.limits.buffer_bytes));
        buffers.set_client_share(FairShare::new(config.limits.per_client.share));
        let shard = Shard::new(ShardParts {
            index: 0,
            clients: Clients::new(&buffers, None),
            buffers,
            log,
            metrics: Arc::new(ShardMetrics::new(&Names::default())),
            snapshot,
            tls,
        });
        Rc::new(Proxy::new(
            shard.expect("a shard"),
            Origins::new(&config).expect("origins"),
            Authenticator::new(Arc::new(Verifiers::default())).expect("an authenticator"),
        ))
    }
}

/// Tells what has happened if a promise is broken, whoever finds that out.
struct Witness {
    seed: u64,
    world: Rc<World>,
    lines: Rc<KeptLines>,
    ledger: Rc<Ledger>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        if thread::panicking() {
            let (lines, ledger, time) = (self.lines.text(), &self.ledger, clock::since_1970());
            println!("{:#?}", self.world.ends());
            println!(
                "{lines}{ledger:#?}\nat {time:?}, SALLYPORT_WORLD_SEED={}",
                self.seed
            );
        }
    }
}

/// Plays a seed, and looks whether all promises were kept.
pub(super) fn play(setting: &Setting, seed: u64) -> Played {
    let begun = World::begin(seed);
    let world = &begun.0;
    let (log, lines) = ShardLog::kept();
    let lines = Rc::new(lines);
    let proxy = setting.proxy(log);
    let ledger = Rc::new(Ledger::default());
    let _witness = Witness {
        seed,
        world: Rc::clone(world),
        lines: Rc::clone(&lines),
        ledger: Rc::clone(&ledger),
    };
    place_origins(world, &ledger);
    let (mailbox, messages) = mpsc::channel();
    let director = Director {
        world: Rc::clone(world),
        proxy: Rc::clone(&proxy),
        ledger: Rc::clone(&ledger),
        left: Rc::default(),
        connections: Rc::default(),
        mailbox,
    };
    let connections = Rc::clone(&director.connections);
    start_shard(world, &proxy, messages);
    start_writer(world, &lines);
    world.start(director.direct(setting.generation.clone(), setting.other.clone()));
    assert_eq!(world.run(STEPS_MAX), Ok(()));
    assert!(world.panics().is_empty(), "{:?}", world.panics());
    check_returned(&proxy);
    // Hands over what it holds.
    drop(proxy);
    ledger.check_log(&lines.text());
    Played {
        trace: world.trace(),
        requests: ledger.counts(),
        connections: connections.get(),
    }
}

fn start_shard(world: &Rc<World>, proxy: &Rc<Proxy>, messages: Receiver<Message>) {
    let (shared, proxy) = (Rc::clone(world), Rc::clone(proxy));
    world.start(async move {
        shard_loop::run(proxy, Listeners::none(), messages).await;
        // The thread of a shard ends here, and no task goes on.
        shared.end();
    });
}

fn start_writer(world: &Rc<World>, lines: &Rc<KeptLines>) {
    let (shared, lines) = (Rc::clone(world), Rc::clone(lines));
    world.start(async move {
        loop {
            lines.take();
            shared.sleep(Duration::from_millis(50)).await;
        }
    });
}

/// Where origins are, and where nothing may go.
fn place_origins(world: &World, ledger: &Rc<Ledger>) {
    let address = |text: &str| -> IpAddr { text.parse().expect("an address") };
    let ledger = Rc::clone(ledger);
    let accept = move |world: &World, end: End| {
        let ledger = Rc::clone(&ledger);
        world.start(async move {
            let world = World::current().expect("a world");
            origin::serve(world, ledger, end).await;
        });
    };
    world.listen(address("8.0.0.1"), Answer::Accept(Rc::new(accept)));
    world.listen(address("8.0.0.9"), Answer::Silence);
    for forbidden in ["8.0.0.7", "10.0.0.1"] {
        let forbid = move |_: &World, _: End| panic!("{forbidden} was connected to");
        world.listen(address(forbidden), Answer::Accept(Rc::new(forbid)));
    }
    world.listen(address("8.0.0.8"), Answer::Refuse);
}

/// Everything that was taken is back.
fn check_returned(proxy: &Rc<Proxy>) {
    let shard = &proxy.shard;
    assert_eq!(shard.connections.count(), 0, "connections");
    assert_eq!(shard.buffers.leased_bytes(), 0, "buffers");
    assert_eq!(Rc::strong_count(proxy), 1, "tasks hold the proxy");
}

/// The one who has clients come, and tells the shard what the control thread would.
struct Director {
    world: Rc<World>,
    proxy: Rc<Proxy>,
    ledger: Rc<Ledger>,
    /// Clients that are not done.
    left: Rc<Cell<usize>>,
    connections: Rc<Cell<usize>>,
    mailbox: Sender<Message>,
}

impl Director {
    async fn direct(self, first: Generation, other: Generation) {
        let world = Rc::clone(&self.world);
        let address = SocketAddr::from(([127, 0, 0, 1], 3128));
        let entrance = Rc::new(Entrance::new(
            &self.proxy.shard,
            ListenerIndex(0),
            address,
            address,
        ));
        let mut generations = [other, first].into_iter();
        for number in 0..1 + world.below(8) {
            self.connect(number, &entrance);
            if world.one_in(3) {
                world
                    .sleep(Duration::from_millis(world.below(900) as u64))
                    .await;
            }
            if world.one_in(6)
                && let Some(generation) = generations.next()
            {
                let _ = self.mailbox.send(Message::Adopt(Box::new(generation)));
            }
        }
        let drains_early = world.one_in(4);
        while self.left.get() > 0 && !drains_early {
            world.sleep(Duration::from_millis(70)).await;
        }
        let patience = Duration::from_millis(world.below(3_000) as u64);
        let _ = self.mailbox.send(Message::Drain(patience));
    }

    fn connect(&self, number: usize, entrance: &Rc<Entrance>) {
        let (end, theirs) = self.world.connection();
        let client = Client {
            world: Rc::clone(&self.world),
            ledger: Rc::clone(&self.ledger),
            end,
        };
        let left = Rc::clone(&self.left);
        left.set(left.get() + 1);
        self.connections.set(self.connections.get() + 1);
        self.world.start(async move {
            client.run().await;
            left.set(left.get() - 1);
        });
        let octet = u8::try_from(number % 2).expect("a small number");
        let peer = SocketAddr::from(([10, 9, 0, octet], 40_000));
        let line = Line::Scripted(Rc::clone(&self.world), theirs);
        admit(&self.proxy, line, peer, entrance);
    }
}
