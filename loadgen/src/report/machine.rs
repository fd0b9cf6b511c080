//! Where a run took place: a figure without its machine is none.

use std::fs;

use serde::Serialize;

/// The machine and the program.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Machine {
    pub(super) cpu: String,
    pub(super) cpus: usize,
    pub(super) kernel: String,
    pub(super) program_version: &'static str,
    /// When the run began, UTC.
    pub(super) started_at: String,
}

impl Machine {
    /// This machine, now.
    pub(super) fn here() -> Self {
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
            program_version: env!("CARGO_PKG_VERSION"),
            started_at: jiff::Timestamp::now()
                .strftime("%Y-%m-%dT%H:%M:%SZ")
                .to_string(),
        }
    }
}
