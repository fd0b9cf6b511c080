//! The demo's world: a folder with the ruleset and its bundle, an origin, a proxy.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use tempfile::TempDir;

use super::programs::Programs;
use super::{DemoError, console, doing};

/// The example ruleset, part of the program so that the demo needs no checkout.
const EXAMPLES: &[(&str, &str)] = &[
    ("demo.toml", include_str!("../../../examples/demo.toml")),
    (
        "groups/demo.toml",
        include_str!("../../../examples/groups/demo.toml"),
    ),
    (
        "groups/guardrails.toml",
        include_str!("../../../examples/groups/guardrails.toml"),
    ),
    (
        "groups/networks.toml",
        include_str!("../../../examples/groups/networks.toml"),
    ),
    (
        "groups/platform.toml",
        include_str!("../../../examples/groups/platform.toml"),
    ),
    (
        "groups/watch.toml",
        include_str!("../../../examples/groups/watch.toml"),
    ),
    (
        "lists/exfiltration.txt",
        include_str!("../../../examples/lists/exfiltration.txt"),
    ),
    (
        "lists/package-registries.txt",
        include_str!("../../../examples/lists/package-registries.txt"),
    ),
    (
        "lists/private-networks.txt",
        include_str!("../../../examples/lists/private-networks.txt"),
    ),
    (
        "lists/saas.txt",
        include_str!("../../../examples/lists/saas.txt"),
    ),
];

/// Names that the demo's proxy resolves to loopback.
const HOSTS: &[&str] = &[
    "api.allowed.test",
    "download.allowed.test",
    "watched.allowed.test",
    "paste.allowed.test",
    "denied.test",
    "hooks.slack.com",
];

const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// Everything that the demo runs; ends with it.
#[derive(Debug)]
pub(super) struct World {
    pub(super) origin: SocketAddr,
    pub(super) proxy: SocketAddr,
    /// Removed with the demo.
    folder: TempDir,
    _origin_process: Process,
    proxy_process: Process,
}

