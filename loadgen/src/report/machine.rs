//! Where a run took place: a figure without its machine is none.

use std::fs;

use serde::{Deserialize, Serialize};

/// The machine and the program.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cpus: usize,
    pub(crate) kernel: String,
    pub(crate) program_version: String,
    /// When the run began, UTC.
    pub(crate) started_at: String,
}

impl Machine {
    /// This machine, now.
    pub(crate) fn here() -> Self {
        let cpu_info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line = cpu_info.lines().find(|line| line.starts_with(name))?;
            line.split_once(':')
                .map(|(_, value)| value.trim().to_owned())
        };
        let unknown = || "unknown".to_owned();
        Self {
            cpu: field("model name")
                .or_else(|| field("CPU part"))
                .unwrap_or_else(unknown),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| unknown(), |text| text.trim().to_owned()),
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: jiff::Timestamp::now()
                .strftime("%Y-%m-%dT%H:%M:%SZ")
                .to_string(),
        }
    }
}
