//! The report as data. Names are stable: scripts rely on them (`docs/loadgen.md` lists them).
//! Units stand at the end of a name.

use std::collections::BTreeMap;

use serde::Serialize;

use super::machine::Machine;
use crate::histogram::merge::Summary;

/// Version of this shape; a new name does not change it, a changed or lost one does.
pub(super) const SCHEMA_VERSION: u32 = 1;

/// Everything a run found out.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) schema_version: u32,
    /// `closed` or `open`.
    pub(super) mode: &'static str,
    pub(super) urls: Vec<String>,
    pub(super) proxy: Option<String>,
    pub(super) tunnel: bool,
    pub(super) new_connections: bool,
    pub(super) connections: usize,
    pub(super) threads: usize,
    /// Intended rate of an open loop.
    pub(super) rate_intended: Option<f64>,
    pub(super) warmup_s: f64,
    /// Length of the measured window.
    pub(super) duration_s: f64,
    /// Good responses completed in the window.
    pub(super) requests_total: u64,
    pub(super) requests_per_second: f64,
    pub(super) body_bytes_total: u64,
    pub(super) body_bytes_per_second: f64,
    pub(super) connections_opened_total: u64,
    pub(super) errors_total: u64,
    /// Count of each kind.
    pub(super) errors: BTreeMap<String, u64>,
    /// What the first of each kind said.
    pub(super) error_examples: BTreeMap<String, String>,
    /// Of requests that started, or should have, in the window.
    pub(super) latency_us: Summary,
    /// Of setting up connections: TCP, tunnel, TLS.
    pub(super) connection_setup_us: Summary,
    /// The measured process, with `--pid`.
    pub(super) process: Option<ProcessFigures>,
    pub(super) meter: MeterFigures,
    pub(super) machine: Machine,
}

/// What the processes given with `--pid`, and their children, used in the window.
#[derive(Debug, Serialize)]
pub(super) struct ProcessFigures {
    pub(super) pids: Vec<i32>,
    /// User and system time.
    pub(super) cpu_us: f64,
    pub(super) cpu_user_us: f64,
    pub(super) cpu_system_us: f64,
    pub(super) cpu_us_per_request: Option<f64>,
    /// CPU time by wall time: 1.0 is one core.
    pub(super) cpu_ratio: f64,
    /// Resident memory at the end.
    pub(super) rss_bytes: u64,
}

/// How the meter itself fared.
#[derive(Debug, Serialize)]
pub(super) struct MeterFigures {
    /// The figures above do not describe the subject.
    pub(super) void: bool,
    /// Why, in words.
    pub(super) void_reasons: Vec<String>,
    /// The meter could do less than twice what was measured.
    pub(super) bound: bool,
    pub(super) warnings: Vec<String>,
    /// CPU and run-queue time by wall time of the busiest thread: 1.0 has nothing left.
    pub(super) busy_ratio_max: f64,
    pub(super) cpu_us_per_request: Option<f64>,
    pub(super) schedule_lag_us_p50: f64,
    pub(super) schedule_lag_us_p99: f64,
    pub(super) schedule_lag_us_p99_9: f64,
    pub(super) schedule_lag_us_max: f64,
    pub(super) loop_busy_us_p99_9: f64,
    pub(super) loop_busy_us_max: f64,
}

impl Report {
    /// One JSON object, indented.
    pub(super) fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }
}