/// A child that does not outlive the demo.
#[derive(Debug)]
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl World {
    /// Compiles the ruleset and starts origin and proxy.
    pub(super) fn build(programs: &Programs) -> Result<Self, DemoError> {
        let folder = new_folder()?;
        compile(programs, folder.path())?;
        let mut origin = Command::new(&programs.load);
        origin
            .args(["origin", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let (origin_process, origin) = start(origin, "sallyport-load origin", |line| {
            line.strip_prefix("listening on ")?.trim().parse().ok()
        })?;
        fs::write(
            folder.path().join("sallyport.toml"),
            configuration(proxy_address()),
        )
        .map_err(doing("writing the configuration"))?;
        let mut proxy = Command::new(&programs.proxy);
        proxy
            .arg("run")
            .arg("--config")
            .arg(folder.path().join("sallyport.toml"));
        proxy.stdout(Stdio::null()).stderr(Stdio::piped());
        let (proxy_process, proxy) = start(proxy, "sallyport run", |line| {
            let (_, rest) = line.split_once("listening address=")?;
            rest.split_whitespace().next()?.parse().ok()
        })?;
        Ok(Self {
            origin,
            proxy,
            folder,
            _origin_process: origin_process,
            proxy_process,
        })
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn access_log(&self) -> PathBuf {
        self.folder.path().join("access.jsonl")
    }

    /// Runs the meter through the proxy for a second and returns its report.
    pub(super) fn load(&self, programs: &Programs) -> Result<String, DemoError> {
        let url = format!("http://api.allowed.test:{}/bytes/1024", self.origin.port());
        let output = Command::new(&programs.load)
            .args([
                "run",
                "--proxy",
                &format!("http://{}", self.proxy),
                "--url",
                &url,
            ])
            .args(["--connections", "64", "--duration", "1s"])
            .args(["--pid", &self.proxy_process.0.id().to_string()])
            .output()
            .map_err(doing("running the load"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        match output.status.success() {
            true => Ok(text),
            false => Err(DemoError::Failed {
                program: "sallyport-load run",
                output: text + &String::from_utf8_lossy(&output.stderr),
            }),
        }
    }

    /// Stays up until a signal says to end, or the proxy ends by itself. `signals` are blocked.
    pub(super) fn wait(mut self, signals: &SigSet) {
        while matches!(signals.wait(), Ok(Signal::SIGCHLD))
            && matches!(self.proxy_process.0.try_wait(), Ok(None))
        {}
    }
}

fn new_folder() -> Result<TempDir, DemoError> {
    let folder = tempfile::Builder::new()
        .prefix("sallyport-demo-")
        .tempdir()
        .map_err(doing("creating a temporary folder"))?;
    for (file, content) in EXAMPLES {
        let path = folder.path().join(file);
        let parent = path.parent().unwrap_or_else(|| folder.path());
        fs::create_dir_all(parent).map_err(doing("creating a temporary folder"))?;
        fs::write(path, content).map_err(doing("writing the example ruleset"))?;
    }
    Ok(folder)
}

fn compile(programs: &Programs, folder: &Path) -> Result<(), DemoError> {
    let output = Command::new(&programs.compiler)
        .current_dir(folder)
        .args(["compile", "demo.toml", "-o", "rules.spb"])
        .output()
        .map_err(doing("running the compiler"))?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        return Err(DemoError::Failed {
            program: "sallyport-rules compile",
            output: text,
        });
    }
    console::line(text.trim_end());
    Ok(())
}

/// The usual port if it is free, so that the curl lines look as they will at home.
fn proxy_address() -> SocketAddr {
    let usual = SocketAddr::from(([127, 0, 0, 1], 3128));
    let free = TcpListener::bind(usual).is_ok();
    SocketAddr::new(usual.ip(), if free { usual.port() } else { 0 })
}

fn configuration(address: SocketAddr) -> String {
    let hosts: String = HOSTS
        .iter()
        .map(|host| format!("\"{host}\" = [\"127.0.0.1\"]\n"))
        .collect();
    format!(
        "# Written by `sallyport demo`.\nruleset = \"rules.spb\"\nshards = 1\n\n[admin]\nlisten = \"off\"\n\n\
         [[listener]]\naddress = \"{address}\"\n\n\
         [dns]\nservers = [\"127.0.0.1:9\"]     # the demo asks nobody\n\n[hosts]\n{hosts}\n\
         [guard]\nallow = [\"127.0.0.0/8\"]      # its origin is on loopback\nports = \"any\"\n\n\
         [responses]\nreveal_rule = true\n\n[log]\naccess = \"access.jsonl\"\nquery = true\n"
    )
}

/// Starts a program and waits for the line that says where it listens.
fn start(
    mut command: Command,
    program: &'static str,
    address: impl Fn(&str) -> Option<SocketAddr> + Send + 'static,
) -> Result<(Process, SocketAddr), DemoError> {
    let mut child = Process(command.spawn().map_err(doing("starting a program"))?);
    let output: Option<Box<dyn std::io::Read + Send>> = match child.0.stdout.take() {
        Some(stdout) => Some(Box::new(stdout)),
        None => child.0.stderr.take().map(|stderr| Box::new(stderr) as _),
    };
    let (ready, wait) = mpsc::channel();
    std::thread::spawn(move || {
        let lines = output.map(|output| BufReader::new(output).lines());
        // Goes on after the address is found, so that the child never blocks on a full pipe.
        for line in lines.into_iter().flatten().map_while(Result::ok) {
            let _ = ready.send((address(&line), line));
        }
    });
    let mut said = String::new();
    while let Ok((address, line)) = wait.recv_timeout(READY_TIMEOUT) {
        if let Some(address) = address {
            return Ok((child, address));
        }
        said.push_str(&line);
        said.push('\n');
    }
    Err(DemoError::NotReady {
        program,
        output: said,
    })
}
