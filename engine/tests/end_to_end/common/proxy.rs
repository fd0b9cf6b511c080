//! The proxy under test: a folder, a configuration, compiled rules, a process.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::access_log::AccessLog;
use super::connection::Connection;
use super::process::Process;
use super::programs::sallyport;
use super::rules::{ALLOW_ALL, Rules};

/// A configuration to be: keys in dotted form and their TOML values.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) folder: TempDir,
    keys: BTreeMap<String, String>,
    listener: String,
    more: String,
}

impl Setup {
    /// One shard, loopback allowed, any port, quick to end. `SALLYPORT_TEST_SHARDS` and
    /// `SALLYPORT_TEST_DRIVER` say otherwise for all tests that do not choose themselves.
    pub(crate) fn new() -> Self {
        let shards = env::var("SALLYPORT_TEST_SHARDS").unwrap_or_else(|_| "1".to_owned());
        let setup = Self {
            folder: tempfile::tempdir().unwrap(),
            keys: BTreeMap::new(),
            listener: "127.0.0.1:0".to_owned(),
            more: String::new(),
        };
        setup
            .key("ruleset", "\"rules.spb\"")
            // Its default is one address for all processes.
            .key("admin.listen", "\"off\"")
            .key("shards", &shards)
            .key("io.driver", &format!("\"{}\"", wanted_driver()))
            .key("guard.allow", "[\"127.0.0.0/8\"]")
            .key("guard.ports", "\"any\"")
            // Nobody answers there: a name that is not in `hosts` is an error, not a leak.
            .key("dns.servers", "[\"127.0.0.1:9\"]")
            .key("dns.attempts", "1")
            .key("dns.lookup_timeout", "\"1s\"")
            .key("log.access", "\"access.jsonl\"")
            .key("log.flush_interval", "\"1ms\"")
            .key("log.format", "\"json\"")
    }

    /// Sets or replaces a key.
    pub(crate) fn key(mut self, key: &str, value: &str) -> Self {
        self.keys.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Adds tables behind everything else.
    pub(crate) fn append(mut self, text: &str) -> Self {
        self.more.push_str(text);
        self
    }

    /// One shard, whatever was asked for: for what each shard has for itself, such as its pool.
    pub(crate) fn one_shard(self) -> Self {
        self.key("shards", "1")
    }

    /// Has operators answered, anywhere.
    pub(crate) fn admin(self) -> Self {
        self.key("admin.listen", "\"127.0.0.1:0\"")
    }

    /// Gives `name` an address.
    pub(crate) fn host(self, name: &str, address: &str) -> Self {
        self.key(&format!("hosts.\"{name}\""), &format!("[\"{address}\"]"))
    }

    pub(crate) fn listener(mut self, address: SocketAddr) -> Self {
        self.listener = address.to_string();
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file beside the configuration, for keys that name one.
    pub(crate) fn write_file(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// Writes the configuration file.
    pub(crate) fn write(&self) -> PathBuf {
        let mut text = String::new();
        for (key, value) in &self.keys {
            writeln!(text, "{key} = {value}").unwrap();
        }
        writeln!(text, "[[listener]]\naddress = \"{}\"", self.listener).unwrap();
        text.push_str(&self.more);
        let path = self.path("sallyport.toml");
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Starts the proxy with these rules.
    pub(crate) fn start(self, rules: Rules<'_>) -> Proxy {
        rules.compile(&self.path("rules.spb"));
        self.start_with(&mut sallyport())
    }

    /// Starts it by a command that ends in the binary, with the bundle that is there.
    pub(crate) fn start_with(self, command: &mut Command) -> Proxy {
        let config = self.write();
        let mut process = Process::start(command.args(["run", "--config"]).arg(config));
        let started = process.wait_line("the listening line", |line| {
            let message: Value = serde_json::from_str(line).ok()?;
            let fields = &message["fields"];
            (fields["message"] == "listening").then(|| fields.clone())
        });
        let address = started["address"].as_str().unwrap().parse().unwrap();
        // What the tests are to run on is what they run on.
        if let Some(wanted) = self.keys.get("io.driver").filter(|wanted| *wanted != AUTO) {
            assert_eq!(started["driver"].to_string(), *wanted);
        }
        if let Some(wanted) = self.keys.get("shards") {
            assert_eq!(started["shards"].to_string(), *wanted);
        }
        let log = AccessLog {
            path: self.path("access.jsonl"),
        };
        Proxy {
            address,
            driver: started["driver"].as_str().unwrap().to_owned(),
            log,
            process,
            setup: self,
        }
    }
}

/// `io.driver` where nobody chooses.
const AUTO: &str = "\"auto\"";

fn wanted_driver() -> String {
    env::var("SALLYPORT_TEST_DRIVER").unwrap_or_else(|_| "auto".to_owned())
}

/// A running proxy.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    /// What it runs on: `io_uring` or `epoll`.
    pub(crate) driver: String,
    pub(crate) log: AccessLog,
    pub(crate) process: Process,
    // Last: the folder goes after the process that writes into it.
    pub(crate) setup: Setup,
}

impl Proxy {
    /// A proxy that allows everything.
    pub(crate) fn open() -> Self {
        Setup::new().start(ALLOW_ALL)
    }

    /// Where operators are answered, after [`Setup::admin`].
    pub(crate) fn admin(&mut self) -> SocketAddr {
        let told = self.wait_message("the address of the admin listener", |_, text| {
            text == "operators are answered"
        });
        told["admin"].as_str().unwrap().parse().unwrap()
    }

    pub(crate) fn connection(&self) -> Connection {
        Connection::open(self.address)
    }

    /// `http://127.0.0.1:PORT`, for clients that want a URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn bundle(&self) -> PathBuf {
        self.setup.path("rules.spb")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.setup.folder.path()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits for a message of the process; the fields of the line.
    pub(crate) fn wait_message(&mut self, what: &str, is_it: impl Fn(&str, &str) -> bool) -> Value {
        self.process.wait_line(what, |line| {
            let message: Value = serde_json::from_str(line).ok()?;
            let text = message["fields"]["message"].as_str()?;
            is_it(message["level"].as_str()?, text).then(|| message["fields"].clone())
        })
    }
}
