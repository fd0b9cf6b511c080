//! Ends of connections that vanish without a word: the kernel forgets them.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;

use super::process::Process;
use super::programs::{skip, system};
use super::wait::wait_for;

/// An origin some of whose connections vanish; see `data/vanishing.py`.
#[derive(Debug)]
pub(crate) struct VanishingOrigin {
    pub(crate) port: u16,
    process: Process,
}

impl VanishingOrigin {
    /// `None` after saying why not.
    pub(crate) fn start() -> Option<Self> {
        let mut process = Process::start(command()?.arg("origin"));
        let port = process.wait_line("the origin", |line| line.trim().parse().ok());
        Some(Self { port, process })
    }

    /// Waits until so many connections are gone: what comes before is received.
    pub(crate) fn wait_vanished(&self, connections: usize) {
        wait_for("connections to vanish", || {
            let lines = self.process.lines();
            let vanished = lines.iter().filter(|line| line.trim() == "vanished");
            (vanished.count() >= connections).then_some(())
        });
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

/// Sends `text` to `port` and vanishes once an answer has begun; whether that can be done here.
pub(crate) fn vanish_after(port: u16, text: &str) -> bool {
    let Some(mut command) = command() else {
        return false;
    };
    let port = port.to_string();
    let status = command
        .args(["client", "127.0.0.1", &port, text])
        .status()
        .unwrap();
    assert!(status.success());
    true
}

fn command() -> Option<Command> {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    if !is_root {
        skip("TCP_REPAIR needs CAP_NET_ADMIN");
        return None;
    }
    let script: PathBuf = [
        env!("CARGO_MANIFEST_DIR"),
        "tests/end_to_end/data/vanishing.py",
    ]
    .iter()
    .collect();
    let mut command = Command::new(system("python3")?);
    command.arg("-B").arg(script);
    Some(command)
}
